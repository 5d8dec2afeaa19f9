"""Where the datasets of a config's data loader stand: one at `dataset`, or several at `sources`."""

from collections.abc import Iterator

from base.config.binder import Named, Part

LOADER = "data_loader.args"
DATASET = f"{LOADER}.dataset"
"""The key of the only dataset, in which others may be nested."""
DATASETS = (f"{DATASET}.", f"{LOADER}.sources.")
"""What the keys of datasets begin with."""


def main_parts(loader: Part) -> Iterator[Part]:
    """Yield the dataset that is validated on, the first of several, and then each time the dataset
    that it is made of: its argument `dataset`."""
    part = loader.values.get("dataset")
    if loader.values.get("sources"):
        part = next(iter(_taken(loader, "valid")), None)
    while part := _part(part):
        yield part
        part = part.values.get("dataset")


def present_key(loader: Part, key: str) -> str | None:
    """Return the key, in a config with `sources`, of what has `key` in a config of former versions,
    whose datasets were nested in `dataset`; None if there is no such key.

    Several sources were one dataset, whose `dataset` was the first, and `added` the others.
    """
    parts, (end, *names) = _taken(loader, "train"), key.removeprefix(DATASET).split(".args.")
    for number, name in enumerate(names):
        name, dot, rest = name.partition(".")
        if len(parts) > 1 and name in ("dataset", "added"):
            parts = parts[:1] if name == "dataset" else parts[1:]
        elif len(parts) == 1 and (part := _part(parts[0].values.get(name))):
            parts = [part]
        elif len(parts) == 1 and name in parts[0].arguments.accepted:
            return ".args.".join([parts[0].key, *names[number:]])
        else:
            return None
        end = dot + rest
    return parts[0].key + end if len(parts) == 1 else None


def _taken(loader: Part, split: str) -> list[Part]:
    """Return the parts of the sources that a split takes, in their order."""
    names = [
        name
        for entry in loader.values.get(split) or ()
        for name in ([entry] if isinstance(entry, str) else entry)
    ]
    return [part for name in names if (part := _part(loader.values["sources"].get(name)))]


def _part(bound: object) -> Part | None:
    """Return a part that stands in its place, or is named there; None if there is none."""
    part = bound.part if isinstance(bound, Named) else bound
    return part if isinstance(part, Part) else None
