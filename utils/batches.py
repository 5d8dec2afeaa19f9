"""Lines by length, many at a time: less padding."""

from collections.abc import Iterator, Sequence

from tqdm import tqdm

TOGETHER = 64
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
    hidden = None if progress else True
    with tqdm(total=len(order), desc=description, unit="line", leave=False, disable=hidden) as bar:
        for start in range(0, len(order), TOGETHER):
            numbers = order[start : start + TOGETHER]
            yield numbers
            bar.update(len(numbers))
