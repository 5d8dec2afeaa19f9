"""Bounds of configurable values, and the errors that are meant for users."""

import difflib
import re
import reprlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple


class Range(NamedTuple):
    """Inclusive bounds of a configurable number; `None` leaves a side open.

    Used as `Annotated[int, Range(1, 4096)]` on keyword-only parameters. On a list it bounds
    every element.
    """

    low: float | None = None
    high: float | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float) or value != value:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low is None and self.high is None:
            return "any number"
        if self.low is None:
            return f"at most {self.high}"
        if self.high is None:
            return f"at least {self.low}"
        return f"from {self.low} to {self.high}"


class UserError(Exception):
    """An error that a user can correct: what was wrong, where, and what is accepted.

    The scripts print its message without a traceback and exit with status 2.
    """


class ConfigFault(UserError):
    """A config value that does not fit, found by the constructor that received it."""

    def __init__(self, key: str, value: Any, expected: str) -> None:
        super().__init__(f"{key}: {value!r} does not fit: {expected}")
        self.key, self.value, self.expected = key, value, expected


class DataError(UserError):
    """Data that is missing, broken, or not in its format."""


class CheckpointError(UserError):
    """A file that is not a checkpoint, or not one for this purpose."""


class NotFinite(UserError, ValueError):
    """Outputs of a network that are not finite, as from diverged weights."""


DEVICES = "auto, cpu, cuda, cuda:N or mps"


def device_name(name: str) -> str:
    """Return the name of a device, which need not exist; raise a UserError if it is not valid."""
    if not re.fullmatch(r"auto|cpu|cuda|cuda:[0-9]+|mps", name):
        raise UserError(f"device {name!r}: {DEVICES} is accepted")
    return name


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxother, _SHORT.maxstring = 2, 60, 60


def short(value: Any) -> str:
    """Return any value on one line of at most 80 characters, whatever its size, for a message."""
    text = " ".join(_SHORT.repr(value).split())
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 80 else f"{text[:77]}..."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters of it."""
    with suppress(Exception):  # of the user's code, or because there is no line
        return str(error).splitlines()[0][:200]
    return type(error).__name__


def printable(text: str) -> str:
    """Return an untrusted text so that it stays on one line of a terminal."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return "".join(shown)


def for_terminal(text: str) -> str:
    """Return a message in printable lines, which begin with two blanks after the first, bounded."""
    lines = [printable(line) for line in text.rstrip("\n").split("\n  ")]
    return "\n  ".join(f"{one[:500]} ... {one[-500:]}" if len(one) > 1005 else one for one in lines)


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` of `names` that a misspelt `name` may have meant, closest first."""
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.5)
    return [by_lower[candidate] for candidate in close]
