"""The flat file of a network holds all that another program needs to compute it."""

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from apps.pages.hands import extras_of_style, load_primer
from apps.pages.page_options import PrimerFile
from apps.pages.styles import styles
from apps.web import flat_file, page_networks
from model import load
from tests.commands.networks import NORMALISATION, save
from tests.flat_files import loaded
from utils.checks import UserError

WRITER = dict(end_of_sequence=True, longest=30)


@pytest.fixture
def saved(tmp_path):
    """A network and its flat file."""
    network = load(save(tmp_path / "mine" / "a.pth", "SynthesisNetwork", **WRITER), "cpu")
    flat_file.save(tmp_path / "a.bin", network)
    return network, tmp_path / "a.bin"


def parts_of(path):
    line, _, payload = path.read_bytes().partition(b"\n")
    return json.loads(line), payload


def test_matrices_are_rounded_to_8_bits_by_row_and_vectors_are_exact(saved):
    network, path = saved
    again = loaded(path)
    for name, weights in network.model.state_dict().items():
        rounded = again.model.state_dict()[name]
        if weights.ndim == 1:
            assert torch.equal(rounded, weights)
        elif name.endswith(flat_file.FLOAT16_ENDINGS):
            assert torch.equal(rounded, weights.half().float())
        else:
            rows = weights.flatten(1)
            steps = rows.abs().amax(1, keepdim=True) / 127
            assert ((rounded.flatten(1) - rows).abs() <= 0.501 * steps).all()
            assert not torch.equal(rounded, weights)
    assert again.model.alphabet == network.model.alphabet
    assert again.model.normalisation == NORMALISATION and again.model.longest == 30


def test_the_header_says_how_to_read_the_weights(saved):
    """As the engine has to read them (`tests/apps/web/test_engine.py`)."""
    network, path = saved
    header, payload = parts_of(path)
    assert (header["role"], header["name"]) == ("writer", "mine")
    assert payload[-32:] == hashlib.sha256(path.read_bytes()[:-32]).digest()
    shapes = {name: tuple(shape) for name, _, *shape in header["tensors"]}
    assert shapes == {k: weights.shape for k, weights in network.model.state_dict().items()}
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
def test_a_network_that_the_web_engine_cannot_compute_is_refused(arch, options, tmp_path):
    network = load(save(tmp_path / "a.pth", arch, **options), "cpu")
    with pytest.raises(UserError, match=f"a {arch} that the page cannot compute: only a Synt"):
        flat_file.save(tmp_path / "a.bin", network)
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.slow
def test_the_header_has_the_hand_vector_of_each_style_if_the_writer_takes_hand_vectors(tmp_path):
    writer = load("writer", "cpu")
    flat_file.save(tmp_path / "a.bin", writer)
    header, _ = parts_of(tmp_path / "a.bin")
    files = {name: file for name, file in styles().items() if "open_" not in name}
    assert header["hands"].keys() == files.keys() and len(files) == 12 and "styles" not in header
    joined = {"flowing", "joined", "linked", "rolling", "tall"}
    assert header["biases"] == {name: 1.0 if name in joined else 0.75 for name in files}
    for name, vector in header["hands"].items():
        state = writer.model.initial_state(
            1, writer.model.make_conditions(1, extras_of_style(files[name]))
        )
        np.testing.assert_allclose(vector, state["hand"][0].detach(), atol=1e-5)


@pytest.mark.slow
def test_the_header_has_the_primer_of_a_hand_if_the_writer_takes_no_hand_vectors(tmp_path):
    """With the stretch by which lines become as large as the primer."""
    file, writer = styles()["open_round"], load("open_writer", "cpu")
    flat_file.save(tmp_path / "a.bin", writer, file)
    header, _ = parts_of(tmp_path / "a.bin")
    (ink, text), _ = load_primer(PrimerFile(file), writer)
    hand = header["styles"]["hand"]
    assert hand["text"] == text and 1 < np.ptp(hand["ink"][1::3]) < 9 and "hands" not in header
    points = np.reshape(hand["ink"], (-1, 3)) * [hand["x_height"], hand["x_height"], 1]
    np.testing.assert_allclose(points, ink, atol=0.02)
    assert hand["stretch"] != [1, 1] and all(0.97 <= factor <= 1.03 for factor in hand["stretch"])


def test_a_file_that_another_makes_is_waited_for_and_not_made_again(tmp_path, monkeypatch):
    made, content = [], page_networks.FLAT_FILE_START
    start, path = threading.Barrier(2, timeout=30), tmp_path / "networks" / "descriptor.bin"

    def save_slowly(path):
        made.append(path)
        time.sleep(0.1)
        path.write_bytes(content + hashlib.sha256(content).digest())

    def make(_):
        start.wait()
        flat_file.make([path])
        return page_networks.is_usable(path)

    monkeypatch.setattr(flat_file, "save_descriptor", save_slowly)
    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(make, range(2))] == [True, True]
    assert made == [path]
