"""A hand without any irregularity, shared by the tests of synthetic lines."""

import numpy as np

from data_loader.synthetic.embedded import FontWriter


def hand(**changes):
    """A writer without any irregularity."""
    values = dict(
        font="print", rounding=0.6, connected=False, size=7.0, slant=0.0, aspect=1.0,
        ascender=1.0, descender=1.0, letter_space=0.0, word_space=13.0, drift=0.0, wave=0.0,
        wobble=0.0, variation=0.0, speed=226.0,
    )  # fmt: skip
    return FontWriter(**{**values, **changes})


class Still:
    """A generator that draws nothing but zeros: no variation of line or letter."""

    def standard_normal(self, shape=None):
        return 0.0 if shape is None else np.zeros(shape)

    def random(self, shape=None):
        return 0.0 if shape is None else np.zeros(shape)
