"""Estimates the probability that a word was read right."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from apps.notes.page_text import normalised_word
from data_loader.synthetic import texts
from data_loader.synthetic.texts.language import WEIGHTS

WORD_LOGIT_OFFSET = -0.77
WORD_LOGIT_SLOPE = 0.87
COMMON_WORD_LOGIT = 1.3
"""The logit of the confidence is `WORD_LOGIT_OFFSET`, plus `WORD_LOGIT_SLOPE` times the logit of
the network's probability, plus `COMMON_WORD_LOGIT` for a common word (measured on testset_v,
testset_t and UNIPEN's validation part, notebook: notes, sure words)."""
NUM_COMMON_WORDS = 3_400
"""Number of common words of each language but English (assumed: as many as of English)."""
NUM_LANGUAGE_WORDS = 200
"""Number of frequent words by which a page's language is recognised (assumed)."""
MIN_FREQUENT_FRACTION = 0.2
"""Minimum fraction of a page's words that are frequent words of its language (assumed)."""
PROBABILITY_MARGIN = 1e-6
"""Distance from 0 and 1 to which the network's probabilities are clipped (assumed)."""
MAX_CONFIDENCE = 0.9999
"""Highest confidence of a word that no person confirmed (assumed)."""


def confidences(words: Sequence[tuple[str, float]]) -> list[float]:
    """Return the probability that each word of a page was read right.

    Args:
        words: the text of each word that the network read, and the network's own estimate
            (`InkWord.probability`), which is too high.
    """
    texts = [normalised_word(text) for text, _ in words]
    common = common_words(language_of(texts))
    probabilities = np.clip([p for _, p in words], PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    logits = WORD_LOGIT_OFFSET + WORD_LOGIT_SLOPE * np.log(probabilities / (1 - probabilities))
    logits += COMMON_WORD_LOGIT * np.array([text in common for text in texts], bool)
    return [min(probability_of(logit), MAX_CONFIDENCE) for logit in logits]


def probability_of(logit: float) -> float:
    """Return the probability with this logit, rounded to four decimals."""
    return round(float(np.exp(-np.logaddexp(0.0, -logit))), 4)


def language_of(words: Iterable[str]) -> str:
    """Return the language, by its code in wordfreq, whose frequent words make up most of `words`.

    Return "" for English, if few words are frequent in any language, or without wordfreq.
    """
    counts = Counter(words)
    if not find_spec("wordfreq"):
        return ""
    fractions = dict[str, float]()
    for language in WEIGHTS:
        num_frequent = sum(counts[word] for word in frequent_words(language, NUM_LANGUAGE_WORDS))
        fractions[language] = num_frequent / max(counts.total(), 1)
    # English wins a draw, as languages share some short words.
    best = max(fractions, key=lambda language: (fractions[language], language == "en"))
    return best if best != "en" and fractions[best] > MIN_FREQUENT_FRACTION else ""


@cache
def frequent_words(language: str, count: int) -> frozenset[str]:
    """Return the most frequent words of a language, in lower case; wordfreq must be installed."""
    from wordfreq import top_n_list

    return frozenset(word.casefold() for word in top_n_list(language, count))


@cache
def common_words(language: str = "") -> frozenset[str]:
    """Return the words, in lower case, of the texts of synthetic lines, and the frequent words of a
    language other than English, unless `language` is empty."""
    folder = Path(texts.__file__).parent
    content = " ".join(path.read_text("utf-8") for path in folder.glob("*.txt"))
    words = frozenset(re.findall(r"[^\W\d_]+(?:'[a-z]+)?", content.lower()))
    return words | frequent_words(language, NUM_COMMON_WORDS) if language else words
