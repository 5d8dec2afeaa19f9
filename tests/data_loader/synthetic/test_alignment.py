"""Tables of aligned characters: files, and which lines they are for."""

import json

import numpy as np
import pytest

from data_loader import IAMOnDBDataset
from data_loader.synthetic.alignment import SHIPPED, AlignedLine, Alignment, resolve_alignment
from tests.shared_data import prepared
from utils.alphabet import nfc
from utils.checks import DataError


def flags(text):
    return np.array([one == "1" for one in text])


LINES = {
    "a01-000u-01": AlignedLine(np.array([300, 1, 0]), flags("101"), flags("001"), 7),
    "ä": AlignedLine(np.array([4]), flags("1"), flags("0"), 0),
    "c": AlignedLine(np.arange(17), flags("10" * 8 + "1"), flags("01" * 8 + "1"), 65535),
}


@pytest.fixture
def file(tmp_path):
    Alignment(LINES).save(tmp_path / "table.npz")
    return tmp_path / "table.npz"


def test_a_table_is_read_as_it_was_written(file):
    found = Alignment.load(file).lines
    assert list(found) == list(LINES)
    for name, line in LINES.items():
        assert found[name].errors == line.errors
        for part in ("counts", "read", "fits"):
            own, stored = getattr(line, part), getattr(found[name], part)
            assert stored.dtype == own.dtype and stored.tolist() == own.tolist()


def test_a_line_is_known_by_name_points_and_text():
    table = Alignment(LINES)
    assert table.of("a01-000u-01", 301, "abc") is LINES["a01-000u-01"]
    assert table.of("a01-000u-01", 302, "abc") is None
    assert table.of("a01-000u-01", 301, "abcd") is None
    assert table.of("a01-000u-02", 301, "abc") is None


def array(path):
    with open(path, "wb") as file:
        np.save(file, np.arange(3))


def without(name):
    def write(path):
        with np.load(path) as file:
            kept = {one: file[one] for one in file.files if one != name}
        with open(path, "wb") as file:
            np.savez(file, **kept)

    return write


def with_array(name, value):
    def write(path):
        with np.load(path) as file:
            kept = {one: file[one] for one in file.files} | {name: value}
        with open(path, "wb") as file:
            np.savez(file, **kept)

    return write


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("a01-000u-01 3 1 4\n"),
    "json": lambda path: path.write_text(json.dumps({"counts": [1, 2]})),
    "one array": array,
    "of something else": lambda path: np.savez(path, weights=np.zeros(3)),
    "without flags": without("fits"),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "cut off early": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "overwritten": lambda path: path.write_bytes(
        path.read_bytes()[:150] + bytes(400) + path.read_bytes()[550:]
    ),
    "counts of fewer characters": with_array("counts", np.zeros(3, np.uint16)),
    "one number": with_array("errors", np.array(3)),
    "floats": with_array("read", np.zeros(5)),
    "objects": with_array("names", np.array([{}])),
    "not UTF-8": with_array("names", np.frombuffer(b"\xff\na\nb", np.uint8)),
    "fewer names": with_array("names", np.frombuffer(b"a\nb", np.uint8)),
    "of no line": with_array("characters", np.zeros(0, np.uint16)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_no_table_is_an_error(file, damage):
    DAMAGES[damage](file)
    with pytest.raises(DataError, match=r"table\.npz: is not a table that `align` wrote \(.+\)"):
        Alignment.load(file)


def test_what_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"none\.npz: cannot be read \(No such file"):
        Alignment.load(tmp_path / "none.npz")
    with pytest.raises(DataError, match="cannot be read"):
        Alignment.load(tmp_path)


def test_tables_are_found_by_name_or_path(file):
    assert resolve_alignment("iam_ondb") == SHIPPED / "iam_ondb.npz"
    assert resolve_alignment(str(file)) == file
    with pytest.raises(DataError, match=r"alignment = 'iam': no such file.*align.* iam_ondb\b"):
        resolve_alignment("iam")


def test_the_table_of_iam_ondb_is_sound():
    """It has numbers only: the arrays that it is made of, and nothing else."""
    with np.load(resolve_alignment("iam_ondb")) as file:
        assert {name: file[name].dtype for name in file.files} == {
            **dict.fromkeys(("characters", "counts", "errors"), np.dtype(np.uint16)),
            **dict.fromkeys(("names", "read", "fits"), np.dtype(np.uint8)),
        }
    lines = Alignment.load(resolve_alignment("iam_ondb")).lines
    assert len(lines) > 10_000
    for line in lines.values():
        assert line.counts.min() >= 1 and not (line.fits & ~line.read).any()


def test_the_table_of_iam_ondb_fits_its_lines(real_cache):
    dataset = prepared(IAMOnDBDataset, "iam_ondb", real_cache)
    table = Alignment.load(resolve_alignment("iam_ondb"))
    some = np.concatenate(list(dataset.split_indices().values()))[::50].tolist()
    found = [table.of(dataset.name(n), int(dataset.lengths[n]), nfc(dataset.text(n))) for n in some]
    assert np.mean([one is not None for one in found]) > 0.99
