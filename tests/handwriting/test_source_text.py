"""Text as people have it: front matter, and characters that a network does not know."""

import random
import string
import unicodedata

import pytest

from handwriting.source_text import explain, replacements, transliterate, with_front_matter
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
    explanation = explain(written)
    assert "; left out: '😀' (U+1F600), '👍' (U+1F44D), '🏽'" in explanation
    assert explanation.endswith(" more") and explanation.isprintable()


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
    assert transliterate(text, known) == written


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
        assert transliterate(written.text, known) == (written.text, {}, [])


def upper(text):
    if text != text.strip() or not text.isalpha():
        raise UserError(f"{text!r}: letters are accepted")
    return text.upper()


def check_size(values):
    if values.get("size", 0) > 9:
        raise UserError(f"size {values['size']:g}: too large")


KEYS = {"size": float, "colour": upper}


def read(text):
    """Lines with their front matter, whose size is at most 9."""
    return with_front_matter(text.split("\n"), "x", KEYS, check_size)


def test_front_matter_holds_up_to_the_next_front_matter():
    text = (
        "before\n---\nsize: 4.5\n---\nA title\n\n"
        "---\n colour :red \nsize:3\n---  \n  body\n---\n---\nend"
    )
    assert read(text) == [
        ({}, "before"),
        ({"size": 4.5}, "A title"),
        ({"size": 4.5}, ""),
        ({"colour": "RED", "size": 3.0}, "  body"),
        ({}, "end"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "---",
        "a\n---",
        "a\n---\nb\nc",
        "---\nb: c\n\n---\nd",
        "--- \n\nsize: 3",
        " ---\nsize: 3\n ---",
        "----\nsize: 3\n----",
        "---\nsize\ncolour",
    ],
)
def test_lines_of_dashes_that_enclose_no_settings_are_text(text):
    assert read(text) == [({}, line) for line in text.split("\n")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\n---\nsize 3\n---", "x, line 4: 'size 3' is not a line of front matter, `key"),
        ("---\nsize: 3\ncolourr: a\n---", "x, line 3: no key 'colourr'; did you"),
        ("---\ncolour:\n---", "x, line 2: colour: '': letters are accepted"),
        ("a\n---\nsize: 3\nb\n\n---", "x, line 2: no line --- ends this front matter; for ---"),
        ("a\n---\nsize: 12\n---", "x, line 2: size 12: too large"),
        (
            "---\ncolour: 3\nb\nsize: 9.5\n---\na\n\n---\nsize: 4\nDear",
            "x: 4 faults\n  line 1: size 9.5: too large\n  line 2: colour: '3': letters are "
            "accepted\n  line 3: 'b' is not a line of front matter, `key: value`; for --- as "
            "text, put an empty line behind it\n  line 8: no line --- ends this front matter",
        ),
    ],
)
def test_faults_of_front_matter_are_named_with_their_lines(text, message):
    with pytest.raises(UserError) as error:
        read(text)
    assert message in str(error.value)
