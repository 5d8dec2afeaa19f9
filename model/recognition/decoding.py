"""Decoding of a recogniser's log-probabilities to text, greedily or by beam search.

B: lines, S: frames, C: characters of the alphabet, whose classes are 0 to C-1. Class C is the
blank for CTC (Graves et al. 2006) and the end of the text for an attention decoder. Texts are lists
of classes. Every line is decoded independently, in float64 on the CPU.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.recognition.language_model import CharacterLanguageModel
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


class Hypothesis(NamedTuple):
    """A text as classes, and its score in nats."""

    indices: list[int]
    score: float


@torch.no_grad()
def ctc_greedy(log_probs: Tensor, lengths: Tensor) -> list[list[int]]:
    """Return the texts of the best paths: each frame's best class, repeats and blanks collapsed.

    Args:
        log_probs: `(B, S, C+1)`, the blank last; frames beyond a line's length are ignored.
        lengths: frames of each line, `(B,)`.

    Raises:
        NotFinite: if a frame is not a distribution: NaN, or -inf throughout.
    """
    best, classes = log_probs.max(-1)  # (B, S)
    frames = torch.arange(classes.shape[1], device=classes.device)
    inside = frames < lengths.to(classes.device)[:, None]
    if not best[inside].isfinite().all():
        raise NotFinite(NO_DISTRIBUTION)
    blank = log_probs.shape[-1] - 1
    before = torch.nn.functional.pad(classes, (1, 0), value=blank)[:, :-1]
    kept = inside & (classes != blank) & (classes != before)
    return [line[chosen].tolist() for line, chosen in zip(classes.cpu(), kept.cpu(), strict=True)]


@torch.no_grad()
def ctc_beam(log_probs: Tensor, lengths: Tensor, **options: Any) -> list[list[int]]:
    """Return the texts found by prefix beam search, see `ctc_hypotheses`.

    At a width of 1 this is not `ctc_greedy`: it follows the likeliest prefix, whose probability is
    summed over paths, and not the likeliest path.

    Args:
        log_probs: `(B, S, C+1)`, the blank last; frames beyond a line's length are ignored.
        lengths: frames of each line, `(B,)`.
        options: those of `ctc_hypotheses`.

    Raises:
        NotFinite: if a frame is not a distribution: NaN, or -inf throughout.
    """
    lines = log_probs.cpu().double().numpy()
    return [
        ctc_hypotheses(line[:length], **options)[0].indices
        for line, length in zip(lines, lengths.tolist(), strict=True)
    ]


def ctc_hypotheses(
    log_probs: np.ndarray,
    *,
    width: int = 16,
    language_model: CharacterLanguageModel | None = None,
    language_weight: float = 0.0,
    length_bonus: float = 0.0,
    pruning: float = PRUNING,
) -> list[Hypothesis]:
    """Return up to `width` texts of one line, the best first, by CTC's prefix beam search.

    Hannun et al. 2014 (arXiv 1408.2873), algorithm 1, with a language model of characters: a prefix
    scores log p_ctc(prefix) + language_weight * log p_lm(prefix) + length_bonus * its characters,
    where p_ctc sums over the paths found so far, and at the end log p_lm(line's end) is added.

    Args:
        log_probs: `(S, C+1)`, the blank last.
        width: prefixes kept after each frame.
        language_model: of the same alphabet; None or a weight of 0 leaves it out.
        language_weight: factor on its log-probabilities.
        length_bonus: nats for each character; compensates for the language model's.
        pruning: nats below the best class of a frame at which a character is not appended there;
            `math.inf` tries them all.

    Raises:
        NotFinite: if a frame is not a distribution: NaN, or -inf throughout.
    """
    blank = log_probs.shape[1] - 1
    best = log_probs.max(1)
    if not np.isfinite(best).all():
        raise NotFinite(NO_DISTRIBUTION)
    model = _checked(language_model, language_weight, blank)
    tree = _Prefixes(0 if model is None else model.order)
    column = np.empty(blank + 1, dtype=np.int64)

    # Kept: prefixes, the log-probabilities of the paths that end in a blank and in the last
    # character, and what language model and bonus add.
    held = np.zeros(1, dtype=np.int64)
    in_blank, in_character, added = np.zeros(1), np.full(1, -np.inf), np.zeros(1)
    last, parents = np.array([blank]), np.array([-1])
    for frame, appended in zip(
        log_probs, log_probs[:, :-1] >= best[:, None] - pruning, strict=True
    ):
        total = np.logaddexp(in_blank, in_character)
        # The empty prefix has no last character, and never ends in one.
        in_blank, before = total + frame[blank], in_blank
        in_character = in_character + frame[last]
        characters = appended.nonzero()[0]
        if not len(characters):
            continue

        # A character that repeats the last one needs a blank between the two.
        repeats = last[:, None] == characters
        longer = np.where(repeats, before[:, None], total[:, None]) + frame[characters]
        # Paths of a prefix that is already kept are added to it.
        shorter, own = (held[:, None] == parents).nonzero()
        column.fill(-1)
        column[characters] = np.arange(len(characters))
        place = column[last[own]]
        shorter, own, place = shorter[place >= 0], own[place >= 0], place[place >= 0]
        in_character[own] = np.logaddexp(in_character[own], longer[shorter, place])
        longer[shorter, place] = -np.inf

        gain = np.full(longer.shape, length_bonus)
        if model is not None:
            follows = [model.log_probs(tree.contexts[node])[characters] for node in held.tolist()]
            gain += language_weight * np.array(follows)
        gain += added[:, None]
        unchanged = np.logaddexp(in_blank, in_character) + added
        scores = np.concatenate((unchanged, (longer + gain).ravel()))
        chosen = _highest(scores, width)
        chosen = chosen[scores[chosen] > -np.inf]

        new = chosen >= len(held)
        source, which = np.divmod(chosen - len(held), len(characters))
        source[~new] = chosen[~new]
        nodes = held[source]
        for n in new.nonzero()[0].tolist():
            nodes[n] = tree.child(int(nodes[n]), int(characters[which[n]]))
        in_blank = np.where(new, -np.inf, in_blank[source])
        in_character = np.where(new, longer[source, which], in_character[source])
        added = np.where(new, gain[source, which], added[source])
        parents = np.where(new, held[source], parents[source])
        last = np.where(new, characters[which], last[source])
        held = nodes

    scores = np.logaddexp(in_blank, in_character) + added
    if model is not None:
        ends = [model.log_probs(tree.contexts[node])[blank] for node in held.tolist()]
        scores = scores + language_weight * np.array(ends)
    return [
        Hypothesis(tree.text(int(held[n])), float(scores[n])) for n in _highest(scores, len(scores))
    ]


@torch.no_grad()
def attention_greedy(
    step: Step,
    start_state: dict[str, Tensor],
    *,
    max_length: int | Sequence[int] | Tensor,
    end: int,
) -> list[list[int]]:
    """Return the texts in which each character is the likeliest after those before it.

    Args:
        step: a step of the decoder; it gets all lines until the last one has ended.
        start_state: with one row per line in each tensor, at least one tensor.
        max_length: maximum number of characters of a text, for all or for each line.
        end: the class of the text's end, C; the first token is C+1.

    Raises:
        NotFinite: if log-probabilities are NaN.
    """
    lines, device = _lines(start_state)
    limits = _limits(max_length, lines)
    texts: list[list[int]] = [[] for _ in range(lines)]
    running = [line for line in range(lines) if limits[line]]
    tokens, state = torch.full((lines,), end + 1, device=device), start_state
    while running:
        log_probs, state = step(tokens, state)
        best, tokens = log_probs.max(-1)
        classes = torch.where(best.isnan(), -1, tokens).tolist()
        going = []
        for line in running:
            if classes[line] < 0:
                raise NotFinite(NO_DISTRIBUTION)
            if classes[line] != end:
                texts[line].append(classes[line])
                if len(texts[line]) < limits[line]:
                    going.append(line)
        running = going
    return texts


@torch.no_grad()
def attention_beam(
    step: Step,
    start_state: dict[str, Tensor],
    *,
    width: int,
    max_length: int | Sequence[int] | Tensor,
    end: int,
    language_model: CharacterLanguageModel | None = None,
    language_weight: float = 0.0,
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
        start_state: with one row per line in each tensor, at least one tensor.
        width: continuations kept of each line; 1 is `attention_greedy`.
        max_length: maximum number of characters of a text, for all or for each line; the end is
            forced there.
        end: the class of the text's end, C; the first token is C+1.
        language_model: of the same alphabet; None or a weight of 0 leaves it out.
        language_weight: the power of its probabilities.
        per_line: names of tensors in the state that `step` returns unchanged and that all
            hypotheses of a line share, such as the encoder's output: they are only copied when the
            number of a line's hypotheses changes.

    Raises:
        NotFinite: if log-probabilities are NaN.
    """
    lines, device = _lines(start_state)
    limits = _limits(max_length, lines)
    model = _checked(language_model, language_weight, end)
    # Of each line the open texts with their scores, all of one length, and the best that has ended.
    texts: list[list[tuple[int, ...]]] = [[()] for _ in range(lines)]
    scores = [np.zeros(1) for _ in range(lines)]
    best = [Hypothesis([], -np.inf) for _ in range(lines)]
    running = list(range(lines))
    owners = running  # the line of each row
    tokens, state = torch.full((lines,), end + 1, device=device), start_state
    while running:
        log_probs, state = step(tokens, state)
        rows = log_probs.cpu().double().numpy()  # (N, C+1)
        if np.isnan(rows).any():
            raise NotFinite(NO_DISTRIBUTION)
        if model is not None:
            contexts = (text[-model.order :] for line in running for text in texts[line])
            rows = rows + language_weight * np.array([model.log_probs(one) for one in contexts])
            rows -= np.logaddexp.reduce(rows, axis=1, keepdims=True)
        parents: list[int] = []
        first = 0
        for line in running:
            own = scores[line][:, None] + rows[first : first + len(scores[line])]
            length = len(texts[line][0])
            if length == limits[line]:
                own[:, :end] = -np.inf
            chosen = _highest(own.ravel(), width)
            chosen = chosen[own.flat[chosen] > -np.inf]
            source, classes = np.divmod(chosen, end + 1)
            for text in source[classes == end].tolist():
                score = float(own[text, end])
                if score > best[line].score:
                    best[line] = Hypothesis(list(texts[line][text]), score)
            source, classes = source[classes != end], classes[classes != end]
            going = own[source, classes] > best[line].score  # scores only fall
            source, classes = source[going], classes[going]
            parents += (first + source).tolist()
            first += len(scores[line])
            texts[line] = [
                (*texts[line][old], new)
                for old, new in zip(source.tolist(), classes.tolist(), strict=True)
            ]
            scores[line] = own[source, classes]
        running = [line for line in running if texts[line]]
        previous = owners
        owners = [line for line in running for _ in texts[line]]
        rows_kept = torch.tensor(parents, dtype=torch.long, device=device)
        state = {
            name: tensor
            if name in per_line and owners == previous
            else tensor.index_select(0, rows_kept)
            for name, tensor in state.items()
        }
        tokens = torch.tensor(
            [text[-1] for line in running for text in texts[line]], dtype=torch.long, device=device
        )
    return [hypothesis.indices for hypothesis in best]


class _Prefixes:
    """The prefixes that a search has kept, as a tree: node 0 is the empty one.

    Args:
        order: number of a prefix's last characters in `contexts`; 0 keeps no contexts.
    """

    def __init__(self, order: int) -> None:
        self._order = order
        self._parents, self._characters = [-1], [-1]
        self._children: dict[tuple[int, int], int] = {}
        self.contexts: list[tuple[int, ...]] = [()]

    def child(self, node: int, character: int) -> int:
        """Return the number of the prefix `node` extended by a character."""
        number = self._children.setdefault((node, character), len(self._parents))
        if number == len(self._parents):
            self._parents.append(node)
            self._characters.append(character)
            if self._order:
                self.contexts.append((*self.contexts[node], character)[-self._order :])
        return number

    def text(self, node: int) -> list[int]:
        """Return the characters of a prefix."""
        characters = []
        while node:
            characters.append(self._characters[node])
            node = self._parents[node]
        return characters[::-1]


def _highest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` highest scores, descending; of equal ones the first."""
    if count < len(scores):
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = (scores >= least).nonzero()[0]
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][:count]


def _checked(
    language_model: CharacterLanguageModel | None, weight: float, characters: int
) -> CharacterLanguageModel | None:
    """Return the language model if its weight is not 0.

    Raises:
        ValueError: if it has another number of characters.
    """
    if language_model is None or not weight:
        return None
    if len(language_model.alphabet) != characters:
        raise ValueError(
            f"a language model of {len(language_model.alphabet)} characters for an alphabet of "
            f"{characters}"
        )
    return language_model


def _lines(state: dict[str, Tensor]) -> tuple[int, torch.device]:
    """Return the number of lines of a decoder's first state, and its device."""
    tensor = next(iter(state.values()))
    return len(tensor), tensor.device


def _limits(max_length: int | Sequence[int] | Tensor, lines: int) -> list[int]:
    """Return the maximum number of characters of each line's text."""
    if isinstance(max_length, int):
        return [max_length] * lines
    return [int(length) for length in max_length]
