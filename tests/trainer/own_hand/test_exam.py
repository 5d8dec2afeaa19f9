"""How much of what was learned is kept: an exam of given results, and who is asked what."""

from types import SimpleNamespace

import pytest

from trainer.own_hand import exam


def kept(was, *found):
    """Return the share of what was learned that is kept.

    Args:
        was: the share of misread characters before.
        found: for each share that may be tried in turn that of then, and what is no longer read.
    """
    misread, lost = [was, *(now for now, _ in found)], [letters for _, letters in found]
    one = SimpleNamespace(score=lambda _: (set(), misread.pop(0)), lost=lambda *_: lost.pop(0))
    learned = SimpleNamespace(model=SimpleNamespace(load_state_dict=lambda _: None))
    return exam.legible_share(one, None, learned, {}, {})[0]


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

    def read_lines(lines):  # Only one of them, and only the last time.
        return [text if (text, seed) == ("cat", 2) else "#" for text, seed in lines]

    reader = SimpleNamespace(read_lines=read_lines)
    monkeypatch.setattr(exam, "calibrated", lambda *_: SimpleNamespace(stretch=None))
    one = exam.Exam({"a": "cat", "b": "tub", "c": "icy"}, [], (None, ""), reader)
    assert one.lost(SimpleNamespace(write_lines=write_lines), {"a", "b"}) == ["b"]
    assert sorted(asked) == [("cat", 1), ("cat", 2), ("tub", 1), ("tub", 2)]
