import re

import numpy as np
import pytest

from data_loader import UnipenDataset
from ink.formats.unipen.blocks import blocks_of
from ink.formats.unipen.segments import parse_level, read_document
from tests.data_loader.archives import put
from tests.loaded import in_order
from utils.checks import DataError

PIECES = [[(10, 20), (13, 24), (12, 30)], [(15, 20), (15, 25)], [(30, 10), (31, 12)]]


def down(points):
    rows = "".join(f" {x}  {y}\n" for x, y in points)
    return f".PEN_DOWN\n{rows}.PEN_UP\n.DT 120\n"


def digits(count=30, start=0):
    """Return a file as the UCI pen digits are: each segment before its pieces."""
    content, at = '.INCLUDE other.doc\n\n.LEXICON "0" "1"\n.HIERARCHY DIGIT\n\n', start
    for n in range(count):
        size = 1 + n % 2
        named = f"{at}" if size == 1 else f"{at}-{at + 1}"
        content += f'.SEGMENT DIGIT  {named} ? "{n % 10}"\n.COMMENT {n % 10} {n % 12}  224\n'
        content += "".join(down(piece) for piece in PIECES[:size])
        at += size
    return content


def prepared(root, content=None, name="digits", **options):
    if content is not None:
        put(root, {name: content})
    return UnipenDataset(root=str(root), **options).load()


def named(dataset):
    return {sample.name: sample for sample in dataset.used}


def test_segments_are_read_when_each_stands_before_its_components(tmp_path):
    dataset = prepared(tmp_path, digits(), strict=True, writer_comment=1)
    assert len(dataset.used) == 30 and dataset.quantisation_step == 1.0
    sample = named(dataset)["digits:00001"]
    upwards = [[0, 0, 0], [3, -4, 0], [-1, -6, 1], [3, 10, 0], [0, -5, 1]]  # as y grew
    assert sample.ink.tolist() == upwards
    assert sample.text == "1" and sample.writer == "digits:1"
    assert named(dataset)["digits:00000"].ink[:, 2].tolist() == [0, 0, 1]
    for split in ("train", "valid", "test"):
        assert len({sample.writer for sample in dataset.split(split)})


def test_numbers_that_do_not_fit_the_file_do_not_shift_labels(tmp_path):
    """Where segments were taken out of a file, its later ones count on as before."""
    content = digits(10) + digits(10, start=500).split("DIGIT\n", 1)[1]
    samples = in_order(prepared(tmp_path, content, strict=True))
    labels = [(sample.text, len(sample.ink)) for sample in samples]
    assert labels == [(str(n % 10), 3 if n % 2 == 0 else 5) for n in range(20)]


def test_segments_that_name_no_pieces_have_those_that_follow(tmp_path):
    content = re.sub(r"(?<=DIGIT  )[-0-9]+", "?", digits(4))
    samples = in_order(prepared(tmp_path, content, strict=True))
    assert [len(sample.ink) for sample in samples] == [3, 5, 3, 5]


def test_segments_before_all_components_name_them_by_number_and_point(tmp_path):
    content = (
        ".WRITER_ID ann smith\n.COORD X Y T P\n.HIERARCHY WORD CHARACTER\n"
        '.SEGMENT WORD 0-2 OK "say \\"hi\\"\\n there"\n.SEGMENT CHARACTER 0 ? "s"\n'
        '.SEGMENT CHARACTER 1,2 ? "a"\n.SEGMENT CHARACTER 0:1-1:0 ? "x"\n'
    )
    content += "".join(
        ".PEN_DOWN\n\n.PEN_DOWN\n" + "".join(f"{x} {y} 5 99\n" for x, y in piece) + ".PEN_UP\n\n"
        for piece in PIECES
    )
    put(tmp_path, dict.fromkeys("abcd", content))
    first = in_order(prepared(tmp_path, level="word"))[0]
    assert first.text == 'say "hi" there' and first.writer == "ann smith"
    assert first.ink[:, 2].tolist() == [0, 0, 1, 0, 1, 0, 1]
    letters = in_order(prepared(tmp_path, level="CHARACTER"))
    assert [len(sample.ink) for sample in letters[:3]] == [3, 4, 3]
    assert letters[2].ink.tolist() == [[0, 0, 0], [-1, -6, 1], [3, 10, 1]]
    words = prepared(tmp_path).used  # as they are the fewest
    assert {sample.text for sample in words} == {first.text}
    with pytest.raises(DataError, match="4 are left out: a: no segments of the level LINE, b: no"):
        prepared(tmp_path, level="LINE")


def test_files_called_train_and_test_are_the_splits(tmp_path):
    prepared(tmp_path, digits(40), "pendigits-train", writer_comment=1)
    dataset = prepared(tmp_path, digits(20), "pendigits-test", writer_comment=1)
    assert {sample.group for sample in dataset.split("test")} == {"pendigits-test"}
    assert len(dataset.split("test")) == 20 and len(dataset.split("valid")) > 0
    train, valid = ({sample.writer for sample in dataset.split(s)} for s in ("train", "valid"))
    assert not train & valid


def test_a_file_cut_short_loses_its_last_segment_only(tmp_path):
    content, message = digits(), r"^digits:00029: a component cut short: .*\.SEGMENT in line \d+"
    with pytest.raises(DataError, match=message):
        prepared(tmp_path, content[: content.rindex(".PEN_UP") - 3], strict=True)
    assert len(prepared(tmp_path).used) == 29
    report = prepared(tmp_path, content[: content.rindex(".PEN_DOWN")]).report
    assert "names another number of components: digits:00029" in report


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello\n1 2\n", "no UNIPEN keyword in it"),
        (b".COORD X T\n" + digits().encode(), "columns without X or Y .*line 1"),
        (b".PEN_DOWN\n1 2\n3 4\n.PEN_UP\n", "no segments of the level"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, reason):
    (tmp_path / "good").write_text(digits())
    with pytest.raises(DataError, match=f"^digits: {reason}"):
        prepared(tmp_path, content, strict=True)


def test_strokes_are_resampled_by_the_rate_of_their_tablet():
    places = [n * n for n in range(11)]  # faster and faster
    content = "".join(
        f'{rate}.SEGMENT DIGIT 0 ? "{n}"\n{down([(x, 0) for x in places])}'
        for n, rate in enumerate(["", *(f".POINTS_PER_SECOND {r}\n" for r in (100, 25, 9600, 50))])
    )
    document = read_document(blocks_of([("", content)], lambda name: b""), 50.0)
    parsed = parse_level(document, "DIGIT")
    of_100, of_50 = ([*np.cumsum(sample.ink[:, 0])] for sample in parsed.samples)
    assert of_100 == places[::2] and of_50 == places
    reason = "points per second unknown or not 40 to 1000"
    left_out = [(reason, f"0000{n}") for n in (0, 2, 3)]
    assert [(sample.reason, sample.name) for sample in parsed.left_out] == left_out


def test_a_writer_that_no_comment_names_is_named(tmp_path):
    with pytest.raises(DataError, match="no writer in the comment"):
        prepared(tmp_path, digits(), writer_comment=9, strict=True)
