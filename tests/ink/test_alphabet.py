import numpy as np
import pytest

from ink.alphabet import Alphabet, describe, unmarked
from utils.checks import DataError, UserError

NORMAL_FORMS = ["caf\u00e9", "cafe\u0301"]


def test_a_text_is_encoded_as_indices_of_its_characters_and_decoded_again():
    alphabet = Alphabet(["b", "a", " "])
    encoded = alphabet.encode("a bab")
    assert encoded.dtype == np.int64 and encoded.tolist() == [1, 2, 0, 1, 0]
    assert alphabet.decode(encoded) == "a bab"
    assert len(alphabet) == 3 and "a" in alphabet and "c" not in alphabet


def test_encode_names_each_unknown_character_once_with_its_code_point():
    with pytest.raises(UserError, match=r"lacks 'é' \(U\+00E9\), '\\t' \(U\+0009 *\): leave"):
        Alphabet("abc").encode("aéb\tcé")


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        (["a", "bc"], "not 'bc'"),
        (["a", 3], "not 3"),
        (["a", "\u212b"], r"normal form C, not '\u212b' \(U\+212B\)"),
        (["a", "\ud800"], r"whole characters in .* not '\\ud800'"),
        (["a" * 10**6], "not 'a{,150}"),
        (["a", "b", "a"], r"1 characters stand twice in an alphabet: 'a' \(U\+0061\)"),
        (list(map(chr, range(40, 90))) * 2, r"50 characters stand twice"),
        (7, "an alphabet is a list of characters, not 7"),
    ],
)
def test_anything_but_a_list_of_different_characters_is_refused_briefly(characters, message):
    with pytest.raises(DataError, match=message) as error:
        Alphabet(characters)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("other", NORMAL_FORMS)
@pytest.mark.parametrize("text", NORMAL_FORMS)
def test_a_text_is_the_same_in_any_normal_form(text, other):
    alphabet = Alphabet.from_texts([text])
    assert alphabet.encode(other).tolist() == [1, 0, 2, 3]
    assert alphabet.extended([other]) == alphabet


def test_new_characters_are_in_the_order_of_code_points_behind_the_known_characters():
    alphabet = Alphabet.from_texts(iter(["zebra!", "Abc", ""]))
    assert alphabet.characters == list("!Aabcerz")
    assert alphabet.extended(iter(["by\u00e9", "xz"])).characters == list("!Aabcerzxy\u00e9")
    assert len(alphabet) == 8


@pytest.mark.parametrize(
    ("character", "description"),
    [
        ("a", "'a' (U+0061)"),
        (" ", "' ' (U+0020 space)"),
        ("\u00a0", "'\\xa0' (U+00A0 no-break space)"),
        ("\u0301", "'\u25cc\u0301' (U+0301 combining acute accent)"),
        ("\ufe0f", "'\u25cc\ufe0f' (U+FE0F variation selector-16)"),
        ("\x07", "'\\x07' (U+0007)"),
    ],
)
def test_a_character_is_described_by_its_code_point_and_by_its_name_if_invisible(
    character, description
):
    assert describe(character) == description


def test_a_letter_loses_its_marks_and_bars_and_other_characters_stay():
    assert "".join(map(unmarked, "éłøŐçßæı…\u2019x")) == "eloOcßæı…\u2019x"
    assert [*Alphabet("aeéłâ").unmarked] == [0, 1, 1, 3, 0]  # the alphabet lacks l
