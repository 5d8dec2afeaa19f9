"""Language models: n-grams of characters, and words with their frequencies."""

import functools
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import numpy as np

from ink.alphabet import Alphabet
from utils.checks import Range

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""Discounts of the counts 1, 2, and 3 or more for texts that are too few to estimate discounts from
(assumed, as in KenLM's option `--discount_fallback`)."""

CACHE_SIZE = 4_000_000
"""Maximum number of cached probabilities, 32 MB: 80 characters, 50,000 contexts (assumed)."""

KINDS_ORDER = 4
"""Length in characters of the longest n-gram of kinds of characters (assumed)."""
LETTERS_ORDER = 5
"""Length in letters of the longest n-gram within words (assumed)."""
NUM_FREQUENT_WORDS = 10_000
"""Number of the most frequent words, which the n-grams of letters are estimated from (assumed)."""
DISCOUNT = 0.75
"""Discount of a count of words; a count is at least 1 (assumed)."""
APOSTROPHES = "'’"
"""The characters that are apostrophes in words."""


class CharacterLanguageModel:
    """An interpolated n-gram model of characters with modified Kneser-Ney smoothing.

    Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling",
    Computer Speech & Language 13, section 3. The counts of the symbols after a context, less a
    discount each, give the distribution after the context. The probability that the discounts leave
    goes to the distribution after the context without its first symbol; after the empty context, to
    the uniform distribution. So every character has a probability above zero in every context.
    N-grams of the highest order are counted by occurrences, shorter n-grams by the number of
    different symbols before them. (Order and smoothing were chosen on IAM-OnDB's `testset_v` and
    `testset_t`: measured, notebook: reader, the language model.)

    The symbols are the numbers of the characters in the alphabet, 0 to C-1; the end of a line, C;
    and the start of a line, C+1, which is never predicted. The n-grams form a tree: a node of depth
    k is an n-gram of k symbols. A node's parent is the n-gram without the last symbol.

    Attributes:
        keys: the keys of the nodes of each depth k = 1..order, `(nodes,)` int64, ascending. A key
            is the parent's index in `keys` of depth k-1, times C+2, plus the last symbol.
        counts: the (modified) counts of the nodes of each depth, `(nodes,)` int64.

    Args:
        texts: lines.
        alphabet: the C characters.
        order: length of the longest n-gram in symbols: `order - 1` of context, and the next symbol.

    Raises:
        UserError: if the alphabet lacks a character of a text.
    """

    def __init__(
        self, texts: Iterable[str], alphabet: Alphabet, *, order: Annotated[int, Range(1, 64)] = 6
    ) -> None:
        end = len(alphabet)
        start = len(alphabet) + 1
        empty = np.empty(0, dtype=np.int64)
        lines = [np.concatenate(([start], alphabet.encode(text), [end])) for text in texts]
        symbols = np.concatenate([*lines, empty])
        # The number of symbols from each position to the line's end.
        remaining = np.concatenate([*(np.arange(len(line), 0, -1) for line in lines), empty])
        keys = []
        counts = []
        nodes = np.zeros(len(symbols), dtype=np.int64)  # of the n-gram that begins at each position
        begins_line = np.zeros(0, dtype=bool)  # for each node
        for depth in range(1, order + 1):
            positions = np.flatnonzero(remaining >= depth)
            node_keys, first_indices, node_of_position, occurrences = np.unique(
                nodes[positions] * (end + 2) + symbols[positions + depth - 1],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            examples = positions[first_indices]  # a position for each node
            if depth > 1:
                # The number of symbols that precede each n-gram of length `depth - 1`. Nothing
                # precedes an n-gram that begins a line: such an n-gram keeps its count.
                num_preceding = np.bincount(nodes[examples + 1], minlength=len(counts[-1]))
                counts[-1] = np.where(begins_line, counts[-1], num_preceding)
            begins_line = symbols[examples] == start
            nodes = np.zeros(len(symbols), dtype=np.int64)
            nodes[positions] = node_of_position
            keys.append(node_keys)
            counts.append(occurrences.astype(np.int64))
        if len(keys[0]):
            counts[0][-1] = 0  # the start of a line is never predicted
        self.alphabet = alphabet
        self.order = order
        self.keys = keys
        self.counts = counts
        self._num_symbols = len(alphabet) + 2
        self._discounts = [*map(_discounts, counts)]
        self._cached = functools.lru_cache(CACHE_SIZE // self._num_symbols)(self._compute)

    def log_probs(self, context: tuple[int, ...]) -> np.ndarray:
        """Return the log-probabilities of all next symbols, `(C+1,)` float64, read-only.

        Args:
            context: the numbers of the line's characters so far; the last `order - 1` are used.
        """
        length = self.order - 1
        if len(context) < length:
            return self._cached((len(self.alphabet) + 1, *context))
        return self._cached(context[len(context) - length :])

    def _compute(self, context: tuple[int, ...]) -> np.ndarray:
        """Return the log-probabilities after `context`, which has fewer than `order` symbols."""
        if context:
            log_probs = self._cached(context[1:])
        else:
            log_probs = np.full(self._num_symbols - 1, -math.log(self._num_symbols - 1))
        symbols, counts = _next_symbols(self.keys, self.counts, context, self._num_symbols)
        total = int(counts.sum())
        if total:
            discounts = self._discounts[len(context)][np.minimum(counts, 3)]
            probabilities = np.exp(log_probs) * (discounts.sum() / total)
            probabilities[symbols] += (counts - discounts) / total
            log_probs = np.log(probabilities)
        log_probs.flags.writeable = False
        return log_probs


class WordLanguageModel:
    """Words with their frequencies, and the signs between words.

    N-grams estimated from `texts` predict the kind of a character: small letter, capital, digit, or
    a particular sign. The words that begin with the current word's letters predict the next letter,
    whatever its case, or the end of the word. The count of the words with each next symbol is
    reduced by `DISCOUNT`. The probability that the discounts leave goes to n-grams of letters,
    estimated from the most frequent words (absolute discounting, interpolated: Chen & Goodman 1999,
    section 2.6). All digits are equally likely. Words may have apostrophes. Where a word ends, an
    apostrophe is at least as likely as the n-grams of kinds say, and a new word may follow it.

    The symbols of words are the end of a word, 0, the letters, from 1 on, and last the apostrophe;
    a letter's two cases are one symbol. The words form a tree like the n-grams of
    `CharacterLanguageModel`: a node of depth k is the first k symbols of words.

    Args:
        texts: lines.
        words: counts of words, at least 1. Words are used if they consist of apostrophes and small
            letters of the alphabet, or of the small forms of its capitals. A word with a final
            apostrophe, such as the French `l'`, is followed by another at once.
        alphabet: the C characters.

    Raises:
        UserError: if the alphabet lacks a character of a text.
    """

    def __init__(
        self, texts: Iterable[str], words: Mapping[str, float], alphabet: Alphabet
    ) -> None:
        self.alphabet = alphabet
        characters = alphabet.characters
        kinds = [*map(_kind, characters)]
        # A kind's first character in the alphabet stands for the kind.
        self._kind_of = np.array([*map(kinds.index, kinds), len(kinds)])  # (C+1,)
        lines = (alphabet.decode(self._kind_of[alphabet.encode(text)]) for text in texts)
        self._kinds = CharacterLanguageModel(lines, alphabet, order=KINDS_ORDER)
        # A letter's small form may be two characters, as of the Turkish dotted capital I.
        small_forms = [c.lower()[0] if _kind(c) in ("a", "A") else "" for c in characters]
        letters = sorted({*small_forms} - {""})
        self._apostrophe = len(letters) + 1
        symbols = [letters.index(c) + 1 if c else 0 for c in small_forms]
        self._symbol_of = np.array([*symbols, 0])  # (C+1,), 0 for all that ends a word
        for apostrophe in APOSTROPHES:
            if apostrophe in alphabet:
                self._symbol_of[alphabet.encode(apostrophe)] = self._apostrophe
        # Digits share the probability of their kind; letters are told apart by words.
        fractions = [1 / kinds.count("0") if kind == "0" else 1.0 for kind in kinds]
        self._fraction_of_kind = np.array([*fractions, 1.0])  # (C+1,)
        self._symbols = self._symbol_of.tolist()  # faster than numpy, element by element
        self._radix = self._apostrophe + 2  # all symbols, and one more to ignore
        self._keys, self._counts, frequent = self._tree(words, "".join(letters))
        self._letters = CharacterLanguageModel(frequent, Alphabet(letters), order=LETTERS_ORDER)
        self._cached = functools.lru_cache(CACHE_SIZE // len(kinds))(self._compute)

    def _tree(
        self, words: Mapping[str, float], letters: str
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:
        """Return the keys and the counts of the tree's nodes, and the most frequent words without
        apostrophes."""
        # numpy pads strings with zeros. The empty string keeps the dtype if there are no words.
        spellings = np.array([*words, ""])
        code_points = spellings.view(np.uint32).reshape(len(spellings), -1)[:-1]
        counts = np.fromiter(words.values(), float, len(words))
        symbol_of = np.full(sys.maxunicode + 1, -1, np.int16)
        # Zeros mark the end of a word.
        symbol_of[[0, *map(ord, letters), ord("'")]] = range(self._apostrophe + 1)
        symbols = np.pad(symbol_of[code_points], ((0, 0), (0, 1)))  # the longest word ends, too
        is_used = (symbols >= 0).all(1)
        spellings = spellings[:-1][is_used]
        symbols = symbols[is_used]
        counts = counts[is_used]
        most_frequent = np.argsort(-counts, kind="stable")[:NUM_FREQUENT_WORDS]
        nodes = np.zeros(len(symbols), np.int64)
        keys_by_depth = []
        counts_by_depth = []
        for column in range(symbols.shape[1]):
            last = symbols[:, column]
            keys, nodes = np.unique(nodes * self._radix + last, return_inverse=True)
            keys_by_depth.append(keys)
            counts_by_depth.append(np.bincount(nodes, counts))
            nodes = nodes[last > 0]
            symbols = symbols[last > 0]
            counts = counts[last > 0]
        frequent = [word for word in spellings[most_frequent].tolist() if "'" not in word]
        return keys_by_depth, counts_by_depth, frequent

    def log_probs(self, context: tuple[int, ...]) -> np.ndarray:
        """Return the log-probabilities of all next symbols; see `CharacterLanguageModel`."""
        symbols = self._symbols
        word_start = len(context)
        num_apostrophes = 0
        while word_start and symbols[context[word_start - 1]]:
            word_start -= 1
            num_apostrophes += symbols[context[word_start]] == self._apostrophe
        # The kinds look back `KINDS_ORDER` - 1 characters beside apostrophes, the words to the
        # word's beginning.
        start = max(0, min(word_start, len(context) - num_apostrophes - KINDS_ORDER + 1))
        return self._cached(context[start:], len(context) - word_start)

    def _compute(self, context: tuple[int, ...], length: int) -> np.ndarray:
        """Return the log-probabilities after `context`, whose last `length` characters are letters
        and apostrophes."""
        codes = np.array(context, dtype=np.int64)
        # The kinds look past apostrophes in words.
        is_inside = self._symbol_of[codes[:-1]] == self._apostrophe
        is_inside[: len(codes) - length] = False
        before = np.append(codes[:-1][~is_inside], codes[-1:])
        kinds = np.exp(self._kinds.log_probs(tuple(self._kind_of[before])))
        characters = kinds[self._kind_of] * self._fraction_of_kind
        by_kind = np.bincount(self._symbol_of, characters, self._apostrophe + 1)
        ends = [0, self._apostrophe]
        end = by_kind[ends].sum()  # probability of the end of the word, or of an apostrophe
        word, letters_so_far = self._word(self._symbol_of[codes[len(codes) - length :]])
        letters = np.exp(self._letters.log_probs(tuple(letters_so_far - 1)))[:-1]
        # Probabilities of the symbols of words, by the n-grams of letters.
        probabilities = by_kind.copy()
        probabilities[1:-1] = letters * ((1 - end) / letters.sum())
        symbols, counts = _next_symbols(self._keys, self._counts, word, self._radix)
        total = counts.sum()
        if total:
            probabilities *= DISCOUNT * len(symbols) / total
            probabilities[symbols] += (counts - DISCOUNT) / total
            ended = probabilities[ends].sum()
            apostrophe = max(probabilities[-1], ended * by_kind[-1] / end)
            probabilities[ends] = ended - apostrophe, apostrophe
        if not len(word):  # The kinds alone decide whether a word begins.
            probabilities[1:-1] *= (1 - end) / probabilities[1:-1].sum()
            probabilities[ends] = by_kind[ends]
        # As factors on the probabilities of the characters, which say whether the word ends.
        probabilities[1:-1] /= 1 - end
        probabilities[ends] /= np.maximum(by_kind[ends], np.finfo(float).tiny)
        log_probs = np.log(characters * probabilities[self._symbol_of])
        log_probs -= np.logaddexp.reduce(log_probs)
        log_probs.flags.writeable = False
        return log_probs

    def _word(self, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the current word, and its letters behind its last apostrophe, as symbols; behind
        an apostrophe a new word begins, unless words of the tree go on there and none ends.

        Args:
            symbols: the letters and apostrophes so far, without others between.
        """
        start = stop = 0
        for stop in (symbols == self._apostrophe).nonzero()[0] + 1:
            next_symbols, _ = _next_symbols(
                self._keys, self._counts, symbols[start:stop], self._radix
            )
            if not len(next_symbols) or next_symbols[0] == 0:  # no word, or the end of one
                start = stop
        return symbols[start:], symbols[stop:]


def _kind(character: str) -> str:
    """Return "0" for a digit, "a" for a small letter, "A" for a capital, else the character."""
    if character.isdigit():
        return "0"
    if character.islower():
        return "a"
    return "A" if character.isupper() else character


def _next_symbols(
    keys: Sequence[np.ndarray], counts: Sequence[np.ndarray], context: Iterable[int], radix: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the symbols that follow a context in the tree, and the counts of these symbols; both
    are empty if the context is not in the tree.

    Args:
        keys, counts: the tree, see `CharacterLanguageModel`.
        context: the symbols from the tree's root on.
        radix: factor on the parent's index in `keys`; the symbol `radix - 1` is ignored.
    """
    node = 0
    depth = 0
    for depth, symbol in enumerate(context, start=1):
        key = node * radix + symbol
        node = int(keys[depth - 1].searchsorted(key))
        if node == len(keys[depth - 1]) or keys[depth - 1][node] != key:
            return keys[0][:0], counts[0][:0]
    first_key = node * radix
    start, stop = keys[depth].searchsorted((first_key, first_key + radix - 1))
    return keys[depth][start:stop] - first_key, counts[depth][start:stop]


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discounts of the counts 0, 1, 2, and 3 or more (Chen & Goodman 1999, eq. 17)."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))  # as in the paper
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        discounts = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        if all(0 < discount < count for count, discount in enumerate(discounts, start=1)):
            return np.array((0.0, *discounts))
    return np.array((0.0, *FALLBACK_DISCOUNTS))
