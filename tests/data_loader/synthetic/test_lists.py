"""Reading the text files of words, phrases and templates."""

import pytest

from data_loader.synthetic import lists
from data_loader.synthetic.lists import read_lists, read_pairs


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(lists, "__file__", str(tmp_path / "lists.py"))
    return lambda content: (tmp_path / "some.txt").write_text(content, encoding="utf-8")


def test_words_stand_between_blanks_and_phrases_in_lines_or_between_bars(written):
    written("[one-word]\né\n\n[few]\na b/c\n  {d|e}\n\n[phrases]\nf g ¦ | h\n\n[ ] [x]\n{i} ¦ j\n")
    assert read_lists("some.txt") == {
        "one-word": ["é"],
        "few": ["a", "b/c", "{d|e}"],
        "phrases": ["f g", "| h", "[ ] [x]", "{i}", "j"],
    }


def test_pairs_stand_on_both_sides_of_a_tab(written):
    written("name\tAnn Lee\n[\tlist[one]\n")
    assert read_pairs("some.txt") == [("name", "Ann Lee"), ("[", "list[one]")]
