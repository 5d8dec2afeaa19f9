"""Letters and signs beyond ASCII, made of a hand's own letters."""

import unicodedata

import numpy as np
import pytest

from data_loader.pen_paths import from_strokes, slanted, to_strokes
from data_loader.synthetic.composed.accents import MARKS_BELOW, NON_ASCII, accented
from data_loader.synthetic.composed.cutting import Piece
from data_loader.synthetic.composed.drawn_characters import Drawer
from data_loader.synthetic.texts.european import ACCENTED_LETTERS, SIGNS
from tests.data_loader.synthetic.composed.recorded import Recorded

HAND = Recorded().hands()["leaning"]


def ascii_piece(character):
    return Drawer()(character, HAND, 0, np.random.default_rng(0))


def upright(piece):
    return to_strokes(slanted(piece.path, -HAND.slant))


def make(character, seed=0, get_piece=ascii_piece, hasty=False):
    return accented(character, get_piece, HAND, np.random.default_rng(seed), hasty)


@pytest.mark.parametrize(
    ("letter", "count"), [("í", 2), ("î", 2), ("ï", 3), ("ī", 2), ("ı", 1), ("į", 3)]
)
def test_i_has_no_dot_under_a_mark(letter, count):
    assert len(upright(make(letter))) == count


@pytest.mark.parametrize("letter", sorted(set(ACCENTED_LETTERS) - set("ďģľĽť")))
def test_mark_lies_above_or_below_its_letter(letter):
    base, *marks = unicodedata.normalize("NFD", letter)
    if not marks or base in "ij":
        return
    points, own = (np.concatenate(upright(piece)) for piece in (make(letter), ascii_piece(base)))
    below = points[:, 1].max() - own[:, 1].max()
    above = own[:, 1].min() - points[:, 1].min()
    assert below > 0.1 > above if marks[0] in MARKS_BELOW else above > 0.1 > below


@pytest.mark.parametrize(
    ("sign", "count", "top", "bottom"),
    [
        ("…", 3, -0.1, 0.1),
        ("·", 1, -0.5, -0.4),
        ("¿", 2, -1.2, 0.3),  # turned: its dot is at the x-height, its bow below the baseline
        ("¡", 2, -1.2, 0.2),
        ("„", 2, -0.1, 0.3),
        ("“", 2, -1.35, -1.2),
        ("–", 1, -0.4, -0.3),
        ("°", 1, -1.2, -1.0),
    ],
)
def test_sign_has_its_strokes_at_its_height(sign, count, top, bottom):
    for strokes in (upright(make(sign, seed)) for seed in range(6)):
        y = np.concatenate(strokes)[:, 1]
        assert len(strokes) == count
        assert [y.min(), y.max()] == pytest.approx([top, bottom], abs=0.35)


def test_every_letter_and_sign_can_be_drawn():
    assert set(ACCENTED_LETTERS + SIGNS) == NON_ASCII
    for seed, character in enumerate(ACCENTED_LETTERS + SIGNS):
        piece = make(character, seed)
        assert piece.text == character and np.isfinite(piece.path).all() and piece.path[-1, 2]


STEM, DOT = upright(ascii_piece("i"))
BARE = from_strokes([STEM])


@pytest.mark.parametrize(
    ("character", "base"),
    [("é", None), ("…", None), ("ж", ascii_piece("e")), ("í", Piece("i", BARE))],
)
def test_no_accented_letter_or_sign_is_drawn_without_a_usable_base_letter(character, base):
    assert make(character, get_piece=lambda _: base) is None


def test_marks_made_in_haste_are_smaller_differ_and_are_joined_now_and_then():
    letter = upright(ascii_piece("e"))

    def marks(hasty):
        made = [upright(make("ê", seed, hasty=hasty)) for seed in range(60)]
        return [np.concatenate(strokes[len(letter) :]) for strokes in made if len(strokes) > 1]

    neat, hasty = marks(False), marks(True)
    assert len(neat) == 60 and 60 * 0.7 < len(hasty) < 60
    sizes = [np.array([np.ptp(mark[:, 0]) for mark in drawn]) for drawn in (neat, hasty)]
    assert np.median(sizes[1]) < 0.9 * np.median(sizes[0]) and sizes[1].std() > 2 * sizes[0].std()
