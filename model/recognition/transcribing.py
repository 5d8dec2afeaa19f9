"""Transcription ink with a recogniser, and scoring what it reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from model.recognition.error_rates import error_counts, rates
from model.recognition.networks import GREEDY, RecognitionNetwork, Search

TOGETHER = 64
"""Lines that are read or written in one batch (assumed: a few hundred megabytes at most)."""


def read_lines(
    model: RecognitionNetwork,
    inks: Sequence[np.ndarray],
    search: Search = GREEDY,
    *,
    progress: bool = False,
) -> list[str]:
    """Return the texts of lines of ink.

    Args:
        model: in evaluation mode.
        inks: `(points, 3)` each, in any unit.
        search: how to look for the text.
        progress: show a progress bar.
    """
    # Lines of like length together: less padding. What is read does not depend on it.
    order = sorted(range(len(inks)), key=lambda number: len(inks[number]))
    read = [""] * len(inks)
    with tqdm(
        total=len(inks),
        desc="reading",
        unit="line",
        leave=False,
        disable=None if progress else True,
    ) as bar:
        # A beam multiplies what a decoder holds.
        together = max(1, TOGETHER // search.width)
        for start in range(0, len(order), together):
            part = order[start : start + together]
            found = model.read([inks[number] for number in part], search).hypotheses
            for number, text in zip(part, found, strict=True):
                read[number] = text
            bar.update(len(part))
    return read


@dataclass(frozen=True)
class Transcription:
    """A line that was read.

    Attributes:
        name: of the line.
        ink: `(points, 3)`.
        reference: what it says.
        hypothesis: what was read.
    """

    name: str
    ink: np.ndarray
    reference: str
    hypothesis: str

    @property
    def error_rate(self) -> float:
        """Errors a character of the reference; all of them where it has none."""
        counts = error_counts(self.reference, self.hypothesis)
        return counts.character_errors / max(counts.characters, 1)


def score(transcriptions: Iterable[Transcription]) -> dict[str, Any]:
    """Return the rates of errors of transcriptions, see `model.recognition.error_rates.rates`."""
    return rates((one.reference, one.hypothesis) for one in transcriptions)


def worst(transcriptions: Iterable[Transcription], count: int) -> list[Transcription]:
    """Return the `count` transcriptions with the highest rates of errors, the worst first."""
    return sorted(transcriptions, key=lambda one: -one.error_rate)[:count]
