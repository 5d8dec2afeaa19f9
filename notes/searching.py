"""Words are looked for in what was read, and in what else it may be, approximately."""

from collections.abc import Iterator
from typing import NamedTuple

from rapidfuzz.distance import OSA

from notes.page_text import Note, PageRow, PageWord

EDITS = ((8, 2), (5, 1))
"""Letters of what is looked for, at least, and the edits that an unsure word may be away (measured
on testset_v, lab notebook: sure words)."""


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
    wanted = [plain(word) for word in query.split()]
    for page, (_, text) in enumerate(note.pages, 1):
        for number, row in enumerate(text.rows, 1):
            for start in range(len(row.words) - len(wanted) + 1):
                words = row.words[start : start + len(wanted)]
                if all(map(is_near, wanted, words)):
                    yield Hit(page, number, start + 1, row, min(w.confidence for w in words))


def is_near(wanted: str, word: PageWord) -> bool:
    """Return whether a word is what is looked for, in lower case and without marks around it; or,
    where it is unsure, whether it may be: by another reading, or but for some edits."""
    text = plain(word.text)
    if text == wanted or word.is_sure:
        return text == wanted
    edits = next((edits for length, edits in EDITS if len(wanted) >= length), 0)
    is_close = OSA.distance(wanted, text, score_cutoff=edits) <= edits
    return is_close or wanted in map(plain, word.alternatives)


def plain(word: str) -> str:
    """Return a word in lower case, without marks around it."""
    kept = [n for n, one in enumerate(word) if one.isalnum()]
    return word[kept[0] : kept[-1] + 1].casefold() if kept else word.casefold()
