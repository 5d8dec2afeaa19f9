"""HPGL of pages for pen plotters, in units of a fortieth millimetre."""

from collections.abc import Sequence
from itertools import groupby
from os import PathLike

import numpy as np

from utils.checks import UserError
from utils.files import write_text
from utils.page.machine import Machine, draw
from utils.page.page import Page

UNITS = 40
"""Plotter units in a millimetre (HPGL)."""

PENS = 8
"""Pens that a plotter holds (assumed: the largest carousels)."""


def to_hpgl(pages: Sequence[Page], machine: Machine | None = None) -> str:
    """Return pages as one plot; what is printed on the paper is not drawn.

    Each distinct pen has the next number from 1. How far x and y reach (PS) is left out where that
    is less in x than in y, or below 0.

    Args:
        pages: to plot, the next one on the next sheet (PG).
        machine: where the paper lies; None: at 0, 0, turned if it is higher than wide, as the x of
            HPGL goes along the longer side of the sheet.

    Raises:
        UserError: if a page is not valid, ink lies outside of what the pen reaches, or there are
            more than `PENS` pens.
    """
    if machine is None:
        machine = Machine(turned=bool(pages) and pages[0].height > pages[0].width)
    drawn = draw(pages, machine)
    numbers = {pen: n for n, pen in enumerate(dict.fromkeys(p for page in drawn for p in page), 1)}
    if len(numbers) > PENS:
        raise UserError(f"the pages take {len(numbers)} pens: the plotter holds {PENS}")
    lines = ["IN;"]
    for number, (page, ways_of) in enumerate(zip(pages, drawn, strict=True)):
        lines += ["PG;"] if number else []
        low, high = machine.reach(page)
        if low.min() >= 0 and high[0] >= high[1]:
            lines.append("PS{},{};".format(*np.rint(high * UNITS).astype(int)))
        for pen in sorted(ways_of, key=numbers.__getitem__):
            lines.append(f"SP{numbers[pen]};")
            for way in ways_of[pen]:
                places = [place for place, _ in groupby(np.rint(way * UNITS).astype(int).tolist())]
                if len(places) == 1:  # Some readers drop a line of no length.
                    x, y = places[0]
                    places += [[x - 1 if x > 0 else x + 1, y], [x, y]]
                start, *others = (f"{x},{y}" for x, y in places)
                lines.append(f"PU{start};PD{','.join(others)};")
            lines.append("PU;")
    return "\n".join([*lines, "SP0;", ""])


def write_hpgl(
    path: str | PathLike[str], pages: Sequence[Page], machine: Machine | None = None
) -> None:
    """Write pages as a file of HPGL; see `to_hpgl`."""
    write_text(path, to_hpgl(pages, machine))
