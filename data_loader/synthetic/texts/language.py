"""Data for a language model of European languages: word frequencies from the package wordfreq
(data: CC BY-SA 4.0), and texts, from which the model learns the signs between words."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import product

import numpy as np

from data_loader.synthetic.texts import corpus
from data_loader.synthetic.texts.european import european
from data_loader.synthetic.texts.everyday import everyday
from data_loader.synthetic.texts.templates import Draws, fill

OTHER_LANGUAGES = "ca cs da fi hu is lt lv nb pt ro sh sk sl sv tr"
WEIGHTS = {
    "en": 0.4,
    **dict.fromkeys(("de", "es", "fr", "it", "nl", "pl"), 0.1),
    **dict.fromkeys(OTHER_LANGUAGES.split(), 0.04),
}
"""Weight of each language, by its code in wordfreq (assumed)."""
NUM_WORDS = 10_000_000
"""Number of running words of a language of weight 1; a word whose count is below 1 in the
language's running words is left out (assumed)."""
MIN_FREQUENCY = 1e-5
"""Occurrences per running word of the rarest words by which a language is told from others
(measured, notebook: reader, the language of a line)."""
ELISIONS = {
    "ca": ("d", "l", "m", "n", "s", "t"),
    "fr": ("c", "d", "j", "l", "m", "n", "qu", "s", "t"),
    "it": ("c", "d", "l", "m", "n", "s", "t", "un", "v"),
}
"""Words that stand before an apostrophe and a vowel, from which wordfreq divides them: it lists
them without the apostrophe. Each is taken to have it half of the times (assumed)."""
MIN_CONTINUATIONS = 30
"""Number of words of a list that begin with the same letters and an apostrophe, such as the Italian
`dell'`, from which any word may follow the apostrophe (assumed)."""
NUM_TEXTS = 1500
"""Number of sentences in `texts`; `texts` has as many everyday texts, and a fifth as many European
texts (assumed)."""


def word_counts(languages: Collection[str] = WEIGHTS) -> dict[str, float]:
    """Return the count of each word of `languages`, codes of `WEIGHTS`, in small letters; a word
    with a final apostrophe is followed by another at once. Fewer languages have more words each.
    wordfreq must be installed."""
    counts: dict[str, float] = {}
    total = sum(WEIGHTS[language] for language in languages)
    factor = sum(WEIGHTS.values()) / total  # Fewer languages have more words each.
    for language in languages:
        num_words = WEIGHTS[language] * factor * NUM_WORDS
        # The small lists have all words with at least one occurrence in a million words, and ten
        # languages have no large one: asked for it, wordfreq fails, or takes Norwegian for Danish.
        size = "small" if num_words <= 1e6 else "best"
        tokens = _tokens(language, size, 1 / num_words)
        for word, frequency in _words(language, tokens):
            counts[word] = counts.get(word, 0.0) + frequency * num_words
    return counts


def frequent_words() -> dict[str, dict[str, float]]:
    """Return the frequencies of the frequent words of each language, in small letters and divided
    at apostrophes, per running word. wordfreq must be installed."""
    frequencies = {}
    for language in WEIGHTS:
        words: dict[str, float] = {}
        for token, frequency in _tokens(language, "small", MIN_FREQUENCY).items():
            for word in filter(None, token.split("'")):
                words[word] = words.get(word, 0.0) + frequency
        frequencies[language] = words
    return frequencies


def _tokens(language: str, size: str, min_frequency: float) -> dict[str, float]:
    """Return the tokens of a list of wordfreq with their frequencies per running word, in all
    spellings."""
    from wordfreq import get_frequency_dict

    tokens = {}
    for token, frequency in get_frequency_dict(language, size).items():
        if frequency < min_frequency:  # they fall
            break
        for spelling in _spellings(token) if language == "de" else (token,):
            tokens[spelling] = frequency
    return tokens


def _spellings(word: str) -> Iterator[str]:
    """Yield a German word with `ss` and `ß` in all ways: wordfreq lists both as `ss`, the ink shows
    which is meant."""
    first, *others = word.split("ss")
    for joints in product(("ss", "ß"), repeat=len(others)):
        yield first + "".join(map("".join, zip(joints, others, strict=True)))


def _words(language: str, tokens: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield words with their frequencies: those of the tokens, those that any word may follow
    behind an apostrophe, with it, and what stands behind apostrophes, such as the English `s`; a
    word may come again."""
    first_parts = Counter(token.partition("'")[0] for token in tokens if "'" in token)
    elisions = {part for part, count in first_parts.items() if count >= MIN_CONTINUATIONS}
    divided = ELISIONS.get(language, ())
    elisions.update(divided)
    for token, frequency in tokens.items():
        if token in divided:
            yield token, frequency / 2
            yield f"{token}'", frequency / 2
            continue
        word, *parts = filter(None, token.split("'"))
        for part in parts:
            if word in elisions:
                yield f"{word}'", frequency
                word = part
            else:
                word += f"'{part}"
        yield word, frequency
        if parts and word != parts[-1]:
            yield parts[-1], frequency


def texts() -> list[str]:
    """Return sentences, everyday texts and European texts; every call returns the same texts."""
    draws = Draws(np.random.default_rng(0))
    lines = [fill(corpus.SENTENCE_TEMPLATE, corpus.FIELDS, draws) for _ in range(NUM_TEXTS)]
    lines += [everyday(draws) for _ in range(NUM_TEXTS)]
    return lines + [european(draws) for _ in range(NUM_TEXTS // 5)]
