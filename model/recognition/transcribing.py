"""Transcribing ink with a recogniser, and scoring what it reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from model.recognition.encoder import GREEDY, RecognitionNetwork, Search
from model.recognition.error_rates import error_counts, rates
from utils.batches import TOGETHER


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
        search: how to search for the text.
        progress: show a progress bar.
    """
    return read_each_way(model, inks, {"": search}, progress=progress)[""]


@torch.inference_mode()
def read_each_way(
    model: RecognitionNetwork,
    inks: Sequence[np.ndarray],
    searches: Mapping[str, Search],
    *,
    progress: bool = False,
) -> dict[str, list[str]]:
    """Return the texts of lines of ink by the name of the search that found them.

    The encoder runs once for all searches. Args: as `read_lines`.
    """
    # Lines of similar length together: less padding. The texts do not depend on it.
    order = sorted(range(len(inks)), key=lambda number: len(inks[number]))
    read = {name: [""] * len(inks) for name in searches}
    with tqdm(
        total=len(inks) * len(searches),
        desc="reading",
        unit="line",
        leave=False,
        disable=None if progress else True,
    ) as bar:
        for start in range(0, len(order), TOGETHER):
            numbers = order[start : start + TOGETHER]
            features = [model.features(inks[number]) for number in numbers]
            encoded, lengths = model.encode(*model.batched(features))
            for name, search in searches.items():
                # A beam multiplies what a decoder holds.
                together = max(1, TOGETHER // search.width)
                for first in range(0, len(numbers), together):
                    part = slice(first, first + together)
                    frames = int(lengths[part].max())
                    found = model.decode(encoded[part, :frames], lengths[part], search)
                    for number, text in zip(numbers[part], found, strict=True):
                        read[name][number] = text
                    bar.update(len(found))
    return read


@dataclass(frozen=True)
class Transcription:
    """A line that was read.

    Attributes:
        name: of the line.
        ink: `(points, 3)`.
        reference: the true text.
        hypothesis: the text that was read.
    """

    name: str
    ink: np.ndarray
    reference: str
    hypothesis: str

    @property
    def error_rate(self) -> float:
        """Errors per character of the reference; their number if it has none."""
        counts = error_counts(self.reference, self.hypothesis)
        return counts.character_errors / max(counts.characters, 1)


def score(transcriptions: Iterable[Transcription]) -> dict[str, Any]:
    """Return the error rates of transcriptions, see `model.recognition.error_rates.rates`."""
    return rates((one.reference, one.hypothesis) for one in transcriptions)


def worst(transcriptions: Iterable[Transcription], count: int) -> list[Transcription]:
    """Return the `count` transcriptions with the highest error rates, the worst first."""
    return sorted(transcriptions, key=lambda one: -one.error_rate)[:count]
