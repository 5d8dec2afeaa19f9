"""Flat files: a network in one file, for the engine of `apps/web/`, which computes as torch does.

A flat file is a line of JSON, the header; then the weights; then the SHA-256 of both. The header
has these keys:

- `format`, `role` ("writer", "reader" or "descriptor", see `save_descriptor`), `name`, `licence`;
- `architecture`, `alphabet`, `normalisation`, for writers and readers: as in a checkpoint;
- `sampling`, for writers: see `_sampling`; `features`, for readers and descriptors;
- `replacements`, for writers: see `transliteration.replacements`;
- `hands`, for writers that are conditioned on hands: the hand vector of each style by name, or, if
  the writer learned a hand, the vector "hand" only; `biases`: the usual bias of each;
- `styles`, for writers that are not conditioned on hands: the primer of each style by name, or, if
  the writer learned a hand, the primer "hand" only, see `primer_of_web`;
- `tensors`: the name, type and shape of each tensor, in the order of the weights.

A tensor of type "int8" is a matrix whose rows have scales: first the scales as float32, then the
int8 numbers, which the engine multiplies by the scale of their row. Numbers are little-endian.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from apps.pages.hands import calibrated, extras_of_style, load_primer, usual_bias
from apps.pages.page_options import PrimerFile
from apps.pages.styles import network_of, styles
from apps.pages.transliteration import replacements
from apps.web.page_networks import FLAT_FILE_FORMAT, missing
from base import distributed
from base.run.pretrained import weights_file
from ink.geometry import x_height
from ink.measures import baseline, levelled
from ink.reading import read_ink
from ink.resampling import match_device
from model import CTCNetwork, SynthesisNetwork, Writer
from model.generation.line import Sampling
from model.loading import TrainedNetwork
from model.loading import load as load_network
from model.recognition.hand_descriptor import PARTS, HandDescriptor
from model.recognition.ink_features import FEATURE_SPACING
from utils.checks import UserError
from utils.files import atomic_write
from utils.licences import UNKNOWN
from utils.locks import locked
from utils.strict_json import Config

TENSOR_TYPES = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2"), "int8": np.dtype(np.int8)}
MAX_INT8 = 127
FLOAT16_ENDINGS = (
    "output.weight",
    "window.weight",
    "weight_input",
    "labels.weight",
    "convolution.weight",
    "hand_encoder.layers.0.weight",
    "hand_encoder.layers.2.weight",
)
"""Ends of the names of matrices in float16. The first three have a tenth of a writer's weights, but
with 8 bits they raise the log-loss most. With the next two `open_reader` reads 986 of 1,000 rows as
in float32, without them 978 (measured, notebook: speed, networks in the browser)."""


def save(path: str | Path, network: TrainedNetwork, style: Path | None = None) -> None:
    """Write the flat file of a network, atomically.

    Args:
        path: the file.
        network: the network.
        style: for a writer that learned a hand, the file of its style; None for other networks.

    Raises:
        UserError: if the engine cannot compute the network.
        OSError: if the file cannot be written.
    """
    check_computable(network)
    model = network.model
    header = {
        "name": network.path.parent.name if style else network.name,  # the run, of a learned hand
        "licence": network.licence or UNKNOWN,
        "architecture": network.record["config"]["arch"],
        "alphabet": "".join(model.alphabet.characters),
        "normalisation": model.normalisation.to_dict(),
    }
    if isinstance(network, Writer):
        lines = _usual_lines(network, style)
        header |= {"role": "writer", "sampling": _sampling(network, lines)}
        header["replacements"] = replacements(frozenset(model.alphabet.characters))
        files = {"hand": style} if style else written_styles_of(network)
        samples = {name: read_ink(file)[0] for name, file in files.items()}
        if network.takes_hand:
            header["hands"] = {name: vector_of(network, file) for name, file in files.items()}
            header["biases"] = {}
            for name, sample in samples.items():
                header["biases"][name] = usual_bias([(sample.ink, sample.text)], Sampling())
        elif style:
            header["styles"] = {"hand": primer_of_web(network, style)}
        elif files:
            header["styles"] = {}
            for name, sample in samples.items():
                ink = match_device(sample.ink, lines)
                header["styles"][name] = _primer(ink, sample.text)
    else:
        header |= {"role": "reader", "features": {"spacing": model.spacing, "parts": model.parts}}
    _write(path, header, model.state_dict())


def save_descriptor(path: str | Path) -> None:
    """Write the flat file of the network that describes hands, atomically.

    The network has a reader's lowest layers, named as in a reader, and a linear layer,
    `projection`, from the moments of their outputs to the descriptor.
    """
    weights = HandDescriptor.load().state_dict()
    mean = weights.pop("mean")
    projection = weights.pop("projection")
    layers = {name.replace("layer.", "layers.0.", 1): value for name, value in weights.items()}
    linear = {"projection.weight": projection.T, "projection.bias": -mean @ projection}
    features = {"spacing": FEATURE_SPACING, "parts": PARTS}
    header = {"role": "descriptor", "name": "descriptor", "features": features}
    _write(path, header, layers | linear, matrices="float16")


def _write(
    path: str | Path,
    header: Config,
    weights: Mapping[str, torch.Tensor],
    matrices: Literal["float16", "int8"] = "int8",
) -> None:
    """Write a flat file; `matrices` is the type of all matrices that are not `FLOAT16_ENDINGS`."""
    tensors = []
    payload = b""
    for name, value in weights.items():
        kind = "float32" if value.ndim == 1 else matrices
        if name.endswith(FLOAT16_ENDINGS):
            kind = "float16"
        rows = value.numpy(force=True)
        if kind == "int8":
            payload += _scaled(rows)
        else:
            payload += rows.astype(TENSOR_TYPES[kind]).tobytes()
        tensors.append([name, kind, *rows.shape])
    header = {"format": FLAT_FILE_FORMAT, **header, "tensors": tensors}
    content = json.dumps(header, ensure_ascii=False).encode() + b"\n" + payload
    atomic_write(path, lambda file: file.write(content + hashlib.sha256(content).digest()))


def check_computable(network: TrainedNetwork) -> None:
    """Raise a UserError if the engine cannot compute a network."""
    model = network.model
    cells = {module.cell for module in model.modules() if hasattr(module, "cell")}
    is_lstm = cells <= {"LSTM"}
    if type(model) is SynthesisNetwork:
        is_computable = model.end_of_sequence and model.has_density
    else:
        is_computable = type(model) is CTCNetwork and not model.time_reductions
    if not is_lstm or not is_computable:
        raise UserError(
            f"{network.path} contains a {type(model).__name__} that the page cannot compute: only "
            "a SynthesisNetwork with `end_of_sequence` and a mixture, or a CTCNetwork without "
            "`time_reductions`, both of LSTM cells, is accepted"
        )


def make(paths: Sequence[Path]) -> None:
    """Make flat files of the page in a folder, see `page_networks`; wait for another process that
    makes them."""
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with locked(paths[0].with_name("lock"), "makes the networks of the page"):
        for path in distributed.bar(missing(paths), "networks", unit=" files", leave=False):
            # Of the page's networks only that of the descriptor is shipped as .npz.
            if weights_file(path.stem).suffix == ".npz":
                save_descriptor(path)
            else:
                save(path, load_network(path.stem, "cpu"))


def written_styles_of(network: TrainedNetwork) -> dict[str, Path]:
    """Return the files of the styles that a network writes, by name."""
    return {name: file for name, file in styles().items() if network_of(file) == network.path}


def primer_of_web(writer: Writer, file: Path) -> Config:
    """Return the primer of a learned hand for a writer without a hand vector, as values of JSON.

    Returns:
        `text`; `ink` in x-heights, three numbers a point; `x_height` in the writer's units; and the
        `stretch` with which lines become as large as the primer, see `calibrated`. The primers of
        styles have no stretch: their lines are as large without one (measured, 0.95 to 1.1).
    """
    (ink, text), _ = load_primer(PrimerFile(file), writer)
    stretch = calibrated(writer, (ink, text), Sampling(), progress=True).stretch
    return _primer(ink, text) | {"stretch": [round(factor, 5) for factor in stretch]}


def _primer(ink: np.ndarray, text: str) -> Config:
    """Return a primer in the writer's units as values of JSON; see `primer_of_web`."""
    height = x_height(ink)
    points = (ink / np.array([height, height, 1.0])).round(4)
    return {"text": text, "x_height": round(height, 4), "ink": points.flatten().tolist()}


def vector_of(writer: Writer, file: Path) -> list[float]:
    """Return the hand vector that a writer computes for a style."""
    model = writer.model
    state = model.initial_state(1, model.make_conditions(1, extras_of_style(file)))
    return [round(number, 5) for number in state["hand"][0].tolist()]


def _scaled(weights: np.ndarray) -> bytes:
    """Return a tensor as bytes: a scale for each index of the first dimension, then the numbers."""
    rows = weights.reshape(len(weights), -1)
    scales = (np.abs(rows).max(1) / MAX_INT8).astype(TENSOR_TYPES["float32"])
    divisors = np.maximum(scales, 1e-30)[:, None]  # not 0, as of a row of zeros
    numbers = np.rint(rows / divisors).astype(TENSOR_TYPES["int8"])
    return scales.tobytes() + numbers.tobytes()


def _usual_lines(writer: Writer, style: Path | None) -> list[np.ndarray]:
    """Return lines that a writer writes, in the hand of a style if there is one."""
    extras = extras_of_style(style) if style and writer.takes_hand else {}
    return writer.reference_lines(Sampling(extras=extras))


def _sampling(writer: Writer, lines: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return the defaults of `Sampling`, the bounds of a writer's mixture, and the median x-height
    and baseline of its lines."""
    model = writer.model
    defaults = Sampling()
    heights = [x_height(ink) for ink in lines]
    baselines = [baseline(levelled(ink)[0]) for ink in lines]
    return {
        "bias": defaults.bias,
        "pen_sharpness": defaults.pen_sharpness,
        "stretch": model.stretch,
        "longest": model.longest,
        "min_scales": model.min_scales.tolist(),
        "max_correlation": model.max_correlation,
        "x_height": float(np.median(heights)),  # in the writer's units
        # Distance of the baseline below the first point, in x-heights.
        "baseline": float(np.median(np.divide(baselines, heights))),
    }
