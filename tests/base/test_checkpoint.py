"""Checkpoints are whole or refused, and never run code."""

import copy
import errno
import os
import pickle
import re
import sys
import time
import zipfile
from pathlib import Path

import hostile_files
import pytest
import torch
from torch import nn

from base.checkpoint import (
    BEST,
    checkpoint_name,
    checkpoints,
    find_checkpoint,
    load_checkpoint,
    load_weights,
    newest_checkpoint,
    save_checkpoint,
    stored_alphabet,
)
from base.pretrained import pretrained
from utils import files
from utils.checks import CheckpointError


def content(value: float = 1.0) -> dict:
    return {
        "config": {"name": "x"},
        "state_dict": {"weight": torch.full((50, 50), value)},
        "epoch": 3,
    }


class Hostile:
    """Would make a folder when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_round_trip(tmp_path):
    path = tmp_path / checkpoint_name(3)
    saved = content() | {"values": [1, 2.5, None, True, ("a", "b")], 7: float("inf")}
    save_checkpoint(path, saved)
    loaded = load_checkpoint(path)
    assert torch.equal(loaded["state_dict"]["weight"], saved["state_dict"]["weight"])
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


def bad_files(folder):
    """Return by kind: what the file holds, and what the error says."""
    whole = folder / "whole.pth"
    save_checkpoint(whole, content())
    data = whole.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0x10
    made = {}

    def saved(value):
        torch.save(value, folder / "other.pth")
        return (folder / "other.pth").read_bytes()

    made["empty"] = b"", "empty file"
    made["text"] = b"These are notes.", "not a checkpoint"
    made["half"] = data[: len(data) // 2], "truncated or damaged"
    made["without its last byte"] = data[:-1], "truncated or damaged"
    made["a bit flipped"] = bytes(flipped), "checksum mismatch"
    made["pickle"] = pickle.dumps({"x": Hostile(folder / "hacked")}), "can run code"
    made["code"] = saved(content() | {"x": Hostile(folder / "hacked")}), "could run code or"
    made["list"] = saved([1, 2]), "not a checkpoint of this project"
    made["weights alone"] = saved(content()["state_dict"]), "no state_dict and config"
    made["other format"] = (
        saved(content() | {"format": 99}),
        "newer version of this program (format 99",
    )
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), folder / "other.pth")
    made["script"] = (folder / "other.pth").read_bytes(), "is compressed"
    return made


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_file_gets_a_clear_error_and_runs_nothing(tmp_path):
    for kind, (data, cause) in bad_files(tmp_path).items():
        path = tmp_path / f"{kind}.pth"
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=re.escape(cause)) as caught:
            load_checkpoint(path)
        assert str(path) in str(caught.value), kind
        assert "Traceback" not in str(caught.value) and len(str(caught.value)) < 500
    assert not (tmp_path / "hacked").exists()


def test_the_hostile_file_is_one(tmp_path):
    torch.save({"x": Hostile(tmp_path / "hacked")}, tmp_path / "file.pth")
    torch.load(tmp_path / "file.pth", weights_only=False)
    assert (tmp_path / "hacked").exists()


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
    with pytest.raises(CheckpointError, match=r"writer: no such file or folder; .*: none$"):
        find_checkpoint("writer")
    for epoch, name in enumerate(("a_writer", "writer.partial", "reader.partial", "writer"), 1):
        save_checkpoint(shipped / f"{name}.pth", content(epoch))
    assert list(pretrained()) == ["a_writer", "writer", "reader"]
    path, loaded, skipped = find_checkpoint("writer")  # the whole training before the other
    assert (path, skipped) == (shipped / "writer.pth", [])
    assert loaded["state_dict"]["weight"][0, 0] == 4
    for name in ("reader", "reader.partial", "reader.partial.pth"):
        assert find_checkpoint(name)[0] == shipped / "reader.partial.pth"
    with pytest.raises(
        CheckpointError,
        match=r"writr: no such .* did you mean writer\? .*: a_writer, writer, reader$",
    ):
        find_checkpoint("writr")
    (place / "writer").mkdir()
    with pytest.raises(CheckpointError, match=r"complete checkpoint found; .* is .*writer\.pth$"):
        find_checkpoint("writer")
    with pytest.raises(CheckpointError, match=r"no such file or folder$"):
        find_checkpoint(tmp_path / "writer")  # a path is no name
    save_checkpoint(place / "writer" / checkpoint_name(7), content(7))
    assert find_checkpoint("writer")[0] == Path("writer", checkpoint_name(7))  # the folder first


def test_the_newest_whole_one_is_taken_and_the_skipped_are_named(tmp_path):
    for epoch in (1, 2):
        save_checkpoint(tmp_path / checkpoint_name(epoch), content(epoch))
    whole = (tmp_path / checkpoint_name(2)).read_bytes()
    (tmp_path / checkpoint_name(3)).write_bytes(whole[:100])
    (tmp_path / checkpoint_name(4, 7)).write_bytes(b"")
    path, loaded, skipped = newest_checkpoint(tmp_path)
    assert path.name == checkpoint_name(2) and loaded["state_dict"]["weight"][0, 0] == 2
    assert [re.search(r"epoch[\w-]+", cause)[0] for cause in skipped] == ["epoch4-step7", "epoch3"]
    assert find_checkpoint(tmp_path)[0] == path


def test_a_broken_file_is_an_error_that_names_the_newest_whole_one(tmp_path):
    save_checkpoint(tmp_path / checkpoint_name(1), content())
    broken = tmp_path / checkpoint_name(2)
    broken.write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(broken)
    assert "epoch2.pth: truncated or damaged" in str(caught.value)
    assert "newest complete one there is" in str(caught.value)
    assert str(tmp_path / checkpoint_name(1)) in str(caught.value)


def test_runs_in_a_folder_are_named_and_not_searched_for_everywhere(tmp_path):
    run = tmp_path / "models" / "a" / "one"
    save_checkpoint(_made(run) / checkpoint_name(1), content())
    deep = _made(tmp_path / "proc" / "1" / "task" / "1")
    (deep / checkpoint_name(1)).touch()
    for folder in (tmp_path, run.parent, run.parent.parent):
        with pytest.raises(CheckpointError, match=f"there are some in {run}$"):
            newest_checkpoint(folder)


def _made(folder):
    folder.mkdir(parents=True)
    return folder


def test_the_best_one_is_taken_where_there_is_no_other(tmp_path):
    save_checkpoint(tmp_path / BEST, content())
    assert newest_checkpoint(tmp_path)[0].name == BEST
    save_checkpoint(tmp_path / checkpoint_name(1), content())
    assert newest_checkpoint(tmp_path)[0].name == checkpoint_name(1)


def test_a_folder_without_any_says_where_some_are(tmp_path):
    (tmp_path / "run").mkdir()
    save_checkpoint(tmp_path / "run" / checkpoint_name(1), content())
    with pytest.raises(CheckpointError, match=re.escape(str(tmp_path / "run"))):
        newest_checkpoint(tmp_path)


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
    with pytest.raises(TypeError, match=re.escape("checkpoint['training'][1]['x'] is a object")):
        save_checkpoint(tmp_path / "file.pth", content() | {"training": [1, {"x": object()}]})
    assert not list(tmp_path.iterdir())


def test_weights_load_strictly_with_a_readable_error():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other = nn.Sequential(nn.Linear(2, 4), nn.Identity(), nn.Linear(1, 1))
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, other.state_dict(), "file.pth")
    message = str(caught.value)
    assert message.startswith("file.pth: its weights do not fit the config's architecture")
    assert "0.bias has the shape (4,) instead of (3,)" in message
    assert "1.bias is missing" in message and "more" in message

    source = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    source[1].running_mean.fill_(5)
    load_weights(model, source.state_dict(), "file.pth")
    assert torch.equal(model[0].weight, source[0].weight) and model[1].running_mean[0] == 5


def test_a_checkpoint_without_a_whole_alphabet_is_named():
    assert stored_alphabet({"alphabet": ["b", "a"]}, "file.pth").characters == ["b", "a"]
    for value, message in (
        (None, "lacks the alphabet"),
        ([], "lacks the alphabet"),
        (7, "a list of characters, not 7"),
        (["a", "bc"], "single characters, not 'bc'"),
        (["a", 3], "single characters, not 3"),
        (["a", "a"], "stand twice"),
        (["e", "\u212b"], "normal form C"),
    ):
        with pytest.raises(CheckpointError, match=rf"^file\.pth: .*{message}"):
            stored_alphabet({"alphabet": value}, "file.pth")
    with pytest.raises(CheckpointError, match="lacks the alphabet"):
        stored_alphabet({}, "file.pth")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.skipif(sys.platform != "linux", reason="bounds memory as Linux does")
def test_untrusted_files_are_refused_within_bounds(tmp_path):
    causes = dict(hostile_files.make(tmp_path))
    report = hostile_files.load_within_bounds(causes)
    for path, cause in causes.items():
        message, seconds = report[path.name]
        assert message and cause in message and str(path) in message, (path.name, message)
        assert seconds < 5, path.name
        assert len(message) < 4000 and message.count("\n") < 24, (path.name, len(message))
        assert message.encode(), "half a character would not print"


def test_a_folder_of_hostile_files_is_skipped_within_bounds(tmp_path):
    save_checkpoint(tmp_path / checkpoint_name(1), content())
    for epoch in range(2, 30):
        path = tmp_path / checkpoint_name(epoch)
        hostile_files.pickled(b"\x80\x02})" + b"\x85" * 500_000 + b"Ns.", path)
    start = time.process_time()
    path, _, skipped = newest_checkpoint(tmp_path)
    assert path.name == checkpoint_name(1) and len(skipped) == 28
    assert time.process_time() - start < 5
    path.unlink()
    with pytest.raises(CheckpointError, match=r"and 23 more$") as caught:
        newest_checkpoint(tmp_path)
    assert str(caught.value).count("\n") == 6


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_that_are_not_finite_are_refused(value, dtype):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = {name: weight.to(dtype) for name, weight in model.state_dict().items()}
    load_weights(model, state, "file.pth")
    state["1.weight"][0, 1] = value
    with pytest.raises(CheckpointError, match=r"^file\.pth: 1 of its 4 weights .*, 1\.weight fi"):
        load_weights(model, state, "file.pth")


def test_views_of_one_storage_load(tmp_path):
    """On a GPU the weights of a recurrent layer are views of one tensor."""
    whole = torch.arange(12.0)
    state = {"a": whole[:4].view(2, 2), "b": whole[4:].view(2, 4).t()}
    save_checkpoint(tmp_path / "file.pth", content() | {"state_dict": state})
    loaded = load_checkpoint(tmp_path / "file.pth")["state_dict"]
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_parts_of_one_name_or_one_place_are_refused(tmp_path):
    """Either could make more of a small file than it is."""

    def same_name(archive, part):
        archive.writestr(part.filename.upper(), b"")

    def same_place(archive, part):
        other = copy.copy(part)
        other.filename += "1"
        archive.filelist.append(other)
        archive._didModify = True  # so that the list is written again

    for change in (same_name, same_place):
        path = tmp_path / f"{change.__name__}.pth"
        save_checkpoint(path, content())
        with zipfile.ZipFile(path, "a") as archive:
            change(archive, max(archive.infolist(), key=lambda part: part.file_size))
        with pytest.raises(CheckpointError, match=r"damaged \(its parts overlap\)"):
            load_checkpoint(path)
