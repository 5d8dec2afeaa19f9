"""Where a page lies on a pen plotter, and how its pen follows it. Lengths in millimetres."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.checks import ConfigFault, UserError
from utils.ink import bezier, simplified
from utils.page.layers import layers
from utils.page.page import Page, Pen

CORNERS = ("bottom left", "bottom right", "top left", "top right")

TOLERANCE = 0.05
"""Millimetres between a curve and the lines that are drawn for it at most; assumed: an eighth of a
pen's line."""

SLACK = 0.01
"""Millimetres that ink may lie outside of what a machine reaches, for rounding."""


def check_positive(**values: float) -> None:
    """Raise a ConfigFault if a number is not above 0 and finite."""
    for name, value in values.items():
        if not _positive((value,))[0]:
            raise ConfigFault(name, value, "a number above 0")


def _positive(values: Sequence[float]) -> list[bool]:
    return [0 < value < math.inf for value in values]


@dataclass(frozen=True)
class Machine:
    """Where the paper lies on a plotter, whose x goes to the right and y up; in millimetres.

    Attributes:
        origin: the corner of the paper that lies at `offset`. From its 0, 0 the pen reaches to the
            side where the paper is: with "top left", y is negative.
        offset: x and y of that corner.
        scale: how many times larger than on the page everything is drawn.
        area: width and height of what the pen reaches from 0, 0; None: the sheet and no more.
        turned: whether the sheet lies with its top to the left, such as a high one on a wide
            plotter.

    Raises:
        ConfigFault: if a value is none of these.
    """

    origin: str = "bottom left"
    offset: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    area: tuple[float, float] | None = None
    turned: bool = False

    def __post_init__(self) -> None:
        if self.origin not in CORNERS:
            raise ConfigFault("origin", self.origin, f"one of {', '.join(CORNERS)}")
        check_positive(scale=self.scale)
        if len(self.offset) != 2 or not all(map(math.isfinite, self.offset)):
            raise ConfigFault("offset", self.offset, "x and y in millimetres")
        if self.area is not None and not (len(self.area) == 2 and all(_positive(self.area))):
            expected = "a width and a height in millimetres, above 0"
            raise ConfigFault("area", self.area, expected)

    def sheet(self, page: Page) -> np.ndarray:
        """Return the lower left and the upper right corner of a page's sheet, `(2, 2)`."""
        size = np.array([page.width, page.height])[:: -1 if self.turned else 1] * self.scale
        return np.array([[0.0, 0.0], size]) - size * self._side() + np.array(self.offset)

    def reach(self, page: Page) -> np.ndarray:
        """Return the lower left and the upper right corner of what the pen reaches, `(2, 2)`."""
        if self.area is None:
            return self.sheet(page)
        return np.array([[0.0, 0.0], self.area]) - np.array(self.area) * self._side()

    def placed(self, page: Page, points: np.ndarray) -> np.ndarray:
        """Return where points of a page `(n, 2)` lie on the machine, `(n, 2)`."""
        (left, _), (_, top) = self.sheet(page)
        x, y = points.T
        if self.turned:
            x, y = y, page.width - x
        return np.stack([left + x * self.scale, top - y * self.scale], axis=1)

    def _side(self) -> np.ndarray:
        return np.array(["right" in self.origin, "top" in self.origin], dtype=float)


def draw(pages: Sequence[Page], machine: Machine) -> list[dict[Pen, list[np.ndarray]]]:
    """Return for each page what each of its pens draws: lines `(n, 2)` on the machine, n at least
    1, in the order of writing; one of a single point is a dot.

    Raises:
        UserError: if a page is not valid, or ink lies outside of what the pen reaches, saying how
            far.
    """
    found = []
    for number, page in enumerate(pages, 1):
        lines = {
            layer.pen: [flattened(machine.placed(page, stroke)) for stroke in layer.strokes]
            for layer in layers(page, ruling=False)
        }
        if lines:
            points = np.concatenate([way for ways in lines.values() for way in ways])
            _check_reach(points, page, machine, number)
        found.append(lines)
    return found


def flattened(points: np.ndarray) -> np.ndarray:
    """Return the ends of straight lines that follow the smooth curve through `points` `(n, 2)`, as
    `(m, 2)`: one where the points are all the same."""
    curves = bezier(points)
    if not len(curves):
        return points[:1]
    # A chord of a part 1/n of a curve lies within 6/8 of the largest second difference of its
    # control points, divided by n^2. They take a tenth of the tolerance, the points that are left
    # out the rest.
    bends = np.linalg.norm(np.diff(curves, n=2, axis=1), axis=2).max(axis=1)
    counts = np.maximum(np.ceil(np.sqrt(0.75 * bends / (0.1 * TOLERANCE))), 1).astype(int)
    curves = np.repeat(curves, counts, axis=0)
    part = np.concatenate([np.arange(1, count + 1) / count for count in counts])
    weights = np.stack(
        [(1 - part) ** 3, 3 * part * (1 - part) ** 2, 3 * part**2 * (1 - part), part**3], axis=1
    )
    ends = np.einsum("nk,nkd->nd", weights, curves)
    points = np.concatenate([curves[:1, 0], ends])
    return points[simplified(points, 0.9 * TOLERANCE)]


def shown(value: float) -> str:
    """Return a number of millimetres with up to three decimals."""
    digits = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def _check_reach(points: np.ndarray, page: Page, machine: Machine, number: int) -> None:
    """Raise a UserError if points of a page are not within reach, with what would be right."""
    low, high = machine.reach(page)
    least, most = points.min(axis=0), points.max(axis=0)
    too_low, too_high = low - least, most - high
    if max(too_low.max(), too_high.max()) <= SLACK:
        return
    faults = [
        f"{axis} is {shown(least[n])} to {shown(most[n])} mm where {shown(low[n])} to "
        f"{shown(high[n])} can be reached ({shown(max(too_low[n], too_high[n]))} too far)"
        for n, axis in enumerate("xy")
        if max(too_low[n], too_high[n]) > SLACK
    ]
    if machine.area is None:
        right = "keep the ink on the paper, or state the area that the machine reaches"
    else:
        right = _remedy(low, high, least, most, machine)
    raise UserError(
        f"the ink of page {number} leaves the "
        f"{'paper' if machine.area is None else 'area of the machine'}: "
        f"{' and '.join(faults)}; {right}"
    )


def _remedy(
    low: np.ndarray, high: np.ndarray, least: np.ndarray, most: np.ndarray, machine: Machine
) -> str:
    """Return the offset, and the scale if it takes another, with which ink would be in reach."""
    share = min(1.0, *((high - low) / np.maximum(most - least, 1e-9)))
    scale = machine.scale if share == 1 else math.floor(machine.scale * share * 1000) / 1000
    old = np.array(machine.offset)
    least, most = (old + (corner - old) * scale / machine.scale for corner in (least, most))
    shift = np.maximum(low - least, 0) + np.minimum(high - most, 0)
    offset = ", ".join(map(shown, (old + shift).tolist()))
    scaled = "" if share == 1 else f"a scale of {shown(scale)} with "
    return f"right would be a smaller or turned page, or {scaled}an offset of {offset}"
