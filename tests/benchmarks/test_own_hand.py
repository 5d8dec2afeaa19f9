"""Lines that are learned, that say what a hand is, and that are told by it are different ones."""

from argparse import Namespace
from itertools import chain

import numpy as np
import pytest

from benchmarks import own_hand
from benchmarks.own_hand import ENROLLED, divided, enrolments

FORMS = (9, 8, 8, 6, 8, 7, 6, 8)


@pytest.mark.parametrize(("count", "later"), [(0, 60), (4, 51), (9, 51), (10, 43), (30, 29)])
def test_no_line_is_of_a_form_of_which_some_are_learned(count, later):
    hand = [[(form, line) for line in range(lines)] for form, lines in enumerate(FORMS)]
    learned, rest = divided(hand, count)
    assert learned == list(chain(*hand))[:count]
    assert rest == list(chain(*hand))[60 - later :]
    assert {form for form, _ in learned}.isdisjoint(form for form, _ in rest)
    for known, others in enrolments(rest):
        assert len(known) == ENROLLED and len(others) == later - ENROLLED
        assert not set(others) & set(known)


class Space:
    """Lines lie where their ink says."""

    between = np.full(2, 9.0)

    def embed(self, inks):
        return np.array(inks, dtype=float)


def test_lines_like_the_learned_ones_alone_are_not_told_right(monkeypatch, capsys):
    """Two hands, each learned from a form that is like the other hand's further forms."""
    monkeypatch.setattr(own_hand.hand_likeness, "load", lambda: Space())
    monkeypatch.setattr(own_hand, "misread_of", lambda inks, texts: 0.0)
    learned, further = [((9.0, 0.0), "a")] * 4, [((-9.0, 0.0), "b")] * 25
    hands = {"one": [learned, further, further], "two": [further[:4], learned * 5, learned * 5]}
    at = {"before alone": 9, "before primed": 9, "now alone": -9, "now primed": 9}
    found = [
        {name: {"places": [[side * x, 0.0]] * 20, "errors": 0.0} for name, x in at.items()}
        for side in (1, -1)
    ]
    own_hand.table(Namespace(lines=4, skip=0), hands, found)
    told = [line[28:].split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert told == ["100.0%", "0.0%", "0.0%", "100.0%", "0.0%"]
