"""What a dataset loaded, for tests."""

from dataclasses import replace
from pathlib import Path

from base.base_dataset import Loaded
from data_loader.sources.cache import CacheKey, columns_of
from ink.sample import Parsed, Sample


def in_files(loaded: Loaded, folder: Path) -> Loaded:
    """Return what was loaded with its samples in a prepared folder in `folder`."""
    stored = columns_of(CacheKey("kind", {}, [folder]), [[Parsed([*loaded.used])]], iter)
    return replace(loaded, samples=loaded.derived(stored.all, [1] * len(loaded.used)))


def in_order(loaded: Loaded) -> list[Sample]:
    """Return the samples of all splits by name."""
    return sorted(loaded.used, key=lambda sample: sample.name)
