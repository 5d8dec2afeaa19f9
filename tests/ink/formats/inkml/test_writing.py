"""InkML as it is written; how it is read: test_lines.py."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from ink.drawing.layers import POINT_PERIOD, Pen, Row
from ink.formats.inkml.lines import parse, write_inkml
from ink.formats.inkml.pages import AIR_SPEED, LIFT_TIME
from ink.geometry import from_strokes
from model.drawing.page import Page
from utils.checks import DataError
from utils.files import write_text

ID = "{http://www.w3.org/XML/1998/namespace}id"
SPACE = "{http://www.w3.org/2003/InkML}"
ANNOTATIONS = {"annotation", "annotationXML"}
CHILDREN = {
    "ink": {"definitions", "context", "trace", "traceGroup", "traceView"} | ANNOTATIONS,
    "definitions": {
        *("brush", "canvas", "canvasTransform", "context", "inkSource", "mapping"),
        *("timestamp", "trace", "traceFormat", "traceGroup", "traceView"),
    },
    "context": {"canvas", "canvasTransform", "traceFormat", "inkSource", "brush", "timestamp"},
    "inkSource": {
        *("traceFormat", "sampleRate", "latency", "activeArea"),
        *("sourceProperty", "channelProperties"),
    },
    "traceFormat": {"channel", "intermittentChannels"},
    "traceGroup": {"trace", "traceGroup"} | ANNOTATIONS,
    "brush": {"brushProperty"} | ANNOTATIONS,
}
"""What each element may contain by the schema of the Recommendation; others nothing."""

INK = [[0, 0, 0], [3, 4, 0], [-1, 6, 1], [10, -2, 0], [0, 1, 1]]


def misplaced(text):
    """Return the elements that stand where the schema does not allow them."""
    return [
        f"{parent.tag}/{child.tag}".replace(SPACE, "")
        for parent in ElementTree.fromstring(text).iter()
        for child in parent
        if child.tag.removeprefix(SPACE) not in CHILDREN.get(parent.tag.removeprefix(SPACE), ())
    ]


def test_every_element_stands_where_the_schema_allows_it(tmp_path):
    stroke = np.array([[10.0, 10.0], [12.0, 15.0]])
    rows = (Row((stroke,), text="a"), Row((stroke + 9,), text="b", pen=Pen(0.7, "#c0562f")))
    assert misplaced(Page(210, 297, rows).to_inkml()) == []
    write_inkml(tmp_path / "a.inkml", np.array(INK), "a")
    assert misplaced((tmp_path / "a.inkml").read_text()) == []


def test_empty_ink_and_characters_that_xml_forbids_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"XML cannot hold the character U\+0000"):
        write_inkml(tmp_path / "a.inkml", np.array(INK), "a\x00")
    with pytest.raises(DataError, match="the ink is empty"):
        write_inkml(tmp_path / "a.inkml", np.empty((0, 3)))


def row(*strokes, **options):
    return Row(tuple(np.array(stroke, dtype=float) for stroke in strokes), **options)


FIRST = row([[10, 10], [12, 15], [14, 10]], [[13, 8]], text="A & b")
SECOND = row([[10, 20], [10.123456, 25]], text="  c<d", pen=Pen(0.7, "#c0562f"))
PAGE = Page(210, 297.5, (FIRST, Row((), text="not there"), SECOND))


def read(text):
    """Return the size of the sheet, the units of each channel, and what each group holds: its
    truth, width and colour of its brush, and its traces as `(points, channels)`."""
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SPACE}ink"
    by_id = {element.get(ID): element for element in root.iter() if element.get(ID)}
    groups = []
    units = None
    size = None
    for group in root.findall(f"{SPACE}traceGroup"):
        source = by_id[group.get("contextRef")[1:]].find(f"{SPACE}inkSource")
        channels = source.findall(f"{SPACE}traceFormat/{SPACE}channel")
        assert {channel.get("type") for channel in channels} == {"decimal"}
        for channel in channels:
            if channel.get("name") == "T":  # in the file's own time
                assert by_id[channel.get("respectTo")[1:]].tag == f"{SPACE}timestamp"
        units = {channel.get("name"): channel.get("units") for channel in channels}
        area = source.find(f"{SPACE}activeArea")
        assert area.get("units") == "mm"
        size = float(area.get("width")), float(area.get("height"))
        brush = {p.get("name"): p for p in by_id[group.get("brushRef")[1:]]}
        assert brush["width"].get("units") == "mm"
        truth = group.find(f"{SPACE}annotation[@type='truth']")
        traces = [
            np.array([[float(value) for value in point.split()] for point in trace.text.split(",")])
            for trace in group.findall(f"{SPACE}trace")
        ]
        pen = float(brush["width"].get("value")), brush["color"].get("value")
        groups.append((None if truth is None else truth.text, pen, traces))
    return size, units, groups


def test_a_reader_by_the_standard_finds_the_sheet_units_texts_pens_and_points():
    size, units, groups = read(PAGE.to_inkml())
    assert size == (210, 297.5) and units == {"X": "mm", "Y": "mm", "T": "ms"}
    (first_text, first_pen, traces), (second_text, second_pen, [last]) = groups
    assert (first_text, first_pen) == ("A & b", (0.4, "#1b2a4e"))
    assert (second_text, second_pen) == ("  c<d", (0.7, "#c0562f"))
    np.testing.assert_array_equal(traces[0][:, :2], [[10, 10], [12, 15], [14, 10]])
    np.testing.assert_array_equal(traces[1][:, :2], [[13, 8]])
    np.testing.assert_array_equal(last[:, :2], [[10, 20], [10.12346, 25]])


def test_times_grow_by_the_period_within_a_stroke_and_by_the_move_between_strokes():
    _, _, [(_, _, [body, dot]), (_, _, [last])] = read(PAGE.to_inkml())
    np.testing.assert_allclose(body[:, 2], [0, 18, 36])
    # From 14, 10 to 13, 8 are 5^0.5 mm, from 13, 8 to 10, 20 are 153^0.5 mm.
    lifted = 36 + 1000 * (LIFT_TIME + 5**0.5 / AIR_SPEED)
    assert dot[0, 2] == pytest.approx(lifted, abs=0.001)
    landed = lifted + 1000 * (LIFT_TIME + 153**0.5 / AIR_SPEED)
    np.testing.assert_allclose(last[:, 2], [landed, landed + 1000 * POINT_PERIOD], atol=0.001)


def test_the_reader_of_the_project_finds_the_rows_that_have_a_text(tmp_path):
    generator = np.random.default_rng(2)
    rows = [
        row(*(generator.uniform(0, 200, (n, 2)) for n in (30, 1, 12)), text=text)
        for text in ("first line", "", "third &  line", "4", "5")
    ]
    write_text(tmp_path / "page.inkml", Page(210, 297, tuple(rows)).to_inkml())
    samples = parse(tmp_path / "page.inkml").samples
    assert [sample.text for sample in samples] == ["first line", "third &  line", "4", "5"]
    for sample, written in zip(samples, [row for row in rows if row.text], strict=True):
        np.testing.assert_allclose(sample.ink, from_strokes(written.strokes), atol=0.0011)
        assert not sample.missing.any()


def test_an_empty_page_has_no_traces():
    assert read(Page(210, 297).to_inkml()) == (None, None, [])
