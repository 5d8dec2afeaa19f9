"""Bounds of configurable values, and the errors that are meant for users."""

import difflib
import json
import math
import re
import reprlib
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Annotated, Any, NamedTuple

ABSENT: Any = object()
"""Stands for a value that a config lacks, or that a message leaves out."""
NOTHING: Mapping[str, Any] = {}

MAX_FAULT_CHARACTERS = 1900
"""Maximum number of characters of the faults that a message lists (assumed: a screen)."""
MAX_SHOWN_VALUE = 60
"""Maximum number of characters of a value in a message (assumed)."""
MAX_QUOTED = 200
"""Maximum number of characters that a message quotes from a file, or of its name (assumed)."""
MAX_LINE = 1005
"""Maximum number of characters of a message's line (assumed)."""
MAX_NAMES = 12
"""Maximum number of names that a message lists (assumed)."""


class Range(NamedTuple):
    """Inclusive bounds of a configurable number.

    Keyword-only parameters are annotated with it: `Annotated[int, Range(1, 4096)]`.
    """

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        # A whole number has no decimals; infinity % 1 is NaN.
        low, high = (int(end) if end % 1 == 0 else end for end in self)
        if high == math.inf:
            return f"at least {low}"
        return f"at most {high}" if low == -math.inf else f"from {low} to {high}"


Fraction = Annotated[float, Range(0, 1)]
"""The annotation of an option that is a part of a whole."""
Seed = Annotated[int, Range(0, 2**32 - 1)]
"""The annotation of an option that is a seed of random numbers."""


_LACKS_MEMORY = (
    "failed to map segment",  # the loader of libraries
    "allocate memory",  # torch, and the system
    "out of memory",  # torch on a GPU
    "bad_alloc",
    "start new thread",
    "without exception set",  # Python, where code in C ends without a MemoryError
)
"""Signs in messages that the memory is not enough."""


class UserError(Exception):
    """An error that a user can correct; the message has the fault, its location and the remedy.

    The scripts print the message without a traceback and exit with status 2.
    """


class ConfigFault(UserError):
    """A fault of a config: a value that does not fit.

    Attributes:
        key: the dotted key, or the name of a constructor's argument.
        value: the plain value, or `ABSENT`.
        expected: the accepted values, or the fault.
        source: the file or option that has the value; "" if unknown.
    """

    def __init__(self, key: str, value: Any, expected: str, source: str = "") -> None:
        super().__init__(key, value, expected, source)
        self.key = key
        self.value = value
        self.expected = expected
        self.source = source

    def of(self, source: str, hint: str = "") -> "ConfigFault":
        """Return the fault with `hint` at its end, and with `source` unless it has a source."""
        return ConfigFault(self.key, self.value, self.expected + hint, self.source or source)

    def __str__(self) -> str:
        value = "" if self.value is ABSENT else f" = {shown(self.value)}"
        key = f"{printable(self.key)}{value}"
        return ": ".join(filter(None, (self.source, key, self.expected)))


class ConfigError(UserError):
    """All faults of a config; the message lists them as `listed` does.

    Args:
        source: the source of the config: the file, or `checkpoint FILE`.
        faults: at least one; the `source` of a fault may be a command-line option.
    """

    def __init__(self, source: str, faults: Sequence[ConfigFault]) -> None:
        self.faults = faults
        messages = list(map(str, faults))
        single = messages[0] if faults[0].source else f"{source}: {messages[0]}"
        super().__init__(listed(source, messages) if len(messages) > 1 else single)


class DataError(UserError):
    """Data are missing, broken, or not in their format."""


class OtherVersion(DataError):
    """A file is of a format's other version, which the program does not read."""


class CheckpointError(UserError):
    """A file is not a checkpoint, or a checkpoint does not suit its use."""


def check_version(
    path: object, version: object, present: object, remedy: str = "make it anew"
) -> None:
    """Raise an OtherVersion if a file says another `version` of its format than the present one."""
    if version != present:
        raise OtherVersion(f"{path}: written by another version of the program: {remedy}")


class TrainingFailed(Exception):
    """A run cannot continue."""


class NotFinite(UserError, ValueError):
    """Outputs of a network are not finite, for example because training has diverged."""


DEVICES = "auto, cpu, cuda, cuda:N or mps"


def device_name(name: str) -> str:
    """Return the name of a device, which need not exist; raise a UserError for an invalid name."""
    if not re.fullmatch(r"auto|cpu|cuda|cuda:[0-9]+|mps", name):
        raise UserError(f"device {name!r}: {DEVICES} is accepted")
    return name


def shown(value: Any) -> str:
    """Return a value of a config as JSON, on one line of at most `MAX_SHOWN_VALUE` characters."""
    text = _escaped(json.dumps(value, ensure_ascii=False, default=repr)[: MAX_SHOWN_VALUE + 1])
    return text if len(text) <= MAX_SHOWN_VALUE else f"{text[: MAX_SHOWN_VALUE - 3]}..."


_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxother = MAX_SHOWN_VALUE
_SHORT.maxstring = MAX_SHOWN_VALUE


def short(value: Any) -> str:
    """Return a description of any value, on one line of at most 80 characters, for a message."""
    text = _escaped(" ".join(_SHORT.repr(value).split()))
    return text if len(text) <= 80 else f"{text[:77]}..."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, as `printable` does, and after a line that ends
    with a colon, the next one."""
    with suppress(Exception):  # a user's __str__ may raise, and a message may have no line
        lines = str(error).splitlines()
        count = 2 if lines[0].rstrip().endswith(":") else 1
        return printable(" ".join(line.strip() for line in lines[:count]))
    return type(error).__name__


def lacks_memory(error: BaseException) -> bool:
    """Return whether an error says that the memory is not enough."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _LACKS_MEMORY)


def described(error: BaseException) -> str:
    """Return an error's type, its first line, and the last line of code outside site-packages."""
    location = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if "site-packages" not in frame.filename:
            location = f" ({frame.filename}, line {frame.lineno})"
    return f"{type(error).__name__}: {first_line(error)}{location}"


def listed(source: str, faults: Sequence[str]) -> str:
    """Return the number of a source's faults, and then, a line each, as many faults as fit."""
    lines = [f"{source}: {len(faults)} faults", *faults]
    ends = accumulate(map(len, lines))
    num_fitting = sum(end < MAX_FAULT_CHARACTERS for end in ends)
    if num_fitting < len(lines):
        lines[num_fitting:] = [f"and {len(lines) - num_fitting} more"]
    return "\n  ".join(lines)


def printable(text: object) -> str:
    """Return text from a file, or the file's name, as a message quotes it: on one line, with
    unprintable characters escaped, and at most `MAX_QUOTED` characters: a longer text lacks its
    middle."""
    return _fitting(str(text), MAX_QUOTED)


_CONTROLS = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))}
# Ends of lines, and what changes the direction of writing.
_DIRECTIONS = (*range(0x2028, 0x202F), *range(0x2066, 0x206A))
_CONTROLS |= {number: f"\\u{number:04x}" for number in _DIRECTIONS}


def first_of(names: Sequence[str], count: int = 3) -> str:
    """Return the first `count` names for a message, and dots if there are more names."""
    more = ", ..." if len(names) > count else ""
    return ", ".join(map(printable, names[:count])) + more


def visible(text: str) -> str:
    """Return a text of any length from a file as it is, but with control characters escaped, which
    could fake a line, change a terminal or the order in which characters are seen."""
    return text.translate(_CONTROLS)


def for_terminal(text: str) -> str:
    """Return a message in printable lines of at most `MAX_LINE` characters; all but the first are
    indented."""
    lines = text.rstrip("\n").split("\n  ")
    return "\n  ".join(_fitting(line, MAX_LINE) for line in lines)


def _fitting(text: str, length: int) -> str:
    # Cut first, as a text may have millions of characters, and again, as escapes are longer.
    return _cut(_escaped(_cut(text, length)), length)


def _cut(text: str, length: int) -> str:
    """Return a text without its middle if it is longer than `length`."""
    if len(text) <= length:
        return text
    dots = " ... "
    num_last = (length - len(dots)) // 2
    num_first = length - len(dots) - num_last
    return text[:num_first] + dots + text[-num_last:]


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` of `names` that are similar to a misspelt `name`, closest first."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.5)
    return [by_lower[candidate] for candidate in close]


def hint(name: Any, names: Iterable[str]) -> str:
    """Return the end of a message: the `names` similar to a misspelt name, or the first names."""
    names = list(names)
    similar = nearest(name, names) if isinstance(name, str) else []
    if similar:
        return f"; did you mean {' or '.join(similar)}?"
    if len(names) > MAX_NAMES:
        names[MAX_NAMES:] = ["..."]
    return f"; there are {', '.join(names)}" if names else ""


def number(kind: type[float], low: float, high: float = math.inf) -> Callable[[str], float]:
    """Return a function that parses an int or float within bounds, or raises a UserError."""
    bounds = Range(low, high)

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan  # in no bounds
        if value not in bounds:
            whole = "whole " if kind is int else ""
            raise UserError(f"{short(text)}: a {whole}number {bounds} is accepted")
        return value

    return parse
