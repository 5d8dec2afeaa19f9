"""Gives each sample the descriptors of other lines of its hand."""

import zipfile
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from base.base_dataset import SPLITS, Loaded, Sample, changed
from data_loader.recipe import ExtendedDataset
from utils.checks import DataError, Range, Seed, first_line
from utils.files import open_file
from utils.hand_measures import TOLD_LINES, strokes_per_character

MIN_OVERLAP = 4  # characters; a text may contain a shorter line by chance (assumed)
MAX_JOINED_STROKES = 0.65  # per character of a joined hand (measured, lab notebook: joined hands)


@dataclass(kw_only=True, eq=False)
class ToldHandsDataset(ExtendedDataset):
    """A dataset whose samples come with descriptors of other recorded lines of their hand.

    The extra `hand` has a row for each of up to `TOLD_LINES` lines: the line's descriptor times its
    weight, then the weight; unused rows are zeros. A line is not used if its text contains the
    sample's text or the reverse: both may have the same ink. The extra `composed` is the fraction
    of the text that no recorded line covers. Samples with an extra `hand` stay unchanged.

    Args:
        dataset: supplies the samples.
        descriptors: file that `benchmarks/describe.py` made from the dataset's recorded lines.
        joined: how often the training split has each recorded line of a joined hand, and each
            piece of such a line.
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
        loaded = replace(loaded, samples=loaded.in_memory)
        table = self._table()
        hands = defaultdict(list)
        for sample in loaded.used:
            if sample.name in table:
                hands[sample.hand].append(sample)
        if not hands:
            raise DataError(f"descriptors = {self.descriptors!r} has none of the samples")
        size = len(next(iter(table.values())))  # numbers of a descriptor, and its weight
        numbers = {sample: number for number, sample in enumerate(loaded.used)}

        def with_extras(sample: Sample) -> Sample:
            if "hand" in sample.extras:
                return sample
            overlapping, others = [], []
            for line in hands.get(sample.hand, ()):
                overlaps = line.text in sample.text or sample.text in line.text
                (overlapping if overlaps else others).append(line)
            generator = np.random.default_rng([self.seed, numbers[sample]])
            chosen = generator.permutation(len(others))[:TOLD_LINES].tolist()
            rows = np.zeros((TOLD_LINES, size), np.float32)
            for row, index in enumerate(chosen):
                rows[row] = table[others[index].name]
            fraction = 0.0
            if sample.name not in table:
                fraction = composed_fraction(sample.text, [line.text for line in overlapping])
            extras = {"hand": rows, "composed": np.float32([fraction])}
            return replace(sample, extras=extras | dict(sample.extras))

        samples = changed(loaded.samples, lambda sample: [with_extras(sample)])
        if "train" in samples and self.joined > 1:
            ratios = {}
            for hand, lines in hands.items():
                ratios[hand] = strokes_per_character((line.ink, line.text) for line in lines)
            joined_hands = {hand for hand, ratio in ratios.items() if ratio < MAX_JOINED_STROKES}
            copies = [
                sample.of(f"{sample.name}+{copy}")
                for sample in samples["train"]
                if sample.hand in joined_hands and not sample.extras["composed"].any()
                for copy in range(1, self.joined)
            ]
            samples = samples | {"train": samples["train"] + copies}
        return replace(loaded, samples=samples)

    def _table(self) -> dict[str, np.ndarray]:
        """Return each line's weighted descriptor and weight, `(size,)` float32, by name."""
        try:
            with open_file(self.descriptors) as stream, np.load(stream, allow_pickle=False) as file:
                names, values = file["names"].tolist(), file["values"].astype(np.float32)
            return dict(zip(names, values, strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            remedy = "benchmarks/describe.py makes a file of descriptors"
            raise DataError(f"{self.descriptors}: {first_line(error)}; {remedy}") from None


def composed_fraction(text: str, recorded: Sequence[str]) -> float:
    """Return the fraction of the characters of a text, without blanks, that no line covers.

    `recorded` has the texts of lines. Each line of at least `MIN_OVERLAP` characters covers its
    first occurrence in the text; longer lines go first.
    """
    if any(text in line for line in recorded):
        return 0.0
    uncovered = text
    for line in sorted(recorded, key=len, reverse=True):
        if len(line) >= MIN_OVERLAP:
            uncovered = uncovered.replace(line, "", 1)
    return len(uncovered.replace(" ", "")) / max(len(text.replace(" ", "")), 1)
