"""A page as InkML, read as the standard says, and by the project's own reader."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from data_loader import InkMLDataset, read_ink
from data_loader.sources.inkml import parse
from utils.checks import DataError
from utils.ink import from_strokes
from utils.page.inkml import AIR, LIFT, page_to_inkml, write_page_inkml
from utils.page.page import Page, Pen, Row

SPACE = "{http://www.w3.org/2003/InkML}"
ID = "{http://www.w3.org/XML/1998/namespace}id"


def row(*strokes, **options):
    return Row(tuple(np.array(stroke, dtype=float) for stroke in strokes), **options)


FIRST = row([[10, 10], [12, 15], [14, 10]], [[13, 8]], text="A & b", period=0.02)
SECOND = row([[10, 20], [10.1234, 25]], text="  c<d", pen=Pen(0.7, "#c0562f"), period=0.01)
PAGE = Page(210, 297.5, (FIRST, Row((), text="not there"), SECOND))


def read(text):
    """Return the size of the sheet, the units of each channel, and what each group holds: its
    truth, width and colour of its brush, and its traces as `(points, channels)`."""
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SPACE}ink"
    by_id = {element.get(ID): element for element in root.iter() if element.get(ID)}
    groups, units, size = [], None, None
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


def test_the_standard_finds_sheet_units_texts_pens_and_points():
    size, units, groups = read(page_to_inkml(PAGE))
    assert size == (210, 297.5) and units == {"X": "mm", "Y": "mm", "T": "ms"}
    (said, pen, traces), (other, red, [last]) = groups
    assert (said, pen) == ("A & b", (0.4, "#1b2a4e"))
    assert (other, red) == ("  c<d", (0.7, "#c0562f"))
    np.testing.assert_array_equal(traces[0][:, :2], [[10, 10], [12, 15], [14, 10]])
    np.testing.assert_array_equal(traces[1][:, :2], [[13, 8]])
    np.testing.assert_array_equal(last[:, :2], [[10, 20], [10.123, 25]])


def test_times_are_the_period_within_a_stroke_and_the_way_between_two():
    _, _, [(_, _, [body, dot]), (_, _, [last])] = read(page_to_inkml(PAGE))
    np.testing.assert_allclose(body[:, 2], [0, 20, 40])
    # From 14, 10 to 13, 8 are 5^0.5 mm, from 13, 8 to 10, 20 are 153^0.5 mm.
    lifted = 40 + 1000 * (LIFT + 5**0.5 / AIR)
    assert dot[0, 2] == pytest.approx(lifted, abs=0.001)
    landed = lifted + 1000 * (LIFT + 153**0.5 / AIR)
    np.testing.assert_allclose(last[:, 2], [landed, landed + 10], atol=0.001)


def test_the_projects_reader_finds_the_rows_and_their_texts(tmp_path):
    generator = np.random.default_rng(2)
    rows = [
        row(*(generator.uniform(0, 200, (n, 2)) for n in (30, 1, 12)), text=text)
        for text in ("first line", "", "third &  line", "4", "5")
    ]
    write_page_inkml(tmp_path / "page.inkml", Page(210, 297, tuple(rows)))
    content = (tmp_path / "page.inkml").read_bytes()
    found = list(parse(content, "annotated"))
    texts = ["first line", "third &  line", "4", "5"]
    assert [text for _, text, _, _ in found] == texts
    for (ink, _, _, missing), given in zip(found, (rows[0], *rows[2:]), strict=True):
        expected = from_strokes(given.strokes)
        np.testing.assert_array_equal(ink[:, 2], expected[:, 2])
        np.testing.assert_allclose(ink, expected, atol=0.0011)
        assert not missing.any()
    dataset = InkMLDataset(root=str(tmp_path), level="group", cache=str(tmp_path / "cache"))
    dataset.prepare()
    assert [dataset.text(n) for n in range(len(dataset))] == texts
    ((ink, _, _, _),) = parse(content)
    np.testing.assert_allclose(
        ink, from_strokes([stroke for one in rows for stroke in one.strokes]), atol=0.0011
    )


def test_a_single_row_is_the_text_of_the_file(tmp_path):
    write_page_inkml(tmp_path / "page.inkml", Page(210, 297, (FIRST,)))
    assert read_ink(tmp_path / "page.inkml")[0].text == "A & b"


def test_what_xml_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"XML cannot hold the character U\+0001 of 'a\\x01'"):
        write_page_inkml(tmp_path / "a.inkml", Page(9, 9, (row([[1, 1]], text="a\x01"),)))
    assert not list(tmp_path.iterdir())


def test_an_empty_page_has_no_traces():
    assert read(page_to_inkml(Page(210, 297))) == (None, None, [])
