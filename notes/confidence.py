"""The probability that a word was read right."""

import re
from functools import cache
from pathlib import Path

import numpy as np

from data_loader import texts
from notes.page_text import normalised_word

LOGIT_OFFSET = -0.77
LOGIT_SLOPE = 0.87
COMMON_WORD_LOGIT = 1.3
"""The logit of the confidence is `LOGIT_OFFSET`, plus `LOGIT_SLOPE` times the logit of the
network's probability, plus `COMMON_WORD_LOGIT` for a common word (measured on testset_v, testset_t
and UNIPEN's validation part, lab notebook: sure words)."""
PROBABILITY_MARGIN = 1e-6
"""Distance from 0 and 1 to which the network's probabilities are clipped (assumed)."""
MAX_CONFIDENCE = 0.9999
"""Highest confidence of a word that no person confirmed (assumed)."""


def confidence(word: str, probability: float) -> float:
    """Return the probability that a word was read right.

    Args:
        word: text that the network read.
        probability: the network's own estimate (`InkWord.probability`), which is too high.
    """
    probability = np.clip(probability, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    logit = LOGIT_OFFSET + LOGIT_SLOPE * np.log(probability / (1 - probability))
    if normalised_word(word) in common_words():
        logit += COMMON_WORD_LOGIT
    return min(probability_of(logit), MAX_CONFIDENCE)


def probability_of(logit: float) -> float:
    """Return the probability with this logit, rounded to four decimals."""
    return round(float(1 / (1 + np.exp(-logit))), 4)


@cache
def common_words() -> frozenset[str]:
    """Return the words of the texts from which synthetic lines are made, in lower case."""
    folder = Path(texts.__file__).parent
    content = " ".join(path.read_text("utf-8") for path in folder.glob("*.txt"))
    return frozenset(re.findall(r"[^\W\d_]+(?:'[a-z]+)?", content.lower()))
