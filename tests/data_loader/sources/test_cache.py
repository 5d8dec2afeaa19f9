import errno
import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_loader.sources import cache as module
from data_loader.sources.cache import (
    FIELDS,
    Cache,
    Rejected,
    Sample,
    fingerprint,
    left_out,
    load_or_make,
    places,
)
from utils.checks import DataError

INK = np.array([[0, 0, 0], [5, -7, 1], [-300, 32767, 0], [1, 2, 1]], dtype=np.float32)
DOT = np.array([[0, 0, 1]], dtype=np.float32)
SAMPLES = [
    Sample("b", INK, "naïve “text”", np.array([0, 3, 0, 127]), "ann", "form1"),
    Sample("a", DOT, ""),
]


def make(folder, samples=SAMPLES, key=None, **options):
    return load_or_make("kind", [Path(folder)], key or {}, lambda: samples, **options)


def forbidden():
    raise AssertionError("the source was read again")


def test_samples_come_back_as_they_were_sorted_by_name(tmp_path):
    cache = make(tmp_path)
    assert [cache.string("names", n) for n in range(len(cache))] == ["a", "b"]
    assert cache.lengths.tolist() == [1, 4]
    assert (cache.ink(1) == INK).all() and cache.ink(1).dtype == np.float32
    assert (cache.ink(0) == DOT).all()
    assert cache.missing(1).tolist() == [0, 3, 0, 127] and cache.missing(1).dtype == np.uint8
    assert cache.missing(0).tolist() == [0]
    assert [cache.string(field, 1) for field in ("texts", "writers", "groups")] == [
        "naïve “text”",
        "ann",
        "form1",
    ]
    assert cache.string("texts", 0) == ""


def test_files_open_memory_mapped_without_pickle_and_are_small(tmp_path):
    rng = np.random.default_rng(0)
    samples = []
    for n in range(50):  # lines of the size of those of IAM-OnDB: 628 points, 25 strokes
        ink = np.rint(rng.normal(8, 40, (628, 3)))
        ink[:, 2] = rng.random(628) < 25 / 628
        missing = (rng.random(628) < 0.002) * 3
        samples.append(Sample(f"a01-000u-{n:02}", ink, "x" * 29, missing, group="a01-000u"))
    folder = make(tmp_path, samples).folder
    arrays = {
        file.name: np.load(file, mmap_mode="r", allow_pickle=False) for file in folder.glob("*.npy")
    }
    assert arrays["offsets.npy"].dtype == np.int16 and len(arrays) == 2 * len(FIELDS)
    assert sum(array.nbytes for array in arrays.values()) / (50 * 628) < 5


def test_a_second_run_does_not_read_the_source(tmp_path):
    make(tmp_path)
    again = load_or_make("kind", [tmp_path], {}, forbidden)
    assert (again.ink(1) == INK).all()


def test_another_key_makes_another_cache(tmp_path):
    first, other = make(tmp_path, key={"n": 1}), make(tmp_path, SAMPLES[:1], key={"n": 2})
    assert first.folder != other.folder and (len(first), len(other)) == (2, 1)


def test_a_cache_of_another_format_is_not_used(tmp_path, monkeypatch):
    folder = make(tmp_path).folder
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    assert make(tmp_path).folder != folder


def test_fingerprint_changes_with_each_file(tmp_path):
    file, other = tmp_path / "one", tmp_path / "two"
    file.write_text("a")
    first = fingerprint([file], tmp_path)
    assert first["files"] == 1 and first == fingerprint([file], tmp_path)
    os.utime(file, ns=(0, 0))
    touched = fingerprint([file], tmp_path)
    file.write_text("ab")
    os.utime(file, ns=(0, 0))
    longer = fingerprint([file], tmp_path)
    other.write_text("")
    more = fingerprint([file, other], tmp_path)
    assert len({entry["sha256"] for entry in (first, touched, longer, more)}) == 4


def test_pickles_as_its_path(tmp_path):
    cache = make(tmp_path)
    data = pickle.dumps(cache)
    assert len(data) < 500
    assert (pickle.loads(data).ink(1) == INK).all()


@pytest.mark.parametrize(
    ("ink", "reason"),
    [
        (np.zeros((0, 3)), "no points"),
        ([[0, 0, 0], [np.nan, 0, 1]], "a non-number among the points"),
        ([[0, 0, 0], [0.5, 0, 1]], "offsets that are not whole numbers"),
        ([[0, 0, 0], [0, -40_000, 1]], "an offset longer than 32767 (40000)"),
    ],
)
def test_samples_that_do_not_fit_are_left_out_and_named(tmp_path, ink, reason):
    samples = [*SAMPLES, Sample("bad", np.array(ink, dtype=float), "text")]
    cache = make(tmp_path, samples)
    assert len(cache) == 2
    assert [str(entry) for entry in cache.rejected] == [f"bad: {reason}"]
    with pytest.raises(DataError, match=r'bad: .*without "strict": true it would be left out'):
        make(tmp_path / "strict", samples, strict=True)
    assert not list((tmp_path / "strict").iterdir())


def test_strict_holds_for_a_cache_that_was_made_without(tmp_path):
    samples = [*SAMPLES, Rejected("bad", "broken"), Rejected("worse", "broken")]
    make(tmp_path, samples)
    with pytest.raises(DataError, match="bad: broken, and 1 more; without"):
        make(tmp_path, samples, strict=True)


def test_a_name_that_stands_twice_is_left_out(tmp_path):
    cache = make(tmp_path, [*SAMPLES, Sample("a", INK, "again")])
    assert [str(entry) for entry in cache.rejected] == ["a: a name that another sample has"]
    assert cache.string("texts", 0) == ""


def test_offsets_that_are_not_whole_are_kept_where_that_is_asked_for(tmp_path):
    ink = np.array([[0, 0, 0], [0.1, -70_000.5, 0], [2.5, 1e-9, 1]], dtype=np.float32)
    cache = make(tmp_path, [Sample("a", ink, "text")], whole=False)
    assert (cache.ink(0) == ink).all() and cache.all("offsets").dtype == np.float32
    assert (Cache(cache.folder).ink(0) == ink).all()
    far = ink * np.float32([1, 1e6, 1])
    cache = make(tmp_path / "far", [Sample("a", ink, ""), Sample("b", far, "")], whole=False)
    assert str(cache.rejected[0]) == "b: an offset longer than 1e+09 (7.00005e+10)"


def test_nothing_whole_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no sample can be used; 1 are left out: x: broken \(so\)"):
        make(tmp_path, [Rejected("x", "broken", "so")])
    assert not list(tmp_path.iterdir())


def test_report_counts_by_reason_and_names_the_first():
    rejected = [Rejected(f"n{n}", "broken", f"line {n}") for n in range(5)] + [
        Rejected("x", "empty")
    ]
    assert left_out(rejected) == [
        "5 left out: broken: n0 (line 0), n1 (line 1), n2 (line 2), ...",
        "1 left out: empty: x",
    ]


def test_an_interrupted_parse_leaves_nothing(tmp_path):
    def read():
        yield SAMPLES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_or_make("kind", [tmp_path], {}, read)
    assert not list(tmp_path.iterdir())
    assert len(make(tmp_path)) == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills with a signal of POSIX")
def test_what_a_killed_parse_left_is_removed_by_the_next(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from data_loader.sources.cache import load_or_make\n"
        "def read():\n    print('reading', flush=True); time.sleep(60); yield\n"
        "load_or_make('kind', [Path(sys.argv[1])], {}, read)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(module.__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"reading\n"
        partial = list(tmp_path.iterdir())
        assert len(partial) == 1
        # The parse of a process that lives is left alone, however long it takes.
        os.utime(partial[0], (time.time() - 3700,) * 2)
        make(tmp_path / "other")
        assert len(make(tmp_path)) == 2 and partial[0].exists()
        child.send_signal(signal.SIGKILL)
    cache = make(tmp_path, key={"another": 1})
    assert not partial[0].exists() and len(cache) == 2


def test_what_another_machine_left_is_removed_after_an_hour(tmp_path):
    old, new = tmp_path / ".elsewhere.7.partial", tmp_path / ".elsewhere.8.partial"
    old.mkdir()
    new.mkdir()
    os.utime(old, (time.time() - 3700,) * 2)
    make(tmp_path)
    assert not old.exists() and new.exists()


@pytest.mark.parametrize("call", ["save", "fsync", "rename"])
def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path, monkeypatch, call):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    target = {"save": np, "fsync": os, "rename": os}[call]
    monkeypatch.setattr(target, call, full)
    with pytest.raises(DataError, match=r"cannot write the cache .*No space left on device"):
        make(tmp_path)
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["truncate", "remove", "meta"])
def test_a_damaged_cache_is_rebuilt(tmp_path, caplog, damage):
    folder = make(tmp_path).folder
    if damage == "truncate":
        data = (folder / "offsets.npy").read_bytes()
        (folder / "offsets.npy").write_bytes(data[:-2])
    elif damage == "remove":
        (folder / "texts_starts.npy").unlink()
    else:
        meta = json.loads((folder / "meta.json").read_text())
        (folder / "meta.json").write_text(json.dumps({**meta, "samples": 3}))
    with pytest.raises((OSError, ValueError)):
        Cache(folder)
    with caplog.at_level(logging.WARNING):
        assert (make(tmp_path).ink(1) == INK).all()
    assert "is damaged and will be rebuilt" in caplog.text
    assert list(tmp_path.iterdir()) == [folder]


def test_a_process_that_was_faster_wins(tmp_path):
    own = f".{socket.gethostname()}.{os.getpid()}.partial"
    first = []

    def slow():
        # Two processes have two ids; here one plays both.
        (tmp_path / own).rename(tmp_path / ".x")
        first.append(make(tmp_path))
        (tmp_path / ".x").rename(tmp_path / own)
        return SAMPLES

    cache = load_or_make("kind", [tmp_path], {}, slow)
    assert cache.folder == first[0].folder and list(tmp_path.iterdir()) == [cache.folder]


def test_cache_lies_beside_the_data_or_where_it_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    root = tmp_path / "data"
    root.mkdir()
    assert places(root, str(tmp_path / "own")) == [tmp_path / "own"]
    beside, user = places(root, None)
    assert beside == root / "cache" and user.parent == tmp_path / "user"
    assert load_or_make("kind", [beside, user], {}, lambda: SAMPLES).folder.parent == beside

    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "cache").write_text("a file stands where the folder should be")
    found = load_or_make("kind", places(closed, None), {}, lambda: SAMPLES)
    assert found.folder.parent == user
    assert load_or_make("kind", places(closed, None), {}, forbidden).folder == found.folder


def test_without_a_home_the_cache_lies_in_a_temporary_folder(homeless, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    closed = tmp_path / "closed"
    closed.write_text("a file stands where the data should be")
    cache = load_or_make("kind", places(closed, None), {}, lambda: SAMPLES)
    assert cache.folder.is_relative_to(homeless) and not (tmp_path / "~").exists()


def test_no_place_that_can_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r'no folder for the cache.*file \(File exists\).*"cache"'):
        make(tmp_path / "file")
