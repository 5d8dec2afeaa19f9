"""How well a language model predicts texts."""

import math
from collections.abc import Iterable

from model.recognition.language_model import CharacterLanguageModel


def perplexity(model: CharacterLanguageModel, texts: Iterable[str]) -> float:
    """Return the perplexity of `texts` per symbol, line ends among them."""
    logs = []
    for text in texts:
        line = (*model.alphabet.encode(text).tolist(), len(model.alphabet))
        logs += [model.log_probs(line[:place])[symbol] for place, symbol in enumerate(line)]
    return math.exp(-sum(logs) / len(logs))
