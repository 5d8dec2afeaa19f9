"""Character and word error rates of recognised text, and the words and characters that are misread.

Errors are the fewest substitutions, insertions and deletions that turn the reference into the
hypothesis (Levenshtein). A rate is the number of errors of all lines divided by the total length of
the references, not a mean of the lines' rates; a rate may exceed 1. Characters are Unicode code
points in NFC. Blanks before and after a text do not count, since ink does not show them; blanks
within a text, case and punctuation count. Words are separated by blanks, and include punctuation.
"""

import math
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from base.base_data_loader import Batch
from base.base_metric import BaseMetric
from ink.alphabet import nfc
from model.recognition.encoder import Transcript


class ErrorCounts(NamedTuple):
    """Numbers of errors, and the numbers of characters and words in the references."""

    character_errors: int
    characters: int
    word_errors: int
    words: int

    @property
    def rates(self) -> dict[str, float]:
        """The error rates of characters and words, by name."""
        return {
            "cer": _ratio(self.character_errors, self.characters),
            "wer": _ratio(self.word_errors, self.words),
        }


def normalised(text: str) -> str:
    """Return `text` in NFC and without blanks before and after, for comparison."""
    return nfc(text).strip()


def error_counts(reference: str, hypothesis: str) -> ErrorCounts:
    """Return the errors of one line."""
    reference = normalised(reference)
    hypothesis = normalised(hypothesis)
    words = reference.split()
    return ErrorCounts(
        character_errors=Levenshtein.distance(reference, hypothesis),
        characters=len(reference),
        word_errors=Levenshtein.distance(words, hypothesis.split()),
        words=len(words),
    )


def error_rate(reference: str, hypothesis: str) -> float:
    """Return a line's errors per character of the reference; an empty reference has length 1."""
    counts = error_counts(reference, hypothesis)
    return counts.character_errors / max(counts.characters, 1)


def rates(pairs: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Return the error rates of lines; a pair is the reference and the hypothesis of a line.

    Returns:
        `cer` and `wer`, the error rates (nan if all references are empty); `sequences`,
        `characters` and `words`, the numbers of lines, characters and words in the references;
        `line_accuracy`, the fraction of lines without an error (nan without lines).
    """
    counts = [error_counts(reference, hypothesis) for reference, hypothesis in pairs]
    # A first line of zeros: there may be no other.
    columns = zip((0, 0, 0, 0), *counts, strict=True)
    total = ErrorCounts(*map(sum, columns))
    num_right = sum(line.character_errors == 0 for line in counts)
    return total.rates | {
        "sequences": len(counts),
        "characters": total.characters,
        "words": total.words,
        "line_accuracy": _ratio(num_right, len(counts)),
    }


def is_read(character: str, reference: str, hypothesis: str) -> bool:
    """Return whether every occurrence of `character` in the reference was read right, according to
    one of the shortest alignments; blanks before and after do not count."""
    reference = normalised(reference)
    is_right = read_in_place(reference, hypothesis)
    return all(is_right[k] for k, other in enumerate(reference) if other == character)


def read_in_place(reference: str, hypothesis: str) -> np.ndarray:
    """Return a mask of the characters that were read right in a reference in NFC, `(characters,)`,
    according to one of the shortest alignments; blanks before and after count as misread."""
    is_right = np.zeros(len(reference), dtype=bool)
    start = len(reference) - len(reference.lstrip())
    for span in Levenshtein.opcodes(normalised(reference), normalised(hypothesis)):
        is_right[start + span.src_start : start + span.src_end] = span.tag == "equal"
    return is_right


def missing_words(reference: str, hypothesis: str) -> list[str]:
    """Return the words of the reference that are missing from the hypothesis.

    A word is missing if the reference without the word and its blank is closer to the hypothesis,
    by the length of the word and the blank. Misread or merged words are not missing.
    """
    missing = []
    words = normalised(reference).split()
    index = 0
    hypothesis = " ".join(normalised(hypothesis).split())
    while index < len(words):
        others = [*words[:index], *words[index + 1 :]]
        full = " ".join(words)
        shorter = " ".join(others)
        distance_full = Levenshtein.distance(full, hypothesis)
        distance_shorter = Levenshtein.distance(shorter, hypothesis)
        if distance_full - distance_shorter == len(full) - len(shorter):
            missing.append(words[index])
            words = others
        else:
            index += 1
    return missing


class ErrorRates(BaseMetric):
    """Character and word error rate of a recogniser."""

    names: ClassVar[tuple[str, ...]] = ("cer", "wer")
    in_training: ClassVar[bool] = False  # training does not decode
    heads: ClassVar[tuple[str, ...]] = ("ctc", "decoder")
    sums: ClassVar[tuple[str, ...]] = ("_counts",)

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything added so far."""
        self._counts = np.zeros(len(ErrorCounts._fields), dtype=np.int64)

    def update(self, output: Transcript, batch: Batch) -> None:
        """Add one batch.

        Args:
            output: the `alphabet` of the batch's texts, and the `hypotheses`. If these are None,
                nothing is added.
            batch: `text`, indices of characters padded with any indices, `(batch, characters)`, and
                `text_lengths` `(batch,)`.
        """
        if output.hypotheses is None:
            return
        lines = zip(batch.text.tolist(), batch.text_lengths.tolist(), strict=True)
        references = (output.alphabet.decode(text[:length]) for text, length in lines)
        for pair in zip(references, output.hypotheses, strict=True):
            self._counts += error_counts(*pair)

    def compute(self) -> dict[str, float]:
        """Return the rates by name; a rate is nan if all references are empty."""
        return ErrorCounts(*self._counts.tolist()).rates


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
