"""The flat file of a network holds all that another program needs to compute it."""

import hashlib
import json
import os

import numpy as np
import pytest
import torch

from handwriting import flat_file
from model import load
from tests.commands.networks import NORMALISATION, save
from utils.checks import CheckpointError, UserError

WRITER = dict(end_of_sequence=True, longest=30)


@pytest.fixture
def made(tmp_path):
    network = load(save(tmp_path / "mine" / "a.pth", "SynthesisNetwork", **WRITER), "cpu")
    flat_file.save(tmp_path / "a.bin", network)
    return network, tmp_path / "a.bin"


def parts_of(path):
    line, _, payload = path.read_bytes().partition(b"\n")
    return json.loads(line), payload


def test_the_weights_are_within_half_a_step_of_their_row(made):
    network, path = made
    again = flat_file.load(path, "cpu")
    for name, weights in network.model.state_dict().items():
        loaded = again.model.state_dict()[name]
        if weights.ndim == 1 or name.endswith(flat_file.PRECISE):
            assert torch.equal(loaded, weights)
        else:
            rows = weights.flatten(1)
            steps = rows.abs().amax(1, keepdim=True) / 127
            assert ((loaded.flatten(1) - rows).abs() <= 0.501 * steps).all()
            assert not torch.equal(loaded, weights)
    assert again.model.alphabet == network.model.alphabet
    assert again.model.normalisation == NORMALISATION and again.model.longest == 30


def test_the_header_says_how_to_read_the_weights(made):
    """As the engine has to read them (`tests/web/test_engine.py`)."""
    network, path = made
    header, payload = parts_of(path)
    assert (header["role"], header["name"]) == ("writer", "mine")
    assert header["bytes"] == len(payload)
    assert header["sha256"] == hashlib.sha256(payload).hexdigest()
    shapes = {name: tuple(shape) for name, _, *shape in header["tensors"]}
    assert shapes == {name: one.shape for name, one in network.model.state_dict().items()}
    assert header["sampling"]["min_scales"] == network.model.min_scales.tolist()
    assert header["sampling"]["x_height"] > 0 and "styles" not in header
    assert header["replacements"]["½"] == "1/2" and "a" not in header["replacements"]


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("SynthesisNetwork", {"end_of_sequence": False}),
        ("SynthesisNetwork", WRITER | {"cell": "GRU"}),
        ("SynthesisNetwork", WRITER | {"head": "regression"}),
        ("PredictionNetwork", {"end_of_sequence": True}),
        ("CTCNetwork", {"cell": "GRU"}),
        ("CTCNetwork", {"num_layers": 2, "time_reductions": 1}),
    ],
)
def test_what_the_page_cannot_compute_is_refused(arch, options, tmp_path):
    network = load(save(tmp_path / "a.pth", arch, **options), "cpu")
    with pytest.raises(UserError, match=f"a {arch} that the page cannot compute: it takes a Synt"):
        flat_file.save(tmp_path / "a.bin", network)
    assert not (tmp_path / "a.bin").exists()


def test_damaged_files_are_refused(made, tmp_path):
    _, path = made
    content = path.read_bytes()
    for wrong in (content[:-1], content[:-1] + b"\x7f", b"", b"{}\n", b"\xff\n", content[1:]):
        path.write_bytes(wrong)
        with pytest.raises(CheckpointError, match=r"a\.bin: .*export it again"):
            flat_file.load(path)
        assert not flat_file.is_flat_file(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        flat_file.load(tmp_path / "none.bin")


@pytest.mark.slow
def test_what_the_page_lacks_is_made_once(tmp_path, monkeypatch):
    from base.pretrained import styles

    one = {name: file for name, file in styles().items() if name in ("slanted", "joined")}
    monkeypatch.setattr(flat_file, "styles", lambda: one)
    made = flat_file.make_missing(tmp_path / "networks")
    assert sorted(path.name for path in made) == ["reader.bin", "styles.json", "writer.bin"]
    assert flat_file.make_missing(tmp_path / "networks") == []
    os.utime(made[1], (0, 0))  # as if its checkpoint had come later
    assert flat_file.make_missing(tmp_path / "networks") == [made[1]]
    (name, style), *others = json.loads(made[-1].read_text()).items()
    assert name == "slanted" and not others  # the other one is of another network
    heights = np.reshape(style["ink"], (-1, 3))[:, 1].cumsum()
    assert style["text"] and 1 < np.ptp(heights) < 9 and len(style["stretch"]) == 2
    assert "non-commercial research only" in parts_of(made[0])[0]["licence"]
