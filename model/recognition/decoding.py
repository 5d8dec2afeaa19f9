"""Decoding of a recogniser's log-probabilities to text, greedily or by beam search.

B: lines, S: frames, C: characters of the alphabet, whose classes are 0 to C-1. Class C is the
blank for CTC (Graves et al. 2006) and the end of the text for an attention decoder. Texts are lists
of classes. Every line is decoded independently, in float64 on the CPU.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.recognition.language_model import CharacterLanguageModel, WordLanguageModel
from utils.checks import NotFinite

PRUNING = 12.0
"""Nats below a frame's most likely class at which a character is pruned there (assumed).
At 12 a character that is left out has less than 1/160,000 of the best one's probability."""

NO_DISTRIBUTION = (
    "the network came to no distribution over the characters: it has diverged, or its weights are "
    "damaged"
)

Step = Callable[[Tensor, dict[str, Tensor]], tuple[Tensor, dict[str, Tensor]]]
"""One step of a decoder: `(tokens (N,) int64, state) -> (log_probs (N, C+1), state)`, the state's
tensors with the first dimension N. It may keep nothing outside the state."""


@dataclass(frozen=True)
class Search:
    """How to search for the text.

    Attributes:
        width: hypotheses kept by the beam; 1 is greedy decoding.
        language_model: of the same alphabet, or None.
        language_weight: factor on its log-probabilities.
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
    """Return the texts that a search finds.

    Greedy decoding takes the likeliest path: each frame's best class, repeats and blanks collapsed.

    Args:
        log_probs: `(B, S, C+1)`, the blank last; frames beyond a line's length are ignored.
        lengths: frames of each line, `(B,)`.
        search: see there.

    Raises:
        NotFinite: if a frame is not a distribution: NaN, or -inf throughout.
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
    before = torch.nn.functional.pad(classes, (1, 0), value=blank)[:, :-1]
    kept = inside & (classes != blank) & (classes != before)
    return [line[chosen].tolist() for line, chosen in zip(classes.cpu(), kept.cpu(), strict=True)]


def ctc_beam(log_probs: np.ndarray, search: Search) -> list[Hypothesis]:
    """Return up to `search.width` texts of one line, the best first, by CTC's prefix beam search.

    Hannun et al. 2014 (arXiv 1408.2873), algorithm 1, with a language model of characters: a prefix
    scores log p_ctc(prefix) + language_weight * log p_lm(prefix), where p_ctc sums over the paths
    found before, and at the end log p_lm(line's end) is added.

    Args:
        log_probs: `(S, C+1)`, the blank last, each frame a distribution.
        search: see there. At a width of 1 this is not greedy decoding: it follows the likeliest
            prefix, whose probability is summed over paths, and not the likeliest path.
    """
    blank = log_probs.shape[1] - 1
    likely = log_probs[:, :-1] >= log_probs.max(1, keepdims=True) - PRUNING
    # Of each prefix the log-probabilities of the paths that end in a blank and in its last
    # character, and what the language model adds.
    prefixes: list[tuple[int, ...]] = [()]
    in_blank, in_character, added = np.zeros(1), np.full(1, -np.inf), np.zeros(1)
    for frame, appended in zip(log_probs, likely, strict=True):
        characters = appended.nonzero()[0]
        last = np.array([prefix[-1] if prefix else blank for prefix in prefixes])
        total = np.logaddexp(in_blank, in_character)
        # A character that repeats the last one needs a blank between the two.
        repeats = last[:, None] == characters
        longer = np.where(repeats, in_blank[:, None], total[:, None]) + frame[characters]
        in_blank, in_character = total + frame[blank], in_character + frame[last]
        if not len(characters):
            continue
        # Paths of a prefix that is already kept are added to it.
        numbers = {prefix: number for number, prefix in enumerate(prefixes)}
        column = {character: place for place, character in enumerate(characters.tolist())}
        for number, prefix in enumerate(prefixes):
            at = (numbers.get(prefix[:-1]), column.get(prefix[-1])) if prefix else (None,)
            if None not in at:
                in_character[number] = np.logaddexp(in_character[number], longer[at])
                longer[at] = -np.inf
        language = _language(search, prefixes, blank + 1)
        gain = added[:, None] + language[:, characters]
        unchanged = np.logaddexp(in_blank, in_character) + added
        scores = np.concatenate((unchanged, (longer + gain).ravel()))
        chosen = np.argsort(-scores, kind="stable")[: search.width]
        chosen = chosen[scores[chosen] > -np.inf]
        new = chosen >= len(prefixes)
        source, which = np.divmod(chosen - len(prefixes), len(characters))
        source[~new] = chosen[~new]
        in_blank = np.where(new, -np.inf, in_blank[source])
        in_character = np.where(new, longer[source, which], in_character[source])
        added = np.where(new, gain[source, which], added[source])
        ends = np.where(new, characters[which], -1).tolist()
        prefixes = [
            prefixes[old] if end < 0 else (*prefixes[old], end)
            for old, end in zip(source.tolist(), ends, strict=True)
        ]
    language = _language(search, prefixes, blank + 1)
    scores = np.logaddexp(in_blank, in_character) + added + language[:, blank]
    order = np.argsort(-scores, kind="stable")
    return [Hypothesis(list(prefixes[n]), float(scores[n])) for n in order]


def _language(search: Search, texts: Sequence[tuple[int, ...]], classes: int) -> np.ndarray:
    """Return the weighed log-probabilities of what may follow each text, `(N, C+1)`; or zeros."""
    if search.language_model is None or not search.language_weight:
        return np.zeros((len(texts), classes))
    return search.language_weight * np.array([search.language_model.log_probs(t) for t in texts])


@torch.no_grad()
def attention_texts(
    step: Step,
    state: dict[str, Tensor],
    search: Search = GREEDY,
    *,
    longest: Sequence[int],
    end: int,
    per_line: Collection[str] = (),
) -> list[list[int]]:
    """Return the likeliest texts found by beam search, including the end of the text.

    Each step keeps the best `width` of a line's continuations and sets aside those that end; a
    line is done when no open one can surpass the best that has ended. With a language model each
    next class has the probability p * p_lm ** language_weight, normalised over the classes:
    otherwise every character would cost its log-probability in the language, and short texts would
    win (measured on embedded lines: a character error rate of 33 % instead of 1 %).
    Log-probabilities are not divided by the length: the ink determines it, and dividing favours
    characters read twice.

    Args:
        step: a step of the decoder. Its N rows are the open hypotheses of all lines: one for each
            line at first, then a varying number.
        state: with one row per line in each tensor, at least one tensor.
        search: see there.
        longest: maximum number of characters of each line's text; the end is forced there.
        end: the class of the text's end, C; the first token is C+1.
        per_line: names of tensors in the state that `step` returns unchanged and that all
            hypotheses of a line share, such as the encoder's output: they are only copied when the
            number of a line's hypotheses changes.

    Raises:
        NotFinite: if log-probabilities are NaN.
    """
    lines, device = len(longest), next(iter(state.values())).device
    # Of each line the open texts with their scores, all of one length, and the best that has ended.
    texts: list[list[tuple[int, ...]]] = [[()] for _ in range(lines)]
    scores = [np.zeros(1) for _ in range(lines)]
    best = [Hypothesis([], -np.inf) for _ in range(lines)]
    running = owners = list(range(lines))  # lines; the line of each row
    tokens = torch.full((lines,), end + 1, device=device)
    while running:
        log_probs, state = step(tokens, state)
        rows = log_probs.cpu().double().numpy()  # (N, C+1)
        if np.isnan(rows).any():
            raise NotFinite(NO_DISTRIBUTION)
        if search.language_weight:
            open_texts = [text for line in running for text in texts[line]]
            rows = rows + _language(search, open_texts, end + 1)
            rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
        parents, first = [], 0
        for line in running:
            continued = scores[line][:, None] + rows[first : first + len(scores[line])]
            if len(texts[line][0]) == longest[line]:
                continued[:, :end] = -np.inf
            source, classes, best[line] = _continued(
                continued, texts[line], best[line], search.width
            )
            parents += (first + source).tolist()
            first += len(scores[line])
            pairs = zip(source.tolist(), classes.tolist(), strict=True)
            texts[line] = [(*texts[line][old], new) for old, new in pairs]
            scores[line] = continued[source, classes]
        running = [line for line in running if texts[line]]
        previous, owners = owners, [line for line in running for _ in texts[line]]
        kept = torch.tensor(parents, dtype=torch.long, device=device)
        state = {
            name: value if name in per_line and owners == previous else value.index_select(0, kept)
            for name, value in state.items()
        }
        last = [text[-1] for line in running for text in texts[line]]
        tokens = torch.tensor(last, dtype=torch.long, device=device)
    return [hypothesis.indices for hypothesis in best]


def _continued(
    scores: np.ndarray, texts: Sequence[tuple[int, ...]], best: Hypothesis, width: int
) -> tuple[np.ndarray, np.ndarray, Hypothesis]:
    """Return which open texts of a line go on, by which classes, and the best that has ended.

    Args:
        scores: of each continuation, `(texts, C + 1)`; the last class ends a text.
        texts: the open ones.
        best: that has ended before.
        width: of the beam.
    """
    chosen = np.argsort(-scores, axis=None, kind="stable")[:width]
    chosen = chosen[scores.flat[chosen] > -np.inf]
    end = scores.shape[1] - 1
    source, classes = np.divmod(chosen, end + 1)
    for text in source[classes == end].tolist():
        score = float(scores[text, end])
        if score > best.score:
            best = Hypothesis(list(texts[text]), score)
    # Scores only fall.
    going = (classes != end) & (scores[source, classes] > best.score)
    return source[going], classes[going], best
