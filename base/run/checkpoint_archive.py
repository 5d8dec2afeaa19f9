"""Checks the archive of a checkpoint before torch loads it, which would allocate what it promises.

A checkpoint is a ZIP archive of a pickle, `data.pkl`, and of the bytes of each storage of numbers.
"""

import math
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Iterable
from io import BytesIO
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from utils.checks import CheckpointError, short

MAX_OPCODES = 1_000_000  # of the pickle (assumed: checkpoints have some thousands)
MAX_VALUES = 1_000_000  # of the pickle, each as often as it is repeated (assumed)
MAX_PICKLE = 16 << 20  # bytes (assumed: checkpoints have some 100,000)

_ITEM_BYTES = {
    **dict.fromkeys(("DoubleStorage", "LongStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("CharStorage", "ByteStorage", "BoolStorage"), 1),
}
"""Bytes of a number in each storage of plain numbers."""
_OPCODES = frozenset(
    (
        *("PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"),
        *("LONG1", "BINFLOAT", "BINUNICODE", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "BINPUT"),
        *("LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
    )
)
"""Opcodes of plain values and tensors, as torch writes them."""


def checked_archive(file: BinaryIO) -> BytesIO:
    """Return an archive of the parts of a checkpoint, which has nothing but plain values and
    tensors of plain numbers, of the sizes that it stores.

    The parts are written anew: of a file with two lists of parts, Python may read one list, and
    torch the other.

    Raises:
        CheckpointError: if it has anything else.
        pickle.UnpicklingError: if its pickle has anything else.
        zipfile.BadZipFile: if it is no archive; other errors if it is damaged.
    """
    clean, size = BytesIO(), file.seek(0, 2)
    with ZipFile(file) as archive, ZipFile(clean, "w") as copy:
        members = archive.infolist()
        if any(member.compress_type != ZIP_STORED for member in members):
            raise CheckpointError("compressed, as no checkpoint is")
        if sum(member.file_size for member in members) > size:
            raise CheckpointError("its parts are larger than the file")
        folder = members[0].filename.partition("/")[0] if members else ""
        sizes = {member.filename.removeprefix(f"{folder}/"): member.file_size for member in members}
        # To torch, names in upper case and in lower case are the same.
        is_unique = len({name.lower() for name in sizes}) == len(members)
        if not is_unique or sizes.get("data.pkl", MAX_PICKLE + 1) > MAX_PICKLE:
            raise CheckpointError("not a checkpoint of this project (no list of its parts)")
        content = _part(archive, f"{folder}/data.pkl")
        _check_opcodes(content)
        _check_values(_Stub(BytesIO(content), sizes).load())
        for member in members:
            copy.writestr(member.filename, _part(archive, member.filename))
    clean.seek(0)
    return clean


def _part(archive: ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except BadZipFile:
        raise CheckpointError(f"damaged (checksum mismatch in its part {short(name)})") from None


def _check_opcodes(content: bytes) -> None:
    for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name not in _OPCODES or number > MAX_OPCODES:
            raise pickle.UnpicklingError(opcode.name)
        # The unpickler allocates as much as the largest number of an object that it remembers.
        if opcode.name == "LONG_BINPUT" and argument > MAX_OPCODES:
            raise pickle.UnpicklingError(opcode.name)


class _Stub(pickle.Unpickler):
    """Reads a pickle with None in the place of tensors, whose sizes it checks."""

    def __init__(self, stream: BytesIO, sizes: dict[str, int]) -> None:
        super().__init__(stream)
        self._sizes = sizes

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _check_tensor
        if module == "torch" and name in _ITEM_BYTES:
            return _ITEM_BYTES[name]
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> int:
        """Return the number of numbers in a storage."""
        _, item_bytes, key, _, count = pid
        if item_bytes * count != self._sizes.get(f"data/{key}"):
            raise CheckpointError(f"its part {short(key)} has not the size that it should have")
        return count


def _check_tensor(count: int, offset: int, shape: tuple, strides: tuple, *_: object) -> None:
    """Check a tensor in a storage of some numbers; a view that repeats numbers could be huge."""
    if min((offset, *shape, *strides)) < 0 or math.prod(shape) > count:
        raise CheckpointError("a tensor has more numbers than the file stores")


def _check_values(values: Any) -> None:
    """Check that values are not too many, as they are where lists are repeated in lists."""
    rest: list[Iterable[Any]] = [(values,)]
    number = 0
    while rest:
        for value in rest.pop():
            number += 1
            if number > MAX_VALUES:
                raise CheckpointError("too many values")
            if isinstance(value, dict):
                rest += (value.keys(), value.values())
            elif isinstance(value, list | tuple):
                rest.append(value)
