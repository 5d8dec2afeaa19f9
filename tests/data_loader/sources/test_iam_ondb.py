import pytest

from data_loader.sources.iam_ondb import IAMOnDBDataset
from tests.data_loader.archives import pack_folders, put
from tests.data_loader.ink_formats import iam, iam_files, iam_name, iam_text
from utils.checks import ConfigFault, DataError

# Two strokes: two steps, a pen lift of 1 s, and within the second stroke a gap of 0.06 s, which
# is four periods of 15 ms, so three points are missing.
STROKES = [
    [(100, 200, "7.00"), (103, 204, "7.02"), (101, 210, "7.03")],
    [(150, 190, "8.03"), (152, 191, "8.09"), (153, 191, "8.12")],
]
INK = [[0, 0, 0], [3, 4, 0], [-2, 6, 1], [49, -20, 0], [2, 1, 0], [1, 0, 1]]
MISSING = [0, 0, 0, 0, 3, 0]

FORMS = {  # form: (task file, lines)
    "a01-000u": ("trainset", 2),
    "a01-000x": ("trainset", 1),
    "b02-105": ("testset_v", 2),
    "c03-003a": ("testset_t", 1),
    "d04-081": ("testset_f", 3),
    "z00-001": (None, 1),
}
LINE = iam(STROKES)


@pytest.fixture
def files():
    """A small database in its own format, as a dict from file name to content."""
    forms = {}
    for form, (task, lines) in FORMS.items():
        forms[form] = task, [(LINE, f"{form} line {n}") for n in range(1, lines + 1)]
    return iam_files(forms)


def write(root, files, layout="archives"):
    """Write a database as its site hands it out, or with its archives unpacked."""
    if layout in ("archives", "plain"):
        return pack_folders(root, files, "w" if layout == "plain" else "w:gz")
    places = {name: layout.replace("PART", name.partition("/")[0]) for name in files if "/" in name}
    return put(root, {f"{places.get(name, '.')}/{name}": files[name] for name in files})


def prepared(root, **options):
    return IAMOnDBDataset(root=str(root), **options).load()


def names(dataset, split):
    return [line.name for line in dataset.split(split)]


@pytest.mark.parametrize("layout", ["archives", "plain", ".", "PART-all", "iam/data"])
def test_lines_are_read_from_archives_and_folders(tmp_path, files, layout):
    dataset = prepared(write(tmp_path, files, layout))
    assert ": 10 lines" in dataset.report
    assert names(dataset, "valid") == names(dataset, "test") == ["b02-105-01", "b02-105-02"]
    train = [("a01-000u", 2), ("a01-000x", 1), ("c03-003a", 1), ("d04-081", 3)]
    expected = [f"{form}-{n:02}" for form, lines in train for n in range(1, lines + 1)]
    assert names(dataset, "train") == expected
    sample = dataset.split("valid")[1]
    assert sample.ink.tolist() == INK and sample.missing.tolist() == MISSING
    assert (sample.text, sample.group, sample.writer) == ("b02-105 line 2", "b02-105", "")
    assert (dataset.canonical, dataset.quantisation_step) == ((41.95, 37.12), 1.0)


def test_report_counts_lines_that_are_used_left_out_or_missing(tmp_path, files):
    del files[iam_name("d04-081", 3)]
    files[iam_name("a01-000u", 3)] = files.pop(iam_name("a01-000u", 2))
    files["testset_f.txt"] += b" e05-000\n e05-001z\n"
    report = prepared(write(tmp_path, files)).report
    assert "train        2 lines          12 points        30 characters" in report
    assert "4 left out: a form whose transcriptions do not match its line files: " in report
    assert "a01-000u-01 (2 for the files 1, 3)" in report and "d04-081-01 (3 for the " in report
    assert "2 forms of testset_f are missing: e05-000, e05-001z" in report
    assert "1 lines are in none of the task files used" in report


BROKEN_FORMS = {
    "missing": (None, "no transcription of the form"),
    "without CSR": (b"OCR:\n\none\ntwo\n", "a transcription without the part CSR:"),
    "empty": (b"OCR:\n\none\n\nCSR:\n\n \n", "an empty transcription"),
    "too many": (iam_text("1", "2", "3"), r"a form whose .* not match .* \(3 for the files 1, 2\)"),
    "binary": (iam_text("one", "t\x00wo"), r"unprintable characters .*'t\\x00wo'"),
}


@pytest.mark.parametrize("kind", BROKEN_FORMS)
def test_a_broken_transcription_is_named_with_its_lines(tmp_path, files, kind):
    files[iam_name("a01-000u")], reason = BROKEN_FORMS[kind]
    files = {name: content for name, content in files.items() if content is not None}
    root = write(tmp_path, files)
    with pytest.raises(DataError, match=f"^a01-000u-01: {reason}"):
        prepared(root, strict=True)
    report = prepared(root).report
    assert ": 8 lines" in report and "a01-000u-02" in report


def test_transcriptions_skip_blank_lines_and_read_any_line_ends(tmp_path, files):
    files[iam_name("a01-000u")] = b"OCR:\r\n\r\nCSR: \r\n\r\n\r\n He said &c \r\n\r\ncaf\xe9\r\n"
    dataset = prepared(write(tmp_path, files))
    assert [line.text for line in dataset.split("train")[:2]] == ["He said &c", "café"]


@pytest.mark.parametrize("part", ["lineStrokes-all.tar.gz", "ascii-all.tar.gz", "testset_v.txt"])
def test_a_missing_part_is_named_with_where_to_get_it(tmp_path, files, part):
    root = write(tmp_path, files)
    (root / part).unlink()
    page = "https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database"
    with pytest.raises(DataError, match=f"{root} has no {part}. Register .*{page}.* into {root} "):
        prepared(root)


def test_an_archive_with_nothing_of_use_is_an_error(tmp_path, files):
    files = {name.replace("-0", "_0"): content for name, content in files.items()}
    with pytest.raises(DataError, match=r"no line files such as a01-000u-01.xml"):
        prepared(write(tmp_path, files))


def test_absent_forms_are_an_error_only_if_strict(tmp_path, files):
    files["testset_f.txt"] += b" e05-000\n"
    with pytest.raises(
        DataError, match="1 forms of testset_f are missing: e05-000; the other forms"
    ):
        prepared(write(tmp_path, files), strict=True)
    assert ": 10 lines" in prepared(tmp_path).report


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>log in</html>", "testset_v.txt: '<html>log' is not the name of a form"),
        (b"\n", "testset_v.txt: an empty file"),
        (b"b02-105 a01-000u\n", "form a01-000u into train and valid"),
        (b"e05-000", "no lines for the split 'valid': 1 forms of testset_v"),
    ],
)
def test_a_task_file_that_does_not_fit_is_an_error(tmp_path, files, content, message):
    files["testset_v.txt"] = content
    with pytest.raises(DataError, match=message):
        prepared(write(tmp_path, files))


def test_splits_follow_the_config(tmp_path, files):
    splits = {"train": ["trainset"], "valid": ["testset_v", "testset_t"], "test": ["testset_f"]}
    dataset = prepared(write(tmp_path, files), splits=splits)
    assert [len(dataset.split(split)) for split in splits] == [3, 3, 3]
    dataset = prepared(tmp_path, splits={"train": ["trainset"], "valid": ["testset_v"]})
    assert set(dataset.samples) == {"train", "valid"}


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": ["trainset"], "val": ["testset_v"]}, "task files for train, valid and"),
        ({"train": ["trainset"], "valid": ["trainset"]}, "in train or in valid, not in both"),
    ],
)
def test_splits_that_do_not_fit_are_refused(splits, message):
    with pytest.raises(ConfigFault, match=f"splits = .*{message}"):
        IAMOnDBDataset(splits=splits)
