"""Texts whose columns a table fills."""

import json
import tracemalloc
from pathlib import Path

import pytest

from apps.pages import mail_merge
from apps.pages.mail_merge import (
    Document,
    Record,
    check_files,
    check_replaced,
    file_of,
    fill,
    merged,
    named_texts,
    read_records,
)
from apps.pages.source_text import PageText
from model.drawing.page import PAGE_SUFFIXES, Page
from utils.checks import UserError

RECORD = Record({"name": "Anna Berg", "place of birth": "Köln", "floor": ""}, "guests.csv, line 2")


def table(folder, content, name="guests.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "name,table\nMüller & Söhne,4\nTom,\n",
        "name;table\r\nMüller & Söhne;4\r\nTom;\r\n",
        "\ufeffname\ttable\n\nMüller & Söhne\t4\nTom\t\n",
        "sep=;\r\nname;table\r\nMüller & Söhne;4\r\nTom;\r\n",
        "sep=|\nname|table\nMüller & Söhne|4\nTom|\n",
        "name;table\rMüller & Söhne;4\rTom;\r",
        "sep=|\rname|table\rMüller & Söhne|4\rTom|\r",
        '"name",table\n"Müller & Söhne",4\n Tom , \n',
    ],
)
def test_a_table_of_any_delimiter_has_the_same_records(tmp_path, content):
    """As spreadsheets of several countries save it, with a byte order mark or without."""
    records = read_records(table(tmp_path, content))
    assert [record.values for record in records] == [
        {"name": "Müller & Söhne", "table": "4"},
        {"name": "Tom", "table": ""},
    ]


def test_a_cell_may_have_delimiters_quotes_and_several_lines(tmp_path):
    (record,) = read_records(table(tmp_path, 'name;address\n"A; ""B""";"1 Road\nTown"\n'))
    assert record.values == {"name": 'A; "B"', "address": "1 Road\nTown"}
    assert record.source.endswith("guests.csv, line 3")  # the line that the record ends in


def test_a_table_of_json_is_a_list_of_objects(tmp_path):
    content = "\ufeff" + json.dumps([{"name": "Zoë", "table": 4, "floor": None, "price": 2.5}])
    (record,) = read_records(table(tmp_path, content, "guests.json"))
    assert record.values == {"name": "Zoë", "table": "4", "floor": "", "price": "2.5"}
    assert record.source.endswith("guests.json, item 1")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("name,table\nAnna\n", "a.csv", "a.csv, line 2: 1 cells, but the first line names 2"),
        ("name,name\nA,B\n", "a.csv", "a.csv, line 1: two columns are called 'name'"),
        ("name\n", "a.csv", "a.csv: the table has no record"),
        ("", "a.csv", "a.csv: the table has no record"),
        ('name\n"A\n', "a.csv", "a.csv, line 2: no CSV"),
        ("a" * 131_073, "a.csv", "a.csv, line 1: no CSV .field larger than field limit"),
        ("a\n" * 1_000_000, "a.csv", "a.csv: more than 5,000 records; divide it"),
        ("a" + ",\n" * 500_001, "a.csv", "a.csv, line 500001: more than 1,000,000 cells"),
        (b"name\nM\xfcller\n", "a.csv", "not UTF-8 text .byte 6 is 0xfc."),
        ("{}", "a.json", "a.json: a list of objects is accepted"),
        ("[3]", "a.json", "a.json, item 1: 3: an object is accepted"),
        ('[{"a": ["b"]}]', "a.json", "a.json, item 1, 'a': a text or a number is accepted"),
        ('[{"a": "b"', "a.json", "a.json: "),
    ],
)
def test_a_broken_table_is_refused_with_the_place_of_its_fault(tmp_path, content, name, message):
    file = table(tmp_path, content, name)
    tracemalloc.start()
    with pytest.raises(UserError, match=message):
        read_records(file)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_text_that_becomes_too_long_is_refused_before_it_is_filled():
    """A gigabyte, of ten thousand columns with a hundred thousand characters each."""
    record = Record({"a": "x" * 100_000}, "guests.csv, line 2")
    tracemalloc.start()
    with pytest.raises(UserError, match=r"^a\.txt: .* line 2 1,000,030,000 bytes; at most 5"):
        fill("{a}" * 10_000, record, "a.txt")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert len(fill("{a}" * 4, record, "a.txt")) == 400_000


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Dear {name},\nfrom { place of birth }", "Dear Anna Berg,\nfrom Köln"),
        ("{{name} and {{ and }", "{name} and { and }"),
        ("a\n{floor}\nb {floor}\n\n{floor} {floor}", "a\nb \n"),  # an address without a floor
    ],
)
def test_columns_are_filled_and_lines_of_empty_columns_left_out(template, text):
    assert fill(template, RECORD, "letter.txt") == text


def test_all_missing_columns_are_named_with_their_places():
    with pytest.raises(UserError) as error:
        fill("Dear {nmae},\nyours {} {", RECORD, "letter.txt")
    assert str(error.value).split("\n  ") == [
        "letter.txt: 3 faults",
        "letter.txt, line 1, column 6: no column 'nmae' in guests.csv, line 2; did you mean name?",
        "letter.txt, line 2, column 7: no column '' in guests.csv, line 2"
        "; there are name, place of birth, floor",
        "letter.txt, line 2, column 10: a brace without its end; {{ is a brace",
    ]


def test_a_brace_of_a_formula_that_is_no_column_is_told():
    with pytest.raises(UserError, match=r"no column '1' in .*; a brace of a formula is {{$"):
        fill(r"$\frac{1}{{2}$", RECORD, "letter.txt")


def test_an_empty_column_within_a_text_is_remarked(tmp_path):
    """A line that it leaves out is none, nor is a column that the text does not have."""
    guests = table(tmp_path, "name,date,floor,rest\nAnna,1 May,,\nTom,,,\n")
    documents = merged("{name}, on {date}\n{floor}", "letter.txt", guests, "{name}.pdf")
    assert [document.remarks for document in documents] == [[], [f"{guests}, line 3: empty 'date'"]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a/b", "line 3: the value of 'name', 'a/b', is no part of a file's name"),
        ("..", "the value of 'name', '..', is no part"),
        ("", "the value of 'name', '', is no part"),
        ("a\nb", "is no part of a file's name"),
        ("a" * 300, "line 3: the file's name '.*' is too long; at most 200 bytes"),
    ],
)
def test_a_value_that_is_no_name_of_a_file_is_refused(value, message):
    with pytest.raises(UserError, match=message):
        file_of("out/{name}.pdf", Record({"name": value}, "guests.csv, line 3"))


def test_each_record_becomes_a_text_with_a_file_and_a_number_of_its_own(tmp_path):
    guests = table(tmp_path, "name,style\nAnna,round\nTom,flowing\n")
    text = "---\nstyle: {style}\n---\nDear {name}"
    first, second = merged(text, "letter.txt", guests, "out/{style}/{name}.pdf")
    assert first.text == PageText(
        "---\nstyle: round\n---\nDear Anna", f"letter.txt ({guests}, line 2)", 0
    )
    assert second.text == PageText(
        "---\nstyle: flowing\n---\nDear Tom", f"letter.txt ({guests}, line 3)", 1
    )
    assert (first.path, second.path) == (Path("out/round/Anna.pdf"), Path("out/flowing/Tom.pdf"))


def test_texts_keep_their_braces_and_are_saved_under_the_names_of_their_files():
    documents = named_texts({"x/a.txt": "{b}", "b.txt": "{"}, "out/{file}.svg")
    assert [document.path for document in documents] == [Path("out/a.svg"), Path("out/b.svg")]
    assert [document.text.text for document in documents] == ["{b}", "{"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Anna.pdf", "Tom.pdf", "Anna.pdf"), "Anna.pdf is the file of 0 and of 2"),
        (("Zoë.pdf", "ZOE\u0308.pdf"), "is the file of 0 and of 1"),  # as some disks take names
        (("Anna.svg", "Anna-2.svg"), "Anna-2.svg is the file of 1, and of a page of 0"),
    ],
)
def test_two_texts_with_one_file_are_refused(names, message):
    documents = [Document("a", "a.txt", Path(name)) for name in names]
    with pytest.raises(UserError, match=f"{message}; texts with one name: a column in --output"):
        check_files(documents, [*map(str, range(len(names)))])


def test_files_with_other_names_are_accepted():
    names = ("Anna.pdf", "Anna-2.pdf", "out/Anna.pdf", "Tom-3.svg")
    check_files([Document("a", "a.txt", Path(name)) for name in names], [*names])


def test_a_document_exists_if_its_first_page_does(tmp_path):
    document = Document("a", "a.txt", tmp_path / "a.svg")
    assert not document.exists
    (tmp_path / "a-1.svg").touch()
    assert document.exists


def test_the_first_page_of_a_document_is_there_only_once_all_are(tmp_path, monkeypatch):
    """A process that is killed, or a disk that is full, between two files."""
    document = Document("a", "a.txt", tmp_path / "a.svg")
    pages, usual = [Page(50.0, 50.0)] * 3, mail_merge.move

    def interrupted(path, target):
        if target.name == "a-3.svg":
            raise OSError("full")
        return usual(path, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(mail_merge, "move", interrupted)
        document.save(pages, 300)
    assert not document.exists
    check_replaced([document])
    files = document.save(pages, 300)
    assert document.exists and sorted(document.path.parent.iterdir()) == files
    assert [file.name for file in files] == ["a-1.svg", "a-2.svg", "a-3.svg"]


def test_a_link_and_the_permissions_of_a_file_stay_when_it_is_replaced(tmp_path):
    (tmp_path / "away").mkdir()
    target = tmp_path / "away" / "x"
    for path in (target, tmp_path / "b.svg"):
        path.write_text("old")
        path.chmod(0o600)
    (tmp_path / "a.svg").symlink_to(target)
    for name in "ab":
        path = tmp_path / f"{name}.svg"
        Document("a", "a.txt", path).save([Page(50.0, 50.0)], 300, replaces=True)
        assert path.is_symlink() == (name == "a") and path.read_text() != "old"
        assert path.stat().st_mode & 0o777 == 0o600


SEVERAL = [suffix for suffix in PAGE_SUFFIXES if suffix not in (".pdf", ".xopp")]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def touch(folder, *names):
    for name in names:
        (folder / name).touch()


@pytest.mark.parametrize("suffix", SEVERAL)
@pytest.mark.parametrize(
    ("old", "num_pages", "new"),
    [
        (["a-1", "a-2", "a-3", "a-4"], 2, ["a-1", "a-2"]),
        (["a-1", "a-2", "a-3"], 1, ["a"]),
        (["a"], 2, ["a-1", "a-2"]),
        (["a", "a-1", "a-2", "a-3"], 2, ["a-1", "a-2"]),  # after a kill
        (["a-2", "a-3"], 1, ["a"]),
        (["a-1", "a-2", "a-5"], 3, ["a-1", "a-2", "a-3", "a-5"]),  # come while it was written
        (["a-01", "a-x", "b-2", "aa-1"], 1, ["a", "a-01", "a-x", "aa-1", "b-2"]),
    ],
)
def test_pages_of_an_old_text_go_when_a_new_one_replaces_it(tmp_path, suffix, old, num_pages, new):
    touch(tmp_path, *(name + suffix for name in old))
    document = Document("a", "a.txt", tmp_path / f"a{suffix}")
    files = document.save([Page(20.0, 20.0)] * num_pages, 20, replaces=True)
    assert names(tmp_path) == sorted(name + suffix for name in new)
    assert all(file.stat().st_size for file in files)


@pytest.mark.parametrize("suffix", [".pdf", ".xopp"])
def test_numbered_files_beside_a_single_one_are_of_others(tmp_path, suffix):
    document = Document("a", "a.txt", tmp_path / f"a{suffix}")
    touch(tmp_path, f"a-1{suffix}", f"a-3{suffix}")
    check_replaced([document])
    assert not document.exists
    document.save([Page(20.0, 20.0)] * 2, 20, replaces=True)
    assert names(tmp_path) == [f"a-1{suffix}", f"a-3{suffix}", f"a{suffix}"]


def test_files_that_are_not_to_be_replaced_stay(tmp_path):
    touch(tmp_path, "a-2.svg", "a-report.json")
    Document("a", "a.txt", tmp_path / "a.svg").save([Page(20.0, 20.0)], 20)
    assert names(tmp_path) == ["a-2.svg", "a-report.json", "a.svg"]


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_a_kill_leaves_files_that_the_next_replacement_removes(tmp_path, monkeypatch, killed_at):
    """While the old files are removed: there is no gap in their numbers."""
    touch(tmp_path, *(f"a-{number}.svg" for number in range(1, 6)))
    document, usual, calls = Document("a", "a.txt", tmp_path / "a.svg"), Path.unlink, []

    def interrupted(path, **options):
        if path.parent == tmp_path:
            calls.append(path)
        if len(calls) == killed_at:
            raise KeyboardInterrupt
        usual(path, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", interrupted)
        document.save([Page(20.0, 20.0)] * 2, 20, replaces=True)
    check_replaced([document])
    document.save([Page(20.0, 20.0)] * 2, 20, replaces=True)
    assert names(tmp_path) == ["a-1.svg", "a-2.svg"]


def test_a_numbered_file_behind_a_gap_is_named(tmp_path):
    touch(tmp_path, "a-1.svg", "a-2.svg", "a-5.svg", "b-2.svg", "c-3.svg")
    documents = [Document("a", "a.txt", tmp_path / f"{name}.svg") for name in "abc"]
    check_replaced(documents[1:2])  # A killed process has not saved page 1.
    with pytest.raises(UserError, match=r"a-5\.svg is there without a-4\.svg; is it of another"):
        check_replaced(documents[:2])
    with pytest.raises(UserError, match=r"(?s)2 faults\n.*a-5\.svg .*c-3\.svg is there "):
        check_replaced(documents)
