"""The legibility of a writer, judged by a recogniser."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle

import torch

from model.generation.options import Primer, Sampling
from model.proofreading import Proofread, proofread
from model.reader import Reader
from model.recognition.encoder import GREEDY, RecognitionNetwork, Search
from model.recognition.error_rates import missing_words
from model.recognition.transcribing import Transcription, read_lines, score
from model.writer import Writer
from utils.alphabet import nfc
from utils.hand_measures import clear_dots

SAMPLE_SEED_STRIDE = 1_000_000
"""Difference between the seeds of two samples of a text: more than there are texts (assumed)."""


@dataclass(frozen=True)
class Legibility:
    """How well a reader reads what a writer wrote at one bias.

    Attributes:
        bias: of the writer.
        lines: of the first sample of each text, then of the second, ...
        transcriptions: of these.
    """

    bias: float
    lines: list[Proofread]
    transcriptions: list[Transcription]

    @cached_property
    def rates(self) -> dict[str, float]:
        """See `model.recognition.transcribing.score`."""
        return score(self.transcriptions)

    @property
    def tries(self) -> list[int]:
        """How often each line was written."""
        return [one.tries for one in self.lines]

    @property
    def ended(self) -> float:
        """Share of the lines that ended by the stopping rule."""
        return sum(one.line.ended for one in self.lines) / max(len(self.lines), 1)

    @property
    def complete(self) -> float:
        """Share of the lines that ended and lack no word."""
        pairs = zip(self.lines, self.transcriptions, strict=True)
        whole = [
            one.line.ended and not missing_words(read.reference, read.hypothesis)
            for one, read in pairs
        ]
        return sum(whole) / max(len(whole), 1)

    @property
    def wrong(self) -> int:
        """How many lines have any error."""
        return sum(one.error_rate > 0 for one in self.transcriptions)

    @property
    def clear_dots(self) -> float:
        """Share of the full stops and other dots on the baseline that stand clear of other ink; NaN
        if the texts have none."""
        found = [clear_dots(one.ink, one.reference) for one in self.transcriptions]
        clear, expected = map(sum, zip(*found, strict=True))
        return clear / expected if expected else math.nan


@torch.inference_mode()
def read_back(
    writer: Writer,
    reader: RecognitionNetwork,
    texts: Sequence[str],
    biases: Sequence[float],
    sampling: Sampling = Sampling(),
    *,
    seed: int = 0,
    samples: int = 1,
    primer: Primer | None = None,
    search: Search = GREEDY,
    proofreader: Reader | None = None,
    tries: int = 1,
    progress: bool = False,
) -> list[Legibility]:
    """Write texts at several biases and read them back, to measure legibility.

    The seeds are those of `seeds_of`, the same at every bias, of the first tries if lines are
    proofread.

    Args:
        writer: takes a text.
        reader: a recogniser, which should not have learnt from what networks wrote.
        texts: what to write; the writer must know their characters. What the reader does not know
            counts as errors.
        biases: at least 0 each (the paper, eqs 61-62).
        sampling: how points are drawn, but for the bias.
        seed: of the first sample of the first text.
        samples: how often each text is written.
        primer: the hand that each line continues.
        search: how `reader` searches for the text.
        proofreader: reads the lines first, which are written again where it misreads them, see
            `model.proofreading`; another network than `reader`, which would choose what it reads
            well itself. None for no proofreading.
        tries: how often a line is written at most, if they are proofread.
        progress: show progress bars.

    Raises:
        UserError: as `Writer.write_lines`.
    """
    # Normal form as in the alphabet, so that a combining accent is not an error.
    texts = [nfc(text) for text in texts]
    seeds = seeds_of(len(texts), samples, seed)
    texts *= samples
    again = {"primer": primer, "tries": tries, "progress": progress}
    result = []
    for bias in map(float, biases):
        at_bias = replace(sampling, bias=bias)
        lines = proofread(writer, proofreader, texts, seeds, at_bias, **again)
        read = read_lines(reader, [one.line.written for one in lines], search, progress=progress)
        transcriptions = [
            Transcription(f"text {number}", one.line.visible, text, hypothesis)
            for number, (one, text, hypothesis) in enumerate(
                zip(lines, texts, read, strict=True), 1
            )
        ]
        result.append(Legibility(bias, lines, transcriptions))
    return result


def seeds_of(count: int, samples: int = 1, seed: int = 0) -> list[int]:
    """Return the seeds of `count` texts, then those of their second samples, and so on.

    Sample s of text n, both from 0, has the seed `seed` + n + s * `SAMPLE_SEED_STRIDE`.
    """
    return [seed + n + s * SAMPLE_SEED_STRIDE for s in range(samples) for n in range(count)]


def rates_by_kind(
    transcriptions: Sequence[Transcription], kinds: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return the rates of each kind of texts, in the order in which the kinds come first.

    Args:
        transcriptions: of one or several samples, as those of `Legibility`.
        kinds: of each text.

    Returns:
        what `model.recognition.transcribing.score` does, by kind.
    """
    of_kind: dict[str, list[Transcription]] = {kind: [] for kind in kinds}
    for one, kind in zip(transcriptions, cycle(kinds), strict=False):
        of_kind[kind].append(one)
    return {kind: score(found) for kind, found in of_kind.items()}
