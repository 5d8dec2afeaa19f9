"""Hands: what can be cut out of their lines, and their measures."""

import numpy as np
import pytest

from data_loader.synthetic.composed.recorded_hands import (
    MAX_SMALL_OFFSET,
    RecordedHand,
    verify_pieces,
)
from tests.data_loader.synthetic.composed.drawn_lines import BAR, BOX, STEM, at, boxes, drawn
from tests.data_loader.synthetic.composed.recorded import HANDS, Recorded


@pytest.mark.parametrize(
    ("fitting", "more"),
    [
        ((), ""),
        ((0, 4), "a o"),
        ((1,), "c ac"),
        ((2,), "e en eno"),
        (range(5), "a c e n o ac en eno"),
    ],
)
def test_single_characters_and_cut_ends_are_pieces_only_if_they_fit(fitting, more):
    stroke = np.concatenate([at(1, BOX), at(2, BOX)])
    parts = [*boxes(0), (stroke, np.repeat([1, 2], 7)), *boxes(3, 4)]
    line = drawn(parts, "aceno", fits=np.isin(np.arange(5), fitting))
    whole = {"ace", "acen", "aceno", "ce", "cen", "ceno", "no"}
    assert set(RecordedHand([line]).places) == whole | {*more.split()}


@pytest.mark.parametrize("letter", "tf")
def test_a_letter_without_its_bar_is_no_piece_by_itself(letter):
    """Beside its neighbours it is read, and elsewhere as an l."""
    parts = [(at(n, STEM if n == 2 else BOX), n) for n in range(5)]
    bare = RecordedHand([drawn(parts, f"ac{letter}no")]).places
    assert {f"c{letter}", f"{letter}n", f"ac{letter}"} <= set(bare) and letter not in bare
    crossed = [*parts[:3], (at(2, BAR), 2), *parts[3:]]
    assert {letter, f"c{letter}"} <= set(RecordedHand([drawn(crossed, f"ac{letter}no")]).places)
    assert "l" in RecordedHand([drawn(parts, "aclno")]).places


@pytest.fixture(scope="module")
def forms():
    return Recorded().hands()


def test_hands_have_the_slant_height_and_width_of_their_fonts(forms):
    """Of stroke fonts in a known slant, size and width."""
    assert list(forms) == list(HANDS) and all(len(hand.lines) == 6 for hand in forms.values())
    for form, slant in (("plain", 0.0), ("leaning", 0.35), ("wide", 0.0)):
        assert forms[form].slant == pytest.approx(slant, abs=0.04)
    plain = forms["plain"]
    assert plain.height == pytest.approx(14 * 7.0, rel=0.05)  # of a font of 14 units
    assert forms["leaning"].height / plain.height == pytest.approx(9 / 7, rel=0.05)
    assert forms["wide"].width / plain.width == pytest.approx(1.25, rel=0.05)
    assert plain.tall_height == pytest.approx(1.5, rel=0.03)
    assert forms["wide"].tall_height == pytest.approx(1 + 1.3 * 0.5, rel=0.03)
    assert forms["cursive"].strokes_per_character < 1 < plain.strokes_per_character


def test_gaps_are_those_between_letters_and_words(forms):
    for hand in forms.values():
        assert (np.diff(hand.gaps) >= 0).all() and (np.diff(hand.word_gaps) >= 0).all()
        assert np.median(hand.word_gaps) > 2 * np.median(hand.gaps) > 0
    line = drawn(boxes(0, 1, 2, 4, 5, 6, 8, 9), "ace nov me")
    np.testing.assert_allclose(RecordedHand([line]).gaps, [0.6] * 5, atol=1e-5)
    assert RecordedHand([line]).word_gaps.tolist() == [0.8, 1.0, 1.2]  # two are no measure
    np.testing.assert_allclose(RecordedHand([line, line]).word_gaps, [1.8] * 4, atol=1e-5)


@pytest.mark.parametrize("low", [-1.0, 0.1, 0.5])
def test_pieces_stand_on_the_baseline(low):
    """By the median of their small letters, a descender aside; what stands nearly there stays."""
    raised = np.array([0, low])
    level = boxes(0, 1, 2, 3, 4, 6, 7, 8, 9)
    letters = [(at(n, BOX) + raised, n) for n in (11, 12)]
    tail = (np.concatenate([at(13, BOX), at(13, [(0.6, 0.9)])]) + raised, 13)
    hand = RecordedHand([drawn([*level, *letters, tail], "aceno aceo vmg")])
    (place,) = hand.places["vmg"]
    moves = hand.piece(place).path - hand.lines[0].piece(11, 13).path
    (moved,) = np.unique(moves[:, :2].round(9), axis=0)
    stood = hand.lines[0].points_of(12)[:, 1].max()
    assert abs(stood - low) < 0.06 and moved[0] == 0
    assert stood + moved[1] == pytest.approx(np.clip(stood, -MAX_SMALL_OFFSET, MAX_SMALL_OFFSET))


def test_characters_fit_if_a_recogniser_reads_them_in_another_word():
    fits = np.zeros(9, dtype=bool)
    hand = RecordedHand([drawn(boxes(0, 1, 2, 3, 5, 6, 7, 8), "aceo nexo", fits=fits)])
    trials = [*hand.trials(np.random.default_rng(0))]
    texts = [f"{text[:2]} {text[2:]}" for *_, text in trials]  # Blanks do not count.
    texts[1], texts[6] = "what", "else"
    assert verify_pieces([hand], lambda inks: texts) == (len(trials), len(trials) - 2)
    unread = {character for n, (_, character, *_) in enumerate(trials) if n in (1, 6)}
    assert np.flatnonzero(~fits).tolist() == sorted({4, *unread})  # and the blank
