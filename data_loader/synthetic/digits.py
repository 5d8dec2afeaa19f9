"""Digits of invented writers in the form of the MNIST stroke sequences: data for any machine."""

from collections.abc import Iterator

import numpy as np

from base import distributed
from data_loader.synthetic.embedded import FontWriter, write
from data_loader.synthetic.stroke_fonts import FONTS, resample
from utils.ink import from_strokes, strokes

SIZE = 28
"""Pixels of an image's side; the digit fills the 20 in the middle, as in MNIST."""


def embedded_digit(digit: int, generator: np.random.Generator, writer: FontWriter) -> np.ndarray:
    """Return a digit of an invented writer in the form of MNIST, `(points, 3)` float32.

    Its longer side is 20 pixels, it lies in the middle of the image, and within strokes the pen
    moves by one pixel at a time; the first row leads from the image's corner.
    """
    lines = strokes(write(str(digit), writer, generator, rate=75.0))
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 20 / (high - low).max()
    pixels = []
    for line in lines:
        line = (line - (low + high) / 2) * scale + SIZE / 2
        grid = np.rint(resample(line, 0.25) if len(line) > 1 else line)
        kept = np.concatenate([[True], (np.diff(grid, axis=0) != 0).any(axis=1)])
        pixels.append(grid[kept])
    ink = from_strokes(pixels)
    ink[0, :2] = pixels[0][0]
    return ink


def embedded_digits(size: int) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """Yield digits of "train", and a sixth as many more of "test": the part, the number in it, the
    digit, and its ink."""
    counts = {"train": size, "test": max(10, size // 6)}
    for group, (part, count) in enumerate(counts.items()):
        what = f"writing digits for {part}"
        for n in distributed.bar(range(count), what, unit=" digits", delay=1):
            generator = np.random.default_rng([0, group, n])
            writer = FontWriter.invent(generator, list(FONTS))
            digit = int(generator.integers(10))
            yield part, n, digit, embedded_digit(digit, generator, writer)
