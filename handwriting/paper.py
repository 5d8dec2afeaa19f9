"""Sheets of paper: their sizes, margins, and what is printed on them. Lengths in millimetres."""

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
"""Width and height by name: ISO 216, ANSI; a card is A6 on its side, an envelope DL (ISO 269)."""

Ruling = Literal["plain", "ruled", "squared", "dotted", "three-line", "four-line"]
RULINGS: dict[str, float] = {
    "plain": 0.0,
    "ruled": 8.5,
    "squared": 5.0,
    "dotted": 5.0,
    "three-line": 16.0,
    "four-line": 25.0,
}
"""Kinds of printed rulings, each with its usual spacing."""
ZONES = {"three-line": (4.0, (-2, -1, 0)), "four-line": (5.0, (-2, -1, 0, 1))}
"""Rulings for learning to write: x-heights from one baseline to the next, and the lines of each
group in x-heights from its baseline (assumed: zones of one x-height, two from group to group)."""

MAX_SMALL = 180.0  # length of the shorter side below which margins are a tenth of it (assumed)
MIN_COLUMN = 20.0  # least width and height of the area for writing (assumed)


@dataclass(frozen=True)
class Paper:
    """A sheet.

    Attributes:
        width, height: of the sheet.
        margins: top, right, bottom, left.
        ruling: the kind of the printed ruling.
        spacing: of the ruling.
    """

    width: float = 210.0
    height: float = 297.0
    margins: tuple[float, float, float, float] = (22.0, 20.0, 22.0, 25.0)
    ruling: Ruling = "plain"
    spacing: float = 0.0

    def __post_init__(self) -> None:
        if min(self.margins) < 0.0:
            raise UserError(f"margins {self.margins} mm: each is at least 0")
        if min(self.text_width, self.bottom - self.margins[0]) < MIN_COLUMN:
            margins = ", ".join(f"{margin:g}" for margin in self.margins)
            raise UserError(
                f"a sheet of {self.width:g} by {self.height:g} mm with margins of "
                f"{margins} mm (top, right, bottom, left) "
                f"leaves less than {MIN_COLUMN:g} mm for the writing"
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
        """Return a sheet of a size or a size's name; by default with the margins that are usual for
        the size and the spacing of the ruling. `landscape`: with the longer side across."""
        size = size_of(size) if isinstance(size, str) else size
        width, height = sorted(size, reverse=True) if landscape else size
        usual = (round(min(size) / 10, 1),) * 4 if min(size) < MAX_SMALL else cls.margins
        spacing = spacing or RULINGS[ruling]
        return cls(width, height, margins or usual, ruling, spacing)

    @property
    def text_width(self) -> float:
        """Width between the margins."""
        return self.width - self.margins[1] - self.margins[3]

    @property
    def bottom(self) -> float:
        """The lowest baseline."""
        return self.height - self.margins[2]

    @property
    def letter(self) -> float | None:
        """The x-height that the ruling asks for; None if it asks for none."""
        return self.spacing / ZONES[self.ruling][0] if self.ruling in ZONES else None

    def ruled(self, height: float, *, nearest: bool = False) -> float:
        """Return the height of a line; on a ruling a multiple of its spacing: the next higher one,
        or the nearest one."""
        if self.ruling == "plain":
            return height
        steps = height / self.spacing
        return max(round(steps) if nearest else math.ceil(steps - 1e-6), 1) * self.spacing

    def rules(self) -> np.ndarray:
        """Return the printed lines, `(n, 2, 2)`: within the sheet's edges, from the top margin."""
        ends: list[tuple[tuple[float, float], tuple[float, float]]] = []
        if self.ruling in ("ruled", *ZONES):
            down = np.arange(self.margins[0] + self.spacing, self.bottom + 0.01, self.spacing)
            beside = np.multiply(ZONES[self.ruling][1], self.letter) if self.letter else [0.0]
            across = np.add.outer(down, beside).ravel().tolist()
            ends = [((0.0, y), (self.width, y)) for y in across]
        elif self.ruling == "squared":
            ends = [((0.0, y), (self.width, y)) for y in self._grid(self.height, 0)]
            ends += [((x, 0.0), (x, self.height)) for x in self._grid(self.width, 3)]
        return np.array(ends, dtype=np.float64).reshape(-1, 2, 2)

    def dots(self) -> np.ndarray:
        """Return the printed dots, `(n, 2)`."""
        if self.ruling != "dotted":
            return np.empty((0, 2))
        across, down = np.meshgrid(self._grid(self.width, 3), self._grid(self.height, 0))
        return np.stack([across.ravel(), down.ravel()], axis=1)

    def _grid(self, length: float, side: int) -> list[float]:
        """Return the positions of the grid's lines along a length; one lies at a side's margin."""
        start = self.margins[side] % self.spacing or self.spacing
        return np.arange(start, length, self.spacing).tolist()


def size_of(name: str) -> tuple[float, float]:
    """Return the width and height of a sheet named `A4` or given as `210x297`.

    Raises:
        UserError: if the name is neither, or a side not between 40 mm and 5 m.
    """
    if (size := SIZES.get(name.lower())) is not None:
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
