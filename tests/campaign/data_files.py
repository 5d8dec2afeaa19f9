"""Files of ink with something wrong in them: a clear error, or ink that is sound."""

import gzip
import io
import json
import random
import re
import tarfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import data_loader
from data_loader import read_ink
from data_loader.sources.own_ink import OwnInk, json_lines
from data_loader.sources.parsing import FARTHEST
from tests.campaign import tiny
from tests.campaign.damage import (
    EXECUTED,
    MEBIBYTE,
    check_answer,
    check_message,
    damaged,
    files_in,
    peak,
    seconds,
    spoil,
)
from tests.campaign.frame import Failed, Family, demand, run
from tests.data_loader import ink_formats
from tests.data_loader.archives import pack_folders, put
from utils.checks import UserError

POINTS = 20_000
"""Of a sample at most, as the readers have it without an option."""

MEMORY, PER_BYTE, SECONDS = 96 * MEBIBYTE, 60, 5.0
"""What a file may take: bytes whatever its size is (the parts of numpy and expat that a forked
process touches first among them), bytes for each of its own, and processor time (assumed)."""

BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "1 2,">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise("abcdefghi"))
    + "]>\n"
)
"""Entities that would fill the memory."""

Strokes = list[list[tuple[int, int]]]


class MyInk(OwnInk):
    """Ink of one's own, as docs/data.md shows it."""

    file = Path("own.json")

    def lines(self) -> Any:
        yield from json_lines(self.file)


def broken(root: Path, form: str, content: bytes) -> tuple[Path, Any]:
    """Write a source of a format in which one file has that content; return it and its dataset."""
    files, bad, options = {}, "bad", {}
    if form == "IAM-OnDB":
        bad, line = ink_formats.iam_name("a01-000u", 2), ink_formats.iam()
        first = [(line, "one"), (content, "two"), (line, "three")]
        forms = {"a01-000u": ("trainset", first), "b02-105": ("testset_v", [(line, "x")])}
        files = ink_formats.iam_files(forms)
        options["splits"] = {"train": ["trainset"], "valid": ["testset_v"]}
    elif form == "InkML":
        bad = "bad.inkml"
        files = {f"{n}.inkml": ink_formats.inkml() for n in range(12)}
    elif form == "stroke arrays":
        files, bad = {"sentences.txt": b"one\n"}, "strokes.npy"
    elif form == "MNIST strokes":
        files = {f"trainimg-{n}-inputdata.txt": ink_formats.mnist() for n in range(12)}
        files |= {f"trainimg-{n}-targetdata.txt": ink_formats.target(n % 10) for n in range(12)}
        bad = "trainimg-3-inputdata.txt"
    elif form == "UNIPEN":
        files = {f"good-{n}": ink_formats.unipen("0123") for n in range(3)}
    else:
        bad = "own.json"
    put(root, files | {bad: content})
    if form == "own":
        MyInk.file = root / bad
        return MyInk.file, MyInk()
    return root / bad, getattr(data_loader, DATASETS[form])(root=str(root), **options)


DATASETS = {
    "IAM-OnDB": "IAMOnDBDataset",
    "InkML": "InkMLDataset",
    "stroke arrays": "StrokeArraysDataset",
    "MNIST strokes": "MNISTStrokesDataset",
    "UNIPEN": "UnipenDataset",
    "own": "MyInk",
}


def strokes(rng: random.Random) -> Strokes:
    """Return a few strokes of whole numbers."""
    return [
        [(rng.randrange(-500, 500), rng.randrange(-500, 500)) for _ in range(rng.randint(1, 12))]
        for _ in range(rng.randint(1, 5))
    ]


ODD = json.loads(Path(__file__).with_name("odd_text.json").read_text())
"""What is put in the place of a number, and anywhere."""
ENCODINGS = ("utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-7", "cp037")


def damaged_text(rng: random.Random, content: bytes) -> bytes:
    """Return the content of a text file with something wrong that its format knows."""
    text = content.decode("utf-8", "surrogateescape")
    kind = rng.choice(
        ("number", "number", "number", "part", "part", "piece", "word", "bomb", "code")
    )
    if kind == "number" and (numbers := list(re.finditer(r"[-+]?\d+(?:\.\d+)?", text))):
        found = rng.choice(numbers)
        text = text[: found.start()] + rng.choice(ODD["numbers"]) + text[found.end() :]
    elif kind == "part":  # lines and elements leave, change places, come twice, or come often
        parts = re.split(r"(?<=>)|(?<=\n)|(?<=,)", text)
        one, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        times = min(rng.choice((0, 1, 1, 2, 50, 20_000)), 10**8 // len(text))
        parts[one], parts[other] = parts[other], parts[one] * times
        text = "".join(parts)
    elif kind == "piece":
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice(ODD["pieces"]) * rng.choice((1, 1, 3, 3000)) + text[place:]
    elif kind == "word":
        words = re.findall(r"[A-Za-z]{2,}", text) or ["x"]
        old, new = rng.choice(words), rng.choice((*words, "", "x" * 100_000, "\u00e9", "UTF-16"))
        text = text.replace(old, new, rng.choice((1, -1)))
    elif kind == "bomb":
        body = text.split("?>\n", 1)[-1]
        text = BOMB + body.replace("1", "&i;", 1)
    elif kind == "code":
        return text.encode(rng.choice(ENCODINGS), "replace")
    return text.encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")


def damaged_json(rng: random.Random, content: bytes) -> bytes:
    """Return JSON whose values have something wrong."""
    values = json.loads(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if isinstance(values, dict | list) and values:
            spoil(rng, values)
    return json.dumps(values, skipkeys=True).encode()


DTYPES = ("f2", "f8", "i1", "i8", "u8", "?", ">f4", "c16", "U5", "S3", "O")


def odd_arrays(rng: random.Random, content: bytes) -> bytes:
    """Return stroke arrays with something wrong in their elements, pickle or header."""
    line = ink_formats.rows(strokes(rng))[:, [2, 0, 1]]
    spoilt = line.astype(np.float64)
    number = rng.choice((np.nan, np.inf, 1e38, 1e300, -1.0, 0.5, 2.0))
    spoilt[rng.randrange(len(line)), rng.randrange(3)] = number
    arrays = [spoilt, spoilt, line.astype(rng.choice(DTYPES)), line.T, line[None], line[:, :2]]
    arrays += [line[:1], line[:0], np.zeros((POINTS + 1, 3)), np.array(None)]
    kind = rng.randrange(4)
    if kind == 0:
        others = [line.tolist(), None, "x", 10**400, {"x": line}, EXECUTED]
        array = np.empty(rng.randint(1, 3), dtype=object)
        for place in range(len(array)):
            array[place] = rng.choice([*arrays, *others])
        return ink_formats.saved(array)
    if kind == 1:  # one array named many times
        return ink_formats.arrays([line] * rng.choice((3, 1000, 100_000)))
    if kind == 2:
        shape = rng.choice((b"(10**12,)", b"(999999999999,)", b"(-1,)", b"()", b"(3, 4)", b"None"))
        return re.sub(rb"\(\d+,\)", shape, content, count=1)
    return ink_formats.saved(rng.choice(arrays))


def odd_archive(rng: random.Random, files: dict[str, bytes]) -> bytes:
    """Return an archive of files with something wrong in its members, headers or stream."""
    stream = io.BytesIO()
    form = rng.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        chosen = rng.randrange(len(files))
        for number, (name, content) in enumerate(files.items()):
            info = tarfile.TarInfo(name)
            if number == chosen:
                content = _odd_member(rng, info, content)
            info.size = len(content)
            try:
                archive.addfile(info, io.BytesIO(content))
            except (ValueError, UnicodeError):  # a name that this form cannot hold
                info.name = "x"
                archive.addfile(info, io.BytesIO(content))
    content = stream.getvalue()
    kind = rng.randrange(8)
    if kind == 0:  # a header that lies, its sum right
        at = 512 * rng.randrange(min(4, len(content) // 512))
        header = bytearray(content[at : at + 512])
        size = rng.choice((b"77777777777\0", b"\x80" + b"\xff" * 11, b"-0000000001\0", b"x" * 12))
        header[124:136] = size
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        content = content[:at] + bytes(header) + content[at + 512 :]
    elif kind == 1:
        content = damaged(rng, content)
    elif kind == 2:
        content = content + bytes(rng.choice((1, 512, MEBIBYTE)))
    if rng.random() < 0.7:
        content = gzip.compress(content, 1)
        if kind == 3:
            content = damaged(rng, content)
        elif kind == 4:
            content += rng.choice(
                (gzip.compress(bytes(200 * MEBIBYTE), 1), b"\x00" * 100, b"not zipped", content)
            )
    return content


def _odd_member(rng: random.Random, info: tarfile.TarInfo, content: bytes) -> bytes:
    """Change the header of a member, and return its content."""
    kind = rng.randrange(5)
    if kind == 0:
        outside = ["../../", "/", "/tmp/", "C:/", "..\\..\\", "a/../../", "\x1b[31m/"]
        info.name = rng.choice([*outside, "x" * 300_000]) + info.name
    elif kind == 1:
        kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"S", b"Z")
        info.type, info.linkname = rng.choice((*kinds, tarfile.DIRTYPE)), "/etc/passwd"
        return b""
    elif kind == 2:
        return bytes(rng.choice((MEBIBYTE + 1, 100 * MEBIBYTE)))
    elif kind == 3:
        long = "x" * rng.choice((10, 100_000, 3 * MEBIBYTE))
        info.pax_headers = rng.choice(({"size": "9" * 30}, {"path": long}, {"a": long}))
    return damaged_text(rng, content)


def digits(rng: random.Random) -> dict[str, bytes]:
    """Return the files of MNIST stroke sequences."""
    count = rng.randint(1, 12)
    files = {f"s/trainimg-{n}-inputdata.txt": ink_formats.mnist(strokes(rng)) for n in range(count)}
    for number, name in enumerate(list(files)):
        target = ink_formats.target(number % 10, files[name].count(b"\n"))
        files[name.replace("input", "target")] = target
    return files


def file_of(rng: random.Random, form: str) -> bytes:
    """Return the content of a sound file of a format."""
    if form == "stroke arrays":
        return ink_formats.arrays([strokes(rng) for _ in range(rng.randint(1, 4))])
    if form == "UNIPEN":
        return ink_formats.unipen("0123456789"[: rng.randint(1, 10)], strokes(rng))
    if form == "own":
        return ink_formats.own([("hello", strokes(rng)) for _ in range(rng.randint(1, 3))])
    return getattr(ink_formats, form.lower().partition("-")[0].partition(" ")[0])(strokes(rng))


OWN_DAMAGE = {"stroke arrays": odd_arrays, "own": damaged_json}


def wrong(rng: random.Random, form: str) -> bytes:
    """Return the content of a file of a format with one to three things wrong in it."""
    content = file_of(rng, form)
    if (own := OWN_DAMAGE.get(form)) and rng.random() < 0.8:
        content = own(rng, content)
    for _ in range(rng.choice((0, 0, 1, 2)) if own else rng.choice((1, 1, 2, 3))):
        if content:
            content = (damaged if rng.random() < 0.35 else damaged_text)(rng, content)
    return content


def check_sound(ink: np.ndarray, text: str | None) -> None:
    """Raise Failed unless ink is finite and within bounds, and its text can be written down."""
    shape = f"ink {ink.dtype} of shape {ink.shape}"
    demand(ink.dtype == np.float32 and ink.ndim == 2 and ink.shape[1] in (3, 4), shape)
    demand(2 <= len(ink) <= POINTS, shape)
    demand(np.isfinite(ink).all(), "ink that is not finite")
    demand(np.abs(ink[:, :2]).max() <= FARTHEST, "offsets that are too long")
    demand(np.isin(ink[:, 2:], (0, 1)).all(), "an end of stroke that is neither 0 nor 1")
    if text is not None:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Failed(f"a text that is none: {text!a}") from None


def within_bounds(call: Callable[[], None], size: int) -> None:
    """Call what reads a file of `size` bytes, which may end in an error of the user's.

    Raises:
        Failed: if that is no message of a line, or it took too much memory or time.
    """
    memory, spent = peak(), seconds()
    try:
        call()
    except UserError as error:
        check_message(str(error))
        demand("\n" not in str(error), f"more than a line: {str(error)[:300]!a}")
    memory, spent = peak() - memory, seconds() - spent
    limit = MEMORY + PER_BYTE * size
    demand(memory <= limit, f"{memory >> 20} MiB of memory for {size >> 10} KiB")
    demand(spent <= SECONDS, f"{spent:.1f} s of processor time for {size >> 10} KiB")


def read(path: Path) -> None:
    """Read ink outside of a dataset."""
    for sample in read_ink(path):
        check_sound(sample.ink, sample.text)


def prepare(dataset: Any) -> None:
    """Read ink as a dataset, and look at every sample."""
    loaded = dataset.load()
    for sample in loaded.used:
        check_sound(sample.ink, sample.text)
    check_message(loaded.report.partition("\n")[0])


def check_nothing_written(folder: Path, before: set[str]) -> None:
    """Raise Failed if anything but a cache was written."""
    new = {name for name in set(files_in(folder)) - before if "/cache/" not in f"/{name}"}
    demand(not new, f"files were written: {sorted(new)}")
    demand(not (folder / "executed").exists(), "a pickle was executed")


def damaged_file(form: str, rng: random.Random, folder: Path) -> None:
    """One damaged file, read by itself and as one of a dataset's."""
    content = wrong(rng, form)
    file, dataset = broken(folder / "data", form, content)
    dataset.strict = rng.random() < 0.5
    before = set(files_in(folder))
    within_bounds(partial(read, file), len(content))
    within_bounds(partial(prepare, dataset), len(content))
    check_nothing_written(folder, before)


def damaged_archive(rng: random.Random, folder: Path) -> None:
    """An archive of MNIST stroke sequences, or one of the two of IAM-OnDB."""
    (folder / "data").mkdir()
    if rng.random() < 0.6:
        file = folder / "data" / "sequences.tar.gz"
        file.write_bytes(odd_archive(rng, digits(rng)))
        dataset = data_loader.MNISTStrokesDataset(root=str(folder / "data"))
        before = set(files_in(folder))
        within_bounds(partial(read, file), file.stat().st_size)
    else:
        forms = {
            form: (task, [(file_of(rng, "IAM-OnDB"), text) for text in ("one", "two")])
            for form, task in (("a01-000u", "trainset"), ("b02-105", "testset_v"))
        }
        files = ink_formats.iam_files(forms)
        pack_folders(folder / "data", files)
        bad = "lineStrokes" if rng.random() < 0.7 else "ascii"
        members = {name: files[name] for name in files if name.startswith(bad)}
        put(folder / "data", {f"{bad}-all.tar.gz": odd_archive(rng, members)})
        splits = {"train": ["trainset"], "valid": ["testset_v"]}
        dataset = data_loader.IAMOnDBDataset(root=str(folder / "data"), splits=splits)
        before = set(files_in(folder))
    dataset.strict = rng.random() < 0.5
    size = sum(path.stat().st_size for path in (folder / "data").iterdir() if path.is_file())
    within_bounds(partial(prepare, dataset), size)
    check_nothing_written(folder, before)


def damaged_file_in_the_script(rng: random.Random, folder: Path) -> None:
    """The same as the config's dataset: `--prepare` counts it, or says in a line what is wrong."""
    form = rng.choice(list(DATASETS))
    _, dataset = broken(folder / "data", form, wrong(rng, form))
    own = {} if form == "own" else {"root": "data", "strict": rng.random() < 0.5}
    if form == "IAM-OnDB":
        own["splits"] = dataset.splits
    described = {"type": type(dataset).__name__, "args": own}
    config = tiny.changed(tiny.CONFIG, {"data_loader.args.dataset": described})
    tiny.write(folder / "config.json", config)
    before = set(files_in(folder))

    def offer() -> None:
        data_loader.MyInk = MyInk
        data_loader.__all__.append("MyInk")

    words = ["train.py", "-c", "config.json", "--prepare", "-d", "cpu"]
    answer = run(words, hook=offer)
    check_answer(answer)
    check_nothing_written(folder, before)


FAMILIES = [
    *(
        Family(f"damaged files of {form}", 200, partial(damaged_file, form), 20.0)
        for form in DATASETS
    ),
    Family("damaged archives", 200, damaged_archive, 30.0),
    Family("damaged data in a run", 100, damaged_file_in_the_script, 30.0),
]
