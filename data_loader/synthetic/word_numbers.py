"""The words of a line of ink."""

import unicodedata

import numpy as np

from utils.ink import strokes

CLEAR = 1.3
"""Least width of a gap between words over the widest within one (measured: with `SLACK`, 68 % of
the 5,355 lines of IAM-OnDB's `trainset` are cut, and of 250 pieces of `testset_f` that a recogniser
read none had lost or gained a word)."""
SLACK = (1.0, 0.25)
"""Widths of typical characters by which the width of a word may differ from as many of them as it
has: so many, and so many more for each character (assumed: an `i` is narrow, an `m` wide). Refuses
lines whose widest gap is inside a word, as before a last dash."""


def word_numbers(ink: np.ndarray, text: str) -> np.ndarray | None:
    """Return which word of its text each point of a line belongs to, `(points,)` from 0.

    A text of n words is cut at the n - 1 widest gaps of its line, seen from above, so that a dot
    or a bar set later belongs to the word it stands in.

    Args:
        ink: `(points, 3)`, a line from left to right, in any unit.
        text: its words, with blanks between them.

    Returns:
        None where the words are not clearly separated: where a gap between them is less than
        `CLEAR` times the widest within one, where a word is much wider or narrower than its
        characters (`SLACK`), or where a script runs from right to left.
    """
    parts = strokes(ink)
    lefts = np.array([part[:, 0].min() for part in parts])
    rights = np.array([part[:, 0].max() for part in parts])
    lengths = np.array([len(word) for word in text.split()])
    if not 0 < len(lengths) <= len(parts):
        return None
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return None
    order = np.argsort(lefts)
    gaps = lefts[order][1:] - np.maximum.accumulate(rights[order])[:-1]
    widest = np.argsort(-gaps)
    between, within = np.split(widest, [len(lengths) - 1])
    if (gaps[between] <= CLEAR * gaps[within].max(initial=0)).any():
        return None
    starts = np.sort(lefts[order][between + 1])
    word = np.searchsorted(starts, lefts, side="right")
    widths = np.array(
        [rights[word == n].max() - lefts[word == n].min() for n in range(len(lengths))]
    )
    typical = widths.sum() / lengths.sum()
    if (np.abs(widths - lengths * typical) > (SLACK[0] + SLACK[1] * lengths) * typical).any():
        return None
    return np.repeat(word, [len(part) for part in parts])
