import zlib

import numpy as np

from data_loader.composed.accents import NON_ASCII, accented
from data_loader.composed.bank import BankHand
from data_loader.composed.cutting import LIFT, CutLine, Piece
from data_loader.paths import at_left_edge, from_strokes, moved, slanted, to_strokes
from data_loader.texts.european import ACCENTED_LETTERS, SIGNS
from utils.ink import at_equal_steps, path_along

TALL = "ABCDEFGHIJKLMNOPQRSTUVWXYZbdhklt"
SHAPES = {
    "i": [[(0, -1), (0, 0)], [(0, -1.6), (0.02, -1.5)]],
    "j": [[(0, -1), (0, 0.6), (-0.3, 0.8)], [(0, -1.6), (0.02, -1.5)]],
    "I": [[(0, -2), (0, 0)]],
    "l": [[(0, -2), (0, 0)]],
    "d": [[(0.5, -0.9), (0, -0.9), (0, 0), (0.5, 0), (0.5, -2), (0.5, 0)]],
    "h": [[(0, -2), (0, 0), (0, -0.9), (0.5, -0.9), (0.5, 0)]],
    "t": [[(0.3, -1.8), (0.3, 0)], [(0, -1), (0.6, -1)]],
    "L": [[(0, -2), (0, 0), (0.8, 0)]],
    "g": [[(0.6, -1), (0, -1), (0, 0), (0.6, 0), (0.6, -1), (0.6, 0.8), (0.1, 0.8)]],
    ".": [[(0, -0.05), (0.03, 0)]],
    "?": [[(0, -1.8), (0.3, -2), (0.6, -1.7), (0.3, -1.1), (0.3, -0.5)], [(0.3, -0.1), (0.31, 0)]],
    "!": [[(0, -2), (0, -0.5)], [(0, -0.1), (0.01, 0)]],
    '"': [[(0, -2), (0, -1.6)], [(0.2, -2), (0.2, -1.6)]],
    "'": [[(0, -2), (0, -1.6)]],
}
"""Upright characters; all others are arches."""


def piece(one, slant=0.0):
    high = 2.0 if one in TALL else 1.0
    shape = SHAPES.get(one, [[(0, 0), (0, -high), (0.7, -high), (0.7, 0)]])
    strokes = []
    for corners in shape:
        corners = np.array(corners, dtype=float)
        path = path_along(corners)
        strokes.append(at_equal_steps(corners, path, max(1, round(path[-1] / 0.1))))
    return Piece(one, at_left_edge(slanted(from_strokes(strokes), slant)))


def hand(slant=0.0):
    """A hand that has written a line of an `l`, all lifted and read."""
    paths = [moved(piece("l", slant).path, k) for k in range(4)]
    owner, yes = np.repeat(range(4), list(map(len, paths))), np.ones(4, dtype=bool)
    return BankHand([CutLine("llll", np.concatenate(paths), owner, np.full(4, LIFT), yes, yes, 1)])


def make(one, seed=0, slant=0.0):
    """A character, and its upright strokes."""
    generator = np.random.default_rng(seed)
    made = accented(one, lambda letter: piece(letter, slant), hand(slant), generator)
    assert made is not None, one
    return made, to_strokes(slanted(made.path, -slant))


def test_i_and_j_lose_their_dot_under_a_mark_only():
    for one, count in {"í": 2, "î": 2, "ï": 3, "ī": 2, "ı": 1, "į": 3, "İ": 2}.items():
        assert len(make(one)[1]) == count, one
    np.testing.assert_allclose(make("ı")[0].path, at_left_edge(piece("i").path[:11]))


def test_what_cannot_be_made_is_none():
    """Without a letter; of another script; of the ink of another letter, as of an i without a dot
    or with one that cannot be told apart."""
    stem, dot = to_strokes(piece("i").path)
    whole, bare = (Piece("i", from_strokes([own])) for own in (np.concatenate([stem, dot]), stem))
    bases = [(one, None) for one in "é…æ"]
    bases += [("ж", piece("e")), ("é", piece("l")), ("í", whole), ("í", bare)]
    for one, base in bases:
        made = accented(one, lambda _, base=base: base, hand(), np.random.default_rng(0))
        assert made is None, one


def test_all_are_drawn_as_they_were():
    assert set(ACCENTED_LETTERS + SIGNS) == NON_ASCII
    made = [make(one, seed, slant=0.2)[0] for seed, one in enumerate(ACCENTED_LETTERS + SIGNS)]
    path = np.concatenate([one.path for one in made])
    assert zlib.crc32(np.rint(path[:, :2] * 1024).astype("<i4").tobytes()) == 1674336037
    assert path[:, 2].sum() == 351
