"""The same page as a file of each note program, made for tests by the published formats.

The files lie in tests/fixtures/notes; here they get other content than a whole page.
"""

import gzip
import io
import json
import re
from pathlib import Path

PEN = [[(100, 100), (110, 120), (120, 100)], [(130, 110), (140, 112)]]
MARKER, LINE = [(100, 130), (200, 130)], [(90, 140), (150, 140)]
"""In points (1/72 inch); what there is of it depends on the format."""


def file(name):
    return (Path(__file__).parents[2] / "fixtures" / "notes" / name).read_bytes()


def with_body(name, before, body, after):
    """Return the text of a file with another body between two tags, if it is given."""
    text = file(name).decode()
    head, tail = text.partition(before)[0], text.rpartition(after)[2]
    return text if body is None else f"{head}{before}{body}{after}{tail}"


def xopp(body=None, background=None, pages=1, pack=True):
    """Return a note of Xournal++ with another body, background or number of pages."""
    text = with_body("page.xml", "<layer>", body, "</layer>")
    head, page, tail = re.split(r"(<page.*</page>)", text, flags=re.DOTALL)
    if background is not None:
        page = re.sub(r"<background.*/>", lambda _: background, page)
    content = f"{head}{page * pages}{tail}".encode()
    return gzip.compress(content) if pack else content


def excalidraw(*more, **scene):
    """Return a drawing of Excalidraw with more elements, and other values."""
    drawing = json.loads(file("page.excalidraw"))
    return json.dumps(drawing | {"elements": [*drawing["elements"], *more]} | scene).encode()


def svg(body=None):
    """Return a drawing as Inkscape might have it: groups, classes, styles, and moved parts."""
    return with_body("page.svg", '841.889764">', body, "</svg>").encode()


def inkml(traces=None):
    """Return a page as OneNote has it: contexts with and without pressure, brushes, and groups."""
    return with_body("page.inkml", "</definitions>", traces, "</ink>").encode()


def rm_line(number, points, tool=17, colour=6, layer=11):
    """Return a stroke on the page of a reMarkable; an erased one without points."""
    from rmscene import CrdtId, CrdtSequenceItem
    from rmscene import scene_items as si
    from rmscene.scene_stream import SceneLineItemBlock

    drawn = [si.Point(x * 226 / 72 - 702, y * 226 / 72, 0, 0, 18, 100) for x, y in points]
    stroke = si.Line(si.PenColor(colour), si.Pen(tool), drawn, 2.0, 0.0) if drawn else None
    none, is_erased = CrdtId(0, 0), int(not drawn)
    item = CrdtSequenceItem(CrdtId(1, number), none, none, is_erased, stroke)
    return SceneLineItemBlock(CrdtId(0, layer), item)


def rm(*more, text="typed & plain"):
    """Return a page of a reMarkable by the library rmscene, which writes such as well."""
    import rmscene

    lines = [rm_line(20, PEN[0]), rm_line(21, PEN[1]), rm_line(22, MARKER, 18, 3), rm_line(23, [])]
    written = io.BytesIO()
    rmscene.write_blocks(written, [*rmscene.simple_text_document(text), *(more or lines)])
    return written.getvalue()
