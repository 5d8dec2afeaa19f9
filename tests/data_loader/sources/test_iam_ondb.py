import pytest

from data_loader.sources.iam_ondb import IAMOnDBDataset
from tests.data_loader.archives import pack
from utils.checks import ConfigFault, DataError

# Two strokes: two steps, a pen lift of 1 s, and within the second stroke a gap of 0.06 s, which
# is four periods of 15 ms, so three points are missing.
STROKES = [
    [(100, 200, "7.00"), (103, 204, "7.02"), (101, 210, "7.03")],
    [(150, 190, "8.03"), (152, 191, "8.09"), (153, 191, "8.12")],
]
INK = [[0, 0, 0], [3, 4, 0], [-2, 6, 1], [49, -20, 0], [2, 1, 0], [1, 0, 1]]
MISSING = [0, 0, 0, 0, 3, 0]


def xml(strokes=STROKES, head='<?xml version="1.0" encoding="ISO-8859-1"?>'):
    body = "".join(
        '<Stroke colour="black" start_time="1" end_time="2">\n'
        + "".join(f'  <Point x="{x}" y="{y}" time="{t}"/>\n' for x, y, t in stroke)
        + "</Stroke>\n"
        for stroke in strokes
    )
    return (
        f"{head}\n<WhiteboardCaptureSession><WhiteboardDescription>"
        '<DiagonallyOppositeCoords x="6512" y="1376"/></WhiteboardDescription>\n'
        f"<StrokeSet>\n{body}</StrokeSet></WhiteboardCaptureSession>\n"
    ).encode()


def ascii_form(texts):
    return ("OCR:\n\nnot this\n\nCSR:\n\n" + "\n".join(texts) + "\n").encode()


FORMS = {  # form: (task file, lines)
    "a01-000u": ("trainset", 2),
    "a01-000x": ("trainset", 1),
    "b02-105": ("testset_v", 2),
    "c03-003a": ("testset_t", 1),
    "d04-081": ("testset_f", 3),
    "z00-001": (None, 1),
}


def line_name(form, number):
    return f"lineStrokes/{form[:3]}/{form[:7]}/{form}-{number:02}.xml"


def text_name(form):
    return f"ascii/{form[:3]}/{form[:7]}/{form}.txt"


def database():
    """A small database in its own format, as a dict from file name to content."""
    files = {}
    for form, (_, lines) in FORMS.items():
        files[text_name(form)] = ascii_form([f"{form} line {n}" for n in range(1, lines + 1)])
        for n in range(1, lines + 1):
            files[line_name(form, n)] = xml()
    for task in ("trainset", "testset_v", "testset_t", "testset_f"):
        forms = [form for form, (name, _) in FORMS.items() if name == task]
        files[f"{task}.txt"] = "".join(f" {form}\n" for form in forms).encode()
    return files


def write(root, files, layout="archives"):
    """Write a database as its site hands it out, or with its archives unpacked."""
    mode = {"archives": "w:gz", "plain": "w"}.get(layout)
    for part in ("lineStrokes", "ascii"):
        members = {name: content for name, content in files.items() if name.startswith(part)}
        if mode is None:
            above = root / layout.replace("PART", part)
            for name, content in members.items():
                (above / name).parent.mkdir(parents=True, exist_ok=True)
                (above / name).write_bytes(content)
            continue
        pack(root / f"{part}-all.tar.gz", members, mode)
    for name, content in files.items():
        if "/" not in name:
            (root / name).write_bytes(content)
    return root


def prepared(root, **options):
    dataset = IAMOnDBDataset(root=str(root), **options)
    dataset.prepare()
    return dataset


@pytest.fixture
def files():
    return database()


def cache_of(dataset):
    return dataset.report().rpartition("cache: ")[2]


def names(dataset, split):
    return [dataset.name(n) for n in dataset.indices(split)]


@pytest.mark.parametrize(
    "layout", ["archives", "plain", ".", "PART-all", "data", "iam/data"], ids=lambda name: name
)
def test_reads_archives_and_folders(tmp_path, files, layout):
    dataset = prepared(write(tmp_path, files, layout))
    assert len(dataset) == 10
    assert names(dataset, "valid") == names(dataset, "test") == ["b02-105-01", "b02-105-02"]
    assert names(dataset, "train") == [
        "a01-000u-01",
        "a01-000u-02",
        "a01-000x-01",
        "c03-003a-01",
        "d04-081-01",
        "d04-081-02",
        "d04-081-03",
    ]
    index = int(dataset.indices("valid")[1])
    assert dataset.ink(index).tolist() == INK
    assert dataset.missing(index).tolist() == MISSING
    assert dataset.text(index) == "b02-105 line 2"
    assert dataset.group(index) == "b02-105" and dataset.writer(index) == ""
    assert dataset.lengths[index] == 6
    assert (dataset.canonical, dataset.quantisation_step) == ((41.95, 37.12), 1.0)


def test_report_says_what_is_used_and_what_is_not(tmp_path, files):
    del files[line_name("d04-081", 3)]
    files["testset_f.txt"] += b" e05-000\n e05-001z\n"
    report = prepared(write(tmp_path, files)).report()
    assert "train        4 lines          24 points        60 characters" in report
    assert "(trainset 3, testset_t 1, testset_f 0)" in report
    assert "valid        2 lines" in report
    assert (
        "2 left out: form with 3 transcriptions for 2 line files: d04-081-01, d04-081-02" in report
    )
    assert "2 forms of testset_f are not there: e05-000, e05-001z" in report
    assert "1 lines are of no set in use" in report
    assert str(tmp_path / "cache") in report


NO_POINT = "a point without a whole x, a whole y and a time"
BROKEN = {
    "truncated": (xml()[:300], r"broken XML \(.*: line \d+, column \d+\)"),
    "no points": (xml([[], []]), "no points"),
    "one point": (xml([[(1, 2, 3)]]), "a single point"),
    "non-number": (xml([[(1, 2, 3), ("abc", 2, 4)]]), rf"{NO_POINT} \(point 2 has 'abc 2 4'\)"),
    "nan": (xml([[(1, 2, 3), (1, "nan", 4)]]), NO_POINT),
    "underscore": (xml([[(1, 2, 3), ("1_0", 2, 4)]]), NO_POINT),
    "off the grid": (xml([[(1, 2, 3), (1.5, 2, 4)]]), NO_POINT),
    "no time": (xml().replace(b'time="8.12"', b""), NO_POINT),
    "endless": (xml([[(1, 2, 3), ("9" * 400, 2, 4)]]), "a non-number"),
    "endless time": (xml([[(1, 2, 3), (2, 2, "9" * 400)]]), "a non-number"),
    "too far": (xml([[(1, 2, 3), (2 * 10**9, 2, 4)]]), r"an offset longer than 1e\+09"),
    "too many": (xml([[(n, 2, 3) for n in range(101)]]), r"more than 100 points .*\(101\)"),
    "too large": (xml() + b" " * 9000, r"more than 9,000 bytes \(the limit max_bytes"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_line_files_are_named_and_left_out_or_stop_the_run(tmp_path, files, kind):
    content, reason = BROKEN[kind]
    files[line_name("a01-000u", 2)] = content
    root = write(tmp_path, files)
    with pytest.raises(DataError, match=f"^a01-000u-02: {reason}"):
        prepared(root, strict=True, max_points=100, max_bytes=9000)
    dataset = prepared(root, max_points=100, max_bytes=9000)
    assert len(dataset) == 9 and "a01-000u-01" in names(dataset, "train")
    assert "1 left out: " in dataset.report() and "a01-000u-02" in dataset.report()


BROKEN_FORMS = {
    "missing": (None, "no transcription of the form"),
    "without CSR": (b"OCR:\n\none\ntwo\n", "a transcription without the part CSR:"),
    "empty": (b"OCR:\n\none\n\nCSR:\n\n \n", "an empty transcription"),
    "too few": (ascii_form(["one"]), "form with 1 transcriptions for 2 line files"),
    "too many": (ascii_form(["1", "2", "3"]), "form with 3 transcriptions for 2 line files"),
    "binary": (ascii_form(["one", "t\x00wo"]), r"unprintable characters .*'t\\x00wo'"),
}


@pytest.mark.parametrize("kind", BROKEN_FORMS)
def test_lines_without_a_sound_transcription_are_left_out(tmp_path, files, kind):
    content, reason = BROKEN_FORMS[kind]
    if content is None:
        del files[text_name("a01-000u")]
    else:
        files[text_name("a01-000u")] = content
    root = write(tmp_path, files)
    with pytest.raises(DataError, match=f"^a01-000u-01: {reason}"):
        prepared(root, strict=True)
    dataset = prepared(root)
    assert len(dataset) == 8
    assert "2 left out" in dataset.report() and "a01-000u-02" in dataset.report()


def test_files_numbered_with_a_gap_are_not_paired(tmp_path, files):
    files[line_name("a01-000u", 3)] = files.pop(line_name("a01-000u", 2))
    report = prepared(write(tmp_path, files)).report()
    assert (
        "2 transcriptions for 2 line files, numbered otherwise: a01-000u-01, a01-000u-03" in report
    )


def test_transcriptions_skip_blank_lines_and_read_any_line_ends(tmp_path, files):
    files[text_name("a01-000u")] = b"OCR:\r\n\r\nCSR: \r\n\r\n\r\n He said &c \r\n\r\ncaf\xe9\r\n"
    dataset = prepared(write(tmp_path, files))
    assert [dataset.text(n) for n in dataset.indices("train")[:2]] == ["He said &c", "café"]


@pytest.mark.parametrize("time_text", ["8.06", "7.50", "-5"])  # 2 periods; backwards in time
def test_short_gaps_and_odd_clocks_miss_nothing(tmp_path, files, time_text):
    files[line_name("b02-105", 1)] = xml([[(1, 1, "8.03"), (2, 2, time_text)]])
    dataset = prepared(write(tmp_path, files))
    assert not dataset.missing(dataset.indices("valid")[0]).any()


def test_long_gaps_count_up_to_127(tmp_path, files):
    files[line_name("b02-105", 1)] = xml([[(1, 1, "8.00"), (2, 2, "8.04"), (2, 3, "99.00")]])
    dataset = prepared(write(tmp_path, files))
    assert dataset.missing(dataset.indices("valid")[0]).tolist() == [0, 2, 127]


@pytest.mark.parametrize("part", ["lineStrokes-all.tar.gz", "ascii-all.tar.gz", "testset_v.txt"])
def test_a_missing_part_is_named_with_where_to_get_it(tmp_path, files, part):
    root = write(tmp_path, files)
    (root / part).unlink()
    with pytest.raises(DataError) as caught:
        prepared(root)
    message = str(caught.value)
    assert f"{root} has no {part}. Register" in message
    assert "https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database" in message
    assert "download lineStrokes-all.tar.gz and ascii-all.tar.gz" in message
    assert f"into {root} " in message


def test_an_archive_with_nothing_of_use_is_an_error(tmp_path, files):
    files = {name.replace("-0", "_0"): content for name, content in files.items()}
    with pytest.raises(DataError, match=r"no line files such as a01-000u-01.xml"):
        prepared(write(tmp_path, files))


def test_absent_forms_are_an_error_only_if_strict(tmp_path, files):
    files["testset_f.txt"] += b" e05-000\n"
    root = write(tmp_path, files)
    assert len(prepared(root)) == 10
    with pytest.raises(DataError, match="1 forms of testset_f are not there: e05-000; without"):
        prepared(root, strict=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>log in</html>", "'<html>log' is not the name of a form"),
        (b"\n", "an empty file"),
    ],
)
def test_a_task_file_that_is_none_is_an_error(tmp_path, files, content, message):
    files["testset_v.txt"] = content
    with pytest.raises(DataError, match=rf"testset_v.txt: {message}"):
        prepared(write(tmp_path, files))


def test_a_form_in_training_and_validation_is_an_error(tmp_path, files):
    files["testset_v.txt"] += b" a01-000u\n"
    with pytest.raises(DataError, match="form a01-000u be in train and in valid"):
        prepared(write(tmp_path, files))


def test_a_split_without_lines_is_an_error(tmp_path, files):
    files["testset_v.txt"] = b" e05-000\n"
    with pytest.raises(DataError, match="no lines for the split 'valid': 1 forms of testset_v"):
        prepared(write(tmp_path, files))


def test_splits_follow_the_config(tmp_path, files):
    splits = {"train": ["trainset"], "valid": ["testset_v", "testset_t"], "test": ["testset_f"]}
    dataset = prepared(write(tmp_path, files), splits=splits)
    assert [len(dataset.indices(split)) for split in splits] == [3, 3, 3]
    dataset = prepared(tmp_path, splits={"train": ["trainset"], "valid": ["testset_v"]})
    assert set(dataset.split_indices()) == {"train", "valid"}


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": ["trainset"], "val": ["testset_v"]}, '"val": one of train, valid, test'),
        (
            {"train": ["trainset"], "valid": ["testset"]},
            "some of trainset, testset_v, testset_t, testset_f, each once",
        ),
        ({"train": ["trainset"], "valid": ["trainset"]}, '"trainset": in train or in the others'),
        (
            {"train": ["trainset", "testset_f"], "valid": ["testset_v"], "test": ["testset_f"]},
            '"testset_f": in train or in the others',
        ),
        ({"train": ["trainset"]}, "a list of sets for 'train' and for 'valid'"),
        ({"train": [], "valid": ["testset_v"]}, "each once"),
        ({"train": ["trainset", "trainset"], "valid": ["testset_v"]}, "each once"),
    ],
)
def test_splits_that_do_not_fit_are_refused(splits, message):
    with pytest.raises(ConfigFault, match=f"splits = .*{message}"):
        IAMOnDBDataset(splits=splits)


def test_subset_takes_lines_by_seed_and_leaves_validation(tmp_path, files):
    root = write(tmp_path, files)
    full = names(prepared(root), "train")
    some = prepared(root, subset=3)
    assert len(names(some, "train")) == 3 and set(names(some, "train")) < set(full)
    assert len(names(some, "valid")) == 2
    assert "4 training lines are outside the subset" in some.report()
    others = {tuple(names(prepared(root, subset=3, subset_seed=n), "train")) for n in range(5)}
    assert len(others) > 1  # fails by (1 / 35) ^ 4
    with pytest.raises(ConfigFault, match="subset = 8: at most the 7 training lines"):
        prepared(root, subset=8)


def test_lines_of_a_list_are_in_no_split(tmp_path, files):
    root = write(tmp_path, files)
    full = prepared(root)
    train, valid = names(full, "train"), names(full, "valid")
    listed = tmp_path / "bad.txt"
    listed.write_text(
        f"# read by two people\n\n{train[1]} its text is another\n  {valid[0]}# cut off\n"
        f"{train[1]}\nz99-000z-01\n"
    )
    some = prepared(root, leave_out=str(listed))
    assert names(some, "train") == [train[0], *train[2:]] and names(some, "valid") == valid[1:]
    assert f"2 lines are left out by {listed}\n" in some.report()
    assert f"1 names in {listed} do not occur: z99-000z-01" in some.report()
    assert "left out by" not in full.report() and cache_of(some) == cache_of(full)
    fewer = prepared(root, leave_out=str(listed), subset=3)
    assert len(names(fewer, "train")) == 3 and train[1] not in names(fewer, "train")
    with pytest.raises(ConfigFault, match="subset = 7: at most the 6 training lines"):
        prepared(root, leave_out=str(listed), subset=7)


def test_a_list_that_cannot_be_used_is_named(tmp_path, files):
    root = write(tmp_path, files)
    absent = tmp_path / "absent.txt"
    with pytest.raises(ConfigFault, match=r'leave_out = .*absent\.txt": .* this is a file that c'):
        prepared(root, leave_out=str(absent))
    listed = tmp_path / "all.txt"
    listed.write_text("\n".join(names(prepared(root), "valid")))
    with pytest.raises(
        ConfigFault, match=r'leave_out = .*all\.txt": some lines must remain for val'
    ):
        prepared(root, leave_out=str(listed))
    listed.write_bytes(b"a01-000u-01\n\xff\n")
    with pytest.raises(ConfigFault, match=r"not UTF-8 text \(byte 0xff in line 2\)"):
        prepared(root, leave_out=str(listed))


def test_another_limit_makes_a_new_cache(tmp_path, files):
    root = write(tmp_path, files)
    usual, short = prepared(root), prepared(root, max_points=19_999)
    assert cache_of(usual) != cache_of(short)


def test_members_outside_and_broken_archives_are_named(tmp_path, files):
    root = write(tmp_path, files | {"lineStrokes/../../a01-000u-03.xml": xml()})
    assert "a member outside of the archive: lineStrokes/../.." in prepared(root).report()
    (root / "lineStrokes-all.tar.gz").write_bytes(b"<html>log in</html>")
    with pytest.raises(DataError, match=r"lineStrokes.*: a broken archive .* download it again"):
        prepared(root)
