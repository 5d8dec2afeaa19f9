"""Datasets kept in memory, by themselves or joining the training of another."""

from abc import abstractmethod
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform


@dataclass(frozen=True)
class Sample:
    """One sample: what the methods of `BaseDataset` of the same names return."""

    ink: np.ndarray
    text: str
    name: str = ""
    writer: str = ""
    group: str = ""
    ends: bool = True
    missing: np.ndarray | None = None
    """None: no point is missing."""

    def of(self, name: str) -> "Sample":
        """Return it under another name."""
        return replace(self, name=name)


class LinesDataset(BaseDataset):
    """Samples kept in memory; subclasses make them."""

    _lines: tuple[Sample, ...] = ()
    _only: str | None = None
    """The one split that is made, if it is one."""

    @abstractmethod
    def make(self) -> Iterable[Sample]:
        """Yield the lines. Called once, by `prepare`.

        Raises:
            DataError: if what they are made of is missing or broken.
        """

    def prepare(self) -> None:
        """Make the lines. Does nothing the second time."""
        if not self._lines:
            self._keep(tuple(self.make()))

    def _alone(self, split: str, dataset: BaseDataset) -> "LinesDataset":
        """Return this dataset, which is made of `dataset`, for a single split."""
        made = copy(self)
        vars(made).update(dataset=dataset.only(split), _only=split)
        return made

    def _keep(self, lines: tuple[Sample, ...]) -> None:
        self.lengths = np.array([len(line.ink) for line in lines], dtype=np.int64)
        self._lines = lines

    def _value(self, what: str, index: int) -> Any:
        """Return what the method of `BaseDataset` of this name does."""
        return getattr(self._lines[index], what)

    def ink(self, index: int) -> np.ndarray:
        return self._value("ink", index).copy()

    def missing(self, index: int) -> np.ndarray:
        missing = self._value("missing", index)
        return super().missing(index) if missing is None else missing.copy()

    def text(self, index: int) -> str:
        return self._value("text", index)

    def name(self, index: int) -> str:
        return self._value("name", index)

    def writer(self, index: int) -> str:
        return self._value("writer", index)

    def group(self, index: int) -> str:
        return self._value("group", index)

    def ends(self, index: int) -> bool:
        return self._value("ends", index)


@dataclass(kw_only=True, eq=False)
class ExtendedDataset(LinesDataset):
    """Another dataset, whose training split is joined by lines that subclasses make.

    Args:
        dataset: supplies validation, test, units and preprocessing, and most training lines.
    """

    dataset: BaseDataset
    summary: str = field(default="", init=False)
    """What joins the training, for the report; set by `make`."""

    def preprocessing(self) -> list[BaseTransform]:
        return self.dataset.preprocessing()

    def only(self, split: str) -> BaseDataset:
        return self if split == "train" else self.dataset.only(split)

    def prepare(self) -> None:
        """Prepare the dataset, and make the lines. Does nothing the second time."""
        if not self._lines:
            self.dataset.prepare()
            self.canonical = self.dataset.canonical
            self.quantisation_step = self.dataset.quantisation_step
            super().prepare()
            self.lengths = np.concatenate([self.dataset.lengths, self.lengths])

    def _value(self, what: str, index: int) -> Any:
        before = len(self.dataset)
        if index < before:
            return getattr(self.dataset, what)(index)
        return super()._value(what, index - before)

    def split_indices(self) -> dict[str, np.ndarray]:
        splits = self.dataset.split_indices()
        made = np.arange(len(self.dataset), len(self), dtype=np.int64)
        return splits | {"train": np.concatenate([splits["train"], made])}

    def report(self) -> str:
        points = int(self.lengths[len(self.dataset) :].sum())
        return f"{self.dataset.report()}\njoins the training: {self.summary}; {points:,} points"
