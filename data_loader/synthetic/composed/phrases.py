"""Lines of recorded words and single characters, each line in one hand."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, Loaded
from base.data.samples import Samples
from data_loader.pen_paths import moved, side_by_side, to_ink, to_path
from data_loader.recipe import ExtendedDataset
from data_loader.synthetic.composed.mixed import LETTER_GAPS, inks_side_by_side
from data_loader.synthetic.invented.damage import with_damage
from ink.alphabet import WRONG
from ink.geometry import x_height
from ink.sample import Parsed, Sample
from utils.checks import DataError, Fraction, Range, Seed

LINE_LENGTHS = (10, 45)
"""Bounds on the length of a line of words, in characters (assumed: as people write)."""
NUM_CHARACTERS = (2, 8)
"""Bounds on the number of characters after the first character of a line (assumed: as in codes)."""
MIN_SAMPLES = 5
"""Minimum number of words, or of characters of a kind, that a line's writer has (assumed)."""
MAX_WORD_LENGTH = 20
"""Largest number of characters of a sample that is used as a word (assumed)."""
WORD_GAPS = (0.5, 2.5)
"""Bounds on the gap between two words, in x-heights (measured: 1 % of IAM-OnDB's gaps between words
are below 0.5, half below 1.8, a fifth above 2.5)."""
X_HEIGHT_FRACTION = 0.6
"""The x-height as a fraction of the height of digits and capitals (assumed)."""

Hand = defaultdict[str, list[Sample]]
"""A writer's samples by kind: single "digits", "capitals", "letters" or "signs", or "words"."""


@dataclass(kw_only=True, eq=False)
class PhrasesDataset(ExtendedDataset):
    """Adds training lines to a dataset, composed of its words and single characters.

    Each line is by one writer; words and characters keep the size in which they were written. Words
    are set level, with word gaps between them; characters stand on one baseline, as in a number or
    a code. Samples of single characters are left out of all splits, because a lone `o` looks
    like an `O`.

    Args:
        size: number of new lines.
        characters_share: fraction of the new lines that consist of single characters.
        damaged: fraction of the lines of single characters in which one character is damaged; the
            text has `�` in its place, a label for ink that is no character.
        seed: seed of the choice of writers, words and characters.

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
        words = {split: _longer(samples) for split, samples in loaded.samples.items()}
        if "train" not in splits:
            return replace(loaded, samples=words)
        train = loaded.split("train")
        words_alone = replace(loaded, samples=words)
        return self._extended(words_alone, self._read(train), [train])

    def _read(self, samples: Samples) -> Iterator[Parsed]:
        """Yield new lines composed of `samples`, and a summary of the lines."""
        hands = _hands(samples)
        # By writer and kind:
        word_counts = {}
        character_counts = {}
        heights = {}
        for writer, hand in hands.items():
            for kind, hand_samples in hand.items():
                if kind == "signs" or len(hand_samples) < MIN_SAMPLES:
                    continue
                if kind == "words":
                    word_counts[writer, kind] = len(hand_samples)
                else:
                    character_counts[writer, kind] = len(hand_samples)
                    heights[writer, kind] = _median_height(hand_samples)
        bar = distributed.bar(range(self.size), "setting lines", unit=" lines", leave=False)
        for number in bar:
            generator = np.random.default_rng([self.seed, number])
            if generator.random() < self.characters_share:
                writer, kind = _random_writer(character_counts, "characters", generator)
                is_damaged = bool(self.damaged and generator.random() < self.damaged)
                height = heights[writer, kind]
                text, ink = _character_line(hands[writer], kind, height, is_damaged, generator)
            else:
                writer, kind = _random_writer(word_counts, "words", generator)
                text, ink = _word_line(hands[writer][kind], generator)
            yield Parsed([Sample(ink, text, f"phrase-{number:06d}", writer=writer)])
        writers = f"{len(hands):,} writers"
        yield Parsed(notes=[f"{self.size:,} lines of words and characters of {writers}"])


def _longer(samples: Samples) -> Samples:
    """Return the samples that are not of a single character."""

    def find() -> np.ndarray:
        return np.flatnonzero([len(text) != 1 for text in samples.strings("text")])

    return samples.take(samples.cached("places-of-longer", find))


def _hands(samples: Iterable[Sample]) -> dict[str, Hand]:
    """Return the hand of each writer, without samples longer than `MAX_WORD_LENGTH`."""
    hands: dict[str, Hand] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        hand = hands[sample.hand]
        text = sample.text
        if len(text) <= MAX_WORD_LENGTH:
            hand[_kind_of(text)].append(sample)
    return hands


def _kind_of(text: str) -> str:
    """Return the kind of a sample with this text, see `Hand`."""
    if len(text) > 1:
        return "words"
    kinds = {"digits": str.isdigit, "capitals": str.isupper, "letters": str.islower}
    return next((name for name, fits in kinds.items() if fits(text)), "signs")


def _random_writer(
    counts: dict[tuple[str, str], int], parts: str, generator: np.random.Generator
) -> tuple[str, str]:
    """Return a random writer and kind, with a probability proportional to the square root of their
    count.

    Raises:
        DataError: if `counts` is empty; it names `parts`.
    """
    if not counts:
        raise DataError(f"no writer has {MIN_SAMPLES} {parts}, the least number for a line")
    weights = np.sqrt(list(counts.values()))
    number = generator.choice(len(counts), p=weights / weights.sum())
    return list(counts)[number]


def _word_line(words: list[Sample], generator: np.random.Generator) -> tuple[str, np.ndarray]:
    """Return the text and ink of a line of random words."""
    min_length = generator.integers(*LINE_LENGTHS)
    chosen = [words[generator.integers(len(words))]]
    while sum(len(word.text) + 1 for word in chosen) < min_length:
        chosen.append(words[generator.integers(len(words))])
    height = float(np.median([x_height(word.ink) for word in chosen]))
    ink = chosen[0].ink
    for word in chosen[1:]:
        ink = inks_side_by_side(ink, word.ink, height, height * generator.uniform(*WORD_GAPS))
    return " ".join(word.text for word in chosen), ink


def _median_height(samples: list[Sample]) -> float:
    """Return the median height of samples."""
    return float(np.median([np.ptp(to_path(sample.ink)[:, 1]) for sample in samples]))


def _character_line(
    hand: Hand, kind: str, height: float, is_damaged: bool, generator: np.random.Generator
) -> tuple[str, np.ndarray]:
    """Return the text and ink of a line of single characters of a kind, with some signs.

    Args:
        height: median height of the writer's characters of this kind.
        is_damaged: whether a character is damaged.
    """
    samples = hand[kind]
    signs = hand["signs"]
    chosen = [samples[generator.integers(len(samples))]]
    for _ in range(generator.integers(*NUM_CHARACTERS)):
        takes_sign = bool(signs) and generator.random() < 0.2  # a fifth (assumed)
        choices = signs if takes_sign else samples
        chosen.append(choices[generator.integers(len(choices))])
    paths = [_on_baseline(to_path(sample.ink), sample.text, height) for sample in chosen]
    gaps = X_HEIGHT_FRACTION * height * generator.uniform(*LETTER_GAPS, len(paths))
    text = "".join(sample.text for sample in chosen)
    if is_damaged:
        text, paths = with_damage(text, paths, generator)
    return text, to_ink(side_by_side(paths, gaps))


def _on_baseline(path: np.ndarray, character: str, height: float) -> np.ndarray:
    """Return the path of a single character, moved so that its baseline is y = 0; `height` is the
    height of a capital or a digit."""
    top, bottom = path[:, 1].min(), path[:, 1].max()
    baseline = bottom
    if character in "gjpqy,;":  # Its tail is below the baseline (fraction assumed).
        baseline = bottom - 0.4 * (bottom - top)
    elif character in "-=~+*<>":  # Its middle is at half the x-height.
        baseline = (top + bottom) / 2 + X_HEIGHT_FRACTION / 2 * height
    elif character in "'\"^`":  # Its top is that of capitals.
        baseline = top + height
    return moved(path, 0.0, -baseline)
