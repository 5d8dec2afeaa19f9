"""A recorded dataset joined by new lines in its hands."""

import math
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from base.base_dataset import SPLITS
from data_loader import ComposedDataset
from data_loader.synthetic.composed.alignment import Alignment
from data_loader.synthetic.composed.dataset import hash_fraction
from ink import measures
from ink.geometry import to_points
from tests.data_loader.synthetic.composed.recorded import HANDS, Recorded
from tests.loaded import in_files
from utils.checks import ConfigFault, DataError

pytestmark = pytest.mark.slow

SIZE = 20


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The file of the true alignment."""
    file = tmp_path_factory.mktemp("aligned") / "table.npz"
    Recorded().alignment().save(file)
    return file


def composed(table, dataset=None, **options):
    settings = {"dataset": dataset or Recorded(), "alignment": str(table), "size": SIZE}
    return ComposedDataset(**settings | options).load()


class Changed(Recorded):
    """The lines with something else in each."""

    def __init__(self, **changes):
        super().__init__()
        self.changes = changes

    def lines(self):
        return [replace(line, **self.changes) for line in super().lines()]


class InFiles(Recorded):
    """The lines in a prepared folder in the current folder."""

    def load(self, splits=SPLITS):
        return in_files(super().load(splits), Path())


class Missing(Recorded):
    def load(self, splits=SPLITS):
        raise DataError("not there")


@pytest.fixture(scope="module")
def plain(table):
    return composed(table, long=5)


@pytest.mark.parametrize("options", [{}, {"height": 40.0, "longest": 10, "pieces": 5}])
def test_lines_of_samples_in_files_are_composed_once(table, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    held, others = (composed(table, of(), size=4, **options) for of in (Recorded, InFiles))
    monkeypatch.setattr(ComposedDataset, "_measured", None)
    again = composed(table, InFiles(), size=4, **options)
    for kept in (others, again):
        assert kept.report == held.report and kept.fingerprints == held.fingerprints
        assert kept.ink_sums == held.ink_sums and kept.used.key


def new_lines(loaded):
    return [line for line in loaded.split("train") if line.name.startswith("composed")]


def same(first, second):
    return all(
        (a.text, a.name) == (b.text, b.name) and np.array_equal(a.ink, b.ink)
        for a, b in zip(first, second, strict=True)
    )


def test_new_lines_are_added_to_the_training_alone_and_are_in_its_hands(plain):
    main = Recorded().load()
    for split in SPLITS:
        assert [*plain.split(split)][: -25 if split == "train" else None] == [*main.split(split)]
    assert len(new_lines(plain)) == 25
    for line in new_lines(plain):
        ink = line.ink
        assert ink.dtype == np.float32 and not ink[0, :2].any() and ink[-1, 2] == 1
        np.testing.assert_array_equal(to_points(ink) % 0.5, 0)  # on the grid of the device
        assert line.name.endswith(line.group) and line.writer == ""
    assert {line.group for line in new_lines(plain)} == set(HANDS)


def test_lines_follow_from_the_seed_whatever_their_number(table, plain):
    lines = new_lines(plain)
    assert same(new_lines(composed(table, size=7)), lines[:7])
    assert not same(new_lines(composed(table, size=7, seed=1)), lines[:7])


class Other(Recorded):
    """Other ink and texts in one split; the numbers of points and characters are the same."""

    def __init__(self, split):
        super().__init__()
        self.split = split

    def load(self, splits=SPLITS):
        loaded, others = super().load(splits), []
        for line in loaded.split(self.split):
            text = line.text.translate(str.maketrans("aeo", "eoa"))
            others.append(replace(line, ink=line.ink * np.float32([1.5, 1, 1]), text=text))
        return replace(loaded, samples=loaded.samples | {self.split: others})


@pytest.mark.parametrize("height", [None, 80.0])
def test_only_training_lines_are_cut(table, height):
    """Also where lines of all splits are measured."""
    options = {"height": height, "size": 5}
    lines = new_lines(composed(table, **options))
    for split in ("valid", "test"):
        assert same(new_lines(composed(table, Other(split), **options)), lines)
    assert not same(new_lines(composed(table, Other("train"), **options)), lines)


@pytest.mark.parametrize("height", [None, 80.0])
def test_a_split_loaded_alone_is_the_same_and_needs_no_data_of_the_training(table, height):
    options = {"dataset": Recorded(), "alignment": str(table), "size": 2, "height": height}
    whole = ComposedDataset(**options).load()
    lacking = ComposedDataset(**options, digits=Missing())
    for split in ("valid", "test"):
        alone = lacking.load([split])
        assert alone.canonical == whole.canonical and list(alone.samples) == [split]
        assert alone.split(split) and same(alone.split(split), whole.split(split))
    with pytest.raises(DataError, match="not there"):
        lacking.load(["train"])


def test_only_forms_within_bounds_are_cut(table):
    # The order follows from the name alone: CRC-32 as other programs have it.
    assert hash_fraction("123456789") == 0xCBF43926 / 2**32
    shares = {form: hash_fraction(form) for form in HANDS}
    middle = sorted(shares.values())[2]
    for bounds in ((0.0, middle), (middle, 1.0)):
        forms = {line.group for line in new_lines(composed(table, forms=bounds))}
        assert forms == {form for form in HANDS if bounds[0] <= shares[form] < bounds[1]}


def test_no_line_is_composed_in_a_hand_whose_letters_join(table):
    strokes, letters = Counter(), Counter()
    for line in Recorded().lines():
        strokes[line.group] += line.ink[:, 2].sum()
        letters[line.group] += len(line.text.replace(" ", ""))
    lifts = {form: strokes[form] / letters[form] for form in strokes}
    middle = float(np.median(list(lifts.values())))
    forms = {line.group for line in new_lines(composed(table, lifts=middle))}
    assert forms == {form for form in HANDS if lifts[form] >= middle} != set(HANDS)
    with pytest.raises(DataError, match=r"lifts = 99\.0: none of the \d+ hands"):
        composed(table, lifts=99.0)


def test_recorded_lines_are_brought_level_and_to_a_height(tmp_path):
    """As another measure sees it, which knows nothing of the alignment."""
    rising, table = Recorded(drift=0.06), tmp_path / "rising.npz"
    rising.alignment().save(table)
    main = {line.name: line.ink for line in rising.lines()}
    level = composed(table, rising, height=50.0, size=3)
    recorded = [line for line in level.used if line.name in main]
    assert len(recorded) == len(main) == len(level.used) - 3
    for line in recorded:
        ink, before = line.ink, main[line.name]
        assert measures.baseline_angle(before) < math.radians(-2)
        assert abs(measures.baseline_angle(ink)) < math.radians(1)
        assert measures.median_x_height(ink) == pytest.approx(50, rel=0.12)
        assert np.array_equal(ink[:, 2], before[:, 2])
    assert level.canonical is None and level.quantisation_step is None


def test_recorded_lines_are_cut_between_words(table):
    """Into parts that together are the line: its words, and its points."""
    whole = {line.name: line for line in composed(table, height=50.0, size=1).used}
    parts = defaultdict(list)
    for part in composed(table, height=50.0, size=1, longest=16).used:
        parts[part.name.split("/")[0]].append(part)
    cut = {name: own for name, own in parts.items() if len(own) > 1}
    assert len(cut) > len(HANDS)
    for name, own in cut.items():
        line = whole[name]
        assert [part.name for part in own] == [f"{name}/{n}" for n in range(len(own))]
        assert " ".join(part.text for part in own) == line.text
        assert all(len(part.text) <= 16 or " " not in part.text for part in own)
        starts = np.cumsum([len(part.ink) for part in own])[:-1]
        for part, points in zip(own, np.split(to_points(line.ink), starts), strict=True):
            # The same points, wherever the part begins.
            np.testing.assert_allclose(to_points(part.ink), points - points[:1], atol=1e-2)
            assert part.ink[-1, 2] == 1


def test_the_training_has_pieces_of_recorded_lines_as_well(table):
    """The same as lines that are cut so, but for their names."""
    cut = composed(table, height=50.0, size=1, longest=16).split("train")
    loaded = composed(table, height=50.0, size=1, pieces=16)
    pieces = {line.name: line for line in loaded.split("train") if line.name.startswith("piece-")}
    whole = [line.name for line in composed(table, height=50.0, size=1).used]
    assert [line.name for line in loaded.used if line.name not in pieces] == whole
    parts = [line for line in cut if line.name.count("/") == 1 and not line.name.startswith("comp")]
    assert len(parts) == len(pieces) > len(HANDS)
    for part in parts:
        name, number = part.name.split("/")
        piece = pieces[f"piece-{number}/{name}"]
        assert (piece.text, piece.hand) == (part.text, part.hand)
        assert np.array_equal(piece.ink, part.ink)


def test_lines_that_cannot_be_measured_are_left_out_where_a_height_is_asked_for(table, tmp_path):
    """One of each split; of that of the training a reader has misread more than a quarter."""
    lines, loaded = Alignment.load(table), Recorded().load()
    misread, kept = loaded.split("train")[:2]
    for line, more in ((misread, 1), (kept, 0)):
        lines[line.name] = replace(lines[line.name], errors=len(line.text) // 4 + more)
    gone = {misread.name, loaded.split("valid")[1].name, loaded.split("test")[1].name}
    for name in gone - {misread.name}:
        del lines[name]
    Alignment(lines).save(tmp_path / "fewer.npz")
    level = composed(tmp_path / "fewer.npz", height=100.0)
    everything = {line.name for line in Recorded().lines()}
    assert everything - {line.name for line in level.used} == gone
    counts = "1 of train, 1 of valid, 1 of test"
    assert f"left out, because they could not be measured: {counts}" in level.report
    # Without a height they are used as they are.
    plain = composed(tmp_path / "fewer.npz")
    assert gone <= {line.name for line in plain.used} and "left out" not in plain.report


def test_fractions_and_bounds_that_do_not_fit_are_refused(table):
    with pytest.raises(ConfigFault, match=r"plain = 0\.1: .*european \(0\.8\), strings \(0\.15\)"):
        composed(table, european=0.8, strings=0.15, plain=0.1)
    with pytest.raises(ConfigFault, match=r"forms = .*0\.5.*: two bounds, such as \[0\.0, 0\.7\]"):
        composed(table, forms=(0.5, 0.5))
    with pytest.raises(ConfigFault, match='languages = "Elvish": one of French, German'):
        composed(table, languages=["French", "Elvish"])


def test_lines_of_a_writer_are_a_hand_and_without_writers_those_of_a_form(table):
    loaded = composed(table, Changed(writer="somebody"), size=4)
    assert [line.group for line in new_lines(loaded)] == ["somebody"] * 4
    assert loaded.used[0].writer == "somebody" and loaded.used[0].group == "plain"
    with pytest.raises(DataError, match="Changed names neither writers nor forms"):
        composed(table, Changed(group=""))
