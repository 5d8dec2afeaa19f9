"""The words that look like a corrected one."""

import numpy as np
import pytest

from apps.notes.alike import Reading
from apps.notes.page_text import PageRow, PageWord
from apps.notes.searching import RowFrames

READING = Reading("Voxhall,", "Vaxhall")


def frames_of(*words, **costs):
    """The frames of words, of which each `o` may be other letters that cost so many nats."""
    read = []
    for text in words:
        frames = [{c: 0.0} | (costs if c == "o" else {}) for c in text.lower()]
        frames = [frame for each in frames for frame in (each, {"_": 0.0})]
        read.append(PageWord(text, (), 0.5, (), (*frames, {" ": 0.0})))
    return RowFrames.of(PageRow(tuple(read)))


def test_only_words_that_were_read_in_a_similar_way_are_compared():
    kinds = ["hall", "voxhull", "zebra", "voxhall", "vaxhall", "fixhull"]
    # 2 nats, 0.47 a letter; at least a probability of 0.7; 1.07 nats a difference.
    most = (2 + 7 * 0.47 - np.log(0.7 / 0.3)) / 1.07
    assert 4 < most < 5
    near = READING.near(kinds)
    assert near == {"voxhall": 0, "voxhull": 1, "hall": 3, "fixhull": 3}
    assert [*near][:2] == ["voxhall", "voxhull"]
    for text in ("voxhall", "Vöxhall", "Vox-hall", "", "!"):
        assert (READING._replace(text=text).near(kinds) == {}) == (text != "Vox-hall")


@pytest.mark.parametrize(("read", "distance"), [("Voxhall", 0), ("and", 6)])
def test_the_confidence_falls_with_the_cost_the_difference_and_common_words(read, distance):
    logit = 2 + 7 * 0.47 - 1.07 * distance - 0.9 * (read == "and") - 0.5 * 1.5
    (confidence,) = READING.confidences([read], [frames_of("Voxhall", a=1.5)], [distance])
    assert confidence == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)
    (without_a,) = READING.confidences([read], [frames_of("Voxhall")], [distance])
    assert without_a < confidence


def test_a_word_of_a_row_has_its_own_frames():
    row = frames_of("so", "Voxhall", "on", a=1.5)
    for index, word in enumerate(("so", "Voxhall", "on")):
        assert row.word(index) == frames_of(word, a=1.5)


def test_a_word_keeps_its_punctuation_and_a_capital_with_which_it_begins():
    assert READING.corrected('"Voxholl!') == '"Vaxhall!'
    assert READING.corrected("voxholl") == "Vaxhall"
    assert Reading("wos", "was,").corrected("Wos.") == "Was."
    assert Reading("wos", "was").corrected("-") == "was"
