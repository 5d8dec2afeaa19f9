"""What a reader may read for a text: characters that nobody tells apart are spelt alike."""

import re
import unicodedata
from itertools import islice, product

from model.recognition.error_rates import normalised

ALIKE = ("'’‘`", '"“”„', "-–—", "lI|", "Bß")
"""Characters that nobody tells apart, each group spelt as its first."""
SPELT = str.maketrans({sign: group[0] for group in ALIKE for sign in group} | {"…": "..."})
BARE_I = ("l", "t", "k", "/")
"""What a reader takes an `I` for that is a bare stroke (lab notebook: the words of a page)."""
MAX_SPELLINGS = 8  # of a word: as many are read at once
UNSEEN = "."
"""Signs at the end of a word that a second reader overlooks though they are there (lab notebook: a
reader of pictures proofreads)."""


def spellings(text: str, bare: bool = False) -> list[str]:
    """Return how a recogniser may spell a text, where each `I` may be a `bare` stroke: IAM-OnDB has
    blanks before apostrophes."""
    several = {"'": ("'", " '"), "...": ("...", "…"), "\0": BARE_I}
    parts = re.split(r"('|\.\.\.|\0)", folded(text.replace("I", "\0") if bare else text))
    ways = [several.get(part, (part,)) for part in parts]
    return ["".join(way).strip() for way in islice(product(*ways), MAX_SPELLINGS)]


def folded(text: str) -> str:
    """Return a text with one character for all that are `ALIKE`."""
    return normalised(text).translate(SPELT).replace(" '", "'")


def without_accents(text: str) -> str:
    """Return a text without the kinds of its accents, which small writing hardly shows."""
    apart = unicodedata.normalize("NFD", folded(text))
    return "".join("\u0301" if unicodedata.combining(sign) else sign for sign in apart)


def without_context(text: str) -> str:
    """Return a text without what only its context tells, blanks within a word, whether a letter is
    a capital, and an `O` from a zero; and without what is `UNSEEN`."""
    return folded(text).replace(" ", "").casefold().replace("0", "o").rstrip(UNSEEN)
