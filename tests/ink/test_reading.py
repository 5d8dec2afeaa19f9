import gzip
import logging

import numpy as np
import pytest

from data_loader import EmbeddedDataset
from data_loader.transforms.shaping import ResampleTime
from ink.geometry import from_strokes, strokes, x_height
from ink.reading import read_ink
from ink.resampling import match_device, mean_step
from tests.data_loader import ink_formats
from tests.data_loader.archives import pack, put
from tests.data_loader.ink_formats import INK
from tests.loaded import in_order
from utils.checks import DataError


def plain(samples):
    return [(sample.name, sample.ink.tolist(), sample.text) for sample in samples]


def test_groups_of_inkml_are_samples_unless_the_whole_has_a_text(tmp_path):
    group = "<traceGroup><annotation type='truth'>{}</annotation><trace>{}</trace></traceGroup>"
    groups = group.format("a", "0 0,1 1") + group.format("b", "5 5,6 7")
    files = {
        "groups": f"<ink>{groups}</ink>",
        "whole": f"<ink><annotation type='truth'>a b</annotation>{groups}</ink>",
        "nothing": "<ink><trace>0 0,1 1</trace></ink>",
    }
    texts = {sample.name: sample.text for sample in read_ink(put(tmp_path, files))}
    assert texts == {"groups:0000": "a", "groups:0001": "b", "nothing": "", "whole": "a b"}


def test_a_file_of_a_known_format_without_a_line_is_refused(tmp_path):
    np.save(tmp_path / "none.npy", np.zeros((0, 3), np.float32))
    with pytest.raises(DataError, match=r"none\.npy: no line of ink$"):
        read_ink(tmp_path / "none.npy")


def test_a_folder_is_read_in_order_and_its_files_that_are_no_ink_are_named(tmp_path, caplog):
    files = {
        "b.inkml": ink_formats.inkml(),
        "a/z": ink_formats.mnist(),
        "a/note.txt": "to be bought: milk",
        "a/page.xml": "<html/>",
        "c.inkml": ink_formats.inkml()[:-9],
        "trainset.txt": "a01-000\n",
    }
    put(tmp_path, files)
    with caplog.at_level(logging.WARNING):
        assert [sample.name for sample in read_ink(tmp_path)] == ["a/z", "b.inkml"]
    said = [record.message.removeprefix(f"{tmp_path}: ") for record in caplog.records]
    unknown = "a/note.txt, a/page.xml, trainset.txt"
    assert said[0] == f"3 left out: no ink in a known format: {unknown}"
    assert said[1].startswith("1 left out: broken XML: c.inkml (")


def test_a_place_without_ink_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: a file that cannot be read \(No such"):
        read_ink(tmp_path / "nowhere")
    with pytest.raises(DataError, match=f"^{tmp_path}: no ink there; supported formats: InkML, a"):
        read_ink(tmp_path)
    put(tmp_path, {"note": "hello", "sentences.txt": "a\n"})
    message = r"no ink there: 1 left out: no ink in a known format: note; supported formats: InkML"
    with pytest.raises(DataError, match=message):
        read_ink(tmp_path)
    # Nor is what is zipped and no tar archive a broken one.
    (tmp_path / "note.bin").write_bytes(gzip.compress(b"to be bought: milk" * 99))
    for name in ("note", "note.bin"):
        message = rf"/{name}: no ink in a known format; supported formats: InkML, a"
        with pytest.raises(DataError, match=message):
            read_ink(tmp_path / name)


def test_a_missing_file_is_named_once_without_raw_controls(tmp_path):
    message = f"^{tmp_path}" + r"/a\\x1b\\u202e: a file that cannot be read \(No such file"
    with pytest.raises(DataError, match=message):
        read_ink(tmp_path / "a\x1b\u202e")


def test_iam_lines_find_their_texts_in_the_database(tmp_path):
    names = "alone/a01-000u-01.xml", f"lineStrokes-all/{ink_formats.iam_name('a01-000u', 2)}"
    texts = {f"ascii-all/{ink_formats.iam_name('a01-000u')}": ink_formats.iam_text("one", "two")}
    put(tmp_path, dict.fromkeys(names, ink_formats.iam()) | texts)
    assert plain(read_ink(tmp_path)) == [(names[0], INK, ""), (names[1], INK, "two")]
    line = tmp_path / names[1]
    line = line.rename(line.with_name("a01-000u-03.xml"))
    with pytest.raises(DataError, match=r"-03.xml: no such line in the form.s .* \(2 lines\)"):
        read_ink(line)


def test_digits_find_their_classes_beside_them(tmp_path, caplog):
    digits = {"testimg-1": "", "trainimg-0": "4", "trainimg-9": "9", "trainimg-10": ""}
    files = {f"{name}-inputdata.txt": ink_formats.mnist() for name in digits}
    classes = {name: ink_formats.target(int(text)) for name, text in digits.items() if text}
    files |= {f"{name}-targetdata.txt": target for name, target in classes.items()}
    files["trainimg-0-points.txt"] = b"x,y\n"
    put(tmp_path, files)
    with caplog.at_level(logging.WARNING):
        assert {sample.name.split("-i")[0]: sample.text for sample in read_ink(tmp_path)} == digits
    assert not caplog.records
    archive = pack(tmp_path / "sequences.tar.gz", {f"s/{name}": files[name] for name in files})
    expected = [(f"sequences.tar.gz:{name}", text) for name, text in digits.items()]
    assert [(sample.name, sample.text) for sample in read_ink(archive)] == expected


@pytest.fixture(scope="module")
def lines():
    dataset = EmbeddedDataset(size=8, valid_size=1, test_size=1).load()
    return [sample.ink for sample in in_order(dataset)[:8]]


DEVICES = [(1 / 50, 1.0, 0.0), (40.0, 1.0, 0.0), (1.5, 1.0, 0.0), (1.0, 0.2, 0.0), (1.0, 1.0, 8.0)]


@pytest.mark.parametrize(("factor", "period", "degrees"), DEVICES)
def test_ink_of_another_device_gets_the_size_rate_and_slope_of_the_examples(
    lines, factor, period, degrees
):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = [factor * stroke @ [[cosine, sine], [-sine, cosine]] for stroke in strokes(lines[0])]
    none = np.zeros(len(lines[0]), dtype=np.uint8)
    foreign, _ = ResampleTime(period=period)(from_strokes(turned), none, None)
    ink, expected = match_device(foreign, lines[1:]), match_device(lines[0], lines[1:])
    assert x_height(ink) == pytest.approx(np.median([*map(x_height, lines[1:])]), rel=0.02)
    assert mean_step(ink) == pytest.approx(np.median([*map(mean_step, lines[1:])]), rel=0.1)
    for stroke, same in zip(strokes(ink), strokes(expected), strict=True):
        np.testing.assert_allclose(stroke[[0, -1]], same[[0, -1]], atol=0.05 * x_height(ink))
