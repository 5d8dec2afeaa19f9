"""What people bring: real files of each format, where this machine has some.

They lie in the folder that HANDWRITING_DATA names, else in ../shared/data beside the project.
"""

import pytest

import data_loader
from tests.shared_data import DATA, prepared

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("kind", "folder", "options", "counts"),
    [
        ("StrokeArraysDataset", "stroke_arrays", {}, {"all": 600}),
        ("UnipenDataset", "unipen_digits", {"writer_comment": 1}, {"all": 10_492, "test": 2_998}),
        ("InkMLDataset", "inkml", {}, {"all": 8}),
    ],
)
def test_every_real_file_is_read(real_cache, kind, folder, options, counts):
    loaded = prepared(getattr(data_loader, kind), folder, real_cache, strict=True, **options)
    parts = loaded.samples | {"all": loaded.used}
    assert {name: len(parts[name]) for name in counts} == counts


def test_every_real_digit_of_mnist_is_read(tmp_path):
    """The archive beside them has the digits of `unipen_digits`."""
    files = [*(DATA / "mnist_strokes").glob("*img-*-*.txt")]
    if not files:
        pytest.skip(f"no mnist_strokes in {DATA} (HANDWRITING_DATA names another folder)")
    for file in files:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    loaded = data_loader.MNISTStrokesDataset(root=str(tmp_path), strict=True).load()
    assert len(loaded.used) == len(files) // 2 > 5


def test_the_list_iam_ondb_misfits_names_real_lines_and_all_with_crossed_out_words(real_cache):
    whole = prepared(data_loader.IAMOnDBDataset, "iam_ondb", real_cache)
    used = whole.split("train") + whole.split("valid")
    some = prepared(
        data_loader.IAMOnDBDataset, "iam_ondb", real_cache, leave_out="iam_ondb_misfits"
    )
    kept = some.split("train") + some.split("valid")
    # The report would count names on the list that "do not occur".
    assert "do not occur" not in some.report and 200 < len(used) - len(kept) < 300
    assert sum("#" in line.text for line in used) == 88  # a `#` is a crossed-out word
    assert not any("#" in line.text for line in kept)
