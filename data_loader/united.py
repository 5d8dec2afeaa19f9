"""Two datasets as one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from base.base_dataset import BaseDataset


@dataclass(kw_only=True, eq=False)
class UnitedDataset(BaseDataset):
    """Two datasets as one, for a recogniser: each split has the samples of both.

    Their ink stays in the units of each.

    Args:
        dataset: the main one.
        added: the other one.
    """

    dataset: BaseDataset
    added: BaseDataset

    @property
    def _both(self) -> tuple[BaseDataset, BaseDataset]:
        return self.dataset, self.added

    @property
    def characters(self) -> str | None:
        known = [dataset.characters for dataset in self._both]
        return None if None in known else "".join(dict.fromkeys("".join(known)))

    def only(self, split: str) -> BaseDataset:
        return UnitedDataset(dataset=self.dataset.only(split), added=self.added.only(split))

    def prepare(self) -> None:
        for dataset in self._both:
            dataset.prepare()
        self.lengths = np.concatenate([dataset.lengths for dataset in self._both])
        self._stops = np.cumsum([len(dataset) for dataset in self._both])

    def split_indices(self) -> dict[str, np.ndarray]:
        parts: dict[str, list[np.ndarray]] = {}
        for dataset, stop in zip(self._both, self._stops, strict=True):
            for name, part in dataset.split_indices().items():
                parts.setdefault(name, []).append(part + stop - len(dataset))
        return {name: np.concatenate(part) for name, part in parts.items()}

    def _value(self, what: str, index: int) -> Any:
        """Return what the method of `BaseDataset` of this name does."""
        number = int(np.searchsorted(self._stops, index, side="right"))
        dataset = self._both[number]
        return getattr(dataset, what)(index - int(self._stops[number]) + len(dataset))

    def ink(self, index: int) -> np.ndarray:
        return self._value("ink", index)

    def missing(self, index: int) -> np.ndarray:
        return self._value("missing", index)

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

    def report(self) -> str:
        return "\n".join(dataset.report() for dataset in self._both)
