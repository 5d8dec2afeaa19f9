"""A hand: a writer that keeps to it, and whose words are proofread."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice

import numpy as np

from handwriting.hand_shape import Calibration, calibrated
from handwriting.layout import Word, set_row
from handwriting.line_faults import MISSING
from handwriting.page_options import PageOptions
from handwriting.proofreading import (
    ALIKE,
    Proofread,
    check_shapes,
    confirmed,
    keep_best,
    proofread,
    spellings,
)
from handwriting.word_cutting import HandShape, level, place, shear, widen, words
from model.generation.line import Line
from model.generation.sampling_options import Primer, Sampling
from model.generation.writing import SEEDS
from model.reader import Reader
from model.writer import Writer
from utils.ink import DOT_INK, from_strokes, to_points

TRY_SEED_STRIDE = 1_000_000_007
"""Difference between the seeds of two tries of a line: prime, and more than there are lines."""
OWN_TEXT, OWN_TRIES = "It was a quiet evening by the sea", 24
"""What a network writes as the sample of a hand of its own, and how often at most."""


@dataclass(eq=False)
class Hand:
    """A writer that keeps to one hand: it is told the hand, or goes on from a line of it.

    Attributes:
        writer: takes a text.
        primer: a line of the hand, by which words are shaped, also where lines do not go on from it
            as `sampling` tells the hand.
        reader: proofreads; None for no proofreading.
        sampling: how points are drawn; all lines, words and tries have its `latent_seed`, or 0.
        tries: most times a word is written.
        slant: degrees from upright to the right; None for the hand's own.
        progress: show a progress bar of the lines that are written together.
        second: is asked about what `reader` reads; None for no second reader.
        calibration: how lines become as large as the primer, and how far apart words are; measured
            unless given, where the primer has a text and the sampling a bias and no stretch of its
            own.
    """

    writer: Writer
    primer: Primer
    reader: Reader | None = None
    sampling: Sampling = Sampling()
    tries: int = PageOptions.tries
    slant: float | None = None
    progress: bool = False
    second: Reader | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        ink, text = self.primer
        self.primer = ink, text.rstrip()  # the space comes with what follows
        self.sampling = replace(self.sampling, latent_seed=self.sampling.latent_seed or 0)
        sizes = self.writer.model.needs_text and self.primer[1] and self.sampling.bias > 0
        if self._continues and sizes and self.calibration is None and self.sampling.stretch is None:
            self.calibration = calibrated(self.writer, self.primer, self.sampling, self.progress)

    @property
    def _continues(self) -> bool:
        return "hand" not in self.sampling.extras

    @cached_property
    def shape(self) -> HandShape:
        """What its words are made to look like."""
        shape = HandShape.of(self.primer)
        space = self.calibration and self.calibration.space
        return replace(shape, space=space) if space else shape

    def write_lines(self, texts: Sequence[str] | None, seeds: Sequence[int]) -> list[Line]:
        """Write lines as large as the primer; see `Writer.write_lines`."""
        sampling = self.sampling
        if self.calibration is not None:
            sampling = replace(sampling, stretch=self.calibration.stretch)
        primer = self.primer if self._continues else None
        lines = self.writer.write_lines(
            texts, seeds, sampling, primer=primer, progress=self.progress
        )
        return lines if self.calibration is None else [*map(self.calibration.scaled, lines)]

    def write_words(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[Proofread]]:
        """Return the words of lines of characters that the writer knows, one line for each seed.

        What is not right is written again, the words of a line together, until it is or has been
        written `tries` times. The tries of a line are the same whatever other lines there are.
        """
        found = [[Proofread((), text, faults=(MISSING,))] for text in texts]
        for number in range(self.tries if self.reader else 1):
            wrong = [" ".join(one.text for one in line if not one.accepted) for line in found]
            pending = [k for k, text in enumerate(wrong) if text]
            if not pending:
                break
            again = [(seeds[k] + number * TRY_SEED_STRIDE) % SEEDS for k in pending]
            for k, line in zip(
                pending, self.try_words([wrong[k] for k in pending], again), strict=True
            ):
                found[k] = keep_best(found[k], line)
        return found

    def try_words(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[Proofread]]:
        """Return the words of lines that are written once, one line for each seed, as read back."""
        lines = self.write_lines(texts, seeds)
        tried = [check_shapes(line, self.words(line), self.shape) for line in lines]
        if self.reader:
            found = proofread(self.reader, [*chain(*tried)])
            read = iter(confirmed(self.second, found) if self.second else found)
            tried = [[*islice(read, len(line))] for line in tried]
        return tried

    def words(self, line: Line) -> list[Word]:
        """Return the words of a line: level, in x-heights, each from its left edge."""
        parts = words(line, self.shape)
        if not parts:
            return []
        first = to_points(line.ink)[line.primed]
        texts, characters = [part.text for part in parts], sum(map(str.isalnum, line.title))
        inks = [[stroke + first for stroke in part.strokes] for part in parts]
        inks = level(inks, self.shape, characters)
        inks = widen(inks, self.shape, "".join(texts), characters)
        if self.slant is not None:
            inks = shear(inks, self.shape, self.slant, characters)
        return place(texts, inks, self.shape, characters)


def write_lines(
    writer: Writer,
    texts: Sequence[str] | None,
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    progress: bool = False,
) -> list[Line]:
    """Write lines in the hand of a primer if there is one, else each in a hand of its own."""
    if primer is None:
        return writer.write_lines(texts, seeds, sampling, progress=progress)
    return Hand(writer, primer, sampling=sampling, progress=progress).write_lines(texts, seeds)


def row_of(line: Sequence[Proofread]) -> np.ndarray:
    """Return a line that a hand wrote as ink in x-heights, `(points, 3)`; without a word a dot."""
    words = [word for one in line for word in one.words]
    return from_strokes(set_row(words, math.inf, "left", True)[0]) if words else DOT_INK


def own_hand(writer: Writer, reader: Reader | None, seed: int, sampling: Sampling) -> Primer:
    """Return a line of a hand of the network's own, and its text: the primer of a `Hand`.

    Where a reader chooses it among several, it is written without a bias: with one, hands are alike
    (measured, lab notebook: hands of a network's own).
    """
    sampling = replace(sampling, bias=0.0) if reader else sampling
    known = writer.model.alphabet
    text = "".join(one for one in OWN_TEXT if one in known)
    if not text.strip():
        text = "".join(known.characters).strip()[: len(OWN_TEXT)]
    seeds = [
        (seed + number * TRY_SEED_STRIDE) % SEEDS for number in range(OWN_TRIES if reader else 1)
    ]
    lines = writer.write_lines([text] * len(seeds), seeds, sampling)
    doubts = [0.0] * len(lines)
    if reader:
        inks, texts = [line.written for line in lines], [spellings(text)] * len(lines)
        doubts = [doubt for _, doubt in reader.proofread(inks, texts, ALIKE)]
    best = min(range(len(lines)), key=lambda number: (not lines[number].ended, doubts[number]))
    return lines[best].ink, text
