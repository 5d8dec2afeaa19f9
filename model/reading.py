"""What recognisers are for: reading ink, scoring that, and judging how legible a writer is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from model.error_rates import error_counts, missing_words, rates
from model.mixture import PEN_SHARPNESS
from model.networks import MixtureNetwork
from model.recognition import GREEDY, RecognitionNetwork, Search
from model.sampling import Line, sample
from utils.alphabet import nfc

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
        inks: `(readings, 3)` each, in any unit.
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
            found = model.read([inks[number] for number in part], search).read
            for number, text in zip(part, found, strict=True):
                read[number] = text
            bar.update(len(part))
    return read


@dataclass(frozen=True)
class Reading:
    """A line that was read.

    Attributes:
        name: of the line.
        ink: `(readings, 3)`.
        truth: what it says.
        read: what was read.
    """

    name: str
    ink: np.ndarray
    truth: str
    read: str

    @property
    def error_rate(self) -> float:
        """Errors a character of the truth; all of them where it has none."""
        counts = error_counts(self.truth, self.read)
        return counts.character_errors / max(counts.characters, 1)


def score(readings: Iterable[Reading]) -> dict[str, Any]:
    """Return the rates of errors of readings, see `model.error_rates.rates`."""
    return rates((reading.truth, reading.read) for reading in readings)


def worst(readings: Iterable[Reading], count: int) -> list[Reading]:
    """Return the `count` readings with the highest rates of errors, the worst first."""
    return sorted(readings, key=lambda reading: -reading.error_rate)[:count]


@dataclass(frozen=True)
class Legibility:
    """How well a reader reads what a writer wrote at one bias.

    Attributes:
        bias: of the writer.
        rates: see `model.error_rates.rates`.
        ended: share of the lines that ended by the stopping rule.
        complete: share of the lines that did so, and of whose words none is missing.
        readings: of all lines.
    """

    bias: float
    rates: dict[str, Any]
    ended: float
    complete: float
    readings: list[Reading]


@torch.inference_mode()
def read_back(
    writer: MixtureNetwork,
    reader: RecognitionNetwork,
    texts: Sequence[str],
    biases: Sequence[float],
    *,
    pen_sharpness: float = PEN_SHARPNESS,
    seed: int = 0,
    max_steps: int | None = None,
    search: Search = GREEDY,
    progress: bool = False,
) -> list[Legibility]:
    """Write texts at several biases and have them read: a number for legibility.

    Text n is written once, with seed `seed` + n, the same at every bias.

    Args:
        writer: a network that takes a text.
        reader: a recogniser, which should not have learnt from what networks wrote.
        texts: what to write; the writer must know their characters. What the reader does not know
            counts as errors.
        biases: at least 0 each (the paper, eqs 61-62).
        pen_sharpness: as `sample` takes it.
        seed: of the first text.
        max_steps: limit on the steps of a line; by default enough for the longest text.
        search: how to look for the text.
        progress: show progress bars.

    Raises:
        UserError: as `sample`.
    """
    # Normal form as the alphabet has it, so that an accent typed apart is no error.
    texts = [nfc(text) for text in texts]
    result = []
    for bias in biases:
        lines: list[Line] = []
        for start in range(0, len(texts), TOGETHER):
            part = texts[start : start + TOGETHER]
            seeds = range(seed + start, seed + start + len(part))
            lines += sample(
                writer,
                seeds,
                part,
                bias=bias,
                pen_sharpness=pen_sharpness,
                max_steps=max_steps,
                progress=progress,
            )
        read = read_lines(reader, [line.ink for line in lines], search, progress=progress)
        readings = [
            Reading(f"text {number + 1}", line.ink, text, found)
            for number, (line, text, found) in enumerate(zip(lines, texts, read, strict=True))
        ]
        whole = [
            line.ended and not missing_words(one.truth, one.read)
            for line, one in zip(lines, readings, strict=True)
        ]
        count = max(len(lines), 1)
        ended, complete = sum(line.ended for line in lines) / count, sum(whole) / count
        result.append(Legibility(float(bias), score(readings), ended, complete, readings))
    return result
