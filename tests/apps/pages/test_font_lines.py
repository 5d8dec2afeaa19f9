"""A hand as a single-line font: one form of each character, joins at one height, kerning."""

import numpy as np
import pytest

from apps.pages import PageOptions
from apps.pages.font_forms import Form, HandForms
from apps.pages.font_lines import MAX_KERNING, pen_font_of
from apps.pages.pen_hand import PenHands
from ink.formats.svg.fonts import to_svg
from ink.geometry import smooth_path

GAP = 0.3
STEM = np.array([[0.0, -2.0], [0.0, -1.0], [0.0, 0.0]])
SLASH = np.array([[0.0, 0.0], [0.5, -1.0], [1.0, -2.0]])
DOT = np.array([[0.0, 0.0]])


def hand(*forms, exits=(), entered="", **options):
    rises = {"low": 0.4, "high": 0.9}
    values = {"gap": GAP, "pair_gaps": {}, "blank": 1.2, "lean": 0.0} | options
    return HandForms(tuple(forms), dict(exits), {"low": frozenset(entered)}, rises, **values)


def distance(font, first, second):
    """Return the least distance of the points of two characters at about the same height."""
    starts = [*font.starts([first, second])]
    left, right = (
        np.concatenate([smooth_path(s, 20) + np.array([x, 0.0]) for s in font.glyphs[text].strokes])
        for text, x in starts
    )
    is_level = np.abs(left[:, None, 1] - right[None, :, 1]) < 0.05
    return (right[None, :, 0] - left[:, None, 0])[is_level].min()


def test_characters_stand_the_gap_of_the_hand_apart_at_their_nearest_height():
    forms = hand(
        Form("l", (STEM,), 0.0),
        Form("y", (SLASH,), 1.0),
        Form(".", (DOT,), 0.0),
        pair_gaps={"ll": 0.5},
    )
    font = pen_font_of("Plain", forms)
    assert font.name == "Plain" and font.glyphs[" "].advance == pytest.approx(1.2 - GAP)
    assert distance(font, "l", "l") == pytest.approx(0.5, abs=0.05)
    for first, second in ("ly", "yl", "yy", "l.", ".l"):
        assert distance(font, first, second) == pytest.approx(GAP, abs=0.2)  # bands of the profile
    assert 0.0 < max(font.kerning.values()) <= MAX_KERNING
    (_, start), (_, x) = font.starts("y.")  # A full stop stands behind a letter, not below it.
    right = start + max(stroke[:, 0].max() for stroke in font.glyphs["y"].strokes)
    assert x + font.glyphs["."].strokes[0][0, 0] - right == pytest.approx(GAP, abs=0.05)
    (dot,) = font.glyphs["."].strokes
    assert len(dot) == 2 and 0 < np.ptp(dot[:, 1]) < 0.2


def test_the_form_of_a_character_has_the_median_width():
    wide = (Form("y", (SLASH * (width, 1.0),), width) for width in (3.0, 1.0, 0.5, 1.2, 0.9))
    (stroke,) = pen_font_of("Plain", hand(*wide, Form("l", (STEM,), 0.0))).glyphs["y"].strokes
    assert np.ptp(stroke[:, 0]) == 1.0


@pytest.fixture
def joined():
    low = np.array([[0.0, -0.4], [0.4, -1.0], [0.5, 0.0], [0.9, -0.4]])
    high = np.array([[0.0, -0.4], [0.3, 0.0], [0.5, -1.0], [1.0, -0.9]])
    return hand(
        Form("n", (low,), 0.9, "low", "low"),
        Form("n", (low[1:],), 0.9, "", ""),
        Form("o", (high,), 1.0, "low", "high"),
        Form("o", (high[:3],), 0.5, "low", ""),
        Form("on", (low,), 2.0, "low", "low"),
        Form("T", (STEM, SLASH - 0.1), 1.0),
        exits={"n": "low", "o": "high"},
        entered="no",
    )


def test_letters_that_end_low_meet_the_next_and_others_stand_apart(joined):
    font = pen_font_of("Joined", joined)
    assert {*font.glyphs} == {" ", "T", "n", "o"}  # Pairs are left to programs with alternates.
    for first, second in ("nn", "no"):
        (_, start), (_, x) = font.starts([first, second])
        end = font.glyphs[first].strokes[-1][-1] + [start, 0.0]
        np.testing.assert_allclose(font.glyphs[second].strokes[0][0] + [x, 0.0], end, atol=1e-9)
        assert end[1] == pytest.approx(-0.4)
    for first, second in ("on", "oo"):
        assert distance(font, first, second) == pytest.approx(GAP, abs=0.2)
    np.testing.assert_allclose(font.glyphs["o"].strokes[0][1:], [[0.3, 0.0], [0.5, -1.0]])


def test_a_page_in_the_font_of_a_joined_hand_joins_its_letters(joined, tmp_path):
    path = tmp_path / "Joined.svg"
    path.write_text(to_svg(pen_font_of("Joined", joined)), encoding="utf-8")
    options = PageOptions(pen_font=path)
    (line,) = PenHands(options).of(options.look).write_words(["Tnono non"], [0])
    assert [len(word.words[0].strokes) for word in line] == [4, 2]
