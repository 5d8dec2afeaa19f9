"""Small files that would fill the memory or take hours: each ends in time, with a line or without.

A file is drawn from a table: a format, a place in it, and what is put there a million times.
"""

import gzip
import math
import random
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.campaign import use
from tests.campaign.damage import MEBIBYTE, check_answer, damaged, peak, seconds
from tests.campaign.frame import Family, Process, demand, once
from tests.data_loader import ink_formats
from tests.notes import note_files

SECONDS, MEMORY = 20.0, 2048 * MEBIBYTE
"""What a program may take for a file: processor time, and memory in bytes."""
COUNTS = (30, 1_000, 30_000, 1_000_000)
TRIAL_SECONDS = 300.0  # of the clock
MAX_BYTES = 70 * MEBIBYTE
"""Of a file that is drawn: more than any format accepts."""


@dataclass(frozen=True)
class Format:
    """Files of a format.

    Attributes:
        name: of the file.
        make: returns a sound file.
        parts: what may be repeated; a pair is nested, its second part closes the first.
        places: each followed in the file by what is repeated.
    """

    name: str
    make: Callable[[], bytes]
    parts: tuple[bytes | tuple[bytes, bytes], ...]
    places: tuple[bytes, ...]


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
    Format("a.md", note_files.obsidian, (*JSON, b"```json\n", b"`"), (
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
        before, found, after = content.partition(place)
        content = before + found + middle + after
    if rng.random() < 0.2:
        content = damaged(rng, content)
    return content[:MAX_BYTES]


def hostile_file(rng: random.Random, folder: Path) -> None:
    """A file ends within `SECONDS` and `MEMORY`, with status 0 or 2 and without a traceback."""
    form = rng.choice(FORMATS)
    content = hostile(rng, form)
    use.give()
    file = folder / form.name
    if form.name == "a.xml" and rng.random() < 0.5:
        file, content = folder / "a.xopp", gzip.compress(content, 1)
    file.write_bytes(content)
    (folder / "a").mkdir()
    (folder / "a" / "p.rm").write_bytes(note_files.rm())
    shutil.copy(file, folder / "b.config")
    reads = rng.random() < 0.5 and form.name not in ("a.md", "a.rm", "a.content", "a.excalidraw")
    words = ["experiments.py", "read" if reads else "notes", "-r", "reader.pth", "-d", "cpu", file]
    words += ["--output", "out"] if reads or rng.random() < 0.3 else []
    if form.name == "a.config":
        words = ["train.py", "-c", file, "--prepare", "-d", "cpu"]
    spent = seconds(resource.RUSAGE_CHILDREN)
    # Kernels are compiled once for all trials, which would take most of the time.
    cache, _ = once("cache of hostile files", lambda: None)
    process = Process(words, hook=limit, environment={"XDG_CACHE_HOME": str(cache)})
    done = process.wait(TRIAL_SECONDS)
    spent = seconds(resource.RUSAGE_CHILDREN) - spent
    most = peak(resource.RUSAGE_CHILDREN)
    check_answer(done)
    demand(spent < SECONDS, f"{spent:.1f} s for {form.name} of {len(content):,} bytes")
    demand(most < MEMORY, f"{most:,} bytes of memory for {form.name} of {len(content):,} bytes")


def limit() -> None:
    """End this process when it has had `SECONDS`; the clock may be late on a busy machine."""
    end = math.ceil(seconds() + SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (end, end))


FAMILIES = [Family("hostile files", 500, hostile_file, 2 * TRIAL_SECONDS)]
