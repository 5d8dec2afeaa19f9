import io
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from data_loader.sources.stroke_arrays import StrokeArraysDataset
from ink.formats.stroke_arrays import load_arrays
from tests.data_loader.archives import put
from tests.data_loader.ink_formats import saved
from tests.loaded import in_order
from tests.pickled_call import Call
from utils.checks import DataError

LINE = np.array([[0, 0, 0], [0, 2.5, 1.5], [1, 1, -2], [1, 10, 0]], dtype=np.float32)
INK = [[0, 0, 0], [2.5, -1.5, 0], [1, 2, 1], [10, 0, 1]]  # y grew upwards


def array_of(lines):
    array = np.empty(len(lines), dtype=object)
    array[:] = lines
    return array


def npy_of_pickle(content):
    """Return a .npy file of an object array whose pickle is `content`."""
    stream = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + content


# Nine rows that promise more than fits in any memory.
PROMISED = saved(np.ones((9, 3))).replace(b"(9, 3), }" + b" " * 11, b"(999999999999, 3), }")
TEXTS = "".join(f"text {n}\n" for n in range(6)) + "\n \n"  # Blank lines do not count.
SIX = saved(array_of([LINE] * 6))


def write(root, content=SIX, texts=TEXTS):
    return put(root, {"strokes.npy": content, "sentences.txt": texts})


def prepared(root, **options):
    return StrokeArraysDataset(root=str(root), **options).load()


def test_lines_and_texts_are_paired_and_turned_downwards(tmp_path):
    dataset = prepared(write(tmp_path), strict=True)
    samples = in_order(dataset)
    assert len(samples) == 6 and dataset.quantisation_step is None
    assert samples[0].ink.tolist() == INK and samples[0].ink.dtype == np.float32
    assert (samples[3].name, samples[3].text) == ("line-00003", "text 3")
    assert len(prepared(tmp_path / "strokes.npy").used) == 6
    other = (tmp_path / "sentences.txt").rename(tmp_path.parent / f"{tmp_path.name}.txt")
    assert in_order(prepared(tmp_path, texts=str(other), strict=True))[3].text == "text 3"


def test_arrays_that_python_2_has_pickled_are_read():
    # A pickle of Python 2 holds the bytes of an array as a string (U), written here by hand.
    raw = LINE.tobytes()
    by_hand = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        b"(K\x01(K\x01tcnumpy\ndtype\n(U\x02O8K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK?tb\x89]"
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        b"(K\x01(K\x04K\x03tcnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U" + bytes([len(raw)]) + raw + b"tbatb."
    )
    (element,) = load_arrays(npy_of_pickle(by_hand))
    assert element.array().tolist() == LINE.tolist()


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2"])
def test_lines_of_the_same_length_that_numpy_stores_together_are_read(tmp_path, dtype):
    lines = np.stack([np.round(LINE)] * 6).astype(dtype)
    dataset = prepared(write(tmp_path, saved(lines)))
    assert len(dataset.used) == 6 and in_order(dataset)[0].ink[1].tolist() == [2, -2, 0]
    big = prepared(write(tmp_path, saved(array_of([LINE.astype(">f8"), *[LINE] * 5]))))
    first, second, *_ = in_order(big)
    assert (first.ink == second.ink).all()


@pytest.mark.parametrize(
    ("element", "name"),
    [
        (Call(os.system, "touch EVIL"), f"{os.name}.system"),
        (Call(np.fromfile, "EVIL"), r"numpy[\w.]*\.fromfile"),
        (OrderedDict(), r"collections\.OrderedDict"),
        (np.float64(1), r"numpy\._core\.multiarray\.scalar"),
    ],
)
def test_a_pickle_that_would_run_a_function_is_refused(tmp_path, monkeypatch, element, name):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, saved(array_of([LINE, element])))
    with pytest.raises(DataError, match=rf"strokes\.npy: it would run {name} when loaded"):
        prepared(tmp_path)
    assert not (tmp_path / "EVIL").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "not a .npy file of arrays"),
        (saved(np.array(["a", "b"])), "values that are not numbers"),
        (npy_of_pickle(pickle.dumps([LINE.tolist()])), "no object array in the pickle"),
        (npy_of_pickle(b"\x80\x02r\xff\xff\xff\x7f."), "a pickle that is broken"),
        (npy_of_pickle(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fx."), "a pickle that is brok"),
        (npy_of_pickle(b"\x80\x02Ppersistent\n."), "a pickle that is brok"),
        (saved(np.zeros((2, 2), dtype=object)), "values that are not numbers"),
        (PROMISED, "an array cut short .216 bytes for the shape .999999999999, 3"),
    ],
)
def test_a_file_without_arrays_of_lines_is_refused_with_a_reason(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        prepared(write(tmp_path, content))


def test_texts_that_cannot_be_matched_with_lines_are_an_error(tmp_path):
    with pytest.raises(DataError, match=r"sentences\.txt: texts that cannot be matched .5 lines"):
        prepared(write(tmp_path, texts="a\n" * 5))
    with pytest.raises(DataError, match=r"sentences\.txt: not UTF-8 text \(byte 0xff in line 2\)"):
        prepared(write(tmp_path, texts=b"a\nb\xff\nc\nd\ne\nf\n"))
    (tmp_path / "sentences.txt").unlink()
    with pytest.raises(DataError, match=r'sentences.txt does not exist: .* set "texts": null'):
        prepared(tmp_path)
    assert [sample.text for sample in prepared(tmp_path, texts=None).used] == [""] * 6
    report = prepared(write(tmp_path, texts="a\n\nc\nd\ne\nf\n")).report
    assert "1 left out: an empty transcription: line-00001" in report


def test_the_largest_size_follows_max_gb(tmp_path):
    put(tmp_path, {"strokes.npy": SIX, "sentences.txt": TEXTS})
    dataset = StrokeArraysDataset(root=str(tmp_path))
    dataset.max_gb = 5e-7
    with pytest.raises(DataError, match=r"134 bytes \(.*; raise max_gb"):
        dataset.load()
    dataset.max_gb = 1e-3
    assert len(dataset.load().used) == 6
