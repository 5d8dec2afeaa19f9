"""Lines that are learned, that say what a hand is, and that are told by it are different ones."""

from itertools import chain

import numpy as np
import pytest

from apps.hand import fine_tuning
from apps.hand.fine_tuning import Gain, Score
from benchmarks.own_hand import NUM_ENROLLED, divided, enrolments, measure_reading
from ink.sample import Sample

FORMS = (9, 8, 8, 6, 8, 7, 6, 8)


@pytest.mark.parametrize(("count", "later"), [(0, 60), (4, 51), (9, 51), (10, 43), (30, 29)])
def test_lines_for_scoring_are_of_other_forms_than_learned_lines(count, later):
    hand = [[(form, line) for line in range(lines)] for form, lines in enumerate(FORMS)]
    learned, rest = divided(hand, count)
    assert learned == list(chain(*hand))[:count]
    assert rest == list(chain(*hand))[60 - later :]
    assert {form for form, _ in learned}.isdisjoint(form for form, _ in rest)
    for known, others in enrolments(rest):
        assert len(known) == NUM_ENROLLED and len(others) == later - NUM_ENROLLED
        assert not set(others) & set(known)


def test_a_reader_that_learned_is_measured_on_texts_that_are_new_to_it(monkeypatch):
    lines = [Sample(np.ones((2, 3)), text) for text in ("abcd", "efgh", "Abcd", "ijkl", "mnop")]
    scores = {"first": Score(0.5, 2.0), "learned": Score(0.25, 1.0)}
    monkeypatch.setattr(fine_tuning, "usable", lambda _, lines: lines)
    gain = Gain(scores["first"], scores["learned"])
    monkeypatch.setattr(fine_tuning, "cross_validated", lambda *_: gain)
    monkeypatch.setattr(fine_tuning, "fine_tuned", lambda *_: "learned")

    def score(reader, lines):
        assert [line.text for line in lines] == ["ijkl", "mnop"]
        return scores[reader]

    monkeypatch.setattr(fine_tuning, "score", score)
    results = measure_reading("first", lines, 2)
    assert (results["characters"], results["before"], results["now"]) == (8, 4, 2)
    assert results["taken"]


def test_uncorrected_lines_are_learned_as_a_search_reads_them(monkeypatch):
    lines = [Sample(np.ones((2, 3)), text) for text in ("abcd", "efgh", "ijkl", "Efgh", "mnop")]
    score = Score(0.25, 1.0)
    learned = []
    monkeypatch.setattr(fine_tuning, "usable", lambda _, lines: lines)
    monkeypatch.setattr(fine_tuning, "cross_validated", lambda *_: Gain(score, score))
    monkeypatch.setattr(fine_tuning, "fine_tuned", lambda _, lines: learned.append(lines))
    monkeypatch.setattr(fine_tuning, "score", lambda *_: score)

    class Misreading:
        def read_lines(self, inks, search):
            assert len(inks) == 2 and search == "language model"
            return ["efqh", "mnop"]

    results = measure_reading(Misreading(), lines, 1, 2, "language model")
    assert [line.text for line in learned[0]] == ["abcd", "efqh", "mnop"]
    # The person wrote the text of the fourth line before, not that of the last.
    assert results["characters"] == 4
