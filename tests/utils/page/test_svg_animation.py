"""Pages that write themselves: times by hand, and the finished page as vpype reads it."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from utils.checks import UserError
from utils.page.page import Page, Pen, Row
from utils.page.svg_animation import JUMP_SPEED, animated_svg, write_animated_svg
from utils.page.svg_page import write_page_svg

SVG = "{http://www.w3.org/2000/svg}"
# Faster and faster to the right; half a second later (as it is so far) a dot; a line of a red pen.
STROKE = np.array([[10, 20], [11, 20], [14, 20], [20, 20.0]])
DOT = np.array([[20 + JUMP_SPEED / 2, 20.1]])
LINE = np.array([[20 + JUMP_SPEED / 2, 20.2], [110, 40]])
PAGE = Page(
    210,
    297,
    (Row((STROKE, DOT), period=0.1), Row((LINE,), pen=Pen(0.7, "#aa0000"), period=0.2)),
    rules=np.array([[[20, 30], [190, 30.0]]]),
)

vpype = pytest.importorskip("vpype", reason="vpype is not there for this Python")


def seconds(text):
    assert text.endswith("s")
    return float(text[:-1])


def timetable(svg):
    """When each stroke begins, how long it takes and how far it is at equal times, layer by
    layer; until it begins it is hidden."""
    found = []
    for path in ElementTree.fromstring(svg).iter(f"{SVG}path"):
        if (grows := path.find(f"{SVG}animate")) is None:
            continue
        begin = seconds(grows.get("begin"))
        hidden = path.find(f"{SVG}set")
        if begin:
            assert (hidden.get("attributeName"), hidden.get("to")) == ("visibility", "hidden")
            assert seconds(hidden.get("end")) == begin
        else:
            assert hidden is None
        assert path.get("pathLength") == "1" and grows.get("attributeName") == "stroke-dashoffset"
        shares = [2 - float(value) for value in grows.get("values").split(";")]
        found.append((begin, seconds(grows.get("dur")), shares))
    return found


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_strokes_take_the_time_of_the_pen(speed):
    stroke, dot, line = timetable(animated_svg(PAGE, speed=speed))
    assert stroke[:2] == pytest.approx((0, 0.3 / speed), abs=1e-3)
    assert stroke[2] == pytest.approx([0, 0.1, 0.4, 1], abs=0.01)
    assert dot[:2] == pytest.approx((0.8 / speed, 0.1 / speed), abs=1e-3)  # after the jump
    assert dot[2] == [0, 1]
    assert line[:2] == pytest.approx((0.9 / speed, 0.2 / speed), abs=1e-3)


def test_dashes_are_long_enough_to_hide_and_to_show_a_path():
    root = ElementTree.fromstring(animated_svg(PAGE))
    dashed = [group for group in root.iter(f"{SVG}g") if group.get("stroke-dasharray")]
    assert [group.get("stroke-dasharray") for group in dashed] == ["2", "2"]
    assert not root.findall(f".//{SVG}script")


def test_the_finished_page_is_the_page(tmp_path):
    write_page_svg(tmp_path / "page.svg", PAGE)
    write_animated_svg(tmp_path / "film.svg", PAGE, "title")
    page, film = (
        vpype.read_multilayer_svg(str(tmp_path / f"{name}.svg"), quantization=1.0)
        for name in ("page", "film")
    )
    assert page.page_size == film.page_size and list(page.layers) == list(film.layers) == [1, 2, 3]
    for number, layer in page.layers.items():
        assert film.layers[number].metadata["vp_name"] == layer.metadata["vp_name"]
        pairs = zip(layer, film.layers[number], strict=True)
        assert all((one == other).all() for one, other in pairs)


@pytest.mark.parametrize("speed", [0, -1.0, 1e6, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_an_error(tmp_path, speed):
    with pytest.raises(UserError, match=r"must be from 0\.01 to 100"):
        write_animated_svg(tmp_path / "film.svg", PAGE, speed=speed)
    assert not list(tmp_path.iterdir())
