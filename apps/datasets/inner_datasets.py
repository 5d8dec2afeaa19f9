"""Finds the dataset of a kind in a config whose datasets are made of others."""

from base.base_dataset import BaseDataset


def dataset_within(dataset: BaseDataset, kind: type[BaseDataset]) -> BaseDataset | None:
    """Return the first dataset of a class that `dataset` is or is made of, None if there is none.

    The parts of a recipe come in the order of its sources.
    """
    if isinstance(dataset, kind):
        return dataset
    parts = [*getattr(dataset, "sources", {}).values(), *vars(dataset).values()]
    matches = (dataset_within(part, kind) for part in parts if isinstance(part, BaseDataset))
    return next(filter(None, matches), None)
