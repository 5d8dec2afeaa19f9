import numpy as np
import pytest

from utils.alphabet import Alphabet, describe, nfc
from utils.checks import DataError, UserError


def test_encode_numbers_characters_by_their_place():
    alphabet = Alphabet(["b", "a", " "])
    encoded = alphabet.encode("a bab")
    assert encoded.dtype == np.int64 and encoded.tolist() == [1, 2, 0, 1, 0]
    assert alphabet.decode(encoded) == "a bab"
    assert len(alphabet) == 3 and "a" in alphabet and "c" not in alphabet
    assert Alphabet.from_texts(iter(["zebra!", "Abc", ""])).characters == list("!Aabcerz")


def test_unknown_characters_are_named_once_in_order_with_code_points():
    alphabet = Alphabet("abc")
    assert alphabet.unknown("aéb\tcé") == ["é", "\t"]
    assert alphabet.unknown("abc") == []
    with pytest.raises(UserError, match=r"lacks 'é' \(U\+00E9\), '\\t' \(U\+0009 *\): leave"):
        alphabet.encode("aéb\tcé")


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
        ({"a": 1}, "an alphabet is a list of characters"),
    ],
)
def test_what_is_no_alphabet_is_refused_in_a_few_words(characters, message):
    with pytest.raises(DataError, match=message) as caught:
        Alphabet(characters)
    assert len(str(caught.value)) < 300


COMPOSED, TAKEN_APART = "caf\u00e9", "cafe\u0301"


def test_the_same_text_in_another_normal_form_is_the_same_text():
    assert COMPOSED != TAKEN_APART and nfc(TAKEN_APART) == COMPOSED
    for one in (COMPOSED, TAKEN_APART):
        alphabet = Alphabet.from_texts([one])
        assert alphabet.characters == list("acf\u00e9")
        for other in (COMPOSED, TAKEN_APART):
            assert alphabet.unknown(other) == []
            assert alphabet.encode(other).tolist() == [1, 0, 2, 3]
            assert alphabet.extended([other]) == alphabet


def test_extended_puts_what_is_new_behind_by_code_point():
    alphabet = Alphabet("zab")
    assert alphabet.extended(["by\u00e9", "xz"]).characters == list("zabxy\u00e9")
    assert alphabet.extended(iter(["ab", ""])) == alphabet
    assert alphabet.characters == list("zab")


def test_what_does_not_show_is_named():
    for character, expected in {
        "a": "'a' (U+0061)",
        "'": '"\'" (U+0027)',
        " ": "' ' (U+0020 space)",
        "\u00a0": "'\\xa0' (U+00A0 no-break space)",
        "\u3000": "'\\u3000' (U+3000 ideographic space)",
        "\u0301": "'\u25cc\u0301' (U+0301 combining acute accent)",
        "\u093f": "'\u25cc\u093f' (U+093F devanagari vowel sign i)",
        "\u200d": "'\\u200d' (U+200D zero width joiner)",
        "\ufe0f": "'\u25cc\ufe0f' (U+FE0F variation selector-16)",
        "\U0001f600": "'\U0001f600' (U+1F600)",
        "\x07": "'\\x07' (U+0007)",
    }.items():
        assert describe(character) == expected
