"""Names of the forms of letters, and how often hands have them."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.letter_forms import Letter, counts_of, form, print_forms
from data_loader.composed.cutting import LIFT, CutLine
from data_loader.paths import from_strokes
from tests.benchmarks.scripts import refused

RING = [(0.8, -0.9), (0.4, -1), (0, -0.5), (0.4, 0), (0.8, -0.4)]
SEVEN = [(0, -1.8), (1, -1.8), (0.4, 0)]
STEM = [(0.4, -1.6), (0.4, 0)]
BAR = [(0.1, -1), (0.8, -1)]
ZED = [(0, -1), (0.8, -1), (0, 0), (0.8, 0)]


def path_of(*strokes):
    """Return the path of strokes that are given by their corners."""
    places = [np.linspace(0, len(stroke) - 1, 20 * len(stroke)) for stroke in strokes]
    dense = [
        np.column_stack(
            [np.interp(place, range(len(stroke)), axis) for axis in np.transpose(stroke)]
        )
        for stroke, place in zip(strokes, places, strict=True)
    ]
    return from_strokes(dense)


@pytest.mark.parametrize(
    ("character", "strokes", "expected"),
    [
        ("a", [[*RING, (0.8, -1), (0.8, 0)]], "one-storey"),
        ("a", [[(0, -0.9), (0.5, -1), (0.9, -0.8), (0.8, 0), (0.2, 0), (0, -0.3), (0.3, -0.55),
                (0.85, -0.5)]], "two-storey"),
        ("g", [[*RING, (0.8, -1), (0.8, 0.9), (0, 0.8)]], "hanging"),
        ("g", [[*RING, (0.8, -1), (0.8, 0.9), (0, 0.8), (0.62, 0.5)]], "hanging"),
        ("g", [[*RING, (0.8, -1), (0.8, 0.9), (0.2, 0.8), (1.2, -0.2)]], "looped"),
        ("r", [[(0, -1), (0, 0), (0, -0.8), (0.5, -1)]], "stem"),
        ("r", [[(0, -1), (0.3, 0), (0.7, -1)]], "v"),
        ("s", [[(0.6, -0.9), (0.1, -0.7), (0.6, -0.3), (0, 0)]], "plain"),
        ("s", [[(0, 0), (0.5, -1), (0.6, -0.2), (0.1, 0)]], "upstroke"),
        ("t", [STEM, BAR], "straight"),
        ("t", [[*STEM, (0.8, -0.1)], BAR], "curved"),
        ("t", [STEM], None),
        ("f", [[(0.7, -1.7), (0.4, -1.8), (0.4, 0)], BAR], "standing"),
        ("f", [[(0.7, -1.7), (0.4, -1.8), (0.4, 0.8)], BAR], "hanging"),
        ("k", [[(0, -1.8), (0, 0)], [(0.7, -1), (0, -0.4), (0.7, 0)]], "two strokes"),
        ("k", [[(0, -1.8), (0, 0), (0, -0.5), (0.6, -1), (0.1, -0.5), (0.7, 0)]], "one stroke"),
        ("z", [ZED], "plain"),
        ("z", [ZED, [(0.1, -0.5), (0.7, -0.5)]], "barred"),
        ("z", [[*ZED, (0.6, 0.8), (0, 0.7)]], "hanging"),
        ("1", [STEM], "bare"),
        ("1", [[(0, -1.1), *STEM]], "flag"),
        ("4", [[(0, -1.8), (0, -0.7), (1, -0.7)], [(0.8, -1.8), (0.8, 0)]], "open"),
        ("4", [[(0.8, -1.8), (0, -0.6), (1.1, -0.6)], [(0.8, -1.8), (0.8, 0)]], "closed"),
        ("7", [SEVEN], "bare"),
        ("7", [SEVEN, [(0.3, -0.9), (1, -0.9)]], "crossed"),
    ],
)  # fmt: skip
def test_form_is_named_when_a_letter_is_drawn(character, strokes, expected):
    assert form(character, Letter.of(path_of(*strokes))) == expected


def test_hand_has_the_forms_of_its_letters_when_its_lines_are_counted():
    path = path_of(SEVEN, [(0.3, -0.9), (1, -0.9)])
    usable, no = np.array([True]), np.array([False])
    line = CutLine("7", path, np.zeros(len(path), int), np.array([LIFT]), usable, no, 1.0)
    assert counts_of([line, line]) == {"7": {"crossed": 2}}


def test_table_has_forms_and_constancy_when_hands_are_printed(capsys):
    hands = [{"7": Counter(crossed=3, bare=1)}, {"7": Counter(bare=4)}, {"7": Counter(bare=1)}]
    print_forms([{letter: Counter() for letter in "agrstfkz14"} | hand for hand in hands])
    assert "7       2      0.88      2: crossed 1, bare 1" in capsys.readouterr().out


def test_network_without_hand_vectors_is_refused(checkpoints, capsys):
    message = refused(capsys, "letter_forms", "-r", checkpoints["SynthesisNetwork"])
    assert "is told no hand: name a network that is, such as writer" in message
