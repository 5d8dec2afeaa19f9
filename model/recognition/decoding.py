"""Decodes a recogniser's log-probabilities to text, greedily or by beam search.

Shapes: B lines, S frames, C characters of the alphabet. Classes 0 to C-1 are the characters. Class
C is the blank for CTC (Graves et al. 2006), and the end of the text for an attention decoder. Texts
are lists of classes. Beam search decodes each line by itself, in float64 on the CPU.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.recognition.language_model import CharacterLanguageModel, WordLanguageModel
from utils.checks import NotFinite
from utils.time_limit import check_time

PRUNING = 12.0
"""A character is pruned at a frame if it is more than this number of nats less likely than the
frame's likeliest class (assumed: less than 1/160,000 of the probability)."""

NO_DISTRIBUTION = (
    "the network computed no distribution over the characters: the network has diverged, or its "
    "weights are damaged"
)

Step = Callable[[Tensor, dict[str, Tensor]], tuple[Tensor, dict[str, Tensor]]]
"""One step of a decoder for N hypotheses: `(tokens (N,) int64, state) -> (log_probs (N, C+1),
state)`. All tensors of the state have the first dimension N. A step has no other state."""


@dataclass(frozen=True)
class Search:
    """Options of the search for the text of a line.

    Attributes:
        width: number of hypotheses in the beam; 1 is greedy decoding.
        language_model: a language model with the recogniser's alphabet, or None.
        language_weight: factor on the language model's log-probabilities.
    """

    width: int = 1
    language_model: CharacterLanguageModel | WordLanguageModel | None = None
    language_weight: float = 0.0


GREEDY = Search()


class Hypothesis(NamedTuple):
    """A text as classes, and its score in nats."""

    indices: list[int]
    score: float


@torch.no_grad()
def ctc_texts(log_probs: Tensor, lengths: Tensor, search: Search = GREEDY) -> list[list[int]]:
    """Return the text of each line.

    Greedy decoding takes the likeliest class of each frame, merges repeats and leaves out blanks.

    Args:
        log_probs: `(B, S, C+1)`, the blank last; frames beyond a line's length are ignored.
        lengths: number of frames of each line, `(B,)`.
        search: how to search for the texts.

    Raises:
        NotFinite: if the log-probabilities of a frame are NaN, or all are -inf.
    """
    best, classes = log_probs.max(-1)  # (B, S)
    frames = torch.arange(classes.shape[1], device=classes.device)
    inside = frames < lengths.to(classes.device)[:, None]
    if not best[inside].isfinite().all():
        raise NotFinite(NO_DISTRIBUTION)
    if search.width > 1 or search.language_model is not None:
        lines = zip(log_probs.cpu().double().numpy(), lengths.tolist(), strict=True)
        return [ctc_beam(line[:length], search)[0].indices for line, length in lines]
    blank = log_probs.shape[-1] - 1
    previous = torch.nn.functional.pad(classes, (1, 0), value=blank)[:, :-1]
    is_label = inside & (classes != blank) & (classes != previous)
    return [line[mask].tolist() for line, mask in zip(classes.cpu(), is_label.cpu(), strict=True)]


def ctc_beam(log_probs: np.ndarray, search: Search) -> list[Hypothesis]:
    """Return up to `search.width` texts of one line, the best first, by CTC's prefix beam search.

    Hannun et al. 2014 (arXiv 1408.2873), algorithm 1, with a language model of characters. A prefix
    of a text scores log p_ctc(prefix) + language_weight * log p_lm(prefix), where p_ctc sums over
    the paths in the beam. After the last frame p_lm includes the end of the line.

    Args:
        log_probs: `(S, C+1)`, the blank last, each frame a distribution.
        search: how to search for the text. A beam of width 1 differs from greedy decoding: the beam
            follows the likeliest prefix, greedy decoding the likeliest path.
    """
    blank = log_probs.shape[1] - 1
    likely = log_probs[:, :-1] >= log_probs.max(1, keepdims=True) - PRUNING
    # For each prefix the log-probabilities of its paths that end in a blank, and of its paths that
    # end in its last character; and the score of the language model.
    prefixes: list[tuple[int, ...]] = [()]
    last = np.array([blank])  # the last character of each prefix
    in_blank, in_character, lm_scores = np.zeros(1), np.full(1, -np.inf), np.zeros(1)
    for frame, is_likely in zip(log_probs, likely, strict=True):
        check_time()
        characters = is_likely.nonzero()[0]
        total = np.logaddexp(in_blank, in_character)
        # Each prefix extended by each character. Equal characters need a blank in between.
        repeats = last[:, None] == characters
        extended = np.where(repeats, in_blank[:, None], total[:, None]) + frame[characters]
        in_blank, in_character = total + frame[blank], in_character + frame[last]
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
        extended_lm_scores = lm_scores[:, None] + _next_lm_scores(search, prefixes, characters)
        scores = np.logaddexp(in_blank, in_character) + lm_scores
        scores = np.concatenate((scores, (extended + extended_lm_scores).ravel()))
        chosen = np.argsort(-scores, kind="stable")[: search.width]
        chosen = chosen[scores[chosen] > -np.inf]
        is_extended = chosen >= len(prefixes)
        rows, columns = np.divmod(chosen - len(prefixes), len(characters))
        rows[~is_extended] = chosen[~is_extended]
        in_blank = np.where(is_extended, -np.inf, in_blank[rows])
        in_character = np.where(is_extended, extended[rows, columns], in_character[rows])
        lm_scores = np.where(is_extended, extended_lm_scores[rows, columns], lm_scores[rows])
        prefixes = [prefixes[row] for row in rows]
        for index in is_extended.nonzero()[0]:
            prefixes[index] = (*prefixes[index], int(characters[columns[index]]))
        last = np.array([prefix[-1] if prefix else blank for prefix in prefixes])
    end_lm_scores = _next_lm_scores(search, prefixes, np.array([blank]))[:, 0]
    scores = np.logaddexp(in_blank, in_character) + lm_scores + end_lm_scores
    order = np.argsort(-scores, kind="stable")
    return [Hypothesis(list(prefixes[n]), float(scores[n])) for n in order]


def _next_lm_scores(
    search: Search, texts: Sequence[tuple[int, ...]], classes: np.ndarray
) -> np.ndarray:
    """Return the language model's log-probabilities of `classes` after each text, `(N, classes)`,
    times `language_weight`; zeros without a language model."""
    if search.language_model is None or not search.language_weight:
        return np.zeros((len(texts), len(classes)))
    log_probs = np.array([search.language_model.log_probs(text) for text in texts])
    return search.language_weight * log_probs[:, classes]


@torch.no_grad()
def attention_texts(
    step: Step,
    state: dict[str, Tensor],
    search: Search = GREEDY,
    *,
    max_lengths: Sequence[int],
    end: int,
    per_line: Collection[str] = (),
) -> list[list[int]]:
    """Return the likeliest text of each line, found by beam search.

    Each step continues the open texts of a line, and selects the best `width` continuations. The
    search in a line stops when no open text can surpass the best ended text. With a language model
    the probability of a next class is p * p_lm ** language_weight, normalised over the classes.
    Without normalisation every character would cost its log-probability in the language, and short
    texts would win (measured on embedded lines: a character error rate of 33 % instead of 1 %).
    Scores are not divided by the length of the text: the ink determines the length, and a division
    favours characters read twice.

    Args:
        step: a step of the decoder for the open texts of all lines.
        state: the state before the first step: one tensor or more, each with a row per line.
        search: how to search for the texts.
        max_lengths: maximum number of characters of each line's text.
        end: the class of the text's end, C; the first token is C+1.
        per_line: names of the tensors in the state that `step` returns unchanged and that all texts
            of a line share, such as the encoder's output. These tensors are copied only when the
            number of a line's open texts changes.

    Raises:
        NotFinite: if log-probabilities are NaN.
    """
    lines, device = len(max_lengths), next(iter(state.values())).device
    # For each line the open texts, all of one length, their scores, and the best ended text.
    texts: list[list[tuple[int, ...]]] = [[()] for _ in range(lines)]
    scores = [np.zeros(1) for _ in range(lines)]
    best = [Hypothesis([], -np.inf) for _ in range(lines)]
    open_lines = line_of_row = list(range(lines))
    tokens = torch.full((lines,), end + 1, device=device)
    while open_lines:
        log_probs, state = step(tokens, state)
        rows = log_probs.cpu().double().numpy()  # (N, C+1)
        if np.isnan(rows).any():
            raise NotFinite(NO_DISTRIBUTION)
        if search.language_weight:
            open_texts = [text for line in open_lines for text in texts[line]]
            rows = rows + _next_lm_scores(search, open_texts, np.arange(end + 1))
            rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
        parent_rows, start = [], 0
        for line in open_lines:
            stop = start + len(scores[line])
            continued = scores[line][:, None] + rows[start:stop]
            if len(texts[line][0]) == max_lengths[line]:
                continued[:, :end] = -np.inf
            parents, classes, best[line] = _best_continuations(
                continued, texts[line], best[line], search.width
            )
            parent_rows += (start + parents).tolist()
            start = stop
            pairs = zip(parents.tolist(), classes.tolist(), strict=True)
            texts[line] = [(*texts[line][parent], new) for parent, new in pairs]
            scores[line] = continued[parents, classes]
        open_lines = [line for line in open_lines if texts[line]]
        previous, line_of_row = line_of_row, [line for line in open_lines for _ in texts[line]]
        unchanged = per_line if line_of_row == previous else ()
        parents_of_rows = torch.tensor(parent_rows, dtype=torch.long, device=device)
        state = {
            name: value if name in unchanged else value.index_select(0, parents_of_rows)
            for name, value in state.items()
        }
        last = [text[-1] for line in open_lines for text in texts[line]]
        tokens = torch.tensor(last, dtype=torch.long, device=device)
    return [hypothesis.indices for hypothesis in best]


def _best_continuations(
    scores: np.ndarray, texts: Sequence[tuple[int, ...]], best: Hypothesis, width: int
) -> tuple[np.ndarray, np.ndarray, Hypothesis]:
    """Return the indices of a line's open `texts` to continue, the class to append to each, and the
    best ended text. `scores` `(texts, C + 1)` has a score for each text and class to append."""
    chosen = np.argsort(-scores, axis=None, kind="stable")[:width]
    chosen = chosen[scores.flat[chosen] > -np.inf]
    end = scores.shape[1] - 1
    parents, classes = np.divmod(chosen, end + 1)
    for parent in parents[classes == end].tolist():
        score = float(scores[parent, end])
        if score > best.score:
            best = Hypothesis(list(texts[parent]), score)
    # No continuation raises a score, so open texts must surpass the best ended text.
    is_open = (classes != end) & (scores[parents, classes] > best.score)
    return parents[is_open], classes[is_open], best
