"""Reads and writes by the engine, the library in C, where PyTorch is missing.

The engine takes flat files; `saved/pretrained` has those of the open networks. A row's frames are
computed by the engine; its text and words are found as for a `Reader`.
"""

import ctypes
from collections.abc import Callable, Collection, Sequence
from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
from tqdm import tqdm

from base.run.pretrained import resolve_flat_file
from ink.alphabet import Alphabet
from ink.geometry import from_strokes
from model.generation.line import Line
from model.layers.kernels.build import build
from model.recognition.beam import GREEDY, Search, ctc_text
from model.recognition.ctc_paths import ctc_nats
from model.recognition.ink_features import STRIDE
from model.recognition.ink_words import InkWord, words_of
from utils import strict_json
from utils.checks import CheckpointError, UserError
from utils.files import read_bytes
from utils.program import NEEDS_TORCH, ROOT
from utils.time_limit import check_time

ENGINE_FOLDER = ROOT / "engine"
ENGINE_LIBRARY = ENGINE_FOLDER / "libhandwriting.so"
"""The library of a wheel that was built where there is a compiler."""
MAX_FLAT_FILE_BYTES = 100_000_000
"""Most bytes of a flat file (assumed: 20 times those of the largest)."""
USUAL_BIAS = -1.0  # stands for the usual bias of a style, HW_USUAL_BIAS
POINT_DTYPE = np.dtype([("x", "<f4"), ("y", "<f4"), ("pen_up", "<i4")])
"""`hw_point`."""


class Info(ctypes.Structure):
    """`hw_info`."""

    _fields_ = (
        ("role", c_char_p),
        ("name", c_char_p),
        ("licence", c_char_p),
        ("alphabet", c_char_p),
        ("styles", POINTER(c_char_p)),
        ("style_biases", POINTER(c_float)),
        ("num_styles", c_uint32),
        ("replacements", POINTER(c_char_p)),
        ("num_replacements", c_uint32),
        ("longest", c_uint32),
        ("bias", c_float),
        ("hand_size", c_uint32),
        ("draws_hands", c_int32),
        ("description_size", c_uint32),
    )


class Frames(ctypes.Structure):
    """`hw_frames`."""

    _fields_ = (("log_probs", POINTER(c_float)), ("frames", c_uint32), ("classes", c_uint32))


class Style(ctypes.Structure):
    """`hw_style`."""

    _fields_ = (("name", c_char_p), ("hand", c_void_p), ("seed", c_uint32), ("bias", c_float))


class Ink(ctypes.Structure):
    """`hw_ink`, without its last fields."""

    _fields_ = (
        ("stage", c_int32),
        ("points", c_void_p),
        ("num_points", c_uint32),
        ("is_whole", c_int32),
    )


@cache
def library() -> ctypes.CDLL:
    """Return the engine: that of the package, or else compiled.

    Raises:
        UserError: if there is no compiler.
    """
    if ENGINE_LIBRARY.exists():
        return ctypes.CDLL(str(ENGINE_LIBRARY))
    kernels = ROOT / "model" / "layers" / "kernels"
    included = sorted([*kernels.glob("*.c"), *kernels.glob("*.h")])
    engine = build(ENGINE_FOLDER, ("-fno-openmp", "-lm"), included)  # the engine has no threads
    if engine is None:
        raise UserError(f"reading and writing needs a C compiler such as gcc, or {NEEDS_TORCH}")
    return engine


class Call:
    """A work handle of the engine, for a `with` block."""

    def __enter__(self) -> "Call":
        self._handle = c_void_p()
        self._c = library()
        if self._c.hw_begin(None, byref(self._handle)):
            raise MemoryError("not enough memory for the engine")
        return self

    def __exit__(self, *_: object) -> None:
        self._c.hw_end(self._handle)

    def __call__(self, name: str, *arguments: Any) -> None:
        """Call a function; raise a UserError with its message if it fails."""
        if getattr(self._c, name)(self._handle, *arguments):
            message = self._c.hw_message
            message.restype = c_char_p
            raise UserError(message(self._handle).decode())

    def result(
        self, name: str, kind: type[ctypes.Structure], convert: Callable[[Any], Any], *inputs: Any
    ) -> Any:
        """Call a function whose last argument is a result; return it, converted."""
        pointer = POINTER(kind)()
        self(name, *inputs, byref(pointer))
        try:
            return convert(pointer.contents)
        finally:
            self._c.hw_free(ctypes.cast(pointer, c_void_p))


def _about(network: c_void_p) -> Info:
    """Return what a network of the engine is."""
    about = library().hw_about
    about.restype = POINTER(Info)
    return about(network).contents


@dataclass(repr=False)
class EngineNetwork:
    """A network of a flat file, ready for use.

    Attributes:
        path: the file.
        handle: the engine's network.
        header: the first line of the file, JSON.
    """

    path: Path
    handle: c_void_p
    header: bytes

    def __post_init__(self) -> None:
        finalize(self, library().hw_close, self.handle)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __str__(self) -> str:
        return f"{self.name} of {self.path} by the engine ({self.licence})"

    @cached_property
    def _info(self) -> Info:
        return _about(self.handle)

    @property
    def name(self) -> str:
        """The name of the network."""
        return self._info.name.decode()

    @property
    def licence(self) -> str:
        """The licence of the weights."""
        return self._info.licence.decode()

    @cached_property
    def alphabet(self) -> Alphabet:
        """The characters that it reads or writes."""
        return Alphabet([*self._info.alphabet.decode()])


class EngineReader(EngineNetwork):
    """A network that reads, as a `Reader` does."""

    points_per_frame = STRIDE

    @cached_property
    def spacing(self) -> float:
        """The distance between the points of features, in x-heights."""
        values = strict_json.children(strict_json.loads(self.header.decode()))
        return float(values["features"]["spacing"])

    def frames(self, ink: np.ndarray) -> np.ndarray:
        """Return the log-probabilities of a line of ink, `(frames, classes)`, the blank last."""
        points = np.zeros(len(ink), POINT_DTYPE)
        positions = np.cumsum(np.asarray(ink, np.float64)[:, :2], 0)
        points["x"], points["y"] = (positions - positions[0]).T  # float32 is exact near the origin
        points["pen_up"] = ink[:, 2] > 0.5

        def copied(frames: Frames) -> np.ndarray:
            shape = frames.frames, frames.classes
            return np.ctypeslib.as_array(frames.log_probs, shape).astype(np.float64)

        with Call() as call:
            where = c_void_p(points.ctypes.data)
            count = c_size_t(len(points))
            return call.result("hw_compute_frames", Frames, copied, self.handle, where, count)

    def read(self, ink: np.ndarray | Line, search: Search = GREEDY) -> str:
        """Return the text of a line of ink; see `Reader.read`."""
        (text,) = self.read_lines([ink], search)
        return text

    def read_lines(
        self, inks: Sequence[np.ndarray | Line], search: Search = GREEDY, *, progress: bool = False
    ) -> list[str]:
        """Return the texts of lines of ink; see `Reader.read_lines`."""
        arrays = [ink.written if isinstance(ink, Line) else ink for ink in inks]
        return [text for text, _ in self._decoded(arrays, search, progress)]

    def read_words(
        self, inks: Sequence[np.ndarray], search: Search = GREEDY, *, progress: bool = False
    ) -> list[list[InkWord]]:
        """Return the words of lines of ink; see `Reader.read_words`."""
        lines: list[list[InkWord]] = []
        for ink, (text, log_probs) in zip(inks, self._decoded(inks, search, progress), strict=True):
            lines.append([])
            if text.strip():
                seen = search.with_added_marks(log_probs, self.alphabet.encode(text))
                lines[-1] += words_of(self, ink, text, seen)
        return lines

    def proofread(
        self,
        inks: Sequence[np.ndarray],
        spellings: Sequence[Collection[str]] | None = None,
        *,
        search: Search = GREEDY,
        progress: bool = False,
    ) -> list[tuple[str, float]]:
        """Return each line's text as read, and the doubt, in nats, that the line says it.

        Raises:
            UserError: if there are `spellings`.
        """
        if spellings is not None:
            raise UserError(f"proofreading {NEEDS_TORCH}")
        results = []
        for text, log_probs in self._decoded(inks, search, progress):
            doubt = ctc_nats(log_probs, self.alphabet.encode(text)) if len(log_probs) else 0.0
            results.append((text, doubt))
        return results

    def _decoded(
        self, inks: Sequence[np.ndarray], search: Search, progress: bool
    ) -> list[tuple[str, np.ndarray]]:
        """Return the text and the frames of each line of ink."""
        results = []
        for ink in tqdm(inks, "reading", unit=" lines", leave=False, disable=not progress):
            check_time()
            log_probs = self.frames(ink) if len(ink) else np.zeros((0, 1))  # no frame
            codes = ctc_text(log_probs, search) if len(log_probs) else []
            results.append((self.alphabet.decode(codes), log_probs))
        return results


class EngineWriter(EngineNetwork):
    """A network that writes lines in its styles."""

    @cached_property
    def biases(self) -> dict[str, float]:
        """The usual bias of each style, by name."""
        info = self._info
        return {info.styles[n].decode(): info.style_biases[n] for n in range(info.num_styles)}

    def write(
        self, text: str, *, style: str | None = None, seed: int = 0, bias: float | None = None
    ) -> Line:
        """Write a line; the same seed gives the same line.

        Args:
            text: the text, of characters of the alphabet.
            style: the name of a style; None for another hand with each seed.
            seed: from 0 to 2**32 - 1.
            bias: more is more legible and less varied; None for the usual bias.

        Raises:
            UserError: if the text or the style does not fit.
        """
        name = None if style is None else style.encode()
        engine_bias = USUAL_BIAS if bias is None else bias
        engine_style = Style(name, None, seed, engine_bias)
        with Call() as call:
            unjudged = None, None, None  # no reader, and no function that watches, with its data
            inputs = self.handle, text.encode(), byref(engine_style), *unjudged
            ink, is_whole = call.result("hw_write_line", Ink, _line_of, *inputs)
        if bias is None:
            bias = self._info.bias if style is None else self.biases.get(style, self._info.bias)
        description = f"{f'{style} · ' if style else ''}bias {bias:g} · seed {seed}"
        biases = np.full(max(len(ink) - 1, 0), bias, np.float32)
        return Line(ink, 0, None, text, is_whole, biases, text, description)

    def write_lines(
        self, texts: Sequence[str], seeds: Sequence[int], *, progress: bool = False, **options: Any
    ) -> list[Line]:
        """Write a line for each text and seed; `options` are those of `write`."""
        pairs = [*zip(texts, seeds, strict=True)]
        bar = tqdm(pairs, "writing", unit=" lines", leave=False, disable=not progress)
        return [self.write(text, seed=seed, **options) for text, seed in bar]


def _line_of(ink: Ink) -> tuple[np.ndarray, bool]:
    """Return ink as offsets in x-heights, `(points, 3)` float32, and whether the text is whole."""
    content = ctypes.string_at(ink.points, ink.num_points * POINT_DTYPE.itemsize)
    points = np.frombuffer(content, POINT_DTYPE)
    positions = np.stack([points["x"], points["y"]], 1)
    strokes = np.split(positions, np.flatnonzero(points["pen_up"][:-1]) + 1)
    return from_strokes(strokes).astype(np.float32), bool(ink.is_whole)


def load(
    path: str | Path, device: str = "auto", *, modules: Sequence[str | Path] = ()
) -> EngineReader | EngineWriter:
    """Load a network for use; see `resolve_flat_file` and, for PyTorch, `loading.load`.

    Raises:
        UserError: if there is no such file or name, or the file is no flat file of such a network,
            or if there are `modules` or a device, which need PyTorch.
    """
    if modules or device not in ("auto", "cpu"):
        raise UserError(f"{path}: a module or a device {NEEDS_TORCH}")
    path = resolve_flat_file(path)
    content = read_bytes(path, MAX_FLAT_FILE_BYTES)
    handle = c_void_p()
    with Call() as call:
        title = str(path).encode(errors="replace")
        size = c_size_t(len(content))
        call("hw_open", title, content, size, byref(handle))
    header, _, _ = content.partition(b"\n")
    roles = {"reader": EngineReader, "writer": EngineWriter}
    role = _about(handle).role.decode()
    if role not in roles:
        library().hw_close(handle)
        raise CheckpointError(f"{path}: a network that reads or writes is needed, not a {role}")
    return roles[role](path, handle, header)


def checked_reader(network: EngineReader | EngineWriter) -> EngineReader:
    """Return `network` if it reads; or raise a UserError."""
    if isinstance(network, EngineReader):
        return network
    raise UserError(f"{network}: a network that reads is needed")


def checked_writer(network: EngineReader | EngineWriter, *, of_texts: bool) -> EngineWriter:
    """Return `network` if it writes, always texts; or raise a UserError."""
    if isinstance(network, EngineWriter):
        return network
    raise UserError(f"{network}: a network that writes is needed")
