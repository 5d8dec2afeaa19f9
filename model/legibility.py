"""The legibility of a writer, judged by a recogniser."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import torch

from model.generation.options import Primer, Sampling
from model.proofreading import proofread
from model.reader import Reader
from model.recognition.encoder import GREEDY, RecognitionNetwork, Search
from model.recognition.error_rates import is_read, missing_words
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
        rates: see `model.recognition.error_rates.rates`.
        ended: share of the lines that ended by the stopping rule.
        complete: share of the lines that ended and lack no word.
        transcriptions: of all lines: of the first sample of each text, then of the second, ...
        tries: how often each of these lines was written.
    """

    bias: float
    rates: dict[str, Any]
    ended: float
    complete: float
    transcriptions: list[Transcription]
    tries: list[int]

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


@dataclass(frozen=True)
class CharacterLegibility:
    """How well a reader reads one character.

    Attributes:
        character: which.
        text: that carries it, and was written several times.
        transcriptions: of these.
    """

    character: str
    text: str
    transcriptions: list[Transcription]

    @property
    def exact(self) -> int:
        """How often the whole text was read without an error."""
        return sum(one.hypothesis == one.reference for one in self.transcriptions)

    @property
    def itself(self) -> int:
        """How often the character was read, whatever else was misread."""
        return sum(
            is_read(self.character, one.reference, one.hypothesis) for one in self.transcriptions
        )

    @property
    def misreadings(self) -> list[str]:
        """What else was read, each once."""
        read = dict.fromkeys(one.hypothesis for one in self.transcriptions)
        return [text for text in read if text != self.text]


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
    result = []
    for bias in biases:
        found = proofread(
            writer,
            proofreader,
            texts,
            seeds,
            replace(sampling, bias=bias),
            primer=primer,
            tries=tries,
            progress=progress,
        )
        lines, counts = [one.line for one in found], [one.tries for one in found]
        read = read_lines(reader, [line.written for line in lines], search, progress=progress)
        transcriptions = [
            Transcription(f"text {number}", line.visible, text, hypothesis)
            for number, (line, text, hypothesis) in enumerate(
                zip(lines, texts, read, strict=True), 1
            )
        ]
        whole = [
            line.ended and not missing_words(one.reference, one.hypothesis)
            for line, one in zip(lines, transcriptions, strict=True)
        ]
        count = max(len(lines), 1)
        ended, complete = sum(line.ended for line in lines) / count, sum(whole) / count
        result.append(
            Legibility(float(bias), score(transcriptions), ended, complete, transcriptions, counts)
        )
    return result


def seeds_of(count: int, samples: int = 1, seed: int = 0) -> list[int]:
    """Return the seeds of `count` texts, then those of their second samples, and so on.

    Sample s of text n, both from 0, has the seed `seed` + n + s * `SAMPLE_SEED_STRIDE`.
    """
    return [seed + n + s * SAMPLE_SEED_STRIDE for s in range(samples) for n in range(count)]


def rates_by_kind(
    transcriptions: Sequence[Transcription], kinds: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return the rates of each kind of texts, in the order in which the kinds come first.

    Args:
        transcriptions: of one or several samples, as those of `Legibility`.
        kinds: of each text.

    Returns:
        what `model.recognition.error_rates.rates` does, by kind.
    """
    of_kind: dict[str, list[Transcription]] = {kind: [] for kind in kinds}
    for one, kind in zip(transcriptions, cycle(kinds), strict=False):
        of_kind[kind].append(one)
    return {kind: score(found) for kind, found in of_kind.items()}


def read_characters(
    writer: Writer,
    reader: RecognitionNetwork,
    carriers: Mapping[str, str],
    count: int,
    sampling: Sampling,
    **options: Any,
) -> tuple[Legibility, list[CharacterLegibility]]:
    """Write characters several times each and read them back.

    Args:
        writer, reader: as `read_back` takes them.
        carriers: for each character a text that holds it.
        count: how often each is written.
        sampling: how points are drawn.
        options: as `read_back` takes them, such as `seed`.

    Returns:
        all together, and each character.
    """
    texts = [nfc(text) for text in carriers.values()]
    repeated = [text for text in texts for _ in range(count)]
    (whole,) = read_back(writer, reader, repeated, [sampling.bias], sampling, **options)
    return whole, [
        CharacterLegibility(one, text, whole.transcriptions[n * count : (n + 1) * count])
        for n, (one, text) in enumerate(zip(carriers, texts, strict=True))
    ]
