"""How much of what was learned is kept: an exam of given results, and who is asked what."""

from types import SimpleNamespace

import pytest
import torch

from apps.hand import exam


def kept(before, *tries):
    """Return the share of what was learned that is kept.

    Args:
        before: the character error rate before.
        found: for each share that may be tried in turn that of then, and what is no longer read.
    """
    scores = [(set(), [], before), *((set(), lost, cer) for cer, lost in tries)]
    given = SimpleNamespace(score=lambda *_: scores.pop(0))
    learned = SimpleNamespace(model=SimpleNamespace(load_state_dict=lambda _: None))
    return exam.legible_fraction(given, None, learned, {}, {})[0]


@pytest.mark.parametrize(
    ("was", "now", "share"),
    [(0.0, 0.009, 1.0), (0.0, 0.011, 0.9), (0.1, 0.119, 1.0), (0.1, 0.121, 0.9)],
)
def test_what_was_learned_may_raise_the_error_rate_by_a_tenth_and_1_percent(was, now, share):
    assert kept(was, (now, []), (was, [])) == share


def test_the_largest_fraction_is_kept_when_several_are_equally_legible():
    """All that are tried, down to 0.75 of what is legible, lose the same letter."""
    assert kept(0.0, (0.0, ["z"]), (0.0, ["z"]), (0.0, ["z"])) == 1.0
    assert kept(0.0, (0.5, []), (0.0, ["z"]), (0.0, ["z"]), (0.0, ["z"])) == 0.9


def test_weights_that_only_the_learned_network_has_stay_as_they_are():
    old, new = {"known": torch.zeros(2)}, {"known": torch.ones(2), "added": torch.ones(1)}
    weights = exam.interpolated(old, new, 0.25)
    assert {name: weight.tolist() for name, weight in weights.items()} == {
        "known": [0.25, 0.25],
        "added": [1.0],
    }
