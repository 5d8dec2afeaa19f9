"""Recognisers as ONNX graphs, against the networks, in a runtime that knows no PyTorch."""

import inspect
import json
import sys
import warnings

import numpy as np
import onnxruntime
import pytest
import torch

from base.base_data_loader import features_of
from data_loader import EmbeddedDataset
from ink.formats import read
from model import AttentionNetwork, PictureNetwork, load
from model.recognition.encoder import RecognitionNetwork, RecognitionSettings
from model.recognition.ink_features import StrokeFeatures
from model.recognition.onnx_graph import is_graph, to_onnx
from tests.model.builders import LETTERS, NORMALISATION, ink, recogniser
from tests.shared_data import DATA
from utils.checks import UserError

INKS = [ink(60, 1), ink(7, 2), ink(230, 3)]
GROUPS = [[0], [1], [2], [0, 1, 2], [1, 0]]
"""Lines that are read together: each by itself, and padded ones."""


def picture_network():
    torch.manual_seed(3)
    network = PictureNetwork(NORMALISATION, LETTERS, hidden_size=12, num_layers=1)
    for norm in filter(lambda part: isinstance(part, torch.nn.BatchNorm2d), network.modules()):
        torch.nn.init.uniform_(norm.running_mean)
        torch.nn.init.uniform_(norm.weight)
    return network.eval()


NETWORKS = {
    "LSTM": lambda: recogniser(time_reductions=0),
    "LSTM that merges frames": recogniser,
    "GRU": lambda: recogniser(cell="GRU", time_reductions=1, parts=2, spacing=0.2),
    "picture": picture_network,
}


def session(content):
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def difference(network, graph, inks):
    """Return the largest difference of log-probabilities, relative to them where they are beyond a
    nat, and compare the numbers of frames."""
    features, points = network.batched(features_of(network.features, inks))
    inputs = {"features": features.numpy(), "points": points.numpy()}
    log_probs, frames = graph.run(["log_probs", "frames"], inputs)
    with torch.inference_mode():
        expected = network(features, points)
    assert frames.tolist() == expected.lengths.tolist()
    expected_log_probs = expected.ctc_log_probs.numpy()
    assert log_probs.shape == expected_log_probs.shape
    size = np.abs(expected_log_probs).clip(1.0)
    return float((np.abs(log_probs - expected_log_probs) / size).max())


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_graph_labels_rows_of_any_length_as_the_network_does(kind):
    network = NETWORKS[kind]()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # The exporter's concern no user.
        graph = session(to_onnx(network, {}))
    assert not network.training
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, before[name])
    for group in GROUPS:
        assert difference(network, graph, [INKS[number] for number in group]) < 1e-5


def test_the_metadata_say_what_goes_in_and_what_comes_out(tmp_path):
    network, path = recogniser(parts=3), tmp_path / "a.onnx"
    path.write_bytes(to_onnx(network, {"alphabet": json.dumps(network.alphabet.characters)}))
    graph = session(str(path))
    texts = graph.get_modelmeta().custom_metadata_map
    metadata = {name: json.loads(text) for name, text in texts.items()}
    assert "".join(metadata["alphabet"]) == "abcdefgh "
    assert "ink_features.StrokeFeatures(spacing=0.35, parts=3)" in metadata["features"]
    assert inspect.getdoc(StrokeFeatures) in metadata["features"]
    assert "(lines, frames, 10)" in metadata["log_probs"] and "CTC, 9;" in metadata["log_probs"]
    values = {value.name: value for value in (*graph.get_inputs(), *graph.get_outputs())}
    assert values.keys() == {"features", "points", "log_probs", "frames"} < metadata.keys()
    assert values["features"].shape == ["lines", "points", 16]
    assert values["log_probs"].shape[2] in (10, "log_probs_dim_2")
    assert is_graph(path)
    for other in (b"", b"dear anna", to_onnx(network, {})):
        path.write_bytes(other)
        assert not is_graph(path)


class _Ended(RecognitionNetwork):
    """A recogniser of a user with a length that a trace keeps."""

    def __init__(self, *arguments):
        super().__init__(*arguments, settings=RecognitionSettings(channels=8))
        self.labels = self.label_layer(8)

    def encode_frames(self, frames, lengths):
        return frames + torch.arange(len(frames[0]))[:, None], lengths


class _Sorted(_Ended):
    """A recogniser of a user with an operation that ONNX lacks."""

    def encode_frames(self, frames, lengths):
        return torch.linalg.eigvals(frames @ frames.mT).real[..., None] + frames, lengths


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: recogniser(AttentionNetwork),
            "AttentionNetwork reads by a decoder, whose search is no ONNX graph; one that labels",
        ),
        (lambda: _Ended(NORMALISATION, LETTERS), "_Ended cannot be an ONNX graph: "),
        (lambda: _Sorted(NORMALISATION, LETTERS), "_Sorted cannot be an ONNX graph: "),
    ],
)
def test_what_no_graph_computes_is_refused(make, message):
    with pytest.raises(UserError, match=f"^{message}") as caught:
        to_onnx(make(), {})
    assert "\n" not in str(caught.value)


def test_without_the_package_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"need onnx: python -m pip install onnx$"):
        to_onnx(recogniser(), {})


def read_by(graph, network, inks):
    """Return the texts of lines by greedy decoding of CTC, without the project's."""
    texts = []
    for line in inks:
        inputs = {"features": network.features(line)[None]}
        inputs["points"] = np.array([inputs["features"].shape[1]])
        log_probs, _ = graph.run(["log_probs", "frames"], inputs)
        labels = log_probs[0].argmax(1)
        previous = None
        blank = len(network.alphabet)
        kept = []
        for label in labels.tolist():
            if label not in (previous, blank):
                kept.append(network.alphabet.characters[label])
            previous = label
        texts.append("".join(kept))
    return texts


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reader", "open_reader", "recognition", "eye"])
def test_the_shipped_readers_read_drawn_and_recorded_lines_the_same_as_graphs(name):
    reader = load(name, "cpu")
    samples = EmbeddedDataset(seed=2, size=2, valid_size=2, test_size=4).load(["test"])
    inks = sorted((sample.ink for sample in samples.split("test")), key=len)
    if (DATA / "inkml").is_dir():  # real ones, where they are
        inks += [sample.ink for file in sorted(DATA.glob("inkml/*"))[:5] for sample in read(file)]
    graph = session(to_onnx(reader.model, {}))
    for lines in ([inks[0]], [inks[-1]], inks):
        assert difference(reader.model, graph, lines) < 1e-4
    texts = reader.read_lines(inks)
    assert read_by(graph, reader.model, inks) == texts and max(map(len, texts)) > 10
