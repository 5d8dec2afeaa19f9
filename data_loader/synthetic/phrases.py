"""Lines of recorded words and single characters, each line in one hand."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, TypeVar

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, Loaded, Sample, changed
from data_loader.synthetic.damage import with_damage
from data_loader.synthetic.extended import ExtendedDataset, joined
from data_loader.synthetic.mixed import BLANK, CLOSE, join
from data_loader.synthetic.paths import moved, side_by_side, to_ink, to_path
from utils.alphabet import WRONG
from utils.checks import DataError, Fraction, Range, Seed
from utils.ink import x_height

Key = TypeVar("Key")

WORDS = (10, 45)
"""Characters of a line of words (assumed: as in lines that people write)."""
CHARACTERS = (2, 8)
"""Characters of a line of single ones, as numbers and codes have them; assumed."""
LEAST = 5
"""Words, or characters of one sort, that a hand needs; assumed."""
LONGEST_WORD = 20
"""Characters of a sample that is set into a line of words; assumed."""
X_HEIGHT = 0.6
"""The x-height in heights of digits and capitals; assumed."""


@dataclass
class _Hand:
    words: list[Sample] = field(default_factory=list)
    characters: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    """Samples of one character each, by sort."""


@dataclass(kw_only=True, eq=False)
class PhrasesDataset(ExtendedDataset):
    """A dataset whose training split is joined by lines of its words and single characters.

    A line is by one writer, its parts as large as they were written. Words are level with gaps of
    words between them; characters stand on one baseline, as in a number or a code. Single
    characters are no longer samples by themselves, in any split: nobody tells an `o` from an `O`.

    Args:
        size: new lines.
        characters_share: share of them that are made of single characters.
        damaged: share of the lines of single characters in which one is damaged; their text has
            `WRONG` there.
        seed: seed of the choice.

    Raises:
        DataError: if no writer has enough words, or characters, for a line.
    """

    size: Annotated[int, Range(1, 200_000)]
    characters_share: Fraction = 0.2
    damaged: Fraction = 0.0
    seed: Seed = 0

    @property
    def characters(self) -> str | None:
        characters = self.dataset.characters
        return characters and characters + WRONG * bool(self.damaged)

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        loaded = self.dataset.load(splits)
        if "train" in splits:
            loaded = joined(loaded, *self._made(loaded.split("train")))
        words = changed(loaded.samples, lambda sample: [] if len(sample.text) == 1 else [sample])
        return replace(loaded, samples=words)

    def _made(self, samples: list[Sample]) -> tuple[list[Sample], str]:
        """Return lines of samples, and a summary of them."""
        hands, lines = _hands(samples), []
        with_words = {w: len(h.words) for w, h in hands.items() if len(h.words) >= LEAST}
        with_characters = {
            (writer, sort): len(characters)
            for writer, hand in hands.items()
            for sort, characters in hand.characters.items()
            if sort != "signs" and len(characters) >= LEAST
        }
        tall = {(w, sort): _height(hands[w].characters[sort]) for w, sort in with_characters}
        numbers = range(self.size)
        for number in distributed.bar(numbers, "setting lines", unit=" lines", leave=False):
            generator = np.random.default_rng([self.seed, number])
            if generator.random() < self.characters_share:
                writer, sort = _drawn(with_characters, "characters", generator)
                damaged = bool(self.damaged and generator.random() < self.damaged)
                capital = tall[writer, sort]
                text, ink = _of_characters(hands[writer], sort, capital, damaged, generator)
            else:
                writer = _drawn(with_words, "words", generator)
                text, ink = _of_words(hands[writer].words, generator)
            lines.append(Sample(ink, text, f"phrase-{number:06d}", writer=writer))
        return lines, f"{self.size:,} lines of words and characters of {len(hands):,} writers"


def _hands(samples: Iterable[Sample]) -> dict[str, _Hand]:
    """Return words and characters by writer."""
    hands: defaultdict[str, _Hand] = defaultdict(_Hand)
    for sample in samples:
        hand, text = hands[sample.hand], sample.text
        if len(text) > LONGEST_WORD:
            continue
        if len(text) > 1:
            hand.words.append(sample)
        else:
            hand.characters[_sort(text)].append(sample)
    return hands


def _sort(character: str) -> str:
    sorts = {"digits": str.isdigit, "capitals": str.isupper, "letters": str.islower}
    return next((name for name, fits in sorts.items() if fits(character)), "signs")


def _drawn(counts: dict[Key, int], what: str, generator: np.random.Generator) -> Key:
    """Return a key at random, those with larger counts more often, by their roots."""
    if not counts:
        raise DataError(f"no writer has {LEAST} {what} for a line of them")
    weights = np.sqrt(list(counts.values()))
    return list(counts)[generator.choice(len(counts), p=weights / weights.sum())]


def _of_words(words: list[Sample], generator: np.random.Generator) -> tuple[str, np.ndarray]:
    """Return a line of words: its text and ink."""
    length = generator.integers(*WORDS)
    chosen = [words[generator.integers(len(words))]]
    while sum(len(word.text) + 1 for word in chosen) < length:
        chosen.append(words[generator.integers(len(words))])
    height = float(np.median([x_height(word.ink) for word in chosen]))
    ink = chosen[0].ink
    for word in chosen[1:]:
        ink = join(ink, word.ink, height, height * generator.uniform(*BLANK))
    return " ".join(word.text for word in chosen), ink


def _height(samples: list[Sample]) -> float:
    """Return the typical height of single characters."""
    return float(np.median([np.ptp(to_path(sample.ink)[:, 1]) for sample in samples]))


def _of_characters(
    hand: _Hand, sort: str, capital: float, damaged: bool, generator: np.random.Generator
) -> tuple[str, np.ndarray]:
    """Return a line of single characters of a sort, some signs among them: its text and ink.

    Args:
        hand: of the writer.
        sort: of the characters.
        capital: their height.
        damaged: whether one is damaged.
        generator: of the choice.
    """
    samples, signs = hand.characters[sort], hand.characters["signs"]
    chosen = [samples[generator.integers(len(samples))]]
    for _ in range(generator.integers(*CHARACTERS)):
        others = signs if signs and generator.random() < 0.2 else samples
        chosen.append(others[generator.integers(len(others))])
    paths = [_on_line(to_path(sample.ink), sample.text, capital) for sample in chosen]
    height = X_HEIGHT * capital
    gaps = height * generator.uniform(*CLOSE, len(paths))
    text = "".join(sample.text for sample in chosen)
    if damaged:
        text, paths = with_damage(text, paths, generator)
    return text, to_ink(side_by_side(paths, gaps))


def _on_line(path: np.ndarray, character: str, capital: float) -> np.ndarray:
    """Return the path of a single character moved so that the line it is written on is y = 0."""
    top, bottom = path[:, 1].min(), path[:, 1].max()
    line = bottom
    if character in "gjpqy,;":
        line = bottom - 0.4 * (bottom - top)
    elif character in "-=~+*<>":
        line = (top + bottom) / 2 + X_HEIGHT / 2 * capital
    elif character in "'\"^`":
        line = top + capital
    return moved(path, 0.0, -line)
