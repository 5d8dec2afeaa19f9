"""Untrusted configs and files of ink and notes: used, or refused with a message; nothing else is
written, with little memory, soon.

A hostile file is drawn from a table: a format, a place, and what is put there a million times.
"""

import gzip
import json
import math
import random
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from base.config.values import read_config
from parse_config import plan_from_file, try_constructors
from tests.data_loader import ink_formats
from tests.faults.damage import damaged, spoil
from tests.faults.promises import no_traceback
from tests.faults.runs import give_networks
from tests.faults.trials import ROOT, Done, Program, Task
from tests.notes import note_files
from utils.checks import ConfigError

MEBIBYTE = 1 << 20
CLOCK_SECONDS = 300.0
MAX_LINES, MAX_CHARACTERS = 25, 2000  # of a message: what one screen shows
COUNTS = (30, 1_000, 30_000, 1_000_000)
MAX_BYTES = 70 * MEBIBYTE  # of a file that is drawn: more than any format accepts
DIVERGED = ("error: the run ends after epoch", " steps in a row had a loss or gradient")
CONFIGS = sorted((ROOT / "configs").glob("*.json"))
BLOCKS = ("arch", "data_loader", "optimizer", "lr_scheduler", "loss", "metrics", "trainer")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252")
WHOLE_FILE = ("not UTF-8", "larger than", "nested", "a string holds", "Exceeds the limit")


class Limits(NamedTuple):
    """What a program may take, and where it may write files: none if it refuses its input."""

    seconds: float = 20.0  # of processor time
    memory: int = 2048 * MEBIBYTE
    written: str | tuple[str, ...] = ()


def files_in(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder, by path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def used(who: int = resource.RUSAGE_CHILDREN) -> tuple[float, int]:
    """Return what the programs that have ended took: processor time, which others that keep the
    machine busy do not lengthen, and the most bytes of memory."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def met(task: Task, rng: random.Random) -> Done:
    """Run a program on what lies there, within its limits."""
    limits, before, (spent, _) = task.whole, files_in(Path()), used()

    def limit() -> None:  # The clock may be late on a busy machine.
        end = math.ceil(used(resource.RUSAGE_SELF)[0] + limits.seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (end, end))

    done = Program(task.words, limit).wait(CLOCK_SECONDS)
    seconds, memory = used()
    assert seconds - spent < limits.seconds, f"{seconds - spent:.1f} s of processor time"
    assert memory < limits.memory, f"{(memory - limits.memory) / MEBIBYTE:.0f} MiB too much"
    after = files_in(Path())
    new = after.keys() - before.keys()
    allowed = () if done.status == 2 else limits.written
    assert all(name.startswith(allowed) for name in new), f"written: {sorted(new)}"
    assert after | before == after, "files were changed that were there before"
    return done


def answered(task: Task, done: Done) -> None:
    """It did what it was asked for, or said why not, on a screen.

    A training may end with 1 as well, if it diverged and says so: numbers that are all in order
    can make a network that is not.
    """
    no_traceback(task, done)
    status, output = done
    diverged = status == 1 and any(words in output for words in DIVERGED)
    assert status in (0, 2) or diverged, f"exit status {status}: {output[-300:].strip()!a}"
    said = output[output.rfind("error: ") :] if "error: " in output else ""
    assert said or not status, f"status {status} without an error: {output[-300:].strip()!a}"
    fits = not status or (said.count("\n") <= MAX_LINES and len(said) <= MAX_CHARACTERS)
    assert fits, f"a message of {len(said)} characters: {said[:300]!a}"


# Configs.


def broken_values(rng: random.Random) -> Any:
    """Return a ready config with one to three things wrong in it."""
    config, _ = read_config(rng.choice(CONFIGS))
    if rng.random() < 0.15:  # a block of another one
        other, _ = read_config(rng.choice(CONFIGS))
        name = rng.choice(BLOCKS)
        config[rng.choice((name, name, rng.choice(BLOCKS)))] = other[name]
        if rng.random() < 0.5:
            return config
    for _ in range(rng.choice((1, 1, 2, 3))):
        spoil(rng, config)
    return config


def as_json(rng: random.Random, config: Any) -> bytes:
    """Return a config as a file, which may be none that JSON, or UTF-8, knows."""
    indent = rng.choice((None, 2, 4))
    text = json.dumps(config, indent=indent, ensure_ascii=rng.random() < 0.5, skipkeys=True)
    match kind := rng.randrange(12):
        case 0:
            return damaged(rng, text.encode("utf-8", "surrogatepass"))
        case 1 if isinstance(config, dict):  # a key that stands twice
            text = f"{{{json.dumps(rng.choice([*config, 'x']))}: 0, {text[1:]}"
        case 2:
            commas = text.replace("}", ",}")
            text = rng.choice((f"// a comment\n{text}", f"{text},", f"{text}{text}", commas))
        case 3:
            text = text.replace('"', "'")
        case 4:
            depth = rng.choice((20, 2000, 200_000))
            text = '{"name": ' + "[" * depth + "]" * depth + "}"
    encoding = rng.choice(ENCODINGS) if kind > 4 else "utf-8"
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def broken_config(rng: random.Random) -> Task:
    """A config of the project is read that was changed in one to three places or in its text."""
    Path("config.json").write_bytes(as_json(rng, broken_values(rng)))
    return Task((), before=files_in(Path()))


def parsed(task: Task, rng: random.Random) -> Done:
    """Read it: a ConfigError names a key, or the file that is none; or it can be built."""
    done = Done(0, "")
    try:
        try_constructors(plan_from_file(Path("config.json")))
    except ConfigError as error:
        done = Done(2, f"error: {error}")
        named = all(fault.key or fault.expected.startswith(WHOLE_FILE) for fault in error.faults)
        assert named, f"no key in {str(error)[:200]!a}"
    assert files_in(Path()) == task.before, f"written: {sorted(files_in(Path()))}"
    return done


# Files of ink and notes.


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
    Format("a.config", lambda: b'{"name": "a", "base": "a.config", "metrics": []}', (
        *JSON, b"./", b'{"type":"SSE"},',
    ), (b'"base": ', b'"name": "', b'"metrics": [', b"{", b'{"')),
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


def hostile_file(rng: random.Random) -> Task:
    """A command reads a hostile file."""
    form = rng.choice(FORMATS)
    content = hostile(rng, form)
    give_networks()
    name = form.name
    if name == "a.xml" and rng.random() < 0.5:
        name, content = "a.xopp", gzip.compress(content, 1)
    Path(name).write_bytes(content)
    Path("a").mkdir()
    Path("a/p.rm").write_bytes(note_files.rm())
    shutil.copy(name, "b.config")
    reads = rng.random() < 0.5 and form.name not in ("a.md", "a.rm", "a.content", "a.excalidraw")
    command = "read" if reads else "notes"
    words = ["experiments.py", command, "-r", "reader.pth", "-d", "cpu", name]
    words += ["--output", "out"] if reads or rng.random() < 0.3 else []
    if form.name == "a.config":
        words = ["train.py", "-c", name, "--prepare", "-d", "cpu"]
    return Task(words, Limits(written="out/"))
