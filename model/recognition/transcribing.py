"""Transcribes ink with a recogniser, and scores the transcriptions."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from base.base_data_loader import features_of, padded
from model.batches import BATCH_SIZE, by_length
from model.recognition.encoder import (
    GREEDY,
    Recogniser,
    RecognitionNetwork,
    Search,
    Transcript,
    log_softmax,
)
from model.recognition.error_rates import error_rate, rates
from model.recognition.ink_words import InkWord, words_of
from model.recognition.loss import ctc_nats, decoder_nats
from utils.time_limit import check_time


def batches(
    model: Recogniser, inks: Sequence[np.ndarray], progress: bool, height: float | None = None
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Yield for each batch of lines of similar lengths, without empty lines: the lines' indices in
    `inks`, their features, and their numbers of points."""
    for group in by_length([len(ink) for ink in inks], "reading", progress=progress):
        numbers = [number for number in group if len(inks[number])]
        if numbers:
            features = features_of(model.features, [inks[k] for k in numbers], height=height)
            yield numbers, *model.batched(features)


@torch.inference_mode()
def read_each_way(
    model: Recogniser,
    inks: Sequence[np.ndarray],
    searches: Mapping[str, Search],
    *,
    progress: bool = False,
) -> dict[str, list[str]]:
    """Return the texts of lines of ink by the name of the search that found them. The encoder runs
    once for all searches.

    Args:
        model: the recogniser, in evaluation mode.
        inks: `(points, 3)` each, in any unit; ink without a point has an empty text.
        searches: the searches for the texts, by name.
        progress: whether to show a progress bar.
    """
    texts_by_search = {name: [""] * len(inks) for name in searches}
    for numbers, features, points in batches(model, inks, progress):
        encoded, lengths = model.encode(features, points)
        log_probs = log_softmax(model.labels(encoded))
        for name, search in searches.items():
            texts = decoded(model, encoded, log_probs, lengths, search)
            for number, text in zip(numbers, texts, strict=True):
                texts_by_search[name][number] = text
    return texts_by_search


@torch.inference_mode()
def read_words(
    model: RecognitionNetwork,
    inks: Sequence[np.ndarray],
    search: Search = GREEDY,
    *,
    progress: bool = False,
) -> list[list[InkWord]]:
    """Return the words of lines of ink; see `read_each_way`."""
    lines: list[list[InkWord]] = [[] for _ in inks]
    for numbers, features, points in batches(model, inks, progress):
        encoded, lengths = model.encode(features, points)
        log_probs = log_softmax(model.labels(encoded))
        texts = decoded(model, encoded, log_probs, lengths, search)
        lines_read = zip(numbers, texts, log_probs.cpu().double().numpy(), lengths, strict=True)
        for number, text, line, frames in lines_read:
            check_time()
            if text.strip():
                seen = search.with_added_marks(line[:frames], model.alphabet.encode(text))
                lines[number] = [*words_of(model, inks[number], text, seen)]
    return lines


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
    """Return the text of each line of ink, and the doubt: the negative logarithm, in nats, of the
    probability that the line says one of its spellings.

    The doubt is 0 if all spellings have characters that the network lacks, or if there is no ink.

    Args:
        model, inks, progress: see `read_each_way`.
        spellings: the spellings of each line; None: the only spelling is the text that is read.
        search: how to search for the text.
        alike: strings of characters that CTC need not distinguish. In spellings the first character
            of a string stands for all its characters.
        height: x-height in the unit of the inks; None: the x-height of each ink is measured.
    """
    results = [("", 0.0)] * len(inks)
    alphabet = model.alphabet
    for numbers, features, points in batches(model, inks, progress, height):
        encoded, frames = model.encode(features, points)
        log_probs = log_softmax(model.labels(encoded))
        hypotheses = decoded(model, encoded, log_probs, frames, search)
        # Each spelling becomes a row; `lines[row]` is the index of the row's line in the batch.
        lines = []
        codes = []
        without_spelling = set()
        for line, number in enumerate(numbers):
            offered = [hypotheses[line]] if spellings is None else spellings[number]
            texts = [text for text in offered if text and not alphabet.unknown(text)]
            if not texts:
                without_spelling.add(line)
            for text in texts or [""]:  # such a line has a row, too, which is not used
                lines.append(line)
                codes.append(alphabet.encode(text))
        text, lengths = padded(codes, encoded.device)
        encoded = encoded[lines]
        frames = frames[lines]
        output = Transcript(alphabet, log_probs[lines], frames)
        output = model.teacher_forced(output, encoded, text, 1.0)  # by the true characters alone
        if output.decoder_log_probs is None:
            output = replace(output, ctc_log_probs=_merged_log_probs(output, alike))
            log_probs = -ctc_nats(output, text, lengths)
        else:
            log_probs = -decoder_nats(output, text, lengths)
        for line, number in enumerate(numbers):
            rows = [row for row, line_of_row in enumerate(lines) if line_of_row == line]
            doubt = 0.0 if line in without_spelling else -float(log_probs[rows].logsumexp(0))
            results[number] = hypotheses[line], doubt
    return results


def decoded(
    model: Recogniser, encoded: Tensor, log_probs: Tensor, lengths: Tensor, search: Search
) -> list[str]:
    """Return the texts of encoded lines; see `Recogniser.decode`. A beam takes more memory, so its
    batches are smaller."""
    texts = []
    batch_size = max(1, BATCH_SIZE // search.width)
    for start in range(0, len(lengths), batch_size):
        batch = slice(start, start + batch_size)
        frames = slice(int(lengths[batch].max()))  # without those that are padding in all lines
        encoded_batch = encoded[batch, frames]
        texts += model.decode(encoded_batch, log_probs[batch, frames], lengths[batch], search)
    return texts


def _merged_log_probs(output: Transcript, alike: Sequence[str]) -> Tensor:
    """Return CTC's log-probabilities `(batch, frames, classes)`, where the first character of each
    string in `alike` has the total probability of the string's characters."""
    log_probs = output.ctc_log_probs.clone()
    for string in alike:
        if string[0] in output.alphabet:
            characters = [character for character in string if character in output.alphabet]
            classes = output.alphabet.encode("".join(characters))
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
