"""Reads untrusted JSON: keys must be unique, numbers finite, and size and depth bounded."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from utils.checks import ABSENT, MAX_QUOTED, ConfigFault
from utils.files import open_file

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Config: TypeAlias = dict[str, Any]
"""The values of a JSON object that `loads` has checked."""

MAX_JSON_BYTES = 2**20
"""Maximum bytes of a file, or characters of a text (assumed: the project's configs have 2,000)."""
MAX_JSON_VALUES = 20_000
"""Maximum values of a text (assumed: a config has a hundred, an alphabet of Chinese 8,000)."""
MAX_JSON_DEPTH = 16
"""Maximum number of levels of nesting (assumed: the project's configs have eight)."""
JSON_TOO_DEEP = f"nested more than {MAX_JSON_DEPTH} deep"
TOO_LONG = f"a dotted key of more than {MAX_QUOTED} characters"
FORBIDDEN = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
"""NUL, and halves of surrogate pairs, except the halves that stand for undecodable bytes of file
names."""


class NotJSON(ConfigFault):
    """The text is not JSON; `key` says the line and the column of the fault."""


def read(path: Path) -> Json:
    """Return the values of a JSON file.

    Raises:
        ConfigFault: if the file cannot be read, or `loads` refuses its text.
    """
    try:
        with open_file(path) as file:
            return loads(file.read(MAX_JSON_BYTES + 1).decode("utf-8-sig"))
    except OSError as error:
        raise ConfigFault("", ABSENT, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigFault("", ABSENT, f"not UTF-8 text: see byte {error.start}") from None


def plain(values: object) -> Json:
    """Return a copy of arbitrary `values`, made by writing and reading JSON.

    Raises:
        ConfigFault: if JSON cannot hold the values.
    """
    text = ""
    try:
        # Values that repeat a list can have a huge text: make pieces until the text is too long.
        for piece in json.JSONEncoder().iterencode(values):
            text += piece
            if len(text) > MAX_JSON_BYTES:
                break
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigFault("", ABSENT, f"not only plain values: {error}") from None
    return loads(text)


def loads(text: str, max_bytes: int = MAX_JSON_BYTES, max_values: int = MAX_JSON_VALUES) -> Json:
    """Return the values of a JSON text.

    Args:
        text: the text.
        max_bytes: maximum length in characters; the default suits configs, but not data.
        max_values: maximum number of commas; each value but the first follows a comma.

    Raises:
        NotJSON: if the syntax is broken.
        ConfigFault: if an object repeats a key, a number is not finite, a string has a character of
            `FORBIDDEN`, or the text is too large or too deeply nested, or a dotted key has more
            than `MAX_QUOTED` characters: long keys of many values have quadratic size.
    """
    if len(text) > max_bytes:
        raise ConfigFault("", ABSENT, f"larger than {max_bytes:,} bytes")
    if text.count(",") > max_values:
        raise ConfigFault("", ABSENT, f"larger than {max_values:,} values")
    try:
        values = json.loads(text, object_pairs_hook=_unique)
        _check(values)
    except json.JSONDecodeError as error:
        location = f"line {error.lineno}, column {error.colno}"
        raise NotJSON(location, ABSENT, f"not JSON: {_syntax_fault(error)}") from None
    except RecursionError:
        raise ConfigFault("", ABSENT, JSON_TOO_DEEP) from None
    except ValueError as error:  # from Python's limit on the digits of a whole number
        raise ConfigFault("", ABSENT, str(error)) from None
    return values


def children(holder: Json) -> Config:
    """Return the values in an object or a list, by name or index; {} for any other value."""
    if isinstance(holder, list):
        return {str(index): child for index, child in enumerate(holder)}
    return holder if isinstance(holder, dict) else {}


def nested(values: Json, key: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the dotted key and the value of each value within `values`, at any depth."""
    for name, child in children(values).items():
        yield f"{key}{name}", child
        yield from nested(child, f"{key}{name}.")


def differences(old: Json, new: Json) -> dict[str, tuple[Any, Any]]:
    """Return by key the old and the new value of each difference, down to single values in objects
    and lists; `ABSENT` stands for a value that a config lacks."""
    olds = dict(nested(old))
    news = dict(nested(new))
    changes = {}
    for key in {**news, **olds}:
        pair = olds.get(key, ABSENT), news.get(key, ABSENT)
        # Objects and lists differ in their values, which have keys of their own.
        has_children = any(map(children, pair))
        if pair[0] != pair[1] and not has_children:
            changes[key] = pair
    return changes


def without(values: Config, unwanted: Callable[[str, Json], bool]) -> Config:
    """Return `values` without the values, at any depth, that are `unwanted` by name and value."""
    return {k: _without(v, unwanted) for k, v in values.items() if not unwanted(k, v)}


def _without(value: Json, unwanted: Callable[[str, Json], bool]) -> Json:
    if isinstance(value, list):
        return [_without(v, unwanted) for v in value if not unwanted("", v)]
    return without(value, unwanted) if isinstance(value, dict) else value


def _syntax_fault(error: json.JSONDecodeError) -> str:
    """Describe a syntax error; explain comments and final commas, which JSON does not have."""
    before = error.doc[: error.pos].rstrip()
    after = error.doc[error.pos :].lstrip()
    if after.startswith(("//", "/*", "#")):
        return "JSON has no comments"
    if before.endswith(",") and after[:1] in ("}", "]"):
        return "a comma after the last value is not allowed"
    return error.msg


def _check(value: Json, key_size: int = 0, depth: int = MAX_JSON_DEPTH) -> None:
    """Raise a ConfigFault for a number that is not finite, a string with a forbidden character,
    more than `depth` levels of nesting, or a key that is too long; `key_size` is the size of the
    key of `value`. The key of a fault is put together only where there is a fault."""
    if isinstance(value, float) and not math.isfinite(value):
        if depth == MAX_JSON_DEPTH:  # The number is the whole text: it has no key.
            raise ConfigFault(str(value), ABSENT, "no finite number")
        raise ConfigFault("", value, "no finite number")
    match = FORBIDDEN.search(value) if isinstance(value, str) else None
    if match:
        raise ConfigFault("", ABSENT, f"a string holds {match[0]!a}, which is no character")
    if not isinstance(value, dict | list):
        return
    if depth == 0:
        raise ConfigFault("", ABSENT, JSON_TOO_DEEP)
    for name, child in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(name, str):
            _check(name)
            if key_size + len(name) > MAX_QUOTED:
                raise ConfigFault("", ABSENT, TOO_LONG)
        if not isinstance(child, int):  # nothing is wrong with whole numbers
            try:
                _check(child, key_size + len(str(name)) + 1, depth - 1)
            except ConfigFault as fault:
                if fault.expected == JSON_TOO_DEEP:
                    raise
                key = f"{name}.{fault.key}" if fault.key else str(name)
                raise ConfigFault(key, fault.value, fault.expected) from None


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values: dict[str, Json] = {}
    for name, value in pairs:
        if name in values:
            raise ConfigFault(name, value, "stands twice in one object")
        values[name] = value
    return values
