"""How likely a word that is read is right, by what the network says of it."""

import numpy as np

SLOPE, OFFSET = 0.93, -0.54
"""Of the logit of the confidence over that of the network's probability (measured on testset_v, lab
notebook: sure words)."""
LEAST = 1e-6
"""Nearest that a probability is taken to be to 0 or 1 (assumed)."""
HIGHEST = 0.9999
"""Of what no person has said (assumed)."""


def confidence(probability: float) -> float:
    """Return the probability that a word is right.

    Args:
        probability: as `InkWord` has it, in which the network is too sure of itself.
    """
    probability = np.clip(probability, LEAST, 1 - LEAST)
    logit = SLOPE * np.log(probability / (1 - probability)) + OFFSET
    return min(round(float(1 / (1 + np.exp(-logit))), 4), HIGHEST)
