"""Finds words that look like a word that a person corrected.

A word that was read in a similar way, and whose ink may say the right text, is probably the same
word. The measures are the cost of the right text in the word's frames (see `searching`), and the
number of letters in which the two readings differ.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from apps.notes.confidence import common_words, probability_of
from apps.notes.page_text import normalised_word
from apps.notes.searching import Phrase, RowFrames, phrase_costs, tokens

MIN_CONFIDENCE = 0.7
"""Minimum probability of a word that looks alike (measured on testset_v and testset_t, notebook:
notes, words that look alike)."""
LOGIT_OFFSET = 2.0
LOGIT_PER_NAT = 0.5
LOGIT_PER_CHARACTER = 0.47
LOGIT_PER_DIFFERENCE = 1.07
COMMON_WORD_LOGIT = 0.9
"""The logit of the probability that a word is the same is `LOGIT_OFFSET`, minus `LOGIT_PER_NAT`
times the cost of the right text in the word's frames in nats, plus `LOGIT_PER_CHARACTER` times the
number of the text's letters and digits, minus `LOGIT_PER_DIFFERENCE` times the number of letters
in which the readings differ, minus `COMMON_WORD_LOGIT` if the word was read as a common one
(measured like `MIN_CONFIDENCE`)."""

_MIN_LOGIT = float(np.log(MIN_CONFIDENCE / (1 - MIN_CONFIDENCE)))


class Reading(NamedTuple):
    """What was read of a word, and the text that it is."""

    read: str
    text: str

    @property
    def phrase(self) -> Phrase:
        """The right text as it is searched; without words if no other word can look alike.

        The frames of words do not tell accents and punctuation apart.
        """
        words = tokens(normalised_word(self.text))
        return Phrase(() if words == tokens(normalised_word(self.read)) else words)

    def near(self, kinds: Collection[str]) -> dict[str, int]:
        """Return those of normalised readings as which a word that looks alike may be read, with
        the numbers of letters by which they differ from this reading, the nearest first."""
        letters = self.phrase.num_letters
        if not letters:
            return {}
        free_logit = LOGIT_OFFSET + LOGIT_PER_CHARACTER * letters - _MIN_LOGIT
        most = int(free_logit / LOGIT_PER_DIFFERENCE)
        read = normalised_word(self.read)
        near = process.extract(read, kinds, scorer=OSA.distance, score_cutoff=most, limit=None)
        right = normalised_word(self.text)
        return {kind: round(distance) for kind, distance, _ in near if kind != right}

    def confidences(
        self, words: Sequence[str], frames: Sequence[RowFrames], distances: Sequence[int]
    ) -> list[float]:
        """Return the probability that each of other words is the same word.

        Args:
            words: the words as they were read.
            frames: the frames of each word.
            distances: the numbers of letters that `near` returned for the words.
        """
        phrase = self.phrase
        confidences = []
        costs = phrase_costs(phrase, frames) if words else ()
        for text, distance, cost in zip(words, distances, costs, strict=True):
            logit = LOGIT_OFFSET + LOGIT_PER_CHARACTER * phrase.num_letters
            logit -= LOGIT_PER_NAT * cost + LOGIT_PER_DIFFERENCE * distance
            logit -= COMMON_WORD_LOGIT * (normalised_word(text) in common_words())
            confidences.append(probability_of(logit))
        return confidences

    def corrected(self, read: str) -> str:
        """Return the right text of a word that looks alike and was read as `read`: it keeps its own
        punctuation, and a capital with which it begins."""
        before, core, after = _parted(read)
        _, core_before, _ = _parted(self.read)
        _, text, _ = _parted(self.text)
        if core[:1].isupper() and core_before[:1].islower():
            text = text[:1].upper() + text[1:]
        return f"{before}{text}{after}"


def _parted(word: str) -> tuple[str, str, str]:
    """Return a word without punctuation at its ends, between the punctuation there."""
    places = [place for place, character in enumerate(word) if character.isalnum()] or [0]
    start = places[0]
    stop = places[-1] + 1
    return word[:start], word[start:stop], word[stop:]
