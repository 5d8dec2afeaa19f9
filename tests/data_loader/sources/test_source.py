import gzip
import re
import tarfile

import numpy as np
import pytest

from data_loader.sources.archives import members
from data_loader.sources.files import files_below, read_file
from data_loader.sources.parsing import Fault, clean_text, decode
from data_loader.sources.splits import divide, official_split
from data_loader.sources.stroke_arrays import StrokeArraysDataset
from tests.data_loader.archives import link, pack
from utils.checks import ConfigFault, DataError

FRACTIONS = {"train": 0.8, "valid": 0.1, "test": 0.1}
WANTED = re.compile(r"\w+\.txt")


def unpacked(path, most=1000, count=100, total=1 << 20):
    return dict(members(path, WANTED, most, count, total, ""))


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


def test_files_are_found_in_order_without_hidden_ones_and_caches(tmp_path):
    for name in ("b.txt", "s/a.txt", "s/.a.txt", "cache/c.txt", ".h/d.txt", "e.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    found = [file.relative_to(tmp_path).as_posix() for file in files_below(tmp_path, "*.txt", 9)]
    assert found == ["b.txt", "s/a.txt"]
    with pytest.raises(DataError, match=r"more than 1 files \(the limit max_members\)"):
        files_below(tmp_path, "*", 1)


def test_read_file_stops_at_the_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_file(tmp_path / "a", 5) == b"12345"
    with pytest.raises(Fault) as caught:
        read_file(tmp_path / "a", 4)
    assert str(caught.value.of("a")) == "a: more than 4 bytes (the limit max_bytes) (5)"
    with pytest.raises(Fault, match="cannot be read"):
        read_file(tmp_path, 5)


def test_decoding_names_the_line_and_texts_stand_on_one():
    assert decode("\ufeffé".encode()) == "é"
    with pytest.raises(Fault) as caught:
        decode(b"one\ntwo \xff")
    assert str(caught.value.of("a")) == "a: not UTF-8 text (byte 0xff in line 2)"
    assert clean_text(" one\n two\t") == "one two"
    assert clean_text("می‌خواهم") == "می‌خواهم"  # holds a joiner, which is no printable character
    with pytest.raises(Fault, match="control characters"):
        clean_text("a\x00b")


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("pendigits-train", "train"),
        ("test/a.dat", "test"),
        ("validation.unp", "valid"),
        ("Training_1", "train"),
        ("contest.dat", ""),
        ("trainer", ""),
        ("train/test.dat", ""),
    ],
)
def test_splits_that_names_of_files_tell(path, split):
    assert official_split(path) == split


def names(count, start="n"):
    return [f"{start}{n}" for n in range(count)]


def test_division_by_hash_moves_nobody_and_keeps_writers_together():
    writers = [f"w{n % 40}" for n in range(2000)]
    few, _ = divide(names(1000), writers[:1000], [""] * 1000, FRACTIONS)
    many, notes = divide(names(2000), writers, [""] * 2000, FRACTIONS)
    assert not notes
    for split in FRACTIONS:
        assert set(few[split].tolist()) <= set(many[split].tolist())
        assert not {writers[n] for n in many[split]} & {
            writers[n] for other in FRACTIONS if other != split for n in many[other]
        }


def test_division_as_the_source_has_it_takes_the_rest_from_training():
    official = ["train"] * 1000 + ["test"] * 300
    found, notes = divide(names(1300), [""] * 1300, official, FRACTIONS)
    assert found["test"].tolist() == list(range(1000, 1300))
    assert 60 < len(found["valid"]) < 140 and found["valid"].max() < 1000
    assert len(found["train"]) + len(found["valid"]) == 1000
    assert notes == ["the splits test, train are the source's; valid by hash from train"]
    found, _ = divide(names(9), [""] * 9, ["test"] * 9, FRACTIONS)  # nothing says what trains
    assert sum(map(len, found.values())) == 9 and len(found["train"])


def test_few_samples_leave_no_split_empty_and_one_writer_is_divided_by_name():
    for count in range(3, 12):
        found, _ = divide(names(count), [""] * count, [""] * count, FRACTIONS)
        assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(count))
        assert all(len(part) for part in found.values())
    found, notes = divide(names(500), ["me"] * 500, [""] * 500, FRACTIONS)
    assert 20 < len(found["valid"]) < 80
    assert notes == ["fewer writers than splits: divided by the samples' names"]


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.9, "val": 0.1}, "'val' .* one of train, valid, test"),
        ({"train": 1.0}, "more than 0 for train and for valid"),
        ({"train": 0.8, "valid": 0.1}, "together 1"),
    ],
)
def test_fractions_that_do_not_fit_are_refused(fractions, message):
    with pytest.raises(ConfigFault, match=message):
        StrokeArraysDataset(fractions=fractions)


def test_a_fault_quotes_no_more_of_a_file_than_fits_on_a_line():
    long = Fault("a non-number", f"point 3 is {'9' * 10**5!r}").of("line.xml")
    assert "point 3 is '999" in str(long) and len(str(long)) < 300
    assert str(Fault("a non-number", "point 3 is 'x'").of("line.xml")).endswith("(point 3 is 'x')")
