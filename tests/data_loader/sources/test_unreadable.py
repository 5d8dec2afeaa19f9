"""Data that are there and cannot be read, and what is never to be read: pipes and the like."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

import data_loader
from data_loader import IAMOnDBDataset, InkMLDataset, read_ink
from tests.data_loader import ink_formats
from tests.rights import without_rights
from utils.checks import DataError

SOURCES = [
    "IAMOnDBDataset",
    "InkMLDataset",
    "MNISTStrokesDataset",
    "StrokeArraysDataset",
    "UnipenDataset",
]


@pytest.fixture
def root():
    """A folder that any user may read."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o755)
    shutil.rmtree(folder)


def refused(function, *args, **options):
    with without_rights(), pytest.raises(DataError) as caught:
        function(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
@pytest.mark.parametrize("name", SOURCES)
def test_a_folder_that_cannot_be_read_is_reported_as_one(root, name, mode):
    dataset = getattr(data_loader, name)(root=str(root))
    root.chmod(mode)
    assert refused(dataset.prepare) == f"{root}: cannot be read (Permission denied)"


@pytest.mark.parametrize("mode", [0o000, 0o111])
def test_so_is_one_that_ink_is_to_be_read_from(root, mode):
    root.chmod(mode)
    assert refused(read_ink, root) == f"{root}: cannot be read (Permission denied)"


def test_a_folder_within_is_not_passed_over(root):
    """Less data than somebody thinks would be trained on."""
    (root / "a.inkml").write_bytes(ink_formats.inkml())
    inner = root / "inner"
    inner.mkdir(mode=0o000)
    expected = f"{inner}: cannot be read (Permission denied)"
    assert refused(InkMLDataset(root=str(root)).prepare) == expected
    assert refused(read_ink, root) == expected
    message = refused(IAMOnDBDataset(root=str(root)).prepare)
    assert (
        "has no lineStrokes-all.tar.gz" in message and f"{inner}, which cannot be read" in message
    )
    inner.chmod(0o755)
    (root / "lineStrokes" / "a01").mkdir(parents=True, mode=0o000)
    expected = f"{root}/lineStrokes/a01: cannot be read (Permission denied)"
    assert refused(IAMOnDBDataset(root=str(root)).prepare) == expected


def test_a_file_that_cannot_be_read_is_reported_as_one(root):
    path = root / "a.inkml"
    path.write_bytes(ink_formats.inkml())
    path.chmod(0)
    message = refused(InkMLDataset(root=str(path)).prepare)
    assert message == f"{path}: cannot be read (Permission denied)"
    message = refused(read_ink, path)
    assert message == f"{path}: a file that cannot be read (Permission denied)"


def test_a_cache_that_cannot_be_read_is_made_elsewhere(root, tmp_path_factory, monkeypatch):
    for number in range(9):
        (root / f"{number}.inkml").write_bytes(ink_formats.inkml([[(0, 0), (number, 1)]]))
    (root / "cache").mkdir(mode=0o000)
    home = root / ".home"
    home.mkdir()
    home.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    dataset = InkMLDataset(root=str(root))
    with without_rights():
        dataset.prepare()
    assert len(dataset) == 9 and home in dataset.cache.folder.parents
    del dataset


@pytest.mark.timeout(20)  # What waits for a writer waits for ever.
@pytest.mark.parametrize("name", SOURCES)
def test_a_pipe_is_no_data(tmp_path, name):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    dataset = getattr(data_loader, name)(root=str(pipe))
    with pytest.raises(DataError, match=r"pipe: cannot be read .*no regular file"):
        dataset.prepare()


@pytest.mark.timeout(20)
def test_pipes_among_data_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.inkml")
    with pytest.raises(DataError, match=r"pipe.inkml: a file that cannot be read .*no regular"):
        read_ink(tmp_path / "pipe.inkml")
    (tmp_path / "a.inkml").write_bytes(ink_formats.inkml())
    assert [one.name for one in read_ink(tmp_path)] == ["a.inkml"]
    os.makedirs(tmp_path / "lineStrokes")
    os.mkfifo(tmp_path / "lineStrokes" / "a01-000u-01.xml")
    with pytest.raises(DataError, match="has no lineStrokes-all"):
        IAMOnDBDataset(root=str(tmp_path)).prepare()
