"""Turns a checkpoint into a file of safetensors, which other programs read, and back.

The weights have their names in the checkpoint. Each other entry is a JSON text in the metadata.
"""

import json
import math
from collections.abc import Mapping
from io import SEEK_END, BytesIO
from types import ModuleType
from typing import Any, BinaryIO

from base.run.checkpoint_archive import MAX_CHECKPOINT_BYTES
from utils import strict_json
from utils.checks import CheckpointError, UserError, short

SUFFIX = ".safetensors"
MAX_HEADER = 1 << 22
"""Maximum bytes of the header (assumed: that of the project's networks has 10,000)."""
_LENGTH_BYTES = 8
"""Bytes of the header's length, with which a file begins; the header is a JSON object."""


def metadata_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries of a checkpoint, without its weights, as JSON texts by name.

    Metrics that are not finite are left out, as JSON has no such numbers.

    Raises:
        CheckpointError: if JSON cannot hold an entry; names it.
    """
    texts = {}
    for name, value in content.items():
        if name == "state_dict":
            continue
        entry = value
        try:
            if name == "metrics":
                entry = {key: number for key, number in value.items() if math.isfinite(number)}
            texts[name] = json.dumps(entry)
            strict_json.loads(texts[name])
        except (TypeError, ValueError, RecursionError, UserError):
            raise CheckpointError(f"{name} = {short(value)}: not plain values") from None
    return texts


def to_safetensors(content: Mapping[str, Any]) -> BytesIO:
    """Return the file of a checkpoint, which `from_safetensors` can read.

    Raises:
        CheckpointError: if it cannot hold an entry; names it.
        UserError: if safetensors is not installed.
    """
    library = _library()
    # Each weight by itself: the format knows no weights that are one, and no strides.
    weights = {
        name: value.detach().clone().contiguous() for name, value in content["state_dict"].items()
    }
    try:
        file = BytesIO(library.save(weights, metadata_of(content)))
    except KeyError as kind:
        raise CheckpointError(f"state_dict: {SUFFIX} has no numbers of type {kind}") from None
    _header(file)
    return file


def is_safetensors(file: BinaryIO) -> bool:
    """Return whether a file begins like one of safetensors; no archive does."""
    file.seek(_LENGTH_BYTES)
    return file.read(1) == b"{"


def from_safetensors(file: BinaryIO) -> dict[str, Any]:
    """Return the content of a file, its tensors on the CPU.

    Raises:
        CheckpointError: if it is too large, or an entry is no JSON.
        UserError: if safetensors is not installed.
        Exception: of any kind, if it is damaged.
    """
    library = _library()
    header = _header(file)
    file.seek(0)
    weights = library.load(file.read())  # It compares the header with the size of the file.
    content = {}
    for name, text in header.get("__metadata__", {}).items():
        try:
            content[name] = strict_json.loads(text)
        except UserError as fault:
            problem = f"metadata, {short(name)}: {fault}"
            raise CheckpointError(f"not a checkpoint of this project ({problem})") from None
    return content | {"state_dict": weights}


def _header(file: BinaryIO) -> dict[str, Any]:
    """Return the header of a file; raise a CheckpointError if the header or the file is too large,
    or is cut."""
    size = file.seek(0, SEEK_END)
    if size > MAX_CHECKPOINT_BYTES:
        raise CheckpointError(f"larger than {MAX_CHECKPOINT_BYTES:,} bytes")
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if length > min(MAX_HEADER, size):
        raise CheckpointError(f"its header is longer than the file, or than {MAX_HEADER:,} bytes")
    return json.loads(file.read(length))


def _library() -> ModuleType:
    try:
        import safetensors.torch
    except ImportError:
        problem = f"{SUFFIX} needs safetensors: python -m pip install safetensors"
        raise UserError(problem) from None
    return safetensors.torch
