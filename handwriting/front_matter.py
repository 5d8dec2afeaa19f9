"""Front matter: lines in a text that say how what follows is written."""

from collections.abc import Callable, Mapping
from itertools import takewhile

from utils.checks import UserError, hint, listed, short

FENCE = "---"
"""The line before and the line behind front matter."""
AS_TEXT = f"for {FENCE} as text, put an empty line behind it"
"""What an error advises."""

ALIASES = {"color": "colour"}
"""Other names of keys."""

Values = dict[str, object]
"""Values of front matter by key."""
Keys = Mapping[str, Callable[[str], object]]
"""The keys of front matter, and what takes the value of each, or raises a UserError."""


def paragraphs(
    lines: list[str], source: str, keys: Keys, check: Callable[[Values], object]
) -> list[tuple[Values, str]]:
    """Return the lines of a text, each with the values of the front matter before it.

    Front matter is one or more lines `key: value`, or none, between two lines `---`. It stands for
    what follows up to the next. A line `---` before an empty line, or with an empty line before the
    next `---`, is text, unless a line with one of the keys follows.

    Args:
        lines: of the text.
        source: where it is from, for errors.
        keys: that are accepted.
        check: raises a UserError of values that do not go together.

    Raises:
        UserError: naming all faults of front matter, with the numbers of their lines.
    """
    found: list[tuple[Values, str]] = []
    faults: list[str] = []
    values: Values = {}
    numbered = iter(enumerate(lines, 1))
    for number, line in numbered:
        block = []
        if line.rstrip() == FENCE:
            block = [one.rstrip() for one in takewhile(str.strip, lines[number:])]
        if FENCE in block:
            block = block[: block.index(FENCE)]
            values, own = _values(block, number, keys, check)
            faults += own
            for _ in (*block, FENCE):
                next(numbered)
        else:
            if any(colon and name in keys for name, colon, _ in map(_parts, block)):
                faults.append(f"line {number}: no line {FENCE} ends this front matter; {AS_TEXT}")
            found.append((values, line))
    if faults:
        raise UserError(listed(source, faults) if faults[1:] else f"{source}, {faults[0]}")
    return found


def _parts(line: str) -> tuple[str, str, str]:
    """Return the key of a line, its colon, or nothing, and its value."""
    name, colon, value = map(str.strip, line.partition(":"))
    return ALIASES.get(name, name), colon, value


def _values(
    lines: list[str], fence: int, keys: Keys, check: Callable[[Values], object]
) -> tuple[Values, list[str]]:
    """Return the values of lines of front matter behind a line of that number, and their faults."""
    found: Values = {}
    faults = []
    for number, line in enumerate(lines, fence + 1):
        name, colon, value = _parts(line)
        try:
            if not colon:
                raise UserError(
                    f"{short(name)} is no front matter, where a line is `key: value`; {AS_TEXT}"
                )
            if name not in keys:
                raise UserError(f"front matter knows no {short(name)}{hint(name, keys)}")
            found[name] = keys[name](value)
        except UserError as error:
            key = f"{name}: " if name in keys else ""
            faults.append(f"line {number}: {key}{error}")
    try:
        check(found)
    except UserError as error:
        faults.insert(0, f"line {fence}: {error}")
    return found, faults
