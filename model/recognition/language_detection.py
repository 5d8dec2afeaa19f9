"""Tells in which language a line is written, by its frequent words."""

import re
from collections.abc import Mapping

import numpy as np

from ink.alphabet import unmarked

MIN_FREQUENCY = 1e-5
"""Occurrences per running word that are added to a word's in each language (measured, notebook:
reader, the language of a line)."""
MIN_PROBABILITY = 0.9
"""Probability from which a line is taken to be written in a language (measured, notebook: reader,
the language of a line)."""


class LanguageDetector:
    """Finds the language of a text by Bayes' rule from the frequencies of its words.

    Words of one letter and unknown words do not count, nor do the marks of letters, which readers
    miss.

    Args:
        frequencies: the frequencies of each language's frequent words, in small letters, per
            running word.
        weights: the prior weight of each of these languages, above 0.
    """

    def __init__(
        self, frequencies: Mapping[str, Mapping[str, float]], weights: Mapping[str, float]
    ) -> None:
        self.languages = [*frequencies]
        total = sum(weights[language] for language in self.languages)
        self._log_priors = np.log([weights[language] / total for language in self.languages])
        self._rows: dict[str, int] = {}  # of each word in `_log_frequencies`
        cells = []
        for column, words in enumerate(frequencies.values()):
            for word, frequency in words.items():
                row = self._rows.setdefault(_plain(word), len(self._rows))
                cells.append((row, column, frequency))
        table = np.zeros((len(self._rows), len(self.languages)), np.float32)
        for row, column, frequency in cells:
            table[row, column] += frequency
        self._log_frequencies = np.log(table + MIN_FREQUENCY)

    def probabilities(self, text: str) -> dict[str, float]:
        """Return the probability of each language, given a text."""
        words = [_plain(word) for word in re.findall(r"[^\W\d_]{2,}", text.lower())]
        rows = [self._rows[word] for word in words if word in self._rows]
        log_probs = self._log_priors + self._log_frequencies[rows].sum(0, dtype=float)
        log_probs -= np.logaddexp.reduce(log_probs)
        return dict(zip(self.languages, np.exp(log_probs).tolist(), strict=True))

    def language_of(self, text: str) -> str:
        """Return the language of a text; the empty string if no language is likely enough."""
        probabilities = self.probabilities(text)
        likeliest = max(probabilities, key=probabilities.__getitem__)
        return likeliest if probabilities[likeliest] >= MIN_PROBABILITY else ""


def _plain(word: str) -> str:
    """Return a word without the marks of its letters."""
    return word if word.isascii() else "".join(map(unmarked, word))
