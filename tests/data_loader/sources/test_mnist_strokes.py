import numpy as np
import pytest

from data_loader.sources.mnist_strokes import MNISTStrokesDataset
from ink.geometry import bounds, to_points
from tests.data_loader.archives import pack, put
from tests.data_loader.ink_formats import target
from utils.checks import ConfigFault, DataError

# A stroke of three points from (5, 8), a lift, and a second one of two, which ends at its left.
ROWS = [(5, 8, 0, 0), (1, -1, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0), (3, 4, 0, 0), (-2, 1, 0, 0)]
ROWS += [(0, 0, 1, 1)]
INK = [[0, 0, 0], [1, -1, 0], [1, 0, 1], [3, 4, 0], [-2, 1, 1]]


def text(rows):
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()


def sequences(train=60, test=12):
    files = {}
    for part, count in (("train", train), ("test", test)):
        for n in range(count):
            files[f"{part}img-{n}-inputdata.txt"] = text([(5 + n % 3, 8, 0, 0), *ROWS[1:]])
            files[f"{part}img-{n}-targetdata.txt"] = target(n % 10, len(ROWS))
            files[f"{part}img-{n}-points.txt"] = b"x,y\n5,8\n-1,-1\n"
    return files


def write(root, files, layout="archive"):
    if layout == "archive":
        pack(root / "sequences.tar.gz", {f"sequences/{name}": c for name, c in files.items()})
        return root
    put(root / layout, files)
    return root


def prepared(root, **options):
    return MNISTStrokesDataset(root=None if root is None else str(root), **options).load()


@pytest.mark.parametrize("layout", ["archive", ".", "a/b"])
def test_digits_are_read_from_archives_and_folders(tmp_path, layout):
    files = sequences() | {"trainimg-99-inputdata.txt": text(ROWS)}
    dataset = prepared(write(tmp_path, files, layout))
    assert "no class: no target data: trainimg-99" in dataset.report
    assert len(dataset.used) == 72 and dataset.quantisation_step == 1.0
    (digit,) = (sample for sample in dataset.used if sample.name == "trainimg-17")
    assert digit.ink.tolist() == INK and digit.text == "7"
    assert not digit.missing_counts.any() and digit.hand == ""  # nobody knows whose
    test = [sample.name for sample in dataset.split("test")]
    assert sorted(test) == sorted(f"testimg-{n}" for n in range(12))
    valid = [sample.name for sample in dataset.split("valid")]
    assert valid and all(name.startswith("train") for name in valid)
    assert len(dataset.split("train")) == 60 - len(valid)


def test_an_archive_of_something_else_is_refused_with_what_belongs_there(tmp_path):
    pack(tmp_path / "sequences.tar.gz", {"readme.txt": b"hello"})
    with pytest.raises(DataError, match=r"no files such as trainimg-0-inputdata\.txt in it"):
        prepared(tmp_path)


@pytest.mark.slow
def test_a_digit_alone_can_be_asked_for(tmp_path):
    dataset = prepared(write(tmp_path, sequences(300, 20)), digit=7)
    assert {sample.text for sample in dataset.used} == {"7"} and len(dataset.used) == 32
    assert "only the digit 7" in dataset.report
    with pytest.raises(DataError, match=r"no samples for the split 'test': .*only the digit 7"):
        prepared(write(tmp_path, sequences(300, 6)), digit=7)


def test_digits_are_combined_into_lines_with_gaps_between_them(tmp_path):
    options = {"digits_per_line": (2, 4), "gap": (3, 5), "repeats": 2}
    dataset = prepared(write(tmp_path, sequences(200, 40)), **options)
    lengths = [len(sample.text) for sample in dataset.split("test")]
    # Each digit twice, but for what is too little for a last line.
    assert set(lengths) == {2, 3, 4} and 2 * (40 - 1) <= sum(lengths) <= 2 * 40
    line = dataset.split("train")[5]
    ink, written = line.ink, line.text
    assert ink[0].tolist() == [0, 0, 0] and len(ink) == 5 * len(written)
    assert ink[:, 2].reshape(-1, 5).tolist() == [[0, 0, 1, 0, 1]] * len(written)
    points = to_points(ink).reshape(-1, 5, 2)  # digit by digit
    assert (np.ptp(points[:, 0, 1]) == 0) and (points == np.round(points)).all()  # one base line
    gaps = points[1:, :, 0].min(axis=1) - points[:-1, :, 0].max(axis=1)
    assert set(gaps.tolist()) <= {3, 4, 5}
    each = points - points[:, :1]
    assert (each == np.cumsum(np.array(INK)[:, :2], axis=0)).all()
    assert line.name == "train-line-000005"
    assert "240 digits are combined into lines of 2 to 4 digits" in dataset.report


def test_lines_are_the_same_on_every_machine(tmp_path):
    lines = prepared(write(tmp_path, sequences()), digits_per_line=(1, 6)).split("train")
    assert [sample.text for sample in lines[:4]] == ["9", "6", "4", "157583"]


def test_ranges_and_too_few_digits_are_refused(tmp_path):
    for key in ("digits_per_line", "gap"):
        with pytest.raises(ConfigFault, match=f"{key} = .* the minimum, then"):
            MNISTStrokesDataset(**{key: (6, 1)})
    message = r"no samples for the split .*72 digits are combined into lines of 50 to "
    with pytest.raises(DataError, match=message):
        prepared(write(tmp_path, sequences()), digits_per_line=(50, 60))


def test_embedded_digits_have_the_form_of_those_of_mnist():
    dataset = prepared(None, embedded_size=60)
    assert len(dataset.used) == 70 and len(dataset.split("test")) == 10
    assert {sample.text for sample in dataset.used} == set("0123456789")
    for ink in (sample.ink for sample in dataset.used):
        within = ink[1:][ink[:-1, 2] == 0]
        assert np.abs(within[:, :2]).max() == 1 and np.abs(within[:, :2]).sum(axis=1).min() >= 1
        left, top, right, bottom = bounds(ink)
        assert 18 <= max(right - left, bottom - top) <= 21
    assert dataset.report.startswith("Digits written by invented people: 70 samples")
    lines = prepared(None, embedded_size=60, digits_per_line=(1, 6))
    assert all(1 <= len(line.text) <= 6 for line in lines.used)
