"""Two datasets as one."""

from collections.abc import Collection
from dataclasses import dataclass

from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample


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
        characters = [dataset.characters for dataset in self._both]
        return None if None in characters else "".join(dict.fromkeys("".join(characters)))

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        parts = [dataset.load(splits) for dataset in self._both]
        samples: dict[str, list[Sample]] = {}
        for loaded in parts:
            for split, part in loaded.samples.items():
                samples[split] = samples.get(split, []) + part
        return Loaded(samples, "\n".join(loaded.report for loaded in parts))
