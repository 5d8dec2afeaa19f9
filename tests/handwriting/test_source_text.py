"""Text as people have it: front matter, and characters that a network does not know."""

import random
import string
import unicodedata

import pytest

from handwriting.source_text import explain, replacements, transliterate, with_front_matter
from utils.alphabet import Alphabet
from utils.checks import UserError

ASCII = Alphabet([chr(code) for code in range(32, 127)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“Don’t” ‘you’ «now»", '"Don\'t" \'you\' "now"'),
        ("1939–1945 — well‑known −5", "1939-1945 - well-known -5"),
        ("wait… what⋯", "wait... what..."),
        ("ﬁne ﬂour eﬀect ﬃ", "fine flour effect ffi"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "Full width"),
        ("x² + y³ = ½ and ¼", "x2 + y3 = 1/2 and 1/4"),
        ("1½ cups, 23¾", "1 1/2 cups, 23 3/4"),
        ("naïve café Ångström Dvořák", "naive cafe Angstrom Dvorak"),
        ("e\u0301 o\u0308 x\u0302 q\u0323\u0307", "e o x q"),
        ("Tiếng Việt", "Tieng Viet"),
        ("Straße GROẞ Æsop læs Œuvre cœur", "Strasse GROSS AEsop laes OEuvre coeur"),
        ("Øre øl Łódź đak Þór þat ð ħ ı ŋ", "Ore ol Lodz dak Thor that d h i ng"),
        ("ǿ ǽ", "o ae"),
        ("€5 £6 7¢ 3×4÷2 ±1", "EUR5 GBP6 7c 3x4/2 +/-1"),
        ("• one\n‣ two", "- one\n- two"),
        ("a ≤ b ≥ c ≠ d → e", "a <= b >= c != d -> e"),
        ("™ © ® № ㎏ Ⅳ ① µ", "TM (c) (R) No kg IV 1 u"),
        ("1\ufe0f\u20e3 ©\ufe0f", "1 (c)"),
        ("𝓗𝕖𝗅𝚕𝘰", "Hello"),
        ("a\r\nb\rc\u2028d\u2029e\vf\fg\x85h\n", "a\nb\nc\nd\ne\nf\ng\nh\n"),
        ("\tone\ttwo", "    one    two"),
        ("a\u00a0b\u2009c\u202fd\u3000e", "a b c d e"),
        ("\ufeffhy\u00adphen zero\u200bwidth\u2060 \u202dleft\u202c \x00\x07\x1b", None),
        ("ʼn ŉ ´ `", "'n 'n ' `"),
    ],
)
def test_what_is_written_instead(text, expected):
    written = transliterate(text, ASCII)
    assert written.text == (expected or "hyphen zerowidth left ")
    assert not written.left_out


def test_the_changes_are_told():
    written = transliterate("“a” ’’ cafe\u0301 a\u00a0b \u200bq\u0323", ASCII)
    assert written.text == "\"a\" '' cafe a b q"
    assert explain(written) == (
        'written as others: “ as ", ” as ", ’ as \', é as e, '
        "'\\xa0' (U+00A0 no-break space) as a space, "
        "'\\u200b' (U+200B zero width space) as nothing, "
        "'◌\u0323' (U+0323 combining dot below) as nothing"
    )


def test_what_is_left_out_is_named():
    written = transliterate("a😀b 👍🏽 ❤️ 中中 c\ud800 \U0010ffff\ue000日本語", ASCII)
    assert written.text == "ab c"
    assert written.left_out == [*"😀👍🏽❤中", "\ud800", "\U0010ffff", *"\ue000日本語"]
    said = explain(written)
    assert "; left out: '😀' (U+1F600), '👍' (U+1F44D), '🏽'" in said and said.endswith(" more")
    assert explain(transliterate("a\ud800", ASCII)) == "left out: '\\ud800' (U+D800)"
    said.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 😀 b", "a b"),
        ("a 😀 😀😀  b", "a b"),
        ("a😀 b c😀d", "a b cd"),
        ("a  b 😀c", "a  b c"),
        ("😀 a\n😀  b", "a\nb"),
        ("    😀 a 😀\nb 😀", "    a\nb"),
        ("a\n 😀 \n\n😀\nb", "a\n\n\n\nb"),
        ("a 😀\u200b b", "a b"),
    ],
)
def test_what_is_left_out_leaves_no_blanks(text, expected):
    assert transliterate(text, ASCII).text == expected


def test_right_to_left_script_is_named_as_such():
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
def test_nothing_to_write_is_an_error(text, message):
    with pytest.raises(UserError, match=message):
        transliterate(text, ASCII)


def test_a_known_text_stays_as_it_is():
    text = 'Plain text - "quoted" it\'s...\n    indented'
    assert transliterate(text, ASCII) == (text, {}, [])
    assert explain(transliterate(text, ASCII)) == ""
    own = "“é”—…\u00a0½\t中😀\u200cשx²"
    assert transliterate(own, own) == (own, {}, [])
    assert transliterate("e\u0301\r\n", "é") == ("é\n", {}, [])


@pytest.mark.parametrize(
    ("text", "known", "written"),
    [
        ("a’b", "ab’", ("a’b", {}, [])),
        ("a'b", "ab’", ("a’b", {"'": "’"}, [])),
        ("a’b", "ab", ("ab", {}, ["’"])),
        ("ß", ["s"], ("ss", {"ß": "ss"}, [])),
        ("aß€½", "aEU12", ("a", {}, ["ß", "€", "½"])),
        ("É a", "ae ", ("a", {}, ["É"])),
        ("a b\tc", "abc", ("abc", {}, [" ", "\t"])),
        ("1½", "12/", ("11/2", {"½": "1/2"}, [])),
        # In NFC these join to a character that is not known.
        ("\uff45\u0301", "e\u0301", ("e", {"\uff45": "e", "é": "e"}, [])),
        ("\u1100\u200b\u1161a", "\u1100\u1161a", ("a", {"\u200b": ""}, ["\uac00"])),
        ("\u1100\u200b\u1161", "\uac00a\u1100\u1161", ("\uac00", {"\u200b": ""}, [])),
    ],
)
def test_only_known_characters_are_written(text, known, written):
    assert transliterate(text, known) == written


def test_the_table_of_replacements_is_what_single_characters_are_written_as():
    table = replacements(frozenset("a1/2 "))
    assert table["½"] == "1/2" and table["ä"] == "a" and not {"a", "😀", "\u0302"} & {*table}
    written = {other: transliterate(f"a{other}", "a1/2 ").text for other in table}
    assert written == {other: f"a{sign}" for other, sign in table.items()}


def test_random_unicode_is_written_or_named():
    chance = random.Random(11)
    pools = [
        lambda: chr(chance.randrange(0x110000)),
        lambda: chr(chance.randrange(0x3000)),
        lambda: chance.choice(
            "e\u0301\u0327\u200d\ufe0f\U0001f469\U0001f3fd\U0001f1e9\u1100\u1161 "
        ),
        lambda: chance.choice(string.printable),
    ]
    alphabets = [ASCII, Alphabet("ae \u0301\u0327\u1100\u1161"), frozenset("é…👩"), "abc"]
    for _ in range(400):
        text = "".join(chance.choice(pools)() for _ in range(chance.randrange(60)))
        known = chance.choice(alphabets)
        try:
            written = transliterate(text, known)
        except UserError as error:
            assert str(error).startswith("there is nothing to write: ")
            continue
        assert all(one == "\n" or one in known for one in written.text)
        assert unicodedata.normalize("NFC", written.text) == written.text
        if isinstance(known, Alphabet):
            for line in written.text.split("\n"):
                known.encode(line)
        explain(written).encode()
        again = transliterate(written.text, known)
        assert again == (written.text, {}, [])


def upper(text):
    if text != text.strip() or not text.isalpha():
        raise UserError(f"{text!r}: letters are accepted")
    return text.upper()


KEYS = {"size": float, "colour": upper}


def read(text):
    """Lines with their front matter, whose size is at most 9."""

    def check(values):
        if values.get("size", 0) > 9:
            raise UserError(f"size {values['size']:g}: too large")

    return with_front_matter(text.split("\n"), "x", KEYS, check)


def test_front_matter_stands_for_what_follows_up_to_the_next():
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
        "a\n---\n\nb\n\n---\n",
        "a\n---\nb\nc",
        "---\nb: c\n\n---\nd",
        "--- \n\nsize: 3",
        " ---\nsize: 3\n ---",
        "----\nsize: 3\n----",
        "a --- b",
        "---\nsize\ncolour",
    ],
)
def test_other_lines_of_dashes_are_text(text):
    assert read(text) == [({}, line) for line in text.split("\n")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\n---\nsize 3\n---", "x, line 4: 'size 3' is not a line of front matter, `key"),
        ("---\na\n---\nb\n---", "x, line 2: 'a' is not a line of front matter"),
        ("---\nsize: 3\ncolourr: a\n---", "x, line 3: no key 'colourr'; did you"),
        ("---\ncolour:\n---", "x, line 2: colour: '': letters are accepted"),
        ("a\n---\nsize: 3\nb\n\n---", "x, line 2: no line --- ends this front matter; for ---"),
        ("---\ncolor: red", "x, line 1: no line --- ends"),
        ("a\n---\nsize: 12\n---", "x, line 2: size 12: too large"),
        (
            "---\ncolour: 3\nb\nsize: 9.5\n---\na\n\n---\nsize: 4\nDear",
            "x: 4 faults\n  line 1: size 9.5: too large\n  line 2: colour: '3': letters are "
            "accepted\n  line 3: 'b' is not a line of front matter, `key: value`; for --- as "
            "text, put an empty line behind it\n  line 8: no line --- ends this front matter",
        ),
    ],
)
def test_faults_are_named_with_their_line(text, message):
    with pytest.raises(UserError) as raised:
        read(text)
    assert message in str(raised.value)
