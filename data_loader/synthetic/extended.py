"""Datasets made of other datasets."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample
from base.base_transform import BaseTransform


@dataclass(kw_only=True, eq=False)
class UnitedDataset(BaseDataset):
    """Two datasets as one dataset, for a recogniser: each split has the samples of both.

    The ink stays in the units of its dataset.

    Args:
        dataset: the first dataset.
        added: the second dataset.
    """

    dataset: BaseDataset
    added: BaseDataset

    @property
    def characters(self) -> str | None:
        return united_characters(self.dataset, self.added)

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        parts = [dataset.load(splits) for dataset in (self.dataset, self.added)]
        samples: dict[str, list[Sample]] = {}
        for loaded in parts:
            for split, part in loaded.samples.items():
                samples[split] = samples.get(split, []) + part
        return Loaded(samples, "\n".join(loaded.report for loaded in parts))


@dataclass(kw_only=True, eq=False)
class ExtendedDataset(BaseDataset):
    """A dataset with additional training lines, which subclasses make.

    Args:
        dataset: supplies validation, test, units and preprocessing, and most training lines.
    """

    dataset: BaseDataset

    def preprocessing(self) -> list[BaseTransform]:
        return self.dataset.preprocessing()


def joined(main: Loaded, lines: list[Sample], summary: str) -> Loaded:
    """Return loaded samples with added training lines, and a summary of these in the report."""
    points = sum(len(line.ink) for line in lines)
    return replace(
        main,
        samples={**main.samples, "train": main.split("train") + lines},
        report=f"{main.report}\njoins the training: {summary}; {points:,} points",
    )


def united_characters(*datasets: BaseDataset) -> str | None:
    """Return the characters of all datasets; None if a dataset does not know its characters."""
    characters = [dataset.characters for dataset in datasets]
    return None if None in characters else "".join(dict.fromkeys("".join(characters)))
