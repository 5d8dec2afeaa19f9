"""Decodes a row's log-probabilities to text by beam search, without PyTorch.

Shapes: S frames, C characters of the alphabet. Class C is the blank of CTC.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from model.recognition.language_model import CharacterLanguageModel, WordLanguageModel
from utils.time_limit import check_time

PRUNING = 12.0
"""A character is pruned at a frame if it is more than this number of nats less likely than the
frame's likeliest class (assumed: less than 1/160,000 of the probability)."""
APOSTROPHE_PRUNING = 9.0
APOSTROPHE_COST = 2.0
"""An apostrophe that is at most `APOSTROPHE_PRUNING` nats less likely than the blank may be read
for `APOSTROPHE_COST` nats, where marks may be added (measured, notebook: reader, accents)."""


@dataclass(frozen=True)
class Search:
    """Options of the search for the text of a line.

    Attributes:
        width: number of hypotheses in the beam; 1 is greedy decoding.
        language_model: a language model with the recogniser's alphabet, or None.
        language_weight: factor on the language model's log-probabilities.
        mark_cost: nats that a letter with a mark is at most less likely than the letter without, or
            with another mark; infinite: each mark must be seen, and each apostrophe. The language
            model's alphabet tells which letters these are.
        by_text: returns the search for a line that was read greedily as a text, such as the search
            with the language model of the text's language; None: all lines have this search.
            Attention's search does not ask it.
    """

    width: int = 1
    language_model: CharacterLanguageModel | WordLanguageModel | None = None
    language_weight: float = 0.0
    mark_cost: float = math.inf
    by_text: "Callable[[str], Search] | None" = None

    def of_line(self, log_probs: np.ndarray) -> "Search":
        """Return the search for the text of a line with these log-probabilities, `(S, C+1)`."""
        if self.by_text is None or self.language_model is None:
            return self
        return self.by_text(self.language_model.alphabet.decode(greedy_classes(log_probs)))

    def with_marks(self, log_probs: np.ndarray, cost: float) -> np.ndarray:
        """Return log-probabilities `(..., C + 1)` in which a letter with a mark is at most `cost`
        nats less likely than the letter without, or with another mark, and a faint apostrophe at
        most `APOSTROPHE_COST` less likely than the blank; the same if marks must be seen."""
        if self.language_model is None or math.isinf(self.mark_cost):
            return log_probs
        alphabet = self.language_model.alphabet
        bare = alphabet.unmarked
        likeliest = log_probs.copy()  # of each bare letter and those that add a mark to it
        np.maximum.at(likeliest.T, bare, log_probs[..., :-1].T)
        is_marked = bare != np.arange(len(bare))
        raised = np.maximum(log_probs[..., :-1], likeliest[..., bare] - cost)
        characters = np.where(is_marked, raised, log_probs[..., :-1])
        if "'" in alphabet:
            code = alphabet.encode("'")
            apostrophe = characters[..., code]  # (..., 1)
            blank = log_probs[..., -1:]
            is_faint = apostrophe > blank - APOSTROPHE_PRUNING
            least = np.where(is_faint, blank - APOSTROPHE_COST, -np.inf)
            characters[..., code] = np.maximum(apostrophe, least)
        return np.concatenate([characters, log_probs[..., -1:]], axis=-1)

    def with_added_marks(self, log_probs: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return the log-probabilities `(S, C+1)` by which a line was read as the characters
        `codes`. A letter of them with a mark is at least as likely as the letter without: the
        language model may have added the mark."""
        seen = log_probs.copy()
        seen[:, codes] = self.of_line(log_probs).with_marks(log_probs, cost=0.0)[:, codes]
        return seen


GREEDY = Search()


class Hypothesis(NamedTuple):
    """A text as classes, and its score in nats."""

    indices: list[int]
    score: float


def ctc_beam(log_probs: np.ndarray, search: Search) -> list[Hypothesis]:
    """Return up to `search.width` texts of one line, the best first, by CTC's prefix beam search.

    Hannun et al. 2014 (arXiv 1408.2873), algorithm 1, with a language model of characters. A prefix
    of a text scores log p_ctc(prefix) + language_weight * log p_lm(prefix), where p_ctc sums over
    the paths in the beam. After the last frame p_lm includes the end of the line. A letter without
    its mark, or with another, is read as one with it at the search's `mark_cost`, once a letter.

    Args:
        log_probs: `(S, C+1)`, the blank last, each frame a distribution.
        search: how to search for the text. A beam of width 1 differs from greedy decoding: the beam
            follows the likeliest prefix, greedy decoding the likeliest path.
    """
    search = search.of_line(log_probs)
    blank = log_probs.shape[1] - 1
    staying = search.with_marks(log_probs, 0.0)
    log_probs = search.with_marks(log_probs, search.mark_cost)
    least = log_probs.max(1, keepdims=True) - PRUNING
    likely = log_probs[:, :-1] >= least  # (S, C)
    # For each prefix the log-probabilities of its paths that end in a blank, and of its paths that
    # end in its last character; and the score of the language model.
    prefixes: list[tuple[int, ...]] = [()]
    last = np.array([blank])  # the last character of each prefix
    in_blank = np.zeros(1)
    in_character = np.full(1, -np.inf)
    lm_scores = np.zeros(1)
    for frame, stays, is_likely in zip(log_probs, staying, likely, strict=True):
        check_time()
        characters = is_likely.nonzero()[0]
        total = np.logaddexp(in_blank, in_character)
        # Each prefix extended by each character. Equal characters need a blank in between.
        repeats = last[:, None] == characters
        extended = np.where(repeats, in_blank[:, None], total[:, None]) + frame[characters]
        in_blank = total + frame[blank]
        in_character = in_character + stays[last]
        if not len(characters):
            continue
        # An extended prefix that equals a prefix in the beam is merged with that prefix.
        row_of = {prefix: row for row, prefix in enumerate(prefixes)}
        column_of = {character: column for column, character in enumerate(characters.tolist())}
        for row, prefix in enumerate(prefixes):
            if prefix and prefix[:-1] in row_of and prefix[-1] in column_of:
                source = row_of[prefix[:-1]], column_of[prefix[-1]]
                in_character[row] = np.logaddexp(in_character[row], extended[source])
                extended[source] = -np.inf
        extended_lm_scores = lm_scores[:, None] + next_lm_scores(search, prefixes, characters)
        # The prefixes come first, then the extended prefixes, row by row.
        scores = np.logaddexp(in_blank, in_character) + lm_scores
        scores = np.concatenate((scores, (extended + extended_lm_scores).ravel()))
        chosen = np.argsort(-scores, kind="stable")[: search.width]
        chosen = chosen[scores[chosen] > -np.inf]
        is_extended = chosen >= len(prefixes)
        rows, columns = np.divmod(chosen - len(prefixes), len(characters))
        rows[~is_extended] = chosen[~is_extended]  # whose columns are not used
        in_blank = np.where(is_extended, -np.inf, in_blank[rows])
        in_character = np.where(is_extended, extended[rows, columns], in_character[rows])
        lm_scores = np.where(is_extended, extended_lm_scores[rows, columns], lm_scores[rows])
        prefixes = [prefixes[row] for row in rows]
        for index in is_extended.nonzero()[0]:
            prefixes[index] = (*prefixes[index], int(characters[columns[index]]))
        last = np.array([prefix[-1] if prefix else blank for prefix in prefixes])
    # The language model has the end of the line in the place of the blank.
    end_lm_scores = next_lm_scores(search, prefixes, np.array([blank]))[:, 0]
    scores = np.logaddexp(in_blank, in_character) + lm_scores + end_lm_scores
    order = np.argsort(-scores, kind="stable")
    return [Hypothesis(list(prefixes[n]), float(scores[n])) for n in order]


def ctc_text(log_probs: np.ndarray, search: Search) -> list[int]:
    """Return the text of one line; see `decoding.ctc_texts`. `log_probs` are `(S, C+1)`."""
    if search.width > 1 or search.language_model is not None:
        return ctc_beam(log_probs, search)[0].indices
    return greedy_classes(log_probs)


def greedy_classes(log_probs: np.ndarray) -> list[int]:
    """Return the characters of a line by greedy decoding; `log_probs` are `(S, C+1)`."""
    blank = log_probs.shape[1] - 1
    classes = log_probs.argmax(1)
    previous = np.concatenate([[blank], classes[:-1]])
    is_label = (classes != blank) & (classes != previous)
    return classes[is_label].tolist()


def next_lm_scores(
    search: Search, texts: Sequence[tuple[int, ...]], classes: np.ndarray
) -> np.ndarray:
    """Return the language model's log-probabilities of `classes` after each text, `(N, classes)`,
    times `language_weight`; zeros without a language model."""
    if search.language_model is None or not search.language_weight:
        return np.zeros((len(texts), len(classes)))
    log_probs = np.array([search.language_model.log_probs(text) for text in texts])
    return search.language_weight * log_probs[:, classes]
