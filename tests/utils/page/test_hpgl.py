"""HPGL, followed by a plotter that does what the commands say."""

import re

import numpy as np
import pytest

from utils.checks import UserError
from utils.page.hpgl import to_hpgl, write_hpgl
from utils.page.machine import Machine
from utils.page.page import Page, Pen, Row

BLACK, RED, BLUE = Pen(), Pen(0.7, "#ff0000"), Pen(0.7, "#0000ff")


def plotted(text):
    """Return the sheets of a plot: the size and, for each line, its pen and positions in units."""
    assert re.fullmatch(r"(?:[A-Z]{2}[-\d,]*;\n?)+", text)
    commands = re.findall(r"([A-Z]{2})([-\d,]*);", text)
    assert commands[0] == ("IN", "")
    pen, place, down = 0, None, False
    sheets = [(None, [])]
    for name, written in commands[1:]:
        numbers = [int(number) for number in written.split(",")] if written else []
        if name == "PS":
            sheets[-1] = (tuple(numbers), sheets[-1][1])
        elif name == "PG":
            assert not down
            sheets.append((None, []))
        elif name == "SP":
            assert not down
            (pen,) = numbers
        elif name in ("PU", "PD"):
            assert len(numbers) % 2 == 0
            if name == "PD" and not down:
                assert pen > 0
                sheets[-1][1].append((pen, [place]))
            down = name == "PD"
            for place in zip(numbers[::2], numbers[1::2], strict=True):
                if down:
                    sheets[-1][1][-1][1].append(place)
        else:
            raise AssertionError(name)
    assert not down and pen == 0
    return sheets


def row(*strokes, pen=BLACK):
    return Row(tuple(np.array(stroke, dtype=float) for stroke in strokes), pen=pen)


LINE = [[10, 10], [20, 10]]


def test_positions_are_units_from_the_lower_left_corner():
    ((size, drawn),) = plotted(to_hpgl([Page(100, 50, (row(LINE, [[0, 50], [100, 0]]),))]))
    assert size == (4000, 2000)
    assert drawn == [(1, [(400, 1600), (800, 1600)]), (1, [(0, 0), (4000, 2000)])]


def test_a_high_sheet_lies_with_its_top_to_the_left():
    high = Page(50, 100, (row(LINE),))
    ((size, drawn),) = plotted(to_hpgl([high]))
    assert size == (4000, 2000)
    assert drawn == [(1, [(400, 400), (400, 800)])]
    # As it is: x would go along its longer side if the size was stated.
    ((size, drawn),) = plotted(to_hpgl([high], Machine()))
    assert size is None and drawn == [(1, [(400, 3600), (800, 3600)])]


def test_where_no_size_is_stated():
    wide = Page(100, 50, (row(LINE),))
    ((size, drawn),) = plotted(to_hpgl([wide], Machine(origin="top right")))
    assert size is None and drawn == [(1, [(-3600, -400), (-3200, -400)])]
    assert plotted(to_hpgl([wide], Machine(area=(420, 297), offset=(9, 9))))[0][0] == (16800, 11880)


@pytest.mark.parametrize("stroke", [[[10, 10]], [[10, 10], [10.001, 10]], [[10, 10]] * 4])
@pytest.mark.parametrize("origin", ["bottom left", "top right"])
def test_a_dot_is_a_line_of_a_unit_there_and_back(stroke, origin):
    machine = Machine(origin=origin)
    ((_, drawn),) = plotted(to_hpgl([Page(100, 50, (row(stroke),))], machine))
    ((_, places),) = drawn
    assert places[0] == places[-1] == ((400, 1600) if origin == "bottom left" else (-3600, -400))
    assert len(places) == 3 and np.abs(np.diff(places, axis=0)).tolist() == [[1, 0]] * 2


def test_dots_in_the_corners_stay_on_the_sheet():
    corners = [[[0, 0]], [[100, 0]], [[0, 50]], [[100, 50]]]
    ((_, drawn),) = plotted(to_hpgl([Page(100, 50, (row(*corners),))]))
    places = np.array([place for _, places in drawn for place in places])
    assert places.min() == 0 and places.max(axis=0).tolist() == [4000, 2000]


def test_each_distinct_pen_has_its_number_on_all_sheets():
    first = Page(100, 50, (row(LINE), row(LINE, pen=RED), row(LINE)))
    second = Page(100, 50, (row(LINE, pen=BLUE), row(LINE, pen=RED), row(LINE, pen=Pen())))
    sheets = plotted(to_hpgl([first, second, second]))
    assert [[pen for pen, _ in drawn] for _, drawn in sheets] == [[1, 1, 2], [1, 2, 3], [1, 2, 3]]
    many = Page(100, 50, tuple(row(LINE, pen=Pen(0.1 * n)) for n in range(1, 10)))
    with pytest.raises(UserError, match="the pages take 9 pens: the plotter holds 8"):
        to_hpgl([many])


def test_a_curve_is_a_line_of_one_pd():
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = 20 + 5 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    ((_, drawn),) = plotted(to_hpgl([Page(100, 50, (row(circle),))]))
    ((_, places),) = drawn
    radius = np.hypot(*(np.array(places) / 40 - [20, 30]).T)
    assert np.abs(radius - 5).max() < 0.05 + 0.018  # half a unit in x and y
    assert places[0] == places[-1] and 20 < len(places) < 40


def test_ink_out_of_reach_is_refused(tmp_path):
    page = Page(100, 50, (row([[10, 10], [60, 10]]),))
    with pytest.raises(UserError, match=r"x is 10 to 60 mm where 0 to 40 .*\(20 too far\)"):
        write_hpgl(tmp_path / "a.hpgl", [page], Machine(area=(40, 50)))
    assert not list(tmp_path.iterdir())
    write_hpgl(tmp_path / "a.hpgl", [page])
    assert (tmp_path / "a.hpgl").read_text() == to_hpgl([page])


def test_nothing_is_a_plot_too():
    assert plotted(to_hpgl([])) == [(None, [])]
    assert plotted(to_hpgl([Page(100, 50, (Row(()),))])) == [((4000, 2000), [])]
