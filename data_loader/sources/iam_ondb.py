"""The IAM On-Line Handwriting Database (IAM-OnDB): lines of English written on a whiteboard.

The archives of the database's site are read, packed or unpacked (`ink.formats.iam_ondb`).

Two forms of the official archives are left out, since they have different numbers of texts and of
line files: a08-551z in trainset (8 texts, 9 files) and z01-000z in no set (1 text, 8 files). All
texts are ASCII without XML or HTML entities, so they are used unchanged.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from base import distributed
from base.base_dataset import SPLITS
from base.base_transform import BaseTransform
from base.data.samples import Samples
from data_loader.sources.source import Places, SourceDataset
from data_loader.transforms.augmentation import CutLongSteps, FillMissing
from ink.formats.checks import decode
from ink.formats.files import files_below, read_file
from ink.formats.iam_ondb import (
    FORM,
    LINE_FILE,
    TEXT_FILE,
    parse_line,
    parse_texts,
    with_texts,
)
from ink.guard.files import parse_files
from ink.sample import Fault, Parsed
from utils.checks import ConfigFault, DataError, first_of
from utils.licences import RESEARCH_ONLY

SITE = "https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database"
TEXTS = "ascii"
"""The name of the folder of texts."""
ARCHIVE_END = "-all.t"
"""What follows a folder's name in that of its archive, before `ar.gz` and the like."""
TaskSet = Literal["trainset", "testset_v", "testset_t", "testset_f"]
TASK_SETS: tuple[TaskSet, ...] = get_args(TaskSet)
PAPER_SPLITS: dict[str, list[TaskSet]] = {
    "train": ["trainset", "testset_t", "testset_f"],
    "valid": ["testset_v"],
    "test": ["testset_v"],
}
"""The paper's protocol for generation, in which the validation set is the test set."""
MAX_STEP = 2000.0
"""Length in sensor units to which longer steps are cut by default (assumed: the paper does not give
its threshold). Cutting hardly changes the normalisation: 1 step between strokes in 10,000 is longer
than 2,076, and the only such step within a stroke is a glitch of 2,466 (measured)."""


@dataclass(kw_only=True, eq=False)
class IAMOnDBDataset(SourceDataset):
    """Lines of IAM-OnDB with their transcriptions.

    Ink is in sensor units of the whiteboard; coordinates are whole numbers. These files do not
    say who wrote, so `writer` is empty; `group` is the form. The list "iam_ondb_misfits" for
    `leave_out` comes with the project and names lines whose ink and text do not match. With
    `strict`, it is also an error if a form that a task file names is missing.

    Args:
        root: folder with `lineStrokes-all.tar.gz`, `ascii-all.tar.gz` and the task files
            `trainset.txt`, `testset_v.txt`, `testset_t.txt`, `testset_f.txt`; unpacked folders may
            replace the archives. Folders up to two levels deeper are searched as well. An archive
            is preferred to its folder, since a folder that lacks files would cause no error.
        splits: which task files make up `train`, `valid` and `test`; None takes the paper's
            splits: `testset_v` for `valid` and `test`, the other files for `train`.

    Raises:
        ConfigFault: if a split in `splits` is unknown, `train` or `valid` is missing, or a task
            file is in `train` and another split.
    """

    title = "IAM-OnDB"
    licence = RESEARCH_ONLY
    unit = "lines"
    is_one_block = True  # Texts stand in other files than their lines.
    may_be_prepared = False  # Prepared data lack the task files.
    canonical = (41.95, 37.12)  # standard deviations over the training set: all lines, steps uncut

    root: str = "data/iam_ondb"
    splits: dict[str, list[TaskSet]] | None = None

    def __post_init__(self) -> None:
        self._sets = PAPER_SPLITS if self.splits is None else self.splits
        _check_splits(self._sets)

    def find(self) -> list[Path]:
        """Find the files of lines and of texts, in `root` or up to two levels below."""
        strokes = self._files_of("lineStrokes", LINE_FILE)
        texts = self._files_of(TEXTS, TEXT_FILE)
        self._check_present(strokes, texts, self._tasks())
        return [*strokes, *texts]

    def divided_by(self) -> list[Path]:
        return [file for (file,) in self._tasks().values()]

    def _check_present(
        self, strokes: list[Path], texts: list[Path], tasks: Mapping[str, list[Path]]
    ) -> None:
        """Raise a DataError that names the missing files, and says where they are to be had."""
        needed = {"lineStrokes-all.tar.gz": strokes, "ascii-all.tar.gz": texts}
        needed |= {f"{name}.txt": file for name, file in tasks.items()}
        if lacking := [name for name, files in needed.items() if not files]:
            raise DataError(
                f"IAM-OnDB: {self._path} has no {', no '.join(lacking)}. Register (free for "
                f"non-commercial research) at {SITE}, download lineStrokes-all.tar.gz and "
                "ascii-all.tar.gz, and the files of the task IAM-OnDB-t1, "
                f"{', '.join(f'{name}.txt' for name in TASK_SETS)}; put them, without unpacking, "
                f"into {self._path} (or name their folder with --data)"
            )

    def _files_of(self, name: str, file_name: re.Pattern[str]) -> list[Path]:
        """Return the archive called `name`-all; without it, the files in a folder called `name`."""
        if archives := self._matching(f"{name}{ARCHIVE_END}*"):
            return archives[:1]
        files_by_folder = (files_below(folder, file_name) for folder in self._matching(name))
        return next(filter(None, files_by_folder), [])

    def _tasks(self) -> dict[str, list[Path]]:
        """Return the file of each task that is used, by name; an empty list if it is missing."""
        used = sorted(set().union(*self._sets.values()))
        return {name: self._matching(f"{name}.txt")[:1] for name in used}

    def _matching(self, pattern: str) -> list[Path]:
        """Return files and folders whose names match a pattern, in order of depth below `root`."""
        paths: list[Path] = []
        for folders in ("", "*/", "*/*/"):
            paths += sorted(self._path.glob(f"{folders}{pattern}"))
        return [path for path in paths if path.is_file() or path.is_dir()]

    def read(self, files: list[Path], workers: int = 1) -> Iterator[Parsed]:
        """Yield all lines with their texts; the files are one block."""
        texts = [*filter(_has_texts, files)]
        strokes = [*filterfalse(_has_texts, files)]
        source = strokes[0] if len(strokes) == 1 else self._path
        # One worker is enough for the texts, which are few and small.
        parsed_texts = parse_files(
            parse_texts, texts, TEXT_FILE, "reading texts", self.max_gb, bar=distributed.bar
        )
        parsed_lines = parse_files(
            parse_line,
            strokes,
            LINE_FILE,
            "parsing IAM-OnDB",
            self.max_gb,
            workers,
            distributed.bar,
        )
        yield with_texts(source, parsed_lines, parsed_texts)

    def _divide(self, samples: Samples, faults: Sequence[Fault]) -> tuple[Places, list[str]]:
        """Divide lines by the forms that the task files name."""
        forms = {name: set(_read_task(file)) for name, (file,) in self._tasks().items()}
        groups = [*samples.strings("group")]
        present = {*groups, *(fault.name.rpartition("-")[0] for fault in faults)}
        notes = [
            f"{len(absent):,} forms of {name} are missing: {first_of(sorted(absent))}"
            for name, listed in forms.items()
            if (absent := listed - present)
        ]
        if self.strict and notes:
            raise DataError(f'{"; ".join(notes)}; the other forms are used if "strict" is false')
        forms_of = {
            split: set().union(*(forms[name] for name in sets))
            for split, sets in self._sets.items()
        }
        for split in ("valid", "test"):
            if both := forms_of["train"] & forms_of.get(split, set()):
                raise DataError(f"the task files put form {min(both)} into train and {split}")
        places = {
            split: np.flatnonzero([group in split_forms for group in groups])
            for split, split_forms in forms_of.items()
        }
        used = set().union(*forms_of.values())
        if unused := sum(group not in used for group in groups):
            notes.append(f"{unused:,} lines are in none of the task files used")
        return places, notes

    def preprocessing(self) -> list[BaseTransform]:
        """Return the paper's preprocessing: fill in missing points, then cut long steps."""
        return [FillMissing(), CutLongSteps(threshold=MAX_STEP)]


def _has_texts(file: Path) -> bool:
    """Return whether a file is the archive of the texts or one of them, and not of the lines."""
    return (
        file.name.startswith(f"{TEXTS}{ARCHIVE_END}") or TEXT_FILE.fullmatch(file.name) is not None
    )


def _read_task(file: Path) -> list[str]:
    """Return the forms that a task file names."""
    try:
        forms = decode(read_file(file)).split()
    except Fault as fault:
        raise fault.within(str(file)) from None
    if bad := next((form for form in forms if not re.fullmatch(FORM, form)), None):
        raise DataError(f"{file}: {bad!r} is not the name of a form, such as a01-000u")
    return forms


def _check_splits(splits: Mapping[str, Sequence[str]]) -> None:
    """Raise a ConfigFault unless `splits` is valid for `IAMOnDBDataset`."""
    if not {"train", "valid"} <= splits.keys() <= set(SPLITS):
        raise ConfigFault("splits", dict(splits), "task files for train, valid and optionally test")
    for split in ("valid", "test"):
        if both := set(splits["train"]).intersection(splits.get(split, ())):
            raise ConfigFault("splits", min(both), f"in train or in {split}, not in both")
