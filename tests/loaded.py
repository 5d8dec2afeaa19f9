"""What a dataset loaded, for tests."""

from base.base_dataset import Loaded, Sample


def in_order(loaded: Loaded) -> list[Sample]:
    """Return the samples of all splits by name."""
    return sorted(loaded.used, key=lambda sample: sample.name)
