"""A writer that keeps to one hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from handwriting.hand_shape import Calibration, HandShape, calibrated
from handwriting.page_options import PageOptions
from model.generation.line import Line
from model.generation.sampling_options import Primer, Sampling
from model.reader import Reader
from model.writer import Writer

TRY_SEED_STRIDE = 1_000_000_007
"""Difference between the seeds of two tries of a line: prime, and more than there are lines."""


@dataclass(eq=False)
class Hand:
    """A writer that keeps to one hand: the writer is told the hand, or goes on from the primer.

    Attributes:
        writer: takes a text.
        primer: a line of the hand, by which words are shaped. Lines go on from the primer unless
            `sampling` tells the hand.
        reader: proofreads; None for no proofreading.
        sampling: how points are drawn, with one `latent_seed` for all tries, by default 0.
        tries: most times a word is written.
        slant: degrees from upright to the right; None for the hand's own.
        progress: show a progress bar of the lines that are written together.
        second_reader: reads all words once more; None for no second reader.
        calibration: how lines become as large as the primer, and how far apart words are. By
            default measured if the primer has a text, and the sampling a bias and no stretch.
    """

    writer: Writer
    primer: Primer
    reader: Reader | None = None
    sampling: Sampling = Sampling()
    tries: int = PageOptions.tries
    slant: float | None = None
    progress: bool = False
    second_reader: Reader | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        ink, text = self.primer
        self.primer = ink, text.rstrip()  # the space comes with what follows
        self.sampling = replace(self.sampling, latent_seed=self.sampling.latent_seed or 0)
        can_measure = self.writer.model.needs_text and self.primer[1] and self.sampling.bias > 0
        is_free = self.calibration is None and self.sampling.stretch is None
        if self._continues and can_measure and is_free:
            self.calibration = calibrated(self.writer, self.primer, self.sampling, self.progress)

    @property
    def _continues(self) -> bool:
        """Whether lines go on from the primer."""
        return "hand" not in self.sampling.extras

    @cached_property
    def shape(self) -> HandShape:
        """The measures to which the hand's words are fitted."""
        shape = HandShape.of(self.primer)
        space = self.calibration and self.calibration.space
        return replace(shape, space=space) if space else shape

    def write_lines(self, texts: Sequence[str] | None, seeds: Sequence[int]) -> list[Line]:
        """Write lines as large as the primer; see `Writer.write_lines`."""
        sampling, calibration = self.sampling, self.calibration
        if calibration is not None:
            sampling = replace(sampling, stretch=calibration.stretch)
        primer = self.primer if self._continues else None
        lines = self.writer.write_lines(
            texts, seeds, sampling, primer=primer, progress=self.progress
        )
        return lines if calibration is None else [*map(calibration.scaled, lines)]


def write_lines(
    writer: Writer,
    texts: Sequence[str] | None,
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    progress: bool = False,
) -> list[Line]:
    """Write lines in the hand of the primer; without a primer each line in a hand of its own."""
    if primer is None:
        return writer.write_lines(texts, seeds, sampling, progress=progress)
    return Hand(writer, primer, sampling=sampling, progress=progress).write_lines(texts, seeds)
