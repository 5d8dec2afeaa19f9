"""Datasets of UNIPEN files and collections."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated

import numpy as np

from base import distributed
from base.data.samples import Samples
from data_loader.sources.source import DividedDataset, Places
from ink import guard
from ink.formats.archives import members
from ink.formats.files import files_below
from ink.formats.unipen.collection import (
    ANY_NAME,
    READING,
    is_collection,
    joined,
    open_collection,
    packed_collection,
    parse_collection,
    parse_document,
)
from ink.formats.unipen.segments import parse_file
from ink.guard.files import in_children
from ink.sample import Fault, Parsed
from utils.checks import ConfigFault, DataError, Range
from utils.licences import OPEN

_NO_LABEL = "a segment without a label"


@dataclass(kw_only=True, eq=False)
class UnipenDataset(DividedDataset):
    """Labelled segments of UNIPEN files.

    A published collection (`data` and `include`) is read whole, but each piece of ink only once: in
    the longest text that contains it. Writers of related contributors are the same person if they
    have the same name. Two lists for `leave_out` come with the project: "unipen_misfits" names
    samples whose ink and label do not match, "unipen_hard" samples that are too hard to read for a
    network to learn writing from them.

    Args:
        root: a file, a folder with files (also in folders below), a collection, its archive, or the
            folder of its archive. Files that are not UNIPEN are left out, and named.
        level: the level of the segments that become samples, such as "DIGIT", "WORD" or "LINE".
            None takes the level LINE if a file has it, or else the level with the fewest segments.
        writer_comment: index, from 0, of the word that names the writer in the comment after a
            segment (1 in the UCI pen digits); None takes `.WRITER_ID`.
        points_per_second: rate to which strokes are resampled along straight lines, so that speed
            means the same for all devices. Ink is left out if its rate is unknown, or not from 40
            to 1000. None keeps the points as they are.
        categories: categories of a collection to use, such as ["8", "7"]; ink that is in several of
            them is taken from the first. None uses all.
        contributors: contributors of a collection to use, such as ["app", "ced"]; None uses all.
        held_out: contributors whose samples are all in `test`; None holds out no contributor.

    Raises:
        ConfigFault: if `load` finds no sample of one of `contributors` or `held_out`.
    """

    title = "UNIPEN"
    licence = OPEN
    parsed_by = ("level", "writer_comment", "points_per_second", "categories")

    root: str = "data/unipen"
    level: str | None = None
    writer_comment: Annotated[int, Range(0, 100)] | None = None
    points_per_second: Annotated[float, Range(10, 1000)] | None = None
    categories: list[str] | None = None
    contributors: list[str] | None = None
    held_out: list[str] | None = None

    @cached_property
    def _path(self) -> Path:
        """The collection that `root` is or, alone, has in it; else `root`."""
        root = super()._path
        if is_collection(root) or not root.is_dir():
            return root
        archives = [*filter(is_collection, files_below(root, self.file_names))]
        return archives[0] if len(archives) == 1 else root

    def find(self) -> list[Path]:
        files = super().find()
        archives = [] if is_collection(self._path) else [*filter(is_collection, files)]
        return archives or files

    @property
    def is_one_block(self) -> bool:  # It depends on the root.
        """Whether the root is a collection."""
        return is_collection(self._path)

    def read(self, files: list[Path], workers: int = 1) -> Iterable[Parsed]:
        if is_collection(self._path):
            return [self._collected(workers).require_text(_NO_LABEL)]
        if archive := next(filter(is_collection, files), None):
            raise DataError(f"{archive}: one of several archives; give the path of one archive")
        return super().read(files)

    def _collected(self, workers: int) -> Parsed:
        """Parse the collection in child processes, see `parse_files`."""
        max_bytes = int(self.max_gb * 1e9)
        options = {"limits": guard.USUAL_LIMITS.times(self.max_gb), "bar": distributed.bar}
        try:
            if self._path.is_dir():
                collection = open_collection(self._path)
            elif workers == 1:
                chosen = self.categories, self.points_per_second
                all_of_it = self._path, *chosen, max_bytes, guard.Bar
                return guard.call(parse_collection, *all_of_it, **options)
            else:
                one_by_one = self._path, ANY_NAME, READING, max_bytes, guard.Bar
                packed = guard.iterate(members, *one_by_one, **options)
                collection = packed_collection(self._path, packed)
            documents = collection.opened(self.categories, distributed.bar)
            parse = partial(parse_document, self.points_per_second)
            return joined(in_children(parse, documents, self.max_gb, workers))
        except Fault as fault:
            raise fault.within(str(self._path)) from None

    def _parse(self, name: str, file: Path) -> Parsed:
        parsed = guard.call(
            parse_file, file, self.points_per_second, self.level, self.writer_comment
        )
        if self.writer_comment is not None:  # Each file numbers its writers anew.
            samples = []
            for sample in parsed.samples:
                samples.append(replace(sample, writer=f"{name}:{sample.writer}"))
            parsed = replace(parsed, samples=samples)
        return parsed.require_text(_NO_LABEL).within(name, group=name)

    def _divide(self, samples: Samples, faults: Sequence[Fault]) -> tuple[Places, list[str]]:
        groups = np.array([*samples.strings("group")])
        counts = Counter(groups.tolist())
        for key in ("contributors", "held_out"):
            named = getattr(self, key) or ()
            if unknown := {*named} - counts.keys():
                raise ConfigFault(key, min(unknown), f"one of {', '.join(sorted(counts))}")
        held_out = {*(self.held_out or ())}
        used = counts.keys() & set(self.contributors or counts)
        is_held_out = np.isin(groups, [*held_out])
        others = np.flatnonzero(~is_held_out)
        parts, notes = super()._divide(samples.take(others), faults)
        parts = {split: others[places] for split, places in parts.items()}
        if held_out:
            no_places = others[:0]
            tested = [parts.get("test", no_places), np.flatnonzero(is_held_out)]
            parts["test"] = np.concatenate(tested)
        if is_collection(self._path):
            listed = (f"{name} {count:,}" for name, count in sorted(counts.items()))
            notes.append(f"by contributor: {', '.join(listed)}")
        is_used = np.isin(groups, [*used])
        return {split: places[is_used[places]] for split, places in parts.items()}, notes
