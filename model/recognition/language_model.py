"""Language models: n-grams of characters, and words by how frequent they are."""

import functools
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import numpy as np

from utils.alphabet import Alphabet
from utils.checks import Range

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""Discounts of counts of one, two, and more if there are too few texts to estimate them (assumed,
as in KenLM's option `--discount_fallback`)."""

CACHED_NUMBERS = 4_000_000
"""Numbers in the cache, 32 MB: the distributions of 50,000 contexts over 80 characters."""

KINDS_ORDER = 4
"""Characters of the longest n-gram of kinds of characters (assumed)."""
LETTERS_ORDER = 5
"""Letters of the longest n-gram within words (assumed)."""
FREQUENT = 10_000
"""Words that n-grams of letters are estimated from (assumed)."""
DISCOUNT = 0.75
"""Discount of the count of a word, at least 1 (assumed)."""


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
            node_keys, first, node_of_place, occurrences = np.unique(
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
            nodes[places] = node_of_place
            keys.append(node_keys)
            counts.append(occurrences.astype(np.int64))
        if len(keys[0]):
            counts[0][-1] = 0  # the start of a line is never predicted
        self.alphabet, self.order, self.keys, self.counts = alphabet, order, keys, counts
        self._symbols = len(alphabet) + 2
        self._discounts = [*map(_discounts, counts)]
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
        symbols, counts = _following(self.keys, self.counts, context, self._symbols)
        if total := int(counts.sum()):
            discounts = self._discounts[len(context)][np.minimum(counts, 3)]
            probabilities = np.exp(result) * (discounts.sum() / total)
            probabilities[symbols] += (counts - discounts) / total
            result = np.log(probabilities)
        result.flags.writeable = False
        return result


class WordLanguageModel:
    """Words by how frequent they are, and the signs between them.

    N-grams estimated from texts predict the kind of a character: small letter, capital, digit, or
    which sign. The words that begin like the letters before predict the letter, in either case, or
    the end of the word: their counts, each less `DISCOUNT`. What the discounts leave is for n-grams
    of letters, estimated from the most frequent words (absolute discounting, interpolated: Chen &
    Goodman 1999, section 2.6). Digits are equally likely.

    Letters have numbers from 1, the same in either case; 0 is what ends a word. The words form a
    tree, as n-grams do in `CharacterLanguageModel`: a node of depth k is the first k letters.

    Args:
        texts: lines.
        words: counts, from 1, of words of small letters; those with others are left out.
        alphabet: the C characters.

    Raises:
        UserError: if the alphabet lacks a character of a text.
    """

    def __init__(
        self, texts: Iterable[str], words: Mapping[str, float], alphabet: Alphabet
    ) -> None:
        characters = alphabet.characters
        kinds = [*map(_kind, characters)]
        # The number of a kind is that of its first character.
        self._kind_of = np.array([*map(kinds.index, kinds), len(kinds)])  # (C+1,)
        lines = (alphabet.decode(self._kind_of[alphabet.encode(text)]) for text in texts)
        self._kinds = CharacterLanguageModel(lines, alphabet, order=KINDS_ORDER)
        small = [c.lower()[0] if _kind(c) in "aA" else "" for c in characters]
        letters = sorted({*small} - {""})
        numbers = [letters.index(c) + 1 if c else 0 for c in small]
        self._letter_of = np.array([*numbers, 0])  # (C+1,)
        shares = [1 / kinds.count("0") if kind == "0" else 1.0 for kind in kinds]
        self._share_of_kind = np.array([*shares, 1.0])
        self._factor = len(letters) + 2
        self._keys, self._counts, frequent = self._tree(words, "".join(letters))
        self._letters = CharacterLanguageModel(frequent, Alphabet(letters), order=LETTERS_ORDER)
        self._after = functools.lru_cache(CACHED_NUMBERS // len(kinds))(self._compute_after)

    def _tree(
        self, words: Mapping[str, float], letters: str
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:
        """Return for each depth the keys of the nodes, ascending, and the counts of their words;
        and the most frequent words."""
        points = np.array([*words, ""])  # Words are padded with zeros to the longest.
        counts = np.fromiter(words.values(), float, len(words))
        number_of = np.full(sys.maxunicode + 1, -1, np.int16)
        number_of[[0, *map(ord, letters)]] = range(len(letters) + 1)
        symbols = number_of[points.view(np.uint32).reshape(len(points), -1)[:-1]]
        symbols = np.pad(symbols, ((0, 0), (0, 1)))
        spelt = (symbols >= 0).all(1)
        symbols, counts = symbols[spelt], counts[spelt]
        frequent = points[:-1][spelt][np.argsort(-counts, kind="stable")[:FREQUENT]].tolist()
        nodes = np.zeros(len(symbols), np.int64)
        keys_by_depth, counts_by_depth = [], []
        for depth in range(symbols.shape[1]):
            keys, nodes = np.unique(nodes * self._factor + symbols[:, depth], return_inverse=True)
            keys_by_depth.append(keys)
            counts_by_depth.append(np.bincount(nodes, counts))
            goes_on = symbols[:, depth] > 0
            nodes, symbols, counts = nodes[goes_on], symbols[goes_on], counts[goes_on]
        return keys_by_depth, counts_by_depth, frequent

    def log_probs(self, context: tuple[int, ...]) -> np.ndarray:
        """Return the log-probabilities of what may follow; see `CharacterLanguageModel`."""
        start = len(context)
        while start and self._letter_of[context[start - 1]]:
            start -= 1
        first = max(0, min(start, len(context) - KINDS_ORDER + 1))
        return self._after(context[first:], len(context) - start)

    def _compute_after(self, context: tuple[int, ...], length: int) -> np.ndarray:
        """Return the log-probabilities after a context that ends in `length` letters."""
        kinds = np.exp(self._kinds.log_probs(tuple(self._kind_of[list(context)])))
        characters = kinds[self._kind_of] * self._share_of_kind
        word = self._letter_of[list(context[len(context) - length :])]
        letters = np.exp(self._letters.log_probs(tuple(word - 1)))[:-1]
        ends = characters[self._letter_of == 0].sum()
        # Probabilities by the number of the letter, of n-grams alone and then with the words.
        result = np.append(ends, letters * ((1 - ends) / letters.sum()))
        symbols, counts = _following(self._keys, self._counts, word, self._factor)
        if total := counts.sum():
            result *= DISCOUNT * len(symbols) / total
            result[symbols] += (counts - DISCOUNT) / total
        if not length:  # Only the kinds say whether a word begins.
            result[1:] *= (1 - ends) / result[1:].sum()
            result[0] = ends
        result[1:] /= 1 - ends
        result[0] /= ends
        result = np.log(characters * result[self._letter_of])
        result -= np.logaddexp.reduce(result)
        result.flags.writeable = False
        return result


def _kind(character: str) -> str:
    """Return the kind of a character: "a", "A", "0", or the character itself."""
    if character.isdigit():
        return "0"
    return "a" if character.islower() else "A" if character.isupper() else character


def _following(
    keys: Sequence[np.ndarray], counts: Sequence[np.ndarray], context: Iterable[int], factor: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the symbols that were seen after a context, and their counts; none if it is unseen.

    Args:
        keys: of a tree's nodes at each depth: the number of the node above times `factor`, plus
            the last symbol. The symbol `factor - 1` never follows.
        counts: of the nodes at each depth.
        context: symbols from the tree's root.
        factor: see `keys`.
    """
    node, depth = 0, 0
    for depth, symbol in enumerate(context, start=1):
        key = node * factor + symbol
        node = int(keys[depth - 1].searchsorted(key))
        if node == len(keys[depth - 1]) or keys[depth - 1][node] != key:
            return keys[0][:0], counts[0][:0]
    low, high = keys[depth].searchsorted((node * factor, node * factor + factor - 1))
    return keys[depth][low:high] - node * factor, counts[depth][low:high]


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discounts of counts of 0, 1, 2 and more, `(4,)` (Chen & Goodman 1999, eq. 17)."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        discounts = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        if all(0 < discount < count for count, discount in enumerate(discounts, start=1)):
            return np.array((0.0, *discounts))
    return np.array((0.0, *FALLBACK_DISCOUNTS))
