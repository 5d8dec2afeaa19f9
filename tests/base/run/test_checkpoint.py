"""Checkpoints are whole or refused, and never run code."""

import io
import math
import os
import re
import struct
from pathlib import Path
from unittest import mock

import pytest
import torch
from every_kind import tensors, values
from torch import nn

from base.run import checkpoint
from base.run.checkpoint import (
    BEST,
    CHECKPOINT_FORMAT,
    checkpoint_name,
    checkpoints,
    find_checkpoint,
    is_newest,
    load_checkpoint,
    load_state,
    load_weights,
    newest_checkpoint,
    save_checkpoint,
)
from base.run.checkpoint_archive import from_archive, to_archive
from base.run.pretrained import pretrained, resolve_checkpoint
from tests.pickled_call import Call
from utils.checks import CheckpointError


def content(value: float = 1.0) -> dict:
    return {
        "format": CHECKPOINT_FORMAT,
        "config": {"name": "x"},
        "state_dict": {"weight": torch.full((50, 50), value)},
        "alphabet": None,
        "normalisation": {"mean": [0.0, 0.0], "std": [1.0, 1.0]},
        "epoch": 3,
    }


def test_checkpoint_is_loaded_with_the_values_that_were_saved(tmp_path):
    path = tmp_path / checkpoint_name(3)
    whole = torch.arange(12.0)  # on a GPU the weights of a recurrent layer are views of one tensor
    weights = {"a": whole[:4].view(2, 2), "b": whole[4:].view(2, 4).t()}
    saved = content() | {"values": [1, 2.5, None, True, ("a", "b")], 7: float("inf")}
    save_checkpoint(path, saved | {"state_dict": weights})
    loaded = load_checkpoint(path)
    assert all(torch.equal(loaded["state_dict"][name], weights[name]) for name in weights)
    assert loaded["values"] == saved["values"] and loaded[7] == float("inf")
    assert torch.load(path, weights_only=True)["epoch"] == 3


def test_checkpoints_are_listed_from_the_newest_epoch_and_step_on(tmp_path):
    order = [checkpoint_name(*place) for place in [(2,), (10, 950), (10, 1000), (10,)]]
    assert order[1:3] == ["checkpoint-epoch10-step950.pth", "checkpoint-epoch10-step1000.pth"]
    for name in [*reversed(order), "checkpoint-epoch11.pth.tmp", "checkpoint-epochX.pth", BEST]:
        (tmp_path / name).touch()
    assert [path.name for path in checkpoints(tmp_path)] == order[::-1]


def saved(value) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


WIDE = torch.zeros(1, 1).expand(10**5, 10**5)
WHOLE = saved(content())
CODE, OTHER = "which could run code", "not a checkpoint of this project"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "truncated or damaged"),
        (WHOLE[:-1], "truncated or damaged"),
        (WHOLE.replace(struct.pack("<f", 1.0), struct.pack("<f", 2.0), 1), "checksum mismatch"),
        (saved(content() | {"x": Call(os.mkdir, "hacked")}), CODE),
        (saved([1, 2]), OTHER),
        (saved(content()["state_dict"]), "no config, format, "),
        (saved(content() | {"state_dict": {"a": WIDE}}), "more numbers than the file"),
        (saved(content() | {"state_dict": {7: torch.zeros(1)}}), "state_dict: weights by name"),
        (
            saved(content() | {"state_dict": {"a": torch.eye(3).to_sparse()}}),
            "sparse tensors are not saved: use to_dense()",
        ),
        (
            saved(content() | {"format": CHECKPOINT_FORMAT + 1}),
            "by another version of the program: train an",
        ),
        (
            saved(content() | {"format": CHECKPOINT_FORMAT - 1}),
            "by another version of the program: train an",
        ),
        (saved(content() | {"format": []}), "by another version of the program: train an"),
        (saved(content() | {"config": 7}), "config = 7: an object"),
        (saved(content() | {"config": {"a": torch.zeros(1)}}), "not only plain values"),
        (saved(content() | {"alphabet": ["a", "bc"]}), "not 'bc'"),
        (saved(content() | {"normalisation": {"mean": [0, 0], "std": [0, 1]}}), "above 0"),
        (saved(content() | {"normalisation": {"mean": [0, 1e300], "std": [1, 1]}}), "most 1e+20"),
        (saved(content() | {"normalisation": {"mean": [0, 0], "std": [1, 1e300]}}), "most 1e+20"),
        (saved(content() | {"normalisation": {"mean": [0, 0], "std": [1e-300, 1]}}), "least 1e-20"),
        (saved(content() | {"epoch": -1}), "epoch = -1: a whole number from 0 to"),
        (saved(content() | {"metrics": {"a": [1]}}), "metrics.a = [1]: a number"),
        (saved(content() | {"metrics": {"a": 10**400}}), ": a number"),
        (saved(content() | {"extras": {"mood": [2, -1]}}), "extras.mood.1 = -1: a whole number"),
        (saved(content() | {"licence": 7}), "licence = 7: a string or null"),
        (saved(content() | {"versions": {"torch": None}}), "versions.torch = None: a string"),
        (saved(content() | {"step": True}), "step = True: a whole number from 0 to"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_file_gets_a_clear_error_and_runs_nothing(tmp_path, monkeypatch, data, cause):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=re.escape(cause)) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert message.count(str(path)) == 1 and "\n" not in message and len(message) < 500
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.pth"]


def test_a_lack_of_memory_is_not_taken_for_a_damaged_file(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "whole.pth", content())
    monkeypatch.setattr(torch, "load", mock.Mock(side_effect=MemoryError))
    with pytest.raises(CheckpointError, match=r"whole\.pth: not enough memory, or a damaged file"):
        load_checkpoint(tmp_path / "whole.pth")


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("training", frozenset({1}), "training.x = frozenset({1}): frozensets are not saved: use"),
        ("state_dict", [1], "state_dict: weights by name are needed, not 'x': [1]"),
        ("metrics", [1], "metrics.x = [1]: a number"),
    ],
)
def test_a_checkpoint_that_could_not_be_read_replaces_no_other(tmp_path, part, value, message):
    path = tmp_path / "a.pth"
    save_checkpoint(path, content())
    with pytest.raises(CheckpointError, match=re.escape(f"a.pth: not saved: {message}")):
        save_checkpoint(path, content(2.0) | {part: {"x": value}})
    assert load_checkpoint(path)["state_dict"]["weight"][0, 0] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pth"]


def test_weights_that_are_one_are_stored_once_and_read(tmp_path):
    weight = torch.ones(100, 100)
    saved = content() | {"state_dict": {f"layers.{n}.weight": weight for n in range(12)}}
    save_checkpoint(tmp_path / "a.pth", saved)
    assert (tmp_path / "a.pth").stat().st_size < 2 * weight.nbytes
    assert len(load_checkpoint(tmp_path / "a.pth")["state_dict"]) == 12


def test_missing_file_or_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no such file or folder"):
        resolve_checkpoint(tmp_path / "nothing")


def test_networks_of_the_project_are_resolved_by_name(tmp_path, monkeypatch):
    shipped, place = tmp_path / "saved" / "pretrained", tmp_path / "place"
    place.mkdir()
    shipped.mkdir(parents=True)
    monkeypatch.setattr("base.run.pretrained.SHIPPED", tmp_path / "saved")
    monkeypatch.chdir(place)
    with pytest.raises(
        CheckpointError,
        match=r"writer: no such file .* \(none; .*-research has more\)$",
    ):
        resolve_checkpoint("writer")
    for epoch, name in enumerate(("writer", "a_writer", "reader"), 1):
        save_checkpoint(shipped / f"{name}.pth", content(epoch))
    assert list(pretrained()) == ["a_writer", "reader", "writer"]
    assert resolve_checkpoint("reader") == shipped / "reader.pth"
    expected = r"writr: no such .* \(did you mean writer\? There are a_writer, reader, writer\)$"
    with pytest.raises(CheckpointError, match=expected):
        resolve_checkpoint("writr")
    (place / "writer").mkdir()
    assert resolve_checkpoint("writer") == Path("writer")  # the folder first


def test_newest_whole_checkpoint_is_taken_and_skipped_checkpoints_are_named(tmp_path, caplog):
    (tmp_path / checkpoint_name(3)).write_bytes(b"")
    save_checkpoint(tmp_path / BEST, content())
    assert newest_checkpoint(tmp_path)[0].name == BEST  # where there is no other
    for epoch in (1, 2):
        save_checkpoint(tmp_path / checkpoint_name(epoch), content(epoch))
    broken = tmp_path / checkpoint_name(4, 7)
    broken.write_bytes((tmp_path / checkpoint_name(2)).read_bytes()[:100])
    caplog.clear()
    path, loaded = find_checkpoint(tmp_path)
    assert path.name == checkpoint_name(2) and loaded["state_dict"]["weight"][0, 0] == 2
    named = [re.match(r"skipped .*(epoch[\w-]+)", cause)[1] for cause in caplog.messages]
    assert named == ["epoch4-step7", "epoch3"]
    with pytest.raises(CheckpointError, match=r"step7\.pth: truncated or damaged"):
        find_checkpoint(broken)


def test_a_run_goes_on_from_its_folder_or_its_newest_checkpoint_by_any_name(tmp_path):
    names = [checkpoint_name(9), checkpoint_name(10, 4), checkpoint_name(10), BEST]
    for name in names:
        (tmp_path / name).touch()
    assert [is_newest(tmp_path / name) for name in names] == [False, False, True, False]
    assert is_newest(tmp_path)
    (tmp_path / BEST).unlink()
    os.link(tmp_path / checkpoint_name(10), tmp_path / BEST)
    assert is_newest(tmp_path / BEST)


def test_newest_checkpoint_is_searched_for_again_when_its_run_has_replaced_it_meanwhile(
    tmp_path, monkeypatch
):
    save_checkpoint(tmp_path / checkpoint_name(1), content(1))
    load = checkpoint.load_checkpoint

    def replaced(path):
        monkeypatch.setattr(checkpoint, "load_checkpoint", load)
        save_checkpoint(tmp_path / checkpoint_name(2), content(2))
        path.unlink()
        return load(path)

    monkeypatch.setattr(checkpoint, "load_checkpoint", replaced)
    assert newest_checkpoint(tmp_path)[0].name == checkpoint_name(2)


def test_a_folder_of_runs_is_refused_with_the_names_of_nearby_runs(tmp_path):
    run, deep = tmp_path / "models" / "a" / "one", tmp_path / "proc" / "1" / "task" / "1"
    for folder in (run, deep):
        folder.mkdir(parents=True)
        save_checkpoint(folder / checkpoint_name(1), content())
    for folder in (tmp_path, run.parent, run.parent.parent):
        with pytest.raises(CheckpointError, match=f"there are some in {run}$"):
            newest_checkpoint(folder)


def test_weights_load_strictly_with_a_readable_error():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other = nn.Sequential(nn.Linear(2, 4), nn.Identity(), nn.Linear(1, 1))
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, other.state_dict(), "file.pth")
    message = str(caught.value)
    assert message.startswith("file.pth: its weights do not fit the config's architecture")
    assert "0.bias: shape (4,) instead of (3,)" in message
    assert "1.bias: shape none instead of (3,)" in message and "and 4 more" in message


KINDS = {
    **{"float32": "real numbers", "float64": "real numbers", "complex64": "complex numbers"},
    **{"int64": "integers", "uint16": "integers", "bool": "truth values"},
}


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("own", ["float32", "complex64", "int64", "bool"])
def test_weights_of_another_kind_of_numbers_are_refused(own, dtype):
    model = nn.Module()
    model.register_buffer("table", torch.ones(3).to(getattr(torch, own)))
    state = {"table": torch.tensor([1.0, 0.0, 1.0]).to(getattr(torch, dtype))}
    if KINDS[dtype] == KINDS[own]:
        load_weights(model, state, "file.pth")
        assert model.table.tolist() == [1, 0, 1] and model.table.dtype == getattr(torch, own)
        return
    message = rf"^file\.pth: .*:\n  table: {KINDS[dtype]} instead of {KINDS[own]}$"
    with pytest.raises(CheckpointError, match=message):
        load_weights(model, state, "file.pth")


def test_weights_load_into_a_network_that_repeats_numbers():
    model = nn.BatchNorm1d(3)
    model.running_mean = torch.zeros(1).expand(3)
    load_weights(model, model.state_dict() | {"running_mean": torch.arange(3.0)}, "file.pth")
    assert model.running_mean.tolist() == [0, 1, 2] and "running_mean" in model.state_dict()


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_weights_that_are_not_finite_are_refused(value):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model.register_buffer("mask", torch.zeros(2))
    model.register_buffer("waves", torch.zeros(2, dtype=torch.complex64))
    model.register_buffer("nothing", torch.zeros(0))
    state = {
        name: weight if weight.is_complex() else weight.half()
        for name, weight in model.state_dict().items()
    }
    load_weights(model, state, "file.pth")
    state["mask"][1] = state["waves"][0] = -math.inf
    load_weights(model, state, "file.pth")  # a buffer may have infinities
    state["1.weight"][0, 1] = state["waves"].imag[1] = value
    broken = [*(["waves"] if math.isnan(value) else []), "1.weight"]
    message = rf"^file\.pth: {len(broken)} of its 7 weights .*, {broken[0]} first"
    with pytest.raises(CheckpointError, match=message):
        load_weights(model, state, "file.pth")


class Remaking(torch.optim.SGD):
    """Saves and loads in a way of its own."""

    def state_dict(self):
        return {"inner": super().state_dict()}

    def load_state_dict(self, state):
        super().load_state_dict(state["inner"])


@pytest.mark.parametrize("kind", [torch.optim.SGD, Remaking])
def test_an_optimiser_gets_the_state_of_a_weight_as_it_was_saved(kind, recwarn):
    """torch alone would give tensors the type of the weight, and a generator for a text."""

    def made():
        return kind([torch.nn.Parameter(torch.zeros(2))], lr=0.1)

    def state_of_weight(optimizer):
        return optimizer.state[optimizer.param_groups[0]["params"][0]]

    optimizer = made()
    held = values() | tensors() | {"text": "warm", "": ["a", ("b", {"c": "d"})]}
    held["in"] = {"step": "e", "f": [held["float64"], held["Counter"]]}
    state_of_weight(optimizer).update(held)
    optimizer.state["all"] = {"seen": 1}
    again = made()
    load_state(again, from_archive(to_archive(optimizer.state_dict())))
    loaded = state_of_weight(again)
    assert loaded.keys() == held.keys() and again.state["all"] == {"seen": 1} and not recwarn
    for name in held:
        assert to_archive(loaded[name]).getvalue() == to_archive(held[name]).getvalue(), name
