"""The base of datasets whose training split is joined by lines that are made."""

from dataclasses import dataclass, replace

from base.base_dataset import BaseDataset, Loaded, Sample
from base.base_transform import BaseTransform


@dataclass(kw_only=True, eq=False)
class ExtendedDataset(BaseDataset):
    """Another dataset, whose training split is joined by lines that subclasses make.

    Args:
        dataset: supplies validation, test, units and preprocessing, and most training lines.
    """

    dataset: BaseDataset

    def preprocessing(self) -> list[BaseTransform]:
        return self.dataset.preprocessing()


def joined(main: Loaded, lines: list[Sample], summary: str) -> Loaded:
    """Return what was loaded, its training joined by lines; the report has a summary of them."""
    points = sum(len(line.ink) for line in lines)
    return replace(
        main,
        samples={**main.samples, "train": main.split("train") + lines},
        report=f"{main.report}\njoins the training: {summary}; {points:,} points",
    )
