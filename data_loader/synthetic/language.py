"""Data for a language model of European languages: frequencies of words, from the package wordfreq
(its data are CC BY-SA 4.0), and texts, which serve for the signs between the words."""

import numpy as np

from data_loader.synthetic import corpus
from data_loader.synthetic.european import european
from data_loader.synthetic.everyday import everyday
from data_loader.synthetic.templates import Draws, fill

OTHERS = "ca cs da fi hu is lt lv nb pt ro sh sk sl sv tr"
SHARES = {
    "en": 0.4,
    **dict.fromkeys(("de", "es", "fr", "it", "nl", "pl"), 0.1),
    **dict.fromkeys(OTHERS.split(), 0.04),
}
"""Weight of a language's words, by the language's code in wordfreq (assumed)."""
WORDS = 10_000_000
"""Running words that a language of weight 1 would count; a word counted less than once is left out
(assumed)."""
LINES = 1500
"""Number of sentences, and of everyday strings, in `texts`; a fifth as many European phrases are
added (assumed)."""


def word_counts() -> dict[str, float]:
    """Return how often each word occurs, in small letters; wordfreq has to be installed."""
    from wordfreq import get_frequency_dict

    counts: dict[str, float] = {}
    for language, share in SHARES.items():
        # The small lists go down to once in a million words.
        frequencies = get_frequency_dict(language, "small" if share * WORDS <= 1e6 else "large")
        for token, frequency in frequencies.items():
            count = frequency * share * WORDS
            if count < 1:  # The most frequent come first.
                break
            for word in filter(None, token.split("'")):
                counts[word] = counts.get(word, 0.0) + count
    return counts


def texts() -> list[str]:
    """Return lines, the same each time."""
    draws = Draws(np.random.default_rng(0))
    lines = [fill(corpus.SENTENCE, corpus.FIELDS, draws) for _ in range(LINES)]
    lines += [everyday(draws) for _ in range(LINES)]
    return lines + [european(draws) for _ in range(LINES // 5)]
