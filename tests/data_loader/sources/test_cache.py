import errno
import json
import logging
import os
import pickle
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from base.base_dataset import Loaded, Preparing
from base.data import prepared
from base.data.prepared import open_prepared
from base.data.samples import Samples
from data_loader import EmbeddedDataset, InkMLDataset, ShapedDataset, ToldHandsDataset
from data_loader.sources import source
from data_loader.sources.cache import CacheKey, columns_of, derived, version_of
from data_loader.sources.fetching import open_copied
from ink.formats.inkml.lines import write_inkml
from ink.sample import Fault, Parsed, Sample
from utils.checks import DataError
from utils.files import digest_of_file

INK = np.array([[0, 0, 0], [5, -7, 1], [-300, 32767, 0], [1, 2, 1]], dtype=np.float32)
DOT = np.array([[0, 0, 1]], dtype=np.float32)
SAMPLES = [
    Sample(INK, "naïve “text”", "b", "ann", "form1", missing=np.array([0, 3, 0, 127])),
    Sample(DOT, "", "a", ends=False),
]


class Read:
    """Reads blocks, which it keeps; is interrupted at the third if told so."""

    def __init__(self, is_interrupted=False):
        self.blocks, self.is_interrupted = [], is_interrupted

    def __call__(self, block):
        self.blocks.append(block)
        if self.is_interrupted and len(self.blocks) == 3:
            raise KeyboardInterrupt
        return [block]


def make(*folders, blocks=None, read=None, preparing=None, key=None):
    blocks, read = blocks or [Parsed(SAMPLES)], read or Read()
    whole = CacheKey("kind", key or {}, folders, is_sorted=True)
    return columns_of(whole, blocks, read, preparing or Preparing())


def forbidden(block):
    raise AssertionError("the source was read again")


def columns(folder):
    """Return the contents of all files but the locks, by path."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.suffix != ".lock"}


def test_samples_are_read_back_unchanged_and_sorted_by_name(tmp_path):
    first, again = make(tmp_path), make(tmp_path, read=forbidden)
    assert again.folder == first.folder and not again.faults
    for dot, line in (first.all, again.all, pickle.loads(pickle.dumps(again)).all):
        assert (dot.name, dot.text, dot.ink.tolist()) == ("a", "", DOT.tolist())
        assert (line.ink == INK).all() and line.ink.dtype == np.float32
        assert line.missing.tolist() == [0, 3, 0, 127] and line.missing.dtype == np.uint8
        assert (line.text, line.writer, line.group) == ("naïve “text”", "ann", "form1")
        assert (dot.ends, line.ends) == (False, True)
    assert np.load(first.folder / "00000-000/points.npy").dtype["offset"].base == np.int16
    assert make(tmp_path, key={"n": 1}).folder != first.folder


def test_few_files_are_open_however_many_shards_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "SHARD_POINTS", 1)
    monkeypatch.setattr(prepared, "MAX_OPEN", 2)
    lines = [Sample(INK, name=f"n{number}") for number in range(6)]
    samples = make(tmp_path, blocks=[[Parsed([line]) for line in lines]], read=iter).all
    before = len(os.listdir("/proc/self/fd"))
    assert [sample.name for sample in samples] == [sample.name for sample in lines]
    assert len(os.listdir("/proc/self/fd")) <= before + 3 * 3  # of 18


def test_samples_in_files_have_the_same_columns_and_digests_as_samples_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    inks = [rng.integers(-9, 9, (n, 3)).astype(np.float32) for n in range(2, 12)]
    for ink in inks:
        ink[:, 2] = ink[:, 2] > 5
    lines = [Sample(ink, f"t{n}", f"n{9 - n}", f"w{n % 3}") for n, ink in enumerate(inks)]
    blocks = [Parsed(lines[:4]), Parsed(lines[4:])]
    stored, held = make(tmp_path, blocks=blocks).all, Samples.of(lines[::-1])
    for field in ("text", "name", "writer", "group"):
        assert [*stored.strings(field)] == [*held.strings(field)]
    assert stored.lengths.tolist() == held.lengths.tolist() == [*range(11, 1, -1)]
    assert [*stored.moments] == [*held.moments]
    both = [Loaded({"train": sample[2:], "valid": sample[:3]}, "") for sample in (stored, held)]
    for _ in range(2):  # computed, then kept
        for what in ("fingerprints", "ink_sums", "hands", "extras"):
            assert getattr(both[0], what) == getattr(both[1], what)
        assert both[0].character_counts() == both[1].character_counts()
        assert [*both[0].used.strings("name")] == [*both[1].used.strings("name")]
        both[0] = replace(both[0])


def test_extras_are_read_back_and_have_to_be_of_the_same_shapes_in_all_samples(tmp_path):
    moody = [
        replace(sample, extras={"mood": np.float32([n, 0.1]), "age": np.float32(n)})
        for n, sample in enumerate(SAMPLES)
    ]
    dot, line = make(tmp_path, blocks=[Parsed(moody)]).all
    assert dot.extras["mood"].tolist() == np.float32([1, 0.1]).tolist() and line.extras["age"] == 0
    assert {values.dtype for values in line.extras.values()} == {np.dtype(np.float32)}
    with pytest.raises(DataError, match="a has no extras, but b, the first, has mood"):
        make(tmp_path, blocks=[Parsed([moody[0], SAMPLES[1]])], key={"n": 1})
    with pytest.raises(DataError, match=r"00001-000 have the extras {}, earlier shards {.age"):
        make(tmp_path, blocks=[Parsed([moody[0]]), Parsed([SAMPLES[1]])], key={"n": 2})


@pytest.mark.parametrize("offset", [0.1, 1e9, 65000.5, 40000.0])
def test_offsets_that_are_no_small_whole_numbers_keep_their_bits(tmp_path, offset):
    ink = np.float32([[0, 0, 0], [offset, 1, 1]])
    lines = [Sample(ink, "", "a"), Sample(np.asfortranarray(ink), "", "b")]
    for line in lines:  # stored by rows, however its array is
        (sample,) = make(tmp_path / line.name, blocks=[Parsed([line])]).all
        assert (sample.ink == ink).all()


def test_faults_are_kept_with_the_samples_and_data_without_a_sample_are_an_error(tmp_path):
    parsed = Parsed([*SAMPLES, Sample(INK, "again", "a")], [Fault("broken", "so", "bad")])
    for read in (Read(), forbidden):
        result = make(tmp_path, blocks=[parsed], read=read)
        faults = ["a: a name that another sample has", "bad: broken (so)"]
        assert [str(fault) for fault in result.faults] == faults and result.all[0].text == ""
    with pytest.raises(DataError, match=r"^x: broken \(so\)$"):
        make(tmp_path, blocks=[Parsed([], [Fault("broken", "so", "x")])], key={"n": 1})
    faults = [Fault("broken", name="x"), Fault("broken", name="y")]
    with pytest.raises(DataError, match="no sample can be used; 2 are left out: x: broken, y: b"):
        make(tmp_path, blocks=[Parsed([], faults)], key={"n": 2})


def numbered(count):
    return [Parsed([Sample(INK, str(n), f"n{n}")]) for n in range(count)]


def test_an_interrupted_parse_keeps_its_whole_shards_and_ends_in_the_same_bytes(tmp_path):
    whole = make(tmp_path / "whole", blocks=numbered(4)).folder
    read = Read(is_interrupted=True)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "some", blocks=numbered(4), read=read)
    (tmp_path / "some" / whole.name / ".00002-000-7").mkdir()  # as a killed process leaves it
    again = make(tmp_path / "some", blocks=numbered(4), read=read).folder
    assert len(read.blocks) == 5 and columns(again) == columns(whole)


def test_a_block_that_cannot_be_read_back_is_named_and_the_next_try_goes_on(tmp_path, monkeypatch):
    whole = make(tmp_path / "whole", blocks=numbered(3)).folder
    read_json, read = prepared.read_json, Read()

    def fail_at_second(path):
        if path.name == "00001.json" and path.exists():
            raise OSError(errno.EIO, "broken", str(path))
        return read_json(path)

    monkeypatch.setattr(prepared, "read_json", fail_at_second)
    with pytest.raises(DataError, match=r"just written there cannot be read: blocks 1$"):
        make(tmp_path / "some", blocks=numbered(3))
    monkeypatch.undo()
    again = make(tmp_path / "some", blocks=numbered(3), read=read).folder
    assert not read.blocks and columns(again) == columns(whole)


def test_parts_in_any_order_and_several_processes_end_in_the_same_bytes(tmp_path, caplog):
    whole = make(tmp_path / "whole", blocks=numbered(5)).folder
    with caplog.at_level(logging.INFO):
        for part in (3, 1):
            part_of = Preparing(part=part, parts=3)
            assert not make(tmp_path / "parts", blocks=numbered(5), preparing=part_of).all
    assert caplog.messages[-1].endswith("of 5 blocks these are still missing: 1, 4")
    part_of = Preparing(part=2, parts=3)
    parts = make(tmp_path / "parts", blocks=numbered(5), preparing=part_of).folder
    assert columns(parts) == columns(whole)


def test_processes_that_share_the_blocks_end_in_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BLOCK_BYTES", 1)  # so that each file is a block
    for n in range(5):
        write_inkml(tmp_path / f"{n}.inkml", np.float32([[0, 0, 0], [n, 9, 1]]), str(n))
    one, two = (
        InkMLDataset(root=str(tmp_path), cache=str(tmp_path / f"by-{workers}")).make(
            Preparing(workers=workers)
        )
        for workers in (1, 2)
    )
    assert columns(one.folder) == columns(two.folder) and len(two.all) == 5


def cut(file):
    os.truncate(file, 10)


def flipped(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "file", "is_examined"),
    [
        (cut, "00000-000/points.npy", False),
        (os.unlink, "00000-000/strings.npy", False),
        (flipped, "00000-000/points.npy", True),
        (cut, "order.npy", False),
        (os.unlink, "lengths.npy", False),
        (cut, "index.json", False),
        (shutil.rmtree, "00000-000", False),
    ],
)
def test_damaged_part_is_named_and_only_it_is_prepared_again(
    tmp_path, caplog, damage, file, is_examined
):
    folder, read = make(tmp_path, blocks=numbered(3)).folder, Read()
    before = columns(folder)
    damage(folder / file)
    with caplog.at_level(logging.WARNING):
        make(tmp_path, blocks=numbered(3), read=read, preparing=Preparing(is_examined=is_examined))
    named = caplog.text.partition(f"will be rebuilt: {folder}: damaged or missing: ")[2]
    assert file.split("/")[0] in named
    assert len(read.blocks) == ("-" in file) and columns(folder) == before


def test_prepared_data_of_another_version_are_refused_and_say_what_to_do(tmp_path):
    index = make(tmp_path).folder / "index.json"
    index.write_text(index.read_text().replace('"format": ', '"format": 1'))
    with pytest.raises(DataError, match="by another version of the program: prepare the data anew"):
        open_prepared(index.parent)


class Waiting(Read):
    """While it reads, another thread asks for the same data, and has to wait."""

    def __init__(self, folder):
        super().__init__()
        self.folders = []
        self.thread = threading.Thread(
            target=lambda: self.folders.append(make(folder, read=forbidden).folder)
        )

    def __call__(self, block):
        self.thread.start()
        self.thread.join(0.3)
        assert not self.folders
        return super().__call__(block)


def test_source_is_read_once_when_two_prepare_it_at_a_time(tmp_path):
    read = Waiting(tmp_path)
    folder = make(tmp_path, read=read).folder
    read.thread.join()
    assert read.folders == [folder]


@pytest.mark.parametrize("maker", [ShapedDataset, ToldHandsDataset])
def test_what_a_maker_of_the_project_makes_depends_on_its_version_and_no_file(maker, monkeypatch):
    assert version_of(maker) == [1]
    monkeypatch.setattr(maker, "version", 2)
    assert version_of(maker) == [2]


def test_what_a_user_s_maker_makes_depends_on_its_file():
    (version, digest) = version_of(Mine)
    assert version == 1 and digest == digest_of_file(Path(__file__))


class Mine(ShapedDataset):
    pass


def test_samples_derived_of_samples_in_files_are_kept_until_parents_key_or_version_change(
    tmp_path, monkeypatch
):
    parents, read = make(tmp_path).all, Read()
    block = Parsed(SAMPLES, notes=["two", [1, 1]])
    for count, parent, key, version in (
        (1, parents, 1, 1), (1, parents, 1, 1), (2, parents, 2, 1), (3, parents[:1], 2, 1),
        (4, parents[:1], 2, 2), (4, parents[:1], 2, 1),
        (5, Samples.of(SAMPLES), 2, 1), (6, Samples.of(SAMPLES), 2, 1),
    ):  # fmt: skip
        monkeypatch.setattr(ShapedDataset, "version", version)
        samples = (part for _ in [0] for part in read(block))
        lines = derived(ShapedDataset(dataset=EmbeddedDataset()), [parent], samples, [key])
        assert [sample.name for sample in lines.all] == ["b", "a"]
        assert lines.notes == ["two", [1, 1]]
        assert len(read.blocks) == count


def test_the_first_folder_that_can_be_written_is_taken(tmp_path):
    closed, user = tmp_path / "closed", tmp_path / "user"
    closed.write_text("a file stands where the folder should be")
    assert make(user, closed).folder.parent == user
    assert make(closed, user, read=forbidden).folder.parent == user
    with pytest.raises(DataError, match=r'no folder for .*closed \(File exists\).*"cache"'):
        make(closed)


def edited(change):
    def damage(folder):
        index = json.loads((folder / "index.json").read_text())
        change(index)
        (folder / "index.json").write_text(json.dumps(index))

    return damage


def stored(file, change):
    def damage(folder):
        values = np.load(folder / file)
        np.save(folder / file, change(values))

    return damage


def field(name, values):
    def change(rows):
        rows[name] = values
        return rows

    return change


def pipe(name):
    def damage(folder):
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


HOSTILE = {
    "a name": edited(lambda index: index["shards"][0].update(name="../00000-000")),
    "no counts": edited(lambda index: index["shards"][0].update(samples=None)),
    "many samples": edited(lambda index: index["shards"][0].update(samples=10**12)),
    "other files": edited(lambda index: index["shards"][0].update(files={"a": 1})),
    "a step": edited(lambda index: index.update(quantisation_step=[])),
    "faults": edited(lambda index: index.update(faults=[["a", 3]])),
    "a list": lambda folder: (folder / "index.json").write_text("[]"),
    "deep": lambda folder: (folder / "index.json").write_text("[" * 100_000),
    "a pipe as index": pipe("index.json"),
    "a pipe as order": pipe("order.npy"),
    "a pipe as column": pipe("00000-000/points.npy"),
    "an order": stored("order.npy", lambda order: order + 7),
    "a negative order": stored("order.npy", lambda order: -order),
    "numbers as order": stored("order.npy", lambda order: order.astype("f4")),
    "lengths": stored("lengths.npy", np.zeros_like),
    "stops": stored("00000-000/samples.npy", field("stop", [4, 1])),
    "a far stop": stored("00000-000/samples.npy", field("stop", [4, 99])),
    "strings": stored("00000-000/samples.npy", field("strings", 1 << 40)),
    "another column": stored("00000-000/samples.npy", lambda rows: rows["stop"].copy()),
    "objects": lambda folder: np.save(folder / "order.npy", np.array([{}, {}], dtype=object)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_folder_is_refused_with_its_name(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = make(tmp_path).folder
    HOSTILE[kind](folder)
    index = folder / "index.json"
    if kind not in ("a list", "deep") and index.is_file():  # As its maker would say it.
        values = json.loads(index.read_text())
        values["files"] = {file: (folder / file).stat().st_size for file in values["files"]}
        for shard in values["shards"]:
            with suppress(OSError):
                shard["digest"] = prepared.digest_of(folder / shard["name"])
                sizes = {
                    file.name: file.stat().st_size for file in (folder / shard["name"]).iterdir()
                }
                shard["files"] = sizes if kind != "other files" else shard["files"]
        index.write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        print([*InkMLDataset(root=str(folder)).load().used])
    assert str(caught.value).startswith(f"{folder}: damaged") and "\n" not in str(caught.value)


def test_digests_are_compared_once_after_a_folder_was_copied(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, copy = make(tmp_path).folder, tmp_path / "copy"
    assert len(open_copied(folder).all) == 2
    shutil.copytree(folder, copy)
    flipped(copy / "00000-000/points.npy")
    with pytest.raises(DataError, match=f"^{copy}: damaged or missing: 00000-000$"):
        open_copied(copy)
    shutil.copy(folder / "00000-000/points.npy", copy / "00000-000/points.npy")
    assert len(open_copied(copy).all) == 2
    monkeypatch.setattr(prepared, "digest_of", None)  # so that another comparison fails
    assert len(open_copied(copy).all) == len(open_copied(folder).all) == 2


def test_an_index_of_too_many_values_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "MAX_VALUES", 3)
    (tmp_path / "index.json").write_text("[1, 2, 3, 4]")
    assert prepared.read_json(tmp_path / "index.json") == [1, 2, 3, 4]
    (tmp_path / "index.json").write_text("[1, 2, 3, 4, []")
    with pytest.raises(ValueError, match="more than 3 values"):
        prepared.read_json(tmp_path / "index.json")


@pytest.mark.parametrize("text", [b"[1, 2, 3, 4, 5]", b"[" * 100_000])
def test_a_cached_value_that_cannot_be_parsed_is_computed_anew(tmp_path, monkeypatch, text):
    samples = make(tmp_path).all
    monkeypatch.setattr(prepared, "MAX_VALUES", 3)
    assert samples.cached("x", lambda: [7]) == [7]
    (file,) = tmp_path.rglob("x-*.npy")
    np.save(file, np.array(text))
    assert samples.cached("x", lambda: [8]) == [8]
    np.save(file, np.array(5))
    assert samples.cached("x", lambda: [9]) == samples.cached("x", lambda: [10]) == [9]


def test_each_file_of_an_index_is_looked_at_once(tmp_path, monkeypatch):
    folder, names = make(tmp_path).folder, []
    have_sizes = prepared._have_sizes
    monkeypatch.setattr(prepared, "_have_sizes", lambda f, s: names.extend(s) or have_sizes(f, s))
    open_prepared(folder)
    assert len(names) == len({*names}) and "order.npy" in names
