"""The index finds what the search of every row finds, and what is near it."""

import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.notes.corrections import Correction, Ink
from apps.notes.index import Index, IndexedPage
from apps.notes.page_text import Note, PageRow, PageText, PageWord
from apps.notes.searching import Query, likely_frames, search
from tests.apps.notes.pages import written_page
from utils.checks import UserError

LETTERS = [" ", *"abcdeilmnorstu"]
WORDS = ["melior", "meliora", "nautilus", "rem", "rei", "est", "salus", "domus", "ordinat", "a"]


def drawn_row(rng):
    """A row of random words, each letter a frame in which others are likely as well."""
    words = []
    for text in rng.choice(WORDS, size=5):
        probabilities = rng.dirichlet(np.full(len(LETTERS) + 1, 0.1), size=len(text) + 1)
        for frame, letter in zip(probabilities, f"{text} ", strict=True):
            frame[LETTERS.index(letter)] += rng.choice([0.2, 2.0])
        log_probs = np.log((probabilities + 1e-9) / (probabilities + 1e-9).sum(axis=1)[:, None])
        read = "".join(LETTERS[n] for n in log_probs[:-1, :-1].argmax(axis=1)).strip() or "a"
        words.append(PageWord(read, (0, 0, 1, 1), 0.9, (), likely_frames(log_probs, LETTERS)))
    return PageRow((*words,))


def page_of(*rows):
    return IndexedPage.of(written_page(), PageText((*rows,)))


def spelt(*texts):
    """A row of words without frames, as typed ones are."""
    return PageRow(tuple(PageWord(text, (0, 0, 1, 1), 0.9) for text in texts))


@pytest.fixture
def index(tmp_path):
    return Index(tmp_path / "index" / "a.sqlite")


def files_of(index, *pages):
    """Add a file for each page; return the files by name."""
    files = {str(number): Path(f"/notes/{number}") for number in range(len(pages))}
    for path, page in zip(files.values(), pages, strict=True):
        index.add(path, "1", [page])
    return files


@pytest.mark.parametrize("query", [*WORDS, "rem est", "a domus", "*ali*", "nau*", "*us est"])
def test_hits_of_the_index_are_those_of_a_search_of_every_row(index, query, monkeypatch):
    monkeypatch.setattr("apps.notes.index.MIN_STEP", 2)
    rng = np.random.default_rng(1)
    rows = [[drawn_row(rng) for _ in range(8)] for _ in range(6)]
    files = files_of(index, *(page_of(*page) for page in rows))
    notes = [Note(str(n), [((), PageText((*page,)))]) for n, page in enumerate(rows)]
    hits, near = index.search(Query.of(f'"{query}"'), files)
    of_every_row = [hit for note in notes for hit in search(query, note)]
    read = [hit for hit in of_every_row if hit.confidence == 0.9]  # that of each word
    assert sorted(hits) == sorted(of_every_row) and hits[: len(read)] == read
    likely = [hit.confidence for hit in hits[len(read) :]]
    assert likely == sorted(likely, reverse=True)
    assert not {hit[:3] for hit in hits} & {hit[:3] for hit in near}


def test_words_as_they_were_read_are_hits_beyond_the_limit_of_searched_rows(index, monkeypatch):
    monkeypatch.setattr("apps.notes.index.MAX_ROWS", 1)
    files = files_of(index, *(page_of(spelt("rem", str(n)), spelt("est")) for n in range(5)))
    hits, _ = index.search(Query.of("Rem"), files)
    assert [(hit.name, hit.row_number) for hit in hits] == [(str(n), 1) for n in range(5)]


@pytest.mark.parametrize(
    ("query", "hits", "near"),
    [
        ("Vauxhall", [], ["1:1", "1:2"]),
        ("vauxhal", ["1:1"], ["1:2"]),
        ("vaux*", ["1:1", "1:2"], []),
        ("*hal*", ["1:1"], []),
        ("*xhal", ["1:1"], []),
        ("old vauxhall", [], ["1:1"]),
        ("road", [], []),  # two letters off
        ("in", ["1:3"], []),  # "is" is too short to be near
        ("is in", ["1:3"], []),
    ],
)
def test_words_a_letter_off_are_near_and_parts_with_a_star_are_hits(index, query, hits, near):
    rows = spelt("old", "Vauxhal"), spelt("Vauxhaul", "Rd"), spelt("it", "is", "in")
    both = index.search(Query.of(f'"{query}"'), files_of(index, page_of(*rows)))
    places = ([f"{hit.page_number}:{hit.row_number}" for hit in kind] for kind in both)
    assert [*places] == [hits, near]


def test_a_phrase_with_another_word_is_no_hit(index):
    rng = np.random.default_rng(0)
    row = drawn_row(rng)
    words = tuple(replace(word, text="") for word in row.words)  # only the frames have them
    files = files_of(index, page_of(PageRow(words)))
    said = [word.text for word in row.words]
    assert index.search(Query.of(f'"{" ".join(said)}"'), files)[0]
    other = " ".join([*said[:2], "nautilus", *said[3:]])
    assert said[2] != "nautilus" and not index.search(Query.of(f'"{other}"'), files)[0]


def test_the_summary_has_the_pages_and_places_in_millimetres_that_were_not_read(index, tmp_path):
    text = PageText((), unread=((72.0, 144.0, 144.0, 216.0),))
    pages = [page_of(spelt("rem")), IndexedPage.of(written_page(), text)]  # in points of 1/72 inch
    index.add(tmp_path / "a", "1", pages)
    assert index.summary(tmp_path / "a", "1").unread == [[2, [25, 51, 51, 76]]]


def test_the_index_forgets_the_former_pages_of_a_file_that_changed(index):
    before, after = page_of(spelt("rem")), page_of(spelt("est"))
    files = files_of(index, before)
    path = files["0"]
    assert index.summary(path, "1").words == 1 and index.summary(path, "2") is None
    index.add(path, "2", [after, after])
    assert index.summary(path, "1") is None and index.summary(path, "2").pages == 2
    assert index.search(Query.of("rem"), files) == ([], [])
    hits, _ = index.search(Query.of("est"), files)
    assert [hit.page_number for hit in hits] == [1, 2]


def test_files_that_are_not_searched_have_no_hits(index):
    files = files_of(index, page_of(spelt("rem")), page_of(spelt("rem"), spelt("est")))
    hits, _ = index.search(Query.of("rem"), {"1": files["1"]})
    assert [hit.name for hit in hits] == ["1"]


def test_two_processes_add_to_an_index(tmp_path, index):
    path, other = tmp_path / "index" / "a.sqlite", Index(tmp_path / "index" / "a.sqlite")
    files = files_of(index, page_of(spelt("rem")))
    other.add(files["0"].with_name("1"), "1", [page_of(spelt("rem", "est"))])
    files |= {"1": files["0"].with_name("1")}
    assert [hit.name for hit in index.search(Query.of("rem"), files)[0]] == ["0", "1"]
    assert Index(path).summary(files["1"], "1").words == 2


def test_an_index_that_another_process_holds_is_built_anew_elsewhere(tmp_path, index, monkeypatch):
    monkeypatch.setattr("apps.notes.index.LOCK_SECONDS", 0.0)
    path = tmp_path / "index" / "a.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        elsewhere = Index(path)
        files = files_of(elsewhere, page_of(spelt("rem")))
        assert elsewhere.search(Query.of("rem"), files)[0]
    assert Index(path).summary(files["0"], "1") is None


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_on_a_full_disk_an_index_is_in_memory(tmp_path):
    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        in_memory = Index(tmp_path / "index" / "a.sqlite")
        files = files_of(in_memory, page_of(spelt("rem")))
        hits, _ = in_memory.search(Query.of("rem"), files)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
    assert [hit.name for hit in hits] == ["0"]


def test_an_index_whose_texts_are_overwritten_is_made_anew(tmp_path, index):
    """FTS5 finds nothing in them, and says nothing."""
    path = tmp_path / "index" / "a.sqlite"
    files = files_of(index, *(page_of(spelt("rem", str(n))) for n in range(90)))
    assert Index(path).summary(files["0"], "1")
    overwritten = "substr(block, 1, 20) || zeroblob(16) || substr(block, 37)"
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE texts_data SET block = {overwritten} WHERE length(block) > 40")
    assert Index(path).summary(files["0"], "1") is None


def test_the_first_hits_are_found_by_steps_in_the_order_of_the_files(index, monkeypatch):
    monkeypatch.setattr("apps.notes.index.MIN_STEP", 2)
    files = files_of(index, *(page_of(spelt("rem", str(n)), spelt("est")) for n in range(9)))
    backwards = dict(reversed(files.items()))
    searched = {"_words_on": [], "_frames": []}
    for method, arguments in searched.items():
        read = getattr(index, method)
        monkeypatch.setattr(index, method, lambda a, b=arguments, c=read: b.append(a) or c(a))
    hits = index.hits(Query.of("rem"), backwards)
    assert [next(hits).name, next(hits).name] == ["8", "7"]
    assert searched == {"_words_on": [9, 8], "_frames": []}
    assert [hit.name for hit in hits] == ["6", "5", "4", "3", "2", "1", "0"]
    lacking = {"x": files["0"].with_name("x")} | files
    assert len([*index.hits(Query.of("est"), lacking)]) == 9  # what is not in the index is left out
    searched["_words_on"].clear()
    searched["_frames"].clear()
    assert not [*index.hits(Query.of("nautilus"), files)]
    assert searched == {"_words_on": [], "_frames": []}  # no row may have it


def test_files_that_are_added_later_and_by_others_are_searched(tmp_path, index):
    files = files_of(index, page_of(spelt("rem")))
    assert len([*index.hits(Query.of("rem"), files)]) == 1
    files["1"] = files["0"].with_name("1")
    Index(tmp_path / "index" / "a.sqlite").add(files["1"], "1", [page_of(spelt("rem", "est"))])
    assert [hit.name for hit in index.hits(Query.of("rem"), files)] == ["0", "1"]


DIGEST, OTHER_DIGEST = "ab12ab12ab12ab12", "cd34cd34cd34cd34"


@pytest.mark.parametrize("ink", [Ink({DIGEST: 9}, {}), Ink({OTHER_DIGEST: 9}, {DIGEST: 9})])
def test_a_file_with_a_new_correction_is_searched_as_it_was_until_it_is_read_again(index, ink):
    page = page_of(spelt("rem"))._replace(inks=[DIGEST])
    files = files_of(index, page)
    assert index.states(files) == {"0": "1"}
    index.record_corrections([Correction(ink, "res", "rem")])
    assert index.states(files) == {"0": ""} and index.summary(files["0"], "1") is None
    assert len([*index.hits(Query.of("rem"), files)]) == 1


def test_many_new_corrections_are_recorded_in_one_go(index):
    corrections = [Correction(Ink({f"{n:016x}": 9}, {}), "res", "rem") for n in range(20_000)]
    files = files_of(index, page_of(spelt("rem"))._replace(inks=[f"{19_999:016x}"]))
    start = time.process_time()
    index.record_corrections(corrections)
    assert time.process_time() - start < 2 and index.states(files) == {"0": ""}


def test_a_file_that_is_corrected_while_it_is_read_is_read_again(tmp_path, index):
    correction = Correction(Ink({DIGEST: 9}, {}), "res", "rem")
    Index(tmp_path / "index" / "a.sqlite").record_corrections([correction])
    files = files_of(index, page_of(spelt("rem")))
    assert index.states(files) == {"0": ""} and len([*index.hits(Query.of("rem"), files)]) == 1
    index.record_corrections([correction])
    assert index.states(files_of(index, page_of(spelt("res")))) == {"0": "1"}


def test_unsure_words_are_listed_with_their_addresses(index):
    words = [PageWord(text, (0, 0, 1, 1), sure) for text, sure in (("rem", 0.9), ("est", 0.4))]
    files = files_of(index, page_of(spelt("rem"), PageRow((*words,))))
    assert index.unsure(files["0"]) == [(1, 2, 2)]


QUERIES = {
    "several words, near ones first": ("garden tree", ["2:1:1", "1:1:2", "3:1:1"]),
    "a phrase across the ends of rows": ('"green garden"', ["1:1:1", "3:1:15"]),
    "a phrase": ('"tree garden"', ["2:1:1"]),
    "a phrase with another word between": ('"green house"', []),
    "words that are excluded": ("garden -house", ["1:1:2", "2:1:2"]),
    "a phrase that is excluded": ('garden -"green garden"', ["2:1:2"]),
    "accents that are missing": ("zazolc", ["4:1:1"]),
    "an umlaut as two letters": ("Groesse", ["4:1:2"]),
    "two letters as an umlaut": ("Müller", ["4:1:3"]),
    "a word that no page has": ("garden nautilus", []),
    "an excluded word alone": ("-garden", []),
}


@pytest.mark.parametrize("kind", QUERIES)
def test_a_query_may_have_several_words_phrases_and_words_to_leave_out(index, kind):
    query, places = QUERIES[kind]
    pages = [
        page_of(spelt("green", "garden"), spelt("and", "an", "old", *"abcdefghijk"), spelt("tree")),
        page_of(spelt("tree", "garden")),
        page_of(spelt("tree", *"abcdefghijklm", "green"), spelt("garden"), spelt("house")),
        page_of(spelt("zażółć", "Größe", "Mueller")),
    ]
    index.add(path := Path("/notes/0"), "1", pages)
    hits = [hit for hit in index.hits(Query.of(query), {"0": path}) if not hit.is_similar]
    kept = [f"{hit.page_number}:{hit.row_number}:{hit.word_number}" for hit in hits]
    assert sorted(kept) == sorted(places)
    if "near" in kind:
        assert kept == places


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("tree", ["2:14", "3:2", "4:2", "5:2", "6:2", "0:14", "1:2", "5:1"]),
        ('"old tree"', ["3:1", "4:1", "1:1", "6:1"]),
        ("old tree", ["3:1", "4:1", "1:1", "6:1", "2:1", "0:1"]),
        ("tree -old", ["5:2", "5:1"]),
    ],
)
def test_near_hits_come_first_then_sure_ones_then_those_of_the_first_files(index, query, places):
    old, tree = ("old", 0.9), ("tree", 0.9)
    unsure_old, unsure_tree = ("old", 0.4), ("tree", 0.5)
    apart = [("x", 0.9)] * 12
    pages = [
        [old, *apart, unsure_tree],
        [old, unsure_tree],
        [old, *apart, tree],
        [old, tree],
        [old, tree],
        [unsure_tree, tree],
        [unsure_old, tree],
    ]
    rows = [PageRow(tuple(PageWord(t, (0, 0, 1, 1), sure) for t, sure in page)) for page in pages]
    hits = index.hits(Query.of(query), files_of(index, *map(page_of, rows)))
    assert [f"{hit.name}:{hit.word_number}" for hit in hits] == places


@pytest.mark.parametrize(
    ("query", "read"),
    [("televisoin", "television"), ("protests", "protest"), ("vuaxhall", "Vauxhall")],
)
def test_words_with_missing_or_transposed_letters_are_near(index, query, read):
    hits, near = index.search(Query.of(query), files_of(index, page_of(spelt("the", read))))
    assert hits == [] and [hit.word_number for hit in near] == [2]
    hits, near = index.search(Query.of(f"the {query}"), {"0": Path("/notes/0")})
    assert hits == [] and [hit.text for hit in near] == [f"the {read}"]


def test_a_word_that_only_its_ink_says_is_found_on_a_page_with_the_others(index):
    row = drawn_row(np.random.default_rng(0))
    said = row.words[2].text
    silent = PageRow(tuple(replace(word, text="") for word in row.words))
    files = files_of(index, page_of(silent, spelt("house")), page_of(silent, spelt("tree")))
    hits, _ = index.search(Query.of(f"house {said}"), files)
    assert [(hit.name, hit.row_number) for hit in hits] == [("0", 1)]
    assert index.search(Query.of(f"{said} -house"), files)[0][0].name == "1"


def test_a_query_of_very_many_words_is_refused_and_repeated_ones_count_once():
    assert Query.of("tree " * 20_000).terms == Query.of("tree").terms
    with pytest.raises(UserError, match="at most 50 different words"):
        Query.of(" ".join(map(str, range(51))))


@pytest.mark.parametrize("day", ["yesterday", "2026-13", "2026-02-30", "10.03.2026", "26"])
def test_a_date_that_is_none_is_refused(day):
    with pytest.raises(UserError, match=f"before:{day}: a date such as"):
        Query.of(f"tree before:{day}")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("in:", "in: names no folder"),
        ("in: home", "in: names no folder"),
        ('tree in:""', "in: names no folder"),
        ("before:", "before:: a date such as"),
        ("tree -in:home", "-in: a minus leaves out words"),
    ],
)
def test_a_key_without_its_value_or_with_a_minus_is_refused(text, fault):
    with pytest.raises(UserError, match=fault):
        Query.of(text)


def test_a_query_names_a_folder_and_dates():
    query = Query.of('tree in:"My Garden" after:2026-1 before:2026-03')
    assert query.terms == Query.of("tree").terms
    for name, day, is_searched in (
        ("my garden/a", "2026-02-28", True),
        ("old/My Garden/a", "2026-01-01", True),
        ("garden/a", "2026-02-28", False),
        ("my garden/a", "2026-03-01", False),
        ("my garden/a", "2025-12-31", False),
    ):
        assert query.has(name, lambda day=day: day) == is_searched
