"""Lines that are learned, that say what a hand is, and that are told by it are different ones."""

from itertools import chain

import pytest

from benchmarks.own_hand import NUM_ENROLLED, divided, enrolments

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
