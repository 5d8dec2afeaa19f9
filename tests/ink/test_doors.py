"""Whatever reads files from elsewhere asks the guard, and opens only regular files."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import commands.notes
from apps import notes
from apps.notes.corrections import Corrections
from base.base_dataset import Preparing
from base.run.checkpoint import load_checkpoint
from data_loader import (
    IAMOnDBDataset,
    InkMLDataset,
    MNISTStrokesDataset,
    StrokeArraysDataset,
    UnipenDataset,
)
from data_loader.synthetic.composed.alignment import Alignment
from ink import guard
from ink.guard import children
from ink.reading import read_ink
from ink.sample import Fault
from logger.metrics_csv import read_rows
from tests.data_loader import ink_formats
from tests.data_loader.archives import pack, put
from tests.ink.formats.note_files import xopp
from utils.checks import UserError
from utils.files import read_bytes, read_text

LINE = ink_formats.inkml()
DIGITS = {
    f"{kind}img-{n}-inputdata.txt": ink_formats.mnist()
    for kind in ("train", "test")
    for n in (1, 2, 3)
}
DIGITS |= {
    name.replace("input", "target"): ink_formats.target(n % 3) for n, name in enumerate(DIGITS)
}
DATA = {f"data/7/abc/{n}": ink_formats.unipen([f"{n}"]) for n in range(9)} | {"include/a": b""}
TABLE = {
    "names": np.zeros(1, np.uint8),
    "characters": np.zeros(0, np.uint16),
    "counts": np.zeros(0),
}


def lines(root, content, count=9, suffix="inkml"):
    return put(root, {f"{number}.{suffix}": content for number in range(count)})


def dataset(kind, make, **options):
    def load(root):
        make(root)
        return len(kind(root=str(root), cache=str(root.parent / "cache"), **options).load().used)

    return load


def corrections(root):
    put(root, {"a.json": json.dumps({"format": 1, "corrections": []}).encode()})
    return not Corrections(root).all


def titles(root):
    put(root, {"a.content": b"{}", "a.metadata": b'{"visibleName": "Diary"}'})
    return "Diary" in notes.note_files(root)


def a_note(root):
    return len([*notes.read_pages(put(root, {"a.xopp": xopp()}) / "a.xopp")])


def a_table(root):
    np.savez(root / "a.npz", names=np.zeros(1, np.uint8))
    with pytest.raises(UserError, match="alignment"):
        Alignment.load(root / "a.npz")
    return True


DOORS = {
    "a line": lambda root: read_ink(put(root, {"a.inkml": LINE}) / "a.inkml"),
    "a folder": lambda root: read_ink(lines(root, LINE)),
    "InkML": dataset(InkMLDataset, lambda root: lines(root, LINE)),
    "stroke arrays": dataset(
        StrokeArraysDataset,
        lambda root: put(root, {"strokes.npy": ink_formats.arrays([ink_formats.STROKES] * 9)}),
        texts=None,
    ),
    "UNIPEN": dataset(UnipenDataset, lambda root: lines(root, ink_formats.unipen(), 9, "dat")),
    "a collection": dataset(UnipenDataset, lambda root: put(root, DATA)),
    "an archive": dataset(UnipenDataset, lambda root: pack(root / "u.tar.gz", DATA)),
    "digits": dataset(MNISTStrokesDataset, lambda root: pack(root / "sequences.tar.gz", DIGITS)),
    "notes": a_note,
    "titles of notes": titles,
    "corrections": corrections,
    "a table": a_table,
    "any file": lambda root: guard.read(put(root, {"a.inkml": LINE}) / "a.inkml"),
}


@pytest.mark.parametrize("kind", DOORS)
def test_it_asks_the_guard_for_all_that_it_parses(tmp_path, monkeypatch, kind):
    asked, child = [], children.take
    monkeypatch.setattr(children, "take", lambda: asked.append(1) or child())
    (tmp_path / "in").mkdir()
    assert DOORS[kind](tmp_path / "in")
    assert asked


PIPES = {
    "text": read_text,
    "bytes": read_bytes,
    "ink": read_ink,
    "notes": lambda path: [*notes.read_pages(path)],
    "checkpoint": load_checkpoint,
    "metrics": read_rows,
    "table": Alignment.load,
    "any file": guard.read,
    "leave_out": lambda path: InkMLDataset(
        root=str(lines(path.parent / "in", LINE)), leave_out=str(path)
    ).load(),
    "corrections": lambda path: Corrections(path.parent),
    "line": lambda path: InkMLDataset(root=str(path)).load(),
    "digits": lambda path: MNISTStrokesDataset(root=str(path)).load(),
    "IAM-OnDB": lambda path: IAMOnDBDataset(root=str(path.parent)).load(),
}
NAMES = {"corrections": "corrections.json"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("kind", PIPES)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, kind):
    path = tmp_path / NAMES.get(kind, "a.inkml")
    os.mkfifo(path)
    error = []

    def use():
        try:
            PIPES[kind](path)
        except (UserError, OSError) as caught:
            error.append(caught)

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(30)
    if thread.is_alive():
        Path(path).open("wb").close()  # It waits for a writer.
        thread.join()
        pytest.fail("it waits for the pipe")
    assert error and "\n" not in str(error[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="workers inherit the function of this test")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_ends_its_process_is_left_out_of_a_folder(tmp_path, monkeypatch, workers):
    def call(function, item, **_):
        if item[0] == "trainimg-1-inputdata.txt":
            raise Fault("ends the process that parses it")
        return function(item)

    monkeypatch.setattr(guard, "call", call)
    put(tmp_path, DIGITS)
    digits = MNISTStrokesDataset(root=str(tmp_path), cache=str(tmp_path / "cache"))
    parsed = digits.make(Preparing(workers=workers))
    assert len(parsed.all) == 5
    assert [str(f) for f in parsed.faults] == ["trainimg-1: ends the process that parses it"]


def test_the_command_of_notes_asks_the_guard_for_titles():
    assert commands.notes.note_files is guard.note_files


def test_documents_whose_titles_exceed_a_limit_are_listed_with_the_other_notes(
    tmp_path, monkeypatch
):
    def iterate(function, paths):
        yield next(function(paths))
        raise Fault("takes more than 20 s by the clock to parse")

    monkeypatch.setattr(guard, "iterate", iterate)
    put(tmp_path, {"a.metadata": json.dumps({"visibleName": "Diary"}).encode(), "c.xopp": xopp()})
    put(tmp_path, {"a.content": b"{}", "b.content": b"{}"})
    assert {*guard.note_files(tmp_path)} == {"Diary", "b", "c.xopp"}
