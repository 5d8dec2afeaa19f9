"""Combines named sources into the splits of a recipe, and adds derived lines to a dataset."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import combinations
from typing import Annotated, Any

from base.base_dataset import SPLITS, BaseDataset, Loaded, Preparing
from base.base_transform import BaseTransform
from base.data.samples import Samples
from data_loader.checks import checked
from data_loader.scaling import scaled, typical_height
from data_loader.sources.cache import derived
from ink.sample import Parsed
from utils.checks import ABSENT, ConfigFault, Range, first_of

SourceNames = Sequence[str | dict[str, Annotated[int, Range(1, 1000)]]]
"""The annotation of the sources of an epoch: names, or by name how often an epoch has a source."""


@dataclass(eq=False)
class Source(BaseDataset):
    """A dataset as a config names it: its samples are checked, and others may be derived from it.

    Args:
        dataset: the dataset.
        like: the source to whose x-height and quantisation grid the lines are scaled; None does not
            scale them. Scaled lines have no writer, and "added/" before their names.
    """

    dataset: BaseDataset
    _: KW_ONLY
    like: BaseDataset | None = None

    def __post_init__(self) -> None:
        # The sources from which the dataset is derived, also indirectly.
        self.ancestors = [*_sources_in([self.like, self.dataset])]
        # By split: several datasets may be derived from this one, which is loaded once.
        self._by_split: dict[str, Loaded] = {}

    def __str__(self) -> str:
        return str(self.dataset)

    @property
    def x_height(self) -> float | None:
        return (self.like or self.dataset).x_height

    @property
    def characters(self) -> str | None:
        return self.dataset.characters

    def preprocessing(self) -> list[BaseTransform]:
        return self.dataset.preprocessing()

    @property
    def fitted(self) -> dict[str, float]:
        """The arguments fitted to a trained network by what was loaded; see `Loaded.fitted`."""
        parts = self._by_split.values()
        return {key: value for part in parts for key, value in part.fitted.items()}

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the dataset once, check its samples, and scale them if they are `like` others."""
        by_split = self._by_split
        if new := [split for split in splits if split not in by_split]:
            loaded = checked(self.dataset, {*new, "train"} if self.like else new)
            by_split |= dict.fromkeys(new, self._like(loaded) if self.like else loaded)
        present = [split for split in splits if split in by_split[split].samples]
        samples = {split: by_split[split].samples[split] for split in present}
        return replace(by_split[next(iter(splits))], samples=samples)

    def _like(self, loaded: Loaded) -> Loaded:
        """Return lines scaled to the x-height and the grid of `like`."""
        main = self.like.load(["train"])
        typical = typical_height(self.like, main.split("train"))
        factor = typical / typical_height(self.dataset, loaded.split("train"))
        grid = main.quantisation_step
        depends = ["like", self.version, factor, grid]
        parents = [*loaded.samples.values()]
        scaled_lines = (scaled(line, factor, grid) for line in loaded.used)
        parsed = (Parsed([line], notes=[1]) for line in scaled_lines)
        lines = derived(self.dataset, parents, parsed, depends)
        samples = loaded.derived(lines.all, lines.notes)
        report = f"{loaded.report}\n  scaled by {factor:.4g}, to the height of {self.like}"
        own = {"report": report, "fitted": loaded.fitted, "doubts": loaded.doubts}
        return replace(main, samples=samples, **own)


def _sources_in(value: Any) -> Iterator[Source]:
    """Yield the sources of which a dataset is made, and their ancestors."""
    if isinstance(value, Source):
        yield from (value, *value.ancestors)
    elif isinstance(value, BaseDataset):
        yield from _sources_in(vars(value))
    elif isinstance(value, list | tuple | dict):
        for element in value.values() if isinstance(value, dict) else value:
            yield from _sources_in(element)


Sources = Annotated[dict[str, BaseDataset | None], Source]
"""The annotation of sources by name: a config's datasets, each of which the binder puts into a
`Source`, so that one names another. null leaves out one of a config's base."""


@dataclass(kw_only=True, eq=False)
class Recipe(BaseDataset):
    """Sources as one dataset.

    A sample is in a split once, even if several of the split's sources have the sample, such as a
    source of recorded lines and a source that adds lines to it. With `{"NAME": 2}` in `train`, the
    samples of a source are in the split twice.

    Args:
        sources: the sources by name; None in place of a source that is left out.
        train, valid, test: names of the sources whose samples the split has, in this order; for
            `train` also, by name, how often an epoch has the samples.

    Raises:
        ConfigFault: if `train` or `valid` has no source, if a split names a source that is missing
            or a source twice, or if a source is not used.
    """

    sources: Mapping[str, Source | None]
    train: SourceNames
    valid: Sequence[str]
    test: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.present = {name: source for name, source in self.sources.items() if source}
        self.repeats = {split: self._repeats(split) for split in SPLITS}
        used = {part for needed in self._needed(SPLITS).values() for part in needed}
        for name, source in self.present.items():
            # Both faults lie in the name alone; `ABSENT` leaves the value out of the message.
            if not name.replace("-", "_").isidentifier():
                expected = "a name of letters, digits, '_' and '-'"
                raise ConfigFault(f"sources.{name}", ABSENT, expected)
            if source not in used:
                expected = "is not used: no split takes it, nor a source that is derived from it"
                raise ConfigFault(f"sources.{name}", ABSENT, expected)

    def _repeats(self, split: str) -> dict[str, int]:
        """Return how often a split has each of its sources, by name."""
        repeats: dict[str, int] = {}
        expected_names = f"names of sources: {', '.join(self.present)}"
        for number, entry in enumerate(getattr(self, split)):
            for name, count in ({entry: 1} if isinstance(entry, str) else entry).items():
                if name in repeats or name not in self.sources:
                    expected = "is named twice" if name in repeats else expected_names
                    raise ConfigFault(f"{split}.{number}", entry, expected)
                repeats[name] = count
        repeats = {name: count for name, count in repeats.items() if name in self.present}
        if not repeats and split != "test":
            raise ConfigFault(split, ABSENT, expected_names)
        return repeats

    def _needed(self, splits: Collection[str]) -> dict[str, set[Source]]:
        """Return for each split its sources and their ancestors."""
        needed = {}
        for split in splits:
            sources = {self.present[name] for name in self.repeats[split]}
            needed[split] = sources.union(*(source.ancestors for source in sources))
        return needed

    @property
    def _main(self) -> Source:
        """The first source to train on."""
        return self.present[next(iter(self.repeats["train"]))]

    @property
    def x_height(self) -> float | None:
        return self._main.x_height

    @property
    def characters(self) -> str | None:
        names = {name: None for repeats in self.repeats.values() for name in repeats}
        return united_characters(*(self.present[name] for name in names))

    def licences(self) -> set[str | None]:
        return set().union(*(source.licences() for source in self.present.values()))

    def preprocessing(self) -> list[BaseTransform]:
        return self._main.preprocessing()

    def prepare(self, preparing: Preparing) -> None:
        for source in self.present.values():
            source.prepare(preparing)

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load each source once, in order, and return the samples of the splits."""
        splits = [split for split in splits if split in self.repeats]  # others have no samples
        needed = self._needed(splits)
        loaded: dict[str, Loaded] = {}
        for name, source in self.present.items():
            if any(name in self.repeats[split] for split in splits):
                needing = [split for split in splits if source in needed[split]]
                loaded[name] = source.load(needing)
        # Of all sources, as some were loaded for others alone.
        fitted: dict[str, float] = {}
        for name, source in self.present.items():
            fitted |= {f"{name}.args.{key}": value for key, value in source.fitted.items()}
        parts = {split: self._parts(split, loaded) for split in splits if self.repeats[split]}
        samples = {split: sum(of.values(), Samples()) for split, of in parts.items()}
        lines = [line for dataset in loaded.values() for line in dataset.report.splitlines()]
        whole, *others = loaded.values() or [Loaded({}, "")]
        if others:
            units = {(dataset.quantisation_step, dataset.canonical) for dataset in loaded.values()}
            whole = Loaded({}, "", *(units.pop() if len(units) == 1 else ()))
        return replace(
            whole,
            samples=samples,
            report="\n".join(dict.fromkeys([*lines, *table(parts)])),
            fitted=fitted,
            doubts=tuple(doubt for dataset in loaded.values() for doubt in dataset.doubts),
        )

    def _parts(self, split: str, loaded: Mapping[str, Loaded]) -> dict[str, Samples]:
        """Return for each source of a split its samples that are in no earlier source."""
        parts = {}
        seen = defaultdict[int, Samples](Samples)  # by the number of the copy
        for name, repeats in self.repeats[split].items():
            samples, parts[name] = loaded[name].samples.get(split, Samples()), Samples()
            for copy in range(repeats):
                new = samples.without(seen[copy])
                seen[copy] += new
                parts[name] += new.with_suffix(f"+{copy}") if copy else new
        return parts


def table(parts: Mapping[str, Mapping[str, Samples]]) -> list[str]:
    """Return the lines of a report: for each split, the size of each source's part; and the persons
    that two splits share."""
    lines = [f"{'':<6}{'source':<16}{'lines':>9}{'points':>12}{'persons':>9}  of an epoch"]
    persons: dict[str, set[str]] = defaultdict(set)
    for split, by_source in parts.items():
        total = sum(map(len, by_source.values()))
        for name, samples in by_source.items():
            points, writers = int(samples.lengths.sum()), persons_of(samples)
            row = f"{split:<6}{name:<16}{len(samples):>9,}{points:>12,}{len(writers) or '?':>9}"
            fraction = f"{len(samples) / max(total, 1):>13.1%}" if split == "train" else ""
            lines.append(row + fraction)
            persons[split] |= writers
    for split, other in combinations(persons, 2):
        if both := sorted(persons[split] & persons[other]):
            names = f"{len(both):,} persons: {first_of(both)}"
            lines.append(f"in {split} and {other} are lines of {names}")
    return lines


def persons_of(samples: Samples) -> set[str]:
    """Return the known names of the persons who wrote samples."""
    return {*samples.cached("persons", lambda: sorted({*samples.strings("writer")} - {""}))}


@dataclass(kw_only=True, eq=False)
class ExtendedDataset(BaseDataset):
    """A dataset with additional training lines, which a subclass makes.

    Args:
        dataset: the dataset that supplies validation and test lines, units and preprocessing, and
            to whose training lines the additional lines are added.
    """

    dataset: BaseDataset

    def preprocessing(self) -> list[BaseTransform]:
        return self.dataset.preprocessing()

    def _extended(
        self,
        main: Loaded,
        samples: Iterable[Parsed],
        other_parents: Sequence[Samples] = (),
        depends: Sequence[object] = (),
    ) -> Loaded:
        """Return `main` with derived training lines, and with their summary, the only note of
        `samples`; see `cached`."""
        parents = [main.split("train"), *other_parents]
        lines = derived(self, parents, samples, depends)
        return with_lines(main, lines.all, *lines.notes)


def with_lines(main: Loaded, lines: Samples, summary: str) -> Loaded:
    """Return `main` with `lines` added to its training lines, and `summary` added to its report."""
    points = int(lines.lengths.sum())
    return replace(
        main,
        samples={**main.samples, "train": main.split("train") + lines},
        report=f"{main.report}\nadded to the training: {summary}; {points:,} points",
    )


def united_characters(*datasets: BaseDataset) -> str | None:
    """Return the characters of all datasets; None if a dataset does not know its characters."""
    characters = [dataset.characters for dataset in datasets]
    return None if None in characters else "".join(dict.fromkeys("".join(characters)))
