"""What people bring: real files of each format, where this machine has some.

They lie in the folder that HANDWRITING_DATA names, else in ../shared/data beside the project.
"""

import numpy as np
import pytest

from data_loader import InkMLDataset, MNISTStrokesDataset, StrokeArraysDataset, UnipenDataset
from data_loader.sources.inkml import read_inkml
from tests.shared_data import DATA
from utils.page.inkml import write_inkml


def prepared(dataset, folder, cache, **options):
    if not (DATA / folder).is_dir():
        pytest.skip(f"no {folder} in {DATA} (HANDWRITING_DATA names another folder)")
    made = dataset(root=str(DATA / folder), cache=str(cache), strict=True, **options)
    made.prepare()
    return made


def counts(dataset):
    return {split: len(indices) for split, indices in dataset.split_indices().items()}


def test_stroke_arrays(tmp_path):
    dataset = prepared(StrokeArraysDataset, "stroke_arrays", tmp_path)
    assert sum(counts(dataset).values()) == len(dataset) == 600
    assert dataset.text(0) == "By Trevor Williams. A move to"
    # Lines run to the right, and most of their ink lies above where they end or begin.
    points = [np.cumsum(dataset.ink(n)[:, :2], axis=0) for n in range(600)]
    assert all(line[-50:, 0].mean() > line[:50, 0].mean() for line in points)


def test_mnist_strokes(tmp_path):
    dataset = prepared(MNISTStrokesDataset, "mnist_strokes", tmp_path)
    assert len(dataset) == 10_492 and counts(dataset)["test"] == 2_998
    assert {dataset.text(n) for n in range(1000)} == set("0123456789")
    files = prepared(MNISTStrokesDataset, "mnist_strokes", tmp_path, archive=False)
    assert len(files) == 6
    assert {files.name(n): files.text(n) for n in range(6)} == {
        **{"trainimg-12": "3", "trainimg-13": "6", "trainimg-2": "4"},
        **{"trainimg-25": "2", "trainimg-58": "4", "trainimg-7": "3"},
    }
    lines = prepared(MNISTStrokesDataset, "mnist_strokes", tmp_path, digits_per_line=(1, 6))
    assert sum(len(lines.text(n)) for n in range(len(lines))) == 10_492


def test_unipen(tmp_path):
    dataset = prepared(UnipenDataset, "unipen_digits", tmp_path, writer_comment=1)
    split = counts(dataset)
    assert len(dataset) == 10_492 and split["test"] == 2_998
    assert split["train"] + split["valid"] == 7_494
    assert len({dataset.writer(n) for n in range(len(dataset))}) == 44
    assert dataset.quantisation_step == 1.0


def test_unipen_and_mnist_hold_the_same_digits(tmp_path):
    """The archive was made of the UNIPEN files: the same labels in the same order."""
    unipen = prepared(UnipenDataset, "unipen_digits", tmp_path)
    mnist = prepared(MNISTStrokesDataset, "mnist_strokes", tmp_path)
    for part, file in (("train", "pendigits-train"), ("test", "pendigits-test")):
        ours = {mnist.name(n): mnist.text(n) for n in range(len(mnist)) if mnist.group(n) == part}
        labels = [unipen.text(n) for n in range(len(unipen)) if unipen.group(n) == file]
        assert [ours[f"{part}img-{n}"] for n in range(len(labels))] == labels


def test_inkml(tmp_path):
    dataset = prepared(InkMLDataset, "inkml", tmp_path)
    assert len(dataset) == 8 and dataset.lengths.tolist().index(dataset.lengths.max()) >= 0
    # Arabic runs to the left.
    for n in range(8):
        ink = dataset.ink(n)
        assert ink[:, 0].sum() < 0 and dataset.text(n) == ""
        write_inkml(tmp_path / "one.inkml", ink, "نص")
        again, text = read_inkml(tmp_path / "one.inkml")
        assert (again == ink).all() and text == "نص"
