"""Untrusted files, folders and archives: limits, names, rights, and what is no file."""

import gzip
import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest

import data_loader
from data_loader import IAMOnDBDataset, InkMLDataset
from ink import formats
from ink.formats.archives import MAX_UNPACKED, parse_contents
from ink.formats.faults import Fault
from ink.formats.files import MAX_INK_BYTES, files_below
from ink.guard import note_files
from ink.reading import read_ink
from tests.data_loader import ink_formats
from tests.data_loader.archives import pack, put
from tests.rights import without_rights
from utils.checks import DataError

WANTED = re.compile(r"\w+\.txt")
TOO_LARGE = "more than 16,777,216 bytes (16,777,217)"
SOURCES = [name for name in data_loader.__all__ if re.match("IAM|InkML|MNIST|Stroke|Unipen", name)]


def unpacked(*files, max_bytes=MAX_UNPACKED):
    contents, faults = parse_contents(lambda name, content: content, files, WANTED, "", max_bytes)
    return contents | {name: str(fault) for name, fault in faults.items()}


def test_files_below_a_folder_are_in_order_without_hidden_files_and_caches(tmp_path):
    names = ("b.txt", "s/a.txt", "s/.a.txt", "cache/c.txt", ".h/d.txt", "e.md")
    put(tmp_path, dict.fromkeys(names, ""))
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    files = files_below(tmp_path, WANTED)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == ["b.txt", "s/a.txt"]
    assert unpacked(*files) == {"b.txt": b"", "a.txt": b""}
    os.truncate(files[0], MAX_INK_BYTES + 1)
    assert unpacked(*files) == {"b.txt": TOO_LARGE, "a.txt": b""}


def test_files_are_found_below_more_folders_than_calls_may_nest(tmp_path):
    folder = str(tmp_path)
    for _ in range(1100):
        folder += "/a"
        os.mkdir(folder)
    Path(folder, "a.txt").touch()
    assert files_below(tmp_path, WANTED) == [Path(folder, "a.txt")]
    while folder != str(tmp_path):  # `shutil.rmtree` calls itself, too.
        for file in os.listdir(folder):
            os.unlink(f"{folder}/{file}")
        os.rmdir(folder)
        folder = os.path.dirname(folder)


def test_linked_folders_of_notes_are_followed_once(tmp_path):
    put(tmp_path, {"notes/own/a.txt": "", "out/b.txt": "", "out/deep/c.txt": "", "cache/d.txt": ""})
    root = tmp_path / "notes"
    (tmp_path / "out" / "loop").symlink_to(root)
    links = {"again": root / "own", "above": tmp_path, "out": tmp_path / "out", "self": "self"}
    for name, target in (links | {"twice": tmp_path / "out" / "deep"}).items():
        (root / name).symlink_to(target)
    files = [f.relative_to(root).as_posix() for f in files_below(root, WANTED, has_unreadable=True)]
    assert {"own/a.txt", "out/b.txt"} < {*files} and len(files) == 3
    assert sorted(file[-5:] for file in files) == ["a.txt", "b.txt", "c.txt"]
    assert [f.name for f in files_below(root, WANTED)] == ["a.txt"]


def test_links_in_circles_and_paths_that_are_too_long_are_left_out(tmp_path, caplog):
    (tmp_path / "a.txt").touch()
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    folders = [os.open(tmp_path, os.O_RDONLY)]
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=folders[-1])
        folders.append(os.open("d" * 250, os.O_RDONLY, dir_fd=folders[-1]))
    assert files_below(tmp_path, WANTED) == [tmp_path / "a.txt"]
    assert "its path is too long" in caplog.text
    for folder in folders[-2::-1]:
        os.rmdir("d" * 250, dir_fd=folder)
    for folder in folders:
        os.close(folder)


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_members_are_read_wherever_they_point_and_nothing_is_extracted(tmp_path, mode):
    link = tarfile.TarInfo("l.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    (tmp_path / "in").mkdir()
    members = {"../a.txt": b"one", "d/b.md": b"no", "c.txt": bytes(MAX_INK_BYTES + 1), "link": link}
    files = {"a.txt": b"one", "c.txt": TOO_LARGE, "l.txt": "a member that is a link or no file"}
    assert unpacked(pack(tmp_path / "in" / "a.tar.gz", members, mode)) == files
    assert [file.name for file in tmp_path.rglob("*")] == ["in", "a.tar.gz"]
    with pytest.raises(DataError, match=r"^a\.txt: two files have this name"):
        unpacked(pack(tmp_path / "a.tar.gz", {"a.txt": b"", "d/a.txt": b""}, mode))


def test_a_small_archive_that_unpacks_to_much_ends_at_the_limit(tmp_path):
    info = tarfile.TarInfo("a.txt")
    for info.size in (1 << 19, 1 << 28, 2**70):  # tarfile looks for the last one's end for years
        with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as stream:
            stream.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(4 << 20))
        with pytest.raises(Fault, match="more than 1,048,576 bytes when it is unpacked; divide it"):
            unpacked(tmp_path / "a.tar.gz", max_bytes=1 << 20)


@pytest.mark.parametrize("keep", [0, 3, 60, 150])
def test_an_archive_cut_short_is_an_error(tmp_path, keep):
    path = pack(tmp_path / "a.tar.gz", {"a.txt": bytes(range(256))})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"a\.tar\.gz: a broken archive .*; download it again"):
        unpacked(path)
    # A plain one is cut between two members, where nothing but its end tells.
    path = pack(path, {f"{n}.txt": b"x" * 600 for n in range(9)}, "w")
    path.write_bytes(path.read_bytes()[: 1536 * 4])
    with pytest.raises(DataError, match="it does not end as tar archives do"):
        unpacked(path)


@pytest.fixture
def root():
    """A folder that any user may read."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o755)
    shutil.rmtree(folder)


def refused(function, *args):
    with without_rights(), pytest.raises(DataError) as caught:
        function(*args)
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o000, 0o111])
@pytest.mark.parametrize("name", SOURCES)
def test_a_folder_that_cannot_be_read_is_named(root, name, mode):
    dataset = getattr(data_loader, name)(root=str(root))
    root.chmod(mode)
    expected = f"{root}: cannot be read (Permission denied)"
    assert refused(dataset.load).startswith(expected)
    assert refused(read_ink, root) == expected


def test_an_inner_folder_that_cannot_be_read_is_named(root):
    """Less data than somebody thinks would be trained on."""
    (root / "a.inkml").write_bytes(ink_formats.inkml())
    (root / "lineStrokes" / "a01").mkdir(parents=True, mode=0o000)
    expected = f"{root}/lineStrokes/a01: cannot be read (Permission denied)"
    for dataset in (InkMLDataset, IAMOnDBDataset):
        assert refused(dataset(root=str(root)).load).startswith(expected)
    assert refused(read_ink, root) == expected


def test_a_file_that_cannot_be_read_is_named(root):
    path = root / "a.inkml"
    path.write_bytes(ink_formats.inkml())
    path.chmod(0)
    expected = "a file that cannot be read (Permission denied)"
    cache = tempfile.mkdtemp(dir=root)
    os.chmod(cache, 0o777)
    dataset = InkMLDataset(root=str(path), cache=cache)
    assert refused(dataset.load) == f"a.inkml: {expected}"
    assert refused(read_ink, path) == f"{path}: {expected}"


def test_a_note_whose_link_leads_nowhere_is_a_file_that_cannot_be_read(tmp_path):
    for name, target in (("a.inkml", "nowhere"), ("b.inkml", "b.inkml"), ("c.txt", "nowhere")):
        (tmp_path / name).symlink_to(tmp_path / target)
    assert [*note_files(tmp_path)] == ["a.inkml", "b.inkml"]


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_an_inner_folder_of_notes_that_cannot_be_read_is_a_file_that_cannot_be_read(root, mode):
    """It is named, and the other notes are found."""
    put(root, {"a.inkml": ink_formats.inkml(), "locked/b.inkml": ink_formats.inkml()})
    (root / "locked").chmod(mode)
    with without_rights():
        assert note_files(root) == {"a.inkml": root / "a.inkml", "locked": root / "locked"}
        with pytest.raises(Fault, match=r"locked: a folder that cannot be read \(Perm"):
            next(formats.read_pages(root / "locked"))
