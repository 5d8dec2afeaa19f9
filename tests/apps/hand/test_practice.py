"""Lines composed for a hand: whose letters they have, what is left out."""

from types import SimpleNamespace

import numpy as np
import pytest

from apps.hand import practice
from data_loader.pen_paths import to_strokes
from ink.geometry import strokes, to_points
from tests.data_loader.synthetic.composed.recorded import Recorded

pytestmark = pytest.mark.slow

KNOWN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,'")


@pytest.fixture(scope="module")
def forms():
    """The lines of each hand, cut into characters."""
    return {form: hand.lines for form, hand in Recorded(lines=8).hands().items()}


def reading(change=lambda number, text: text):
    """A recogniser that reads the texts of ten lines, or three times ten, one after the other."""
    left = iter(enumerate(practice.sample_texts(practice.CANDIDATES_PER_LINE * 10, KNOWN, 1)))
    return SimpleNamespace(read_lines=lambda inks: [change(*next(left)) for _ in inks])


def composed(forms, reader, count=10, lent="leaning"):
    return practice.compose_lines(forms["plain"], forms.get(lent, ()), reader, KNOWN, count, 1)


def test_composed_lines_consist_of_strokes_of_the_hand(forms):
    """A stroke of a composed line is one of the hand's, moved, where no letter was joined or lent:
    this hand and its lender write in print, and the lender leans."""
    numbered = enumerate(composed(forms, reading()))
    lines = [line for number, line in numbered if number % practice.CONTINUE_EVERY]
    height = float(np.median([line.height for line in forms["plain"]]))

    def shapes(parts):
        return {np.round(part - part[0], 2).tobytes() for part in parts if len(part) > 3}

    written = [shapes([part / height for part in strokes(ink)]) for ink, _ in lines]

    def shared(form):
        own = set().union(*(shapes(to_strokes(line.path)) for line in forms[form]))
        return sum(len(shape & own) for shape in written) / sum(map(len, written))

    assert len(lines) == 7 and shared("plain") > 0.6 and shared("wide") < 0.1


def test_every_fourth_composed_line_begins_with_a_recorded_line(forms):
    lines, said = composed(forms, reading()), practice.sample_texts(10, KNOWN, 1)
    for number, ((ink, text), alone) in enumerate(zip(lines, said, strict=True)):
        if number % practice.CONTINUE_EVERY:
            assert text == alone
            continue
        line = forms["plain"][number // practice.CONTINUE_EVERY]
        assert text == f"{line.text} {alone}"
        height = float(np.median([recorded.height for recorded in forms["plain"]]))
        points = to_points(ink)[: len(line.path)] / height
        np.testing.assert_allclose(points - points[0], (line.path - line.path[0])[:, :2], atol=1e-4)
        rest = to_points(ink)[len(line.path) :, 0] / height
        assert rest.min() > (points[:, 0]).max() + 0.2


def test_misread_lines_are_left_out_and_further_texts_tried(forms):
    def odd_ones_wrong(number, text):
        return text if number % 2 else "#" * len(text)

    said = practice.sample_texts(30, KNOWN, 1)
    lines = composed(forms, reading(odd_ones_wrong))
    expected = [said[number] for number in range(1, 20, 2)]
    assert [text for _, text in lines] == expected
    assert composed(forms, reading(lambda number, text: "")) == []


def test_no_line_is_composed_without_lines_of_the_hand_that_can_be_cut(forms):
    assert practice.compose_lines([], forms["plain"], None, KNOWN, 10, 1) == []
    assert practice.compose_lines(forms["plain"], [], None, KNOWN, 0, 1) == []
    # Without lent letters all that the hand lacks is drawn.
    assert len(composed(forms, reading(), lent="none")) == 10
