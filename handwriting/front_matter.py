"""Front matter: lines in a text that say how what follows is written."""

from collections.abc import Callable, Mapping
from itertools import takewhile

from utils.checks import UserError, hint, short

FENCE = "---"
"""The line before and the line behind front matter."""

ALIASES = {"color": "colour"}
"""Other names of keys."""

Values = dict[str, object]
"""Values of front matter by key."""
Keys = Mapping[str, Callable[[str], object]]
"""The keys of front matter, and what takes the value of each, or raises a UserError."""


def paragraphs(lines: list[str], source: str, keys: Keys) -> list[tuple[Values, str]]:
    """Return the lines of a text, each with the values of the front matter before it.

    Front matter is one or more lines `key: value`, or none, between two lines `---`. It stands for
    what follows up to the next. A line `---` before an empty line, or with an empty line before the
    next `---`, is text.

    Args:
        lines: of the text.
        source: where it is from, for errors.
        keys: that are accepted.

    Raises:
        UserError: if what stands between the lines `---` is not front matter, with the line's
            number.
    """
    found: list[tuple[Values, str]] = []
    values: Values = {}
    numbered = iter(enumerate(lines, 1))
    for number, line in numbered:
        block = []
        if line.rstrip() == FENCE:
            block = [one.rstrip() for one in takewhile(str.strip, lines[number:])]
        if FENCE in block:
            block = block[: block.index(FENCE)]
            values = _values(block, number + 1, source, keys)
            for _ in (*block, FENCE):
                next(numbered)
        else:
            found.append((values, line))
    return found


def _values(lines: list[str], first: int, source: str, keys: Keys) -> Values:
    """Return the values of lines of front matter, the number of the first of which is `first`."""
    found: Values = {}
    for number, line in enumerate(lines, first):
        name, colon, value = (part.strip() for part in line.partition(":"))
        name = ALIASES.get(name, name)
        try:
            if not colon:
                raise UserError(
                    f"{short(name)} is no front matter, where a line is `key: value`; for {FENCE} "
                    "as text, put an empty line behind it"
                )
            if name not in keys:
                raise UserError(f"front matter knows no {short(name)}{hint(name, keys)}")
            found[name] = keys[name](value)
        except UserError as error:
            key = f"{name}: " if name in keys else ""
            raise UserError(f"{source}, line {number}: {key}{error}") from None
    return found
