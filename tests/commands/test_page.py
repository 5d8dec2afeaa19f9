"""Texts on paper: options, files and messages."""

import io
import json
import os
import re
import shlex
import shutil
import sys
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import experiments
from apps.pages import hands, page_hands
from apps.pages.page_options import PageOptions
from apps.pages.styles import styles, usual_style_of
from base.run.pretrained import pretrained
from commands.page import MAX_TEXT_BYTES, options_of, show_count
from model.drawing.page import PAGE_SUFFIXES
from tests.commands.networks import use
from tests.ink.formats.svg.small_font import svg_font
from utils.checks import UserError


@pytest.fixture
def networks(checkpoints):
    """An untrained writer and reader."""
    return {"-r": checkpoints["SynthesisNetwork"], "--proofread": checkpoints["CTCNetwork"]}


def rows_of(path):
    """Return the rows of a page: `text`, `pen`, `period` and `strokes`, arrays `(n, 2)`."""
    page = json.loads(path.read_text(), object_hook=lambda values: SimpleNamespace(**values))
    for row in page.rows:
        row.strokes = [np.array(stroke) for stroke in row.strokes]
    return page.rows


def write_page(networks, *words, proofread=False):
    options = ["-r", networks["-r"], "-d", "cpu"]
    if proofread:
        options += ["--proofread", networks["--proofread"]]
    elif "--proofread" not in words:
        options.append("--no-proofread")
    return experiments.main([str(word) for word in ["page", *options, *words]])


def text_file(folder, text, name="letter.txt"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.slow
def test_the_advice_of_a_page_is_a_command_that_writes_its_doubtful_words_again(
    networks, tmp_path, capsys
):
    text, output = text_file(tmp_path, "ab ba"), tmp_path / "my page.svg"
    write_page(networks, text, "--output", output, *HUGE, "--tries", 1, proofread=True)
    (tmp_path / "first.svg").write_bytes(output.read_bytes())
    *shown, advice = capsys.readouterr().out.splitlines()
    assert "page 1, row 1, word 2, 'ba': " in shown[-2]
    words = shlex.split(advice.partition(": ")[2])
    assert words[:3] == ["python", "experiments.py", "page"]
    report = tmp_path / "my page-report.json"
    assert words[-4:] == ["--report", str(report), "--output", str(output)]
    assert experiments.main(words[2:]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == advice  # An untrained reader has doubts.
    assert output.read_bytes() == (tmp_path / "first.svg").read_bytes()
    assert experiments.main(["1:1:1" if each == "doubtful" else each for each in words[2:]]) == 0
    assert output.read_bytes() != (tmp_path / "first.svg").read_bytes()


def test_the_words_of_a_page_are_counted(capsys):
    for tries, said in (
        ([1], "1 word proofread, 0 of them written again"),
        ([1, 2], "2 words proofread, 1 of them written again"),
        ([], "0 words proofread, 0 of them written again"),
    ):
        read = [SimpleNamespace(tries=number) for number in tries]
        origin = SimpleNamespace(options=PageOptions(proofread=True))
        show_count(SimpleNamespace(proofread=read, origin=origin))
        assert capsys.readouterr().out == f"{said}\n"


def test_words_are_listed_and_written_again_by_their_text(networks, tmp_path, capsys):
    output, report = tmp_path / "a.json", tmp_path / "report.json"
    words = ("--text", "ab ba, ab", "--output", output, *HUGE, "--tries", 1, "--report", report)
    assert write_page(networks, *words, "--words", proofread=True) == 0
    table = "1:1:1      ab\n1:1:2      ba,\n1:1:3      ab\n"
    assert table in capsys.readouterr().out
    assert experiments.main(["page", "--words", "--report", str(report)]) == 0
    assert capsys.readouterr().out == table
    each = json.loads(report.read_text())["each"]
    places = [(word["page"], word["row"], word["word"], word["text"]) for word in each]
    assert places == [(1, 1, 1, "ab"), (1, 1, 2, "ba,"), (1, 1, 3, "ab")]
    again = ("page", "-d", "cpu", "--report", report, "--output", output, "--rewrite", "ab:2", "ba")
    assert experiments.main([*map(str, again)]) == 0
    said = capsys.readouterr().out
    assert "row 1, word 2, 'ba,': " in said and "row 1, word 3, 'ab': " in said
    (row,) = json.loads(report.read_text())["pages"][0]["rows"]
    assert [word["rewritten"] for word in row["words"]] == [0, 1, 1]
    before = report.read_bytes()
    other = [str(tmp_path / "b.json") if each is output else each for each in again]
    assert experiments.main([*map(str, other)]) == 0  # The pages of a.json keep their report.
    assert report.read_bytes() == before
    (row,) = json.loads((tmp_path / "b-report.json").read_text())["pages"][0]["rows"]
    assert [word["rewritten"] for word in row["words"]] == [0, 2, 2]
    for text, message in (("ab:3", "these pages have 2 such"), ("1:1", "no word of these pages")):
        with pytest.raises(UserError, match=f"'{text}': {message}"):
            experiments.main([*map(str, again[:-2]), text])


def test_the_status_is_3_if_a_word_could_not_be_written(networks, tmp_path, monkeypatch, capsys):
    """The network draws `ab` in no try, proofread or not."""
    usual = hands.written_words

    def without_ab(*line):
        return [replace(word, strokes=()) if word.text == "ab" else word for word in usual(*line)]

    monkeypatch.setattr(hands, "written_words", without_ab)
    for proofread in (False, True):
        with pytest.raises(SystemExit) as end:
            words = ("--text", "ba ab ba", "--output", tmp_path / "a.json", *HUGE)
            write_page(networks, *words, proofread=proofread)
        assert end.value.code == 3
        assert (
            "look at page 1, row 1, word 2, 'ab': could not be written" in capsys.readouterr().out
        )
        (row,) = rows_of(tmp_path / "a.json")
        assert row.text == "ba ab ba"


def test_several_pages_of_standard_input_are_numbered(networks, tmp_path, monkeypatch, capsys):
    stream = io.TextIOWrapper(io.BytesIO(b"\r\n".join([b"ab"] * 10)), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", stream)
    options = ("--paper", "100x60", "--set", "line_height=20")
    write_page(networks, "-", "--output", tmp_path / "out.json", *options)
    said = capsys.readouterr().out
    assert "5 sheets; --fit sets the text on one sheet, if it fits at half of its size" in said
    shown = said.split()
    files = sorted(tmp_path.glob("out*.json"))
    assert len(files) == 5 and files[0].name == "out-1.json"
    assert [word for word in shown if word.endswith(".json")] == [str(file) for file in files]
    rows = [row.text for file in files for row in rows_of(file)]
    assert rows == ["ab"] * 10


HUGE = ("--paper", "5000x5000", "--margins", 1000, "--set", "line_height=30")


@pytest.mark.slow
def test_front_matter_changes_the_settings_of_the_text_below_it_only(networks, tmp_path):
    plain = "ab\nba ab\nb a"
    marked = (
        "---\nstyle: flowing\nbias: 2\nsize: 4\ncolor: #AA0033\npen: 0.9\nalign: right\n---\nab\n"
        "---\nindent: 9\n---\nba ab\n---\n---\nb a"
    )
    rows, reports = [], []
    for number, text in enumerate((plain, marked)):
        output, report = tmp_path / f"{number}.json", tmp_path / f"report{number}.json"
        write_page(networks, text_file(tmp_path, text), "--output", output, *HUGE,
              "--tries", 2, "--report", report, proofread=True)  # fmt: skip
        rows.append(rows_of(output))
        reports.append(json.loads(report.read_text())["each"])
    first, second, third = rows[1]
    assert (first.pen.width, first.pen.colour) == (0.9, "#aa0033")
    assert max(stroke[:, 0].max() for stroke in first.strokes) == pytest.approx(4000, abs=0.01)
    for row, before, shift in ((second, rows[0][1], 9.0), (third, rows[0][2], 0.0)):
        assert row.pen == before.pen
        for each, other in zip(row.strokes, before.strokes, strict=True):
            np.testing.assert_allclose(each, other + np.array([shift, 0.0]), atol=0.01)
    assert [each["text"] for each in reports[1]] == ["ab", "ba", "ab", "b", "a"]
    assert reports[0][1:] == reports[1][1:]


GUESTS = "name;word\nAnna;ab\nTom;ba\n"


def test_a_text_is_written_for_each_record_of_a_table(networks, tmp_path, capsys):
    """Files that are there are kept, unless they are to be replaced; one report has all texts."""
    text = text_file(tmp_path, "---\nalign: left\n---\na {word} {{")
    table, output = text_file(tmp_path, GUESTS, "guests.csv"), tmp_path / "out" / "{name}.json"
    words = (text, "--data", table, "--output", output, *HUGE, "--tries", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "Tom.json").write_text("kept")
    with suppress(SystemExit):  # An untrained network leaves words out.
        write_page(networks, *words, proofread=True)
    said = capsys.readouterr().out
    assert "1 of 2 files are there and are kept; --replace writes them again" in said
    assert (tmp_path / "out" / "Tom.json").read_text() == "kept"
    assert [row.text for row in rows_of(tmp_path / "out" / "Anna.json")] == ["a ab {"]
    anna = (tmp_path / "out" / "Anna.json").read_bytes()
    with suppress(SystemExit):
        write_page(networks, *words, "--replace", proofread=True)
    said = capsys.readouterr().out
    assert (tmp_path / "out" / "Anna.json").read_bytes() == anna
    assert [row.text for row in rows_of(tmp_path / "out" / "Tom.json")] == ["a ba {"]
    assert "2 texts, 6 words, 0 of them written again" in said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [each["source"] for each in report["texts"]] == [
        f"{text} ({table}, line {line})" for line in (2, 3)
    ]
    for each in report["texts"]:  # An untrained reader has doubts.
        assert each["doubts"] and f"look at {each['path']}, {each['doubts'][0]}" in said
    advice = [line for line in said.splitlines() if line.startswith("to write these words again")]
    assert len(advice) == 2
    again = shlex.split(advice[1].partition(": ")[2])[2:]
    with suppress(SystemExit):
        experiments.main(["1:1:1" if word == "doubtful" else word for word in again])
    assert (tmp_path / "out" / "Anna.json").read_bytes() == anna


def test_several_texts_become_files_of_their_names(networks, tmp_path, capsys):
    files = [text_file(tmp_path, text, name) for name, text in (("a.txt", "{ab"), ("b.txt", "b"))]
    write_page(networks, *files, "--output", tmp_path / "{file}.json", *HUGE)
    assert [row.text for row in rows_of(tmp_path / "a.json")] == ["{ab"]
    assert [row.text for row in rows_of(tmp_path / "b.json")] == ["b"]
    write_page(networks, *files, "--output", tmp_path, *HUGE)
    assert {path.name for path in tmp_path.glob("*.svg")} == {"a.svg", "b.svg"}
    assert "2 texts, 2 words\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "table", "words", "message"),
    [
        ("a {nmae}", GUESTS, (), "letter.txt, column 3: no column 'nmae' in .*line 2; did you m"),
        ("a {name", GUESTS, (), "letter.txt, column 3: a brace without its end"),
        (
            "a",
            GUESTS,
            ("--output", "out/a.json"),
            "a.json is the file of all 2 texts; texts with one name",
        ),
        ("a", GUESTS, ("--output", "out"), "--output has to name a file by a column, such as out/"),
        ("a {word}", "name;word\nA;a\nB;☃\n", (), "guests.csv, line 3.* does not know '☃'"),
        ("a", "name;word\nA;a\n/;b\n", (), "line 3: the value of 'name', '/', is no part of a"),
        ("a", GUESTS, ("other.txt",), "--data is for one text, not for 2"),
        ("a", GUESTS, ("--dpi", 99), "--dpi is for --output FILE ending in .png"),
    ],
)
def test_faults_of_several_texts_are_named_before_a_file_is_written(
    networks, tmp_path, monkeypatch, text, table, words, message
):
    monkeypatch.chdir(tmp_path)
    file, data = text_file(tmp_path, text), text_file(tmp_path, table, "guests.csv")
    before = {*tmp_path.rglob("*")}
    output = () if "--output" in words else ("--output", "out/{name}.json")
    with pytest.raises(UserError, match=message):
        write_page(networks, file, *words, "--data", data, *output, *HUGE)
    assert {*tmp_path.rglob("*")} == before


def test_who_can_write_a_character_is_named_before_a_network_is_loaded(monkeypatch):
    """The digits are written by a network of ten characters."""
    monkeypatch.setattr(page_hands, "load_writer", lambda *_: pytest.fail("a network was loaded"))
    message = (
        r"does not know 'é' \(U\+00E9\) in line 2, column 2; conditional and open_writer and "
        r"writer can, in the styles of joined hands: flowing, .*, tall; others: backward, narrow, "
    )
    with pytest.raises(UserError, match=message):
        use("page", "-r", "digits", "--text", "1", "--text", "2é")


def test_pages_of_an_older_text_are_named_and_go_with_replace(tmp_path, capsys):
    font = text_file(tmp_path, svg_font(), "Small.svg")
    text, out = text_file(tmp_path, "no\n" * 14), tmp_path / "out"
    page = [*map(str, ("page", text, "--pen-font", font, "--paper", "100x60"))]
    page += ["--output", str(out / "a.json")]
    experiments.main([*page, "--report", str(out / "a-report.json")])
    assert len([*out.iterdir()]) == 4
    text.write_text("no\n" * 10)
    capsys.readouterr()
    experiments.main(page)
    third = out / "a-3.json"
    assert f"{third}  (of an older text, it seems: --replace removes it)" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["a-1.json", "a-2.json", "a-3.json"]
    (out / "a-5.json").touch()
    with pytest.raises(UserError, match=r"a-5\.json is there without a-4\.json"):
        experiments.main([*page, "--replace"])
    (out / "a-5.json").unlink()
    experiments.main([*page, "--replace"])
    assert sorted(path.name for path in out.iterdir()) == ["a-1.json", "a-2.json"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--report", "out/nil.json"), "--report out/nil.json: this is also --output, which"),
        (("--report", "guests.csv"), "--report guests.csv: this is also --data, which would"),
        (("--report", "letter.txt"), "--report letter.txt: this is also FILE, which would be lost"),
    ],
)
def test_a_report_that_would_replace_another_file_is_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    font = text_file(tmp_path, svg_font(), "Small.svg")
    text_file(tmp_path, "name\nnil\n", "guests.csv")
    text_file(tmp_path, "no {name}")
    page = ["page", "letter.txt", "--data", "guests.csv", "--output", "out/{name}.json"]
    with pytest.raises(UserError, match=re.escape(message)):
        experiments.main([*page, "--pen-font", str(font), *words])


@pytest.fixture
def sheets(networks, tmp_path, capsys):
    """Write a page, and return the rows of each sheet and what is said."""

    def write(text, *words):
        file, output = text_file(tmp_path, text), tmp_path / "sheets"
        output.mkdir()
        write_page(networks, file, "--output", output / "a.json", *words)
        rows = [rows_of(path) for path in sorted(output.iterdir())]
        shutil.rmtree(output)
        return rows, capsys.readouterr().out

    return write


def test_text_becomes_smaller_when_it_is_to_fit_on_fewer_sheets(sheets):
    """Rows of 3.9 times 4 mm: three on a sheet of 48 mm; five at 2.4 mm."""
    words = ("____\n" * 10, "--paper", "100x60", "--set", "size=4")
    (four, _), (two, said) = sheets(*words), sheets(*words, "--fit", 2)
    assert [[*map(len, each)] for each in (four, two)] == [[3, 3, 2, 2], [5, 5]]
    assert "size 2.4: the largest that fits" in said
    large, small = (rows[0].strokes[0] for (rows, *_) in (four, two))
    np.testing.assert_allclose(0.6 * np.ptp(large, axis=0), np.ptp(small, axis=0), atol=0.01)


def test_longest_line_is_as_wide_as_the_sheet_when_a_short_text_is_to_fit(sheets):
    wide = ("___\n______\n", "--paper", "180x300", "--margins", 10)
    (((usual, _),), _), (((fitted, longest),), said) = sheets(*wide), sheets(*wide, "--fit")
    grown = float(said.split("size ")[1].split(":")[0]) / 2.2
    np.testing.assert_allclose(grown * np.ptp(usual.strokes[0], axis=0),
                               np.ptp(fitted.strokes[0], axis=0), atol=0.01)  # fmt: skip
    assert 155 < np.ptp(np.concatenate(longest.strokes)[:, 0]) < 160.01
    assert (usual.pen.width, fitted.pen.width) == (0.4, round(0.4 * grown, 2))


def test_rows_that_touch_are_named_when_the_line_height_is_given(sheets):
    words = ("fly\n" * 4, "--paper", "100x60", "--set", "size=4", "--set", "line_height=11")
    assert "rows touch: a smaller size" in sheets(*words)[1]


@pytest.mark.slow
def test_an_envelope_has_sender_and_recipient_in_their_places(tmp_path, capsys):
    output, text = tmp_path / "a.json", Path(__file__).parents[2] / "docs" / "envelope.txt"
    write_page({"-r": "open_writer"}, text, "--output", output, "--paper", "envelope")
    places = [np.concatenate(row.strokes).mean(0) for row in rows_of(output)]
    assert len(places) == 7 and "sheets" not in capsys.readouterr().out
    assert all(x < 70 and y < 40 for x, y in places[:3])
    assert all(x > 110 and y > 50 for x, y in places[3:])


def test_letters_that_a_network_hardly_knows_are_named_by_the_command_write_too(tmp_path, capsys):
    use("write", "-r", "open_writer", "--text", "są", "--output", tmp_path / "a.svg")
    assert "open_writer hardly knows ą: it writes fewer" in capsys.readouterr().out


@pytest.mark.slow
def test_rows_that_continue_a_list_item_or_verse_are_indented_and_columns_align(tmp_path):
    """Of which the network does not write the bullets."""
    text = (
        "- a long row of words\n• b\n\n9. c\n10. on\nab\tcd\tef\nab ab\tg\th\n\n"
        "verse\na verse broader\nrows\n\nab ab ab ab\tno columns"
    )
    file, output = text_file(tmp_path, text), tmp_path / "a.json"
    write_page({"-r": "writer"}, file, "--output", output, "--paper", "60x200", "--margins", 10)
    rows = {row.text: row.strokes for row in rows_of(output)}
    left = {text: np.sort([each[:, 0].min() for each in ink]) for text, ink in rows.items()}
    right = {text: max(each[:, 0].max() for each in ink) for text, ink in rows.items()}
    assert [*rows] == [
        "- a long row", "of words", "- b", "9. c", "10. on", "ab cd ef", "ab ab g h",
        "verse", "a verse", "broader", "rows", "ab ab ab ab", "no columns",
    ]  # fmt: skip
    np.testing.assert_allclose(*(rows[text][0][:, 0] for text in ("- b", "- a long row")))
    assert left["- b"][:2] == pytest.approx([10, left["of words"][0]], abs=0.01)
    assert left["broader"][0] == pytest.approx(10 + 5 * 2.2)
    for text in ("verse", "rows", "no columns"):
        assert left[text][0] == pytest.approx(10, abs=0.01)
    assert max(right.values()) < 50.01


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "either FILE or --text"),
        (["--text", "x", "--dpi", "99"], "--dpi is for --output FILE ending in"),
        (["--text", "x", "--margins", "1,2"], "one number of mm, or four"),
        (["--text", "x", "--report", "r"], "--report is for --proofread"),
        (["--text=---", "--text", "size: 0", "--text=---"], "--text, line 2: size: '0': a number"),
        (["--text=---", "--text", "colour: rde", "--text=---"], "colour: 'rde': a colour as #rr"),
        (["--text=---", "--text", "style: joinde", "--text=---"], "style: joinde: no such file"),
        (["--text=---", "--text", "size: 99"], "--text, line 1: no line --- ends this front"),
        (["--text=---\n\n---\nindent: 99\n---"], "--text, line 3: indent 99: at most"),
        (["--text", f"a {'bc' * 50}!"], "--text: 'bcbc.* is no word: 101 characters"),
        (["--text", " "], "there is nothing to write"),
        (
            ["--text", "☃"],
            r"--text: the network does not know '☃' \(U\+2603\) in line 1, column 1;",
        ),
        (
            ["--text", "a", "--text", "a ☃ж√"],
            r"--text: the network does not know '☃' \(U\+2603\) in line 2, column 3, .*, '√' "
            r"\(U\+221A\) in line 2, column 5; no pretrained network can write that; --skip-unkn",
        ),
        (["--text", "x", "--set", "size=99"], "a line is 386.1 mm high, but there are"),
        (["--text", "x", "--set", "line_height=400"], "a smaller size or line_h"),
        (["--text", "x", "--set", "ruling_spacing=7"], "ruling_spacing is for --ruling"),
        (["--text", "x", "--report", ".", "--proofread", "reader"], "folder; name a file"),
        (
            ["--text", "x", "--style", "onw"],
            r"\(did you mean own? There are joined hands: flowing, joined, linked, rolling, tall; "
            r"others: backward, .*, wide, own\)$",
        ),
        (["--text", "x", "--style", "own:1,round:1"], "own, which is another .* cannot be mixed"),
    ],
)
def test_bad_options_are_refused(networks, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        write_page(networks, *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_page_is_in_the_usual_style_of_its_network_unless_a_style_is_named(networks, tmp_path):
    """The usual one of a pretrained network, or the line beside one that learned a hand."""
    text, pages = text_file(tmp_path, "ab"), []
    for words in ((), ("--style", "slanted"), ("--style", "own")):
        output = tmp_path / "page.json"
        write_page({"-r": "writer"}, text, "--output", output, "--seed", 3, *words)
        pages.append(output.read_text())
    assert pages[0] == pages[1] != pages[2]
    assert usual_style_of(pretrained()["open_writer"]) == styles()["open_round"]
    assert usual_style_of(Path(networks["-r"])) is None
    learned = tmp_path / "hand.pth"
    (tmp_path / "hand.json").write_text('{"config": 1}')
    assert usual_style_of(learned) is None
    (tmp_path / "hand.json").write_text('{"text": "a", "strokes": [[[0, 0], [1, 2]]]}')
    assert usual_style_of(learned) == tmp_path / "hand.json"


def test_a_large_file_beside_a_network_is_not_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b'"strokes"')
    os.truncate(tmp_path / "a.json", 1 << 28)
    tracemalloc.start()
    assert usual_style_of(tmp_path / "a.pth") is None
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_file_that_is_too_long_is_refused(networks, tmp_path):
    file = text_file(tmp_path, "a" * (MAX_TEXT_BYTES + 1))
    with pytest.raises(UserError, match=rf"letter\.txt: longer than {MAX_TEXT_BYTES:,} bytes"):
        write_page(networks, file)


def test_a_picture_has_the_pixels_of_its_paper_at_the_given_dpi(networks, tmp_path):
    for dpi, size in ((50, (200, 100)), (None, (1200, 600))):
        words = ("--text", "a", "--paper", "101.6x50.8", "--margins", 12, "--set", "size=0.5")
        words += ("--dpi", dpi) if dpi else ()
        write_page(networks, *words, "--output", tmp_path / "a.png")
        assert Image.open(tmp_path / "a.png").size == size


@pytest.mark.parametrize(("words", "spacing"), [((), 8.5), (("--set", "ruling_spacing=7"), 7.0)])
def test_lines_of_ruled_paper_are_8_5_mm_apart_or_as_ruling_spacing_says(words, spacing):
    words = ["--text", "a", "--paper", "a5", "--ruling", "ruled", *words]
    assert options_of(experiments.parser_of("page")[1].parse(words)).paper.spacing == spacing


def test_a_page_in_a_single_line_font_has_every_format_and_needs_no_network(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(page_hands, "load_writer", lambda *_: pytest.fail("a network was loaded"))
    font = text_file(tmp_path, svg_font(), "Small.svg")
    text = text_file(tmp_path, "---\nsize: 3\nslant: 10\n---\nno α, ж on".replace(",", "."))
    page = ("page", str(text), "--pen-font", str(font))
    for suffix in PAGE_SUFFIXES:
        output = tmp_path / f"page{suffix}"
        assert experiments.main([*page, "--output", str(output), "--verbose"]) == 0
        assert output.stat().st_size > 500
    shown = capsys.readouterr().out
    assert f"{font}: Small, 12 characters" in shown and "4 words, not proofread" in shown
    (row,) = rows_of(tmp_path / "page.json")
    assert row.text == "no α. ж on" and len(row.strokes) == 11
    with pytest.raises(UserError, match="leave out -r"):
        experiments.main([*page, "-r", "writer"])
    with pytest.raises(UserError, match="leave out style"):
        experiments.main([*page, "--style", "flowing"])
    with pytest.raises(UserError, match=f"^{text}: no SVG font"):
        experiments.main(["page", str(text), "--pen-font", str(text)])


def test_letters_in_a_single_line_font_are_written_in_number(tmp_path, capsys):
    font = text_file(tmp_path, svg_font(), "Small.svg")
    data = text_file(tmp_path, "name\nnil\nfox\n", "guests.csv")
    text = text_file(tmp_path, "no {name}")
    output = tmp_path / "{name}.json"
    page = ["page", text, "--data", data, "--output", output, "--pen-font", font]
    assert experiments.main([*map(str, page)]) == 0
    assert "2 texts, 4 words\n" in capsys.readouterr().out
    first, second = (rows_of(tmp_path / f"{name}.json")[0] for name in ("nil", "fox"))
    assert (first.text, second.text) == ("no nil", "no fox")
    assert not np.array_equal(first.strokes[0], second.strokes[0])


def test_replacing_removes_the_report_of_the_old_text_and_its_pages(tmp_path):
    font = text_file(tmp_path, svg_font(), "Small.svg")
    data = text_file(tmp_path, "name\nnil\n", "guests.csv")
    text = text_file(tmp_path, "no {name}\n" * 14)
    page = ["page", text, "--data", data, "--pen-font", font, "--paper", "100x60"]
    page += ["--output", tmp_path / "out" / "{name}.json"]
    out = tmp_path / "out"
    assert experiments.main([*map(str, page)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["nil-1.json", "nil-2.json", "nil-3.json"]
    words = ["page", "--text", "no", "--pen-font", font, "--output", out / "nil.json"]
    experiments.main([*map(str, words), "--report", str(out / "nil-report.json")])
    (out / "other-report.json").write_bytes((out / "nil-report.json").read_bytes())
    text.write_text("no")
    assert experiments.main([*map(str, page), "--replace"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["nil.json", "other-report.json"]
    (out / "nil-3.json").touch()
    with pytest.raises(UserError, match=r"nil-3\.json is there without nil-2\.json"):
        experiments.main([*map(str, page), "--replace"])


def test_the_name_of_a_record_cannot_turn_around_what_the_terminal_shows(tmp_path, capsys):
    font = text_file(tmp_path, svg_font(), "Small.svg")
    data = text_file(tmp_path, "name\nnil\u202egvs.exe\n", "guests.csv")
    page = ["page", "--text", "no", "--data", data, "--pen-font", font]
    assert experiments.main([*map(str, page), "--output", str(tmp_path / "{name}.svg")]) == 0
    shown = capsys.readouterr().out
    assert "\u202e" not in shown and "nil\\u202egvs.exe.svg" in shown
    assert (tmp_path / "nil\u202egvs.exe.svg").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_a_folder_that_takes_no_files_is_named_before_anything_is_written(tmp_path):
    data = text_file(tmp_path, "name\nnil\n", "guests.csv")
    page = ["page", "--text", "no", "--data", str(data), "--output", "/proc/{name}.svg"]
    with pytest.raises(UserError, match=r"^--output /proc/nil\.svg: cannot be written"):
        experiments.main(page)
