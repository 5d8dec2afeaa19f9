"""Lines of one person: which are used, brought to a network's units, learned and held out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from apps.hand.dataset import (
    MIN_LINES_TO_HOLD_OUT,
    PRACTICE_FILE,
    HandDataset,
    save_practice,
    to_network_units,
)
from base.base_dataset import InitialNetwork, mapped
from data_loader.synthetic.invented.font_writers import EmbeddedDataset
from data_loader.transforms.shaping import ResampleTime
from ink.geometry import strokes, x_height
from ink.measures import baseline_angle, levelled
from ink.resampling import mean_step
from ink.sample import Sample
from model.recognition.hand_descriptor import HandDescriptor
from tests.data_loader import ink_formats
from utils.checks import DataError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lines():
    """Lines of one invented writer: ink and text."""
    source = EmbeddedDataset(seed=4, size=24, valid_size=1, test_size=1, writers=1)
    return [(line.ink, line.text) for line in source.load(["train"]).split("train")]


@pytest.fixture
def hand(tmp_path):
    """A dataset of lines, in units of a network."""

    def dataset_of(lines, **options):
        path = tmp_path / "hand.json"
        path.write_bytes(ink_formats.own([(text, strokes(ink)) for ink, text in lines]))
        return HandDataset(root=str(path), x_height=100.0, step=20.0, **options)

    return dataset_of


def resumed(source, folder):
    """Return what a run in a folder learns when it is resumed."""
    origin = InitialNetwork(folder / "a.pth", torch.device("cpu"), is_resumed=True)
    return replace(source, origin=origin).load()


def test_few_lines_are_repeated_and_no_line_is_held_out(hand, lines):
    loaded = hand(lines[:5], size=12).load()
    train = loaded.split("train")
    assert len(train) == 12 and [*loaded.split("valid")] == loaded.recorded == [*train[:5]]
    texts = [line.text for line in train]
    assert sorted(texts) == sorted([text for _, text in lines[:5]] * 2 + texts[10:])
    assert len({line.name for line in loaded.used}) == len(loaded.used) == 12
    assert "none is held out" in loaded.report
    assert list(hand(lines[:5]).load(["valid"]).samples) == ["valid"]


@pytest.mark.parametrize("count", [MIN_LINES_TO_HOLD_OUT - 1, MIN_LINES_TO_HOLD_OUT, 24])
def test_a_tenth_of_twenty_or_more_lines_is_held_out_and_never_learned(hand, lines, count):
    loaded = hand(lines[:count], size=40).load()
    assert len(loaded.held_out) == (count // 10 if count >= MIN_LINES_TO_HOLD_OUT else 0)
    held = {line.text for line in loaded.held_out}
    assert len(loaded.split("train")) == 40
    assert not held & {line.text for line in loaded.split("train")}
    assert held <= {text for _, text in lines}


def test_a_line_with_a_point_far_off_is_left_out(hand, lines, caplog):
    far = np.array([[0, 0, 0], [2, 9, 1], [1e9, 0, 0], [0, 1, 1]], dtype=np.float32)
    assert len(hand([*lines[:3], (far, "ab")]).load().recorded) == 3
    assert caplog.messages == ["left out: 1 with a far point (hand.json:00003)"]


def test_new_lines_are_learned_and_not_validated_on(tmp_path, hand, lines):
    ink = np.array([[0, 0, 0], [5, 5, 1]], dtype=np.float32)
    source = hand(lines)
    save_practice(
        tmp_path / PRACTICE_FILE, [line.name for line in source.load().recorded], [(ink, "abc")]
    )
    loaded = resumed(source, tmp_path)
    assert loaded.fitted == {"x_height": 100.0, "step": 20.0}
    *_, last = loaded.split("train")
    assert last.text == "abc" and np.array_equal(last.ink, ink)
    assert last not in loaded.split("valid") and last not in loaded.recorded
    assert "1 new;" in loaded.report


def test_a_network_with_hand_vectors_gets_descriptors_of_the_learned_lines(tmp_path, hand, lines):
    source, ink = hand(lines), np.array([[0, 0, 0], [5, 5, 1]], dtype=np.float32)
    own = source.load()
    assert not own.hand_extras and not any(line.extras for line in own.used)
    names = [line.name for line in own.recorded]
    save_practice(tmp_path / PRACTICE_FILE, names, [(ink, "abc")], takes_hand=True)
    loaded = resumed(source, tmp_path)
    learned, _ = source.split_indices(len(names))
    rows = HandDescriptor.load().describe([levelled(own.recorded[k].ink)[0] for k in learned])
    assert all(line.extras is loaded.hand_extras for line in loaded.used)
    np.testing.assert_allclose(loaded.hand_extras["hand"].sum(0), rows.sum(0), rtol=1e-4, atol=1e-4)
    assert loaded.hand_extras["composed"].tolist() == [0.0]


def test_rounding_of_the_hand_does_not_change_the_fingerprints_of_the_lines(tmp_path, hand, lines):
    source = hand(lines)
    names = [line.name for line in source.load().recorded]
    save_practice(tmp_path / PRACTICE_FILE, names, [], takes_hand=True)
    loaded = resumed(source, tmp_path)
    rounded = np.nextafter(loaded.hand_extras["hand"], np.inf)
    other = mapped(loaded.samples, lambda line: [replace(line, extras={"hand": rounded})])
    assert replace(loaded, samples=other).fingerprints == loaded.fingerprints
    fewer = {"train": loaded.split("train")[1:]}
    assert replace(loaded, samples=fewer).fingerprints["train"] != loaded.fingerprints["train"]


def test_lines_of_any_unit_rate_and_slope_become_alike_in_network_units(lines):
    samples = [Sample(ink, text) for ink, text in lines]
    tilt = np.float32([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]])
    changed = []
    for ink, text in lines:
        finer, _ = ResampleTime(period=0.5)(ink, np.zeros(len(ink), np.uint8), None)
        finer[:, :2] = 0.03 * finer[:, :2] @ tilt.T
        changed.append(Sample(finer, text))
    usual, other = (to_network_units(group, 100.0, 20.0) for group in (samples, changed))
    for first, second, (_, text) in zip(usual, other, lines, strict=True):
        if len(text) >= 10:
            assert x_height(first) == pytest.approx(100, rel=0.06)  # measured before smoothing
        assert abs(baseline_angle(second)) < 0.02
        assert x_height(second) == pytest.approx(x_height(first), rel=0.1)
        assert len(second) == pytest.approx(len(first), rel=0.1)
    assert np.median([mean_step(ink) for ink in usual]) == pytest.approx(20, rel=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:1] * 30, "1 line to learn"),
        (lambda lines: [(ink, " ") for ink, _ in lines], "none of 24 samples has a text"),
    ],
)
def test_repeats_of_a_single_line_and_lines_without_text_are_refused(hand, lines, change, message):
    with pytest.raises(DataError, match=message):
        hand(change(lines)).load()


def test_practice_of_another_version_is_refused(tmp_path, hand, lines):
    save_practice(tmp_path / PRACTICE_FILE, [], [])
    with np.load(tmp_path / PRACTICE_FILE) as file:
        arrays = {name: file[name] for name in file if name != "format"}
    np.savez(tmp_path / PRACTICE_FILE, **arrays)
    with pytest.raises(DataError, match=r"practice\.npz: written by another version .*: train an"):
        resumed(hand(lines[:3]), tmp_path)


def test_lines_that_are_missing_when_a_run_is_resumed_are_named(tmp_path, hand, lines):
    source = hand(lines[:3])
    save_practice(tmp_path / PRACTICE_FILE, ["away", "too", "hand.json:00001"], [])
    with pytest.raises(DataError, match="began are no longer there: away, too"):
        resumed(source, tmp_path)
