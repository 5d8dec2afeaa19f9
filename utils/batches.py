"""Batches of lines of similar length, which need less padding."""

from collections.abc import Iterator, Sequence

from tqdm import tqdm

BATCH_SIZE = 64
"""Lines that are read, aligned or written in one batch (assumed: a few hundred megabytes at
most)."""


def by_length(
    lengths: Sequence[int], description: str, *, progress: bool = False
) -> Iterator[list[int]]:
    """Yield the numbers of lines, those of similar length together, with a progress bar if asked.

    Args:
        lengths: of the lines.
        description: of the bar.
        progress: show it.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    options = {"desc": description, "unit": "line", "leave": False}
    with tqdm(total=len(order), disable=None if progress else True, **options) as bar:
        for start in range(0, len(order), BATCH_SIZE):
            numbers = order[start : start + BATCH_SIZE]
            yield numbers
            bar.update(len(numbers))
