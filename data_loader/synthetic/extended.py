"""Datasets that combine other datasets, or add training lines to a dataset."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample
from base.base_transform import BaseTransform


@dataclass(kw_only=True, eq=False)
class UnitedDataset(BaseDataset):
    """Two datasets as one dataset, for a recogniser: each split has the samples of both datasets.

    The ink of each sample stays in the units of its dataset.

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
        both = [dataset.load(splits) for dataset in (self.dataset, self.added)]
        samples: dict[str, list[Sample]] = {}
        for loaded in both:
            for split, split_samples in loaded.samples.items():
                samples[split] = samples.get(split, []) + split_samples
        return Loaded(samples, "\n".join(loaded.report for loaded in both))


@dataclass(kw_only=True, eq=False)
class ExtendedDataset(BaseDataset):
    """A dataset with additional training lines, which a subclass makes.

    Args:
        dataset: the dataset that supplies validation and test lines, units and preprocessing, and
            to whose training lines the additional lines are added.
    """

    dataset: BaseDataset

    def preprocessing(self) -> list[BaseTransform]:
        return self.dataset.preprocessing()


def with_lines(main: Loaded, lines: list[Sample], summary: str) -> Loaded:
    """Return `main` with `lines` added to its training lines, and `summary` added to its report."""
    points = sum(len(line.ink) for line in lines)
    return replace(
        main,
        samples={**main.samples, "train": main.split("train") + lines},
        report=f"{main.report}\nadded to the training: {summary}; {points:,} points",
    )


def united_characters(*datasets: BaseDataset) -> str | None:
    """Return the characters of all datasets; None if a dataset does not know its characters."""
    characters = [dataset.characters for dataset in datasets]
    return None if None in characters else "".join(dict.fromkeys("".join(characters)))
