import numpy as np
import pytest

from data_loader import EmbeddedDataset
from data_loader.pen_paths import from_strokes, to_strokes
from data_loader.synthetic.invented.damage import damaged, with_damage
from ink.alphabet import WRONG
from ink.geometry import path_along

CROSS = [np.array([[0.0, 20.0], [30.0, 20.0]]), np.array([[15.0, 0.0], [15.0, 40.0]])]
RING = [np.column_stack([np.cos(t := np.linspace(0, 6.28, 60)), np.sin(t)]) * 20]
BARE = [CROSS[:1], [np.array([[3.0, 4.0]])]]


def length(strokes):
    return sum(path_along(stroke)[-1] for stroke in strokes)


def test_a_stroke_is_dropped_shifted_or_lacks_a_part():
    seen = set()
    for seed in range(60):
        generator = np.random.default_rng(seed)
        strokes = to_strokes(damaged(from_strokes(CROSS), generator))
        share = length(strokes) / length(CROSS)
        if len(strokes) == 1:
            assert share in (pytest.approx(3 / 7), pytest.approx(4 / 7))
            seen.add("dropped")
        elif share == pytest.approx(1.0):
            moves = [np.hypot(*(a[0] - b[0])) for a, b in zip(strokes, CROSS, strict=True)]
            assert min(moves) == 0 and 0.35 * 40 <= max(moves) <= 0.7 * 40
            seen.add("shifted")
        else:  # of the longer one
            assert 1 - 0.52 * 4 / 7 < share < 1 - 0.23 * 4 / 7
            seen.add("cut")
        opened = to_strokes(damaged(from_strokes(RING), generator))
        assert len(opened) in (1, 2) and 0.48 < length(opened) / length(RING) < 0.77
        assert all(damaged(from_strokes(bare), generator) is None for bare in BARE)
    assert seen == {"dropped", "shifted", "cut"}  # fails by 1 in 10^10


def test_a_single_letter_or_digit_of_a_text_is_damaged():
    paths = list(map(from_strokes, (CROSS, RING, BARE[0])))
    text, changed = with_damage("+o1", paths, np.random.default_rng(0))
    assert text == f"+{WRONG}1"
    same = [np.array_equal(*pair) for pair in zip(paths, changed, strict=True)]
    assert same == [True, False, True]
    assert with_damage("+-1", paths, np.random.default_rng(0)) == ("+-1", paths)


def test_a_fraction_of_the_training_lines_is_damaged_and_other_lines_stay():
    sizes = {"size": 48, "valid_size": 8, "test_size": 1}
    plain, some = EmbeddedDataset(**sizes), EmbeddedDataset(**sizes, damaged=0.5)
    assert some.characters == plain.characters + WRONG
    wrong = 0
    for plain_line, other in zip(plain.load().used, some.load().used, strict=True):
        differ = [b for a, b in zip(plain_line.text, other.text, strict=True) if a != b]
        assert differ == [WRONG] * (WRONG in other.text) and len(differ) <= (
            "train" in plain_line.name
        )
        wrong += len(differ)
    assert 10 <= wrong <= 38  # four standard deviations
