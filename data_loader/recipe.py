"""What an epoch is made of: sources by name, and datasets that are made of other datasets."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from inspect import Parameter
from itertools import combinations
from typing import Annotated, Any

from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.base_transform import BaseTransform
from base.config.binder import Signature
from base.data.preparation import Preparing
from base.data.samples import Samples
from data_loader.checking import load_checked
from data_loader.matching import scaled, typical_height
from data_loader.sources.preparing import make_derived
from ink.formats.parsed import Parsed
from utils.checks import ABSENT, ConfigFault, Range, first_of

Taken = Sequence[str | dict[str, Annotated[int, Range(1, 1000)]]]
"""The annotation of what an epoch has: names of sources, or how often it has them by name."""


@dataclass(eq=False)
class Source(BaseDataset):
    """A dataset with a name, of which others may be made.

    Args:
        dataset: the dataset.
        like: the source to whose x-height and quantisation grid the lines are brought; None leaves
            them as they are. Such lines have no writer, and "added/" before their names.
        made_of: the sources that the dataset is made of, also indirectly.
    """

    dataset: BaseDataset
    like: BaseDataset | None = None
    made_of: Sequence["Source"] = ()
    _cached: dict[str, Loaded] | None = field(default=None, init=False)  # by split

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

    @contextmanager
    def cached(self) -> Iterator[dict[str, Loaded]]:
        """Load no split twice while this is open; yield what is loaded, by split."""
        self._cached = {}
        try:
            yield self._cached
        finally:
            self._cached = None

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        cached = {} if self._cached is None else self._cached
        if new := [split for split in splits if split not in cached]:
            loaded = load_checked(self.dataset, {*new, "train"} if self.like else new)
            cached |= dict.fromkeys(new, self._like(loaded) if self.like else loaded)
        found = {split: cached[split].samples.get(split) for split in splits}
        samples = {split: lines for split, lines in found.items() if lines is not None}
        return replace(cached[next(iter(found))], samples=samples)

    def _like(self, loaded: Loaded) -> Loaded:
        """Return lines in the x-height, and on the grid, of `like`."""
        main = self.like.load(["train"])
        typical = typical_height(self.like, main.split("train"))
        factor = typical / typical_height(self.dataset, loaded.split("train"))
        grid, parents = main.quantisation_step, [*loaded.samples.values()]
        made, counts = make_derived(
            self.dataset,
            parents,
            ["like", factor, grid],
            lambda: (Parsed([scaled(line, factor, grid)], notes=[1]) for line in loaded.used),
        )
        samples = loaded.derived(made, counts)
        report = f"{loaded.report}\n  scaled by {factor:.4g}, to the height of {self.like}"
        return replace(main, samples=samples, report=report, fitted=loaded.fitted)


def _sources_in(value: Any) -> Iterator[Source]:
    """Yield the sources in the arguments of a source, and those that they are made of."""
    if isinstance(value, Source):
        yield from (value, *value.made_of)
    elif isinstance(value, list | tuple | dict):
        for element in value.values() if isinstance(value, dict) else value:
            yield from _sources_in(element)


def as_source(cls: type, signature: Signature) -> Signature:
    """Return the signature of a dataset's class that makes a `Source`, and takes `like`."""
    if not issubclass(cls, BaseDataset):
        return signature

    def construct(*origin: Any, like: BaseDataset | None = None, **args: Any) -> Source:
        dataset = signature.construct(*origin, **args)
        return Source(dataset, like, [*_sources_in([like, args])])

    like = Parameter("like", Parameter.KEYWORD_ONLY, default=None, annotation=BaseDataset | None)
    arguments = {**signature.arguments, "like": like}
    return replace(signature, arguments=arguments, construct=construct)


Sources = Annotated[dict[str, BaseDataset | None], as_source]
"""The annotation of sources by name; null leaves out one of a config's base."""


@dataclass(kw_only=True, eq=False)
class Recipe(BaseDataset):
    """Sources as one dataset.

    A sample that several sources have, as one of recorded lines and one that adds lines to these,
    is in a split once, or as often as a source says that is taken several times.

    Args:
        sources: the sources by name; None in the place of one that is left out.
        train, valid, test: names of the sources whose samples the split has, in this order; for
            `train` also objects with names, and how often an epoch has the samples.

    Raises:
        ConfigFault: if `train` or `valid` takes nothing, or a split takes what is no source, or the
            same one twice; or if a source is not used.
    """

    sources: Mapping[str, Source | None]
    train: Taken
    valid: Sequence[str]
    test: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.present = {name: source for name, source in self.sources.items() if source}
        self.taken = {split: self._times(split) for split in SPLITS}
        used = {part for needed in self._needed(SPLITS).values() for part in needed}
        for name, source in self.present.items():
            if not name.replace("-", "_").isidentifier():
                expected = "a name of letters, digits, '_' and '-'"
                raise ConfigFault(f"sources.{name}", ABSENT, expected)
            if source not in used:
                expected = "is not used: no split takes it, nor anything that is made of it"
                raise ConfigFault(f"sources.{name}", ABSENT, expected)

    def _times(self, split: str) -> dict[str, int]:
        """Return how often a split has each source that it takes."""
        times: dict[str, int] = {}
        known = f"names of sources: {', '.join(self.present)}"
        for number, entry in enumerate(getattr(self, split)):
            for name, count in ({entry: 1} if isinstance(entry, str) else entry).items():
                if name in times or name not in self.sources:
                    expected = "is named twice" if name in times else known
                    raise ConfigFault(f"{split}.{number}", entry, expected)
                times[name] = count
        times = {name: count for name, count in times.items() if name in self.present}
        if not times and split != "test":
            raise ConfigFault(split, ABSENT, known)
        return times

    def _needed(self, splits: Collection[str]) -> dict[str, set[Source]]:
        """Return by split the sources that it takes, and those that these are made of."""
        needed = {}
        for split in splits:
            taken = {self.present[name] for name in self.taken[split]}
            needed[split] = taken.union(*(source.made_of for source in taken))
        return needed

    @property
    def _main(self) -> Source:
        """The first source to train on."""
        return self.present[next(iter(self.taken["train"]))]

    @property
    def x_height(self) -> float | None:
        return self._main.x_height

    @property
    def characters(self) -> str | None:
        taken = {name: None for times in self.taken.values() for name in times}
        return united_characters(*(self.present[name] for name in taken))

    def licences(self) -> set[str | None]:
        return set().union(*(source.licences() for source in self.present.values()))

    def preprocessing(self) -> list[BaseTransform]:
        return self._main.preprocessing()

    def prepare(self, how: Preparing) -> None:
        for source in self.present.values():
            source.prepare(how)

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the sources in their order, each once, and return what the splits take of them."""
        needed = self._needed(splits)
        with ExitStack() as stack:
            cached = {name: stack.enter_context(one.cached()) for name, one in self.present.items()}
            loaded = {
                name: source.load([split for split in splits if source in needed[split]])
                for name, source in self.present.items()
                if any(name in self.taken[split] for split in splits)
            }
        parts = {split: self._parts(split, loaded) for split in splits if self.taken[split]}
        samples = {split: sum(of.values(), Samples()) for split, of in parts.items()}
        lines = [line for one in loaded.values() for line in one.report.splitlines()]
        whole, *others = loaded.values() or [Loaded({}, "")]
        if others:
            units = {(one.quantisation_step, one.canonical) for one in loaded.values()}
            whole = Loaded({}, "", *(units.pop() if len(units) == 1 else ()))
        return replace(
            whole,
            samples=samples,
            report="\n".join(dict.fromkeys([*lines, *table(parts)])),
            fitted={
                f"{name}.args.{key}": value
                for name, by_split in cached.items()
                for part in by_split.values()
                for key, value in part.fitted.items()
            },
        )

    def _parts(self, split: str, loaded: Mapping[str, Loaded]) -> dict[str, Samples]:
        """Return what a split takes of each of its sources that was not in one before."""
        parts = {}
        seen = defaultdict(Samples)  # by the number of the copy
        for name, times in self.taken[split].items():
            samples, parts[name] = loaded[name].samples.get(split, Samples()), Samples()
            for copy in range(times):
                new = samples.without(seen[copy])
                seen[copy] += new
                parts[name] += new.named(f"+{copy}") if copy else new
        return parts


def table(parts: Mapping[str, Mapping[str, Samples]]) -> list[str]:
    """Return the lines of a table of what each split has of each source, and of persons that two
    splits share."""
    lines = [f"{'':<6}{'source':<16}{'lines':>9}{'points':>12}{'persons':>9}  of an epoch"]
    persons: dict[str, set[str]] = defaultdict(set)
    for split, by_source in parts.items():
        total = sum(map(len, by_source.values()))
        for name, samples in by_source.items():
            points, known = int(samples.lengths.sum()), persons_of(samples)
            row = f"{split:<6}{name:<16}{len(samples):>9,}{points:>12,}{len(known) or '?':>9}"
            share = f"{len(samples) / max(total, 1):>13.1%}" if split == "train" else ""
            lines.append(row + share)
            persons[split] |= known
    for split, other in combinations(persons, 2):
        if both := sorted(persons[split] & persons[other]):
            names = f"{len(both):,} persons: {first_of(both)}"
            lines.append(f"in {split} and {other} are lines of {names}")
    return lines


def persons_of(samples: Samples) -> set[str]:
    """Return the names of the persons who wrote samples, as far as they are known."""
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
        read: Callable[[], Iterator[Parsed]],
        others: Sequence[Samples] = (),
        depends: Sequence[object] = (),
    ) -> Loaded:
        """Return `main` with the training lines that `read` makes of it and of others, and with a
        summary of them, its only note; see `make_derived`."""
        parents = [main.split("train"), *others]
        lines, (summary,) = make_derived(self, parents, depends, read)
        return with_lines(main, lines, summary)


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
