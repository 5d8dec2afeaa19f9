"""Says what a checkpoint may hold, and checks it: what is saved and what is opened alike.

A checkpoint is a ZIP archive of a pickle, `data.pkl`, and of the bytes of each storage of numbers.
torch would allocate whatever the pickle says, so it is compared with the size of the file first.
"""

import inspect
import math
import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import partial
from io import SEEK_END, BytesIO
from typing import Any, BinaryIO, ClassVar
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor, nn

from utils.checks import MAX_NAMES, CheckpointError, first_line, lacks_memory, short

MAX_CHECKPOINT_BYTES = 1 << 32
"""Maximum bytes of a file (assumed: networks of this project have 0.1 GB)."""
FREE_VALUES = 1_000_000
"""Values that a checkpoint of any size may have, each as often as it is repeated (assumed)."""
VALUES_PER_BYTE = 4
"""Further values for each byte of the file (a value that torch writes has one or more bytes, and is
counted up to three times)."""
MAX_VALUE_DEPTH = 300
"""Maximum depth of values in values: `digest` makes two calls a level, of some 1000 that Python
allows."""
VALUES_TOO_DEEP = f"values in each other more than {MAX_VALUE_DEPTH} deep"


@dataclass(frozen=True)
class _Storage:
    """Stands for the stored numbers of tensors."""

    dtype: torch.dtype
    num_bytes: int


class _Tensor:
    """Stands for a tensor or a parameter."""


def _check_tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    _: bool,
    hooks: OrderedDict,
    dtype: torch.dtype | None = None,
) -> _Tensor:
    """Check that a tensor lies in its storage; a view that repeats numbers could be huge."""
    item_bytes = (dtype or storage.dtype).itemsize
    count = storage.num_bytes // item_bytes
    if hooks or not all(type(n) is int and n >= 0 for n in (offset, *shape, *strides)):
        raise pickle.UnpicklingError("hooks or strides")
    size = math.prod(shape)
    if size > count or (size and offset + _extent(shape, strides) > count):
        raise CheckpointError("a tensor has more numbers than the file stores")
    return _Tensor()


def _check_parameter(tensor: _Tensor, _: bool, hooks: OrderedDict) -> _Tensor:
    if hooks:
        raise pickle.UnpicklingError("hooks")
    return tensor


def _encode(text: str, encoding: str) -> bytes:
    """Stand in for `codecs.encode`, by which a pickle of protocol 2 makes its bytes of a text."""
    if encoding != "latin1":  # Another one could decompress the text.
        raise pickle.UnpicklingError(encoding)
    return text.encode(encoding)


# What a checkpoint may hold: dictionaries, lists, tuples, what `CALLS` returns, and `LEAVES`.

LEAVES = frozenset(
    (
        *(type(None), bool, int, float, complex, str, bytes, bytearray),
        *(torch.dtype, torch.device, _Tensor),
    )
)
"""The types of values that hold no other values."""
PLAIN_CLASSES = (int, float, complex, str, bytes, dict, list, tuple, set)
"""Python's own classes of values; those that derive from them are not saved."""
_VIEW = (_Storage, int, tuple, tuple, bool, OrderedDict)
CALLS: dict[tuple[str, str], tuple[Callable[..., Any], list[tuple[type, ...]]]] = {
    ("collections", "OrderedDict"): (OrderedDict, [()]),
    ("collections", "Counter"): (Counter, [(dict,)]),
    ("__builtin__", "set"): (set, [(list,)]),
    ("__builtin__", "complex"): (complex, [(float, float)]),
    ("__builtin__", "bytearray"): (bytearray, [(), (bytes,)]),
    ("_codecs", "encode"): (_encode, [(str, str)]),  # bytes
    ("torch", "Size"): (torch.Size, [(tuple,)]),
    ("torch", "device"): (torch.device, [(str,), (str, int)]),
    ("torch._utils", "_rebuild_tensor_v2"): (_check_tensor, [_VIEW]),
    ("torch._utils", "_rebuild_tensor_v3"): (_check_tensor, [(*_VIEW, torch.dtype)]),
    ("torch._utils", "_rebuild_parameter"): (_check_parameter, [(_Tensor, bool, OrderedDict)]),
}
"""What stands for each function that a pickle calls, and the types of arguments that it takes."""
DTYPES = {
    **{"float64": "DoubleStorage", "float32": "FloatStorage"},
    **{"float16": "HalfStorage", "bfloat16": "BFloat16Storage", "bool": "BoolStorage"},
    **{"complex128": "ComplexDoubleStorage", "complex64": "ComplexFloatStorage", "complex32": ""},
    **{"int64": "LongStorage", "int32": "IntStorage", "int16": "ShortStorage"},
    **{"int8": "CharStorage", "uint8": "ByteStorage", "uint16": "", "uint32": "", "uint64": ""},
}
"""The types of numbers, each with the name of its storage, "" for one of bytes."""
PICKLED_NAMES = {
    **{("torch", name): getattr(torch, name) for name in DTYPES},
    **{("torch", storage): getattr(torch, name) for name, storage in DTYPES.items() if storage},
    ("torch.storage", "UntypedStorage"): torch.uint8,
}
"""Other names in a pickle, and what stands for them."""
REMEDIES = {
    "__builtin__.frozenset": "frozensets are not saved: use a set",
    "__builtin__.bytes": "empty bytes are not saved: use None or an empty bytearray",
    "collections.": "of collections only Counter and OrderedDict are saved: use a list or a dict",
    "numpy.random": "generators of NumPy are not saved: use generator.bit_generator.state",
    "numpy": "no value of NumPy is saved: use torch.from_numpy(array) or number.item()",
    "torch._utils._rebuild_sparse": "sparse tensors are not saved: use to_dense()",
    "torch._utils._rebuild_nested": "nested tensors are not saved: use a list, by unbind()",
    "torch._utils._rebuild_qtensor": "quantised tensors are not saved: use dequantize()",
    "torch._utils._rebuild_meta": "tensors on the device meta have no numbers: leave them out",
    "torch._tensor.": "tensors of a further class, also nested ones, are not saved: use plain ones",
    "torch._C.Generator": "generators are not saved: use get_state() and set_state()",
    "torch.float8": "float8 tensors and their types are not saved: use bfloat16 or float32",
}
"""What to use in place of what is not saved, by the beginning of its name in a pickle."""
_OPCODES = b"".join(
    (
        *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
        *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT),
        *(pickle.BINUNICODE, pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2),
        *(pickle.TUPLE3, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT),
        *(pickle.SETITEM, pickle.SETITEMS, pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET),
        *(pickle.LONG_BINGET, pickle.GLOBAL, pickle.REDUCE, pickle.BUILD, pickle.BINPERSID),
    )
)
"""Opcodes of all this, as torch writes them."""
_HANDLERS: dict[int, Callable[..., None]] = {n: pickle._Unpickler.dispatch[n] for n in _OPCODES}
"""The methods of Python's unpickler for them."""


class _Reader(pickle._Unpickler):
    """Reads the pickle of a file with stubs in the place of tensors, and checks it.

    It derives from the unpickler in Python, as the one in C takes all opcodes, and computes the
    hash of a key before the key can be checked.

    Args:
        content: the pickle.
        sizes: the bytes of each part of the file, by name.
        file_bytes: the bytes of the file.
    """

    stack: list[Any]

    def __init__(self, content: bytes, sizes: dict[str, int], file_bytes: int) -> None:
        super().__init__(BytesIO(content))
        self._sizes = sizes
        self._values_left = FREE_VALUES + VALUES_PER_BYTE * file_bytes

    def load(self) -> None:
        """Check the pickle.

        Raises:
            CheckpointError: if it has more than the file stores, or what `REMEDIES` names.
            pickle.UnpicklingError: if it has anything else that no checkpoint has.
            Exception: of any kind, if it is damaged.
        """
        try:
            content = super().load()
        except KeyError as error:
            raise pickle.UnpicklingError(f"opcode {error}") from None
        if any(type(leaf) not in LEAVES for leaf in self._leaves(content)):
            raise pickle.UnpicklingError("a name")

    def find_class(self, module: str, name: str) -> Any:
        if value := PICKLED_NAMES.get((module, name)):
            return value
        if call := CALLS.get((module, name)):
            return partial(self._called, *call)
        full_name = f"{module}.{name}"
        for beginning, remedy in REMEDIES.items():
            if full_name.startswith(beginning):
                raise CheckpointError(remedy)
        raise pickle.UnpicklingError(full_name)

    def _called(self, function: Any, signatures: list[tuple[type, ...]], *arguments: Any) -> Any:
        """Return what a function returns, unless its arguments are of other types."""
        texts = (leaf for leaf in self._leaves(arguments) if isinstance(leaf, str | bytes))
        self._count(sum(map(len, texts)))
        if (*map(type, arguments),) not in signatures:
            raise pickle.UnpicklingError("arguments")
        return function(*arguments)

    def persistent_load(self, pid: Any) -> _Storage:
        """Return a storage, which must be a part of the file."""
        match pid:
            case ("storage", torch.dtype() as dtype, str(key), str(), int(count)):
                size = dtype.itemsize * count
                if size == self._sizes.get(f"data/{key}"):
                    return _Storage(dtype, size)
                problem = f"its part {short(key)} has not the size that it should have"
                raise CheckpointError(problem)
        raise pickle.UnpicklingError("storage")

    def load_build(self) -> None:
        attributes = self.stack.pop()
        if type(self.stack[-1]) is not OrderedDict or type(attributes) is not dict:
            raise pickle.UnpicklingError("BUILD")
        vars(self.stack[-1]).update(attributes)

    def load_setitem(self) -> None:
        self._check_key(self.stack[-2])  # The value lies above the key.
        _HANDLERS[pickle.SETITEM[0]](self)

    def load_setitems(self) -> None:
        for key in self.stack[::2]:  # keys and values in turn
            self._check_key(key)
        _HANDLERS[pickle.SETITEMS[0]](self)

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **_HANDLERS,
        **{pickle.BUILD[0]: load_build, pickle.SETITEM[0]: load_setitem},
        pickle.SETITEMS[0]: load_setitems,
    }

    def _check_key(self, key: Any) -> None:
        """Count a key before its hash is computed, which for tuples in tuples might never end."""
        for _ in self._leaves(key):
            pass

    def _leaves(self, value: Any) -> Iterator[Any]:
        """Yield what a value holds, at any depth and as often as it is repeated, and count it."""
        level = [value]
        depth = 0
        while level:
            depth += 1
            if depth > MAX_VALUE_DEPTH:
                raise CheckpointError(VALUES_TOO_DEEP)
            inner = list[Any]()
            for value in level:
                if isinstance(value, dict):
                    attributes = getattr(value, "__dict__", {})  # of an OrderedDict
                    value = [*value, *value.values(), *attributes.values()]
                if isinstance(value, list | tuple | set):
                    self._count(len(value))
                    inner += value
                else:
                    yield value
            level = inner

    def _count(self, number: int) -> None:
        self._values_left -= number
        if self._values_left < 0:
            problem = "too many values for a file of its size, as repeated ones count each time"
            raise CheckpointError(f"{problem}: use a tensor")


class _Pickling:
    """Takes the place of the module `pickle` in `torch.save`."""

    class Pickler(pickle.Pickler):
        """Writes tensors and parameters without their attributes, and repeated numbers whole."""

        def reducer_override(self, value: Any) -> Any:
            if type(value) is nn.Parameter:
                hooks: OrderedDict[str, Any] = OrderedDict()
                return torch._utils._rebuild_parameter, (value.data, value.requires_grad, hooks)
            if isinstance(value, Tensor) and value.grad_fn is not None:
                raise CheckpointError("a tensor is not saved with its graph: use detach()")
            if type(value) is not Tensor or not _is_dense(value):
                return NotImplemented
            tensor = whole(value.detach().resolve_conj().resolve_neg())
            return tensor.requires_grad_(value.requires_grad).__reduce_ex__(2)


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor, or if it has a number at several places, as `expand` makes it, a copy."""
    if _is_dense(tensor) and tensor.numel() > _extent(tensor.shape, tensor.stride()):
        return tensor.contiguous()
    return tensor


def _is_dense(tensor: Tensor) -> bool:
    is_other = tensor.is_quantized or tensor.is_nested or tensor.is_meta
    return tensor.layout == torch.strided and not is_other


def make_whole(module: nn.Module) -> None:
    """Make the tensors of a module `whole`, as torch copies no numbers into others."""
    if any(whole(tensor) is not tensor for tensor in (*module.parameters(), *module.buffers())):
        module._apply(whole)


def _extent(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Return the distance from the first to behind the last number of a tensor in its storage."""
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))


def to_archive(content: Any) -> BytesIO:
    """Return an archive of content, which `from_archive` can read.

    Raises:
        CheckpointError: if it cannot; names the entry, and what to use instead.
    """
    try:
        return _to_archive(content)
    except Exception as error:  # Pickling may raise any.
        if lacks_memory(error):
            raise
        raise CheckpointError(_refusal(content, error)) from error


def _to_archive(content: Any) -> BytesIO:
    file = BytesIO()
    try:
        torch.save(content, file, pickle_module=_Pickling)
    except RecursionError:
        raise CheckpointError(VALUES_TOO_DEEP) from None
    except RuntimeError as error:
        if "view the same data as different types" not in str(error):
            raise
        problem = "tensors of different types that share their numbers are not saved"
        raise CheckpointError(f"{problem}: use clone()") from None
    _checked(file)
    return file


def from_archive(file: BinaryIO) -> Any:
    """Return the content of an archive, its tensors on the CPU.

    Raises:
        CheckpointError: if it has what no checkpoint has.
        pickle.UnpicklingError: if its pickle could run code.
        zipfile.BadZipFile: if it is no archive; other errors if it is damaged.
    """
    # The parts are written anew: of a file with two lists of parts, Python may read one list, and
    # torch the other. torch reads from memory, as an interrupted read of a file is an error to it.
    archive = _checked(file)
    clean = BytesIO()
    with ZipFile(clean, "w") as copy:
        for member in archive.infolist():
            copy.writestr(member.filename, _part(archive, member.filename))
    clean.seek(0)
    return torch.load(clean, map_location="cpu", weights_only=True)


def _checked(file: BinaryIO) -> ZipFile:
    """Return the archive in a file, which has only what a checkpoint may hold."""
    size = file.seek(0, SEEK_END)
    if size > MAX_CHECKPOINT_BYTES:
        raise CheckpointError(f"larger than {MAX_CHECKPOINT_BYTES:,} bytes")
    archive = ZipFile(file)
    members = archive.infolist()
    if any(member.compress_type != ZIP_STORED for member in members):
        raise CheckpointError("compressed, as no checkpoint is")
    if sum(member.file_size for member in members) > size:
        raise CheckpointError("its parts are larger than the file")
    folder = ""
    if members:
        folder, _, _ = members[0].filename.partition("/")
    sizes = {member.filename.removeprefix(f"{folder}/"): member.file_size for member in members}
    # To torch, names in upper case and in lower case are the same.
    if len({name.lower() for name in sizes}) < len(members) or "data.pkl" not in sizes:
        raise CheckpointError("not a checkpoint of this project (no list of its parts)")
    _Reader(_part(archive, f"{folder}/data.pkl"), sizes, size).load()
    return archive


def _part(archive: ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except BadZipFile:
        raise CheckpointError(f"damaged (checksum mismatch in its part {short(name)})") from None


def _refusal(value: Any, error: Exception, name: str = "", within: tuple[int, ...] = ()) -> str:
    """Return the name, the value and the fault of the innermost entry that cannot be saved, or of
    one `MAX_NAMES` deep."""
    entries = list[tuple[Any, Any]]()
    if len(within) < MAX_NAMES and isinstance(value, dict):
        entries = [*value.items()]
    elif len(within) < MAX_NAMES and isinstance(value, list | tuple):
        entries = [*enumerate(value)]
    while len(entries) > 1:  # Bisection: a half that can be saved as a whole has no such entry.
        middle = len(entries) // 2
        first_half = entries[:middle]
        is_saved = _error_of_saving([child for _, child in first_half]) is None
        entries = entries[middle:] if is_saved else first_half
    for key, child in entries:
        if id(child) in within:  # It holds itself.
            continue
        child_error = _error_of_saving(child)
        if child_error is not None:
            child_name = f"{name}.{key}".lstrip(".")
            return _refusal(child, child_error, child_name, (*within, id(child)))
    cause = first_line(error) if isinstance(error, CheckpointError) else _instead(value)
    if not cause:
        is_foreign = isinstance(error, pickle.UnpicklingError)
        cause = "neither tensors nor plain values" if is_foreign else first_line(error)
    return f"{name or 'the state'} = {short(value)}: {cause}"


def _instead(value: Any) -> str:
    """Return what to use instead of a value of a class that is not saved, or "" if unknown."""
    plain = next((cls for cls in type(value).__mro__ if cls in PLAIN_CLASSES), None)
    if inspect.isroutine(value) or isinstance(value, type):
        return "functions and classes are not saved: use a name"
    if isinstance(value, Enum):
        return "members of an Enum are not saved: use its name"
    if hasattr(type(value), "_fields"):
        return "named tuples are not saved: use tuple(value)"
    if is_dataclass(value):
        return "dataclasses are not saved: use dataclasses.asdict(value)"
    if plain is int and type(value) in (int, bool):
        return "whole numbers of more than 255 bytes are not saved: use hex(value)"
    if plain not in (None, type(value)):
        kind = plain.__name__
        return f"classes that derive from {kind} are not saved: use {kind}(value)"
    return ""


def _error_of_saving(value: Any) -> Exception | None:
    """Return the error of saving a value, if there is one."""
    try:
        _to_archive(value)
    except Exception as error:
        return error
    return None
