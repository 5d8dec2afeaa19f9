"""A recorded dataset joined by new lines in its hands."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from data_loader import ComposedDataset, ShapedDataset, UndoSlant
from data_loader.synthetic.alignment import Alignment
from data_loader.synthetic.composed import share_of
from tests.data_loader.synthetic.recorded import HANDS, Recorded
from utils import hand_measures
from utils.checks import ConfigFault, DataError
from utils.ink import to_points

SIZE = 20


def saved(dataset, path):
    """Write the true alignment of a dataset."""
    dataset.prepare()
    dataset.alignment().save(path)
    return str(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return saved(Recorded(), tmp_path_factory.mktemp("aligned") / "table.npz")


def composed(table, dataset=None, **options):
    dataset = Recorded() if dataset is None else dataset
    made = ComposedDataset(dataset=dataset, alignment=table, **{"size": SIZE, **options})
    made.prepare()
    return made


@pytest.fixture(scope="module")
def plain(table):
    return composed(table, long=5)


def new_lines(dataset, count=SIZE):
    start = len(dataset.dataset)
    return [(dataset.text(n), dataset.name(n), dataset.ink(n)) for n in range(start, start + count)]


def x_height(ink):
    """That of a level line, by its turning points."""
    x = to_points(ink)[:, 0]
    return hand_measures.x_heights(ink, np.array([x.min(), x.max()]))[0]


def same(first, second):
    return all(
        a[:2] == b[:2] and np.array_equal(a[2], b[2]) for a, b in zip(first, second, strict=True)
    )


def test_lines_join_the_training_alone(plain):
    main, count = plain.dataset, len(plain.dataset)
    added = {"train": list(range(count, count + SIZE + 5)), "valid": [], "test": []}
    for split, new in added.items():
        assert plain.indices(split).tolist() == main.indices(split).tolist() + new
    for n in range(count):
        np.testing.assert_array_equal(plain.ink(n), main.ink(n))
        for part in ("text", "name", "group", "writer"):
            assert getattr(plain, part)(n) == getattr(main, part)(n)
    assert plain.lengths.tolist() == [len(plain.ink(n)) for n in range(len(plain))]


def test_new_lines_are_ink_in_a_hand_of_the_training(plain):
    new = range(len(plain.dataset), len(plain))
    for n in new:
        ink = plain.ink(n)
        assert ink.dtype == np.float32 and not ink[0, :2].any() and ink[-1, 2] == 1
        np.testing.assert_array_equal(to_points(ink) % 0.5, 0)  # on the grid of the device
        assert plain.name(n).endswith(plain.group(n)) and plain.writer(n) == ""
    assert {plain.group(n) for n in new} == set(HANDS)


def test_lines_follow_from_the_seed_whatever_their_number(table, plain):
    lines = new_lines(plain)
    assert same(new_lines(composed(table, size=26)), lines)
    assert same(new_lines(composed(table, size=7), 7), lines[:7])
    assert not same(new_lines(composed(table, seed=1)), lines)


class Other(Recorded):
    """Other ink and texts in one split; the numbers of points and characters are the same."""

    def __init__(self, split):
        super().__init__()
        self.split = split

    def make(self):
        for number, line in enumerate(super().make()):
            if number in self.split_indices()[self.split]:
                text = line.text.translate(str.maketrans("aeo", "eoa"))
                line = replace(line, ink=line.ink * np.float32([1.5, 1, 1]), text=text)
            yield line


@pytest.mark.parametrize("height", [None, 80.0])
def test_only_training_lines_are_cut(table, height):
    """Also where lines of all splits are measured."""
    lines = new_lines(composed(table, height=height))
    for split in ("valid", "test"):
        assert same(new_lines(composed(table, Other(split), height=height)), lines)
    assert not same(new_lines(composed(table, Other("train"), height=height)), lines)


@pytest.mark.parametrize("height", [None, 80.0])
def test_a_split_alone_is_as_in_the_whole_without_what_only_training_needs(table, height):
    class Missing(Recorded):
        def prepare(self):
            raise DataError("not there")

    def made(digits):
        options = {"alignment": table, "size": 2, "height": height, "digits": digits}
        inner = ComposedDataset(dataset=Recorded(), **options)
        return ShapedDataset(dataset=inner, shaping=[UndoSlant()])

    whole, lacking = made(None), made(Missing())
    whole.prepare()
    for split in ("valid", "test"):
        alone = lacking.only(split)
        alone.prepare()
        assert alone.canonical == whole.canonical
        pairs = list(zip(alone.indices(split), whole.indices(split), strict=True))
        for n, m in pairs:
            assert (alone.name(n), alone.text(n)) == (whole.name(m), whole.text(m))
            np.testing.assert_array_equal(alone.ink(n), whole.ink(m))
        assert pairs and len(alone) == len(pairs)
    with pytest.raises(DataError, match="not there"):
        lacking.only("train").prepare()


def test_only_forms_within_bounds_are_cut(table):
    # The order follows from the name alone: CRC-32 as other programs have it.
    assert share_of("123456789") == 0xCBF43926 / 2**32
    shares = {form: share_of(form) for form in HANDS}
    middle = sorted(shares.values())[2]
    for bounds in ((0.0, middle), (middle, 1.0)):
        found = {name.partition("/")[2] for _, name, _ in new_lines(composed(table, forms=bounds))}
        assert found == {form for form in HANDS if bounds[0] <= shares[form] < bounds[1]}


def test_only_hands_within_bounds_of_strokes_per_character_are_kept(table):
    everything = composed(table, height=100.0)
    strokes, letters = Counter(), Counter()
    for n in everything.dataset.used().tolist():
        strokes[everything.group(n)] += everything.ink(n)[:, 2].sum()
        letters[everything.group(n)] += len(everything.text(n).replace(" ", ""))
    lifts = {form: strokes[form] / letters[form] for form in strokes}
    middle = float(np.median(list(lifts.values())))
    few = composed(table, height=100.0, lifts=(0.0, middle))
    assert {few.group(n) for n in few.used()} == {form for form in lifts if lifts[form] < middle}
    with pytest.raises(DataError, match=r"lifts = \(0\.0, 0\.01\): none of \d+ hands"):
        composed(table, lifts=(0.0, 0.01))


def test_recorded_lines_are_brought_level_and_to_a_height(tmp_path):
    """As another measure sees it, which knows nothing of the alignment."""
    table = saved(Recorded(drift=0.06), tmp_path / "rising.npz")
    dataset = composed(table, Recorded(drift=0.06), height=50.0, size=3)
    main = dataset.dataset
    for n in main.used().tolist():
        ink, before = dataset.ink(n), main.ink(n)
        assert hand_measures.baseline_angle(before) < math.radians(-2)
        assert abs(hand_measures.baseline_angle(ink)) < math.radians(1)
        assert x_height(ink) == pytest.approx(50, rel=0.12)
        assert np.array_equal(ink[:, 2], before[:, 2]) and len(ink) == main.lengths[n]
    assert set(dataset.used().tolist()) > set(main.used().tolist())
    assert dataset.canonical is None and dataset.quantisation_step is None


def test_lines_that_cannot_be_measured_are_left_out_where_a_height_is_asked_for(table, tmp_path):
    lines = Alignment.load(table)
    main = Recorded()
    main.prepare()
    gone = [main.indices(split)[1] for split in ("train", "valid", "test")]
    for n in gone:
        del lines[main.name(n)]
    Alignment(lines).save(tmp_path / "fewer.npz")
    level = composed(str(tmp_path / "fewer.npz"), height=100.0)
    assert set(main.used().tolist()) - set(level.used().tolist()) == set(gone)
    counts = "1 of train, 1 of valid, 1 of test"
    assert f"left out, as their text or hand does not fit: {counts}" in level.report()
    # Without a height they are used as they are.
    plain = composed(str(tmp_path / "fewer.npz"))
    assert set(gone) <= set(plain.used().tolist())
    assert "left out" not in plain.report()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"european": 0.8, "strings": 0.15, "plain": 0.1},
         r"plain = 0\.1: shares of at most 1 together: european \(0\.8\), strings \(0\.15\)"),
        ({"forms": (0.5, 0.5)}, r"forms = .*0\.5.*: two bounds, such as \[0\.0, 0\.7\]"),
    ],
)  # fmt: skip
def test_shares_and_bounds_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ConfigFault, match=message):
        ComposedDataset(dataset=Recorded(), alignment="iam_ondb", size=1, **options)


def test_a_dataset_without_forms_says_what_is_missing(table):
    class Formless(Recorded):
        def group(self, index):
            return ""

    with pytest.raises(DataError, match=r"one hand, and Formless knows neither"):
        composed(table, Formless())


def test_the_lines_of_a_known_writer_are_one_hand_whatever_their_forms(table):
    class Written(Recorded):
        def writer(self, index):
            return "somebody"

    made = composed(table, Written(), size=4)
    assert [made.group(n) for n in range(len(made.dataset), len(made))] == ["somebody"] * 4
    assert made.writer(0) == "somebody" and made.group(0) == made.dataset.group(0) != "somebody"
