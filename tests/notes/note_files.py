"""The same page as a file of each note program, made for tests by the published formats."""

import gzip
import io
import json
import struct
import zipfile

PEN = [[(100, 100), (110, 120), (120, 100)], [(130, 110), (140, 112)]]
MARKER, LINE = [(100, 130), (200, 130)], [(90, 140), (150, 140)]
TYPED = "typed & plain"
"""In points (1/72 inch); what there is of it depends on the format."""


def pairs(points, joint=" ", comma=" "):
    return joint.join(f"{x}{comma}{y}" for x, y in points)


def xopp(
    body=None,
    background='<background type="solid" color="#ffffffff" style="lined"/>',
    pages=1,
    pack=True,
):
    """Return a note of Xournal++, and what is on its page in order."""
    if body is None:
        body = "".join(
            f'<stroke tool="pen" color="#3333ccff" width="1.41 1.2 0.9">{pairs(points)}</stroke>'
            for points in PEN
        )
        body += f'<stroke tool="highlighter" color="#ffff007f" width="8.5">{pairs(MARKER)}</stroke>'
        body += f'<stroke tool="pen" color="red" width="2.26">{pairs(LINE)}</stroke>'
        body += f'<stroke tool="eraser" color="#ffffffff" width="9">{pairs(PEN[1])}</stroke>'
        body += (
            '<text font="Sans" size="12" x="300" y="50" color="#000000ff">typed &amp; plain</text>'
        )
        body += '<image left="0" top="0" right="9" bottom="9">aGVsbG8=</image><teximage text="x"/>'
    page = (
        f'<page width="595.27559100" height="841.88976400">{background}<layer>{body}</layer></page>'
    )
    head = '<?xml version="1.0"?>\n<xournal creator="xournalpp 1.1.3" fileversion="4">'
    text = f"{head}{page * pages}</xournal>"
    return gzip.compress(text.encode()) if pack else text.encode()


def excalidraw(*more, **scene):
    def element(kind, points=None, **values):
        (x, y), *_ = points or [(0, 0)]
        values |= {"points": [[px - x, py - y] for px, py in points or ()]}
        # A freehand line of Excalidraw is six times as wide at the mean pressure.
        width = 1.88 / 6.01 if kind == "freedraw" else 1.88
        looks = {"strokeColor": "#3333cc", "strokeWidth": width, "opacity": 100, "angle": 0}
        return {"type": kind, "x": x, "y": y, "isDeleted": False} | looks | values

    pixels = [[(x * 96 / 72, y * 96 / 72) for x, y in points] for points in (*PEN, MARKER, LINE)]
    elements = [element("freedraw", points) for points in pixels[:2]]
    elements.append(element("freedraw", pixels[2], opacity=40, strokeColor="#ffff00"))
    elements.append(element("line", pixels[3], strokeColor="red"))
    elements.append(element("freedraw", pixels[0], isDeleted=True))
    elements.append(element("text", x=400, y=66, text=TYPED, fontSize=16))
    elements += [element("image"), *more]
    return json.dumps({"type": "excalidraw", "version": 2, "elements": elements} | scene).encode()


def obsidian(block="json"):
    """Return a drawing in Markdown, as the plug-in of Obsidian has it."""
    drawing = excalidraw().decode() if block == "json" else COMPRESSED[:50]
    return (
        f"---\n\nexcalidraw-plugin: parsed\n---\n# Drawing\n```{block}\n{drawing}\n```\n%%".encode()
    )


def svg(
    body=None, head='width="595.275591pt" height="841.889764pt" viewBox="0 0 595.275591 841.889764"'
):
    """Return a drawing as Inkscape might have it: groups, classes, styles, and moved parts."""
    if body is None:
        body = (
            "<style>.pen{fill:none;stroke:rgb(20%,20%,80%)}</style><defs><path d='M0 0h9'/></defs>"
            '<path style="fill:white" d="M0 0H595.275591V841.889764H0z"/>'
            '<path style="fill:none;stroke:blue" d="M0 80H595.275591M0 104H595.275591"/>'
            '<g transform="translate(100,100) scale(2)" class="pen" stroke-width=".705">'
            '<path d="m0 0l5 10 5-10"/></g>'
            f'<polyline class="pen" stroke-width="1.41" points="{pairs(PEN[1])}"/><g fill="none">'
            f'<path stroke="#ff0" stroke-opacity=".47" stroke-width="9" d="M{pairs(MARKER)}"/>'
            f'<line stroke="red" x1="{LINE[0][0]}" y1="140" x2="150" y2="140"/></g>'
            '<text x="300" y="62" font-size="12">typed <tspan>&amp; plain</tspan></text>'
            '<image width="9" height="9"/><use href="#a"/><path d="M1 1h5v5z"/>'
        )
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}>{body}</svg>'.encode()


def inkml(traces=None):
    """Return a page as OneNote has it: contexts with and without pressure, brushes, and groups."""

    def context(name, *channels):
        listed = "".join(f'<channel name="{c}" type="integer" units="himetric"/>' for c in channels)
        form = f"<inkSource><traceFormat>{listed}</traceFormat></inkSource>"
        return f'<context xml:id="{name}">{form}</context>'

    def brush(name, colour, kind):
        values = {"width": "50", "color": colour, "rasterOp": kind}
        listed = "".join(
            f'<brushProperty name="{k}" value="{v}" units="himetric"/>' for k, v in values.items()
        )
        return f'<brush xml:id="{name}">{listed}</brush>'

    himetric = 2540 / 72
    a, b, c = ([(round(x * himetric), round(y * himetric)) for x, y in p] for p in (*PEN, MARKER))
    swapped = ", ".join(f"{y} 7 {x}" for x, y in b)
    if traces is None:
        traces = (
            f'<traceGroup contextRef="#plain" brushRef="#blue"><trace>{pairs(a[:2], ", ")}</trace>'
            f'<trace continuation="end">{pairs(a[2:])}</trace><trace type="penUp">0 0, 9 9</trace>'
            f'<traceGroup><trace contextRef="#pressure">{swapped}</trace></traceGroup></traceGroup>'
            f'<trace contextRef="#plain" brushRef="#marker">{pairs(c, ", ")}</trace>'
        )
    defined = context("plain", "X", "Y") + context("pressure", "Y", "F", "X")
    defined += brush("blue", "#3333CC", "copyPen") + brush("marker", "#FFFF00", "maskPen")
    return f'<ink xmlns="http://www.w3.org/2003/InkML"><definitions>{defined}</definitions>{traces}</ink>'.encode()


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


def rm(*more, text=TYPED):
    """Return a page of a reMarkable by the library rmscene, which writes such as well."""
    import rmscene

    lines = [rm_line(20, PEN[0]), rm_line(21, PEN[1]), rm_line(22, MARKER, 18, 3), rm_line(23, [])]
    written = io.BytesIO()
    rmscene.write_blocks(written, [*rmscene.simple_text_document(text), *(more or lines)])
    return written.getvalue()


def old_rm():
    """Return a page of a reMarkable with older software: two layers of strokes."""

    def stroke(tool, points):
        values = (v for x, y in points for v in (x * 226 / 72, y * 226 / 72, 0, 0, 4.5, 1))
        head = struct.pack("<3I2fI", tool, 0, 0, 2.0, 0.0, len(points))
        return head + struct.pack(f"<{6 * len(points)}f", *values)

    layers = [[stroke(17, PEN[0])], [stroke(17, PEN[1]), stroke(18, MARKER)]]
    content = b"reMarkable .lines file, version=5          " + struct.pack("<I", len(layers))
    return content + b"".join(struct.pack("<I", len(one)) + b"".join(one) for one in layers)


def zipped_xopp():
    """Return a note as newer Xournal++ packs it, its first image beside the text."""
    file = io.BytesIO()
    text = xopp(pack=False).replace(b">aGVsbG8=</image>", b'><attachment path="a.png"/></image>')
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("content.xml", text)
        archive.writestr("a.png", b"hello")
    return file.getvalue()


def rnote():
    """Return a drawing of Rnote, as it packs one."""

    def element(x, y):
        return {"pos": [x * 96 / 72, y * 96 / 72], "pressure": 0.5}

    def stroke(points, colour, width):
        path = {"start": element(*points[0])}
        path["segments"] = [{"lineto": {"end": element(*point)}} for point in points[1:]]
        look = dict(zip("rgba", (*(part / 255 for part in bytes.fromhex(colour)), 1), strict=True))
        style = {"stroke_width": 2 * width * 96 / 72, "stroke_color": look}
        return {"brushstroke": {"path": path, "style": {"smooth": style}}}

    text = {"text": TYPED, "transform": {"affine": [1, 0, 0, 0, 1, 0, 400, 66, 1]}}
    text["text_style"] = {"font_size": 16, "color": {"r": 0, "g": 0, "b": 0, "a": 1}}
    strokes = [None, *(stroke(points, "3333cc", 0.705) for points in PEN)]
    strokes += [stroke(MARKER, "ffff00", 4), {"textstroke": text}, {"bitmapimage": {}}]
    layers = [{"user_layer": 0}] * 3 + ["highlighter", {"user_layer": 0}, "image"]
    times = [{"value": {"t": n, "layer": layer}} for n, layer in enumerate(layers)]
    white = {"r": 1, "g": 1, "b": 1, "a": 1}
    form = {"width": 793.7, "height": 1122, "dpi": 96}
    snapshot = {"document": {"format": form, "background": {"color": white}}}
    snapshot |= {"stroke_components": [{"value": one} for one in strokes]}
    snapshot |= {"chrono_components": times}
    data = {"version": "0.9.0", "data": {"engine_snapshot": snapshot}}
    return gzip.compress(json.dumps(data).encode())


def write_document():
    """Return a document of the program Write: a page with strokes as outlines, and another."""

    def outline(points):
        corners = [(x, y - 0.75) for x, y in points] + [(x, y + 0.75) for x, y in points[::-1]]
        return f'<path class="write-flat-pen" fill="#3333cc" d="M{pairs(corners)}z"/>'

    ruling = '<g class="ruleline" fill="none" stroke="#0000ff"><path d="M0 40L600 40"/></g>'
    rectangle = '<rect class="pagerect" fill="#fffff0" width="600" height="800"/>'
    page = '<svg x="10" y="{}" width="600px" height="800px"><g>{}</g></svg>'
    body = "".join(map(outline, PEN))
    pages = page.format(10, ruling + rectangle + body) + page.format(820, outline(MARKER))
    return f'<svg id="write-document" xmlns="http://www.w3.org/2000/svg">{pages}</svg>'.encode()


COMPRESSED = (
    "N4IgLgngDgpiBcIYA8DGBDANgSwCYCd0B3EAGiUxgFsYA7MAZwQG1RJYEQAzfGGA4mRDIEARnIQEAJnJQA9tnpN4"
    "zZgAZSagLqlmAZlIAWHcwCcpU1p0gGYfHIDWMAMJzMc/JwDEe33tSoIAC+pGzQcIhgKGBCIvAArBIIAGzkXHL0AM"
    "rYAF4RAOzkUcgxiICCgADPuIBegMFaQUA==="
)
"""A drawing of a stroke and a text, compressed by the library LZ-String for Python."""
