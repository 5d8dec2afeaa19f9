"""Tables of aligned characters: files, and which lines they are for."""

import numpy as np
import pytest

from data_loader import IAMOnDBDataset
from data_loader.synthetic.composed.alignment import AlignedLine, Alignment
from ink.alphabet import nfc
from tests.shared_data import prepared
from utils.checks import DataError


def flags(text):
    return np.array([flag == "1" for flag in text])


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
    table = Alignment.load(file)
    assert list(table) == list(LINES)
    for name, line in LINES.items():
        assert table[name].errors == line.errors
        for part in ("counts", "read", "fits"):
            own, stored = getattr(line, part), getattr(table[name], part)
            np.testing.assert_array_equal(stored, own, strict=True)


def test_a_line_is_looked_up_by_its_name_number_of_points_and_text():
    table = Alignment(LINES)
    known = ("a01-000u-01", 301, "abc")
    assert table.find(*known) is LINES["a01-000u-01"]
    for other in (known[0], 302, "abc"), (*known[:2], "abcd"), ("a01-000u-02", *known[1:]):
        assert table.find(*other) is None


@pytest.mark.parametrize("content", [b"a01-000u-01 3 1 4", b"PK"])
def test_a_file_that_is_no_table_is_an_error(file, content):
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"alignment = '.*table\.npz': .+ give a shipped table"):
        Alignment.load(file)


def test_a_missing_table_is_named_with_the_shipped_tables():
    with pytest.raises(DataError, match=r"alignment = 'iam': .*No such file.*\(iam_ondb\b"):
        Alignment.load("iam")


@pytest.mark.slow
def test_the_table_of_iam_ondb_fits_its_lines(real_cache):
    dataset = prepared(IAMOnDBDataset, "iam_ondb", real_cache)
    table = Alignment.load("iam_ondb")
    some = dataset.used[::8]
    stored = [table.find(sample.name, len(sample.ink), nfc(sample.text)) for sample in some]
    assert np.mean([sample is not None for sample in stored]) > 0.99
