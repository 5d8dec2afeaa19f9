"""Words are found in what was read, and in what else it may be."""

import pytest

from notes.searching import search
from tests.notes.pages import note


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("kennedy", [(1, 2, 1)]),
        ("(KENNEDY)", [(1, 2, 1)]),
        ("kemnedy", [(1, 2, 1)]),  # an edit, of a word that is unsure
        ("kennedyes", [(1, 2, 1)]),  # two of a longer one
        ("renuedy", [(1, 2, 1)]),  # another reading
        ("kemnedi", []),
        ("renuedi", []),
        ("saids", []),  # a word that is sure stands as it is
        ("kennedy said", [(1, 2, 1)]),
        ("said kennedy", []),
        ("ŁÓDŹ", [(1, 1, 1)]),
        ("7", [(1, 1, 2)]),
    ],
)
def test_words_are_found(query, places):
    assert [hit[:3] for hit in search(query, note())] == places


def test_a_hit_has_the_confidence_of_its_least_sure_word():
    (hit,) = search("kennedy said", note())
    assert hit.confidence == 0.5 and hit.row.text == "Kennedy said"
