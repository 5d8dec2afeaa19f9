"""The probability that a word was read right."""

import re
from functools import cache
from pathlib import Path

import numpy as np

from data_loader import synthetic
from notes.page_text import plain

OFFSET = -0.77
SLOPE = 0.87
COMMON = 1.3
"""Logit of the confidence: `OFFSET`, plus `SLOPE` times the logit of the network's probability,
plus `COMMON` for a common word (measured on testset_v, testset_t and UNIPEN's validation part, lab
notebook: sure words)."""
LEAST = 1e-6
"""Least distance of a probability from 0 and 1; probabilities are clipped to it (assumed)."""
HIGHEST = 0.9999
"""Highest confidence of a word that no person confirmed (assumed)."""


def confidence(word: str, probability: float) -> float:
    """Return the probability that a word is right.

    Args:
        word: text that the network read.
        probability: the network's probability (`InkWord.probability`), which is too high.
    """
    probability = np.clip(probability, LEAST, 1 - LEAST)
    logit = OFFSET + SLOPE * np.log(probability / (1 - probability))
    if plain(word) in common_words():
        logit += COMMON
    return min(probability_of(logit), HIGHEST)


def probability_of(logit: float) -> float:
    """Return the probability of a logit, to four decimals."""
    return round(float(1 / (1 + np.exp(-logit))), 4)


@cache
def common_words() -> frozenset[str]:
    """Return the words of the texts for synthetic lines, in lower case."""
    folder = Path(synthetic.__file__).parent
    texts = " ".join(path.read_text("utf-8") for path in folder.glob("*.txt"))
    return frozenset(re.findall(r"[^\W\d_]+(?:'[a-z]+)?", texts.lower()))
