"""Lines of simple strokes, whose places in the text are known."""

import numpy as np

from data_loader.synthetic.composed.alignment import AlignedLine
from data_loader.synthetic.composed.cutting import measured
from ink.geometry import from_strokes

# Strokes in x-heights, y downwards from the baseline, each of at most 0.6 in width.
BOX = [(0, -1), (0, -0.5), (0, 0), (0.3, 0), (0.6, 0), (0.6, -0.5), (0.6, -1)]
STEM = [(0.3, -1.6), (0.3, -1.2), (0.3, -0.8), (0.3, -0.4), (0.3, 0), (0.4, 0), (0.5, -0.1)]
BAR = [(0.0, -1.0), (0.15, -1.0), (0.3, -1.0), (0.45, -1.0), (0.6, -1.0)]
DOT = [(0.3, -1.4)]
PITCH = 1.2


def at(place, shape):
    """A shape at the place of a character, in x-heights."""
    return np.array(shape) + np.array([PITCH * place, 0.0])


def drawn(parts, text, *, unit=100.0, rise=0.0, read=None, fits=None, usual=None):
    """Return a measured line of strokes, each with the characters of its points for the window."""
    positions = [np.asarray(stroke) * unit for stroke, _ in parts]
    for stroke in positions:
        stroke[:, 1] += 37.0 + rise * stroke[:, 0]
    windows = np.concatenate([np.broadcast_to(own, len(stroke)) for stroke, own in parts])
    assert (np.diff(windows) >= 0).all()
    counts = np.bincount(windows, minlength=len(text))
    every = np.ones(len(text), dtype=bool)
    read, fits = (every if flags is None else flags for flags in (read, fits))
    return measured(from_strokes(positions), text, AlignedLine(counts, read, fits, 0), usual)


def owners(line):
    """The character, or the characters, of each stroke."""
    parts = np.split(line.owner, np.flatnonzero(line.path[:-1, 2]) + 1)
    return [sorted(set(part.tolist())) for part in parts]


def boxes(*numbers):
    """Small letters at the places of some characters."""
    return [(at(n, BOX), n) for n in numbers]
