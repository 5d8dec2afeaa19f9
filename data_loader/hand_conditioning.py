"""Adds to each sample the descriptors of other lines of its hand, as input of a network."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from base.base_dataset import SPLITS, Loaded
from base.data.samples import Samples, Store
from data_loader.recipe import ExtendedDataset
from data_loader.sources.preparing import code_of
from ink import guard
from ink.formats.arrays import read_arrays
from ink.formats.faults import Fault
from ink.measures import NUM_HAND_LINES, strokes_per_character
from ink.sample import Sample
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
        descriptors: file that `apps/datasets/describe.py` made from the dataset's recorded lines.
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
        code = code_of(type(self))
        options = [used.key, descriptors, self.joined, self.seed, code]
        name = f"hands-of-{hashlib.sha256(repr(options).encode()).hexdigest()[:16]}"
        table = cache(self._table)  # It is not read if all that is computed from it is cached.
        conditions = used.cached(name, lambda: self._conditions(used, table()[0]))
        values = used.cached(f"{name}-table", lambda: table()[1])
        first = next(iter(used.stores), None)
        key = used.key and name
        store = _ConditionedSamples(used, values, conditions, key, first and first.folder)
        all_copies = store.take(np.arange(len(used) * self.joined))
        samples = {}
        for split, split_samples in loaded.samples.items():
            choose = partial(self._numbers, split, split_samples, store)
            samples[split] = all_copies.chosen(f"{split}-{split_samples.key}", choose)
        return replace(loaded, samples=samples)

    def _conditions(self, used: Samples, rows: Mapping[str, int]) -> np.ndarray:
        """Return the inputs of each sample, `(samples,)` of `CONDITION`.

        `rows` has the row in the table of descriptors of each recorded line, by name.
        """
        hands = defaultdict(list)
        strings = used.strings("name"), used.hands, used.strings("text")
        for name, hand, text in zip(*strings, strict=True):
            if name in rows:
                hands[hand].append((rows[name], text))
        if not hands:
            raise DataError(f"descriptors = {self.descriptors!r} has none of the samples")
        conditions = np.zeros(len(used), CONDITION)
        for number, sample in enumerate(used):
            overlapping, others = [], []
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
        return conditions

    def _numbers(self, split: str, samples: Samples, store: "_ConditionedSamples") -> np.ndarray:
        """Return the numbers of a split's samples, and of the copies of its joined lines."""
        numbers = samples.places_in(store.samples)
        if split != "train" or self.joined == 1:
            return numbers
        rows = self._table()[0]
        lines = defaultdict(list)
        for line in store.samples:
            if line.name in rows:
                lines[line.hand].append((line.ink, line.text))
        ratios = {hand: strokes_per_character(hand_lines) for hand, hand_lines in lines.items()}
        is_copied = store.conditions["composed"][numbers] == 0
        is_copied &= [ratios.get(hand, np.inf) < MAX_JOINED_LINE_STROKES for hand in samples.hands]
        copies = np.arange(1, self.joined) * len(store.samples)
        return np.concatenate([numbers, (numbers[is_copied][:, None] + copies).ravel()])

    def _table(self) -> tuple[dict[str, int], np.ndarray]:
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
class _ConditionedSamples(Store):
    """Samples whose extras are put together from descriptors when a sample is read.

    After all samples come copies of them all, whose names end in "+1", then in "+2", and so on.
    """

    samples: Samples
    table: np.ndarray
    """`(lines, size)` float32, see `ToldHandsDataset._table`."""
    conditions: np.ndarray
    """`(samples,)` of `CONDITION`."""
    key: str | None
    folder: Path | None

    def sample(self, number: int) -> Sample:
        copy, place = divmod(number, len(self.samples))
        sample, condition = self.samples[place], self.conditions[place]
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

    def cached(self, name: str, make: Callable[[], Any]) -> Any:
        return self.samples.cached(name, make)


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
