"""Words are looked for in what was read, and in what else it may be, approximately."""

from collections.abc import Iterator
from typing import NamedTuple

from rapidfuzz.distance import OSA

from notes.page_text import Note, PageRow, PageWord

EDITS = ((7, 2), (4, 1))
"""Letters of a word, at least, and the edits that it may be away (measured, lab notebook: sure
words)."""


class Hit(NamedTuple):
    """Words that were found: numbers of the page, the row and the first word, from 1; the row; and
    the confidence of the least sure word."""

    page: int
    number: int
    word: int
    row: PageRow
    confidence: float


def search(query: str, note: Note) -> Iterator[Hit]:
    """Yield where the words of a query stand side by side in a row, in any case."""
    wanted = [_plain(word) for word in query.split()]
    for page, (_, text) in enumerate(note.pages, 1):
        for number, row in enumerate(text.rows, 1):
            for start in range(len(row.words) - len(wanted) + 1):
                words = row.words[start : start + len(wanted)]
                if all(map(_is_near, wanted, words)):
                    yield Hit(page, number, start + 1, row, min(w.confidence for w in words))


def _is_near(wanted: str, word: PageWord) -> bool:
    """Return whether a word or another reading of it is what is looked for, but for some edits."""
    edits = next((edits for length, edits in EDITS if len(wanted) >= length), 0)
    readings = map(_plain, (word.text, *word.alternatives))
    return any(OSA.distance(wanted, one, score_cutoff=edits) <= edits for one in readings)


def _plain(word: str) -> str:
    """Return a word in lower case, without marks around it."""
    kept = [n for n, one in enumerate(word) if one.isalnum()]
    return word[kept[0] : kept[-1] + 1].casefold() if kept else word.casefold()
