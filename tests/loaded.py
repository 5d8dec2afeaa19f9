"""What a dataset loaded, for tests."""

from dataclasses import replace
from pathlib import Path

from base.base_dataset import Loaded
from data_loader.sources.preparing import ShardSource, prepared
from ink.formats.parsed import Parsed
from ink.sample import Sample


def in_files(loaded: Loaded, folder: Path) -> Loaded:
    """Return what was loaded with its samples in a prepared folder in `folder`."""
    making = ShardSource("kind", {}, [loaded.used], lambda used: [Parsed([*used])], is_sorted=False)
    parsed = prepared(making, [folder])
    return replace(loaded, samples=loaded.derived(parsed.all, [1] * len(loaded.used)))


def in_order(loaded: Loaded) -> list[Sample]:
    """Return the samples of all splits by name."""
    return sorted(loaded.used, key=lambda sample: sample.name)
