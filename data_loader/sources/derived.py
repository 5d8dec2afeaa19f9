"""Makes samples of others; where the others are prepared, so are the new ones."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from base.base_dataset import BaseDataset
from base.data.samples import Samples
from data_loader.sources.fetching import digest_of_file
from data_loader.sources.keys import code_of, options_key
from data_loader.sources.preparing import Making, prepared
from ink.formats.parsed import Parsed
from utils.files import user_cache


def make_samples(
    kind: str,
    parents: Sequence[Samples],
    key: Mapping[str, object],
    blocks: Sequence[Any],
    read: Callable[[Any], Iterable[Parsed]],
) -> tuple[Samples, list[Any]]:
    """Return samples that are derived of others, in the order in which they are read, and the notes
    about them. Samples of others in files are prepared, in a folder beside those of the others.

    Args:
        kind: the name with which the folder begins.
        parents: what the samples are made of.
        key: what else they depend on, as values of JSON.
        blocks, read: see `Making`.
    """
    stores = [store for samples in parents for store in samples.stores]
    if not stores or not all(store.key and store.folder for store in stores):
        parsed = [one for block in blocks for one in read(block)]
        samples = Samples.of([sample for one in parsed for sample in one.samples])
        return samples, [note for one in parsed for note in one.notes]
    key = {**key, "parents": [samples.key for samples in parents]}
    making = Making(kind, key, blocks, read, is_sorted=False)
    shards = prepared(making, [stores[0].folder.parent, user_cache()])
    return shards.all, shards.notes


def make_derived(
    dataset: BaseDataset,
    parents: Sequence[Samples],
    depends: Sequence[object],
    read: Callable[[], Iterable[Parsed]],
) -> tuple[Samples, list[Any]]:
    """Return the samples that a dataset derives of others, see `make_samples`.

    Args:
        depends: what the samples depend on, besides the dataset's options and the parents; the
            content counts of a file that a `Path` names.
    """
    contents = [digest_of_file(one) if isinstance(one, Path) else repr(one) for one in depends]
    key = {"options": options_key(dataset), "depends": contents, "code": code_of(type(dataset))}
    return make_samples(type(dataset).__name__, parents, key, [()], lambda _: read())
