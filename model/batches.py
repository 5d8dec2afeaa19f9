"""Batches of lines of similar length, so that little padding is needed."""

from collections.abc import Iterator, Sequence

from tqdm import tqdm

BATCH_SIZE = 64
"""Lines in a batch of reading, aligning or writing (assumed: a few hundred megabytes at most)."""


def by_length(
    lengths: Sequence[int],
    description: str,
    batch_size: int = BATCH_SIZE,
    *,
    progress: bool = False,
) -> Iterator[list[int]]:
    """Yield batches of lines of similar length, each as the indices of its lines.

    Args:
        lengths: the lengths of the lines.
        description: the text of the progress bar.
        batch_size: most lines in a batch.
        progress: whether to show the bar.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    options = {"desc": description, "unit": "line", "leave": False}
    with tqdm(total=len(order), disable=None if progress else True, **options) as bar:
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            yield indices
            bar.update(len(indices))
