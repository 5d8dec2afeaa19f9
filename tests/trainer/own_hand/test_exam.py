"""How much of what was learned is kept: an exam of given results, and who is asked what."""

from types import SimpleNamespace

import pytest

from data_loader.texts import corpus
from trainer.own_hand import exam
from utils.alphabet import Alphabet


def kept(before, *found):
    """Return the share of what was learned that is kept.

    Args:
        before: the character error rate before.
        found: for each share that may be tried in turn that of then, and what is no longer read.
    """
    scores = [(set(), [], before), *((set(), lost, cer) for cer, lost in found)]
    one = SimpleNamespace(score=lambda *_: scores.pop(0))
    learned = SimpleNamespace(model=SimpleNamespace(load_state_dict=lambda _: None))
    return exam.legible_fraction(one, None, learned, {}, {})[0]


@pytest.mark.parametrize(
    ("was", "now", "share"),
    [(0.0, 0.009, 1.0), (0.0, 0.011, 0.9), (0.1, 0.119, 1.0), (0.1, 0.121, 0.9)],
)
def test_a_tenth_and_one_in_a_hundred_more_may_be_misread(was, now, share):
    assert kept(was, (now, []), (was, [])) == share


def test_of_shares_that_are_as_good_the_largest_is_kept():
    """All that are tried, down to 0.75 of what is legible, lose the same letter."""
    assert kept(0.0, (0.0, ["z"]), (0.0, ["z"]), (0.0, ["z"])) == 1.0
    assert kept(0.0, (0.5, []), (0.0, ["z"]), (0.0, ["z"]), (0.0, ["z"])) == 0.9


def test_each_doubtful_character_is_tried_with_each_other_seed(monkeypatch):
    asked = []

    def write_lines(texts, seeds, *_, **__):
        asked.extend(zip(texts, seeds, strict=True))
        return [SimpleNamespace(written=one) for one in zip(texts, seeds, strict=True)]

    def read_lines(lines):  # Only one of them, and only the last time; and one that was not before.
        known = [("cat", 2), ("dog", 0)]
        return [text if (text, seed) in known else "#" for text, seed in lines]

    texts = {"a": "cat", "b": "tub", "c": "icy", "d": "dog"}
    monkeypatch.setattr(corpus, "CARRIERS", texts)
    monkeypatch.setattr(exam, "NUM_EXAM_LINES", 0)
    monkeypatch.setattr(exam, "calibrated", lambda *_: SimpleNamespace(stretch=None))
    model = SimpleNamespace(alphabet=Alphabet("abcdgiotuy"))
    network = SimpleNamespace(model=model, write_lines=write_lines)
    one = exam.Exam(network, SimpleNamespace(read_lines=read_lines), (None, ""), 0)
    read, lost, cer = one.score(network, {"a", "b", "d"})
    assert read == {"d"} and lost == ["b"] and cer == pytest.approx(0.75)
    again = [("cat", 1), ("cat", 2), ("tub", 1), ("tub", 2)]
    assert sorted(asked) == sorted([*((text, 0) for text in texts.values()), *again])
