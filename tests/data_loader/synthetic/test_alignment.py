"""Tables of aligned characters: files, and which lines they are for."""

import numpy as np
import pytest

from data_loader import IAMOnDBDataset
from data_loader.synthetic.alignment import SHIPPED, AlignedLine, Alignment
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
    found = Alignment.load(file)
    assert list(found) == list(LINES)
    for name, line in LINES.items():
        assert found[name].errors == line.errors
        for part in ("counts", "read", "fits"):
            own, stored = getattr(line, part), getattr(found[name], part)
            np.testing.assert_array_equal(stored, own, strict=True)


def test_a_line_is_known_by_name_points_and_text():
    table = Alignment(LINES)
    known = ("a01-000u-01", 301, "abc")
    assert table.of(*known) is LINES["a01-000u-01"]
    for other in (known[0], 302, "abc"), (*known[:2], "abcd"), ("a01-000u-02", *known[1:]):
        assert table.of(*other) is None


WRONG = [{"counts": np.zeros(3, np.uint16)}, {"errors": np.array(3)}, {"names": np.array([{}])}]
WRONG += [{"names": np.frombuffer(b"a\nb", np.uint8)}]


@pytest.mark.parametrize("content", [b"a01-000u-01 3 1 4", b"PK", *WRONG])
def test_a_file_that_is_no_table_is_an_error(file, content):
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        with np.load(file) as table:
            np.savez(file, **{**table, **content})
    with pytest.raises(DataError, match=r"table\.npz: is not a table that `align` wrote \(.+\)"):
        Alignment.load(file)


def test_a_table_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(DataError, match=r"alignment = 'iam': cannot be read \(No.* iam_ondb\b"):
        Alignment.load("iam")


def test_the_table_of_iam_ondb_is_sound():
    """It has numbers only: the arrays that it is made of, and nothing else."""
    with np.load(SHIPPED / "iam_ondb.npz") as file:
        assert {name: file[name].dtype for name in file.files} == {
            **dict.fromkeys(("characters", "counts", "errors"), np.dtype(np.uint16)),
            **dict.fromkeys(("names", "read", "fits"), np.dtype(np.uint8)),
        }
    lines = Alignment.load("iam_ondb")
    assert len(lines) > 10_000
    for line in lines.values():
        assert line.counts.min() >= 1 and not (line.fits & ~line.read).any()


def test_the_table_of_iam_ondb_fits_its_lines(real_cache):
    dataset = prepared(IAMOnDBDataset, "iam_ondb", real_cache)
    table = Alignment.load("iam_ondb")
    some = dataset.used[::50]
    found = [table.of(one.name, len(one.ink), nfc(one.text)) for one in some]
    assert np.mean([one is not None for one in found]) > 0.99
