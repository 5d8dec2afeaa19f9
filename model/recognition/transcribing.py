"""Transcribing ink with a recogniser, and scoring what it reads."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from base.base_data_loader import padded
from model.recognition.encoder import GREEDY, RecognitionNetwork, Search
from model.recognition.error_rates import error_rate, normalised, rates
from model.recognition.loss import ctc_nats, decoder_nats
from utils.batches import BATCH_SIZE, by_length


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
        inks: `(points, 3)` each, in any unit; one without a point has an empty text.
        search: how to search for the text.
        progress: show a progress bar.
    """
    return read_each_way(model, inks, {"": search}, progress=progress)[""]


def _batches(
    model: RecognitionNetwork, inks: Sequence[np.ndarray], progress: bool
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Yield numbers of lines of like lengths, their features and points; not those without ink."""
    for together in by_length([len(ink) for ink in inks], "reading", progress=progress):
        if numbers := [number for number in together if len(inks[number])]:
            yield numbers, *model.batched([model.features(inks[number]) for number in numbers])


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
    read = {name: [""] * len(inks) for name in searches}
    for numbers, *batch in _batches(model, inks, progress):
        encoded, lengths = model.encode(*batch)
        for name, search in searches.items():
            # A beam multiplies what a decoder holds.
            batch_size = max(1, BATCH_SIZE // search.width)
            for first in range(0, len(numbers), batch_size):
                part = slice(first, first + batch_size)
                frames = int(lengths[part].max())
                found = model.decode(encoded[part, :frames], lengths[part], search)
                for number, text in zip(numbers[part], found, strict=True):
                    read[name][number] = text
    return read


@torch.inference_mode()
def read_with_doubts(
    model: RecognitionNetwork,
    inks: Sequence[np.ndarray],
    texts: Sequence[str],
    *,
    progress: bool = False,
) -> list[tuple[str, float]]:
    """Return the texts of lines of ink by greedy decoding, and the negative log-probabilities of
    the texts that they should say, in nats.

    Args:
        model, inks, progress: as for `read_lines`.
        texts: what each should say; 0 is returned for one with unknown characters, and for
            ink without a point.
    """
    found = [("", 0.0)] * len(inks)
    alphabet = model.alphabet
    texts = ["" if alphabet.unknown(text) else text for text in map(normalised, texts)]
    for numbers, features, points in _batches(model, inks, progress):
        codes = [alphabet.encode(texts[number]) for number in numbers]
        text, lengths = padded(codes, points.device)
        output = model(features, points, text, lengths, search=GREEDY)
        nats_of = ctc_nats if output.decoder_log_probs is None else decoder_nats
        doubts = nats_of(output, text, lengths).tolist()
        for number, read, doubt in zip(numbers, output.hypotheses, doubts, strict=True):
            found[number] = read, doubt if texts[number] else 0.0
    return found


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
        """Character error rate of the line."""
        return error_rate(self.reference, self.hypothesis)


def score(transcriptions: Iterable[Transcription]) -> dict[str, float]:
    """Return the error rates of transcriptions, see `model.recognition.error_rates.rates`."""
    return rates((one.reference, one.hypothesis) for one in transcriptions)
