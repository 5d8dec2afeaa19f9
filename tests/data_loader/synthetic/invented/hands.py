"""Hands, and lines of them, that several tests share."""

import math
from functools import cache

import numpy as np

from data_loader.synthetic.invented.font_writers import EmbeddedDataset, FontWriter, write
from data_loader.synthetic.texts.corpus import held_out

PEOPLE = EmbeddedDataset(seed=7)
texts = cache(held_out)


def hand(**changes):
    """A writer without any irregularity."""
    values = dict(
        font="print", rounding=0.6, connected=False, size=7.0, slant=0.0, aspect=1.0,
        ascender=1.0, descender=1.0, letter_space=0.0, word_space=13.0, drift=0.0, wave=0.0,
        wobble=0.0, variation=0.0, speed=226.0,
    )  # fmt: skip
    return FontWriter(**{**values, **changes})


def line(writer, number, rate=75.0):
    """Return line `number` of an invented writer."""
    generator = np.random.default_rng([writer, number])
    return write(texts(24)[number], PEOPLE.invent(0, writer), generator, rate)


def turned(ink, degrees):
    """Return ink turned clockwise about its first point."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    result = ink.copy()
    result[1:, :2] = ink[1:, :2] @ np.array([[cosine, sine], [-sine, cosine]])
    return result
