"""Untrusted JSON: unique keys, finite numbers, bounded size; errors give the position."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from utils.checks import ABSENT, ConfigFault
from utils.files import open_file

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Config: TypeAlias = dict[str, Any]
"""The values of a JSON object whose keys were checked."""

MAX_BYTES = 2**20
"""Bytes of a text, at most (assumed: the project's configs have two thousand)."""
MAX_DEPTH = 16
"""Levels of nesting, at most (assumed: the project's configs have eight)."""
TOO_DEEP = f"nested more than {MAX_DEPTH} deep"
NO_TEXT = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
"""NUL, and halves of surrogate pairs, except those for undecodable bytes of file names."""


class NotJSON(ConfigFault):
    """A text that breaks JSON's syntax; its key is the line and the column."""


def read(path: Path) -> Json:
    """Return the values of a JSON file.

    Raises:
        ConfigFault: if there is no such file, or `loads` does not take its text.
    """
    try:
        with open_file(path) as file:
            return loads(file.read(MAX_BYTES + 1).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigFault("", ABSENT, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigFault("", ABSENT, f"not UTF-8 text: see byte {error.start}") from None


def plain(values: object) -> Json:
    """Return a copy of arbitrary `values` after a way through JSON.

    Raises:
        ConfigFault: if JSON cannot hold them.
    """
    text = ""
    try:
        # Piece by piece: values that hold each other several times can be endless when written out.
        for piece in json.JSONEncoder().iterencode(values):
            text += piece
            if len(text) > MAX_BYTES:
                break
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigFault("", ABSENT, f"not only plain values: {error}") from None
    return loads(text)


def loads(text: str, max_bytes: int = MAX_BYTES) -> Json:
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
        raise ConfigFault("", ABSENT, f"larger than {max_bytes:,} bytes")
    try:
        values = json.loads(text, object_pairs_hook=_unique)
        _check(values)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotJSON(place, ABSENT, f"not JSON: {_syntax_fault(error)}") from None
    except RecursionError:
        raise ConfigFault("", ABSENT, TOO_DEEP) from None
    except ValueError as error:  # from Python's limit on the digits of a whole number
        raise ConfigFault("", ABSENT, str(error)) from None
    return values


def children(holder: Json) -> dict[str, Json]:
    """Return the values of an object or a list, by name or index as in a dotted key."""
    if isinstance(holder, list):
        return {str(index): child for index, child in enumerate(holder)}
    return holder if isinstance(holder, dict) else {}


def nested(values: Json, key: str = "") -> Iterator[tuple[str, Json]]:
    """Yield all values within others, however deep, with their dotted keys."""
    for name, child in children(values).items():
        yield f"{key}{name}", child
        yield from nested(child, f"{key}{name}.")


def without(values: Json, unwanted: Callable[[str, Json], bool]) -> Json:
    """Return the values of a config without the unwanted; `unwanted` takes names and values."""
    if isinstance(values, list):
        return [without(v, unwanted) for v in values if not unwanted("", v)]
    if isinstance(values, dict):
        return {k: without(v, unwanted) for k, v in values.items() if not unwanted(k, v)}
    return values


def _syntax_fault(error: json.JSONDecodeError) -> str:
    """Return a syntax error, in plain words if the syntax is that of other formats."""
    before, after = error.doc[: error.pos].rstrip(), error.doc[error.pos :].lstrip()
    if after.startswith(("//", "/*", "#")):
        return "JSON has no comments"
    if before.endswith(",") and after[:1] in ("}", "]"):
        return "no comma stands behind the last value"
    return error.msg


def _check(value: Json, key: str = "", depth: int = MAX_DEPTH) -> None:
    """Raise a ConfigFault for a number that is not finite, a string that is no text, or too deep a
    nesting."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigFault(key or str(value), value if key else ABSENT, "no finite number")
    if isinstance(value, str) and (match := NO_TEXT.search(value)):
        raise ConfigFault(key, ABSENT, f"a string holds {match[0]!a}, which is no character")
    if isinstance(value, dict | list):
        if depth == 0:
            raise ConfigFault("", ABSENT, TOO_DEEP)
        for name, child in value.items() if isinstance(value, dict) else enumerate(value):
            _check(name, key, depth - 1)
            _check(child, f"{key}.{name}" if key else str(name), depth - 1)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values: dict[str, Json] = {}
    for name, value in pairs:
        if name in values:
            raise ConfigFault(name, value, "stands twice in one object")
        values[name] = value
    return values
