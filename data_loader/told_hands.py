"""Samples that come with descriptors of other lines of their hand."""

import zipfile
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample, changed
from base.base_transform import BaseTransform
from utils.checks import DataError, Range, Seed, first_line
from utils.files import open_file
from utils.hand_measures import TOLD_LINES, strokes_per_character

SHORTEST = 4
"""Characters of the shortest recorded line that no text contains by chance (assumed)."""
JOINED = 0.65
"""Strokes per character below which the letters of a hand join (measured, lab notebook: joined
hands)."""


@dataclass(kw_only=True, eq=False)
class ToldHandsDataset(BaseDataset):
    """A dataset whose samples come with descriptors of other recorded lines of their hand.

    Lines that share text with a sample are left out, as the sample may be made of them. The extra
    `hand` has a row for each line: its descriptor times its weight, then the weight; further rows
    are zeros. The extra `composed` is the fraction of a text that the hand never wrote as a line: 0
    for recorded lines. Samples that already have the extra `hand` stay unchanged.

    Args:
        dataset: supplies the samples.
        descriptors: file that `benchmarks/describe.py` made from the dataset's recorded lines.
        joined: how many times the training split has each recorded line, or piece of a line, of the
            few hands whose letters join.
        seed: seed by which lines are chosen where a hand has many.
    """

    dataset: BaseDataset
    descriptors: str
    joined: Annotated[int, Range(1, 100)] = 1
    seed: Seed = 0

    def preprocessing(self) -> list[BaseTransform]:
        return self.dataset.preprocessing()

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the dataset, and add the extras of its samples.

        Raises:
            DataError: if the file of descriptors cannot be read, or fits no sample.
        """
        loaded = self.dataset.load(splits)
        table = self._table()
        hands = defaultdict(list)
        for sample in loaded.used:
            if sample.name in table:
                hands[sample.hand].append(sample)
        if not hands:
            raise DataError(f"descriptors = {self.descriptors!r} has none of the samples")
        size = len(next(iter(table.values())))  # D + 1

        def with_extras(number: int, sample: Sample) -> Sample:
            if "hand" in sample.extras:
                return sample
            overlapping, others = [], []
            for line in hands.get(sample.hand, ()):
                overlaps = line.text in sample.text or sample.text in line.text
                (overlapping if overlaps else others).append(line)
            generator = np.random.default_rng([self.seed, number])
            chosen = generator.permutation(len(others))[:TOLD_LINES].tolist()
            rows = np.zeros((TOLD_LINES, size), np.float32)
            for row, line_number in enumerate(chosen):
                rows[row] = table[others[line_number].name]
            fraction = 0.0
            if sample.name not in table:
                fraction = composed_share(sample.text, [line.text for line in overlapping])
            extras = {"hand": rows, "composed": np.float32([fraction])}
            return replace(sample, extras=extras | dict(sample.extras))

        numbers = {sample: number for number, sample in enumerate(loaded.used)}
        samples = changed(loaded.samples, lambda sample: [with_extras(numbers[sample], sample)])
        if "train" in samples and self.joined > 1:
            ratios = {}
            for hand, lines in hands.items():
                ratios[hand] = strokes_per_character((line.ink, line.text) for line in lines)
            copies = [
                sample.of(f"{sample.name}+{copy}")
                for sample in samples["train"]
                if ratios.get(sample.hand, JOINED) < JOINED and not sample.extras["composed"].any()
                for copy in range(1, self.joined)
            ]
            samples = samples | {"train": samples["train"] + copies}
        return replace(loaded, samples=samples)

    def _table(self) -> dict[str, np.ndarray]:
        """Return the row of each line by name, `(D + 1,)` float32; DataError if unreadable."""
        try:
            with open_file(self.descriptors) as stream, np.load(stream, allow_pickle=False) as file:
                names, values = file["names"].tolist(), file["values"].astype(np.float32)
            return dict(zip(names, values, strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            remedy = "benchmarks/describe.py makes a file of descriptors"
            raise DataError(f"{self.descriptors}: {first_line(error)}; {remedy}") from None


def composed_share(text: str, recorded: Sequence[str]) -> float:
    """Return the fraction of a text, without blanks, that no recorded text covers."""
    if any(text in line for line in recorded):
        return 0.0
    uncovered = text
    for line in sorted(recorded, key=len, reverse=True):
        if len(line) >= SHORTEST:
            uncovered = uncovered.replace(line, "", 1)
    return len(uncovered.replace(" ", "")) / max(len(text.replace(" ", "")), 1)
