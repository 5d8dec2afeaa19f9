import numpy as np
import pytest

from data_loader import EmbeddedDataset, PhrasesDataset
from data_loader.synthetic.damage import LEAST, MOST, damaged, with_damage
from data_loader.synthetic.paths import from_strokes, to_strokes
from tests.data_loader.synthetic.test_phrases import HEIGHT, Pieces, made
from utils.alphabet import WRONG
from utils.ink import path_along

CROSS = [np.array([[0.0, 20.0], [30.0, 20.0]]), np.array([[15.0, 0.0], [15.0, 40.0]])]
RING = [np.column_stack([np.cos(t := np.linspace(0, 6.28, 60)), np.sin(t)]) * 20]


def length(strokes):
    return sum(path_along(stroke)[-1] for stroke in strokes)


def test_a_stroke_is_dropped_shifted_or_lacks_a_part():
    seen = set()
    for seed in range(60):
        strokes = to_strokes(damaged(from_strokes(CROSS), np.random.default_rng(seed)))
        share = length(strokes) / length(CROSS)
        if len(strokes) == 1:
            assert share in (pytest.approx(3 / 7), pytest.approx(4 / 7))
            seen.add("dropped")
        elif share == pytest.approx(1.0):
            moves = [np.hypot(*(a[0] - b[0])) for a, b in zip(strokes, CROSS, strict=True)]
            assert sorted(moves)[0] == 0 and 0.35 * 40 <= max(moves) <= 0.7 * 40
            seen.add("shifted")
        else:  # of the longer one
            assert 1 - 0.55 * 4 / 7 < share < 1 - 0.2 * 4 / 7
            seen.add("cut")
    assert seen == {"dropped", "shifted", "cut"}  # fails by 1 in 10^10


def test_a_loop_opens_and_a_bare_stroke_stays():
    for seed in range(20):
        strokes = to_strokes(damaged(from_strokes(RING), np.random.default_rng(seed)))
        assert len(strokes) in (1, 2) and 0.45 < length(strokes) / length(RING) < 0.8
    for bare in (CROSS[:1], [np.array([[3.0, 4.0]])]):
        assert damaged(from_strokes(bare), np.random.default_rng(0)) is None


def test_a_dot_is_neither_dropped_nor_shifted():
    letter = [
        np.array([[0.0, 0.0], [30.0, 40.0], [0.0, 40.0]]),
        np.array([[5.0, -9.0], [6.0, -9.0]]),
    ]
    assert not LEAST <= length(letter[1:]) / length(letter) <= MOST
    for seed in range(30):
        path = damaged(from_strokes(letter), np.random.default_rng(seed))
        assert (to_strokes(path)[-1] == letter[1]).all()


def test_one_letter_or_digit_of_a_text_is_damaged():
    paths = [from_strokes(CROSS), from_strokes(RING), from_strokes(CROSS[:1])]
    for seed in range(20):
        text, changed = with_damage("+o1", paths, np.random.default_rng(seed))
        assert text == f"+{WRONG}1"
        same = [np.array_equal(*pair) for pair in zip(paths, changed, strict=True)]
        assert same == [True, False, True]
    assert with_damage("+-1", paths, np.random.default_rng(0)) == ("+-1", paths)


def test_made_lines_have_their_share_of_damage_and_the_others_stay():
    sizes = {"size": 48, "valid_size": 8, "test_size": 1}
    plain, some = EmbeddedDataset(**sizes), EmbeddedDataset(**sizes, damaged=0.5)
    assert some.characters == plain.characters + WRONG
    pairs = zip(plain.load().used, some.load().used, strict=True)
    wrong = 0
    for one, other in pairs:
        if WRONG not in other.text:
            assert one.text == other.text
            continue
        wrong += 1
        assert other.name.startswith("train") and len(other.text) == len(one.text)
        assert sum(a != b for a, b in zip(one.text, other.text, strict=True)) == 1
    assert 10 <= wrong <= 38  # four standard deviations


class Crossed(Pieces):
    """All has a bar across, so that no digit is a bare stroke."""

    def lines(self):
        for text, parts, person in super().lines():
            yield text, [*parts, [(0.0, HEIGHT), (100.0, HEIGHT)]], person


def test_lines_of_characters_have_their_share_of_damage():
    for dataset, share in ((Crossed, 1.0), (Crossed, 0.0), (Pieces, 1.0)):
        options = {"size": 30, "characters_share": 1.0, "damaged": share}
        lines = made(PhrasesDataset(dataset=dataset(), seed=3, **options))
        counts = [line.text.count(WRONG) for line in lines]
        assert counts == [1 if dataset is Crossed and share else 0] * 30
