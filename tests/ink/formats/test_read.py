"""`ink.formats.read` returns the samples of lines and the pages of notes, of any format."""

import gzip
import io
import logging
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ink.formats
from ink.ink_page import InkPage
from ink.reading import read_ink
from ink.sample import Sample
from tests.data_loader import ink_formats
from tests.ink.formats import note_files
from utils.checks import DataError

STROKES = [[(1, 2), (3, 5), (9, 4)], [(15, 2), (15, 9)]]
PLAIN_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path stroke="red" d="M1 1h9"/></svg>'


@pytest.mark.parametrize(
    ("content", "kind", "count"),
    [
        (ink_formats.inkml(), Sample, 1),
        (ink_formats.unipen(["7", "", "2"]), Sample, 3),
        (ink_formats.arrays([STROKES, STROKES]), Sample, 2),
        (ink_formats.own([("a", STROKES), ("b", STROKES)]), Sample, 2),
        (note_files.rm(), InkPage, 1),
        (PLAIN_SVG, InkPage, 1),
        (gzip.compress(PLAIN_SVG, mtime=0), InkPage, 1),
    ],
)
def test_lines_are_read_as_samples_and_notes_as_pages(tmp_path, content, kind, count):
    file = tmp_path / "diary"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    items = ink.formats.read(str(file))
    assert [type(item) for item in items] == [kind] * count
    for item in items:
        assert item.strokes if kind is InkPage else not item.ink[0, :2].any()


def test_the_list_of_a_tablets_pages_is_read_as_pages(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "p.rm").write_bytes(note_files.rm())
    (tmp_path / "a.content").write_text('{"cPages": {"pages": [{"id": "p"}, {"id": "p"}]}}')
    pages = ink.formats.read(tmp_path / "a.content")
    assert len(pages) == 2 and np.array_equal(
        pages[0].strokes[0].points, pages[1].strokes[0].points
    )


def test_a_folder_without_a_collection_is_refused_with_the_function_that_reads_it(tmp_path):
    (tmp_path / "a.inkml").write_bytes(ink_formats.inkml())
    reason = "a folder that is no UNIPEN collection; `read_ink` reads the files in it"
    with pytest.raises(DataError, match=f"^{tmp_path}: {reason}$"):
        ink.formats.read(tmp_path)
    assert [sample.name for sample in read_ink(tmp_path)] == ["a.inkml"]


def test_an_empty_collection_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "include").mkdir()
    with pytest.raises(DataError, match=f"^{tmp_path}: no line of ink$"):
        ink.formats.read(tmp_path)


def array_file(count, elements):
    """Return a file of an object array whose list has `count` elements, given by their opcodes."""
    file = io.BytesIO()
    np.save(file, np.array([None] * count, dtype=object), allow_pickle=True)
    before, _, _ = file.getvalue().partition(b"(" + b"N" * min(count, 1000))
    return before + b"(" + elements + b"et" + b"b."


HOSTILE_ARRAYS = {
    "empty sets": array_file(2_000_000, b"\x8f" * 2_000_000),
    "no lines": array_file(2_000_000, b"N" * 2_000_000),
    "references": array_file(
        200_001,
        pickle.dumps(np.zeros((20_000, 3), np.int8), protocol=3)[2:-1] + b"qd" + b"hd" * 200_000,
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has limits of memory")
@pytest.mark.parametrize("kind", HOSTILE_ARRAYS)
def test_an_array_file_that_grows_when_it_is_read_is_refused_in_little_memory(tmp_path, kind):
    (tmp_path / "a.npy").write_bytes(HOSTILE_ARRAYS[kind])
    code = """if True:
        import re, sys, time
        from pathlib import Path
        from ink.formats import stroke_arrays
        try:
            stroke_arrays.parse(Path(sys.argv[1]))
        except Exception as fault:
            print(type(fault).__name__, fault)
        peak = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]
        print(int(peak) / 1024, time.process_time())
    """
    command = [sys.executable, "-c", code, str(tmp_path / "a.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    message, numbers = done.stdout.splitlines()
    megabytes, seconds = map(float, numbers.split())
    assert re.match("Fault (takes more memory|more than 10,000 unusable lines)", message)
    assert megabytes < 200 and seconds < 4


def test_what_cannot_be_used_is_named_with_the_file(tmp_path, caplog):
    file = tmp_path / "a.json"
    file.write_bytes(ink_formats.own([("a", STROKES), ("b", [[(1, 2)]])]))
    with caplog.at_level(logging.WARNING):
        (sample,) = ink.formats.read(file)
    assert sample.text == "a" and f"{file}: 1 left out: a single point: 00001" in caplog.text
    for content, reason in (
        ("hello", ": no ink in a known format; supported formats: Xournal"),
        ("", ": an empty file"),
        ("<ink><trace>1 2</ink>", ": broken XML"),
        ('{"strokes": [[[1, 2]]]}', ": a single point"),
    ):
        file.write_text(content)
        with pytest.raises(DataError) as error:
            ink.formats.read(file)
        assert str(error.value).startswith(f"{file}{reason}")


def test_importing_the_formats_takes_no_large_library():
    code = "import sys, ink.formats; print(*{name.partition('.')[0] for name in sys.modules})"
    root = Path(ink.formats.__file__).parents[2]
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    loaded = set(shown.stdout.split())
    assert {"ink", "numpy", "utils"} <= loaded
    libraries = {"torch", "tqdm", "fontTools", "matplotlib", "PIL", "rmscene", "urllib3"}
    assert not loaded & (libraries | {"base", "data_loader", "notes", "model"})
