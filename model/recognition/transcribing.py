"""Transcribing ink with a recogniser, and scoring the transcriptions."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from base.base_data_loader import padded
from model.recognition.encoder import GREEDY, Recogniser, Search, Transcript, log_softmax
from model.recognition.error_rates import error_rate, rates
from model.recognition.loss import ctc_nats, decoder_nats
from utils.batches import BATCH_SIZE, by_length


def batches(
    model: Recogniser, inks: Sequence[np.ndarray], progress: bool, height: float | None = None
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Yield the numbers of lines of like lengths, their features and points; skip empty lines."""
    for group in by_length([len(ink) for ink in inks], "reading", progress=progress):
        if numbers := [number for number in group if len(inks[number])]:
            features = [model.features(inks[number], height=height) for number in numbers]
            yield numbers, *model.batched(features)


@torch.inference_mode()
def read_each_way(
    model: Recogniser,
    inks: Sequence[np.ndarray],
    searches: Mapping[str, Search],
    *,
    progress: bool = False,
) -> dict[str, list[str]]:
    """Return the texts of lines of ink, by the search's name.

    The encoder runs once for all searches.

    Args:
        model: the recogniser, in evaluation mode.
        inks: `(points, 3)` each, in any unit; ink without a point has an empty text.
        searches: the searches for the texts, by name.
        progress: show a progress bar.
    """
    read = {name: [""] * len(inks) for name in searches}
    for numbers, *batch in batches(model, inks, progress):
        encoded, lengths = model.encode(*batch)
        for name, search in searches.items():
            texts = decoded(model, encoded, lengths, search)
            for number, text in zip(numbers, texts, strict=True):
                read[name][number] = text
    return read


@torch.inference_mode()
def read_with_doubts(
    model: Recogniser,
    inks: Sequence[np.ndarray],
    spellings: Sequence[Collection[str]] | None = None,
    *,
    search: Search = GREEDY,
    alike: Sequence[str] = (),
    height: float | None = None,
    progress: bool = False,
) -> list[tuple[str, float]]:
    """Return the text of each line of ink, and the doubt: the negative log-probability, in nats,
    that the line says one of its spellings.

    Args:
        model, inks, progress: see `read_each_way`.
        spellings: the right texts of each line; None for the text that is read. The doubt is 0 if
            every spelling has characters unknown to the network, and for ink without a point.
        search: how to search for the text.
        alike: groups of characters with one probability under CTC; spellings use a group's first.
        height: x-height in the unit of the inks; None: the x-height of each ink is measured.
    """
    results, alphabet = [("", 0.0)] * len(inks), model.alphabet
    for numbers, *batch in batches(model, inks, progress, height):
        encoded, frames = model.encode(*batch)
        read = decoded(model, encoded, frames, search)
        rows, codes, lacking = [], [], set()  # a row for each spelling
        for row, number in enumerate(numbers):
            texts = [read[row]] if spellings is None else spellings[number]
            texts = [text for text in texts if text and not alphabet.unknown(text)]
            if not texts:
                lacking.add(row)
            for text in texts or [""]:
                rows.append(row)
                codes.append(alphabet.encode(text))
        text, lengths = padded(codes, encoded.device)
        encoded, frames = encoded[rows], frames[rows]
        output = Transcript(alphabet, log_softmax(model.labels(encoded)), frames)
        output = model.teacher_forced(output, encoded, text, 1.0)
        if output.decoder_log_probs is None:
            output = replace(output, ctc_log_probs=_merged(output, alike))
            log_probs = -ctc_nats(output, text, lengths)
        else:
            log_probs = -decoder_nats(output, text, lengths)
        for row, number in enumerate(numbers):
            spelt = [index for index, spelt_row in enumerate(rows) if spelt_row == row]
            doubt = 0.0 if row in lacking else -float(log_probs[spelt].logsumexp(0))
            results[number] = read[row], doubt
    return results


def decoded(model: Recogniser, encoded: Tensor, lengths: Tensor, search: Search) -> list[str]:
    """Return the texts of lines; batches are smaller with a beam, which takes more memory."""
    texts, batch_size = [], max(1, BATCH_SIZE // search.width)
    for first in range(0, len(lengths), batch_size):
        part = slice(first, first + batch_size)
        texts += model.decode(encoded[part, : int(lengths[part].max())], lengths[part], search)
    return texts


def _merged(output: Transcript, alike: Sequence[str]) -> Tensor:
    """Return CTC's log-probabilities `(batch, frames, classes)`; the first character of each group
    in `alike` gets the group's total probability."""
    log_probs = output.ctc_log_probs.clone()
    for characters in alike:
        if characters[0] in output.alphabet:
            letters = [letter for letter in characters if letter in output.alphabet]
            classes = output.alphabet.encode("".join(letters))
            log_probs[..., classes[0]] = log_probs[..., classes].logsumexp(-1)
    return log_probs


@dataclass(frozen=True)
class Transcription:
    """A line that was read.

    Attributes:
        name: the line's name.
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
    return rates((line.reference, line.hypothesis) for line in transcriptions)
