"""Text as people have it, with characters that a network does not know."""

import random
import string
import unicodedata

import pytest

from apps.pages.transliteration import explain, replacements, transliterate
from ink.alphabet import Alphabet
from utils.checks import UserError

ASCII = Alphabet([chr(code) for code in range(32, 127)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“Don’t” ‘you’ «now»", '"Don\'t" \'you\' "now"'),
        ("1939–1945 — well‑known −5", "1939-1945 - well-known -5"),
        ("wait… what⋯", "wait... what..."),
        ("ﬁne ﬂour eﬀect ﬃ", "fine flour effect ffi"),
        ("x² + y³ = ½ and ¼", "x2 + y3 = 1/2 and 1/4"),
        ("1½ cups, 23¾", "1 1/2 cups, 23 3/4"),
        ("naïve café Ångström Dvořák", "naive cafe Angstrom Dvorak"),
        ("e\u0301 o\u0308 x\u0302 q\u0323\u0307", "e o x q"),
        ("Straße GROẞ Æsop læs Œuvre cœur", "Strasse GROSS AEsop laes OEuvre coeur"),
        ("Øre øl Łódź đak Þór þat ð ħ ı ŋ", "Ore ol Lodz dak Thor that d h i ng"),
        ("€5 £6 7¢ 3×4÷2 ±1", "EUR5 GBP6 7c 3x4/2 +/-1"),
        ("• one\n‣ two", "- one\n- two"),
        ("a ≤ b ≥ c ≠ d → e", "a <= b >= c != d -> e"),
        ("™ © ® № ㎏ Ⅳ ① µ", "TM (c) (R) No kg IV 1 u"),
        ("1\ufe0f\u20e3 ©\ufe0f", "1 (c)"),
        ("a\r\nb\rc\u2028d\u2029e\vf\fg\x85h\n", "a\nb\nc\nd\ne\nf\ng\nh\n"),
        ("\tone\ttwo", "    one    two"),
        ("a\u00a0b\u2009c\u202fd\u3000e", "a b c d e"),
        ("\ufeffhy\u00adphen zero\u200bwidth\u2060 \u202da\u202c \x00\x07", "hyphen zerowidth a "),
        ("ʼn ŉ ´ `", "'n 'n ' `"),
    ],
)
def test_an_unknown_character_is_written_as_known_characters_like_it(text, expected):
    written = transliterate(text, ASCII)
    assert written.text == expected and not written.left_out


def test_all_replacements_are_explained():
    written = transliterate("“a” ’’ cafe\u0301 a\u00a0b \u200bq\u0323", ASCII)
    assert written.text == "\"a\" '' cafe a b q"
    assert explain(written) == (
        'written as others: “ as ", ” as ", ’ as \', é as e, '
        "'\\xa0' (U+00A0 no-break space) as a space, "
        "'\\u200b' (U+200B zero width space) as nothing, "
        "'◌\u0323' (U+0323 combining dot below) as nothing"
    )


def test_left_out_characters_are_explained_up_to_a_limit():
    written = transliterate("a😀b 👍🏽 ❤️ 中中 c\ud800 \U0010ffff\ue000日本語", ASCII)
    assert written.text == "ab c"
    assert written.left_out == [*"😀👍🏽❤中", "\ud800", "\U0010ffff", *"\ue000日本語"]
    assert written.shortened == {
        "a😀b": "ab",
        "👍🏽": "",
        "❤️": "",
        "中中": "",
        "c\ud800": "c",
        "\U0010ffff\ue000日本語": "",
    }
    explanation = explain(written)
    assert "; left out: '😀' (U+1F600), '👍' (U+1F44D), '🏽'" in explanation
    assert " more; words without them: a😀b as ab, 👍🏽 as nothing, " in explanation
    assert explanation.isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 😀 b", "a b"),
        ("a 😀 😀😀  b", "a b"),
        ("😀 a\n😀  b", "a\nb"),
        ("    😀 a 😀\nb 😀", "    a\nb"),
        ("a\n 😀 \n\n😀\nb", "a\n\n\n\nb"),
        ("a 😀\u200b b", "a b"),
    ],
)
def test_a_left_out_word_leaves_no_second_blank(text, expected):
    assert transliterate(text, ASCII).text == expected


def test_right_to_left_script_is_left_out_and_named():
    written = transliterate("a שָׁ b سلام", ASCII)
    assert written.text == "a b" and len(written.left_out) == 5
    assert explain(written).endswith("; right-to-left script is not supported")
    assert "right-to-left" not in explain(transliterate("a 中", ASCII))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is nothing to write: the text is empty"),
        (" \n\t ", "there is nothing to write: "),
        ("😀😀", r"there is nothing to write: left out: '😀' \(U\+1F600\)"),
        ("שלום", "nothing to write: .*; right-to-left script is not supported"),
    ],
)
def test_a_text_without_known_characters_is_an_error(text, message):
    with pytest.raises(UserError, match=message):
        transliterate(text, ASCII)


@pytest.mark.parametrize(
    ("text", "known", "written"),
    [
        ("e\u0301\r\n", "é", ("é\n", {}, [])),
        ("a'b", "ab’", ("a’b", {"'": "’"}, [])),
        ("a’b", "ab", ("ab", {}, ["’"])),
        ("ß", ["s"], ("ss", {"ß": "ss"}, [])),
        ("aß€½", "aEU12", ("a", {}, ["ß", "€", "½"])),
        ("1½", "12/", ("11/2", {"½": "1/2"}, [])),
        # In NFC these join to a character that is not known.
        ("\uff45\u0301", "e\u0301", ("e", {"\uff45": "e", "é": "e"}, [])),
        ("\u1100\u200b\u1161a", "\u1100\u1161a", ("a", {"\u200b": ""}, ["\uac00"])),
        ("\u1100\u200b\u1161", "\uac00a\u1100\u1161", ("\uac00", {"\u200b": ""}, [])),
    ],
)
def test_a_replacement_is_written_only_if_it_is_known(text, known, written):
    assert transliterate(text, known)[:3] == written


def test_the_table_of_replacements_agrees_with_texts_that_are_transliterated():
    table = replacements(frozenset("a1/2 "))
    assert table["½"] == "1/2" and table["ä"] == "a" and not {"a", "😀", "\u0302"} & {*table}
    written = {other: transliterate(f"a{other}", "a1/2 ").text for other in table}
    assert written == {other: f"a{sign}" for other, sign in table.items()}


def random_text(chance):
    """Return a text of Unicode, of signs that combine, and of ASCII."""
    combining = "e\u0301\u0327\u200d\ufe0f\U0001f469\U0001f3fd\U0001f1e9\u1100\u1161 "
    pools = [range(0x110000), range(0x3000), [*map(ord, combining)], [*map(ord, string.printable)]]
    return "".join(chr(chance.choice(chance.choice(pools))) for _ in range(chance.randrange(60)))


@pytest.mark.parametrize(
    "known", [ASCII, Alphabet("ae \u0301\u0327\u1100\u1161"), frozenset("é…👩"), "abc"]
)
def test_any_unicode_is_written_in_known_characters(known):
    chance, known_characters = random.Random(11), {*getattr(known, "characters", known)}
    texts = [random_text(chance) for _ in range(100)]
    for text in texts:
        try:
            written = transliterate(text, known)
        except UserError:  # There is nothing to write.
            continue
        assert {*written.text} - {"\n"} <= known_characters
        assert unicodedata.normalize("NFC", written.text) == written.text
        assert explain(written).encode() is not None
        assert transliterate(written.text, known) == (written.text, {}, [], {})
