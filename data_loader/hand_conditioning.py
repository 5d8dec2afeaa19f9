"""Adds to each sample the descriptors of other lines of its hand, as input of a network."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from base.base_dataset import SPLITS, Loaded
from base.data.samples import Columns, Samples
from data_loader.recipe import ExtendedDataset
from data_loader.sources.cache import version_of
from ink import guard
from ink.formats.arrays import read_arrays
from ink.measures import NUM_HAND_LINES, strokes_per_character
from ink.sample import Fault, Sample
from utils.checks import DataError, Range, Seed, first_line
from utils.files import digest_of_file

CONDITION = np.dtype([("rows", "<i4", NUM_HAND_LINES), ("composed", "<f4")])
"""Inputs of a sample: rows of the table of descriptors, then -1; and the fraction `composed`."""
MIN_COVERING_LENGTH = 4  # characters; a text may contain a shorter line by chance (assumed)
MAX_JOINED_LINE_STROKES = 0.65
"""Strokes per character of a joined hand (measured, notebook: hands, joined hands)."""


@dataclass(kw_only=True, eq=False)
class ToldHandsDataset(ExtendedDataset):
    """Adds to each sample of a dataset descriptors of other recorded lines of its hand.

    The extra `hand` has a row for each of up to `NUM_HAND_LINES` lines: the line's descriptor times
    its weight, then the weight; unused rows are zeros. A line is not used if its text contains the
    sample's text or the reverse: both may have the same ink. The extra `composed` is the fraction
    of the text that no recorded line covers. Samples with an extra `hand` stay unchanged.

    Args:
        dataset: supplies the samples.
        descriptors: file of descriptors that were made from the dataset's recorded lines.
        joined: number of copies that the training split has of each recorded line of a joined hand,
            and of each piece of such a line.
        seed: seed by which lines are chosen if a hand has more than needed.
    """

    descriptors: str
    joined: Annotated[int, Range(1, 100)] = 1
    seed: Seed = 0

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the dataset, and add the extras to its samples.

        Raises:
            DataError: if the file of descriptors cannot be read, or names no sample.
        """
        loaded = self.dataset.load(splits)
        used = loaded.used
        descriptors = digest_of_file(Path(self.descriptors))
        version = version_of(type(self))
        options = [used.key, descriptors, self.joined, self.seed, version]
        name = f"hands-of-{hashlib.sha256(repr(options).encode()).hexdigest()[:16]}"
        conditions, table = used.all_cached([name, f"{name}-table"], lambda: self._conditions(used))
        folder = next((columns.folder for columns in used.columns), None)
        columns = _ConditionedColumns(used, table, conditions, used.key and name, folder)
        samples = {}
        for split, split_samples in loaded.samples.items():
            choose = partial(self._numbers, split, split_samples, columns)
            numbers = used.cached(f"{name}-{split}-{split_samples.key}", choose)
            samples[split] = columns.take(numbers)
        return replace(loaded, samples=samples)

    def _conditions(self, used: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs of each sample, `(samples,)` of `CONDITION`, and the descriptors of
        `table`."""
        rows, table = self.table()
        hands = defaultdict(list)
        names = used.strings("name")
        for name, hand, text in zip(names, used.hands, used.strings("text"), strict=True):
            if name in rows:
                hands[hand].append((rows[name], text))
        if not hands:
            raise DataError(f"descriptors = {self.descriptors!r} has none of the samples")
        conditions = np.zeros(len(used), CONDITION)
        for number, sample in enumerate(used):
            overlapping = []
            others = []
            for row, text in hands.get(sample.hand, ()):
                if text in sample.text or sample.text in text:
                    overlapping.append(text)
                else:
                    others.append(row)
            generator = np.random.default_rng([self.seed, number])
            chosen = generator.permutation(len(others))[:NUM_HAND_LINES].tolist()
            condition = conditions[number]  # a view
            condition["rows"] = -1
            condition["rows"][: len(chosen)] = [others[index] for index in chosen]
            if "composed" in sample.extras:
                condition["composed"] = sample.extras["composed"][0]
            elif sample.name not in rows:  # The sample is no recorded line.
                condition["composed"] = composed_fraction(sample.text, overlapping)
        return conditions, table

    def _numbers(self, split: str, samples: Samples, columns: "_ConditionedColumns") -> np.ndarray:
        """Return the numbers of a split's samples, and of the copies of its joined lines."""
        numbers = samples.places_in(columns.samples)
        if split != "train" or self.joined == 1:
            return numbers
        rows, _ = self.table()
        lines = defaultdict(list)
        for line in columns.samples:
            if line.name in rows:
                lines[line.hand].append((line.ink, line.text))
        ratios = {hand: strokes_per_character(hand_lines) for hand, hand_lines in lines.items()}
        is_copied = columns.conditions["composed"][numbers] == 0
        is_copied &= [ratios.get(hand, np.inf) < MAX_JOINED_LINE_STROKES for hand in samples.hands]
        shifts = np.arange(1, self.joined) * len(columns.samples)  # see `_ConditionedColumns`
        copies = numbers[is_copied][:, None] + shifts
        return np.concatenate([numbers, copies.ravel()])

    def table(self) -> tuple[dict[str, int], np.ndarray]:
        """Return the row of each line by name, and the lines' weighted descriptors and weights,
        `(lines, size)` float32."""
        try:
            arrays = guard.call(read_arrays, Path(self.descriptors))
            names = arrays["names"].tolist()
            values = arrays["values"].astype(np.float32)
            return dict(zip(names, range(len(values)), strict=True)), values
        except (Fault, ValueError, TypeError, KeyError) as error:
            remedy = "apps/datasets/describe.py makes a file of descriptors"
            raise DataError(f"{self.descriptors}: {first_line(error)}; {remedy}") from None


@dataclass(frozen=True, eq=False)
class _ConditionedColumns(Columns):
    """Samples whose extras are put together from descriptors when a sample is read.

    After all samples come copies of them all, whose names end in "+1", then in "+2", and so on.
    """

    samples: Samples
    table: np.ndarray
    """`(lines, size)` float32, see `ToldHandsDataset.table`."""
    conditions: np.ndarray
    """`(samples,)` of `CONDITION`."""
    key: str | None
    folder: Path | None

    def sample(self, number: int) -> Sample:
        copy, place = divmod(number, len(self.samples))
        sample = self.samples[place]
        condition = self.conditions[place]
        if "hand" not in sample.extras:
            rows = condition["rows"][condition["rows"] >= 0]
            hand = np.zeros((NUM_HAND_LINES, self.table.shape[1]), np.float32)
            hand[: len(rows)] = self.table[rows]
            extras = {"hand": hand, "composed": np.float32([condition["composed"]])}
            sample = replace(sample, extras=extras | dict(sample.extras))
        return sample.renamed(f"{sample.name}+{copy}") if copy else sample

    def _of(self, numbers: np.ndarray) -> Samples:
        return self.samples.take(numbers % len(self.samples))

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        return self._of(numbers).lengths

    def strings(self, field: str, numbers: np.ndarray) -> Iterator[str]:
        copies = (numbers // len(self.samples)).tolist()
        for value, copy in zip(self._of(numbers).strings(field), copies, strict=True):
            yield f"{value}+{copy}" if copy and field == "name" else value

    def shards(self, numbers: np.ndarray) -> np.ndarray:
        return self._of(numbers).shards

    def cached(self, names: Sequence[str], make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        return self.samples.all_cached(names, make)


def composed_fraction(text: str, recorded: Sequence[str]) -> float:
    """Return the fraction of the characters of a text, without blanks, that no line covers.

    `recorded` has the texts of lines. Each line of at least `MIN_COVERING_LENGTH` characters covers
    its first occurrence in the text; longer lines go first.
    """
    if any(text in line for line in recorded):
        return 0.0
    uncovered = text
    for line in sorted(recorded, key=len, reverse=True):
        if len(line) >= MIN_COVERING_LENGTH:
            uncovered = uncovered.replace(line, "", 1)
    return len(uncovered.replace(" ", "")) / max(len(text.replace(" ", "")), 1)
