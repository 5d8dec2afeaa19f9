import numpy as np
import pytest

from utils.alphabet import Alphabet, UnknownCharacters
from utils.checks import DataError, UserError


def test_encode_numbers_characters_by_their_place():
    alphabet = Alphabet(["b", "a", " "])
    encoded = alphabet.encode("a bab")
    assert encoded.dtype == np.int64
    assert encoded.tolist() == [1, 2, 0, 1, 0]
    assert alphabet.decode(encoded) == "a bab"
    assert len(alphabet) == 3 and "a" in alphabet and "c" not in alphabet


def test_empty_text_is_an_empty_array():
    encoded = Alphabet("ab").encode("")
    assert encoded.shape == (0,) and encoded.dtype == np.int64
    assert Alphabet("ab").decode([]) == ""


def test_from_texts_is_sorted_and_complete():
    assert Alphabet.from_texts(["zebra!", "Abc", ""]).characters == list("!Aabcerz")
    assert Alphabet.from_texts(iter(["ba"])).characters == ["a", "b"]
    assert Alphabet.from_texts([]).characters == []


def test_unknown_characters_are_named_once_in_order_with_code_points():
    alphabet = Alphabet("abc")
    assert alphabet.unknown("aéb\tcé") == ["é", "\t"]
    assert alphabet.unknown("abc") == []
    with pytest.raises(UnknownCharacters) as raised:
        alphabet.encode("aéb\tcé")
    assert isinstance(raised.value, UserError)
    assert raised.value.characters == ["é", "\t"]
    assert "'é' (U+00E9), '\\t' (U+0009)" in str(raised.value)
    assert "leave them out" in str(raised.value)
    with pytest.raises(UnknownCharacters, match="leave it out"):
        alphabet.encode("d")


def test_decode_refuses_numbers_without_a_character():
    alphabet = Alphabet("ab")
    for number in (2, -1):
        with pytest.raises(IndexError, match=rf"no character {number} in an alphabet of 2"):
            alphabet.decode([0, number])


def test_equality_is_that_of_the_characters_in_order():
    assert Alphabet("ab") == Alphabet(["a", "b"])
    assert hash(Alphabet("ab")) == hash(Alphabet(["a", "b"]))
    assert Alphabet("ab") != Alphabet("ba")
    assert Alphabet("ab") != "ab"


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        (["a", "bc"], "single characters, not 'bc'"),
        (["a", ""], "single characters, not ''"),
        (["a", 3], "single characters, not 3"),
        (["a", "b", "a"], r"stand twice in an alphabet: 'a' \(U\+0061\)"),
    ],
)
def test_what_is_no_alphabet_is_refused(characters, message):
    with pytest.raises(DataError, match=message):
        Alphabet(characters)
