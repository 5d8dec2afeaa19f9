"""Finds the datasets in a config's data loader: one at `dataset`, or several at `sources`."""

from collections.abc import Iterator
from typing import Any

from base.config.binder import BoundClass, NamedObjects, Reference

LOADER = "data_loader.args"
DATASETS = (f"{LOADER}.dataset.", f"{LOADER}.sources.")
"""The beginnings of the keys of datasets."""


def bound_sources(loader: BoundClass | None) -> dict[str, BoundClass]:
    """Return the bound classes of a loader's sources, by name."""
    bound = loader.values.get("sources") if loader else None
    found = bound if isinstance(bound, NamedObjects) else {}
    return {name: source for name, source in found.items() if isinstance(source, BoundClass)}


def main_datasets(loader: BoundClass | None) -> Iterator[BoundClass]:
    """Yield the dataset that is validated on, the first of several, and then each time the dataset
    that it is made of: its argument `dataset`."""
    if loader is None:
        return
    dataset = loader.values.get("dataset")
    if bound_sources(loader):
        dataset = next(iter(_sources_of(loader, "valid")), None)
    while dataset := _class_at(dataset):
        yield dataset
        dataset = dataset.values.get("dataset")


def _sources_of(loader: BoundClass, split: str) -> list[BoundClass]:
    """Return the bound classes of the sources that a split takes, in their order."""
    entries, found = loader.values.get(split), bound_sources(loader)
    names: list[str] = []
    for entry in entries if isinstance(entries, list) else ():
        names += entry if isinstance(entry, dict) else [entry]
    return [found[name] for name in names if name in found]


def _class_at(bound: Any) -> BoundClass | None:
    """Return the bound class at a place, or that whose name stands there; None if there is none."""
    bound_class = bound.target if isinstance(bound, Reference) else bound
    return bound_class if isinstance(bound_class, BoundClass) else None
