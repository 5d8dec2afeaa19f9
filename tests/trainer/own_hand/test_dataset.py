"""Lines of one person, brought to a network's units."""

import json

import numpy as np
import pytest

from data_loader.sources.ink_files import mean_step
from data_loader.synthetic.embedded import EmbeddedDataset
from data_loader.transforms.shaping import ResampleTime
from trainer.own_hand.dataset import HELD_OUT, Fitted, HandDataset, to_network_units
from utils.checks import DataError
from utils.hand_measures import baseline_angle
from utils.ink import strokes, x_height


@pytest.fixture(scope="module")
def lines():
    """Lines of one invented writer: ink and text."""
    source = EmbeddedDataset(seed=4, size=24, valid_size=1, test_size=1, writers=1)
    source.prepare()
    return [(source.ink(k), source.text(k)) for k in source.indices("train").tolist()]


def saved(path, lines):
    values = [
        {"text": text, "strokes": [one.tolist() for one in strokes(ink)]} for ink, text in lines
    ]
    path.write_text(json.dumps(values))
    return str(path)


def ready(root, **options):
    source = HandDataset(root=root, x_height=100.0, step=20.0, **options)
    source.prepare()
    return source


def test_few_lines_are_repeated_and_none_is_held_out(tmp_path, lines):
    source = ready(saved(tmp_path / "hand.json", lines[:5]), size=12)
    splits = source.split_indices()
    assert len(splits["train"]) == 12 and splits["valid"].tolist() == [0, 1, 2, 3, 4]
    texts = [source.text(k) for k in splits["train"].tolist()]
    assert sorted(texts) == sorted([text for _, text in lines[:5]] * 2 + texts[10:])
    assert len({source.name(k) for k in range(len(source))}) == len(source) == 12
    assert "none is held out" in source.report()


def test_of_twenty_lines_a_tenth_is_held_out_and_never_learned(tmp_path, lines):
    source = ready(saved(tmp_path / "hand.json", lines), size=40)
    splits = source.split_indices()
    held = {source.text(k) for k in splits["valid"].tolist()}
    assert len(splits["valid"]) == 2 and len(splits["train"]) == 40
    assert not held & {source.text(k) for k in splits["train"].tolist()}
    assert held <= {text for _, text in lines}


def test_a_line_with_a_point_far_off_is_left_out(tmp_path, lines):
    far = np.array([[0, 0, 0], [2, 9, 1], [1e9, 0, 0], [0, 1, 1]], dtype=np.float32)
    source = ready(saved(tmp_path / "hand.json", [*lines[:3], (far, "ab")]))
    assert source.own == [0, 1, 2]
    assert source.notes == ["left out: 1 with a point far off (hand.json:00003)"]


def test_new_lines_are_learned_and_not_validated_on(tmp_path, lines):
    source = HandDataset(root=saved(tmp_path / "hand.json", lines))
    ink = np.array([[0, 0, 0], [5, 5, 1]], dtype=np.float32)
    names = tuple(one.name for one in source.read())
    Fitted(names, 100.0, 20.0, [(ink, "abc")]).save(tmp_path / "practice.npz")
    source.fit(tmp_path / "a.pth", None, None, resumed=True)
    source.prepare()
    last = len(source) - 1
    assert source.text(last) == "abc" and np.array_equal(source.ink(last), ink)
    splits = source.split_indices()
    assert last in splits["train"] and last not in splits["valid"]
    assert "1 new ones" in source.report()


def test_lines_of_any_unit_and_rate_come_out_alike(lines):
    usual = to_network_units(lines, 100.0, 20.0)
    tilt = np.float32([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]])
    other = []
    for ink, text in lines:
        finer, _ = ResampleTime(period=0.5)(ink, np.zeros(len(ink), np.uint8), None)
        finer[:, :2] = 0.03 * finer[:, :2] @ tilt.T
        other.append((finer, text))
    for one, two, (_, text) in zip(usual, to_network_units(other, 100.0, 20.0), lines, strict=True):
        if len(text) >= 10:
            assert x_height(one) == pytest.approx(100, rel=0.06)  # measured before it is smoothed
        assert abs(baseline_angle(two, 4.0)) < 0.02
        assert x_height(two) == pytest.approx(x_height(one), rel=0.1)
        assert len(two) == pytest.approx(len(one), rel=0.1)
    steps = [mean_step(one) for one in usual]
    assert np.median(steps) == pytest.approx(20, rel=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:1], "1 line to learn a hand from: at least 3"),
        (lambda lines: lines[:2], "2 lines to learn"),
        (lambda lines: lines[:1] * 30, "1 line to learn a hand from; left out: 29 that are there"),
        (lambda lines: [(ink, " ") for ink, _ in lines], "none of 24 samples has a text"),
    ],
)
def test_too_little_is_refused(tmp_path, lines, change, message):
    with pytest.raises(DataError, match=message):
        ready(saved(tmp_path / "hand.json", change(lines)))


def test_a_text_that_is_there_too_often_is_said(tmp_path, lines):
    same = [(ink, "the same" if k < 4 else text) for k, (ink, text) in enumerate(lines[:6])]
    assert "4 of 6 lines say 'the same'" in ready(saved(tmp_path / "hand.json", same)).report()


def test_lines_are_held_out_from_the_number_on_that_is_stated(tmp_path, lines):
    held = [
        len(ready(saved(tmp_path / f"{count}.json", lines[:count])).held_out)
        for count in (HELD_OUT - 1, HELD_OUT)
    ]
    assert held == [0, 2]
