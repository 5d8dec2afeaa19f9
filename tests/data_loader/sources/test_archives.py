import gzip
import re
import tarfile

import pytest

from data_loader.sources.archives import Limits, members
from tests.data_loader.archives import link, pack
from utils.checks import DataError

WANTED = re.compile(r"\w+\.txt")


def unpacked(path, most=1000, count=100, total=1 << 20):
    return dict(members(path, WANTED, Limits(most, count, total), ""))


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_members_are_read_and_nothing_else_is(tmp_path, mode):
    path = pack(tmp_path / "a.tar.gz", {"d/a.txt": b"one", "d/b.md": b"no", "c.txt": b""}, mode)
    assert unpacked(path) == {"a.txt": b"one", "c.txt": b""}
    assert [file.name for file in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("name", ["../out.txt", "d/../../out.txt", "/out.txt", "..\\out.txt"])
def test_members_that_point_outside_are_named_and_never_written(tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    found = unpacked(pack(folder / "a.tar.gz", {name: b"evil", "a.txt": b"one"}))
    assert found["a.txt"] == b"one"
    assert str(found[""]) == f"{name}: a member outside of the archive"
    assert not list(tmp_path.rglob("out.txt"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_archives_are_named(tmp_path, kind):
    found = unpacked(pack(tmp_path / "a.tar.gz", {"l": link("l.txt", "/etc/passwd", kind)}))
    assert found[""].reason == "a member that is a link"


def test_limits_of_archives_are_named(tmp_path):
    path = pack(tmp_path / "a.tar.gz", {"a.txt": b"x" * 2000, "b.txt": b"two"})
    found = unpacked(path)
    assert str(found["a.txt"]) == "a.txt: more than 1,000 bytes (the limit max_bytes) (2,000)"
    assert found["b.txt"] == b"two"
    with pytest.raises(DataError, match=r"more than 1 members \(the limit max_members\)"):
        unpacked(path, count=1)
    with pytest.raises(DataError, match=r"5,000 bytes unpacked \(the limit max_archive_bytes\)"):
        unpacked(path, total=5000)


def test_a_small_archive_that_unpacks_to_much_ends_at_the_limit(tmp_path):
    path = tmp_path / "a.tar.gz"
    info = tarfile.TarInfo("a.txt")
    info.size = 1 << 28
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(info.tobuf())
        for _ in range(4):
            stream.write(bytes(1 << 20))
    with pytest.raises(DataError, match="1,048,576 bytes unpacked"):
        unpacked(path)


def test_headers_that_would_fill_the_memory_are_refused(tmp_path):
    path = tmp_path / "a.tar"
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    path.write_bytes(info.tobuf() + bytes(4096))
    with pytest.raises(DataError, match=r"a broken archive \(a header of 4,294,967,296 bytes\)"):
        unpacked(path)


@pytest.mark.parametrize("keep", [0, 3, 60, 150])
def test_an_archive_cut_short_is_an_error(tmp_path, keep):
    path = pack(tmp_path / "a.tar.gz", {"a.txt": bytes(range(256))})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"a\.tar\.gz: a broken archive"):
        unpacked(path)
