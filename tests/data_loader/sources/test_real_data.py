"""What people bring: real files of each format, where this machine has some.

They lie in the folder that HANDWRITING_DATA names, else in ../shared/data beside the project.
"""

import numpy as np
import pytest

from data_loader import (
    IAMOnDBDataset,
    InkMLDataset,
    MNISTStrokesDataset,
    StrokeArraysDataset,
    UnipenDataset,
    read_ink,
)
from tests.loaded import in_order
from tests.shared_data import DATA, prepared

pytestmark = pytest.mark.slow


def counts(dataset):
    return {split: len(part) for split, part in dataset.samples.items()}


def test_stroke_arrays(real_cache):
    dataset = prepared(StrokeArraysDataset, "stroke_arrays", real_cache, strict=True)
    assert sum(counts(dataset).values()) == len(dataset.used) == 600
    assert in_order(dataset)[0].text == "By Trevor Williams. A move to"
    assert len(read_ink(DATA / "stroke_arrays")) == 600
    # Lines run to the right, and most of their ink lies above where they end or begin.
    points = [np.cumsum(one.ink[:, :2], axis=0) for one in dataset.used]
    assert all(line[-50:, 0].mean() > line[:50, 0].mean() for line in points)


def test_mnist_strokes(real_cache):
    dataset = prepared(MNISTStrokesDataset, "mnist_strokes", real_cache, strict=True)
    assert len(dataset.used) == 10_492 and counts(dataset)["test"] == 2_998
    assert {one.text for one in dataset.used} == set("0123456789")
    lines = prepared(
        MNISTStrokesDataset, "mnist_strokes", real_cache, digits_per_line=(1, 6), strict=True
    )
    assert sum(len(line.text) for line in lines.used) == 10_492
    assert read_ink(DATA / "mnist_strokes" / "trainimg-7-inputdata.txt")[0].text == "3"


def test_unipen(real_cache):
    dataset = prepared(UnipenDataset, "unipen_digits", real_cache, writer_comment=1, strict=True)
    split = counts(dataset)
    assert len(dataset.used) == 10_492 and split["test"] == 2_998
    assert split["train"] + split["valid"] == 7_494
    assert len({one.writer for one in dataset.used}) == 44
    assert len(read_ink(DATA / "unipen_digits" / "pendigits-test")) == 2_998
    assert dataset.quantisation_step == 1.0


def test_inkml(real_cache):
    dataset = prepared(InkMLDataset, "inkml", real_cache, strict=True)
    assert len(dataset.used) == len(read_ink(DATA / "inkml")) == 8
    for one in dataset.used:  # Arabic runs to the left
        assert one.ink[:, 0].sum() < 0 and one.text == ""


def test_the_list_of_iam_ondb_names_its_lines_and_all_with_crossed_out_words(real_cache):
    whole = prepared(IAMOnDBDataset, "iam_ondb", real_cache)
    used = whole.split("train") + whole.split("valid")
    some = prepared(IAMOnDBDataset, "iam_ondb", real_cache, leave_out="iam_ondb_misfits")
    kept = some.split("train") + some.split("valid")
    assert "do not occur" not in some.report and 200 < len(used) - len(kept) < 300
    assert sum("#" in one.text for one in used) == 88
    assert not any("#" in one.text for one in kept)
