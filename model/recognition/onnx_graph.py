"""Turns a recogniser into an ONNX graph, with which programs without PyTorch read.

The graph labels the frames of a batch of padded lines; their number and lengths are free. It is
traced with layers of torch operations alone: of a compiled layer a trace would keep the results.
Shapes: as in `encoder`.
"""

import copy
import inspect
import json
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from base.base_data_loader import features_of
from base.step.device import plain_layers
from model.recognition.encoder import Recogniser, log_softmax
from utils.checks import UserError, described
from utils.files import read_bytes

OPSET = 17
"""Version of ONNX's operators (assumed: runtimes since 2022 have it)."""
MAX_GRAPH_BYTES = 1 << 31
"""Maximum bytes of a graph (from its format)."""
MAX_DIFFERENCE = 1e-3
"""Maximum difference in nats of a graph's log-probabilities (measured: 5e-5)."""
TRACED = (12, 7)
"""Numbers of points of the invented lines with which a graph is traced."""
TRIED = ((17,), (5, 11, 18))
"""Numbers of points of the invented lines of each batch with which a graph is tried."""
_AXES = {
    "features": {0: "lines", 1: "points"},
    "points": {0: "lines"},
    "log_probs": {0: "lines", 1: "frames"},
    "frames": {0: "lines"},
}
"""Names of the inputs and the outputs, and of their axes of any size."""


class _Labels(nn.Module):
    """Labels the frames of lines, by the operations that a graph has."""

    def __init__(self, network: Recogniser) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities `(B, S, C + 1)` and the numbers of frames `(B,)`, for
        `features` `(B, points, F)` of `points` `(B,)`."""
        encoded, frames = self.network.encode(features, points)
        return log_softmax(self.network.labels(encoded)), frames


@torch.no_grad()
def to_onnx(network: Recogniser, metadata: Mapping[str, str]) -> bytes:
    """Return the file of a network as an ONNX graph, which was tried on lines of other lengths.

    Args:
        network: the network.
        metadata: JSON texts by name; the graph has them, and besides: what its inputs and outputs
            are.

    Raises:
        UserError: if onnx is not installed, the network has a decoder, or ONNX cannot compute it.
    """
    onnx = _library()
    kind = type(network).__name__
    if network.head != "ctc":
        problem = "reads by a decoder, whose search is no ONNX graph"
        raise UserError(f"{kind} {problem}; one that labels frames (CTC) is needed")
    labels = _Labels(copy.deepcopy(network).cpu()).eval()
    try:
        with plain_layers():
            content = _traced(labels)
            fault = _fault(content, labels)
    except Exception as error:  # The network may be of a user's class.
        raise UserError(f"{kind} cannot be an ONNX graph: {described(error)}") from error
    if fault:
        raise UserError(f"{kind} cannot be an ONNX graph: {fault}")
    graph = onnx.load_from_string(content)
    texts = {name: json.dumps(text) for name, text in _explained(network).items()}
    onnx.helper.set_model_props(graph, {**metadata, **texts})
    return graph.SerializeToString()


def is_graph(path: Path) -> bool:
    """Return whether a file is a graph that `to_onnx` made."""
    onnx = _library()
    from google.protobuf.message import DecodeError  # onnx needs it

    try:
        graph = onnx.load_from_string(read_bytes(path, MAX_GRAPH_BYTES))
    except (OSError, DecodeError):
        return False
    return {entry.key for entry in graph.metadata_props} >= {*_AXES, "alphabet"}


def _library() -> ModuleType:
    try:
        import onnx
    except ImportError:
        raise UserError("ONNX files need onnx: python -m pip install onnx") from None
    return onnx


def _traced(labels: _Labels) -> bytes:
    """Return the graph of what `labels` computes."""
    file = BytesIO()
    with warnings.catch_warnings():
        # The exporter is deprecated, but the graphs of its successor have a fixed length. It also
        # warns of what `_fault` tries: other lengths, and other numbers of lines.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            labels,
            _batch(labels.network, TRACED),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=["features", "points"],
            output_names=["log_probs", "frames"],
            dynamic_axes=_AXES,
        )
    return file.getvalue()


def _fault(content: bytes, labels: _Labels) -> str:
    """Return in what a graph, the content of a file, differs from `labels` on lines of other
    lengths; "" if in nothing."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(content)
    for lengths in TRIED:
        # The first two names of `_AXES` are the inputs.
        inputs = dict(zip(_AXES, _batch(labels.network, lengths), strict=False))
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        log_probs, frames = evaluator.run(None, arrays)
        expected_log_probs, expected_frames = labels(**inputs)
        if frames.tolist() != expected_frames.tolist():
            return f"{frames.tolist()} frames instead of {expected_frames.tolist()}"
        if log_probs.shape != expected_log_probs.shape:
            return f"log-probabilities {log_probs.shape}, not {tuple(expected_log_probs.shape)}"
        difference = float(np.abs(log_probs - expected_log_probs.numpy()).max())
        if not difference <= MAX_DIFFERENCE:  # a NaN is a difference, too
            return f"its log-probabilities differ by {difference:.2g} nats from the network's"
    return ""


def _batch(network: Recogniser, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the features and the numbers of points of invented lines of `lengths` points."""
    inks = []
    for length in lengths:
        number = np.arange(length)
        ink = np.stack((2.0 + np.sin(number), 5.0 * np.cos(number), number % 9 == 8), 1)
        inks.append(ink)
    return network.batched(features_of(network.features, inks))


def _explained(network: Recogniser) -> dict[str, str]:
    """Return what a graph's inputs and outputs are, by name."""
    features = network.features
    classes = len(network.alphabet)
    name = getattr(features, "__qualname__", None) or repr(features)
    return {
        "features": f"(lines, points, numbers) float32, a line's rows made of its ink by "
        f"{features.__module__}.{name}, zeros after the line's end. {inspect.getdoc(features)}",
        "points": "(lines,) int64, the number of rows of each line in `features`",
        "log_probs": f"(lines, frames, {classes + 1}) float32, natural logarithms of the "
        f"probabilities of the characters of `alphabet`, in its order, and of the blank of CTC, "
        f"{classes}; arbitrary after a line's last frame",
        "frames": "(lines,) int64, the number of frames of each line in `log_probs`",
    }
