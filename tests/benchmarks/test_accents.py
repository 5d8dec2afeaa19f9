"""The measure of accents, on texts whose faults are counted by hand."""

import pytest

from benchmarks.accents import TEXTS, counts, is_accented
from data_loader.synthetic.texts.european import VOCABULARY


@pytest.mark.parametrize(
    ("read", "kept", "lost", "false"),
    [
        ("Noël à côté", 4, 0, 0),
        ("Noel à coté", 2, 2, 0),
        ("Noèl á côté", 2, 0, 0),  # another mark is neither kept nor lost
        ("Nöël à côtés", 4, 0, 1),
        ("Noël à côtéé", 4, 0, 1),
        ("Noil côté", 2, 0, 0),
        (" Noe\u0308l à côté ", 4, 0, 0),
    ],
)
def test_accents_are_kept_lost_or_false(read, kept, lost, false):
    found = counts("Noël à côté", read)
    assert (found["accents"], found["letters"]) == (4, 9)
    assert (found["kept"], found["lost"], found["false"]) == (kept, lost, false)


def test_texts_are_of_eight_languages_and_have_accents_that_the_judge_makes():
    rows = [row.split("\t") for row in TEXTS.read_text(encoding="utf-8").splitlines()]
    assert len({language for language, _ in rows}) == 8
    assert {language for language, _ in rows} <= VOCABULARY.keys()
    for _, text in rows:
        beyond = [character for character in text if not character.isascii()]
        assert beyond and all(map(is_accented, beyond)) and len(text) <= 40
