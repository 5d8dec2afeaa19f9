"""New texts of pieces: whose they are, and where they meet."""

import re
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from data_loader.pen_paths import from_strokes, mean_step, to_ink, to_strokes
from data_loader.synthetic.composed.composing import (
    BORROWED_COST,
    CUT_COST,
    RANDOM_COST,
    UNJOINED_COST,
    Bank,
    Composer,
    adapted,
    marks_last,
)
from data_loader.synthetic.composed.cutting import Piece
from ink import measures
from tests.data_loader.synthetic.composed.recorded import Recorded


def cross(sign, hand, way, generator):
    """A maker of one sign for everything, as wide as its way says; it cannot make `~`."""
    if sign == "~":
        return None
    x = np.arange(5) * (0.2 + 0.1 * (way % 1009) / 1009)
    return Piece(sign, from_strokes([np.stack([x, -0.2 * x], 1)]))


@pytest.fixture(scope="module")
def bank():
    return Bank(Recorded().hands(), cross, scarce=1)


def test_no_other_pieces_of_a_hand_compose_a_word_at_less_cost(bank):
    """Of all ways to write a word with a hand's pieces, by exhaustive search, none costs less."""
    hand = bank.hands["cursive"]
    words = re.findall(r"\S{4,}", " ".join(line.text for line in bank.hands["plain"].lines))
    for number, word in enumerate(words[:12]):
        generator = np.random.default_rng(number)
        pieces = Composer(bank, "cursive", generator).pieces(word)
        # What will be lent is not known before, so it counts as whole.
        ends = [(p.cut_before, p.cut_after) if own else (False, False) for p, own in pieces]
        ends = [(False, False), *ends, (False, False)]
        cost = len(pieces) + BORROWED_COST * sum(not own for _, own in pieces)
        cost += CUT_COST * sum(cut_before or cut_after for cut_before, cut_after in ends)
        cost += UNJOINED_COST * sum(a[1] != b[0] for a, b in pairwise(ends))
        assert cost <= cheapest(word, hand) + RANDOM_COST * len(pieces) + 1e-9


def cheapest(word, hand):
    """The least cost of a word but for whims."""

    @cache
    def rest(start, before):
        if start == len(word):
            return 0.0
        costs = []
        for stop in range(start + 1, len(word) + 1):
            edges = {(p.cut_before, p.cut_after) for p in hand.places.get(word[start:stop], ())}
            options = [(o, c, 1 + CUT_COST * (o or c)) for o, c in edges]
            options += [(False, False, 1 + BORROWED_COST)] if stop == start + 1 else []
            for cut_before, cut_after, cost in options:
                alone = int(cut_before != before) + int(cut_after and stop == len(word))
                costs.append(cost + UNJOINED_COST * alone + rest(stop, bool(cut_after)))
        return min(costs)

    return rest(0, False)


def test_lent_letters_take_the_slant_height_and_speed_of_the_hand(bank):
    hands = bank.hands
    for of, to in pairwise([hands["plain"], hands["leaning"], hands["wide"], hands["plain"]]):
        lean = []
        tall = []
        small = []
        speeds = []
        for text, places in of.places.items():
            if len(text) > 1:
                continue
            piece = of.piece(places[0])
            lent = adapted(piece, of, to)
            assert lent.text == text and lent.path[:, 0].min() == pytest.approx(0, abs=1e-9)
            assert lent.path[:, 2].sum() == piece.path[:, 2].sum()
            ink = to_ink(lent.path)
            if text in "lkhbdIHTE":
                lean.append(measures.median_lean(ink))
                tall.append(lent.path[:, 1].min() / piece.path[:, 1].min())
            if text in "aceonsu":
                small.append(np.ptp(lent.path[:, 1]) / np.ptp(piece.path[:, 1]))
            speeds.append(mean_step(lent.path))
        assert len(lean) > 3 and np.median(lean) == pytest.approx(to.slant, abs=0.06)
        # Wide's capitals and stems are higher by three tenths of what is above small letters.
        assert np.median(tall) == pytest.approx(to.tall_height / of.tall_height, rel=0.02)
        assert small and np.allclose(small, 1.0, atol=0.05)
        assert np.median(speeds) == pytest.approx(to.mean_step, rel=0.15)


def test_sign_that_no_hand_has_looks_alike_within_a_text(bank):
    """The maker is told the same way for each `#` of a text, and another for another text."""
    composer = Composer(bank, "plain", np.random.default_rng(0))
    assert composer.write("no a~ no") is None  # as it is not made
    steps = []
    for seed in range(6):
        x = Composer(bank, "plain", np.random.default_rng(seed)).write("### #")[:, 0]
        own = np.diff(x.reshape(-1, 5), axis=1)
        np.testing.assert_allclose(own, own[0, 0], atol=1e-6)
        steps.append(round(float(own[0, 0]), 6))
    assert len(set(steps)) == 6


def test_dots_and_accents_of_a_late_word_come_after_its_other_strokes():
    strokes = [[(0, 0), (0, -1)], [(0.1, -1.4), (0.1, -1.3)], [(1, 0), (1, -1.9)]]
    strokes += [[(1.5, -1.3), (1.9, -1.1)], [(2, -0.2), (2, 0.3)]]
    late = to_strokes(marks_last(from_strokes([*map(np.array, strokes)])))
    assert [stroke.tolist() for stroke in late] == [
        [[*map(float, point)] for point in strokes[n]] for n in (0, 2, 4, 1, 3)
    ]
