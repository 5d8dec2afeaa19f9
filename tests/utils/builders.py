"""Plain ink that several files of tests draw and save."""

import numpy as np

from ink.geometry import from_strokes


def wave(letters=8, height=10.0, points=25):
    """Return a line of `letters` ups and downs of some height, with a dot above."""
    t = np.linspace(0, 1, letters * points)
    body = np.stack([letters * height * t, height / 2 * np.sin(2 * np.pi * letters * t)], axis=1)
    return from_strokes([body, np.array([[height, -2 * height]])])
