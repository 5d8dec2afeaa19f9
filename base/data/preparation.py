"""How data are prepared before a training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preparing:
    """The number of processes that prepare data, and the part of the data that they prepare."""

    workers: int = 1
    """The number of processes that parse side by side."""
    part: int = 1
    """The number of the part, from 1 to `parts`."""
    parts: int = 1
    is_examined: bool = False
    """Whether files that exist are compared with their digests; else only their sizes are."""
