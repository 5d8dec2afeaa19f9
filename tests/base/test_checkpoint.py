"""Checkpoints are whole or refused, and never run code."""

import copy
import errno
import math
import os
import pickle
import re
import struct
import time
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from base.checkpoint import (
    BEST,
    FORMAT,
    checkpoint_name,
    checkpoints,
    find_checkpoint,
    like,
    load_checkpoint,
    load_weights,
    newest_checkpoint,
    save_checkpoint,
)
from base.pretrained import pretrained
from utils import files
from utils.checks import CheckpointError


def content(value: float = 1.0) -> dict:
    return {
        "format": FORMAT,
        "config": {"name": "x"},
        "state_dict": {"weight": torch.full((50, 50), value)},
        "alphabet": None,
        "normalisation": {"mean": [0.0, 0.0], "std": [1.0, 1.0]},
        "epoch": 3,
    }


class Call:
    """Is pickled as the call of a function."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_round_trip(tmp_path):
    path = tmp_path / checkpoint_name(3)
    whole = torch.arange(12.0)  # on a GPU the weights of a recurrent layer are views of one tensor
    weights = {"a": whole[:4].view(2, 2), "b": whole[4:].view(2, 4).t()}
    saved = content() | {"values": [1, 2.5, None, True, ("a", "b")], 7: float("inf")}
    save_checkpoint(path, saved | {"state_dict": weights})
    loaded = load_checkpoint(path)
    assert all(torch.equal(loaded["state_dict"][name], weights[name]) for name in weights)
    assert loaded["values"] == saved["values"] and loaded[7] == float("inf")
    assert torch.load(path, weights_only=True)["epoch"] == 3


def test_names_sort_by_epoch_then_step_with_the_epochs_end_last(tmp_path):
    order = [
        checkpoint_name(2),
        checkpoint_name(10, 950),
        checkpoint_name(10, 1000),
        checkpoint_name(10),
    ]
    assert order[1:3] == ["checkpoint-epoch10-step950.pth", "checkpoint-epoch10-step1000.pth"]
    for name in [*reversed(order), "checkpoint-epoch11.pth.tmp", "checkpoint-epochX.pth", BEST]:
        (tmp_path / name).touch()
    assert [path.name for path in checkpoints(tmp_path)] == order[::-1]


KEYS = b"".join(b"M" + struct.pack("<H", key) + b"N" for key in range(10_000))
FILLED = b"}q\x01(" + KEYS + b"u"
"""The pickle of a dictionary of 10,000; below, copies of it: how often, is the file's choice."""
ORDERED, COUNTER = b"ccollections\nOrderedDict\n", b"ccollections\nCounter\n"
PICKLES = {
    "copied": ORDERED + b"h\x01\x85R",
    "copied again": COUNTER + b"h\x01(u\x85R",
    "copied into attributes": ORDERED + b")Rh\x01(ub",
    "copied as a tuple": ORDERED + b"(h\x01tR",
    "made anew": ORDERED + b"h\x01\x85\x81",
}


def bad_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Return by kind: what the file holds, and what the error says."""

    def saved(value, **options):
        torch.save(value, folder / "other.pth", **options)
        return (folder / "other.pth").read_bytes()

    def pickled(commands):
        return rewritten(saved({}), lambda name, data: commands if "data.pkl" in name else data)

    def rewritten(data, change, method=zipfile.ZIP_STORED):
        (folder / "other.pth").write_bytes(data)
        with zipfile.ZipFile(folder / "other.pth") as archive:
            parts = [(name, archive.read(name)) for name in archive.namelist()]
        with zipfile.ZipFile(folder / "other.pth", "w", method) as archive:
            for name, part in parts:
                archive.writestr(name, change(name, part))
        return (folder / "other.pth").read_bytes()

    def overlapping(*, name):
        with zipfile.ZipFile(folder / "whole.pth") as archive:
            largest = max(archive.infolist(), key=lambda part: part.file_size)
        (folder / "other.pth").write_bytes(data)
        with zipfile.ZipFile(folder / "other.pth", "a") as archive:
            if name:
                archive.writestr(largest.filename.upper(), b"")
            else:
                other = copy.copy(largest)
                other.filename += "1"
                archive.filelist.append(other)
                archive._didModify = True  # so that the list is written again
        return (folder / "other.pth").read_bytes()

    save_checkpoint(folder / "whole.pth", content())
    data = (folder / "whole.pth").read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0x10
    hacked, code = {"x": Call(os.mkdir, str(folder / "hacked"))}, "could run code or fill the mem"
    many, other = "more operations than any checkpoint", "not a checkpoint of this project"
    wide, newer = torch.zeros(1, 1).expand(10**5, 10**5), {"format": FORMAT + 1}
    made = {
        "empty": (b"", "truncated or damaged"),
        "half a file": (data[: len(data) // 2], "truncated or damaged"),
        "without its last byte": (data[:-1], "truncated or damaged"),
        "a bit flipped": (bytes(flipped), "checksum mismatch"),
        "one name": (overlapping(name=True), "its parts overlap"),
        "one place": (overlapping(name=False), "its parts overlap"),
        "deflated": (
            rewritten(saved({"x": torch.zeros(10**7)}), lambda _, part: part, zipfile.ZIP_DEFLATED),
            "are compressed",
        ),
        "pickle": (pickle.dumps(hacked), "no checkpoint of this project"),
        "code": (saved(content() | hacked), code),
        "bytes": (saved({"x": Call(bytearray, 10**12)}), code),
        "empty tensor": (saved({"x": Call(torch.FloatTensor, 10**11)}), code),
        "sparse": (saved({"x": torch.eye(3).to_sparse()}), code),
        "meta": (saved({"x": torch.zeros(3, device="meta")}), code),
        "complex": (saved({"x": torch.ones(2, dtype=torch.cfloat)}), code),
        "huge number": (saved({"x": 10**400}), "more than 64 bits"),
        "long": (saved({"x": ["a"] * 10**6}), "no data.pkl of at most"),
        "list": (saved([1, 2]), other),
        "weights alone": (saved(content()["state_dict"]), "no config, format, "),
        "wide": (saved(content() | {"state_dict": {"a": wide}}), "more numbers than the file"),
        "number": (saved(content() | {"state_dict": {7: wide}}), "state_dict: weights by name"),
        "newer": (saved(content() | newer), "made by a newer version"),
        "format": (saved(content() | {"format": True}), "format = True: a whole number"),
        "config": (saved(content() | {"config": 7}), "config = 7: an object"),
        "tensors": (saved(content() | {"config": {"a": wide}}), "not only plain values"),
        "alphabet": (saved(content() | {"alphabet": ["a", "bc"]}), "not 'bc'"),
        "half": (saved(content() | {"alphabet": ["\ud800"]}), "a string holds"),
        "std": (saved(content() | {"normalisation": {"mean": [0, 0], "std": [0, 1]}}), "above 0"),
        "epoch": (saved(content() | {"epoch": -1}), "epoch = -1: a whole number from 0 to"),
        "metrics": (saved(content() | {"metrics": {"a": [1]}}), "metrics.a = [1]: a number"),
        "nested tuples": (pickled(b"\x80\x02})" + b"\x85" * 500_000 + b"Ns."), many),
    }
    for name, once in PICKLES.items():
        commands = b"\x80\x02](" + FILLED + once * 20_000 + b"e."
        made[name] = pickled(commands), code if name == "made anew" else many
    return made


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_file_gets_a_clear_error_soon_and_runs_nothing(tmp_path):
    for kind, (data, cause) in bad_files(tmp_path).items():
        path = tmp_path / f"{kind}.pth"
        path.write_bytes(data)
        start = time.process_time()
        with pytest.raises(CheckpointError, match=re.escape(cause)) as caught:
            load_checkpoint(path)
        assert time.process_time() - start < 5, kind
        assert str(path) in str(caught.value), kind
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert not (tmp_path / "hacked").exists()


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no such file or folder"):
        find_checkpoint(tmp_path / "nothing")


def test_networks_of_the_project_are_found_by_name(tmp_path, monkeypatch):
    shipped, place = tmp_path / "shipped", tmp_path / "place"
    place.mkdir()
    shipped.mkdir()
    monkeypatch.setattr("base.pretrained.PRETRAINED", shipped)
    monkeypatch.chdir(place)
    with pytest.raises(CheckpointError, match=r"writer: no such file or folder, .* \(none\)$"):
        find_checkpoint("writer")
    for epoch, name in enumerate(("a_writer", "writer.partial", "reader.partial", "writer"), 1):
        save_checkpoint(shipped / f"{name}.pth", content(epoch))
    assert list(pretrained()) == ["a_writer", "writer", "reader"]
    path, loaded, skipped = find_checkpoint("writer")  # the whole training before the other
    assert (path, skipped) == (shipped / "writer.pth", [])
    assert loaded["state_dict"]["weight"][0, 0] == 4
    assert find_checkpoint("reader")[0] == shipped / "reader.partial.pth"
    expected = r"writr: no such .* \(did you mean writer\? There are a_writer, writer, reader\)$"
    with pytest.raises(CheckpointError, match=expected):
        find_checkpoint("writr")
    (place / "writer").mkdir()
    save_checkpoint(place / "writer" / checkpoint_name(7), content(7))
    assert find_checkpoint("writer")[0] == Path("writer", checkpoint_name(7))  # the folder first


def test_the_newest_whole_one_is_taken_and_the_skipped_are_named(tmp_path):
    (tmp_path / checkpoint_name(3)).write_bytes(b"")
    save_checkpoint(tmp_path / BEST, content())
    assert newest_checkpoint(tmp_path)[0].name == BEST  # where there is no other
    for epoch in (1, 2):
        save_checkpoint(tmp_path / checkpoint_name(epoch), content(epoch))
    broken = tmp_path / checkpoint_name(4, 7)
    broken.write_bytes((tmp_path / checkpoint_name(2)).read_bytes()[:100])
    path, loaded, skipped = find_checkpoint(tmp_path)
    assert path.name == checkpoint_name(2) and loaded["state_dict"]["weight"][0, 0] == 2
    assert [re.search(r"epoch[\w-]+", cause)[0] for cause in skipped] == ["epoch4-step7", "epoch3"]
    with pytest.raises(CheckpointError, match=r"step7\.pth: truncated or damaged"):
        find_checkpoint(broken)


def test_runs_in_a_folder_are_named_and_not_searched_for_everywhere(tmp_path):
    run, deep = tmp_path / "models" / "a" / "one", tmp_path / "proc" / "1" / "task" / "1"
    for folder in (run, deep):
        folder.mkdir(parents=True)
        save_checkpoint(folder / checkpoint_name(1), content())
    for folder in (tmp_path, run.parent, run.parent.parent):
        with pytest.raises(CheckpointError, match=f"there are some in {run}$"):
            newest_checkpoint(folder)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_save_leaves_the_old_one_whole(tmp_path, monkeypatch, step):
    path = tmp_path / checkpoint_name(1)
    save_checkpoint(path, content(1))

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(path, content(2))
    monkeypatch.undo()
    assert load_checkpoint(path)["state_dict"]["weight"][0, 0] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_what_would_not_load_again_is_refused_before_it_is_written(tmp_path):
    with pytest.raises(CheckpointError, match=r"would not load again: .*Path"):
        save_checkpoint(tmp_path / "file.pth", content() | {"training": [1, {"x": Path("a")}]})
    assert not list(tmp_path.iterdir())


def test_weights_load_strictly_with_a_readable_error():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other = nn.Sequential(nn.Linear(2, 4), nn.Identity(), nn.Linear(1, 1))
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, other.state_dict(), "file.pth")
    message = str(caught.value)
    assert message.startswith("file.pth: its weights do not fit the config's architecture")
    assert "0.bias: shape (4,) instead of (3,)" in message
    assert "1.bias: shape none instead of (3,)" in message and "and 4 more" in message

    source = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    source[1].running_mean.fill_(5)
    load_weights(model, source.state_dict(), "file.pth")
    assert torch.equal(model[0].weight, source[0].weight) and model[1].running_mean[0] == 5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_that_are_not_finite_are_refused(value, dtype):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = {name: weight.to(dtype) for name, weight in model.state_dict().items()}
    load_weights(model, state, "file.pth")
    state["1.weight"][0, 1] = value
    with pytest.raises(CheckpointError, match=r"^file\.pth: 1 of its 4 weights .*, 1\.weight fi"):
        load_weights(model, state, "file.pth")


@pytest.mark.parametrize(
    ("example", "fitting", "others"),
    [
        (1.5, [2, math.nan], ["1", None, True]),
        ([1, "x"], [(0, "y"), [2**32, ""]], [[1], [1, 2], [-1, "x"], [True, "x"], "1x"]),
        (None, [None, 3, 0.5], ["x", []]),
        (torch.zeros(2), [torch.ones(2).double()], [torch.ones(3), torch.ones(2).int(), [0.0]]),
        ({"a": 0}, [{"a": 1, "b": "x"}], [{}, {"a": "1"}, []]),
    ],
)
def test_like_takes_what_is_like_an_example_and_names_what_is_not(example, fitting, others):
    for value in fitting:
        like(value, example, "key")
    for value in others:
        with pytest.raises(CheckpointError, match=r"^key.* (is needed|is missing)$"):
            like(value, example, "key")


def test_shipped_networks_with_former_names_are_read_by_those_of_today():
    reader, writer = (load_checkpoint(pretrained()[name]) for name in ("recognition", "writer"))
    assert any(".forward_rnn." in name for name in reader["state_dict"])
    assert {"time_reductions", "mask_ratio"} <= reader["config"]["arch"]["args"].keys()
    assert "sink" not in writer["config"]["arch"]["args"]
