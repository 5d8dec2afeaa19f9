import hashlib
import itertools
import json
import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from data_loader.pipeline import HandwritingDataLoader
from data_loader.sources import own_ink
from data_loader.sources.own_ink import OwnInk
from ink.formats.json_strokes import json_lines
from ink.reading import read_ink
from tests.loaded import in_order
from utils.checks import DataError


def dataset_of(content, **options):
    class Mine(OwnInk):
        def lines(self):
            yield from content

    return Mine(**options).load()


STROKES = [[(0, 0), (3, -4)], [], [(5, 5)]]


@pytest.mark.parametrize("writers", [0, 40])
def test_lines_stay_in_their_splits_in_any_order_and_equal_lines_together(writers):
    """A hundred and twenty different lines, each four times."""
    content = [
        (f"text {n % 120}", STROKES, f"w{n % writers}" if writers else "") for n in range(480)
    ]
    turned = content[77:] + content[:77]
    loaded, again = map(dataset_of, (content, turned))
    assert len({line.name for line in loaded.used}) == 480
    people = [{line.writer for line in loaded.split(split)} for split in ("train", "valid")]
    assert not writers or not people[0] & people[1]
    assert counts(loaded) == counts(again)
    assert all(set(texts.values()) == {4} for texts in counts(loaded).values())


def counts(loaded):
    """Return how often each text stands in each split."""
    return {split: Counter(line.text for line in part) for split, part in loaded.samples.items()}


def test_a_line_is_named_by_a_hash_of_its_content():
    """With other names, the runs that have it would be refused."""
    lines = [("a", STROKES), ("a", STROKES), ("b", STROKES), ("c", STROKES)] * 9
    ink = np.array([[0, 0, 0], [3, -4, 1], [2, 9, 1]], np.float32).tobytes()
    name = "line-" + hashlib.sha256(b"('a', '')" + ink).hexdigest()[:12]
    loaded = dataset_of(lines)
    names = {line.name for line in loaded.used}
    assert {name, f"{name}.2", f"{name}.18"} < names and f"{name}.19" not in names
    assert loaded.report.startswith("Mine: 36 lines\n")


def test_fourth_item_of_a_line_gives_its_extras_and_changes_no_name():
    lines = [(f"text {n}", STROKES, "", {"mood": [n, 0.5], "age": n}) for n in range(20)]
    loaded, plain = dataset_of(lines), dataset_of([line[:2] for line in lines])
    assert loaded.extras == {"age": (), "mood": (2,)} and plain.extras == {}
    (sample,) = (line for line in loaded.used if line.text == "text 3")
    assert sample.extras["mood"].tolist() == [3, 0.5] and sample.extras["age"].dtype == np.float32
    named, unnamed = (
        {line.name for line in dataset_of(some).used}
        for some in (lines, [line[:3] for line in lines])
    )
    assert named == unnamed and loaded.fingerprints != plain.fingerprints


def test_y_may_grow_upwards(monkeypatch):
    monkeypatch.setattr(OwnInk, "y_grows_down", False)
    dataset = dataset_of([(text, STROKES) for text in "abcdefghi"])
    assert in_order(dataset)[0].ink.tolist() == [[0, 0, 0], [3, 4, 1], [2, -9, 1]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("text", r"not \(text, strokes\), with or without writer and extras \('text'\)"),
        ((1, STROKES), "a text or a writer that is not a string"),
        (("a", "b"), "strokes that are not a list"),
        (("a", [[(0, 0, 0), (1, 2, 3)]]), r"stroke 0 is not a list of \(x, y\) \(shape \(2, 3\)"),
        (("a", [[(0, 0)], [(1, 2), (3,)]]), "stroke 1 is not a list of"),
        (("a", [[(0, 0), (1, float("nan"))]]), "a non-number among the points"),
        (("a", STROKES, "", [1.0]), r"extras that are not lists of finite numbers by name \(\[1"),
        (("a", STROKES, "", {"mood": [float("inf")]}), "extras that are not lists of finite numb"),
    ],
)
def test_a_broken_line_is_left_out_and_an_error_with_its_number_when_strict(line, message):
    lines = [("a", STROKES), ("b", STROKES), line, *((text, STROKES) for text in "cdefghijk")]
    loaded = dataset_of(lines)
    assert {line.text for line in loaded.used} == {*"abcdefghijk"}
    assert "1 left out: " in loaded.report and "line 2 (from 0)" in loaded.report
    with pytest.raises(DataError, match=rf"^line 2 \(from 0\): {message}.*\"strict\": true"):
        dataset_of(lines, strict=True)


def test_listed_lines_are_left_out(tmp_path):
    listed = tmp_path / "listed.txt"
    lines = [(f"text {n}", STROKES) for n in range(40)]
    name = next(line.name for line in dataset_of(lines).used if line.text == "text 1")
    listed.write_text(f"{name} of another hand\nline-000099\n")
    loaded = dataset_of(lines, leave_out=str(listed))
    assert {line.text for line in loaded.used} == {text for text, _ in lines} - {"text 1"}
    assert "1 lines are left out by" in loaded.report and "line-000099" in loaded.report


def test_lines_of_which_none_can_be_used_are_an_error_that_says_why():
    with pytest.raises(DataError, match=r"^Mine: 2 left out: not \(text, strokes\).*line 0 \(from"):
        dataset_of(["a", "b"])


def test_a_file_that_is_not_there_is_named_with_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"^{tmp_path}/ink.json: a file that cannot be read"):
        json_lines("ink.json")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_objects_on_a_line_each_are_the_lines_of_a_list(tmp_path, end):
    objects = [
        {"text": "a {\u2028}", "strokes": STROKES, "writer": "ann"},
        {"text": "\n{", "strokes": [[]]},
        {"strokes": STROKES},
    ]
    file = tmp_path / "ink.jsonl"
    texts = [json.dumps(each, ensure_ascii=False) for each in objects]
    file.write_bytes(f"\ufeff{end.join(texts)}{end}".encode())
    (tmp_path / "ink.json").write_text(json.dumps(objects, indent=2))
    assert json_lines(file) == json_lines(tmp_path / "ink.json") and len(json_lines(file)) == 3
    assert [sample.text for sample in read_ink(file)] == ["a { }", ""]
    file.write_text(f"{texts[0]}{end}{texts[1][:-4]}{end}{texts[2]}")
    with pytest.raises(DataError, match=f"broken JSON .line {1 + len(end.strip(chr(13)))}, column"):
        json_lines(file)


def test_endless_lines_say_how_many_are_read(monkeypatch, caplog):
    class Endless(OwnInk):
        def lines(self):
            for number in itertools.count():
                yield f"text {number}", STROKES

    monkeypatch.setattr(own_ink, "REPORT_SECONDS", 1e-3)
    caplog.set_level(logging.INFO)
    for count, _ in enumerate(Endless().read()):  # A report follows its line.
        if said := [message for message in caplog.messages if f" {count:,} lines" in message]:
            break
    rest = "lines are read so far; lines() has to end, as all are read at first"
    assert said == [f"Endless: {count:,} {rest}"]


def test_no_lines_and_too_few_lines_are_errors():
    with pytest.raises(DataError, match=r"^Mine: lines\(\) yields nothing"):
        dataset_of([])
    with pytest.raises(DataError, match=r"^Mine: no lines for the split .*: 2 in all"):
        dataset_of([("a", STROKES)] * 2)


@dataclass(kw_only=True, eq=False)
class Kept(OwnInk):
    """Lines of a file in the current folder; `reads` says how often it was read."""

    reads = 0

    times: int = 1

    def files(self):
        return [Path("lines.txt").absolute()]

    def lines(self):
        Kept.reads += 1
        for text in self.files()[0].read_text().split():
            yield text * self.times, STROKES


def test_lines_of_files_are_read_again_only_when_something_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("lines.txt").write_text("a b c d e f g h i j")
    first, again = Kept().load(), Kept().load()
    assert first.fingerprints == again.fingerprints and Kept.reads == 1
    assert {line.text for line in Kept(times=2).load().used} >= {"aa", "jj"} and Kept.reads == 2
    Path("lines.txt").write_text("k l m n o p q r s t u")
    assert len(Kept().load().used) == 11 and Kept.reads == 3
    Path("lines.txt").unlink()
    with pytest.raises(DataError, match=r"lines.txt: cannot be read \(No such file"):
        Kept().load()


def test_attributes_of_ones_own_hide_nothing_that_the_base_needs():
    class Folder(OwnInk):
        def __post_init__(self):
            super().__post_init__()
            self.path = "elsewhere"
            self.root = "nowhere"
            self.cache = {}

        def lines(self):
            return [("ab", [[(0, 0), (n, 9), (3, n)]]) for n in range(40)]

    ink = Folder()
    assert len(HandwritingDataLoader(dataset=ink).load(seed=1).loaded.used) == 40
    assert ink.licences() == {None}
