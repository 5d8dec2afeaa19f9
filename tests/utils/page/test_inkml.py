"""InkML as it is written; how it is read: tests/data_loader/sources/test_inkml.py."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from data_loader.sources.inkml import parse
from utils.checks import DataError
from utils.page.inkml import page_to_inkml, to_inkml
from utils.page.page import Page, Pen, Row

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


def test_what_is_written_is_inkml_for_others(tmp_path):
    root = ElementTree.parse(io.StringIO(to_inkml(np.array(INK), "a & b"))).getroot()
    assert root.tag == f"{SPACE}ink"
    assert [channel.get("name") for channel in root.iter(f"{SPACE}channel")] == ["X", "Y"]
    said = {a.get("type"): a.text for a in root.iter(f"{SPACE}annotation")}
    assert said == {"truth": "a & b"}
    traces = [trace.text for trace in root.iter(f"{SPACE}trace")]
    assert traces == ["0 0, 3 4, 2 10", "12 8, 12 9"]


def misplaced(text):
    """Return the elements that stand where the schema does not allow them."""
    return [
        f"{parent.tag}/{child.tag}".replace(SPACE, "")
        for parent in ElementTree.fromstring(text).iter()
        for child in parent
        if child.tag.removeprefix(SPACE) not in CHILDREN.get(parent.tag.removeprefix(SPACE), ())
    ]


def values_per_point(text):
    """Return how many values the points of each trace have, and how many channels its context."""
    root = ElementTree.fromstring(text)
    channels = {
        "#" + context.get("{http://www.w3.org/XML/1998/namespace}id"): len(
            context.findall(f"./{SPACE}traceFormat/{SPACE}channel")
        )
        for context in root.findall(f"{SPACE}context")
    }
    return [
        ({len(point.split()) for point in trace.text.split(",")}, channels[trace.get("contextRef")])
        for trace in root.findall(f"{SPACE}trace")
    ]


@pytest.mark.parametrize(("far", "channels"), [(10, 2), (1e-9, 4)])
def test_every_element_stands_where_the_schema_allows_it(far, channels):
    ink = np.array([[0, 0, 0], [1e9, 0, 0], [far, 1, 1], [1, 1, 0]])
    text = to_inkml(ink, "a")
    assert misplaced(text) == []
    assert values_per_point(text) == [({channels}, channels)] * 2


def test_every_element_of_a_page_stands_where_the_schema_allows_it():
    stroke = np.array([[10.0, 10.0], [12.0, 15.0]])
    rows = (Row((stroke,), text="a"), Row((stroke + 9,), text="b", pen=Pen(0.7, "#c0562f")))
    assert misplaced(page_to_inkml(Page(210, 297, rows))) == []


def test_a_trace_format_outside_of_a_context_is_still_read():
    text = to_inkml(np.array([[0, 0, 0], [1e9, 0, 0], [1e-9, 1, 1]]), "a")
    before = text.replace('<context xml:id="line">', "").replace("</context>", "")
    before = before.replace(' contextRef="#line"', "")
    assert misplaced(before) == ["ink/traceFormat"]
    (ink, *_), (again, *_) = (next(parse(one.encode())) for one in (text, before))
    np.testing.assert_array_equal(again, ink)


def test_what_xml_cannot_hold_is_refused():
    with pytest.raises(DataError, match=r"XML cannot hold the character U\+0000"):
        to_inkml(np.array(INK), "a\x00")
    with pytest.raises(DataError, match="the ink is empty"):
        to_inkml(np.empty((0, 3)))
