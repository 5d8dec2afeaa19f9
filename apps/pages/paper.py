"""Sheets of paper: their sizes, margins and printed rulings. Lengths are in millimetres."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from utils.checks import UserError

SIZES = {
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "a6": (105.0, 148.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "card": (148.0, 105.0),
    "envelope": (220.0, 110.0),
    "envelope-c6": (162.0, 114.0),
}
"""Width and height by name (ISO 216, ANSI; "card" is A6 on its side, "envelope" is DL, ISO 269)."""

Ruling = Literal["plain", "ruled", "squared", "dotted", "three-line", "four-line"]
RULINGS: dict[str, float] = {
    "plain": 0.0,
    "ruled": 8.5,
    "squared": 5.0,
    "dotted": 5.0,
    "three-line": 16.0,
    "four-line": 25.0,
}
"""Kinds of printed rulings, each with its default spacing."""
ZONES = {"three-line": (4.0, (-2, -1, 0)), "four-line": (5.0, (-2, -1, 0, 1))}
"""Rulings for learning to write, with a group of lines for each row: the distance from baseline to
baseline, and the y of each line of a group from the row's baseline; in x-heights (assumed)."""

SMALL_PAPER = 180.0  # length of the shorter side below which margins are a tenth of it (assumed)
MIN_TEXT_AREA = 20.0  # least width and height of the area between the margins (assumed)


@dataclass(frozen=True)
class Paper:
    """A sheet of paper.

    Attributes:
        width, height: size of the sheet.
        margins: the top, right, bottom and left margin.
        ruling: the kind of the printed ruling.
        spacing: the distance between baselines of the ruling, or between lines or dots of a grid.
    """

    width: float = 210.0
    height: float = 297.0
    margins: tuple[float, float, float, float] = (22.0, 20.0, 22.0, 25.0)
    ruling: Ruling = "plain"
    spacing: float = 0.0

    def __post_init__(self) -> None:
        if min(self.margins) < 0.0:
            raise UserError(f"margins {self.margins} mm: each must be at least 0")
        if min(self.text_width, self.bottom - self.top) < MIN_TEXT_AREA:
            margins = ", ".join(f"{margin:g}" for margin in self.margins)
            raise UserError(
                f"a sheet of {self.width:g} by {self.height:g} mm with margins of {margins} mm "
                f"(top, right, bottom, left) leaves less than {MIN_TEXT_AREA:g} mm for the writing"
            )
        if self.ruling != "plain" and not self.spacing > 0.0:
            raise UserError(f"a {self.ruling} sheet needs a spacing above 0 mm")

    @classmethod
    def of(
        cls,
        size: tuple[float, float] | str = "a4",
        *,
        landscape: bool = False,
        margins: tuple[float, float, float, float] | None = None,
        ruling: Ruling = "plain",
        spacing: float | None = None,
    ) -> "Paper":
        """Return a sheet of a size, or with the name of a size; in `landscape`, the longer side is
        the width. Margins and spacing that are None get the default for the size or ruling."""
        size = size_of(size) if isinstance(size, str) else size
        width, height = sorted(size, reverse=True) if landscape else size
        is_small = min(size) < SMALL_PAPER
        margin = round(min(size) / 10, 1)
        default_margins = (margin, margin, margin, margin) if is_small else cls.margins
        return cls(width, height, margins or default_margins, ruling, spacing or RULINGS[ruling])

    @property
    def top(self) -> float:
        """The y at which the area between the margins begins."""
        return self.margins[0]

    @property
    def right(self) -> float:
        """The x at which the area between the margins ends."""
        return self.width - self.margins[1]

    @property
    def left(self) -> float:
        """The x at which the area between the margins begins."""
        return self.margins[3]

    @property
    def text_width(self) -> float:
        """Width between the left and the right margin."""
        return self.right - self.left

    @property
    def bottom(self) -> float:
        """The y of the bottom margin, and of the lowest possible baseline."""
        return self.height - self.margins[2]

    @property
    def x_height(self) -> float | None:
        """The x-height of letters that fill the zones of a ruling; None if it is not in `ZONES`."""
        return self.spacing / ZONES[self.ruling][0] if self.ruling in ZONES else None

    def rounded_to_ruling(self, height: float, *, nearest: bool = False) -> float:
        """Return the height of a row of writing, rounded up to a multiple of the ruling's spacing,
        or, with `nearest`, to the nearest multiple. Plain paper does not change the height."""
        if self.ruling == "plain":
            return height
        steps = height / self.spacing
        count = round(steps) if nearest else math.ceil(steps - 1e-6)  # but for rounding
        return max(count, 1) * self.spacing

    def rules(self) -> np.ndarray:
        """Return the ends `(n, 2, 2)` of the printed lines, which run from edge to edge."""
        ends: list[tuple[tuple[float, float], tuple[float, float]]] = []
        if self.ruling in ("ruled", *ZONES):
            lowest = self.bottom + 0.01  # but for rounding
            baselines = np.arange(self.top + self.spacing, lowest, self.spacing)
            group = np.multiply(ZONES[self.ruling][1], self.x_height) if self.x_height else [0.0]
            positions = np.add.outer(baselines, group).ravel().tolist()
            ends = [((0.0, y), (self.width, y)) for y in positions]
        elif self.ruling == "squared":
            ends = [((0.0, y), (self.width, y)) for y in self._grid(self.height, 0)]
            ends += [((x, 0.0), (x, self.height)) for x in self._grid(self.width, 3)]
        return np.array(ends, dtype=np.float64).reshape(-1, 2, 2)

    def dots(self) -> np.ndarray:
        """Return the printed dots, `(n, 2)`."""
        if self.ruling != "dotted":
            return np.empty((0, 2))
        x, y = np.meshgrid(self._grid(self.width, 3), self._grid(self.height, 0))
        return np.stack([x.ravel(), y.ravel()], axis=1)

    def _grid(self, length: float, margin: int) -> list[float]:
        """Return the positions of a grid along a length; one of them is `margins[margin]`."""
        start = self.margins[margin] % self.spacing or self.spacing
        return np.arange(start, length, self.spacing).tolist()


def size_of(name: str) -> tuple[float, float]:
    """Return the width and height of a sheet with a name such as `A4`, or a size such as `210x297`.

    Raises:
        UserError: if `name` is neither, or a side is not between 40 mm and 5 m.
    """
    size = SIZES.get(name.lower())
    if size is not None:
        return size
    width, cross, height = name.lower().partition("x")
    try:
        size = float(width), float(height)
    except ValueError:
        size = (0.0, 0.0)
    if not cross or not all(40.0 <= side <= 5000.0 for side in size):
        raise UserError(
            f"paper {name!r}: the name of a sheet ({', '.join(SIZES)}) or its width and height in "
            "mm, such as 210x297, each from 40 to 5000"
        )
    return size
