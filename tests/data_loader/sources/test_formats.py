"""All formats of ink are told apart by content, read alike, and refused with a reason where they
are broken, hostile or empty. What only one of them has is in the tests of that one."""

import gzip
import json
import lzma
import random
import re
import tarfile
from functools import partial, reduce

import numpy as np
import pytest

from data_loader import (
    IAMOnDBDataset,
    InkMLDataset,
    MNISTStrokesDataset,
    StrokeArraysDataset,
    UnipenDataset,
)
from ink.formats.checks import MAX_JUMP
from ink.formats.files import MEBIBYTE
from ink.reading import read_ink
from tests.damage import damaged
from tests.data_loader import ink_formats
from tests.data_loader.archives import pack, pack_folders, put
from tests.data_loader.ink_formats import INK, STROKES, iam, inkml, mnist, rows, target, unipen
from utils.checks import DataError

# Sniffed and parsed.

SOUND = {
    "InkML": (inkml(), "hello"),
    "InkML with a byte order mark": (b"\xef\xbb\xbf" + inkml(), "hello"),
    "InkML in UTF-16": (inkml().decode().encode("utf-16"), "hello"),
    "IAM-OnDB": (iam(), ""),
    "MNIST": (mnist(), ""),
    "UNIPEN without segments": (b".VERSION 1.0\n" + unipen().split(b"\n", 1)[1], ""),
    "own": (json.dumps({"strokes": STROKES, "text": "hello"}).encode(), "hello"),
    "own without text": (b"\xef\xbb\xbf\n " + json.dumps({"strokes": STROKES}).encode(), ""),
}


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("name", ["sample", "sample.txt", "sample.npy"])
def test_the_format_is_recognised_by_the_content_whatever_the_name(tmp_path, kind, name):
    content, text = SOUND[kind]
    (tmp_path / name).write_bytes(content)
    (sample,) = read_ink(tmp_path / name)
    assert (sample.name, sample.text) == (name, text)
    assert sample.ink.tolist() == INK and sample.ink.dtype == np.float32


def test_samples_of_a_file_are_named_by_the_file_and_a_number(tmp_path):
    files = {
        "digits": unipen(["7", "", "2"]),
        "lines.npy": ink_formats.arrays([STROKES, STROKES]),
        "sentences.txt": "one\ntwo\n",
        "mine.json": ink_formats.own([("a", STROKES), ("b", STROKES), ("", STROKES)]),
    }
    expected = [(f"digits:0000{n}", INK, text) for n, text in enumerate(("7", "", "2"))]
    expected += [(f"lines.npy:line-0000{n}", INK, text) for n, text in enumerate(("one", "two"))]
    expected += [(f"mine.json:0000{n}", INK, text) for n, text in enumerate(("a", "b", ""))]
    samples = read_ink(put(tmp_path, files))
    assert [(sample.name, sample.ink.tolist(), sample.text) for sample in samples] == expected
    (tmp_path / "sentences.txt").unlink()
    assert [sample.text for sample in read_ink(tmp_path / "lines.npy")] == ["", ""]


# Broken.

MAKE = {
    "InkML": inkml,
    "IAM-OnDB": lambda strokes, text: iam(strokes),
    "MNIST": lambda strokes, text: mnist(strokes),
    "UNIPEN": lambda strokes, text: unipen([text], strokes),
    "stroke arrays": lambda strokes, text: ink_formats.arrays([strokes]),
    "own": lambda strokes, text: ink_formats.own([(text, strokes)]),
}
TEXTS, NUMBERS = ("InkML", "UNIPEN", "own"), ("InkML", "UNIPEN", "stroke arrays")
FAULTS = {
    "far": (MAKE, [[(10, 20), (10**12, 24)]], "a", r"an offset longer than 1e\+09"),
    "dot": (MAKE, [[(10, 20)]], "a", "a single point"),
    "points": (MAKE, [[(n % 3, 0) for n in range(20_001)]], "a", "more than 20,000 points"),
    "none": (("InkML", "IAM-OnDB", "own"), [], "a", "no points"),
    "nan": (NUMBERS, [[(1, 2), (float("nan"), 3)]], "a", "a non-number among the points"),
    "control": (TEXTS, STROKES, "a\x01", "(control characters in the tr|broken XML )"),
}


@pytest.mark.parametrize(
    ("form", "fault"), [(form, fault) for fault in FAULTS for form in FAULTS[fault][0]]
)
def test_fault_that_any_format_may_have_has_the_same_reason(tmp_path, form, fault):
    _, strokes, text, reason = FAULTS[fault]
    (tmp_path / "a").write_bytes(MAKE[form](strokes, text))
    with pytest.raises(DataError, match=rf"^{tmp_path}/a(:line-00000|:00000)?: {reason}"):
        read_ink(tmp_path / "a")


TOO_FAR = {
    "InkML": b"""<ink><definitions>
        <context id="a"><traceFormat><channel name="X" units="mm"/><channel name="Y"/></traceFormat>
        </context><context id="b"><traceFormat><channel name="X" units="in"/><channel name="Y"/>
        </traceFormat></context></definitions>
        <trace contextRef="#a">1 2, 3 4</trace>
        <trace contextRef="#b">1.7e308 2, 3 4</trace></ink>""",
    "UNIPEN": b".VERSION 1\n.X_POINTS_PER_INCH 1e-300\n.Y_POINTS_PER_INCH 1e300\n"
    b".PEN_DOWN\n0 1\n1 3",
}


@pytest.mark.parametrize("form", TOO_FAR)
@pytest.mark.filterwarnings("error::RuntimeWarning")  # of numpy
def test_points_that_are_too_far_in_their_unit_are_refused_without_a_warning(tmp_path, form):
    (tmp_path / "a").write_bytes(TOO_FAR[form])
    with pytest.raises(DataError, match="a non-number among the points"):
        read_ink(tmp_path / "a")


@pytest.mark.parametrize("period", [1e-300, 5e-324, 1e300])
@pytest.mark.filterwarnings("error::RuntimeWarning")  # of numpy
def test_times_of_any_size_give_missing_points_without_a_warning(tmp_path, period):
    times = [0, period, 2 * period, 3e300]
    points = [(n, n % 2, time) for n, time in enumerate(times)]
    (tmp_path / "a").write_bytes(inkml([points], formats=["XYT"]))
    (sample,) = read_ink(tmp_path / "a")
    assert sample.missing.tolist() == [0, 0, 0, 0 if period == 1e300 else 127]


def segments(count=30):
    """Return a file of UNIPEN as the UCI pen digits are: each segment before its components."""
    return '.LEXICON "0" "1"\n' + unipen([str(n % 10) for n in range(count)]).decode()


def changed(old, new):
    """Return such a file with something else in its second segment."""
    head, second, rest = segments().partition(".SEGMENT DIGIT 2-3")
    assert old in rest
    return head + second + rest.replace(old, new, 1)


def array(element):
    """Return stroke arrays of six lines, the second of which is an element."""
    lines = np.empty(6, dtype=object)
    lines[:] = [rows()[:, [2, 0, 1]]] * 6
    lines[1] = element
    return ink_formats.saved(lines)


LINE, ROWS = rows()[:, [2, 0, 1]], mnist().splitlines(keepends=True)
DIGITS = [f"{part}img-{n}" for part, count in (("train", 30), ("test", 9)) for n in range(count)]
SOURCES = {
    "IAM-OnDB": ink_formats.iam_files(
        {
            "a01-000u": ("trainset", [(iam(), text) for text in ("one", "two", "three")]),
            "b02-105": ("testset_v", [(iam(), "four")]),
        }
    ),
    "InkML": {f"{n}.inkml": inkml() for n in range(12)},
    "MNIST": {f"{name}-inputdata.txt": mnist() for name in DIGITS}
    | {f"{name}-targetdata.txt": target(int(name[-1])) for name in DIGITS},
    "UNIPEN": {"digits": segments()},
    "stroke arrays": {"strokes.npy": array(LINE), "sentences.txt": b"a\n" * 6},
}
DATASETS = {
    "IAM-OnDB": partial(IAMOnDBDataset, splits={"train": ["trainset"], "valid": ["testset_v"]}),
    "InkML": InkMLDataset,
    "MNIST": MNISTStrokesDataset,
    "UNIPEN": UnipenDataset,
    "stroke arrays": StrokeArraysDataset,
}
ODD = {  # by format the file, the name of its sample, and contents with the reasons
    "IAM-OnDB": (ink_formats.iam_name("a01-000u", 2), "a01-000u-02", [
        (iam()[:300], r"broken XML \(.*: line \d+, column \d+\)"),
        *(
            (iam([[(1, 2, 3), (x, 2, 4)]]), "a point without x and y as whole numbers and a time "
             rf"\(point 2 has '{x} 2 4'\)")
            for x in ("abc", "1_0", 1.5)
        ),
        (iam().replace(b'time="1.5"', b"", 1), "a point without x and y as .* and a time"),
        (iam([[(1, 2, 3), (2, 2, "9" * 400)]]), "a non-number"),
    ]),
    "InkML": ("bad.inkml", "bad.inkml", [
        (inkml()[:150], r"broken XML \(.*line 1, column"),
        (b"<svg/>", "another kind of XML .its outermost element is <svg>"),
        (inkml([[(1,), (2, 3)]]), "a point with other than 2 values .point 1 of trace 1"),
        (b"<ink><context><trace>1 2,3 4</trace></context></ink>", "no points"),
        (inkml([[(1, 2), (3, "x")]]), "a non-number .*point 2 of trace 1.*'x'"),
        (inkml([[("'1", 2), (3, 4)]]), "a difference without a previous point"),
        (inkml([[(1, 2), (3, "9" * 400)]]), "a non-number"),
        (inkml(formats=["XYT"]), r"a point with other than 3 values .point 1 of trace 1"),
        (inkml(formats=["XZ"]), "a traceFormat without the channels X and Y"),
        (inkml(formats=["XY", "YX"]), "several different traceFormats"),
    ]),
    "MNIST": ("trainimg-3-inputdata.txt", "trainimg-3", [
        (mnist()[:-7], "rows that are not equally many whole numbers .the n"),
        (b"".join(ROWS[:4]), "a digit cut short: no row ends it"),
        (b"1 1 2 0\n" + mnist(), "an end that is neither 0 nor 1"),
        (mnist() * 2, r"rows after the end .*it ends in row 5"),
    ]),
    "MNIST's targets": ("trainimg-3-targetdata.txt", "trainimg-3", [
        (b"0 " * 13 + b"0\n", "target data: a class that is not one of ten"),
        (target(3, 4) + target(4, 1), "target data: rows of different classes"),
        (mnist(), r"target data: rows without 14 columns"),
    ]),
    "UNIPEN": ("digits", "digits:00001", [
        (changed("13 -24\n", "13\n"), r"a point with other than 2 values \(line \d+ has 1"),
        (changed("13 -24\n", "13 2_4\n"), r"a non-number .*\(line \d+: '13 2_4'"),
        (changed('? "1"', "?"), "a segment without a label"),
        (changed('? "1"', 'BAD "1"'), "a segment that is marked as bad"),
        (changed(' "1"', ' "\x01"'), "control characters in the transcription"),
    ]),
    "stroke arrays": ("strokes.npy", "line-00001", [
        (array(LINE[:, :2]), r"an array that is not \(points, 3\) \(shape \(5, 2\)\)"),
        (array(LINE + 2), "an end of stroke that is not 0 or 1"),
        (array(None), r"not an array of numbers \(NoneType\)"),
        (array(np.array(["a"])), "values that are not numbers"),
        (array(np.array([1, None])), "not an array of numbers .list"),
    ]),
}  # fmt: skip
BROKEN = [(form, *odd) for form, (*_, contents) in ODD.items() for odd in contents]


@pytest.mark.parametrize(
    ("form", "content", "reason"), BROKEN, ids=[f"{form}: {reason}" for form, _, reason in BROKEN]
)
def test_a_broken_sample_is_left_out_by_name_or_refused_if_strict(tmp_path, form, content, reason):
    file, name, _ = ODD[form]
    form = form.partition("'")[0]
    files, make = SOURCES[form] | {file: content}, partial(DATASETS[form], root=str(tmp_path))
    pack_folders(tmp_path, files) if form == "IAM-OnDB" else put(tmp_path, files)
    with pytest.raises(DataError, match=f"^{name}: {reason}") as caught:
        make(strict=True).load()
    assert "\n" not in str(caught.value)
    loaded = make().load()
    assert name not in {sample.name for sample in loaded.used} and "1 left out: " in loaded.report
    whole = {"IAM-OnDB": 4, "InkML": 13, "MNIST": 39, "UNIPEN": 30, "stroke arrays": 6}
    assert len(loaded.used) == whole[form] - 1


# Hostile.


class OddArray:
    """Is pickled as an array of one number whose shape is a pair of pairs of pairs: 2^60 in all."""

    def __reduce__(self):
        make, arguments, (version, _, *rest) = np.zeros(1, "f4").__reduce__()
        return make, arguments, (version, reduce(lambda pair, _: (pair, pair), range(60), 1), *rest)


def header(name, size, kind=tarfile.REGTYPE):
    """Return the header of a member of a tar archive."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def zeros():
    """Return a packed archive of a digit, and zeros behind it."""
    digit = header("trainimg-1-inputdata.txt", len(mnist())) + mnist().ljust(512, b"\0")
    return gzip.compress(digit, 1) + gzip.compress(bytes(64 * MEBIBYTE), 1) * 20


def dictionary():
    """Return a packed archive that takes a gibibyte of memory to unpack."""
    content = header("data/7/a/b", MEBIBYTE) + b".VERSION 1\n".ljust(MEBIBYTE)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    return lzma.compress(content, filters=filters)


NAMES = (header("x", 5, tarfile.GNUTYPE_LONGNAME) + b"abcd".ljust(512, b"\0")) * 5000
NOTHING = ink_formats.saved(np.zeros((3, 0, 3)))
MANY_OF_NOTHING = NOTHING.replace(b"(3, 0, 3), }" + b" " * 10, b"(99999999999, 0, 3), }")
DEEP_HEADER = b"\x93NUMPY\1\0" + (9001).to_bytes(2, "little") + b"-" * 9000 + b"1"
ACCENTS = "a" + "\u0301\u0323" * 3_000_000  # slow to compose
DEEP = b"<Stroke>" * 90_000 + b'<Point x="1" y="1" time="1"/>' * 90_000 + b"</Stroke>" * 90_000
TEXT = b'{"strokes": [["%s"%s]]}' % (b"x" * 10_000_000, b', ""' * 1000)
BOMBS = {  # small files, or soon made, that would fill the memory or take hours
    "more than 1,000,000,000 bytes when it is unpacked": ("a.tar.gz", zeros),
    "a broken archive (maximum recursion depth": ("a.tar", lambda: NAMES + bytes(1024)),
    "no ink in a known format": ("a.tar.xz", dictionary),
    "takes more memory to parse than a sound file": ("a.npy", lambda: MANY_OF_NOTHING),
    "an array whose header crashes its parser": ("a.npy", lambda: DEEP_HEADER),
    "an array whose shape is not valid": ("a.npy", lambda: ink_formats.saved([OddArray()])),
    "a non-number among the points": ("a.inkml", lambda: inkml([[("1" * 50_000 + "x", 1)]])),
    "a transcription of more than 20,000 char": ("a.inkml", lambda: inkml(STROKES, ACCENTS)),
    "more than 20,000 points": ("a.xml", lambda: iam().replace(b"<Stroke ", DEEP + b"<Stroke ", 1)),
    "stroke 0 is not a list of (x, y)": ("a.json", lambda: TEXT),
}


@pytest.mark.parametrize("reason", BOMBS)
def test_a_bomb_is_refused_for_its_reason_on_a_line(tmp_path, reason, real_children):
    name, make = BOMBS[reason]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(DataError, match=re.escape(reason)) as caught:
        read_ink(tmp_path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


ARCHIVE = {f"trainimg-{n}-inputdata.txt": mnist() for n in range(3)}
ODD_NUMBERS = (
    *(b"nan", b"-Infinity", b"1e400", b"3e38", b"1_000", b"0x1F", b"1.5.2", b"#FF", b"*", b"'3"),
    *(b"", b"\0", b"9" * 400, b"-9223372036854775809", "\u0661".encode(), b"&x;", b'"\\ud800"'),
)


def spoilt(rng, content):
    """Return a file with something else in the place of a number, or with its bytes damaged."""
    parts = re.split(rb"([-+]?\d+\.?\d*)", content)
    if rng.random() < 0.5 or len(parts) < 3:
        return damaged(rng, content)
    parts[rng.randrange(1, len(parts), 2)] = rng.choice(ODD_NUMBERS)
    return b"".join(parts)


@pytest.mark.parametrize("kind", [*MAKE, "an archive", "a packed archive"])
def test_a_damaged_file_gives_a_short_message_or_sound_ink(tmp_path, kind):
    rng, place = random.Random(kind), tmp_path / "sample.tar"
    for _ in range(60):
        if kind in MAKE:
            content = MAKE[kind](STROKES, "hello")
        else:
            content = pack(place, ARCHIVE, "w:gz" if "packed" in kind else "w").read_bytes()
        for _ in range(rng.randint(1, 3)):
            content = spoilt(rng, content)
        place.write_bytes(content)
        try:
            samples = read_ink(place)
        except DataError as error:
            assert str(error).isprintable() and len(str(error)) < 1000
            continue
        for sample in samples:
            sample.text.encode()
            assert sample.ink.dtype == np.float32 and sample.ink.shape == (len(sample.ink), 3)
            assert len(sample.ink) >= 2 and np.isin(sample.ink[:, 2], (0, 1)).all()
            assert np.abs(sample.ink).max() <= MAX_JUMP  # which no NaN is
    assert [path.name for path in tmp_path.iterdir()] == ["sample.tar"]


# Empty.


@pytest.mark.parametrize("name", ["a.inkml", "a.npy", "a.json", "a.xml", "a.unp", "a.svg", "a"])
def test_empty_file_is_said_to_be_empty(tmp_path, name):
    (tmp_path / name).write_bytes(b" \n")
    with pytest.raises(DataError, match=f"^{tmp_path}/{name}: an empty file$"):
        read_ink(tmp_path / name)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("IAM-OnDB", r"has no lineStrokes-all\.tar\.gz, "),
        ("InkML", "no InkML file there; .* names the folder"),
        ("MNIST", r'sequences\.tar\.gz, or files such as trainimg-0-.*"root": null'),
        ("UNIPEN", "no UNIPEN file there"),
        ("stroke arrays", r"has no strokes-py3\.npy or strokes\.npy"),
    ],
)
def test_a_folder_without_data_is_refused_with_what_it_lacks(tmp_path, monkeypatch, form, message):
    (tmp_path / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        DATASETS[form](root="notes").load()
    gone = rf"no such folder; .* \(gone is relative to {tmp_path}|gone has no "
    with pytest.raises(DataError, match=gone):
        DATASETS[form](root="gone").load()
