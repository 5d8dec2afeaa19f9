"""Characters that nobody in a bank wrote, bent to a hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from base.base_dataset import BaseDataset, Loaded
from data_loader.pen_paths import mean_step, to_ink, to_strokes
from data_loader.synthetic.composed.drawn_characters import DIGIT_HEIGHTS, Drawer
from ink import measures
from ink.geometry import from_strokes
from ink.sample import Sample

SHAPES = {
    "1": [[(3, y) for y in range(40)]],
    "7": [[(x, 0) for x in range(0, 22, 2)] + [(20 - y / 2, y) for y in range(40)], [(5, 20)]],
    "12": [[(0, 0), (9, 9)]],
    "x": [[(0, 0), (9, 9)]],
}


class Digits(BaseDataset):
    """Samples by two writers, the one's twice as wide; and some that are no digits."""

    def load(self, splits=("train",)):
        samples = []
        for text, shape in SHAPES.items():
            for writer, wide in (("a", 1.0), ("a", 1.0), ("b", 2.0), ("b", 2.0)):
                ink = from_strokes([np.array(stroke) * (wide, 1) for stroke in shape])
                samples.append(Sample(ink, text, writer=writer))
        return Loaded({"train": samples}, "digits")


def hand(slant=0.0, tall=1.6, width=0.8, step=0.1):
    return SimpleNamespace(slant=slant, tall_height=tall, width=width, mean_step=step)


def vertical(piece):
    """Whether it is the recorded 1: those of fonts tremble."""
    return len(to_strokes(piece.path)) == 1 and (piece.path[:, 0] < 1e-9).all()


def test_digits_are_recorded_digits_in_the_height_of_the_capitals_of_the_hand():
    drawer = Drawer(Digits().load().split("train"))
    assert drawer("é", hand(), 3, np.random.default_rng(0)) is None
    for tall in (1.2, 2.5):
        to = hand(tall=tall, step=0.15)
        drawn = [drawer("1", to, way, np.random.default_rng(way)) for way in range(40)]
        recorded = [piece for piece in drawn if vertical(piece)]
        assert 18 <= len(recorded) <= 37  # 0.7 of 40; outside with a chance of 1 in 1,000
        high = [-piece.path[:, 1].min() for piece in recorded]
        assert tall * DIGIT_HEIGHTS[0] - 1e-9 <= min(high) < max(high) <= tall * DIGIT_HEIGHTS[1]
        for piece in recorded:
            assert piece.text == "1" and not (piece.cut_before or piece.cut_after)
            assert piece.path[:, 1].max() == 0
            step = np.abs(np.diff(piece.path[:, 1]))
            assert step.mean() == pytest.approx(0.15, rel=0.17)


@pytest.mark.parametrize("slant", [-0.3, 0.0, 0.4])
@pytest.mark.parametrize("tall", [1.4, 2.0])
def test_letters_of_stroke_fonts_get_the_slant_height_and_speed_of_the_hand(slant, tall):
    drawer = Drawer()
    lean = []
    high = []
    small = []
    speeds = []
    edges = []
    for way in range(12):
        for letter in "HNTEacenou":
            to = hand(slant=slant, tall=tall, step=0.12)
            piece = drawer(letter, to, way, np.random.default_rng(way))
            ink = to_ink(piece.path)
            assert piece.text == letter and piece.path[-1, 2]
            assert piece.path[:, 0].min() == pytest.approx(0, abs=0.03)
            if letter in "HNTE":
                lean.append(measures.median_lean(ink))
                high.append(-piece.path[:, 1].min())
            else:
                small.append(-piece.path[:, 1].min())
            edges.append(piece.path[:, 1].max())
            speeds.append(mean_step(piece.path))
    assert np.median(lean) == pytest.approx(slant, abs=0.05)
    assert np.median(high) == pytest.approx(tall, rel=0.06)
    assert np.median(small) == pytest.approx(1.0, rel=0.06)
    assert np.median(edges) == pytest.approx(0.0, abs=0.06)
    assert np.median(speeds) == pytest.approx(0.12, rel=0.15)
