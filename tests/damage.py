"""Random damage to bytes, and hostile files of ink, notes and configs.

A hostile file is drawn from a table: a format, a place, and what is put there a million times.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.data_loader import ink_formats
from tests.ink.formats import note_files

COUNTS = (30, 1_000, 30_000, 1_000_000)
MAX_BYTES = 70 << 20  # of a file that is drawn: more than any format accepts


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with one thing wrong: cut, flipped, lacking, doubled, put in, moved."""
    start = rng.randrange(len(content) + 1)
    stop = min(len(content), start + rng.choice((1, 2, 8, 100, 10_000)))
    before = content[:start]
    part = content[start:stop]
    after = content[stop:]
    match rng.randrange(7):
        case 0:
            return before
        case 1:
            flipped = bytearray(content)
            for _ in range(rng.choice((1, 1, 3, 30)) if content else 0):
                flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            return bytes(flipped)
        case 2:
            return before + after
        case 3:
            return before + part + part * rng.choice((1, 2, 50)) + after
        case 4:
            return before + rng.randbytes(rng.choice((1, 4, 64))) + part + after
        case 5:
            return before + bytes(len(part)) + after
    rest = before + after
    place = rng.randrange(len(rest) + 1)
    return rest[:place] + part + rest[place:]


class Format(NamedTuple):
    """Files of a format."""

    name: str  # of the file
    make: Callable[[], bytes]  # a sound one
    parts: tuple[bytes | tuple[bytes, bytes], ...]  # repeated; a pair is nested, opened and closed
    places: tuple[bytes, ...]  # each followed in the file by what is repeated


XML = (b" ", b"<!--", b"<a/>", b"&amp;", b"\n", (b"<a>", b"</a>"), b"\x1b[31m")
JSON = (b"[1,2],", b"k", (b"[", b"]"), (b'{"a":', b"}"), b'"\\u001b",', b"1", b"\n", b"9.5,")
FORMATS = (
    Format("a.inkml", note_files.inkml, (
        *XML, b"1 2,", b"7", b'"', (b'<context xml:id="c"><traceFormat/>', b"</context>"),
        b"<trace>1 2, 3 4</trace>", b'<channel name="X"/>', (b"<traceGroup>", b"</traceGroup>"),
    ), (b"<definitions>", b"</definitions>", b"<trace>", b"<traceFormat>", b'value="')),
    Format("a.svg", note_files.svg, (
        *XML, b".a", b"a{", b"a(", b"9", b"c1 2 3 4 5 6", b"<path stroke='red' d='M1 1h9'/>",
        (b"<g class='pen'>", b"</g>"), b"translate(1)", b"1e5 ",
    ), (b"<style>", b"</style>", b'transform="', b'd="', b'width="', b'class="', b"<defs>")),
    Format("a.xml", lambda: note_files.xopp(pack=False), (
        *XML, b"1 2 ", b"9", b'<stroke tool="pen" color="red" width="1">1 2 3 9</stroke>',
        b'<text size="9" x="1" y="1">a b\n</text>', b"a b\n", b'<page width="9" height="9"/>',
        (b"<layer>", b"</layer>"),
    ), (b"<layer>", b"</layer>", b"</page>", b'width="1.41 1.2 0.9">', b'y="50" color="#000000ff">',
        b'color="')),
    Format("a.excalidraw", note_files.excalidraw, (*JSON, b'{"type":"text","text":"a b"},'), (
        b'"elements": [', b'"points": [', b'"strokeColor": "', b'"text": "', b"{", b'"',
    )),
    Format("a.md", lambda: note_files.file("page.md"), (*JSON, b"```json\n", b"`"), (
        b"```json", b"---\n", b'"points": [',
    )),
    Format("a.rm", note_files.rm, (b"\0", b"\xff", b"\x80\x01"), (b"version=6          ", b"\x1f")),
    Format("a.content", lambda: b'{"cPages": {"pages": [{"id": "p"}]}}', (
        *JSON, b'{"id": "p"},', b"p",
    ), (b'"pages": [', b'"id": "', b"{")),
    Format("a.json", ink_formats.own, (*JSON, b'{"strokes": [[[1,2],[3,4]]]},'), (
        b"[", b'"strokes": [', b'"text": "', b'{"',
    )),
    Format("b.xml", ink_formats.iam, (
        *XML, b'<Point x="1" y="2" time="3"/>', (b"<Stroke>", b"</Stroke>"), b"1",
    ), (b"<StrokeSet>\n", b"<WhiteboardCaptureSession>", b'x="')),
    Format("a.unp", ink_formats.unipen, (
        b"1 2\n", b" ", b".A\n", b".PEN_DOWN\n1 2\n.PEN_UP\n", b'.SEGMENT A 0-1 ? "a"\n', b"1",
        b'"', b"\\", b"0-1,",
    ), (b".PEN_DOWN\n", b".SEGMENT DIGIT ", b'"', b".PEN_UP\n")),
    Format("a-inputdata.txt", ink_formats.mnist, (b"1 1 0 0\n", b"1", b" ", b"\n"), (b"\n", b" ")),
    Format("a.npy", ink_formats.arrays, (b"(", b"h\0", b"\0", b"]", b" "), (b"}", b"(", b"R")),
    Format("a.config", lambda: b'{"name": "a", "base": ["a.config", "b.config"], "metrics": []}', (
        *JSON, b'"b.config",', b"./", b'{"type":"SSE"},',
    ), (b'"base": [', b'"name": "', b'"metrics": [', b"{", b'{"')),
)  # fmt: skip


def hostile(rng: random.Random, form: Format) -> bytes:
    """Return a file in which a part stands many times, in one or two places, or nested."""
    content = form.make()
    for _ in range(rng.choice((1, 1, 2))):
        place, part = rng.choice(form.places), rng.choice(form.parts)
        opening, closing = part if isinstance(part, tuple) else (part, b"")
        most = max(1, MAX_BYTES // (len(opening) + len(closing)))
        count = min(rng.choice(COUNTS), most)
        middle = opening * count + closing * count
        if rng.random() < 0.2:
            middle = damaged(rng, middle)
        before, place, after = content.partition(place)
        content = before + place + middle + after
    if rng.random() < 0.2:
        content = damaged(rng, content)
    return content[:MAX_BYTES]
