"""Derives samples from others, and prepares them if the others are prepared."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from base.base_dataset import BaseDataset
from base.data.samples import Samples
from data_loader.sources.keys import code_of, options_key
from data_loader.sources.preparing import ShardSource, prepared
from ink.formats.parsed import Parsed
from utils.files import digest_of_file, user_cache


def make_samples(
    kind: str,
    parents: Sequence[Samples],
    key: Mapping[str, object],
    blocks: Sequence[Any],
    read: Callable[[Any], Iterable[Parsed]],
) -> tuple[Samples, list[Any]]:
    """Return samples that are derived from others, in the order of reading, and their notes. If the
    parents are in prepared folders, a new prepared folder is written next to these.

    Args:
        kind: the name with which the folder begins.
        parents: the samples from which the samples are derived.
        key: all else on which the samples depend, as values of JSON.
        blocks, read: see `ShardSource`.
    """
    stores = [store for samples in parents for store in samples.stores]
    if not stores or not all(store.key and store.folder for store in stores):
        results = [parsed for block in blocks for parsed in read(block)]
        samples = Samples.of([sample for parsed in results for sample in parsed.samples])
        return samples, [note for parsed in results for note in parsed.notes]
    key = {**key, "parents": [samples.key for samples in parents]}
    source = ShardSource(kind, key, blocks, read, is_sorted=False)
    shards = prepared(source, [stores[0].folder.parent, user_cache()])
    return shards.all, shards.notes


def make_derived(
    dataset: BaseDataset,
    parents: Sequence[Samples],
    depends: Sequence[object],
    read: Callable[[], Iterable[Parsed]],
) -> tuple[Samples, list[Any]]:
    """Return the samples that a dataset derives from others, see `make_samples`.

    Args:
        depends: values on which the samples depend, in addition to the dataset's options and the
            parents; a `Path` stands for the content of its file.
    """
    contents = [
        digest_of_file(value) if isinstance(value, Path) else repr(value) for value in depends
    ]
    key = {"options": options_key(dataset), "depends": contents, "code": code_of(type(dataset))}
    return make_samples(type(dataset).__name__, parents, key, [()], lambda _: read())
