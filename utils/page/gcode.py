"""G-code of pages for pen plotters."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from os import PathLike

from utils.checks import ConfigFault
from utils.files import write_text
from utils.page.machine import Machine, check_positive, draw, shown
from utils.page.page import Page


@dataclass(frozen=True)
class Commands:
    """What a G-code machine is told, and when. The numbers are assumed.

    Attributes:
        up, down: what moves the pen. The default turns a servo; `Z_MOVES` moves the Z axis.
        settle: seconds it waits after each.
        dot: seconds the pen stays down for a dot.
        dwell: what waits; `{}` stands for seconds: Marlin takes "G4 S{}".
        pause: what waits for the user to change a pen or the paper.
        end: what ends the program.
        feed: millimetres a minute when drawing.
        travel: millimetres a minute when the pen is up; some machines know their own.
    """

    up: str = "M3 S0"
    down: str = "M3 S90"
    settle: float = 0.15
    dot: float = 0.1
    dwell: str = "G4 P{}"
    pause: str = "M0"
    end: str = "M2"
    feed: float = 1500.0
    travel: float = 3000.0

    def __post_init__(self) -> None:
        check_positive(feed=self.feed, travel=self.travel)
        for name in ("settle", "dot"):
            if not 0 <= getattr(self, name) <= 60:
                raise ConfigFault(name, getattr(self, name), "seconds from 0 to 60")
        for name in ("up", "down", "dwell", "pause", "end"):
            value = getattr(self, name)
            if not value.strip() or not re.fullmatch("[ -~\n]*", value):
                raise ConfigFault(name, value, "G-code, such as M3 S90")
        if self.dwell.count("{}") != 1:
            raise ConfigFault("dwell", self.dwell, "{} once, for the seconds, such as G4 P{}")


Z_MOVES = Commands(up="G0 Z5", down="G1 Z0 F600", settle=0.0)
"""For a pen on the Z axis that touches the paper at 0."""


def to_gcode(
    pages: Sequence[Page], machine: Machine | None = None, commands: Commands | None = None
) -> str:
    """Return pages as one program in millimetres and absolute positions (G21, G90).

    Before another pen and another page, the pen goes to 0, 0 and the machine pauses. A dot is the
    pen down for a while. What is printed on the paper is not drawn.

    Raises:
        UserError: if a page is not valid, or ink lies outside of what the pen reaches.
    """
    machine, tell = machine or Machine(), commands or Commands()
    wait = [tell.dwell.replace("{}", shown(tell.settle))] if tell.settle else []
    up, down = [*tell.up.splitlines(), *wait], [*tell.down.splitlines(), *wait]
    dot = [tell.dwell.replace("{}", shown(tell.dot))] if tell.dot else []
    travel, feed = f" F{shown(tell.travel)}", f" F{shown(tell.feed)}"
    home = f"G0 X0 Y0{travel}"
    lines, present = ["G21", "G90", *up], None
    for number, drawn in enumerate(draw(pages, machine), 1):
        lines += [f"; page {number} of {len(pages)}"]
        lines += [home, *tell.pause.splitlines()] if number > 1 else []
        for pen, ways in sorted(drawn.items(), key=lambda item: item[0] != present):
            if pen != present:
                lines += [f"; pen {pen.colour}, {shown(pen.width)} mm"]
                lines += [home, *tell.pause.splitlines()] if present else []
                present = pen
            for way in ways:
                places = (f"X{shown(x)} Y{shown(y)}" for x, y in way.tolist())
                start, *others = (place for place, _ in groupby(places))
                lines += [f"G0 {start}{travel}", *down]
                lines += [f"G1 {place}{feed if n == 0 else ''}" for n, place in enumerate(others)]
                lines += [*(dot if not others else []), *up]
    return "\n".join([*lines, home, *tell.end.splitlines(), ""])


def write_gcode(
    path: str | PathLike[str],
    pages: Sequence[Page],
    machine: Machine | None = None,
    commands: Commands | None = None,
) -> None:
    """Write pages as a file of G-code; see `to_gcode`."""
    write_text(path, to_gcode(pages, machine, commands))
