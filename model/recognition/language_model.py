"""A character n-gram language model."""

import functools
import math
from collections.abc import Iterable
from typing import Annotated

import numpy as np

from utils.alphabet import Alphabet
from utils.checks import Range

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""Discounts of counts of one, two, and more if there are too few texts to estimate them (assumed,
as in KenLM's option `--discount_fallback`)."""

CACHED_NUMBERS = 4_000_000
"""Numbers in the cache, 32 MB: the distributions of 50,000 contexts over 80 characters."""


class CharacterLanguageModel:
    """An interpolated n-gram of characters with modified Kneser-Ney smoothing.

    Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling",
    Computer Speech & Language 13, section 3: a distribution after a context is that of the counts
    there, each less a discount, and what the discounts leave goes to the distribution after the
    context without its first character; below the empty context lies the uniform distribution. So
    every character of the alphabet has a probability above zero everywhere. Orders below the
    highest count in how many contexts an n-gram stands, not how often.

    (Order and smoothing were chosen on IAM-OnDB's `testset_v` and `testset_t`: measured, lab
    notebook: the language model.)

    Symbols are the characters' numbers in the alphabet, 0 to C-1; C is the end of the line, and
    C+1, which is never predicted, its start. The n-grams form a tree: a node of depth k is an
    n-gram of k symbols, and nodes of one depth are sorted, which numbers them.

    For each depth k = 1..order `keys` has the nodes, `(nodes,)` int64, ascending: the number of the
    node of depth k-1 that holds all symbols but the last, times C+2, plus the last; and `counts`
    their (modified) counts, `(nodes,)` int64.

    Args:
        texts: lines.
        alphabet: the C characters.
        order: symbols of the longest n-gram, itself included: `order - 1` are the context.

    Raises:
        UserError: if the alphabet lacks a character of a text.
    """

    def __init__(
        self, texts: Iterable[str], alphabet: Alphabet, *, order: Annotated[int, Range(1, 64)] = 6
    ) -> None:
        end, start = len(alphabet), len(alphabet) + 1
        lines = [np.concatenate(([start], alphabet.encode(text), [end])) for text in texts]
        symbols = np.concatenate([*lines, np.empty(0, dtype=np.int64)])
        # How many symbols there are from each place to its line's end.
        left = np.concatenate([*(np.arange(len(line), 0, -1) for line in lines), symbols[:0]])
        keys, counts = [], []
        nodes = np.zeros(len(symbols), dtype=np.int64)  # of the n-gram that begins at each place
        begins_line = np.zeros(0, dtype=bool)  # for each node
        for depth in range(1, order + 1):
            places = np.flatnonzero(left >= depth)
            node_keys, first, own, occurrences = np.unique(
                nodes[places] * (end + 2) + symbols[places + depth - 1],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            if depth > 1:
                # Distinct n-grams that this depth adds in front of those of the depth above; what
                # begins a line has nothing in front of it and keeps its count.
                contexts = np.bincount(nodes[places[first] + 1], minlength=len(counts[-1]))
                counts[-1] = np.where(begins_line, counts[-1], contexts)
            begins_line = symbols[places[first]] == start
            nodes = np.zeros(len(symbols), dtype=np.int64)
            nodes[places] = own
            keys.append(node_keys)
            counts.append(occurrences.astype(np.int64))
        if len(keys[0]):
            counts[0][-1] = 0  # the start of a line is never predicted
        self.alphabet, self.order, self.keys, self.counts = alphabet, order, keys, counts
        self._symbols = len(alphabet) + 2
        self._discounts = [_discounts(of_depth) for of_depth in counts]
        self._after = functools.lru_cache(CACHED_NUMBERS // self._symbols)(self._compute_after)

    def log_probs(self, context: tuple[int, ...]) -> np.ndarray:
        """Return the log-probabilities of what may follow, `(C+1,)` float64, read-only.

        The last is that of the line's end.

        Args:
            context: the characters' numbers so far. Only the last `order - 1` count; fewer begin
                at the line's start.
        """
        length = self.order - 1
        if len(context) < length:
            return self._after((len(self.alphabet) + 1, *context))
        return self._after(context[len(context) - length :])

    def _compute_after(self, context: tuple[int, ...]) -> np.ndarray:
        """Return the log-probabilities after the symbols `context`, fewer than `order`."""
        if context:
            result = self._after(context[1:])
        else:
            result = np.full(self._symbols - 1, -math.log(self._symbols - 1))
        symbols, counts = self._following(context)
        if total := int(counts.sum()):
            discounts = self._discounts[len(context)][np.minimum(counts, 3)]
            probabilities = np.exp(result) * (discounts.sum() / total)
            probabilities[symbols] += (counts - discounts) / total
            result = np.log(probabilities)
        result.flags.writeable = False
        return result

    def _following(self, context: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the symbols that were seen after `context`, and their counts; none if unseen."""
        node = 0
        for keys, symbol in zip(self.keys, context, strict=False):
            key = node * self._symbols + symbol
            node = int(keys.searchsorted(key))
            if node == len(keys) or keys[node] != key:
                return self.keys[0][:0], self.counts[0][:0]
        keys, base = self.keys[len(context)], node * self._symbols
        # Up to the end of the line: its start, the last symbol, is only ever context.
        low, high = keys.searchsorted((base, base + self._symbols - 1))
        return keys[low:high] - base, self.counts[len(context)][low:high]


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discounts of counts of 0, 1, 2 and more, `(4,)` (Chen & Goodman 1999, eq. 17)."""
    one, two, three, four = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if one and two and three:
        y = one / (one + 2 * two)
        found = (1 - 2 * y * two / one, 2 - 3 * y * three / two, 3 - 4 * y * four / three)
        if all(0 < discount < count for count, discount in enumerate(found, start=1)):
            return np.array((0.0, *found))
    return np.array((0.0, *FALLBACK_DISCOUNTS))
