import numpy as np
import pytest

from data_loader.synthetic.word_numbers import word_numbers
from utils.ink import from_strokes


def numbers(text, *edges):
    """Return the word of each of some level strokes from a left edge to a right one."""
    strokes = [np.array([(a, 0), ((a + b) / 2, 5), (b, 0)]) for a, b in edges]
    found = word_numbers(from_strokes(strokes), text)
    return None if found is None else found[::3].tolist()


# Gaps of 2 within the words, of 6 and 5 between them.
LINE = (0, 20), (22, 40), (46, 80), (82, 100), (105, 125)


@pytest.mark.parametrize(
    ("text", "edges", "words"),
    [
        ("four fours it", LINE, [0, 0, 1, 1, 2]),
        # In any unit, wherever it begins.
        ("four fours it", np.array(LINE) * 1000 + 5e5, [0, 0, 1, 1, 2]),
        ("four", LINE[:2], [0, 0]),
        # The bar of a t, and a dot to the left of the last word's first stroke.
        ("this will pass", [(0, 40), (50, 90), (100, 140), (15, 30), (97, 99)], [0, 1, 2, 0, 2]),
        # The third stroke touches the long first one; the second lies far before it.
        ("abcd ef", [(0, 10), (1, 2), (9, 12), (15, 21)], [0, 0, 0, 1]),
        ("four four more", [(0, 40), (46, 80), (84.5, 120)], [0, 1, 2]),
        # A gap of 4 within the second word is no narrower than the 4.5 / 1.3 that is asked for.
        ("four four more", [(0, 40), (46, 62), (66, 80), (84.5, 120)], None),
        ("four four more", [(0, 40), (46, 62), (65, 80), (84.5, 120)], [0, 1, 1, 2]),
        # More words than strokes, or words that touch or overlap.
        ("one two three", [(0, 40), (60, 100)], None),
        ("one two", [(0, 40), (40, 80)], None),
        ("one two", [(0, 40), (30, 80)], None),
        ("", [(0, 40)], None),
        # The first word would be the one at the right.
        ("\u05d0\u05d1\u05d2 \u05d3\u05d4\u05d5", [(0, 40), (60, 100)], None),
        # A dash of its own that touches its word, and a gap inside another word instead.
        ("confused, clear -", [(0, 40), (50, 70), (80, 170)], None),
        ("confused, clear -", [(0, 90), (100, 150), (160, 170)], [0, 1, 2]),
        # An i and an m may be half and twice as wide as others.
        ("i am so", [(0, 5), (20, 50), (65, 85)], [0, 1, 2]),
    ],
)
def test_words_lie_between_the_widest_gaps_or_are_not_guessed(text, edges, words):
    assert numbers(text, *edges) == words
