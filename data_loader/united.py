"""Several datasets as one."""

from collections.abc import Collection
from dataclasses import dataclass

from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample


@dataclass(kw_only=True, eq=False)
class UnitedDataset(BaseDataset):
    """Several datasets as one, for a recogniser: each split has the samples of all.

    Their ink stays in the units of each.

    Args:
        datasets: at least one.
    """

    datasets: list[BaseDataset]

    @property
    def characters(self) -> str | None:
        known = [dataset.characters for dataset in self.datasets]
        return None if None in known else "".join(dict.fromkeys("".join(known)))

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        samples: dict[str, list[Sample]] = {}
        reports = []
        for dataset in self.datasets:
            loaded = dataset.load(splits)
            reports.append(loaded.report)
            for split, part in loaded.samples.items():
                samples[split] = samples.get(split, []) + part
        return Loaded(samples, "\n".join(reports))
