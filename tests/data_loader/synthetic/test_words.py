import numpy as np

from data_loader.synthetic.words import word_numbers
from utils.ink import from_strokes


def bars(*edges):
    """Return the ink of a level stroke of three points from each left edge to each right one."""
    return from_strokes([np.array([(a, 0), ((a + b) / 2, 5), (b, 0)]) for a, b in edges])


def numbers(text, *edges):
    """Return the word of each stroke of `bars`."""
    found = word_numbers(bars(*edges), text)
    return None if found is None else found.reshape(-1, 3).T.tolist()


def test_words_lie_between_the_widest_gaps():
    # Gaps of 2 within the words, of 6 and 5 between them.
    line = (0, 20), (22, 40), (46, 80), (82, 100), (105, 125)
    assert numbers("four fours it", *line) == [[0, 0, 1, 1, 2]] * 3
    # In any unit, wherever it begins.
    thousandfold = (np.array(line) * 1000 + 5e5).tolist()
    assert numbers("four fours it", *thousandfold) == [[0, 0, 1, 1, 2]] * 3
    assert numbers("four", (0, 20), (22, 40)) == [[0, 0]] * 3


def test_what_is_set_later_belongs_where_it_stands():
    # The bar of a t, and a dot to the left of the last word's first stroke.
    line = (0, 40), (50, 90), (100, 140), (15, 30), (97, 99)
    assert numbers("this will pass", *line) == [[0, 1, 2, 0, 2]] * 3


def test_words_that_do_not_stand_apart_are_not_guessed():
    apart = (0, 40), (46, 80), (84.5, 120)
    assert numbers("four four more", *apart) is not None
    # A gap of 4 within the second word is no narrower than the 4.5 / 1.3 that is asked for.
    assert numbers("four four more", (0, 40), (46, 62), (66, 80), (84.5, 120)) is None
    assert numbers("four four more", (0, 40), (46, 62), (65, 80), (84.5, 120)) is not None
    # More words than strokes, or words that touch or overlap.
    assert numbers("one two three", (0, 40), (60, 100)) is None
    assert numbers("one two", (0, 40), (40, 80)) is None
    assert numbers("one two", (0, 40), (30, 80)) is None
    assert numbers("", (0, 40)) is None
    # The first word would be the one at the right.
    assert numbers("\u05d0\u05d1\u05d2 \u05d3\u05d4\u05d5", (0, 40), (60, 100)) is None


def test_a_word_is_about_as_wide_as_its_characters():
    # A dash of its own that touches its word, and a gap inside another word instead.
    assert numbers("confused, clear -", (0, 40), (50, 70), (80, 170)) is None
    assert numbers("confused, clear -", (0, 90), (100, 150), (160, 170)) is not None
    # An i and an m may be half and twice as wide as others.
    assert numbers("i am so", (0, 5), (20, 50), (65, 85)) is not None


def test_a_gap_is_to_all_that_was_written_before():
    """The third stroke touches the long first one; it is the second that lies far before it."""
    assert numbers("abcd ef", (0, 10), (1, 2), (9, 12), (15, 21)) == [[0, 0, 0, 1]] * 3
