"""The interface of all sources of handwriting."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from base.base_transform import BaseTransform
from utils.alphabet import Alphabet, nfc, table
from utils.checks import UserError

SPLITS = ("train", "valid", "test")


class BaseDataset(ABC):
    """Samples of ink with their text, divided into `train`, `valid` and `test`.

    The constructor only takes options; `prepare` reads, parses or makes the samples. Ink is an
    array `(points, 3)` float32 of `(dx, dy, end_of_stroke)` in the source's units, x to the
    right and y downwards, as recorded; its first row, the first point, has the offset (0, 0).
    """

    canonical: tuple[float, float] | None = None
    """Standard deviations (dx, dy), in source units, that define the canonical log-loss."""

    quantisation_step: float | None = None
    """Spacing, in source units, of the grid that points lie on; None if they lie on none."""

    x_height: ClassVar[float | None] = None
    """The x-height in source units, as `utils.ink.x_height` measures it in running text, for
    sources whose lines are not running text; None to measure it in the lines."""

    @property
    def characters(self) -> str | None:
        """Characters that texts of this source may contain; None for those that occur.

        A source that knows them has the same alphabet for any size and seed.
        """
        return None

    def preprocessing(self) -> list[BaseTransform]:
        """Return the default preprocessing for training on this source."""
        return []

    def fit(
        self, checkpoint: Path, alphabet: Alphabet | None, device: torch.device, *, resumed: bool
    ) -> dict[str, float]:
        """Fit the samples to the network that is trained on from a checkpoint, before `prepare`.

        Args:
            checkpoint: its file.
            alphabet: the characters that it knows; None if it takes no text.
            device: to compute on.
            resumed: whether the run of the checkpoint goes on; else a new one begins.

        Returns:
            arguments of the dataset that this determined, for the stored config.
        """
        return {}

    def only(self, split: str) -> "BaseDataset":
        """Return a dataset, not yet prepared, whose `split` is that of this one.

        It need not have the others, nor read what only they are made of.
        """
        return self

    lengths: np.ndarray
    """Number of points of each sample, `(samples,)` int64; available after `prepare`."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the samples available. Does nothing the second time.

        Raises:
            DataError: if the source is missing or broken.
        """

    @abstractmethod
    def split_indices(self) -> dict[str, np.ndarray]:
        """Return the samples of each split as arrays of indices, int64."""

    @abstractmethod
    def ink(self, index: int) -> np.ndarray:
        """Return the ink of one sample as recorded, `(points, 3)` float32."""

    @abstractmethod
    def text(self, index: int) -> str:
        """Return the transcription of one sample."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return the name of one sample, unique within the dataset."""

    def report(self) -> str:
        """Return the counts of each split, and what is left out and why, as lines of text."""
        title = f"{type(self).__name__}: {len(self):,} samples"
        return "\n  ".join([title, *map(self.split_report, self.split_indices())])

    def ends(self, index: int) -> bool:
        """Return whether a sequence ends with the sample's last point, rather than being cut."""
        return True

    def writer(self, index: int) -> str:
        """Return who wrote one sample, or an empty string where the source does not say."""
        return ""

    def group(self, index: int) -> str:
        """Return the form or file that one sample belongs to, or an empty string if to none."""
        return ""

    def hand(self, index: int) -> str:
        """Return whose hand one sample is in: its writer or, where that is unknown, its group."""
        return self.writer(index) or self.group(index)

    def missing(self, index: int) -> np.ndarray:
        """Return how many points are missing before each point, `(points,)` uint8."""
        return np.zeros(self.lengths[index], dtype=np.uint8)

    def indices(self, split: str) -> np.ndarray:
        """Return the indices of the samples of `split`, int64.

        Raises:
            UserError: if there is no such split, naming the existing ones.
        """
        splits = self.split_indices()
        if split not in splits:
            raise UserError(f"no split {split!r}: there are {', '.join(splits)}")
        return splits[split]

    def used(self) -> np.ndarray:
        """Return the samples that are in any split, each once, int64."""
        return np.unique(np.concatenate(list(self.split_indices().values())))

    def split_report(self, split: str) -> str:
        """Return the counts of a split as one line of a report."""
        indices = self.indices(split)
        points = int(self.lengths[indices].sum())
        characters = sum(len(self.text(index)) for index in indices.tolist())
        return f"{split:<6}{len(indices):>8,} lines{points:>12,} points{characters:>10,} characters"

    def character_counts(self) -> dict[str, int]:
        """Return the counts of each character in the texts of all splits, the rare ones first.

        Equal counts are ordered by code point. Texts are in NFC.
        """
        counts = Counter("".join(nfc(self.text(index)) for index in self.used().tolist()))
        return dict(sorted(counts.items(), key=lambda item: (item[1], item[0])))

    def character_report(self, new: Iterable[str] = ()) -> str:
        """Return `character_counts` as lines of text.

        Args:
            new: characters that a checkpoint does not know, which are marked.
        """
        counts = self.character_counts()
        new = counts.keys() & new
        title = f"{len(counts)} different characters, the rare ones first"
        title += f"; * marks {len(new)} that the checkpoint does not know" if new else ""
        return "\n".join(filter(None, [title, table(counts, new)]))

    def __len__(self) -> int:
        return len(self.lengths)
