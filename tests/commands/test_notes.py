"""Notes are read, saved, searched and corrected, from files to files."""

import gzip
import os
import pickle
import re
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pypdf import PdfReader

from apps import notes
from apps.hand import fine_tuning
from apps.notes import server as viewer
from apps.notes.exporting import TextForm
from apps.notes.page_text import SLOW, Note, PageRow, PageText, PageWord, Summary, box_of
from apps.notes.reading_cache import Library
from commands.notes import (
    _correct,
    _Reading,
    _save,
    _save_each,
    _save_file,
    _use,
    add_options,
)
from commands.shared.options import Parser
from ink.formats.pdf.pages import PdfPage, write_pdf
from ink.geometry import from_strokes, strokes
from ink.ink_page import InkPage
from ink.reading import read_ink
from ink.sample import Sample
from tests.apps.notes.pages import alike_viewer, note, text_of
from tests.commands.networks import ROOT, use
from tests.ink.formats.note_files import xopp as xopp_note
from utils.checks import DataError, UserError
from utils.files import safe_path

LINES = ROOT / "docs" / "sample-lines"


@pytest.fixture(autouse=True)
def cache(tmp_path, cache_home):
    return tmp_path / "cache" / "online-handwriting" / "notes"


def xopp(path, lines):
    """Write a page of Xournal++ with lines of ink, one below the other."""
    drawn = []
    for number, line in enumerate(lines):
        for stroke in strokes(line.ink):
            points = 0.25 * stroke + (40, 100 + 90 * number)
            points = np.repeat(points, 2, axis=0) if len(points) == 1 else points
            numbers = " ".join(f"{value:.3f}" for value in points.ravel())
            drawn.append(f'<stroke tool="pen" color="#3333ccff" width="1.41">{numbers}</stroke>')
    page = f'<page width="800" height="600"><layer>{"".join(drawn)}</layer></page>'
    path.write_bytes(gzip.compress(f'<xournal fileversion="4">{page}</xournal>'.encode()))
    return path


@pytest.mark.slow
def test_a_diary_is_read_saved_searched_and_corrected(tmp_path, cache, capsys):
    lines = read_ink(LINES)[:4]
    (tmp_path / "notes").mkdir()
    diary = xopp(tmp_path / "notes" / "diary.xopp", lines)
    use("notes", diary)
    read = capsys.readouterr().out.splitlines()
    for line, row in zip(lines, read, strict=False):
        assert sum(word in line.text.split() for word in row.split()) > len(line.text.split()) / 2
    pages = [*(cache / "pages").rglob("*.json")]
    assert len(pages) == 1 and os.listdir(tmp_path / "notes") == ["diary.xopp"]

    use("notes", diary, "--output", tmp_path / "diary.pdf")
    (page,) = PdfReader(tmp_path / "diary.pdf").pages
    assert page.extract_text().split() == " ".join(read).replace("(?)", "").split()

    for ink in ("level", "typed"):
        use("notes", diary, "--ink", ink, "--output", tmp_path / f"{ink}.pdf")
        (page,) = PdfReader(tmp_path / f"{ink}.pdf").pages
        assert page.extract_text().split() == " ".join(read).replace("(?)", "").split()
    capsys.readouterr()

    use("notes", tmp_path / "notes", "--search", "quick brown")
    hit = capsys.readouterr().out.splitlines()[-1].split("\t")
    assert hit[:2] == ["diary.xopp", "1:1:2"] and 0 < float(hit[2]) < 1
    use("notes", diary, "--search", "quack")
    said = capsys.readouterr()
    assert said.out.startswith("diary.xopp\t1:1:2\tperhaps\t") and "no row has 'quack'" in said.err
    use("notes", tmp_path / "notes", "--search=-zebra")
    assert capsys.readouterr().out == "diary.xopp\n"
    use("notes", tmp_path / "notes", "--search=-quick")
    said = capsys.readouterr()
    assert not said.out and "no note fits '-quick'" in said.err
    use("notes", diary, "--search", "quack " * 20_000)
    assert len(capsys.readouterr().err) < 300

    use("notes", diary, "--correct", "1:1:2", "slow", "--output", tmp_path / "texts.md")
    assert "slow" in (tmp_path / "texts.md").read_text().splitlines()[4]
    use("notes", diary, "--corrections")
    assert capsys.readouterr().out.splitlines()[-1] == "diary.xopp\t1:1:2\tquick\tslow"
    use("notes", diary, "--undo", "1:1:2")
    assert capsys.readouterr().out.split() == " ".join(read).split()
    assert len([*(cache / "pages").rglob("*.json")]) == 1  # read once in all


def test_a_corrected_word_cannot_turn_around_what_is_printed(tmp_path, library, capsys):
    (tmp_path / "notes").mkdir()
    path = xopp(tmp_path / "notes" / "a\u202eb.xopp", read_ink(LINES)[:1])
    note = library.note(path.name, path)
    library.correct(note, [((1, 2, 1), "\u202egnp.exe\u2066")])
    parser = Parser()
    add_options(parser)
    for option in ((), ("--corrections",), ("--output", str(tmp_path / "out"))):
        reading = _Reading(library, {path.name: path}, None, is_single=True)
        _use(parser.parse([str(path), *option]), library, reading, {path.name: path})
        printed = capsys.readouterr().out
        assert r"\u202e" in printed and printed.replace("\n", "").replace("\t", "").isprintable()


def test_words_that_look_like_a_corrected_one_are_named_and_corrected(tmp_path, capsys):
    library = alike_viewer(
        tmp_path, ("Voxhall", "Voxhall,", "zebra", "voxhall"), {"a": 1.0}
    )._library
    path = tmp_path / "notes" / "0.xopp"

    def correct(text="Vaxhall", alike=False):
        _correct(library, path, [("1:1:1", text)], alike)
        return capsys.readouterr().err.splitlines()

    lines = ["  1.xopp\t1:1:1\tVoxhall,\tVaxhall,", "  3.xopp\t1:1:1\tvoxhall\tVaxhall"]
    heading, *listed = correct()
    assert heading == "2 more words like 'Voxhall': --alike corrects them"
    assert sorted(listed) == lines
    assert len(library.corrections.all) == 1
    # A file that is gone is no more among them.
    (tmp_path / "notes" / "3.xopp").unlink()
    heading, *listed = correct(alike=True)
    assert heading == "1 more word like 'Voxhall': corrected" and listed == lines[:1]
    assert {c.text for c in library.corrections.all} == {"Vaxhall", "Vaxhall,"}

    assert correct() == []
    assert correct("") == correct(None) == []


def test_a_word_of_too_little_ink_is_not_among_the_words_that_look_alike(tmp_path, capsys):
    viewer = alike_viewer(tmp_path, ("Voxhall", "voxhall"), {"a": 1.0})
    path = tmp_path / "notes" / "0.xopp"
    # Two points, which were read as the second text.
    stroke = '<stroke tool="pen" color="black" width="1">0 0 1 1</stroke>'
    (tmp_path / "notes" / "little.xopp").write_bytes(xopp_note(stroke))
    viewer.scan()
    library = viewer._library
    _correct(library, path, [("1:1:1", "Vaxhall")], alike=True)
    heading, *listed = capsys.readouterr().err.splitlines()
    assert heading == "1 more word like 'Voxhall': corrected"
    assert [line.split("\t")[0] for line in listed] == ["  1.xopp"]


@pytest.mark.slow
def test_a_folder_of_notes_is_saved_and_its_broken_files_are_named(tmp_path, capsys, caplog):
    (tmp_path / "notes" / "2026").mkdir(parents=True)
    xopp(tmp_path / "notes" / "2026" / "a.xopp", read_ink(LINES)[:1])
    (tmp_path / "notes" / "b.xopp").write_bytes(gzip.compress(b"<xournal><page"))
    for suffix in (".pdf", ".md"):
        use("notes", tmp_path / "notes", "--output", tmp_path / "out", "--format", suffix)
        said, saved = capsys.readouterr(), tmp_path / "out" / "2026" / f"a.xopp{suffix}"
        assert said.out == f"{saved}\n" and saved.exists()
        assert "files: 1, pages: 1, words: 7" in said.err and "files left out: 1" in said.err
    assert caplog.messages[0].startswith("left out: b.xopp: broken XML (")
    use("notes", tmp_path / "notes", "--output", tmp_path / "out")
    assert capsys.readouterr().out.endswith("a.xopp.pdf  (unchanged)\n")
    with pytest.raises(UserError, match=r"b\.xopp"):
        use("notes", tmp_path / "notes" / "b.xopp")


@pytest.mark.slow
def test_workers_read_a_folder_as_a_single_process_does(tmp_path, cache, capsys, monkeypatch):
    """The command itself reads no page then."""
    read_page, command = notes.read_page, os.getpid()

    def read_elsewhere(*arguments):
        assert os.getpid() != command
        return read_page(*arguments)

    (tmp_path / "notes").mkdir()
    for name, line in zip("ac", read_ink(LINES), strict=False):
        xopp(tmp_path / "notes" / f"{name}.xopp", [line])
    (tmp_path / "notes" / "b.xopp").write_bytes(gzip.compress(b"<xournal><page"))
    use("notes", tmp_path / "notes")
    alone = capsys.readouterr()
    cache.rename(tmp_path / "before")
    monkeypatch.setattr(notes, "read_page", read_elsewhere)
    use("notes", tmp_path / "notes", "--workers", 2)
    assert capsys.readouterr().out == alone.out and alone.out.count("# ") == 2
    monkeypatch.setattr("utils.processes.ProcessPoolExecutor", None)
    use("notes", tmp_path / "notes", "--workers", 2)  # Nothing is new but one broken file.
    assert capsys.readouterr().out == alone.out


def test_a_folder_of_broken_files_gives_status_1_and_saves_nothing(tmp_path, capsys):
    (tmp_path / "a.xopp").write_bytes(b"")
    for words in ((), ("--output", tmp_path / "a.pdf"), ("--search", "x")):
        with pytest.raises(SystemExit) as ended:
            use("notes", tmp_path, *words)
        assert ended.value.code == 1
    assert "files: 0, files left out: 1" in capsys.readouterr().err
    assert not (tmp_path / "a.pdf").exists()


@contextmanager
def watching(monkeypatch, steps):
    """A block in which a folder is watched, with a step before each look, and none at the end."""

    def step(_):
        print("step")
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr("time.sleep", step)
    with pytest.raises(KeyboardInterrupt):
        yield


@pytest.mark.slow
def test_files_that_change_are_read_again_while_notes_are_watched(tmp_path, capsys, monkeypatch):
    """Also a word that is corrected meanwhile; the same notes are not saved again."""
    lines, folder = read_ink(LINES), tmp_path / "notes"
    folder.mkdir()
    xopp(folder / "a.xopp", lines[:1])
    steps = [
        lambda: None,
        lambda: xopp(folder / "b.xopp", lines[1:2]),
        lambda: use("notes", folder / "b.xopp", "--correct", "1:1:1", "Vauxhall", "--numbers"),
        lambda: (folder / "a.xopp").write_bytes(b"half written"),
    ]

    with watching(monkeypatch, steps):
        use("notes", folder, "--output", tmp_path / "out", "--format", ".txt", "--watch")
    _, first, second, third, broken, _ = capsys.readouterr().out.split("step\n")
    a, b = (f"{tmp_path}/out/{name}.xopp.txt" for name in "ab")
    assert not first and not broken and second == f"{b}\n"
    assert third.startswith("1:1\tVauxhall ") and third.endswith(f"\n{a}  (unchanged)\n{b}\n")
    assert (tmp_path / "out" / "b.xopp.txt").read_text().startswith("Vauxhall ")


@pytest.mark.slow
def test_a_watched_vault_links_to_new_notes_and_keeps_what_was_edited(
    tmp_path, capsys, monkeypatch
):
    lines = read_ink(LINES)
    folder = tmp_path / "notes"
    vault = tmp_path / "vault"
    folder.mkdir()
    xopp(folder / "a.xopp", lines[:1])
    use("notes", folder / "a.xopp", "--correct", "1:1:1", "[[Bee]]", "--numbers")

    def add():
        (vault / "a.md").write_text("mine")
        xopp(folder / "Bee.xopp", lines[1:2])

    steps = [lambda: None, add, (vault / "a.md").unlink, lambda: (folder / "a.xopp").touch()]

    with watching(monkeypatch, steps):
        use("notes", folder, "--output", vault, "--format", "vault", "--watch")
    first, same, added, _, touched, _ = capsys.readouterr().out.split("step\n")
    a, bee = vault / "a.md", vault / "Bee.md"
    assert first.endswith(f"\n{a}\n") and not same and touched == f"{a}\n"
    assert added == f"{bee}\n{a}: edited by hand, left as it is\n"
    assert "\n[Bee](Bee.md) " in a.read_text()
    use("notes", folder, "--output", vault, "--format", "vault")
    assert capsys.readouterr().out == f"{bee}  (unchanged)\n{a}  (unchanged)\n"


def test_the_name_of_a_note_cannot_lead_out_of_the_output_folder():
    assert str(safe_path("../a/./b//c")) == "a/b/c" and str(safe_path("/etc/x")) == "etc/x"


@pytest.mark.parametrize("title", ["x" * 5000, "é" * 5000, "\x1b]0;title\x07\nerror: no"])
def test_any_title_is_the_name_of_a_file(tmp_path, title):
    path, other = safe_path(title), safe_path(f"{title}\x01")
    (tmp_path / f"{path}.pdf").write_bytes(b"")
    assert str(path).isprintable() and path != other


@pytest.fixture
def library(tmp_path):
    return Library(text_of, "reader", tmp_path / "kept")


def test_a_note_that_cannot_be_saved_is_named_and_other_notes_are_saved(
    tmp_path, library, capsys, caplog
):
    below = tmp_path / "below.pdf"
    below.write_bytes(b"no PDF")
    broken, sound = note(background=below), replace(note(), name="\x1bsound")
    with pytest.raises(UserError, match="1 notes could not be saved"):
        save = partial(_save_file, library, tmp_path / "out", ".pdf", TextForm())
        _save_each([broken, sound], tmp_path / "out", save, is_single=False)
    assert caplog.messages[-1].startswith(f"left out: diary: {below}: cannot be put under")
    (saved,) = (tmp_path / "out").iterdir()
    assert saved.name.startswith("?sound ") and capsys.readouterr().out == f"{saved}\n"


def test_places_that_were_not_read_are_printed(library, capsys):
    unread = [(1, (10, 20, 30, 40)), *((2, (0, y, 5, y + 5)) for y in range(100))]
    library = SimpleNamespace(note=lambda *_: Note("diary", (), Summary(unread=unread)))
    reading = _Reading(library, {"diary": Path("diary")}, None, is_single=True)
    assert [*reading]
    reading.report()
    lines = capsys.readouterr().err.splitlines()
    assert "  diary 1: 10 to 30 mm from the left, 20 to 40 mm from the top" in lines
    assert len(lines) < 30


def test_a_page_that_takes_too_long_is_named_and_a_note_of_such_pages_is_refused(tmp_path, caplog):
    xopp(tmp_path / "a.xopp", read_ink(LINES)[:1])
    typed = '<page width="9" height="9"><layer><text x="1" y="1" size="1">a</text></layer></page>'
    xml = gzip.decompress((tmp_path / "a.xopp").read_bytes()).replace(
        b"</x", f"{typed}</x".encode()
    )
    (tmp_path / "b.xopp").write_bytes(gzip.compress(xml))
    slow = PageText((), {SLOW: 9})
    library = Library(lambda p: slow if p.strokes else PageText(()), "reader", tmp_path / "kept")
    files = {name: tmp_path / name for name in ("a.xopp", "b.xopp")}
    for _ in range(2):  # The second time it is known.
        caplog.clear()
        reading = _Reading(library, files, None, is_single=False)
        assert [note.name for note in reading] == ["b.xopp"]
        fault = "page 1 takes more than 60 s of processor time to read; divide it"
        assert caplog.messages == [f"left out: {name}: {fault}" for name in files]
    with pytest.raises(DataError, match=r"a\.xopp: page 1 takes more"):
        library.note("a.xopp", tmp_path / "a.xopp")


@pytest.mark.parametrize(
    ("kind", "title"),
    [("covered", "covered by later ink, not read"), ("crossed_out", "crossed out, not read")],
)
def test_places_of_ink_that_is_left_out_are_printed(kind, title, tmp_path, capsys):
    xopp(tmp_path / "a.xopp", read_ink(LINES)[:1])
    text = PageText((), **{kind: ((72.0, 144.0, 144.0, 216.0),)})
    library = Library(lambda page: text, "reader", tmp_path / "kept")
    reading = _Reading(library, {"a.xopp": tmp_path / "a.xopp"}, None, is_single=True)
    assert len([*reading]) == 1
    reading.report()
    place = "\n  a.xopp 1: 25 to 51 mm from the left, 51 to 76 mm from the top\n"
    printed = capsys.readouterr().err
    assert title in printed and place in printed


def test_a_pdf_below_the_ink_is_named(tmp_path, library, capsys):
    write_pdf(below := tmp_path / "below.pdf", [PdfPage(InkPage(100, 100, ()))])
    over = replace(note(background=below), summary=Summary(pdfs=[str(below)]))
    _save(library, [over], tmp_path / "a.pdf", TextForm())
    assert capsys.readouterr().out == f"{tmp_path / 'a.pdf'}  (over {below})\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere.xopp",), "nowhere.xopp: cannot be read"),
        ((".", "--correct", "1:1:1", "x"), "--correct is for a file"),
        ((".", "--undo", "1:1:1"), "--undo is for a file"),
        (("a.inkml", "--alike"), "--alike is for --correct, which is not given"),
        (("a.inkml", "--correct", "1:1", "x"), "'1:1': the numbers of a page, a row and a word"),
        (("a.inkml", "--correct", f"{10**20}:1:1", "x"), "each of up to nine digits"),
        (("a.inkml", "--undo", f"1:1:{'9' * 5000}"), "each of up to nine digits"),
        ((".", "--workers", f"{10**20}"), "a whole number from 1 to 1000 is accepted"),
        (("a.inkml", "--page", "9" * 5000), "a whole number from 1 to 999999999 is accepted"),
        (("a.inkml", "--output", "a.inkml"), "would replace the notes"),
        (("a.inkml", "--lines", "a.inkml"), "would replace the notes"),
        (("a.inkml", "--output", "b.pdf", "--page", "2"), "--page is for --ink level"),
        ((".", "--ink", "level", "--page", "2"), "--page is for a file"),
        (("a.inkml", "--install-plugin"), "name the folder with your notes"),
        (("a.inkml", "--ink", "level"), "--ink level is for --output, which is not given"),
        (("a.inkml", "--output", "b.pdf", "--keep-ink"), "--keep-ink is for --ink typed"),
        (("a.inkml", "--output", "b.pdf", "--strength", "1"), "--strength is for --ink level"),
        (("a.inkml", "--output", "b.pdf", "--strength", "2"), "2"),
        (("a.inkml", "--output", "b.inkml", "--ink", "typed"), "InkML has no typed text"),
        (("a.inkml", "--output", "a.png"), "a folder is needed, or a file that ends in .pdf"),
        (("a.inkml", "--search", " "), "--search: no words"),
        (("a.inkml", "--search", "* * *"), "--search: no words"),
        (("a.inkml", "--search", "..."), "--search: no words to find"),
        ((".", "--output", "./new/vault", "--format", "vault"), "vault: in the folder of notes"),
        (("a.inkml", "--output", "vault", "--format", "vault"), "vault is for a folder of notes"),
        ((".", "--output", "a.md", "--format", "vault"), "of notes and --output FOLDER"),
        (("a.inkml", "--format", ".md"), "--format .md is for --output FOLDER, which is not given"),
        (("a.inkml", "--output", "a.pdf", "--format", ".md"), "FOLDER, and a.pdf is a file"),
        (("empty",), "empty: no notes in this folder"),
        ((".", "--learn", "--watch"), "--watch is not for --learn"),
        (("a.inkml", "--forget", "--undo", "1:1:1"), "--correct and --undo are not for --forget"),
        (
            ("a.inkml", "--correct", "1:2:3", "a", "--correct", "01:2:3", "b"),
            "the word 1:2:3 is named 2 times",
        ),
        (("a.inkml", "--correct", "1:2:3", "a", "--undo", "1:2:3"), "1:2:3 is named 2 times"),
        (("a.inkml", "-r", "eye"), "a network that sees the movement of the pen is needed"),
    ],
)
def test_options_that_do_not_fit_notes_are_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.inkml").write_bytes((LINES / "line-1.inkml").read_bytes())
    with pytest.raises(UserError, match=message):
        use("notes", *words)


@pytest.fixture
def diary(tmp_path, checkpoints, monkeypatch):
    """The words of a command that reads a diary, of three rows that a reader learns."""
    ink = np.ones((2, 3), np.float32)
    rows = [Sample(ink, "abc", f"diary 1:{number}") for number in (1, 2, 3)]
    monkeypatch.setattr("commands.notes.MIN_LEARNED_ROWS", 3)
    learnable = notes.LearnableLines(rows, [])
    monkeypatch.setattr("apps.notes.learnable_lines", lambda read, _: [*read] and learnable)
    monkeypatch.setattr("apps.hand.fine_tuning.usable", lambda _, lines: lines)
    monkeypatch.setattr("apps.hand.fine_tuning.fine_tuned", lambda reader, *_: reader)
    path = xopp(tmp_path / "diary.xopp", read_ink(LINES)[:3])
    return "notes", path, "-r", checkpoints["CTCNetwork"]


def loaded(capsys, *words):
    """Return what a command prints, and which network it loads to read new pages."""
    capsys.readouterr()
    use(*words)
    printed = capsys.readouterr()
    return printed.out, [row for row in printed.err.splitlines() if row.startswith("CTCNetwork")]


def gains(monkeypatch, after):
    """Let a cross-validation have a result, in nats of a character of 0.2 before."""
    gain = fine_tuning.Gain(fine_tuning.Score(0.04, 0.2), fine_tuning.Score(0.03, after))
    monkeypatch.setattr("apps.hand.fine_tuning.cross_validated", lambda *_: gain)


def test_a_learned_reader_reads_all_pages_anew_until_it_is_forgotten(
    diary, checkpoints, cache, capsys, caplog, monkeypatch
):
    base = checkpoints["CTCNetwork"]
    gains(monkeypatch, after=0.1)
    said, networks = loaded(capsys, *diary, "--learn")
    (file,) = notes.learned_files(cache)
    assert "4.0% before, 3.0% after" in said and str(file) in said
    assert [str(base) in network for network in networks] == [True]
    _, networks = loaded(capsys, *diary)
    assert [str(file) in network for network in networks] == [True]
    assert loaded(capsys, *diary)[1] == []  # The page is cached.
    loaded(capsys, *diary[:3], checkpoints["AttentionNetwork"])
    assert f"{file.name} learned your hand from another reader" in caplog.text

    said, _ = loaded(capsys, *diary, "--forget")
    assert str(file) in said and not file.exists()
    assert loaded(capsys, *diary)[1] == []  # What the first reader read is still cached.
    with pytest.raises(UserError, match="--forget: no reader has learned"):
        use(*diary, "--forget")


def test_a_reader_that_reads_no_better_is_not_taken(diary, cache, capsys, monkeypatch):
    gains(monkeypatch, after=0.3)
    said, _ = loaded(capsys, *diary, "--learn")
    assert "not taken" in said and notes.learned_files(cache) == []


def test_the_viewer_lets_the_reader_learn_as_the_command_does(
    diary, cache, tmp_path, capsys, monkeypatch
):
    gains(monkeypatch, after=0.1)
    viewers, reported = [], []
    monkeypatch.setattr("apps.notes.server.serve", lambda viewer, _: viewers.append(viewer))
    (tmp_path / "notes").mkdir()
    diary[1].rename(tmp_path / "notes" / "diary.xopp")
    use("notes", tmp_path / "notes", *diary[2:], "--view")
    (viewer,) = viewers
    viewer.scan()
    learn = pickle.loads(pickle.dumps(viewer._learning._learn))  # as another process gets it
    said = learn(reported.append)
    assert said.endswith("\ntaken: it reads your notes from now on")
    assert "4.0% before, 3.0% after" in said
    assert notes.learned_files(cache) == [viewer._learning.file]
    capsys.readouterr()
    viewer.scan()
    assert f"{viewer._learning.file}" in capsys.readouterr().err  # It reads the notes again.
    viewer.forget()
    viewer.scan()
    assert viewer.state()["pages"] == 1 and not viewer.state()["numFaults"]
    monkeypatch.setattr("commands.notes.MIN_LEARNED_ROWS", 4)
    with pytest.raises(UserError, match=r"^3 corrected rows, of at least 4 .*, or add --lang"):
        learn(reported.append)
    monkeypatch.setattr("commands.notes.has_torch", lambda: False)
    with pytest.raises(UserError, match=r"^learning needs PyTorch"):
        learn(reported.append)


@pytest.fixture
def unsure_rows(tmp_path, checkpoints, monkeypatch):
    """The words of a command that reads twelve rows, each as the name of the reader, of its search
    and a number; and the lists of lines that readers learned."""

    def read_page(page, reader, search):
        name = f"{reader.path.stem}-{'model' if search.language_model else 'greedy'}"
        rows = []
        for number, stroke in enumerate(page.strokes):
            word = PageWord(f"{name}-{number}", box_of(stroke.points), 0.5, strokes=(number,))
            rows.append(PageRow((word,), (number,), f"{number:02}"))
        return PageText(tuple(rows))

    monkeypatch.setattr(notes, "read_page", read_page)
    monkeypatch.setattr("apps.hand.fine_tuning.usable", lambda _, lines: lines)
    learned = []
    monkeypatch.setattr(
        "apps.hand.fine_tuning.fine_tuned",
        lambda reader, lines, _: learned.append((reader.path, lines)) or reader,
    )
    gains(monkeypatch, after=0.1)
    shape = np.array([(0, 0), (1, 9), (2, 3), (3, 8)], float)
    lines = [Sample(from_strokes([shape * (n + 1, n + 2)]), "") for n in range(12)]
    path = xopp(tmp_path / "diary.xopp", lines)
    return ("notes", path, "-r", checkpoints["CTCNetwork"]), learned


def test_uncorrected_rows_are_learned_as_the_first_reader_reads_them_with_a_language_model(
    unsure_rows, tmp_path, capsys, monkeypatch
):
    command, learned = unsure_rows
    base = command[-1]
    (tmp_path / "texts.txt").write_text("abc\n" * 9)
    with_model = (*command, "--language-model", tmp_path / "texts.txt")
    use(*with_model, "--correct", "1:3:1", "Vauxhall")
    texts = {f"{base.stem}-model-{number}" for number in (0, 1, *range(3, 12))} | {"Vauxhall"}
    for _ in range(2):  # The second time a reader has learned, which is not used.
        capsys.readouterr()
        use(*with_model, "--learn")
        said = capsys.readouterr()
        path, lines = learned.pop()
        assert path == base and {line.text for line in lines} == texts and len(lines) == 12
        assert "learning from 12 rows\n" in said.err
        assert said.out.startswith("11 uncorrected rows count as the language model reads them\n")
        use(*with_model)
        read = capsys.readouterr().out.split()
        assert read[2] == "Vauxhall" and read[0].endswith("-model-0(?)") and base.stem in read[0]
        assert not read[0].startswith(f"{base.stem}-model")
    # Rows that cannot be learned do not count.
    with monkeypatch.context() as patch:
        patch.setattr("apps.hand.fine_tuning.usable", lambda _, lines: lines[2:])
        use(*with_model, "--learn")
    assert len(learned.pop()[1]) == 10
    assert capsys.readouterr().out.startswith("10 uncorrected rows count")
    # What is corrected comes first, where there are many rows.
    monkeypatch.setattr("commands.notes.MAX_LEARNED_ROWS", 10)
    use(*with_model, "--learn")
    (_, lines) = learned.pop()
    assert len(lines) == 10 and lines[0].text == "Vauxhall"
    # The viewer learns the same.
    monkeypatch.setattr(
        "apps.notes.server.serve", lambda viewer, _: viewer._learning._learn(lambda _: None)
    )
    (tmp_path / "notes").mkdir()
    command[1].rename(tmp_path / "notes" / "diary.xopp")
    use("notes", tmp_path / "notes", *with_model[2:], "--view")
    (path, in_viewer) = learned.pop()
    assert path == base and [line.text for line in in_viewer] == [line.text for line in lines]


def test_rows_without_corrections_and_language_model_are_not_learned(unsure_rows, monkeypatch):
    command, learned = unsure_rows
    message = r"--learn: 0 corrected rows, of at least 10 .*\(--view\), or add --language-model"
    with pytest.raises(UserError, match=message):
        use(*command, "--learn")
    monkeypatch.setattr("apps.notes.exporting.MIN_UNCORRECTED_LENGTH", 100)
    text = str(ROOT / "docs" / "letter.txt")
    message = "--learn: 0 rows that are corrected or have 100 characters, of at least 10"
    with pytest.raises(UserError, match=message):
        use(*command, "--learn", "--language-model", text)
    assert not learned


def test_rows_that_cannot_be_learned_are_named_by_their_places(diary, cache, capsys, monkeypatch):
    monkeypatch.setattr("apps.hand.fine_tuning.usable", lambda _, lines: lines[1:2])
    gains(monkeypatch, after=0.1)
    use(*diary, "--learn")
    assert "learning from 1 rows, without diary 1:1, diary 1:3\n" in capsys.readouterr().err


def test_a_damaged_learned_reader_can_be_forgotten(diary, cache, capsys, monkeypatch):
    gains(monkeypatch, after=0.1)
    use(*diary, "--learn")
    (file,) = notes.learned_files(cache)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(UserError, match="--forget removes this reader"):
        use(*diary)
    use(*diary, "--forget")
    assert loaded(capsys, *diary)[1] == []


def test_too_few_corrected_rows_are_refused(diary, monkeypatch, cache):
    monkeypatch.setattr("commands.notes.MIN_LEARNED_ROWS", 4)
    with pytest.raises(UserError, match=r"3 corrected rows, of at least 4 .*--view"):
        use(*diary, "--learn")
    monkeypatch.setattr("commands.notes.has_torch", lambda: False)
    with pytest.raises(UserError, match="--learn needs PyTorch"):
        use(*diary, "--learn")
    assert not (cache / "readers").exists()


def test_a_note_that_is_refused_leaves_no_folder(tmp_path, checkpoints):
    np.save(tmp_path / "none.npy", np.zeros((0, 3), np.float32))
    words = (tmp_path / "none.npy", "-r", checkpoints["CTCNetwork"], "--output")
    with pytest.raises(UserError, match="no line of ink"):
        use("notes", *words, tmp_path / "new" / "a.pdf")
    assert not (tmp_path / "new").exists()


def test_a_folder_is_opened_in_the_viewer_with_a_query_and_a_file_is_not(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("apps.notes.server.serve", lambda viewer, query: opened.append(query))
    diary = xopp(tmp_path / "diary.xopp", read_ink(LINES)[:1])
    use("notes", tmp_path, "--view")
    use("notes", tmp_path, "--view", "quick brown")
    assert opened == ["", "quick brown"]
    with pytest.raises(UserError, match=r"--view is for a folder; .*diary\.xopp is a file"):
        use("notes", diary, "--view")


def test_the_printed_address_of_the_viewer_has_its_query(monkeypatch, capsys):
    def end(_server):
        raise KeyboardInterrupt

    opened = []
    monkeypatch.setattr("apps.notes.server.webbrowser.open", opened.append)
    monkeypatch.setattr("apps.notes.server.ViewServer.serve_forever", end)
    viewer.serve(SimpleNamespace(follow=lambda: None, close=lambda: None), "quick brown")
    assert opened[0].endswith("#q=quick%20brown")
    printed = capsys.readouterr().out.partition("  (")[0]
    assert printed.endswith("#q=quick%20brown") and "code=" not in printed
    # All users of the machine see what the browser opens: a code instead of the token.
    token = re.search(r"\?([\w-]{20,})#", printed)[1]
    assert re.search(r"/\?code=[\w-]{20,}#", opened[0]) and token not in opened[0]
