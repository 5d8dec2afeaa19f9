"""Letters of formulas have one form each: by hand if people can read it, drawn otherwise."""

from functools import partial
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from apps.pages.formula_letters import TRIES, best_form, distance, fitted, letter_forms
from apps.pages.formula_parse import SIGNS
from apps.pages.formula_signs import SignPen
from apps.pages.proofreading import MISSING_WORD, CheckedWord
from apps.pages.written_word import WrittenWord

LETTERS = [name for name in SIGNS if name.isascii() and name.isalnum()]


def checked(text, strokes, **values):
    return CheckedWord((WrittenWord(tuple(strokes), 1.0, 1.0, text),), text, **values)


def drawn(text, lean=0.0, seed=1):
    return SignPen(lean, np.random.default_rng(seed)).sign(text, 1.3)


def test_every_letter_and_digit_has_a_shape_near_which_no_other_is():
    assert len(LETTERS) == 26 + 26 + 10
    same = {*map(frozenset, ("0O", "0o", "Oo", "cC", "sS", "vV", "wW", "xX", "zZ", "kK"))}
    for text in LETTERS:
        nearest = min(LETTERS, key=partial(distance, drawn(text)))
        assert nearest == text or {nearest, text} in same, (text, nearest)
        assert distance(drawn(text), text) < 0.09


def test_the_try_nearest_to_the_shape_is_chosen_if_readers_read_it():
    rough = [stroke * (1.0, 1.0 + 0.06 * np.sin(9 * stroke[:, :1])[0, 0]) for stroke in drawn("h")]
    wrong = checked("h", drawn("h"), errors=1, hypothesis="n", doubt=9.0)
    loop = checked("h", [*drawn("h"), drawn("O")[0]])
    lacking = CheckedWord((WrittenWord((), 1.0, 1.0, "h"),), "h", faults=(MISSING_WORD,))
    assert best_form("h", [wrong, loop, lacking], 0.0) is None
    form = best_form("h", [wrong, loop, checked("h", rough), lacking], 0.0)
    assert form and not form.reason
    assert best_form("h", [checked("h", drawn("n"))], 0.0) is None
    assert best_form("h", [], 0.0) is None


def test_a_letter_without_a_shape_is_the_best_try():
    first, second = (checked("ü", drawn(each), doubt=d) for each, d in (("u", 3.0), ("n", 0.0)))
    form = best_form("ü", [first, second], 0.0)
    assert form.doubt == 0.0 and best_form("ü", [], 0.0) is None


@pytest.mark.parametrize(
    ("text", "ink", "height", "width"),
    [
        ("x", 1, 1.05, 0.35),
        ("0", 3, 1.8, 0.58 * 1.8),
        ("O", 1, 1.8, 0.75 * 1.8),
        ("b", 3, 1.85, 1.85),
    ],
)
def test_letters_have_the_height_and_the_width_of_their_kind(text, ink, height, width):
    """Ink that is 3 high and 1 or 3 wide."""
    (stroke,) = fitted(text, [np.array([[0.0, 2.0], [ink, -1.0]])])
    assert np.ptp(stroke, axis=0) == pytest.approx((width, height))
    assert stroke[:, 1].max() == pytest.approx(0)
    (low,) = fitted("p", [np.array([[0.0, -1.7], [0.3, 0.0]])])
    assert (low[0, 1], low[1, 1]) == pytest.approx((-1.0, 0.7))


def test_forms_keep_the_lean_of_the_hand():
    form = best_form("H", [checked("H", drawn("H", lean=0.4))], 0.4)
    stem = form.words[0].strokes[0]
    lean = (stem[0, 0] - stem[-1, 0]) / (stem[-1, 1] - stem[0, 1])
    assert lean == pytest.approx(0.4, abs=0.1)


def test_a_hand_writes_each_letter_some_times_with_the_seeds_of_the_text():
    seeds = count()
    calls = []

    def write_words(texts, each_seed):
        calls.extend(zip(texts, each_seed, strict=True))
        return [[checked(text, drawn(text, seed=next(seeds)))] for text in texts]

    hand = SimpleNamespace(reader=None, write_words=write_words)
    forms = letter_forms(hand, {"b", "a", "f", "."}, 7, 0.0)
    assert sorted(forms) == ["a", "b"]  # `f` and the point are drawn.
    assert [text for text, _ in calls] == ["a"] * TRIES + ["b"] * TRIES
    assert calls[0] == ("a", 7) and len({seed for text, seed in calls if text == "a"}) == TRIES
