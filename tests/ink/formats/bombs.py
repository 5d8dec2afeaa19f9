"""Files that are small, or soon made, and would fill the memory or take hours: a line each."""

import gzip
import io
import lzma
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable

import numpy as np

from ink.formats.files import MEBIBYTE
from tests.data_loader import ink_formats

MEMORY, SECONDS = 2 * 10**9, 30.0
"""What reading may take: bytes, and processor time."""

Files = dict[str, bytes]
BOMBS: dict[str, Callable[[], Files]] = {}
"""What makes the files of a folder, by what is wrong with them."""


def bomb(make: Callable[[], Files]) -> Callable[[], Files]:
    BOMBS[make.__name__.replace("_", " ")] = make
    return make


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def member(name: str, content: bytes) -> bytes:
    """Return a member of a tar archive."""
    return header(name, len(content)) + content + bytes(-len(content) % 512)


def zipped(*parts: bytes) -> bytes:
    """Return a file that unpacks to all parts, each packed by itself."""
    return b"".join(gzip.compress(part, 1) for part in parts)


def record(key: str, value: str) -> bytes:
    """Return a record of an extended header of a tar archive."""
    rest = f" {key}={value}\n"
    size = len(rest) + len(str(len(rest) + len(str(len(rest)))))
    return f"{size}{rest}".encode()


@bomb
def digits_that_no_row_ends() -> Files:
    rows = zipped(b"1 1 0 0\n" * 7_499_968)
    names = (f"sequences/trainimg-{n}-inputdata.txt" for n in range(20))
    return {"sequences.tar.gz": b"".join(zipped(header(name, 59_999_744)) + rows for name in names)}


@bomb
def an_archive_of_zeros() -> Files:
    end = zipped(bytes(64 * MEBIBYTE)) * 20
    return {"a.tar.gz": zipped(member("trainimg-1-inputdata.txt", ink_formats.mnist())) + end}


@bomb
def an_extended_sparse_file() -> Files:
    named = {"name": "trainimg-1-inputdata.txt", "major": "1", "minor": "0", "realsize": "9"}
    records = b"".join(record(f"GNU.sparse.{key}", named[key]) for key in named)
    head = header("x", len(records), tarfile.XHDTYPE) + records.ljust(512, b"\0")
    start = zipped(head + header("x", 512) + b"999999999\n")
    return {"a.tar.gz": start + zipped(b"1\n" * (32 * MEBIBYTE)) * 16}


@bomb
def headers_of_headers() -> Files:
    long = header("x", 5, tarfile.GNUTYPE_LONGNAME) + b"abcd".ljust(512, b"\0")
    return {"a.tar": long * 5000 + bytes(1024)}


@bomb
def a_dictionary_of_a_gibibyte() -> Files:
    content = header("data/7/a/b", 1 << 20) + b".VERSION 1\n".ljust(MEBIBYTE)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    return {"a.tar.xz": lzma.compress(content, filters=filters)}


@bomb
def files_that_include_each_other() -> Files:
    comment = ".COMMENT \U0001f600".encode() + b" x" * (7 * MEBIBYTE) + b"\n" * 487
    first = zipped(member("data/7/a/b", b".INCLUDE 10\n" + ink_formats.unipen()))
    size, packed = 12 + len(comment), zipped(comment)
    start = (header(f"include/{n}", size) + b".INCLUDE %02d\n" % (n + 1) for n in range(10, 50))
    return {"u.tar.gz": first + b"".join(zipped(part) + packed for part in start)}


def said(body: str, *before: str) -> Files:
    return {"a.inkml": f"{''.join(before)}<ink>{body}</ink>".encode()}


SAID = '<annotation type="truth">a</annotation>'
VIEW = '<traceView traceDataRef="#t"/>'


@bomb
def entities_of_entities() -> Files:
    entities = (f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return said("<trace>&e9;</trace>", '<!DOCTYPE ink [<!ENTITY e0 "1 2,">', *entities, "]>")


@bomb
def annotations_for_every_group() -> Files:
    group = f"<traceGroup>{SAID}<trace>1 1</trace></traceGroup>"
    return said("<annotation/>" * 100_000 + group * 20_000)


@bomb
def a_long_transcription() -> Files:
    accents = "a" + "\u0301\u0323" * 3_000_000  # slow to compose
    return said(f'<annotation type="truth">{accents}</annotation><trace>1 1,2 2</trace>')


@bomb
def strokes_in_strokes() -> Files:
    points = '<Point x="1" y="1" time="1"/>' * 90_000
    body = f"{'<Stroke>' * 90_000}{points}{'</Stroke>' * 90_000}"
    return {"a.xml": f"<WhiteboardCaptureSession>{body}</WhiteboardCaptureSession>".encode()}


def pickled(steps: bytes) -> Files:
    array = io.BytesIO()
    described = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    np.lib.format.write_array_header_1_0(array, described)
    return {"a.npy": array.getvalue() + b"\x80\x02" + steps}


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
DOUBLED = b"K\x01q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
"""A pair of pairs of pairs: 2^60 in all, the last of which is number 60."""


def array_of(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    """Return the steps that make an array."""
    kind = b"cnumpy\ndtype\n(%sK\x00K\x01tR(K\x03U\x01<NNNK\x00K\x00K\x00tb" % dtype
    return ARRAY + b"(K\x01" + shape + kind + b"\x89" + data + b"tb"


def list_of(size: int, steps: bytes) -> Files:
    """Return the file of an object array of that size, filled by the steps."""
    shape = b"(J" + struct.pack("<i", size) + b"t"
    return pickled(DOUBLED + array_of(shape, b"U\x02O8", b"](" + steps + b"e") + b".")


def text_of(content: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(content)) + content


@bomb
def arrays_of_nothing() -> Files:
    none = ink_formats.saved(np.zeros((3, 0, 3)))
    return {"a.npy": none.replace(b"(3, 0, 3), }" + b" " * 11, b"(99999999999, 0, 3), } ")}


BOMBS |= {
    "annotations in annotations": lambda: said(
        "<traceGroup><annotation>" * 90_000 + "</annotation></traceGroup>" * 90_000
    ),
    "a number that is none at its end": lambda: said(f"<trace>{'1' * 50_000}x</trace>"),
    "points that are long texts": lambda: {
        "a.json": b'{"strokes": [["%s"%s]]}' % (b"x" * 10_000_000, b', ""' * 1000)
    },
    "a pickle of a huge bytearray": lambda: pickled(b"\x96" + struct.pack("<Q", 12 << 30) + b"."),
    "a shape of pairs of pairs": lambda: list_of(
        1, array_of(b"h\x3c", b"U\x02f4", text_of(b"1234"))
    ),
    "a dtype of pairs of pairs": lambda: list_of(
        1, array_of(b"(K\x01K\x03t", b"h\x3c", text_of(b"1234"))
    ),
    "segments of a broken component": lambda: {
        "a.unp": b".PEN_DOWN\n1 x\n.PEN_UP\n" + b'.SEGMENT A 0 ? "a"\n' * 40_000
    },
}

READ = """
import resource, sys
from pathlib import Path
from ink.guard import children
from {module} import {function}
from utils.checks import UserError

def used():
    children.end_all()
    usages = [*map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
for place in sys.argv[2:]:
    start = used()
    try:
        said = f"{{len([*{function}(Path(place))])}} read"
    except UserError as error:
        said = str(error)
    print(f"{{used() - start:.1f}} {{said}}", flush=True)
"""


def check_bombs(module, function, places):
    """Read files by the names of their bombs in `MEMORY`: each ends in a line, and in time."""
    script = READ.format(module=module, function=function)
    words = [sys.executable, "-c", script, str(MEMORY), *map(str, places.values())]
    done = subprocess.run(words, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == len(places), done.stdout + done.stderr
    for name, line in zip(places, lines, strict=True):
        assert float(line.split()[0]) < SECONDS, f"{name}: {line}"
    return done
