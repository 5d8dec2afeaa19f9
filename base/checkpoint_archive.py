"""The archive that a checkpoint is, looked at before anything in it is unpacked.

`torch.load(..., weights_only=True)` runs no code of a file, but does what the file asks for with
tensors and containers of many kinds, and small files can ask for more memory and time than there
is. What `save_checkpoint` writes needs little of that, and nothing else is let through.
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
"""Bytes of the pickle, which holds all but the numbers of the tensors. Of sixteen layers that train
with an average and adaptive noise it has 55,129 (measured). A byte may take 2 microseconds to read
and 64 bytes of memory."""

MAX_TUPLES = 20_000
"""Tuples in the pickle, four a tensor (assumed). Python's stack overflows when it hashes some
100,000 that lie in one another."""

MAX_COPIES = 32
"""Calls in the pickle that copy a dictionary: two of MultiStepLR, one of each network."""

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
    """Return what the archive at `path` holds, its tensors on the CPU, and its size in bytes.

    Raises:
        CheckpointError: naming the file, if it is damaged or holds anything but what
            `save_checkpoint` writes.
    """
    try:
        with open_file(path) as file:
            start = file.read(4)
            if start[:1] == b"\x80":
                raise CheckpointError(
                    "a bare pickle and no checkpoint of this project; it was not loaded, because "
                    "loading a pickle can run code"
                )
            if start != b"PK\x03\x04":
                raise CheckpointError("no checkpoint" if start else "an empty file")
            size = file.seek(0, 2)
            _check(file, size)
            file.seek(0)
            # From memory: of a file, torch takes an interrupted read for a broken one.
            content = io.BytesIO(file.read())
            return torch.load(content, map_location="cpu", weights_only=True), size
    except FileNotFoundError:
        cause = "no such file"
    except OSError as error:
        cause = f"cannot be read ({error.strerror or error})"
    except CheckpointError as error:
        cause = str(error)
    except Exception as error:  # torch.load promises no particular kind for foreign files
        cause = f"no checkpoint of this project ({first_line(error)})"
    raise CheckpointError(f"{path}: {cause}")


def _check(file: Any, size: int) -> None:
    """Raise a CheckpointError if the archive is damaged, or no plain one of plain values."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            packed = next((part for part in parts if part.compress_type), None)
            if packed is not None:
                raise CheckpointError(
                    f"its part {short(packed.filename)} is compressed, as none of a checkpoint is"
                )
            # Parts that lie over one another have more bytes than the file.
            names = {part.filename.lower() for part in parts}
            if len(names) < len(parts) or sum(part.file_size for part in parts) > size:
                raise CheckpointError("damaged (its parts overlap)")
            pickles = [part for part in parts if part.filename.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise CheckpointError("no checkpoint of this project (no data.pkl)")
            if pickles[0].file_size > MAX_PICKLE:
                raise CheckpointError(
                    f"it holds {pickles[0].file_size:,} bytes of plain values, where "
                    f"{MAX_PICKLE:,} is the most that a checkpoint has beside its tensors"
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

    It may only call what makes a tensor or an empty dictionary, and a few times what copies a
    dictionary that it has just filled: what copies or runs through anything else, again and again,
    fills memory or never ends.
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
                "holds more than plain tensors and plain values and was not loaded, because "
                f"loading it could run code or fill the memory{asked}"
            )
        if name == "LONG1" and argument.bit_length() > 64:
            raise CheckpointError("holds a whole number of more than 64 bits")
        if name.startswith("TUPLE"):
            tuples += 1
        elif name == "REDUCE" and last != "EMPTY_TUPLE":
            if (second, before, last) != ("EMPTY_TUPLE", "REDUCE", "TUPLE"):  # of a tensor
                copies += 1 if before in _FILLS and last == "TUPLE1" else MAX_COPIES
        elif name == "BUILD":
            copies += 1 if last in _FILLS else MAX_COPIES
        if copies >= MAX_COPIES or tuples > MAX_TUPLES:
            raise CheckpointError("its plain values are put together as no checkpoint's are")
        second, before, last = before, last, name
