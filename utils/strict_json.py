"""Untrusted JSON: unique keys, finite numbers, bounded size; errors give the position."""

import json
import math
import re
from pathlib import Path
from typing import Any

from utils.checks import ConfigFault
from utils.files import open_file

MAX_BYTES = 2**20  # Of a text; assumed: our own configs have two thousand.
MAX_DEPTH = 16  # Assumed: our own configs have eight.

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""In a text in JSON: pairs of backslashes before it stand for backslashes."""


class NotJSON(ConfigFault):
    """A text that breaks JSON's syntax; its key is the line and the column."""


def read(path: Path) -> Any:
    """Return the values of a JSON file.

    Raises:
        ConfigFault: if there is no such file, or it is not what `loads` takes.
    """
    try:
        with open_file(path) as file:
            return loads(file.read(MAX_BYTES + 1).decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigFault("", None, "no such file") from None
    except OSError as error:
        raise ConfigFault("", None, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigFault("", None, f"not UTF-8 text: see byte {error.start}") from None


def plain(values: Any) -> Any:
    """Return a copy of arbitrary `values` as JSON would give it.

    Raises:
        ConfigFault: if JSON cannot hold them.
    """
    text = ""
    try:
        # Piece by piece: values that hold others several times can be endless when written out.
        for piece in json.JSONEncoder(allow_nan=False).iterencode(values):
            text += piece
            if len(text) > MAX_BYTES:
                break
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigFault("", None, f"not only plain values: {error}") from None
    return loads(text)


def loads(text: str, max_bytes: int = MAX_BYTES) -> Any:
    """Return the values of a JSON text.

    Args:
        text: the text.
        max_bytes: limit on its length; the default suits configs, data needs more.

    Raises:
        NotJSON: if the syntax is broken.
        ConfigFault: if an object repeats a key, a number is not finite, a string contains half a
            surrogate pair or a NUL, which no file name has, or the text is too large or too deeply
            nested.
    """
    if len(text) > max_bytes:
        raise ConfigFault("", None, f"larger than {max_bytes:,} bytes")
    try:
        values = json.loads(
            text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite
        )
        # Escapes of undecodable bytes in file names are accepted.
        written = json.dumps(values, ensure_ascii=False) if "\\u" in text else ""
        written.encode(errors="surrogateescape")
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotJSON(place, None, f"not JSON: {error.msg}") from None
    except UnicodeEncodeError:
        raise ConfigFault("", None, "a string holds half a character, as \\ud800") from None
    except RecursionError:
        raise ConfigFault("", None, f"nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:  # Python's limit on the digits of a whole number.
        raise ConfigFault("", None, str(error)) from None
    if _NUL.search(written):
        raise ConfigFault("", None, "a string holds the character \\u0000")
    if _deeper(values, MAX_DEPTH):
        raise ConfigFault("", None, f"nested more than {MAX_DEPTH} deep")
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ConfigFault(name, value, "stands twice in one object")
        values[name] = value
    return values


def _finite(number: str) -> float:
    if not math.isfinite(value := float(number)):
        raise ConfigFault(number, None, "no finite number")
    return value


def _deeper(values: Any, depth: int) -> bool:
    """Return whether lists and objects are nested more than `depth` deep."""
    if not isinstance(values, dict | list):
        return False
    children = values.values() if isinstance(values, dict) else values
    return depth == 0 or any(_deeper(child, depth - 1) for child in children)
