"""Stroke arrays: `strokes.npy`, an object array of lines, and `sentences.txt`, one text per line.

Each line is an array `(points, 3)` of (end of stroke, dx, dy), y growing upwards. An object array
is a pickle, and loading a pickle may run any code. So this module has an unpickler of its own,
which accepts only numpy's arrays and calls no function that a file names.
"""

import io
import math
import pickle
import warnings
from pathlib import Path

import numpy as np

from ink.formats.checks import check_offsets, check_points, clean_text, decode
from ink.formats.files import MAX_INK_BYTES, MEBIBYTE, memory_limit, read_file
from ink.sample import Fault, Parsed, Sample
from utils.checks import first_line, short

ARRAY_FILES = ("strokes-py3.npy", "strokes.npy")
TEXTS = "sentences.txt"
MAX_FILE_BYTES = 256 * MEBIBYTE  # of a .npy file (assumed: all of IAM-OnDB takes 90 MiB)
MAX_UNUSABLE = 10_000  # lines of a file, beyond as many usable ones (assumed)
FREE_MEMORY = 32 * MEBIBYTE  # for parsing, besides the next (assumed: hundreds of long lines)
MEMORY_PER_BYTE = 20
"""Bytes of memory for each byte of a file (measured: lines in int8 of 30 points take 11, of
10 points up to 20)."""


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a `.npy` file."""
    return head.startswith(b"\x93NUMPY")


def parse(path: Path, texts: str | None = TEXTS, max_gb: float | None = None) -> Parsed:
    """Return the lines of a file.

    Args:
        path: the file.
        texts: the name of the file of transcriptions; read if it is in the folder of `path`.
        max_gb: see `SourceDataset`; the largest size of the file grows with it.
    """
    times = max_gb or 1.0
    remedy = "; raise max_gb" if max_gb else ""
    content = read_file(path, int(times * MAX_FILE_BYTES), remedy)
    with memory_limit(FREE_MEMORY + MEMORY_PER_BYTE * len(content)):
        return _parsed(path, content, texts, int(times * MAX_INK_BYTES))


def _parsed(path: Path, content: bytes, texts: str | None, max_text_bytes: int) -> Parsed:
    """Return the lines of a file with some content, see `parse`."""
    elements = load_arrays(content)
    sentences: list[str | None] = [None] * len(elements)
    if texts is not None and (path.parent / texts).is_file():
        try:
            lines = decode(read_file(path.parent / texts, max_text_bytes))
        except Fault as fault:
            raise fault.within(texts) from None
        sentences = [*lines.rstrip().splitlines()]
    if len(sentences) != len(elements):
        counts = f"{len(sentences):,} lines for the {len(elements):,} lines of ink"
        raise Fault("texts that cannot be matched", counts, texts)
    digits = max(5, len(str(len(elements) - 1)))
    parsed = Parsed()
    for number, (element, text) in enumerate(zip(elements, sentences, strict=True)):
        name = f"line-{number:0{digits}}"
        with parsed.attempt(name):
            sample = Sample(_ink(element), clean_text(text or ""), name)
            if text is not None and not sample.text:
                raise Fault("an empty transcription")
            parsed.samples.append(sample)
        if len(parsed.left_out) > MAX_UNUSABLE + len(parsed.samples):
            raise Fault(f"more than {MAX_UNUSABLE:,} unusable lines", str(parsed.left_out[0]))
    return parsed


class _PickledObject:
    """Stands for an array or dtype of a pickle; keeps its arguments and state, unchecked."""

    state: tuple = ()

    def __init__(self, *args: object) -> None:
        self.args = args

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def array(self) -> np.ndarray | list:
        """Return an array of numbers, or the elements of an object array of one dimension."""
        try:
            _, shape, pickled_dtype, fortran, data = self.state
            dtype = np.dtype(pickled_dtype.args[0][:3])  # such as "f8", without any structure
            byte_order = pickled_dtype.state[1]
            if byte_order in ("<", ">"):
                dtype = dtype.newbyteorder(byte_order)
            if dtype.kind == "O" and isinstance(data, list) and shape == (len(data),):
                return data
            # Python 2 pickles bytes as strings, in which every character stands for a byte.
            data = data.encode("latin-1") if isinstance(data, str) else data
            return _numbers(data, dtype, shape, bool(fortran))
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise Fault("not an array of numbers", first_line(error)) from None


Element = _PickledObject | np.ndarray | object
"""A line as a file holds it; only a `_PickledObject` or an array is valid."""


class _Unpickler(pickle.Unpickler):
    """Makes a `_PickledObject` for each of numpy's arrays and dtypes, and refuses other classes."""

    def find_class(self, module: str, name: str) -> type:
        accepted = ("numpy.ndarray", "numpy.dtype", "multiarray._reconstruct")
        if module.startswith("numpy") and f"{module}.{name}".endswith(accepted):
            return _PickledObject
        raise Fault(f"it would run {module}.{name} when loaded, so it is refused")


def _numbers(data: bytes, dtype: np.dtype, shape: tuple, fortran: bool) -> np.ndarray:
    """Return the array of numbers whose bytes are `data`; `fortran` means column-major order."""
    if dtype.kind not in "biuf" or dtype.itemsize > 16:
        raise Fault("values that are not numbers", str(dtype))
    if len(shape) > 3 or not all(type(n) is int and n >= 0 for n in shape):
        raise Fault("an array whose shape is not valid", short(shape))
    if dtype.itemsize * math.prod(shape) != len(data):
        raise Fault("an array cut short", f"{len(data):,} bytes for the shape {shape}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def load_arrays(content: bytes) -> list[Element] | np.ndarray:
    """Return the arrays in a `.npy` file, one for each line; the arrays are not checked.

    Raises:
        Fault: if the file is empty, cut short, of another format, or does not hold only arrays.
    """
    if not content:
        raise Fault("an empty file")
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        with warnings.catch_warnings(action="ignore"):  # numpy warns about files of Python 2
            shape, fortran, dtype = readers[version](stream)
    except (MemoryError, RecursionError) as error:
        raise Fault("an array whose header crashes its parser", type(error).__name__) from None
    except Exception as error:  # A header is Python source, which can fail in any way.
        raise Fault("not a .npy file of arrays", first_line(error)) from None
    if not dtype.hasobject:
        return _numbers(memoryview(content)[stream.tell() :], dtype, shape, fortran)
    try:
        unpickled = _Unpickler(stream, encoding="latin1").load()
    except (Fault, MemoryError):
        raise
    except Exception as error:  # A broken pickle can fail in any way.
        raise Fault("a pickle that is broken or cut short", first_line(error)) from None
    elements = unpickled.array() if isinstance(unpickled, _PickledObject) else None
    if not isinstance(elements, list):
        raise Fault("no object array in the pickle")
    return elements


def _ink(element: Element) -> np.ndarray:
    """Return the ink `(points, 3)` float32 of a line."""
    array = element.array() if isinstance(element, _PickledObject) else element
    if not isinstance(array, np.ndarray):
        raise Fault("not an array of numbers", type(array).__name__)
    if array.ndim != 2 or array.shape[1] != 3:
        raise Fault("an array that is not (points, 3)", f"shape {array.shape}")
    check_points(len(array))
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise Fault("a non-number among the points")
    invalid = np.flatnonzero(~np.isin(values[:, 0], (0, 1)))
    if len(invalid):
        detail = f"row {invalid[0]} has {values[invalid[0], 0]:g}"
        raise Fault("an end of stroke that is not 0 or 1", detail)
    # In the file the end of stroke comes first, and y grows upwards.
    ink = values[:, [1, 2, 0]] * (1, -1, 1)
    ink[0, :2] = 0  # The first offset is the position of the line, not a movement.
    check_offsets(ink[:, :2])
    return (ink + 0.0).astype(np.float32)  # Adding 0 turns -0 into 0.
