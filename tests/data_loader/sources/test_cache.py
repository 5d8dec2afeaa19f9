import logging
import os
import threading
from dataclasses import replace

import numpy as np
import pytest

from data_loader.sources.cache import fingerprint, load_or_make, pack, unpack
from data_loader.sources.parsing import Fault, Parsed, Sample
from utils.checks import DataError

INK = np.array([[0, 0, 0], [5, -7, 1], [-300, 32767, 0], [1, 2, 1]], dtype=np.float32)
DOT = np.array([[0, 0, 1]], dtype=np.float32)
SAMPLES = [
    Sample(INK, "naïve “text”", "b", "ann", "form1", missing=np.array([0, 3, 0, 127])),
    Sample(DOT, "", "a"),
]


def make(*folders, read=lambda: Parsed(SAMPLES), key=None):
    return load_or_make("kind", list(folders), key or {}, read)


def forbidden():
    raise AssertionError("the source was read again")


def files(folder):
    return [path for path in folder.iterdir() if path.suffix != ".lock"]


def test_samples_come_back_as_they_were_sorted_by_name(tmp_path):
    made, file = make(tmp_path)
    read, again = make(tmp_path, read=forbidden)
    assert again == file and files(tmp_path) == [file] and not read.left_out
    for dot, line in (made.samples, read.samples):
        assert (dot.name, dot.text, dot.ink.tolist()) == ("a", "", DOT.tolist())
        assert (line.ink == INK).all() and line.ink.dtype == np.float32
        assert line.missing.tolist() == [0, 3, 0, 127] and line.missing.dtype == np.uint8
        assert (line.text, line.writer, line.group) == ("naïve “text”", "ann", "form1")
    assert np.load(file)["offsets"].dtype == np.int16
    assert make(tmp_path, key={"n": 1})[-1] != file


def test_extras_come_back_and_are_in_the_file_only_where_there_are_any(tmp_path):
    told = [
        replace(one, extras={"mood": np.float32([n, 0.1]), "age": np.float32(n)})
        for n, one in enumerate(SAMPLES)
    ]
    make(tmp_path, read=lambda: Parsed(told))
    (dot, line), file = (lambda parsed, file: (parsed.samples, file))(
        *make(tmp_path, read=forbidden)
    )
    assert dot.extras["mood"].tolist() == np.float32([1, 0.1]).tolist() and line.extras["age"] == 0
    assert {one.dtype for one in line.extras.values()} == {np.dtype(np.float32)}
    assert {*np.load(file)} - {*pack(Parsed(SAMPLES))} == {"extra.mood", "extra.age"}
    assert unpack(pack(Parsed(SAMPLES))).samples[0].extras == {}
    with pytest.raises(DataError, match="a has no extras, but b, the first, has mood"):
        pack(Parsed([told[0], SAMPLES[1]]))


@pytest.mark.parametrize("offset", [0.1, 1e9, 65000.5, 40000.0])
def test_offsets_that_are_no_small_whole_numbers_keep_their_bits(offset):
    ink = np.float32([[0, 0, 0], [offset, 1, 1]])
    (sample,) = unpack(pack(Parsed([Sample(ink, "")]))).samples
    assert (sample.ink == ink).all()


def test_fingerprint_changes_with_each_file(tmp_path):
    file, found = tmp_path / "one", []
    for content, time in (("a", 1), ("a", 1), ("a", 0), ("ab", 0)):
        file.write_text(content)
        os.utime(file, ns=(time, time))
        found.append(fingerprint([file], tmp_path))
    (tmp_path / "two").write_text("")
    found.append(fingerprint([file, tmp_path / "two"], tmp_path))
    assert found[0] == found[1] and len(set(found)) == 4


def test_what_is_left_out_is_kept_and_nothing_of_use_is_an_error(tmp_path):
    found = Parsed([*SAMPLES, Sample(INK, "again", "a")], [Fault("broken", "so", "bad")])
    for read in (lambda: found, forbidden):
        parsed, _ = make(tmp_path, read=read)
        said = ["a: a name that another sample has", "bad: broken (so)"]
        assert [str(fault) for fault in parsed.left_out] == said and parsed.samples[0].text == ""
    with pytest.raises(DataError, match=r"^x: broken \(so\)$"):
        make(tmp_path, read=lambda: Parsed([], [Fault("broken", "so", "x")]), key={"n": 1})
    faults = [Fault("broken", name="x"), Fault("broken", name="y")]
    with pytest.raises(DataError, match="no sample can be used; 2 are left out: x: broken, y: b"):
        make(tmp_path, read=lambda: Parsed([], faults), key={"n": 1})


def test_an_interrupted_parse_leaves_nothing(tmp_path):
    def read():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, read=read)
    assert not files(tmp_path)
    *_, file = make(tmp_path)
    file.rename(file.with_name(f".{file.stem}.npz.7-00000000.tmp"))  # as a killed process leaves it
    assert make(tmp_path)[-1] == file and files(tmp_path) == [file]


@pytest.mark.parametrize("keep", [0, 10, 0.5, -1, "kind of compression"])
def test_a_damaged_cache_is_rebuilt(tmp_path, caplog, keep):
    *_, file = make(tmp_path)
    data = bytearray(file.read_bytes())
    if keep == 0.5:
        data[len(data) // 2] ^= 1
    elif keep == "kind of compression":
        data[data.index(b"PK\1\2") + 10] = 99
    else:
        del data[keep:]
    file.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert (make(tmp_path)[0].samples[1].ink == INK).all()
    assert "is damaged and will be rebuilt" in caplog.text
    assert (make(tmp_path, read=forbidden)[0].samples[1].ink == INK).all()


def test_of_two_at_a_time_one_reads_the_source(tmp_path):
    other = []

    def read():
        second.start()
        second.join(0.3)
        assert not other  # it waits
        return Parsed(SAMPLES)

    second = threading.Thread(target=lambda: other.append(make(tmp_path, read=forbidden)))
    made = make(tmp_path, read=read)
    second.join()
    assert made[-1] == other[0][-1]


def test_the_first_folder_that_can_be_written_is_taken(tmp_path):
    closed, user = tmp_path / "closed", tmp_path / "user"
    closed.write_text("a file stands where the folder should be")
    assert make(user, closed)[-1].parent == user
    assert make(closed, user, read=forbidden)[-1].parent == user
    with pytest.raises(DataError, match=r'no folder for .*closed \(File exists\).*"cache"'):
        make(closed)
