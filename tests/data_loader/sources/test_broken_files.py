"""Each way in which a file can be broken, for each format: one clear line, wherever it is read.

What a format cannot have (entities, members) is put there all the same, under its files' name.
"""

import json
import re
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import data_loader
import train
from data_loader import (
    IAMOnDBDataset,
    InkMLDataset,
    MNISTStrokesDataset,
    StrokeArraysDataset,
    UnipenDataset,
    read_ink,
)
from data_loader.sources.own_ink import OwnInk, json_lines
from tests.data_loader import ink_formats
from tests.data_loader.archives import pack
from tests.data_loader.ink_formats import STROKES
from utils.checks import DataError

BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "1 2,">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise("abcdefghi"))
    + "]>\n"
).encode()  # fmt: skip
OUTSIDE = "../../trainimg-3-inputdata.txt"

POINTS = r"more than 20,000 points \(the limit max_points\) \(1,000,000"
VALUES = r"more than 20,000 points \(the limit max_points\) \([\d,]+ values\)"
UTF8 = r"not UTF-8 text \(byte 0xff in line 1\)"
DOCTYPE = "a document type, which"
MEMBER = rf"{OUTSIDE}: a member outside of the archive"


def changed(content, old, new):
    assert old in content
    return content.replace(old, new, 1)


def npy(*elements):
    return ink_formats.arrays(elements)


def evil(tmp_path):
    """Return an archive with a member that points outside."""
    return pack(tmp_path / "evil", {OUTSIDE: ink_formats.mnist()}).read_bytes()


def million(form):
    """Return what makes a stroke of a million points, when it is needed."""
    return lambda _: form([[[0, 0], [1, 2]] * 500_000])


# By format and breakage: the content, what its dataset says, and what `read_ink` says if that is
# something else (it tells a format by the content).
IAM, INKML, MNIST = ink_formats.iam(), ink_formats.inkml(), ink_formats.mnist()
UNIPEN, OWN = ink_formats.unipen(), ink_formats.own([("hello", STROKES)])
BROKEN = {
    "IAM-OnDB": {
        "cut short": (IAM[:-60], r"broken XML \(unclosed token: line 6, column 0\)"),
        "wrong columns": (changed(IAM, b'y="24" ', b""), "a point without x, y or time .line 3"),
        "wrong type": (
            changed(IAM, b'"13"', b'"1a"'),
            r"a non-number among the points \(x of point 2 is '1a'\)",
        ),
        "empty": (b"", "an empty file"),
        "not UTF-8": (
            changed(changed(IAM, b"ISO-8859-1", b"UTF-8"), b'"13"', b'"1\xff"'),
            r"broken XML \(not well-formed \(invalid token\): line 3, column \d+\)",
        ),
        "a million points": (million(ink_formats.iam), POINTS, VALUES),
        "entities": (BOMB + changed(IAM.split(b"\n", 1)[1], b'"13"', b'"&i;"'), DOCTYPE),
        "members outside": (evil, "broken XML", MEMBER),
    },
    "InkML": {
        "cut short": (INKML[:-9], r"broken XML \(unclosed token: line 1, column \d+\)"),
        "wrong columns": (changed(INKML, b"13 24", b"13"), r"a point without 2 values \(point 2 o"),
        "wrong type": (changed(INKML, b"13 24", b"13 y"), r"a non-number among .* 'y'"),
        "empty": (b"", "an empty file"),
        "not UTF-8": (changed(INKML, b"hello", b"h\xff"), r"broken XML \(not well-formed"),
        "a million points": (million(ink_formats.inkml), POINTS, VALUES),
        "entities": (BOMB + changed(INKML, b"13 24", b"&i;13 24"), DOCTYPE),
        "members outside": (evil, "broken XML", MEMBER),
    },
    "stroke arrays": {
        "cut short": (npy(STROKES)[:-50], "a broken pickle, or one cut short"),
        "wrong columns": (npy(np.zeros((5, 2))), "not \\(points, 3\\)"),
        "wrong type": (npy(np.array([["a", "b", "c"]] * 5)), "values that are not numbers"),
        "empty": (b"", "an empty file"),
        "not UTF-8": (None, UTF8),  # its texts are
        "a million points": (million(npy), POINTS),
        "entities": (BOMB + INKML, "not a .npy file of arrays", DOCTYPE),
        "members outside": (evil, "not a .npy file of arrays", MEMBER),
    },
    "MNIST strokes": {
        "cut short": (MNIST[: MNIST.rindex(b"0 1 1 1")], "a digit cut short: no row ends it"),
        "wrong columns": (
            changed(MNIST, b"3 4 0", b"3 4"),
            r"a row without 4 columns \(line 2 ",
        ),
        "wrong type": (
            changed(MNIST, b"3 4 0", b"3 x 0"),
            r"not whole numbers \(line 2: '3 x 0",
        ),
        "empty": (b"", "an empty file"),
        "not UTF-8": (changed(MNIST, b"3 4 0", b"3 \xff 0"), r"not whole numbers \(line 2: .*xff"),
        "a million points": (
            b"1 1 0 0\n" * 1_000_000,
            r"more than 1,048,576 bytes \(the limit max_bytes\) \(8,000,000\)",
            VALUES,
        ),
        "entities": (BOMB + INKML, r"not whole numbers \(line 1: '<\?xml", DOCTYPE),
        "members outside": (evil, MEMBER),
    },
    "UNIPEN": {
        "cut short": (UNIPEN[:-9], "a piece cut short: the file ends without .PEN_UP"),
        "wrong columns": (changed(UNIPEN, b"13 -24", b"13"), r"a point without 2 values \(line 4 "),
        "wrong type": (changed(UNIPEN, b"13 -24", b"13 y"), r"a non-number .* \(line 4: 'y'"),
        "empty": (b"", "an empty file"),
        "not UTF-8": (changed(UNIPEN, b'"7"', b'"\xff"'), UTF8),
        "a million points": (
            million(lambda strokes: ink_formats.unipen("7", strokes)),
            POINTS,
            VALUES,
        ),
        "entities": (BOMB + INKML, "no UNIPEN keyword in it", DOCTYPE),
        "members outside": (evil, r"not UTF-8 text \(byte 0x8b in line 1\)", MEMBER),
    },
    "own": {
        "cut short": (OWN[:-9], r"broken JSON \(line 1, column \d+: not JSON: "),
        "wrong columns": (
            changed(OWN, b"[13, 24]", b"[13]"),
            r"stroke 0 is not a list of \(x, y\)",
        ),
        "wrong type": (
            changed(OWN, b"[13, 24]", b'[13, "24"]'),
            r"stroke 0 is not a list of \(x, y\) \(not all of them are numbers\)",
        ),
        "empty": (b"", "an empty file"),
        "not UTF-8": (changed(OWN, b"hello", b"h\xff"), UTF8),
        "a million points": (
            million(lambda strokes: ink_formats.own([("x", strokes)])),
            POINTS,
            VALUES,
        ),
        "entities": (BOMB + INKML, r"broken JSON \(line 1, column 1: not JSON", DOCTYPE),
        "members outside": (evil, r"not UTF-8 text \(byte 0x8b in line 1\)", MEMBER),
    },
}
NAMES = {
    "IAM-OnDB": "a01-000u-02: ",
    "InkML": r"bad(\.inkml)?: ",
    "stroke arrays": r"line-00000: |strokes\.npy: |sentences\.txt: ",
    "MNIST strokes": r"(\.\./\.\./)?trainimg-3(-inputdata\.txt)?: ",
    "UNIPEN": "bad(:00000)?: ",
    "own": r"own\.json: |MyInk: line 0 ",
}
"""Of what is broken, as datasets say it."""
CELLS = [(form, breakage) for form, row in BROKEN.items() for breakage in row]


def put(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


class MyInk(OwnInk):
    """Ink of one's own, as docs/data.md shows it."""

    file = Path("own.json")

    def lines(self):
        yield from json_lines(self.file)


def broken(root, form, content):
    """Write a source of a format in which one file has that content; return it and its dataset."""
    if form == "IAM-OnDB":
        folder = "lineStrokes/a01/a01-000/a01-000u-{:02}.xml"
        lines = {folder.format(n): IAM for n in (1, 3)} | {folder.format(2): content}
        texts = {"ascii/a01/a01-000/a01-000u.txt": b"CSR:\n\none\ntwo\nthree\n"}
        tasks = {"trainset.txt": b"a01-000u\n", "testset_v.txt": b"b02-105\n"}
        other = {
            "lineStrokes/b02/b02-105/b02-105-01.xml": IAM,
            "ascii/b02/b02-105/b02-105.txt": b"CSR:\nx\n",
        }
        splits = {"train": ["trainset"], "valid": ["testset_v"]}
        put(root, lines | texts | tasks | other)
        return root / folder.format(2), IAMOnDBDataset(root=str(root), splits=splits, strict=True)
    if form == "InkML":
        put(root, {f"{n}.inkml": INKML for n in range(12)} | {"bad.inkml": content})
        return root / "bad.inkml", InkMLDataset(root=str(root), strict=True)
    if form == "stroke arrays":
        texts = b"\xff\n" if content is None else b"one\n"
        content = npy(STROKES) if content is None else content
        put(root, {"strokes.npy": content, "sentences.txt": texts})
        return root / "strokes.npy", StrokeArraysDataset(root=str(root), strict=True)
    if form == "MNIST strokes":
        files = {f"trainimg-{n}-inputdata.txt": MNIST for n in range(12)}
        labels = b"".join(b"%d\n" % (n % 10) for n in range(12))
        bad = "trainimg-3-inputdata.txt"
        put(root, files | {"trainlabels.txt": labels, bad: content})
        return root / bad, MNISTStrokesDataset(root=str(root), strict=True)
    if form == "UNIPEN":
        put(root, {f"good-{n}": ink_formats.unipen("0123") for n in range(3)} | {"bad": content})
        return root / "bad", UnipenDataset(root=str(root), strict=True)
    MyInk.file = put(root, {"own.json": content}) / "own.json"
    return MyInk.file, MyInk()


def message(call):
    """Return the one line in which a call ends."""
    with pytest.raises(DataError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(("form", "breakage"), CELLS)
def test_a_broken_file_ends_in_one_clear_line(tmp_path, form, breakage, recwarn):
    content, *said = BROKEN[form][breakage]
    if callable(content):
        content = content(tmp_path)
    root = tmp_path / "a" / "b" / "data"
    file, dataset = broken(root, form, content)
    if form == "MNIST strokes" and breakage == "members outside":
        digits = {f"s/trainimg-{n}-inputdata.txt": MNIST for n in range(3)}
        file = pack(root / "sequences.tar.gz", digits | {OUTSIDE: MNIST})
        assert len(read_ink(file)) == 3  # what is whole is of use
        file.write_bytes(content)
    by_dataset, by_file = message(dataset.prepare), message(lambda: read_ink(file))
    for text, expected in ((by_dataset, said[0]), (by_file, said[-1])):
        assert re.search(expected, text), text
    assert by_file.startswith(str(file))
    assert re.match(rf"({root}/)?({NAMES[form]})", by_dataset)
    assert not [path for path in tmp_path.rglob("trainimg-3-*") if path.parent != root]
    assert not recwarn.list


def test_untrusted_names_stay_on_one_line(tmp_path):
    names = {"../a\n\x1b[31m": b"", "trainimg-0-inputdata.txt": b"1 2 3"}
    said = message(lambda: read_ink(pack(tmp_path / "s.tar.gz", names)))
    assert "s.tar.gz:../a\\n\\x1b[31m: a member outside of the archive, and 1 more" in said
    content = npy(STROKES).replace(b"ndarray", b"nd\nrray", 1)
    assert b"nd\nrray" in content
    (tmp_path / "strokes.npy").write_bytes(content)
    assert "it would run numpy.nd\\nrray when loaded" in message(
        lambda: read_ink(tmp_path / "strokes.npy")
    )
    content = changed(npy(STROKES), b"{'descr'", b"{('descr'")  # a header that Python cannot parse
    (tmp_path / "strokes.npy").write_bytes(content)
    assert "not a .npy file of arrays" in message(lambda: read_ink(tmp_path / "strokes.npy"))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_header_that_promises_more_than_there_can_be(tmp_path, mode):
    """tarfile looks for the end of such a member for years."""
    huge = tarfile.TarInfo("trainimg-0-inputdata.txt")
    huge.size = 2**70
    said = message(lambda: read_ink(pack(tmp_path / "s.tar.gz", {"x": huge, "y": b""}, mode)))
    assert re.search(r"s\.tar\.gz: more than \d\S+ bytes unpacked \(the limit max_archive_b", said)


def test_archives_of_iam_ondb(tmp_path):
    """Its archives are read by member too, within the same limits."""
    lines = {f"lineStrokes/a01/a01-000/a01-000u-{n:02}.xml": IAM for n in (1, 2)}
    lines["lineStrokes/b02/b02-105/b02-105-01.xml"] = IAM
    texts = {
        "ascii/a01-000u.txt": b"CSR:\n\none\ntwo\n",
        "ascii/b02-105.txt": b"CSR:\n\nthree\n",
    }
    put(tmp_path, {"trainset.txt": b"a01-000u\n", "testset_v.txt": b"b02-105\n"})
    pack(tmp_path / "ascii-all.tar.gz", texts)

    def prepared(members, **options):
        pack(tmp_path / "lineStrokes-all.tar.gz", members)
        splits = {"train": ["trainset"], "valid": ["testset_v"]}
        dataset = IAMOnDBDataset(root=str(tmp_path), splits=splits, **options)
        dataset.prepare()
        return dataset

    outside = {"../../a01-000u-03.xml": IAM, **lines}
    report = prepared(outside).report()
    assert "1 left out: a member outside of the archive: ../../a01-000u-03.xml" in report
    assert "3 lines with their" in report and not list(tmp_path.parent.glob("a01*"))
    assert message(lambda: prepared(outside, strict=True)).startswith("../../a01-000u-03.xml: a m")
    for limits, expected in (
        (
            {"max_members": 2},
            r"lineStrokes-all.tar.gz: more than 2 members \(the limit max_mem",
        ),
        ({"max_bytes": len(IAM) - 1}, r"a01-000u-01: more than 3\d\d bytes \(the limit max_bytes"),
        ({"max_points": 4}, r"a01-000u-01: more than 4 points \(the limit max_points\) \(5\)"),
        ({"max_archive_bytes": 600}, "gz: more than 600 bytes unpacked .the limit max_archive_byt"),
    ):
        with pytest.raises(DataError, match=expected):
            prepared(lines, strict=True, **limits)
    for name, content in (lines | texts).items():
        put(tmp_path / "unpacked", {name: content})
    put(tmp_path / "unpacked", {"trainset.txt": b"a01-000u\n", "testset_v.txt": b"b02-105\n"})
    splits = {"train": ["trainset"], "valid": ["testset_v"]}
    dataset = IAMOnDBDataset(root=str(tmp_path / "unpacked"), splits=splits, max_members=2)
    with pytest.raises(DataError, match=r"lineStrokes: more than 2 files \(the limit max_members"):
        dataset.prepare()


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("form", BROKEN)
def test_the_script_prints_one_line(tmp_path, monkeypatch, capsys, form):
    monkeypatch.setattr(data_loader, "MyInk", MyInk, raising=False)
    monkeypatch.setattr(data_loader, "__all__", [*data_loader.__all__, "MyInk"])
    monkeypatch.chdir(tmp_path)
    _, dataset = broken(tmp_path / "data", form, BROKEN[form]["wrong columns"][0])
    own = {} if form == "own" else {"root": str(tmp_path / "data"), "strict": True}
    if form == "IAM-OnDB":
        own["splits"] = dataset.splits
    config = {
        "name": "tiny",
        "arch": {"type": "PredictionNetwork", "args": {"hidden_size": 4}},
        "data_loader": {
            "type": "HandwritingDataLoader",
            "args": {"dataset": {"type": type(dataset).__name__, "args": own}, "batch_size": 2},
        },
        "optimizer": {"type": "Adam"},
        "lr_scheduler": None,
        "loss": {"type": "NegativeLogLikelihood"},
        "metrics": [],
        "trainer": {"type": "GenerationTrainer", "args": {"epochs": 1}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert train.main(["-c", "config.json", "--prepare", "-d", "cpu"]) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ") and not printed.out
    assert re.search(BROKEN[form]["wrong columns"][1], line), line
    assert not (tmp_path / "saved").exists()
