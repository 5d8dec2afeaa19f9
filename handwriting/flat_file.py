"""One flat file of a network, for the engine of `web/`, which computes the same.

The file is a line of JSON, the header; the weights; and the SHA-256 of both. The header has

- `format`, `role` ("writer", "reader" or "descriptor", see `save_descriptor`), `name`, `licence`;
- `architecture`, `alphabet` and `normalisation` of a writer or reader, as a checkpoint has them;
- `sampling` of a writer: what `Sampling` has by default, the bounds of its mixture, and the usual
  size of its lines; `features` of the others;
- `replacements` of a writer: what `page` writes for characters that are not in the alphabet;
- `hands` of a writer that is told hands: by name the vectors of its styles, or the one that it
  learned, "hand";
- `styles` of another writer that learned a hand: its line, "hand", see `primer_of_web`;
- `tensors`: name, type and shape of each, in their order.

Tensors of type "int8" are matrices whose rows are scaled: first a float32 for each row, then the
int8, which are to be multiplied by their row's float32. Numbers are little-endian. In the former
format the header has the `sha256` of the weights, with which the file ends.
"""

import hashlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch

from base import distributed
from base.checkpoint import FORMAT as CHECKPOINT_FORMAT
from base.config.binder import Binder
from base.device import resolve_device
from base.pretrained import pretrained
from handwriting.hand_shape import calibrated
from handwriting.page_options import PrimerFile
from handwriting.primers import load_primer, told_of
from handwriting.source_text import replacements
from handwriting.styles import STYLES, network_of, styles
from model import CTCNetwork, SynthesisNetwork, Writer
from model.generation.hand_encoder import told
from model.generation.sampling import sample
from model.generation.sampling_options import Sampling
from model.loading import load as load_network
from model.loading import restored
from model.recognition.hand_descriptor import FILE, PARTS, HandDescriptor
from model.recognition.ink_features import SPACING
from model.trained_network import TrainedNetwork
from utils import strict_json
from utils.checks import ABSENT, CheckpointError, ConfigFault, Range, UserError
from utils.files import atomic_write, open_file
from utils.hand_measures import baseline, levelled
from utils.ink import x_height
from utils.strict_json import Config, children

FORMER_FORMAT = "online-handwriting/1"
FORMAT = "online-handwriting/2"
DIGEST_BYTES = hashlib.sha256().digest_size
TYPES = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2"), "int8": np.dtype(np.int8)}
LARGEST = 127  # of int8
PRECISE = (
    "output.weight",
    "window.weight",
    "weight_input",
    "hand_encoder.layers.0.weight",
    "hand_encoder.layers.2.weight",
)
"""Ends of the names of matrices in float16: in 8 bits the first three, a tenth of the weights, cost
most of the log-loss (measured, lab notebook: the networks of the page)."""
NUM_LINES = 8  # by which the size of writing is measured (assumed)
MAX_HEADER = 2**20  # bytes (assumed: usual headers have 10,000, of which most are a style)
MAX_BYTES = 2**29  # bytes of a file, which takes up to four times as many in memory (assumed)
UNKNOWN_LICENCE = "that of the lines with which it was trained"

Size = Annotated[int, Range(1, 2**53 - 1)]  # whole numbers of JavaScript end there
Kind = Literal["float32", "float16", "int8"]
Pair = tuple[float, float]
Tensor = tuple[str, Kind, Size] | tuple[str, Kind, Size, Size] | tuple[str, Kind, Size, Size, Size]
UNUSED = {
    "writer": {"features"},
    "reader": {"sampling"},
    "descriptor": {"licence", "alphabet", "architecture", "normalisation", "sampling"},
}
"""By role the keys of the header that it lacks, among those of `KEYS`."""
OPTIONAL = {"hands", "styles"}
KEYS: list[tuple[Any, str]] = [
    (Literal["writer", "reader", "descriptor"], "role"),
    (str, "name licence alphabet architecture.type styles.hand.text"),
    (Pair, "normalisation.mean normalisation.std sampling.min_scales styles.hand.stretch"),
    (float, "sampling.bias sampling.pen_sharpness sampling.stretch sampling.max_correlation"),
    (float, "sampling.x_height sampling.baseline features.spacing styles.hand.x_height"),
    (list[float], "styles.hand.ink"),
    (dict[str, list[float]], "hands"),
    (Size | None, "sampling.longest"),
    (Size, "features.parts"),
    (list[Tensor], "tensors"),
]
"""Annotations of the header's values, each with the dotted keys that have it; web/flat_file.js has
the same."""


def save(path: str | Path, network: TrainedNetwork, style: Path | None = None) -> None:
    """Write the flat file of a network, atomically.

    Args:
        path: of the file.
        network: that the engine knows.
        style: a line in whose hand it writes, as the style "hand".

    Raises:
        UserError: if the engine does not know the network.
        OSError: if the file cannot be written.
    """
    check_known(network)
    model = network.model
    header = {
        "name": network.path.parent.name if style else network.name,  # a hand has its run's
        "licence": network.licence or UNKNOWN_LICENCE,
        "architecture": network.record["config"]["arch"],
        "alphabet": "".join(model.alphabet.characters),
        "normalisation": model.normalisation.to_dict(),
    }
    if isinstance(network, Writer):
        header |= {"role": "writer", "sampling": _sampling(network)}
        header["replacements"] = replacements(frozenset(model.alphabet.characters))
        if network.is_told:
            files = {"hand": style} if style else styles_of(network)
            header["hands"] = {name: vector_of(network, file) for name, file in files.items()}
        elif style:
            header["styles"] = {"hand": primer_of_web(network, style)}
    else:
        header |= {"role": "reader", "features": {"spacing": model.spacing, "parts": model.parts}}
    _write(path, header, model.state_dict())


def save_descriptor(path: str | Path) -> None:
    """Write the flat file of what describes hands, atomically: the weights of a reader's lowest
    layers, by a reader's names, and of the linear layer that makes the descriptor of the moments.
    """
    weights = HandDescriptor.load().state_dict()
    mean, projection = weights.pop("mean"), weights.pop("projection")
    layers = {name.replace("layer.", "layers.0.", 1): value for name, value in weights.items()}
    linear = {"projection.weight": projection.T, "projection.bias": -mean @ projection}
    features = {"spacing": SPACING, "parts": PARTS}
    header = {"role": "descriptor", "name": "descriptor", "features": features}
    _write(path, header, layers | linear, matrices="float16")


def _write(
    path: str | Path, header: Config, weights: Mapping[str, Tensor], matrices: Kind = "int8"
) -> None:
    """Write a flat file; `matrices` is the type of those that are not `PRECISE`."""
    tensors, payload = [], b""
    for name, value in weights.items():
        kind = "float16" if name.endswith(PRECISE) else "float32" if value.ndim == 1 else matrices
        rows = value.numpy(force=True)
        payload += _scaled(rows) if kind == "int8" else rows.astype(TYPES[kind]).tobytes()
        tensors.append([name, kind, *rows.shape])
    header = {"format": FORMAT, **header, "tensors": tensors}
    content = json.dumps(header, ensure_ascii=False).encode() + b"\n" + payload
    atomic_write(path, lambda file: file.write(content + hashlib.sha256(content).digest()))


def load(path: str | Path, device: str = "auto") -> TrainedNetwork:
    """Load the network of a flat file, as `model.load` loads the network of a checkpoint.

    Raises:
        UserError: if the file is damaged, not of this format, or a descriptor.
    """
    header, payload = _parts(path)
    if header["role"] == "descriptor":
        raise CheckpointError(f"{path}: describes hands, and neither writes nor reads")
    weights, file = {}, io.BytesIO(payload)

    def take(kind: np.dtype, count: int) -> np.ndarray:
        return np.frombuffer(file.read(kind.itemsize * count), kind)

    for name, kind, *shape in header["tensors"]:
        scales = take(TYPES["float32"], shape[0])[:, None] if kind == "int8" else np.float32(1)
        rows = take(TYPES[kind], math.prod(shape)).reshape(shape[0], -1)
        weights[name] = torch.from_numpy((rows * scales).reshape(shape))
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "config": {"name": header["name"], "arch": header["architecture"]},
        "alphabet": list(header["alphabet"]),
        "normalisation": header["normalisation"],
        "licence": header["licence"],
        "state_dict": weights,
    }
    return restored(checkpoint, Path(path), resolve_device(device))


def is_flat_file(path: Path) -> bool:
    """Return whether a file is one of this format."""
    try:
        _parts(path)
    except CheckpointError:
        return False
    return True


def check_known(network: TrainedNetwork) -> None:
    """Raise a UserError if the engine does not compute what a network does."""
    model = network.model
    is_lstm = {getattr(module, "cell", "LSTM") for module in model.modules()} == {"LSTM"}
    if type(model) is SynthesisNetwork:
        is_known = model.end_of_sequence and model.has_density
    else:
        is_known = type(model) is CTCNetwork and not model.time_reductions
    if not (is_lstm and is_known):
        raise UserError(
            f"{network.path} contains a {type(model).__name__} that the page cannot compute: it "
            "takes a SynthesisNetwork with `end_of_sequence` and a mixture, or a CTCNetwork "
            "without `time_reductions`, both of LSTM cells"
        )


def make_missing(paths: Sequence[Path]) -> list[Path]:
    """Make the flat files of pretrained networks, and of the descriptor, each named like its
    source, where they are missing, or older than the source or a style. Return the new files; a bar
    shows how many are there."""
    new, sources = [], pretrained() | {"descriptor": FILE}
    for path in distributed.bar(paths, "networks", unit=" files", leave=False):
        source = sources[path.stem]
        newest = max(file.stat().st_mtime for file in (source, STYLES, *styles().values()))
        if not is_flat_file(path) or path.stat().st_mtime < newest:
            path.parent.mkdir(exist_ok=True)
            if source == FILE:
                save_descriptor(path)
            else:
                save(path, load_network(source, "cpu"))
            new.append(path)
    return new


def styles_of(network: TrainedNetwork) -> dict[str, Path]:
    """Return the files of the styles that a network writes, by name."""
    return {name: file for name, file in styles().items() if network_of(file) == network.path}


def primer_of_web(writer: Writer, file: Path) -> Config:
    """Return a style for a writer that is told no hand: its `text`; its `ink` in x-heights, three
    numbers a point; `x_height` in the writer's units; and the `stretch` with which lines become as
    large as it, see `calibrated`."""
    (ink, text), _ = load_primer(PrimerFile(file), writer)
    stretch = calibrated(writer, (ink, text), Sampling(), progress=True).stretch
    height = x_height(ink)
    points = (ink / np.array([height, height, 1.0])).round(4)
    return {
        "text": text,
        "x_height": round(height, 4),
        "stretch": [round(factor, 5) for factor in stretch],
        "ink": points.flatten().tolist(),
    }


def vector_of(writer: Writer, file: Path) -> list[float]:
    """Return the vector of the hand of a style."""
    model = writer.model
    state = model.initial_state(1, model.told(1, told_of(file)))
    return [round(number, 5) for number in state["hand"][0].tolist()]


def _scaled(weights: np.ndarray) -> bytes:
    """Return the scales and the int8 of a matrix, or of more dimensions as one."""
    rows = weights.reshape(len(weights), -1)
    scales = (np.abs(rows).max(1) / LARGEST).astype(TYPES["float32"])
    numbers = np.rint(rows / np.maximum(scales, 1e-30)[:, None]).astype(TYPES["int8"])
    return scales.tobytes() + numbers.tobytes()


def _sampling(writer: Writer) -> dict[str, Any]:
    """Return how a writer draws points, and the size of what it writes in hands of its own, in its
    units."""
    model, usual, seeds = writer.model, Sampling(), range(NUM_LINES)
    if writer.is_told:
        hands = np.stack([told(model.hand_encoder.draw(seed)) for seed in seeds])
        usual = replace(usual, extras={"hand": hands})
    lines = sample(model, seeds, [writer.usual_text] * NUM_LINES, usual)
    sizes = [(line.ink, x_height(line.ink)) for line in lines if len(line.ink) > 1]
    return {
        "bias": usual.bias,
        "pen_sharpness": usual.pen_sharpness,
        "stretch": model.stretch,
        "longest": model.longest,
        "min_scales": model.min_scales.tolist(),
        "max_correlation": model.max_correlation,
        "x_height": float(np.median([height for _, height in sizes])),
        # Of the baseline below the first point, in x-heights.
        "baseline": float(np.median([baseline(levelled(ink)[0]) / h for ink, h in sizes])),
    }


def _parts(path: str | Path) -> tuple[Mapping[str, Any], bytes]:
    """Return the header and the weights of a file.

    Raises:
        CheckpointError: if the file is damaged, or not of this format.
    """
    try:
        with open_file(path) as file:
            line = file.readline(MAX_HEADER)
            header = _header(line, path)
            is_former, size = header["format"] == FORMER_FORMAT, _num_bytes(header["tensors"])
            end = len(line) + size + (0 if is_former else DIGEST_BYTES)
            is_whole = os.fstat(file.fileno()).st_size == end <= MAX_BYTES
            content = file.read() if is_whole else b""
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    payload = content[:size]
    digest = hashlib.sha256(payload if is_former else line + payload).hexdigest()
    if not is_whole or digest != (header.get("sha256") if is_former else content[size:].hex()):
        raise CheckpointError(f"{path}: damaged or incomplete; export it again")
    return header, payload


def _header(line: bytes, path: str | Path) -> Mapping[str, Any]:
    """Return the header of a file from its first line, with all that its role needs.

    Raises:
        CheckpointError: if it is none, or names a key that is missing or has another value.
    """
    try:
        header = strict_json.loads(line.decode())
    except (UnicodeDecodeError, ConfigFault):
        header = None
    if not isinstance(header, dict) or header.get("format") not in (FORMER_FORMAT, FORMAT):
        raise CheckpointError(f"{path}: no network in the format {FORMAT}; export it again")
    unused = UNUSED.get(str(header.get("role")), set()) | (OPTIONAL - header.keys())
    binder = Binder(lambda _: {})
    for kind, keys in KEYS:
        for key in keys.split():
            names = key.split(".")
            value = reduce(lambda holder, name: children(holder).get(name, ABSENT), names, header)
            if names[0] not in unused:
                binder.make(kind, value, key)
    for fault in binder.faults:
        raise CheckpointError(f"{path}: {fault}; export it again")
    return header


def _num_bytes(tensors: Sequence[Sequence[Any]]) -> int:
    """Return the bytes of tensors: of their numbers, and 4 for each row of int8."""
    return sum(
        math.prod(shape) * TYPES[kind].itemsize + (4 * shape[0] if kind == "int8" else 0)
        for _, kind, *shape in tensors
    )
