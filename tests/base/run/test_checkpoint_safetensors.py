"""Checkpoints as files of safetensors: other programs read them, and hostile ones are refused."""

import json
import math
import random
import re
import struct
import sys
import tracemalloc

import pytest
import torch

from base.run.checkpoint import CHECKPOINT_FORMAT, load_checkpoint, save_checkpoint
from tests.damage import damaged
from utils.checks import CheckpointError, UserError

WEIGHT = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}


def content():
    whole = torch.arange(12.0)
    weights = {
        "layer.weight": whole[4:].view(2, 4).t(),  # with strides
        "tied": whole[:4],
        "tied_too": whole[:4],
        "half": torch.tensor([1.0, -2.5]).half(),
        "mask": torch.tensor([True, False]),
        "count": torch.tensor(7),
        "none": torch.zeros(0, 3),
    }
    return {
        "config": {"name": "x", "arch": {"type": "A", "args": {"size": 3, "rate": 1e-3}}},
        "state_dict": weights,
        "alphabet": ["a", "é", "\N{REPLACEMENT CHARACTER}"],
        "normalisation": {"mean": [0.1, -1 / 3], "std": [1.0, 2.0]},
        "licence": None,
        "metrics": {"valid_loss": 0.1 + 0.2},
        "epoch": 3,
    }


def parts_of(file):
    """Return the header and the numbers of a file, as its format is published."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def test_a_file_has_the_weights_and_a_json_text_for_each_entry_of_the_record(tmp_path):
    path, saved = tmp_path / "a.safetensors", content()
    save_checkpoint(path, saved)
    header, numbers = parts_of(path)
    metadata = {name: json.loads(text) for name, text in header.pop("__metadata__").items()}
    weights = saved.pop("state_dict")
    assert metadata == saved | {"format": CHECKPOINT_FORMAT}
    assert header.keys() == weights.keys()
    entry = header["layer.weight"]
    first, last = entry["data_offsets"]
    assert (entry["dtype"], entry["shape"]) == ("F32", [4, 2])
    values = struct.unpack("<8f", numbers[first:last])
    assert [*values] == weights["layer.weight"].flatten().tolist()


def test_a_file_is_loaded_as_the_archive_of_the_same_checkpoint(tmp_path):
    loaded = []
    for name in ("a.pth", "a.safetensors", "named otherwise"):
        save_checkpoint(tmp_path / name, content())
        if name == "named otherwise":  # The content says what a file is.
            (tmp_path / "a.safetensors").rename(tmp_path / name)
        loaded.append(load_checkpoint(tmp_path / name))
    (archive, weights), *others = [(entry, entry.pop("state_dict")) for entry in loaded]
    for other, other_weights in others:
        assert other == archive and other_weights.keys() == weights.keys()
        for name, weight in weights.items():
            assert other_weights[name].dtype == weight.dtype
            assert torch.equal(other_weights[name], weight)


def test_a_measure_that_is_not_finite_is_left_out(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, content() | {"metrics": {"a": math.nan, "b": math.inf, "c": 1.5}})
    assert load_checkpoint(path)["metrics"] == {"c": 1.5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": {"x": torch.zeros(1)}}, "dataset = "),
        ({"dataset": {"x": math.nan}}, "dataset = {'x': nan}: not plain values"),
        ({"config": {"a": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}}, "config = "),
        ({"state_dict": {"a": torch.zeros(2, dtype=torch.complex128)}}, "no numbers of type"),
        ({"epoch": -1}, "epoch = -1: a whole number from 0 to"),
    ],
)
def test_what_could_not_be_read_replaces_no_other_file(tmp_path, changes, message):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, content())
    before = path.read_bytes()
    with pytest.raises(
        CheckpointError, match=rf"a\.safetensors: not saved: .*{re.escape(message)}"
    ):
        save_checkpoint(path, content() | changes)
    assert path.read_bytes() == before and len([*tmp_path.iterdir()]) == 1


def packed(header, numbers=b"\0" * 4):
    """Return a file of a header, which is JSON or bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def with_record(**changes):
    record = content() | {"format": CHECKPOINT_FORMAT}
    del record["state_dict"]
    texts = {name: json.dumps(value) for name, value in record.items()}
    return packed({"__metadata__": texts | changes} | WEIGHT)


NO_RECORD = "not a checkpoint of this project (no config, format, normalisation, state_dict)"
NO_CHECKPOINT = "truncated or damaged, or no checkpoint of this project ("
HOSTILE = {
    "cut": (with_record()[:-1], NO_CHECKPOINT),
    "longer": (with_record() + b"\0", NO_CHECKPOINT),
    "cut header": (with_record()[:300], "its header is longer than the file, or than 4,194,304"),
    "a huge header": (struct.pack("<Q", 1 << 62) + b"{}", "its header is longer than the file"),
    "a large header": (packed(b"{" + b" " * (1 << 22)), "its header is longer than the file"),
    "a deep header": (packed(b'{"a":' * 10**5), NO_CHECKPOINT),
    "no text": (packed(b"{\xff}"), NO_CHECKPOINT),
    "weights alone": (packed(WEIGHT), NO_RECORD),
    "another program's": (
        packed({"__metadata__": {"format": "pt"}} | WEIGHT),
        "not a checkpoint of this project (metadata, 'format': line 1, column 1: not JSON",
    ),
    "metadata in a list": (packed({"__metadata__": [1]} | WEIGHT), NO_CHECKPOINT),
    "no metadata": (packed({"__metadata__": None} | WEIGHT), NO_CHECKPOINT),
    "a huge tensor": (
        packed({"a": WEIGHT["a"] | {"shape": [1 << 40]}}),
        "invalid shape, data type, or offset",
    ),
    "a huge tensor of nothing": (
        packed({"a": {"dtype": "F32", "shape": [0, 1 << 62, 9], "data_offsets": [0, 0]}}, b""),
        NO_CHECKPOINT,
    ),
    "weights in each other": (packed(WEIGHT | {"b": WEIGHT["a"]}), NO_CHECKPOINT),
    "deep metadata": (with_record(dataset="[" * 10**5), "more than 16 deep"),
    "many values": (with_record(dataset="[" + "0," * 10**5 + "0]"), "larger than 20,000 values"),
    "an entry twice": (with_record(config='{"a": 1, "a": 2}'), "stands twice in one object"),
    "another version": (with_record(format="2"), "by another version of the program: train anew"),
    "no alphabet": (with_record(alphabet='["ab"]'), "not 'ab'"),
    "no unit": (with_record(normalisation='{"mean": [0, 0], "std": [0, 1]}'), "above 0"),
    "a wrong type": (with_record(epoch="true"), "epoch = True: a whole number from 0 to"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_in_one_line_and_little_memory(tmp_path, kind):
    data, message = HOSTILE[kind]
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        load_checkpoint(path)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    shown = str(caught.value)
    assert shown.startswith(f"{path}: ") and "\n" not in shown and len(shown) < 500


def test_a_damaged_file_is_refused_or_has_the_types_of_a_checkpoint(tmp_path):
    path, rng = tmp_path / "a.safetensors", random.Random(1)
    save_checkpoint(path, content())
    whole, refused = path.read_bytes(), 0
    for _ in range(300):
        path.write_bytes(damaged(rng, whole))
        try:
            loaded = load_checkpoint(path)
        except CheckpointError:
            refused += 1
        else:
            assert all(map(torch.is_tensor, loaded["state_dict"].values()))
    assert 100 < refused < 300


def test_without_the_package_a_line_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, content())
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    needed = r"\.safetensors needs safetensors: python -m pip install safetensors$"
    with pytest.raises(UserError, match=needed):
        save_checkpoint(tmp_path / "b.safetensors", content())
    with pytest.raises(UserError, match=rf"^{re.escape(str(path))}: {needed}"):
        load_checkpoint(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
