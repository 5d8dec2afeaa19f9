"""The options of a recogniser's search, and of the language model that it may use."""

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec

import model
from commands.shared.options import Parser
from ink.alphabet import Alphabet, describe, nfc
from utils.checks import UserError, number
from utils.files import read_lines

LANGUAGE_WEIGHT = 0.7
"""Default of --language-weight with a FILE (chosen with `recognition` on lines of `testset_v` and
`testset_t`)."""
WORDS_WEIGHT = 0.5
"""Default of --language-weight without a FILE (measured, notebook: reader, the language model of
words)."""
MARK_COST = 0.5
"""Nats for which a letter without its mark, or with another, is read as one with it, where
languages are named (measured, notebook: reader, accents)."""
GENERAL = "words"  # value of --language-model without a FILE
BEAM = 16  # default of --beam with a language model
NUM_LANGUAGES = 8
"""Number of language models of a single language that are kept, some 40 MB each with its words
(assumed: pages of a folder are in few languages, and a model takes seconds to build)."""
LISTED_COUNT = 1000  # added to a --words word's count in `language.NUM_WORDS` words (assumed)


def add_options(parser: Parser) -> None:
    """Add the options of a recogniser's search."""
    add = parser.add_argument
    beam = f"hypotheses kept by beam search (default: {BEAM} with a language model, else greedy)"
    add("--beam", type=number(int, 2, 1000), metavar="N", help=beam)
    kinds = "use a language model: of characters, from the lines of a text FILE; or, without FILE, "
    kinds += "of the frequent words of the line's language, or of 23 European ones where that is "
    kinds += "unsure, from wordfreq; or of languages named by their codes, as fr,en (default: none)"
    add("--language-model", nargs="?", const=GENERAL, metavar="FILE", help=kinds)
    words = "text file of names and terms to expect, for --language-model without a FILE"
    add("--words", metavar="FILE", help=words)
    weight = "weight of the language model's log-probabilities (default: "
    weight += f"{LANGUAGE_WEIGHT:g} with a FILE, {WORDS_WEIGHT:g} without one)"
    add("--language-weight", type=number(float, 0, 100), metavar="W", help=weight)


@dataclass(frozen=True)
class SearchOptions:
    """The options of a recogniser's search; each may be None, for its default.

    Attributes:
        beam: number of hypotheses that are kept.
        language_model: text file from which a language model of characters is built; or `GENERAL`,
            or codes of languages such as "fr,en", for the word language model.
        language_weight: weight of the language model's log-probabilities.
        words: text file of names and terms that the word language model expects.
    """

    beam: int | None
    language_model: str | None
    language_weight: float | None
    words: str | None

    @property
    def languages(self) -> list[str]:
        """The codes of the languages of the word language model; none without it."""
        if not self.language_model:
            return []
        from data_loader.synthetic.texts.language import WEIGHTS

        if self.language_model == GENERAL:
            return [*WEIGHTS]
        codes = self.language_model.split(",")
        return codes if WEIGHTS.keys() >= {*codes} else []

    @property
    def files(self) -> list[str]:
        """The text files from which the language model is built."""
        characters = None if self.languages else self.language_model
        return [file for file in (characters, self.words) if file]

    def search(self, reader: "model.Reader") -> "model.Search":
        """Return the search of a network, with a language model if the options ask for it.

        Raises:
            UserError: if a file has no text that the network knows.
        """
        if not self.language_model:
            return model.Search(self.beam or 1)
        alphabet = reader.alphabet
        texts = list[str]()
        for file in self.files:
            texts += _known_lines(file, alphabet)
        if not self.languages:
            language_model = model.CharacterLanguageModel(texts, alphabet)
            return self._search(language_model, LANGUAGE_WEIGHT)
        named = self._search(_word_model(self.languages, texts, alphabet), WORDS_WEIGHT)
        if self.language_model == GENERAL and reader.model.head == "ctc":
            return replace(named, by_text=self._search_by_text(named, texts, alphabet))
        return replace(named, mark_cost=MARK_COST)

    def _search(
        self,
        language_model: "model.CharacterLanguageModel | model.WordLanguageModel",
        default_weight: float,
    ) -> "model.Search":
        """Return the search with a language model."""
        weight = default_weight if self.language_weight is None else self.language_weight
        return model.Search(self.beam or BEAM, language_model, weight)

    def _search_by_text(
        self, general: "model.Search", listed: list[str], alphabet: Alphabet
    ) -> "Callable[[str], model.Search]":
        """Return a function that returns the search for a line that was read greedily as a text:
        with the words of its language, and `general` for a line that may be of several."""
        from data_loader.synthetic.texts import language
        from model.recognition.language_detection import LanguageDetector

        detector = LanguageDetector(language.frequent_words(), language.WEIGHTS)

        @lru_cache(NUM_LANGUAGES)
        def search(code: str) -> "model.Search":
            language_model = _word_model([code], listed, alphabet)
            return replace(general, language_model=language_model, mark_cost=MARK_COST)

        def by_text(text: str) -> "model.Search":
            code = detector.language_of(text)
            return search(code) if code else general

        return by_text


def _known_lines(file: str, alphabet: Alphabet) -> list[str]:
    """Return the lines of a file without unknown characters; print the unknown characters."""
    texts = [nfc(text) for text in read_lines(file)]
    if unknown := alphabet.unknown("".join(texts)):
        names = ", ".join(map(describe, unknown))
        print(f"left out of the language model, unknown to the network: {names}")
    without_unknown = str.maketrans(dict.fromkeys(unknown))
    known_texts = [text.translate(without_unknown).strip() for text in texts]
    if not any(known_texts):
        raise UserError(f"{file}: it contains no text of characters that the network knows")
    return [*filter(None, known_texts)]


def _word_model(
    languages: list[str], listed: list[str], alphabet: Alphabet
) -> "model.WordLanguageModel":
    """Return the word language model; it also expects the words of the lines `listed`."""
    from data_loader.synthetic.texts import language

    counts = language.word_counts(languages)
    text = " ".join(listed).lower().replace("’", "'")
    for word in re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text):
        # What is before and behind an apostrophe, too; each once, and always in the same order.
        for part in dict.fromkeys([word, *word.split("'")]):
            counts[part] = counts.get(part, 0.0) + LISTED_COUNT
    texts = [text for text in language.texts() if not alphabet.unknown(text)]
    return model.WordLanguageModel(texts + listed, counts, alphabet)


def options_of(arguments: argparse.Namespace) -> SearchOptions:
    """Return the search options of the command line.

    Raises:
        UserError: if an option has no effect, a file cannot be read, or wordfreq is missing.
    """
    chosen = SearchOptions(
        beam=arguments.beam,
        language_model=arguments.language_model,
        language_weight=arguments.language_weight,
        words=arguments.words,
    )
    if chosen.words and not chosen.language_model:
        chosen = replace(chosen, language_model=GENERAL)
    if chosen.words and not chosen.languages:
        raise UserError("--words is for --language-model without a FILE")
    if chosen.language_weight is not None and not chosen.language_model:
        raise UserError("--language-weight is for --language-model, which is not given")
    for file in chosen.files:
        read_lines(file)
    if chosen.languages and not find_spec("wordfreq"):
        advice = "python -m pip install wordfreq, or name a text: --language-model FILE"
        raise UserError(f"the language model of words needs wordfreq: {advice}")
    return chosen
