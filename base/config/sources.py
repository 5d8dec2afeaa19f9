"""Where the datasets of a config's data loader stand: one at `dataset`, or several at `sources`."""

from collections.abc import Iterator
from typing import Any

from base.config.binder import Named, Objects, Part

LOADER = "data_loader.args"
DATASETS = (f"{LOADER}.dataset.", f"{LOADER}.sources.")
"""What the keys of datasets begin with."""


def named(loader: Part | None) -> dict[str, Part]:
    """Return the parts of the sources of a loader, by name."""
    bound = loader.values.get("sources") if loader else None
    found = bound if isinstance(bound, Objects) else {}
    return {name: part for name, part in found.items() if isinstance(part, Part)}


def main_parts(loader: Part | None) -> Iterator[Part]:
    """Yield the dataset that is validated on, the first of several, and then each time the dataset
    that it is made of: its argument `dataset`."""
    part = loader.values.get("dataset") if loader else None
    if named(loader):
        part = next(iter(_taken(loader, "valid")), None)
    while part := _part(part):
        yield part
        part = part.values.get("dataset")


def _taken(loader: Part, split: str) -> list[Part]:
    """Return the parts of the sources that a split takes, in their order."""
    entries, found = loader.values.get(split), named(loader)
    names: list[str] = []
    for entry in entries if isinstance(entries, list) else ():
        names += entry if isinstance(entry, dict) else [entry]
    return [found[name] for name in names if name in found]


def _part(bound: Any) -> Part | None:
    """Return a part that stands in its place, or is named there; None if there is none."""
    part = bound.part if isinstance(bound, Named) else bound
    return part if isinstance(part, Part) else None
