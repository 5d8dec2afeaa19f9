"""Lines of recorded words and single characters, each line in one hand."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Annotated

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

WORDS = (10, 45)
"""Bounds on the length of a line of words, in characters (assumed: as people write)."""
CHARACTERS = (2, 8)
"""Bounds on the number of single characters behind a line's first (assumed: as in codes)."""
LEAST = 5
"""Least number of a hand's words, or characters of one sort, for a line (assumed)."""
LONGEST_WORD = 20
"""Largest number of characters of a sample in a line of words (assumed)."""
X_HEIGHT = 0.6
"""The x-height as a fraction of the height of digits and capitals (assumed)."""


Hand = defaultdict[str, list[Sample]]
"""The words and single characters of a writer, by sort."""


@dataclass(kw_only=True, eq=False)
class PhrasesDataset(ExtendedDataset):
    """A dataset with new training lines, made of its words and single characters.

    A line is by one writer, and its parts are as large as they were written. Words are level, with
    word gaps between them; characters stand on one baseline, as in a number or a code. Samples of
    single characters are left out of all splits: nobody tells a lone `o` from an `O`.

    Args:
        size: number of new lines.
        characters_share: fraction of the new lines that are made of single characters.
        damaged: fraction of the lines of single characters in which one character is damaged; the
            text has `WRONG` in its place.
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
        return characters + WRONG if characters and self.damaged else characters

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        loaded = self.dataset.load(splits)
        if "train" in splits:
            loaded = joined(loaded, *self._new_lines(loaded.split("train")))
        words = changed(loaded.samples, lambda sample: [] if len(sample.text) == 1 else [sample])
        return replace(loaded, samples=words)

    def _new_lines(self, samples: list[Sample]) -> tuple[list[Sample], str]:
        """Return lines made of samples, and a summary of the lines."""
        hands, lines = _hands(samples), []
        counts = {
            (writer, sort): len(part)
            for writer, hand in hands.items()
            for sort, part in hand.items()
            if sort != "signs" and len(part) >= LEAST
        }
        word_counts = {key: count for key, count in counts.items() if key[1] == "words"}
        character_counts = {key: count for key, count in counts.items() if key[1] != "words"}
        heights = {
            (writer, sort): _height(hands[writer][sort]) for writer, sort in character_counts
        }
        bar = distributed.bar(range(self.size), "setting lines", unit=" lines", leave=False)
        for number in bar:
            generator = np.random.default_rng([self.seed, number])
            if generator.random() < self.characters_share:
                writer, sort = _random_key(character_counts, "characters", generator)
                damaged = bool(self.damaged and generator.random() < self.damaged)
                capital = heights[writer, sort]
                text, ink = _character_line(hands[writer], sort, capital, damaged, generator)
            else:
                writer, sort = _random_key(word_counts, "words", generator)
                text, ink = _word_line(hands[writer][sort], generator)
            lines.append(Sample(ink, text, f"phrase-{number:06d}", writer=writer))
        return lines, f"{self.size:,} lines of words and characters of {len(hands):,} writers"


def _hands(samples: Iterable[Sample]) -> dict[str, Hand]:
    """Return words and characters by writer."""
    hands: dict[str, Hand] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        hand, text = hands[sample.hand], sample.text
        if len(text) <= LONGEST_WORD:
            hand[_sort(text)].append(sample)
    return hands


def _sort(text: str) -> str:
    if len(text) > 1:
        return "words"
    sorts = {"digits": str.isdigit, "capitals": str.isupper, "letters": str.islower}
    return next((name for name, fits in sorts.items() if fits(text)), "signs")


def _random_key(
    counts: dict[tuple[str, str], int], parts: str, generator: np.random.Generator
) -> tuple[str, str]:
    """Return a writer and a sort, with a probability in proportion to the root of their count."""
    if not counts:
        raise DataError(f"no writer has {LEAST} {parts} for a line of them")
    weights = np.sqrt(list(counts.values()))
    return list(counts)[generator.choice(len(counts), p=weights / weights.sum())]


def _word_line(words: list[Sample], generator: np.random.Generator) -> tuple[str, np.ndarray]:
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


def _character_line(
    hand: Hand, sort: str, capital: float, damaged: bool, generator: np.random.Generator
) -> tuple[str, np.ndarray]:
    """Return a line of single characters of a sort, some signs among them: its text and ink.

    Args:
        hand: the writer's hand.
        sort: sort of the characters.
        capital: typical height of the characters.
        damaged: whether a character is damaged.
        generator: generator for the choice.
    """
    samples, signs = hand[sort], hand["signs"]
    chosen = [samples[generator.integers(len(samples))]]
    for _ in range(generator.integers(*CHARACTERS)):
        choices = signs if signs and generator.random() < 0.2 else samples
        chosen.append(choices[generator.integers(len(choices))])
    paths = [_on_line(to_path(sample.ink), sample.text, capital) for sample in chosen]
    height = X_HEIGHT * capital
    gaps = height * generator.uniform(*CLOSE, len(paths))
    text = "".join(sample.text for sample in chosen)
    if damaged:
        text, paths = with_damage(text, paths, generator)
    return text, to_ink(side_by_side(paths, gaps))


def _on_line(path: np.ndarray, character: str, capital: float) -> np.ndarray:
    """Return the path of a single character, moved so that its baseline is y = 0."""
    top, bottom = path[:, 1].min(), path[:, 1].max()
    baseline = bottom
    if character in "gjpqy,;":
        baseline = bottom - 0.4 * (bottom - top)
    elif character in "-=~+*<>":
        baseline = (top + bottom) / 2 + X_HEIGHT / 2 * capital
    elif character in "'\"^`":
        baseline = top + capital
    return moved(path, 0.0, -baseline)
