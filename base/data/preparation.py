"""How data are prepared before a training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preparing:
    """In how many processes data are prepared, and which part of them."""

    workers: int = 1
    """The number of processes that parse side by side."""
    part: int = 1
    """Which of `parts` is made, from 1."""
    parts: int = 1
    is_examined: bool = False
    """Whether what is there is compared with its digests, else only with its sizes."""
