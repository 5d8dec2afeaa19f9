"""Where a text may not be broken into rows, and where its words may be divided.

A no-break blank keeps two words in one row; a soft hyphen is a place at which a word may be
divided. A text may have both, and gets more of them here.
"""

import json
import re
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from utils.checks import UserError, nearest, short

NO_BREAK = "\N{NO-BREAK SPACE}"
SOFT_HYPHEN = "\N{SOFT HYPHEN}"
BLANKS = f" {NO_BREAK}"
OTHER_BLANKS = str.maketrans(dict.fromkeys("\N{FIGURE SPACE}\N{NARROW NO-BREAK SPACE}", NO_BREAK))
"""Other blanks at which no row ends; all of them are as wide as a blank here."""
_WORDS = json.loads(Path(__file__).with_name("row_breaks.json").read_text("utf-8"))
AFTER_NUMBERS = frozenset(_WORDS["after_numbers"])
BEFORE_NUMBERS = frozenset(_WORDS["before_numbers"])
MONTHS = frozenset(_WORDS["months"])
DASHES = ("-", "–", "—")
SIGNS_BEHIND = ".,;:!?)"  # signs behind a word that belong to its sentence
DAY = re.compile(r"\(?\d{1,2}(\.|st|nd|rd|th|er|º)?")
DAY_OR_YEAR = re.compile(r"\d{1,2}(st|nd|rd|th)?|\d{4}")
INITIALS = re.compile(r"\(?([^\W\d_]\.-?)+")
DIGIT_GROUPS = re.compile(r"(?<!\S)[+(]?\d[\d()/-]*(?: [\d(][\d()/-]*)+(?![^\s.,;:!?)])")
"""Groups of digits with blanks between them."""
MIN_PHONE = 7  # least digits of a telephone number (assumed)
MAX_PHONE = 15  # most digits of a telephone number (E.164)
MIN_DIVISIBLE = 8  # least letters of a word that is divided by the rules of its language (assumed)
MIN_BEFORE = 2  # least letters before a hyphen (Duden, Chicago)
MIN_BEHIND = 3  # least letters behind a hyphen (Duden, Chicago)
DIVISIBLE_WORD = re.compile(rf"[^\W\d_]{{{MIN_DIVISIBLE},}}")


def with_no_breaks(text: str) -> str:
    """Return a text with no-break blanks between words that belong together: dates, the groups of a
    number, a number and its unit or sign, initials and the name, a word and the dash behind it."""
    text = DIGIT_GROUPS.sub(_joined_groups, text)
    parts = re.split(f"([{BLANKS}]+)", text)
    for number in range(1, len(parts) - 1, 2):  # Words and blanks come in turn.
        if _belong_together(parts[number - 1], parts[number + 1]):
            parts[number] = NO_BREAK + parts[number][1:]
    return "".join(parts)


def _joined_groups(run: re.Match[str]) -> str:
    return run[0].replace(" ", NO_BREAK) if _is_number(run[0]) else run[0]


def _is_number(run: str) -> bool:
    """Return whether groups of digits are one number: of a telephone, or with thousands apart."""
    first, *others = run.split(" ")
    num_digits = sum(map(str.isdigit, run))
    is_phone = run[0] in "+(0" or any(len(group) in (3, 4) for group in others[-1:])
    are_thousands = len(first) <= 3 and all(len(group) == 3 for group in others)
    return are_thousands or (is_phone and MIN_PHONE <= num_digits <= MAX_PHONE)


def _belong_together(left: str, right: str) -> bool:
    if not left or not right:
        return False
    bare = right.rstrip(SIGNS_BEHIND)
    is_number = right[0].isdigit()
    return (
        (left[-1].isdigit() and bare in AFTER_NUMBERS)
        or (is_number and left.lstrip("(") in BEFORE_NUMBERS)
        or (bool(DAY.fullmatch(left)) and (bare in MONTHS or f"{bare}." in MONTHS))
        or (left in MONTHS and bool(DAY_OR_YEAR.fullmatch(bare)))
        or (bool(INITIALS.fullmatch(left)) and left.isupper() and right[0].isupper())
        or (right in DASHES and left not in DASHES)
    )


def with_soft_hyphens(text: str, language: str | None) -> str:
    """Return a text with soft hyphens in its long words, as a language divides them; None for no
    language. Words that have soft hyphens keep these alone."""
    if language is None:
        return text
    words = text.split(" ")
    for number, word in enumerate(words):
        if SOFT_HYPHEN not in word:
            words[number] = DIVISIBLE_WORD.sub(lambda match: _divided(match[0], language), word)
    return " ".join(words)


def _divided(word: str, language: str) -> str:
    places = _dictionary(language).positions(word)
    places = [place for place in places if MIN_BEFORE <= place <= len(word) - MIN_BEHIND]
    parts = [word[start:end] for start, end in pairwise([0, *places, len(word)])]
    return SOFT_HYPHEN.join(parts)


def parse_language(text: str) -> str:
    """Parse the code of a language, such as `de` or `en-GB`: return it as pyphen has it.

    Raises:
        UserError: if there is no such language, or pyphen is missing.
    """
    if not find_spec("pyphen"):
        raise UserError(
            "words are divided by pyphen, which is missing: python -m pip install pyphen"
        )
    from pyphen import LANGUAGES, language_fallback

    language = language_fallback(text)
    if language is None:
        near = nearest(text, LANGUAGES)
        hint = f"; did you mean {' or '.join(near)}?" if near else ", such as de, en_GB or fr"
        raise UserError(f"{short(text)}: the code of a language that pyphen divides{hint}")
    return language


@cache
def _dictionary(language: str) -> Any:
    from pyphen import Pyphen

    return Pyphen(lang=language)
