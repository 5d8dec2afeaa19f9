"""The archive of a checkpoint, checked before anything in it is unpacked.

`torch.load(..., weights_only=True)` runs no code from a file, but builds tensors and containers of
many kinds as the file asks, and a small file can ask for unlimited memory and time. Only the few
operations that `save_checkpoint` needs are allowed here.
"""

import io
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import torch

from utils.checks import CheckpointError, first_line, short
from utils.files import open_file

MAX_PICKLE = 2**20
"""Bytes of the pickle, which is everything but the tensors' data; 55,129 for sixteen layers with an
average and adaptive noise (measured). A byte may take 2 microseconds to read and 64 bytes of
memory."""

MAX_TUPLES = 20_000
"""Tuples in the pickle, four per tensor (assumed). Python's stack overflows when it hashes some
100,000 nested ones."""

MAX_COPIES = 32
"""Calls in the pickle that copy a dictionary: two for MultiStepLR, one for each network."""

_STORAGES = ("Half", "BFloat16", "Float", "Double", "Bool", "Byte", "Char", "Short", "Int", "Long")
_GLOBALS = {
    "collections OrderedDict",
    "collections Counter",
    "torch._utils _rebuild_tensor_v2",
    *(f"torch {name}Storage" for name in _STORAGES),
}
_PUTS = ("BINPUT", "LONG_BINPUT")
_FILLS = ("EMPTY_DICT", "SETITEM", "SETITEMS")


def read(path: Path) -> tuple[Any, int]:
    """Return the contents of the archive at `path`, its tensors on the CPU, and its size in bytes.

    Raises:
        CheckpointError: naming the file, if it is damaged or contains anything but what
            `save_checkpoint` writes.
    """
    try:
        with open_file(path) as file:
            start = file.read(4)
            if start[:1] == b"\x80":
                raise CheckpointError(
                    "a bare pickle, not a checkpoint of this project; it was not loaded, because "
                    "loading a pickle can run code"
                )
            if start != b"PK\x03\x04":
                raise CheckpointError("not a checkpoint" if start else "an empty file")
            size = file.seek(0, 2)
            _check(file, size)
            file.seek(0)
            # From memory: torch takes an interrupted read of a file for a broken file.
            content = io.BytesIO(file.read())
            return torch.load(content, map_location="cpu", weights_only=True), size
    except FileNotFoundError:
        cause = "no such file"
    except OSError as error:
        cause = f"cannot be read ({error.strerror or error})"
    except CheckpointError as error:
        cause = str(error)
    except Exception as error:  # torch.load promises no particular kind for foreign files
        cause = f"not a checkpoint of this project ({first_line(error)})"
    raise CheckpointError(f"{path}: {cause}")


def _check(file: Any, size: int) -> None:
    """Raise a CheckpointError if the archive is damaged or unlike those of `save_checkpoint`."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            packed = next((part for part in parts if part.compress_type), None)
            if packed is not None:
                raise CheckpointError(
                    f"its part {short(packed.filename)} is compressed, which checkpoints never are"
                )
            # Overlapping parts add up to more bytes than the file has.
            names = {part.filename.lower() for part in parts}
            if len(names) < len(parts) or sum(part.file_size for part in parts) > size:
                raise CheckpointError("damaged (its parts overlap)")
            pickles = [part for part in parts if part.filename.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise CheckpointError("not a checkpoint of this project (no data.pkl)")
            if pickles[0].file_size > MAX_PICKLE:
                raise CheckpointError(
                    f"it contains {pickles[0].file_size:,} bytes of plain values; a checkpoint has "
                    f"at most {MAX_PICKLE:,} beside its tensors"
                )
            damaged = archive.testzip()  # torch.load itself checks no sums
            if damaged is not None:
                raise CheckpointError(f"damaged (checksum mismatch in its part {short(damaged)})")
            pickle = archive.read(pickles[0])
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"truncated or damaged ({first_line(error)})") from None
    _check_pickle(pickle)


def _check_pickle(pickle: bytes) -> None:
    """Raise a CheckpointError if a pickle asks for more than tensors and plain values.

    It may only build tensors and empty dictionaries, and copy a few dictionaries that it has just
    filled: unlimited copying could fill memory or never end.
    """
    copies = tuples = 0
    before = last = second = ""
    for operation, argument, _ in pickletools.genops(pickle):
        name = operation.name
        if name in _PUTS:
            continue
        if (name == "GLOBAL" and argument not in _GLOBALS) or name == "NEWOBJ":
            asked = "" if argument is None else f": {short(argument.replace(' ', '.'))}"
            raise CheckpointError(
                "contains more than plain tensors and plain values and was not loaded, because "
                f"loading it could run code or fill the memory{asked}"
            )
        if name == "LONG1" and argument.bit_length() > 64:
            raise CheckpointError("contains an integer of more than 64 bits")
        if name.startswith("TUPLE"):
            tuples += 1
        elif name == "REDUCE" and last != "EMPTY_TUPLE":
            if (second, before, last) != ("EMPTY_TUPLE", "REDUCE", "TUPLE"):  # of a tensor
                copies += 1 if before in _FILLS and last == "TUPLE1" else MAX_COPIES
        elif name == "BUILD":
            copies += 1 if last in _FILLS else MAX_COPIES
        if copies >= MAX_COPIES or tuples > MAX_TUPLES:
            raise CheckpointError("its pickle has more operations than any checkpoint needs")
        second, before, last = before, last, name
