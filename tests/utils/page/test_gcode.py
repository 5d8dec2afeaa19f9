"""G-code, followed by a machine that does what the commands say."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest

from utils.checks import ConfigFault, UserError
from utils.ink import bezier
from utils.page.gcode import Z_MOVES, Commands, to_gcode, write_gcode
from utils.page.machine import CORNERS, TOLERANCE, Machine, flattened
from utils.page.page import Page, Pen, Row

BLACK, RED = Pen(), Pen(0.7, "#ff0000")


class Plotter:
    """A machine with a servo (S90 is down) and a Z axis (0 is down) that keeps what it drew.

    It takes what is in the text and nothing else: a word that it does not know is an error.
    """

    def __init__(self, text):
        self.place, self.z, self.servo, self.feed = np.zeros(2), 5.0, None, None
        self.motion, self.modes, self.drawn, self.paused, self.ended = None, set(), [], [], False
        self.seconds_down, self.feeds, self.reached = 0.0, set(), []
        for line in text.splitlines():
            self.follow(re.sub(";.*", "", line).strip())
        assert self.ended and not self.is_down()

    def is_down(self):
        return self.servo == 90 or self.z <= 0

    def follow(self, line):
        assert not self.ended
        words = re.findall(r"([A-Z])(-?\d+(?:\.\d+)?)", line)
        assert "".join(a + b for a, b in words) == line.replace(" ", "")
        values = {letter: float(value) for letter, value in words if letter not in "GM"}
        commands = [letter + value for letter, value in words if letter in "GM"]
        was_down = self.is_down()
        self.feed = values.get("F", self.feed)
        for command in commands:
            if command in ("G0", "G1"):
                self.motion = command
            elif command in ("G21", "G90"):
                self.modes.add(command)
            elif command == "M3":
                self.servo = values["S"]
            elif command == "G4":
                self.seconds_down += values["P"] * was_down
            elif command == "M0":
                assert not was_down
                self.paused.append(len(self.drawn))
            elif command == "M2":
                self.ended = True
            else:
                raise AssertionError(command)
        if {"X", "Y", "Z"} & values.keys():
            assert self.modes == {"G21", "G90"} and self.motion in commands
            self.z = values.get("Z", self.z)
            self.place = np.array(
                [values.get(a, old) for a, old in zip("XY", self.place, strict=True)]
            )
            self.reached.append(self.place)
        if self.is_down() and not was_down:
            self.drawn.append([self.place])
        elif self.is_down() and {"X", "Y"} & values.keys():
            assert self.motion == "G1", "a rapid move with the pen down"
            self.feeds.add(self.feed)
            self.drawn[-1].append(self.place)


def followed(*pages, machine=None, commands=None):
    plotter = Plotter(to_gcode(pages, machine, commands))
    plotter.drawn = [np.array(way) for way in plotter.drawn]
    return plotter


def page(*strokes, width=100, height=50, pen=BLACK):
    rows = tuple(Row((np.array(stroke, dtype=float),), pen=pen) for stroke in strokes)
    return Page(width, height, rows)


def circle(count=40, radius=4.0):
    turn = np.linspace(0, 2 * np.pi, count)
    return 20 + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def distances(points, line):
    """Return the distance of each point to a line of several pieces, `(points,)`."""
    start, chord = line[:-1], np.diff(line, axis=0)
    along = ((points[:, None] - start) * chord).sum(-1) / np.maximum((chord**2).sum(-1), 1e-12)
    nearest = start + np.clip(along, 0, 1)[..., None] * chord
    return np.linalg.norm(points[:, None] - nearest, axis=-1).min(axis=1)


def curve(points, steps=20):
    """Return points of the smooth curve, found by halving lines between its controls."""
    found = []
    for controls in bezier(points):
        for part in np.linspace(0, 1, steps):
            left = controls
            while len(left) > 1:
                left = (1 - part) * left[:-1] + part * left[1:]
            found.append(left[0])
    return np.array(found)


LINE = [[10, 10], [20, 10]]


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (Machine(), [[10, 40], [20, 40]]),
        (Machine(origin="top left"), [[10, -10], [20, -10]]),
        (Machine(origin="bottom right"), [[-90, 40], [-80, 40]]),
        (Machine(origin="top right"), [[-90, -10], [-80, -10]]),
        # The sheet stands on its left edge: the writing goes up.
        (Machine(turned=True), [[10, 10], [10, 20]]),
        (Machine(turned=True, origin="top right"), [[-40, -90], [-40, -80]]),
        (Machine(scale=2, offset=(5, 7)), [[25, 87], [45, 87]]),
        (Machine(offset=(-10, 0), area=(30, 40)), [[0, 40], [10, 40]]),
    ],
)
def test_where_the_ink_lies_on_the_machine(machine, expected):
    (way,) = followed(page(LINE), machine=machine).drawn
    np.testing.assert_allclose(way, expected)


def test_curves_are_followed_within_the_tolerance_by_few_lines():
    generator = np.random.default_rng(5)
    strokes = [circle(), *(generator.normal(0, 1, (20, 2)).cumsum(axis=0) + 50 for _ in range(4))]
    sheet = page(*strokes, width=150, height=150)
    drawn = followed(sheet, machine=Machine(origin="top left")).drawn
    assert len(drawn) == len(strokes)
    for way, stroke in zip(drawn, strokes, strict=True):
        smooth = curve(stroke) * [1, -1]
        within = TOLERANCE + 0.001  # positions are written in thousandths
        assert distances(smooth, way).max() <= within
        dense = np.concatenate([np.linspace(a, b, 8) for a, b in pairwise(way)])
        assert distances(dense, smooth).max() <= within
        np.testing.assert_allclose(way[[0, -1]], smooth[[0, -1]], atol=0.001)
    # A chord of a circle of 4 mm may be 2 sqrt(2 r t) long, t being 0.05: 20 of them are enough.
    assert 20 < len(drawn[0]) <= 40


def test_a_straight_stroke_is_one_line():
    straight = np.linspace([10, 10], [60, 30], 200)
    (way,) = followed(page(straight)).drawn
    np.testing.assert_allclose(way, [[10, 40], [60, 20]])
    there_and_back = [[10, 10], [40, 10], [10, 10]]
    (way,) = followed(page(there_and_back)).drawn
    np.testing.assert_allclose(way, [[10, 40], [40, 40], [10, 40]])


def test_a_larger_scale_is_as_exact():
    few = len(followed(page(circle())).drawn[0])
    (many,) = followed(page(circle(), height=50), machine=Machine(scale=10)).drawn
    assert len(many) > 2 * few
    assert distances(curve(circle()) * [10, -10] + [0, 500], many).max() <= TOLERANCE + 0.001


@pytest.mark.parametrize("stroke", [[[10, 10]], [[10, 10]] * 3, [[10, 10], [10.0001, 10]]])
def test_a_dot_is_the_pen_down_for_a_while(stroke):
    plotter = followed(page(stroke), commands=Commands(settle=0.15, dot=0.2))
    assert [way.tolist() for way in plotter.drawn] == [[[10, 40]]]
    assert plotter.seconds_down == pytest.approx(0.35)
    text = to_gcode([page(stroke)], commands=Commands(dwell="G4 S{}", dot=0.2))
    assert "M3 S90\nG4 S0.15\nG4 S0.2\nM3 S0\n" in text


def test_the_pen_draws_at_its_speed_whatever_moves_it():
    for commands in (Commands(feed=900), Commands(up="G0 Z5", down="G1 Z0 F60", feed=900)):
        plotter = followed(page(LINE, circle(), [[3, 3]]), commands=commands)
        assert plotter.feeds == {900} and len(plotter.drawn) == 3
    plotter = followed(page(LINE), commands=Z_MOVES)
    assert plotter.feeds == {1500} and plotter.servo is None


def test_the_machine_pauses_at_its_corner_for_another_pen_and_another_sheet():
    black = page(LINE, [[1, 1], [2, 5]])
    both = Page(100, 50, (*page(LINE, pen=RED).rows, *black.rows, *page(LINE, pen=RED).rows))
    plotter = followed(black, both)
    # Black twice; the sheet: black again twice; the pen: red twice.
    assert len(plotter.drawn) == 6 and plotter.paused == [2, 4]
    text = to_gcode([black, both])
    assert all("G0 X0 Y0" in part.splitlines()[-1] for part in text.split("\nM0\n")[:-1])
    order = ["; page 1 of 2", "; page 2 of 2", "M0", "; pen #ff0000, 0.7 mm", "M0"]
    assert [line for line in text.splitlines() if line in order] == order
    assert (plotter.place == 0).all()


def test_what_the_paper_shows_is_not_drawn_and_nothing_is_fine():
    ruled = Page(100, 50, (Row(()),), np.array([[[0, 9], [100, 9]]]), np.array([[5, 5]]))
    for pages in ([ruled], [Page(100, 50)], []):
        assert followed(*pages).drawn == []


def test_ink_off_the_paper_is_refused():
    with pytest.raises(UserError) as raised:
        to_gcode([page(LINE), page(LINE, [[99, 10], [103.5, 10]])])
    assert str(raised.value) == (
        "the ink of page 2 leaves the paper: x is 10 to 103.5 mm where 0 to 100 can be reached "
        "(3.5 too far); keep the ink on the paper, or state the area that the machine reaches"
    )
    to_gcode([page([[50, 0], [100, 25], [50, 50], [0, 25]])])  # which touches its edges


@pytest.mark.parametrize("origin", CORNERS)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("area", "offset", "scale"),
    [((30, 200), (0, 0), 1), ((90, 100), (200, 30), 0.5), ((20, 9), (70, -80), 3)],
)
def test_what_the_message_says_would_be_right_is_right(origin, turned, area, offset, scale):
    sheet = page([[10, 10], [52, 47]], [[60, 30]])
    options = {"origin": origin, "turned": turned, "area": area}
    with pytest.raises(UserError, match="page 1 leaves the area of the machine") as raised:
        to_gcode([sheet], Machine(offset=offset, scale=scale, **options))
    right = re.search(
        r"turned page, or (?:a scale of ([\d.]+) with )?an offset of (\S+), (\S+)$",
        str(raised.value),
    )
    new = float(right[1] or scale)
    assert (new < scale) == bool(right[1])
    plotter = followed(
        sheet, machine=Machine(offset=(float(right[2]), float(right[3])), scale=new, **options)
    )
    least, most = np.min(plotter.reached, axis=0), np.max(plotter.reached, axis=0)
    low = -np.array(area) * ["right" in origin, "top" in origin]
    assert (least >= low - 0.011).all() and (most <= low + area + 0.011).all()
    if right[1]:  # no smaller than it must be
        assert ((most - least) / area).max() > 0.9


def test_a_position_that_is_no_number_is_refused():
    with pytest.raises(UserError, match="row 1: a position is not a number"):
        to_gcode([page([[10, math.nan]])])


def test_how_far_is_too_far():
    with pytest.raises(UserError) as raised:
        to_gcode([page([[10, 10], [60, 20]])], Machine(area=(50, 30)))
    said = str(raised.value)
    assert "x is 10 to 60 mm where 0 to 50 can be reached (10 too far)" in said
    assert "y is 30 to 40 mm where 0 to 30 can be reached (10 too far)" in said
    assert said.endswith("or an offset of -10, -10")


@pytest.mark.parametrize(
    ("make", "values", "key"),
    [
        (Machine, {"origin": "left"}, "origin"),
        (Machine, {"scale": 0}, "scale"),
        (Machine, {"scale": math.nan}, "scale"),
        (Machine, {"offset": (1,)}, "offset"),
        (Machine, {"offset": (1, math.inf)}, "offset"),
        (Machine, {"area": (200, 0)}, "area"),
        (Machine, {"area": (200, math.nan)}, "area"),
        (Commands, {"feed": -1}, "feed"),
        (Commands, {"travel": math.inf}, "travel"),
        (Commands, {"settle": -0.1}, "settle"),
        (Commands, {"dot": math.nan}, "dot"),
        (Commands, {"up": " "}, "up"),
        (Commands, {"down": "M3 \u00a0S90"}, "down"),
        (Commands, {"dwell": "G4 P1"}, "dwell"),
    ],
)
def test_values_that_do_not_fit_are_named(make, values, key):
    with pytest.raises(ConfigFault) as raised:
        make(**values)
    assert raised.value.key == key


def test_the_file_is_the_text(tmp_path):
    write_gcode(tmp_path / "a.gcode", [page(LINE)], Machine(), Z_MOVES)
    text = (tmp_path / "a.gcode").read_text(encoding="ascii")
    assert text == to_gcode([page(LINE)], commands=Z_MOVES) and text.endswith("M2\n")


def test_flat_is_flat_at_any_size():
    circles = [circle(radius=radius) for radius in (0.2, 2.0, 20.0, 200.0)]
    counts = [len(flattened(points)) for points in circles]
    assert counts == sorted(counts) and counts[0] < 10 < 100 < counts[-1]
    for points in circles:
        assert distances(curve(points), flattened(points)).max() <= TOLERANCE
