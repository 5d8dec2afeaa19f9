"""How likely a word that is read is right."""

import re
from functools import cache
from pathlib import Path

import numpy as np

from data_loader import synthetic
from notes.page_text import plain

OFFSET = -0.77
SLOPE = 0.87
COMMON = 1.3
"""The logit of the confidence: the offset, the logit of the network's probability times the slope,
and more for a common word (measured on testset_v, testset_t and UNIPEN's validation part, lab
notebook: sure words)."""
LEAST = 1e-6
"""Nearest that a probability is taken to be to 0 or 1 (assumed)."""
HIGHEST = 0.9999
"""Of what no person has said (assumed)."""


def confidence(word: str, probability: float) -> float:
    """Return the probability that a word is right.

    Args:
        word: as it is read.
        probability: as `InkWord` has it, in which the network is too sure of itself.
    """
    probability = np.clip(probability, LEAST, 1 - LEAST)
    logit = OFFSET + SLOPE * np.log(probability / (1 - probability))
    logit += COMMON * (plain(word) in common_words())
    return min(round(float(1 / (1 + np.exp(-logit))), 4), HIGHEST)


@cache
def common_words() -> frozenset[str]:
    """Return the words of the texts of which synthetic lines are made, in lower case."""
    folder = Path(synthetic.__file__).parent
    texts = " ".join(path.read_text("utf-8") for path in folder.glob("*.txt"))
    return frozenset(re.findall(r"[^\W\d_]+(?:'[a-z]+)?", texts.lower()))
