"""One flat file of a network, for the engine of `web/`, which computes the same.

The file is a line of JSON, the header; the weights; and the SHA-256 of both. The header has

- `format`, `role` ("writer" or "reader"), `name`, `licence`;
- `architecture`, `alphabet` and `normalisation`, as a checkpoint has them;
- `sampling` of a writer: what `Sampling` has by default, the bounds of its mixture, and the usual
  size of its lines; `features` of a reader;
- `replacements` of a writer: what `page` writes for characters that are not in the alphabet;
- `styles`: lines in whose hands a writer writes, see `style_of_web`;
- `tensors`: name, type and shape of each, in their order.

Those of type "int8" are matrices whose rows are scaled: first a float32 for each row, then the
int8, which are to be multiplied by their row's float32. The others are float32. Numbers are
little-endian. In the former format the header has the `sha256` of the weights, with which the file
ends.
"""

import hashlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
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
from data_loader.sources.ink_files import mean_step
from handwriting.hand_shape import calibrated
from handwriting.page_options import PrimerFile
from handwriting.primers import load_primer, told_of
from handwriting.source_text import replacements
from handwriting.styles import network_of, styles
from model import CTCNetwork, SynthesisNetwork, Writer
from model.generation.sampling_options import Sampling
from model.loading import load as load_network
from model.loading import load_writer, restored
from model.trained_network import TrainedNetwork
from utils import strict_json
from utils.checks import ABSENT, CheckpointError, ConfigFault, Range, UserError
from utils.files import atomic_write, open_file, write_text
from utils.hand_measures import baseline, levelled
from utils.ink import x_height
from utils.strict_json import children

FORMER_FORMAT = "online-handwriting/1"
FORMAT = "online-handwriting/2"
DIGEST_BYTES = hashlib.sha256().digest_size
FLOATS = np.dtype("<f4")
BYTES = np.dtype(np.int8)
LARGEST = 127  # of int8
PRECISE = ("output.weight", "window.weight", "weight_input")
"""Ends of the names of matrices that stay float32: in 8 bits these, a tenth of the file, cost most
of the log-loss (measured, lab notebook: the networks of the page)."""
MAX_HEADER = 2**20  # bytes (assumed: usual headers have 10,000, of which most are a style)
MAX_BYTES = 2**29  # bytes of a file, which takes up to four times as many in memory (assumed)
UNKNOWN_LICENCE = "that of the lines with which it was trained"

Size = Annotated[int, Range(1, 2**53 - 1)]  # whole numbers of JavaScript end there
Kind = Literal["float32", "int8"]
Pair = tuple[float, float]
Tensor = tuple[str, Kind, Size] | tuple[str, Kind, Size, Size] | tuple[str, Kind, Size, Size, Size]
KEYS: list[tuple[Any, str]] = [
    (Literal["writer", "reader"], "role"),
    (str, "name licence alphabet architecture.type styles.hand.text"),
    (Pair, "normalisation.mean normalisation.std sampling.min_scales styles.hand.stretch"),
    (float, "sampling.bias sampling.pen_sharpness sampling.stretch sampling.max_correlation"),
    (float, "sampling.x_height sampling.step sampling.baseline features.spacing"),
    (float, "styles.hand.x_height"),
    (list[float], "styles.hand.ink"),
    (Size | None, "sampling.longest"),
    (Size, "features.parts"),
    (list[Tensor], "tensors"),
]
"""Annotations of the header's values, each with the dotted keys that have it; web/networks.js has
the same."""


def save(path: str | Path, network: TrainedNetwork, style: Path | None = None) -> None:
    """Write the flat file of a network, atomically.

    Args:
        path: of the file.
        network: that the engine knows.
        style: file of a line in whose hand the network writes, as the style "hand".

    Raises:
        UserError: if the engine does not know the network.
        OSError: if the file cannot be written.
    """
    check_known(network)
    model, tensors, payload = network.model, [], b""
    for name, value in model.state_dict().items():
        weights = value.numpy(force=True)
        precise = weights.ndim == 1 or name.endswith(PRECISE)
        payload += weights.astype(FLOATS).tobytes() if precise else _scaled(weights)
        tensors.append([name, "float32" if precise else "int8", *weights.shape])
    if isinstance(network, Writer):
        of_role = {"role": "writer", "sampling": _sampling(network)}
        of_role["replacements"] = replacements(frozenset(model.alphabet.characters))
    else:
        of_role = {"role": "reader", "features": {"spacing": model.spacing, "parts": model.parts}}
    if style:
        of_role["styles"] = {"hand": style_of_web(network, style)}
    header = {
        "format": FORMAT,
        "name": network.path.parent.name if style else network.name,  # a hand has its run's
        "licence": network.licence or UNKNOWN_LICENCE,
        "architecture": network.record["config"]["arch"],
        "alphabet": "".join(model.alphabet.characters),
        "normalisation": model.normalisation.to_dict(),
        **of_role,
        "tensors": tensors,
    }
    content = json.dumps(header, ensure_ascii=False).encode() + b"\n" + payload
    atomic_write(path, lambda file: file.write(content + hashlib.sha256(content).digest()))


def load(path: str | Path, device: str = "auto") -> TrainedNetwork:
    """Load the network of a flat file, as `model.load` loads the network of a checkpoint.

    Raises:
        UserError: if the file is damaged, or not of this format.
    """
    header, payload = _parts(path)
    weights, file = {}, io.BytesIO(payload)

    def take(kind: np.dtype, count: int) -> np.ndarray:
        return np.frombuffer(file.read(kind.itemsize * count), kind)

    for name, kind, *shape in header["tensors"]:
        scales = take(FLOATS, shape[0])[:, None] if kind == "int8" else np.float32(1)
        rows = take(BYTES if kind == "int8" else FLOATS, math.prod(shape)).reshape(shape[0], -1)
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
    """Make the flat files of pretrained networks, each named like its checkpoint, where they are
    missing or of an older checkpoint, and return the new ones; a bar shows how many are there."""
    new = []
    for path in distributed.bar(paths, "networks", unit=" files", leave=False):
        source = pretrained()[path.stem]
        if not is_flat_file(path) or path.stat().st_mtime < source.stat().st_mtime:
            path.parent.mkdir(exist_ok=True)
            save(path, load_network(source, "cpu"))
            new.append(path)
    return new


def save_styles(path: str | Path) -> None:
    """Write the styles of `writer` as JSON, by name, for the page; see `style_of_web`."""
    writer, usual = load_writer("writer", "cpu"), network_of(None)
    files = {name: file for name, file in styles().items() if network_of(file) == usual}
    values = {name: style_of_web(writer, file) for name, file in files.items()}
    write_text(path, json.dumps(values, ensure_ascii=False))


def style_of_web(writer: Writer, file: Path) -> dict[str, Any]:
    """Return a style: its `text`; its `ink` in x-heights, three numbers a point; `x_height` in the
    writer's units; and the `stretch` with which lines become as large as this line, see
    `calibrated`, or the vector that the writer is `told`."""
    (ink, text), _ = load_primer(PrimerFile(file), writer)
    height, stretch = x_height(ink), writer.model.stretch_at(Sampling().bias)
    if not writer.is_told:
        stretch = calibrated(writer, (ink, text), Sampling(), progress=True).stretch
    points = (ink / np.array([height, height, 1.0])).round(4)
    return {
        **({"told": vector_of(writer, file)} if writer.is_told else {}),
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
    scales = (np.abs(rows).max(1) / LARGEST).astype(FLOATS)
    numbers = np.rint(rows / np.maximum(scales, 1e-30)[:, None]).astype(BYTES)
    return scales.tobytes() + numbers.tobytes()


def _sampling(writer: Writer) -> dict[str, Any]:
    """Return how a writer draws points, and the size of its lines, in its units."""
    model, usual = writer.model, Sampling()
    lines = [(ink, x_height(ink)) for ink in writer.reference_lines]
    return {
        "bias": usual.bias,
        "pen_sharpness": usual.pen_sharpness,
        "stretch": model.stretch,
        "longest": model.longest,
        "min_scales": model.min_scales.tolist(),
        "max_correlation": model.max_correlation,
        "x_height": float(np.median([height for _, height in lines])),
        "step": float(np.median([mean_step(ink) for ink, _ in lines])),
        # Of the baseline below the first point, in x-heights.
        "baseline": float(np.median([baseline(levelled(ink)[0]) / h for ink, h in lines])),
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
        CheckpointError: if the line is no header; names a key that is missing or has another value.
    """
    try:
        header = strict_json.loads(line.decode())
    except (UnicodeDecodeError, ConfigFault):
        header = None
    if not isinstance(header, dict) or header.get("format") not in (FORMER_FORMAT, FORMAT):
        raise CheckpointError(f"{path}: no network in the format {FORMAT}; export it again")
    other = "features" if header.get("role") == "writer" else "sampling"
    unused = {other} | ({"styles"} - header.keys())
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
    """Return the bytes of tensors: each float32 has 4, each int8 one and each of its rows 4."""
    sizes = [(kind, shape[0], math.prod(shape[1:])) for _, kind, *shape in tensors]
    return sum(m * (4 + n if kind == "int8" else 4 * n) for kind, m, n in sizes)
