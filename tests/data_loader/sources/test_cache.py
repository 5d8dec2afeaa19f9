import errno
import logging
import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

from data_loader.sources.cache import collect, fingerprint, load_or_make, pack, places, unpack
from data_loader.sources.parsing import Fault, Sample
from utils.checks import DataError

INK = np.array([[0, 0, 0], [5, -7, 1], [-300, 32767, 0], [1, 2, 1]], dtype=np.float32)
DOT = np.array([[0, 0, 1]], dtype=np.float32)
SAMPLES = [
    Sample(INK, "naïve “text”", "b", "ann", "form1", missing=np.array([0, 3, 0, 127])),
    Sample(DOT, "", "a"),
]


def make(folder, samples=SAMPLES, key=None, **options):
    return load_or_make("kind", [Path(folder)], key or {}, lambda: samples, **options)


def cache_of(folder, **options):
    return make(folder, **options)[-1]


def forbidden():
    raise AssertionError("the source was read again")


def files(folder):
    return [path for path in Path(folder).iterdir() if path.suffix != ".lock"]


def test_samples_come_back_as_they_were_sorted_by_name(tmp_path):
    made, _, file = make(tmp_path)
    read, faults, again = load_or_make("kind", [tmp_path], {}, forbidden)
    assert again == file and files(tmp_path) == [file] and not faults
    for samples in (made, read, pickle.loads(pickle.dumps(read))):
        dot, line = samples
        assert (dot.name, dot.text, dot.ink.tolist()) == ("a", "", DOT.tolist())
        assert (line.ink == INK).all() and line.ink.dtype == np.float32
        assert line.missing.tolist() == [0, 3, 0, 127] and line.missing.dtype == np.uint8
        assert (line.text, line.writer, line.group) == ("naïve “text”", "ann", "form1")
    assert np.load(file)["offsets"].dtype == np.int16


def test_another_key_makes_another_cache(tmp_path):
    assert cache_of(tmp_path, key={"n": 1}) != cache_of(tmp_path, key={"n": 2})


def test_fingerprint_changes_with_each_file(tmp_path):
    file, other = tmp_path / "one", tmp_path / "two"
    file.write_text("a")
    first = fingerprint([file], tmp_path)
    assert first == fingerprint([file], tmp_path)
    os.utime(file, ns=(0, 0))
    touched = fingerprint([file], tmp_path)
    file.write_text("ab")
    os.utime(file, ns=(0, 0))
    longer = fingerprint([file], tmp_path)
    other.write_text("")
    assert len({first, touched, longer, fingerprint([file, other], tmp_path)}) == 4


def test_strict_makes_what_is_left_out_an_error_also_for_a_cache(tmp_path):
    found = [*SAMPLES, Sample(INK, "again", "a"), Fault("broken", "so", "bad")]
    samples, faults, _ = make(tmp_path, found)
    said = ["a: a name that another sample has", "bad: broken (so)"]
    assert [str(fault) for fault in faults] == said and samples[0].text == ""
    with pytest.raises(DataError, match=r'^a: a name .*, and 1 more; without "strict": true it'):
        make(tmp_path, found, strict=True)
    with pytest.raises(DataError, match=r"^a: a name that another sample has; without"):
        make(tmp_path / "strict", found, strict=True)
    assert not files(tmp_path / "strict")


def test_offsets_that_are_not_whole_are_kept_as_they_are():
    ink = np.array([[0, 0, 0], [0.1, -70_000.5, 0], [2.5, 1e-9, 1]], dtype=np.float32)
    for one in (ink, np.rint(ink)):
        ((sample,), _) = unpack(pack([Sample(one, "text")], []))
        assert (sample.ink == one).all()


def test_nothing_whole_is_an_error():
    with pytest.raises(DataError, match=r"^x: broken \(so\)$"):
        collect([Fault("broken", "so", "x")])
    with pytest.raises(DataError, match="no sample can be used; 2 are left out: x: broken, y: b"):
        collect([Fault("broken", name="x"), Fault("broken", name="y")])


def test_names_of_undecodable_bytes_can_be_printed(tmp_path):
    (sample,), _, _ = make(tmp_path, [Sample(INK, "", "a\udcff", group="\udcff")])
    assert (sample.name, sample.group) == ("a\\udcff", "\\udcff")


def test_an_interrupted_parse_leaves_nothing(tmp_path):
    def read():
        yield SAMPLES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_or_make("kind", [tmp_path], {}, read)
    assert not files(tmp_path)
    file = cache_of(tmp_path)
    file.rename(file.with_name(f".{file.stem}.npz.7-00000000.tmp"))  # as a killed process leaves it
    assert files(tmp_path) != [file] and cache_of(tmp_path) == file and files(tmp_path) == [file]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path, monkeypatch, call):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DataError, match=r"cannot write the cache .*No space left on device"):
        make(tmp_path)
    monkeypatch.undo()
    assert not files(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, -1, "kind of compression"])
def test_a_damaged_cache_is_rebuilt(tmp_path, caplog, keep):
    file = cache_of(tmp_path)
    data = bytearray(file.read_bytes())
    if keep == 0.5:
        data[len(data) // 2] ^= 1
    elif keep == "kind of compression":
        data[data.index(b"PK\1\2") + 10] = 99
    else:
        del data[keep:]
    file.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert (make(tmp_path)[0][1].ink == INK).all()
    assert "is damaged and will be rebuilt" in caplog.text
    assert (load_or_make("kind", [tmp_path], {}, forbidden)[0][1].ink == INK).all()


def test_of_two_at_a_time_one_reads_the_source(tmp_path):
    other = []

    def read():
        second.start()
        second.join(0.3)
        assert not other  # it waits
        return SAMPLES

    second = threading.Thread(
        target=lambda: other.append(load_or_make("kind", [tmp_path], {}, forbidden))
    )
    made = load_or_make("kind", [tmp_path], {}, read)
    second.join()
    assert made[-1] == other[0][-1]


def test_cache_lies_beside_the_data_or_where_it_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    root, closed = tmp_path / "data", tmp_path / "closed"
    assert places(root, str(tmp_path / "own")) == [tmp_path / "own"]
    beside, user = places(root, None)
    assert beside == root / "cache" and user.parent == tmp_path / "user"
    assert load_or_make("kind", [beside, user], {}, lambda: SAMPLES)[-1].parent == beside
    closed.mkdir()
    (closed / "cache").write_text("a file stands where the folder should be")
    found = load_or_make("kind", places(closed, None), {}, lambda: SAMPLES)
    assert found[-1].parent == user
    assert load_or_make("kind", places(closed, None), {}, forbidden)[-1] == found[-1]


def test_without_a_home_the_cache_lies_in_a_temporary_folder(homeless, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed").write_text("a file stands where the data should be")
    *_, file = load_or_make("kind", places(tmp_path / "closed", None), {}, lambda: SAMPLES)
    assert file.is_relative_to(homeless) and not (tmp_path / "~").exists()


def test_no_place_that_can_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r'no folder for the cache.*file \(File exists\).*"cache"'):
        make(tmp_path / "file")
