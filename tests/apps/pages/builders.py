"""Readers that read what a test says, and strokes of letters."""

from pathlib import Path

import numpy as np

from apps.pages.letter_strokes import LetterStrokes
from tests.commands.networks import ALPHABET


class PlannedReader:
    """Reads the same whatever the ink is, and keeps what it was asked; it knows ASCII.

    Args:
        readings: hypothesis and doubt of each word; the last is that of all further words.
    """

    def __init__(self, *readings, alphabet=ALPHABET):
        self.readings = [*readings]
        self.alphabet = alphabet
        self.calls = []
        self.model, self.path = self, Path("reader.pth")

    def proofread(self, inks, texts, alike=(), height=None):
        self.calls.append((inks, texts, height))
        return (self.readings + self.readings[-1:] * len(inks))[: len(inks)]

    def read_lines(self, inks, **_):
        return [text for text, _ in self.proofread(inks, None)]


def down(x, height):
    """A stem, from its top to the baseline, of eleven points."""
    return np.stack([np.full(11, x), np.linspace(-height, 0.0, 11)], 1)


def across(*xs, y=-0.8):
    return np.array([(x, y) for x in xs])


def line(*ends):
    """A bar that was drawn on: four points a side."""
    return across(*np.linspace(*ends, 4))


def letters(text, strokes, *numbers):
    """A word whose strokes were made at the characters with these numbers."""
    strokes = [np.array(stroke, dtype=float) for stroke in strokes]
    indices = [np.full(len(part), number) for part, number in zip(strokes, numbers, strict=True)]
    return LetterStrokes(text, strokes, indices)
