"""The IAM On-Line Handwriting Database (IAM-OnDB): lines of English written on a whiteboard.

Read from the archives as downloaded from its site, or from the folders in them. A line is an XML
file such as `lineStrokes/a01/a01-000/a01-000u-01.xml`; the texts of a form are in
`ascii/a01/a01-000/a01-000u.txt` after `CSR:`, the n-th belonging to the file `-0n.xml`.

Two forms of the official archives have another number of texts than of line files and are left
out: a08-551z (8 texts, 9 files; of trainset) and z01-000z (1 text, 8 files; of no set). The texts
contain no XML or HTML entity, and all are ASCII, so they are used unchanged.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from base.base_dataset import SPLITS
from base.base_transform import BaseTransform
from data_loader.sources.archives import Limits, documents
from data_loader.sources.cache import Rejected, Sample, fingerprint
from data_loader.sources.files import MEBIBYTE, check_root, files_below
from data_loader.sources.iam_ondb_parsing import (
    FORM,
    GAP,
    LINE_FILE,
    PERIOD,
    TEXT_FILE,
    parse_line,
    parse_texts,
)
from data_loader.sources.parsing import Fault
from data_loader.sources.source import SourceDataset
from data_loader.transforms.augmentation import CutLongSteps, FillMissing
from utils.checks import ConfigFault, DataError, Range

SITE = "https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database"
SETS = ("trainset", "testset_v", "testset_t", "testset_f")
PAPER_SPLITS = {
    "train": ["trainset", "testset_t", "testset_f"],
    "valid": ["testset_v"],
    "test": ["testset_v"],
}
"""The paper's protocol for generation; it reports on the set on which it validates."""

_TASK_FORM = re.compile(FORM)

LONGEST_STEP = 2000.0
"""Length to which steps are cut by default, in sensor units. The paper does not give its threshold
(assumed; measured: one jump in 10,000 is longer than 2,076, and one step within a stroke, a glitch
of 2,466, so that cutting hardly changes the normalisation)."""


class _Part(NamedTuple):
    """One half of the database: an archive, or a folder with its files."""

    path: Path
    files: list[Path]
    """The archive itself, or all files in the folder."""


def _folders(root: Path) -> Iterator[Path]:
    """Yield `root` and the folders in it where parts may lie, two levels deep."""
    parts = {"lineStrokes", "ascii", "lineImages", "original", "cache"}
    level = [root]
    for _ in range(3):
        yield from level
        level = [
            entry
            for folder in level
            if _can_be_read(folder)
            for entry in sorted(folder.iterdir())
            if entry.is_dir() and entry.name not in parts and not entry.name.startswith(".")
        ]


def _can_be_read(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK)


def _find_part(folders: list[Path], name: str, suffix: str, most: int) -> _Part | None:
    """Return a half of the database: its archive if there is one, else its folder.

    Raises:
        DataError: if the folder has more than `most` files, or cannot be read.
    """
    for folder in folders:
        for archive in (f"{name}-all.tar.gz", f"{name}-all.tgz", f"{name}-all.tar"):
            if (folder / archive).is_file():
                return _Part(folder / archive, [folder / archive])
    for folder in folders:
        whole = folder / name
        if whole.is_dir() and (files := files_below(whole, f"*{suffix}", most)):
            return _Part(whole, files)
    return None


class IAMOnDBDataset(SourceDataset):
    """Lines of IAM-OnDB with their transcriptions.

    Ink is in sensor units of the whiteboard; points are whole numbers. The database names no
    writers in these files, so `writer` is empty; `group` is the form.

    Args:
        root: folder with `lineStrokes-all.tar.gz`, `ascii-all.tar.gz` and the task files
            `trainset.txt`, `testset_v.txt`, `testset_t.txt`, `testset_f.txt`, or with what is in
            the archives. Folders up to two levels deeper are searched as well. If there are an
            archive and a folder, the archive is read: it is either complete or an error.
        cache: folder for the parsed data; None is `cache` in `root` or, where that cannot be
            written, the user's folder for caches.
        splits: which task files make up `train`, `valid` and `test`; as in the paper by default.
        subset: how many lines of the training split to use; None uses all.
        subset_seed: which ones.
        leave_out: text file with the names of lines that are in no split, one a line, such as
            a01-000u-01; what follows a name after a blank, or a line's `#`, is a comment. The list
            "iam_ondb_misfits" comes with the project: lines that do not fit their text.
        strict: make broken files, and forms that a task file names and the data lacks, errors.
        max_points: limit on the points of one line; one with more is left out.
        max_bytes: limit on the bytes of one file or archive member, left out beyond it.
        max_members: limit on files of a folder or members of an archive.
        max_archive_bytes: limit on the bytes of an unpacked archive.

    Raises:
        ConfigFault: if `splits` names something else, or has one set in training and elsewhere.
    """

    kind = "iam_ondb"
    title = "IAM-OnDB"
    unit = "lines"
    canonical = (41.95, 37.12)  # standard deviations over the complete training set, uncut
    quantisation_step = 1.0

    def __init__(
        self,
        *,
        root: str = "data/iam_ondb",
        cache: str | None = None,
        splits: dict[str, list[str]] = PAPER_SPLITS,
        subset: Annotated[int, Range(1)] | None = None,
        subset_seed: Annotated[int, Range(0)] = 0,
        leave_out: str | None = None,
        strict: bool = False,
        max_points: Annotated[int, Range(2, 10_000_000)] = 20_000,
        max_bytes: Annotated[int, Range(1, 1 << 40)] = 64 * MEBIBYTE,
        max_members: Annotated[int, Range(1, 100_000_000)] = 500_000,
        max_archive_bytes: Annotated[int, Range(1, 1 << 40)] = 4096 * MEBIBYTE,
    ) -> None:
        _check_splits(splits)
        super().__init__(
            root=root,
            cache=cache,
            subset=subset,
            subset_seed=subset_seed,
            leave_out=leave_out,
            strict=strict,
            max_points=max_points,
            max_bytes=max_bytes,
            max_members=max_members,
        )
        self.splits, self.max_archive_bytes = splits, max_archive_bytes

    def options(self) -> dict[str, Any]:
        return {**super().options(), "max_archive_bytes": self.max_archive_bytes}

    def find(self) -> list[Path]:
        self._strokes, self._texts, self._tasks = self._locate()
        return [*self._strokes.files, *self._texts.files]

    def key(self, files: list[Path]) -> dict[str, Any]:
        return {
            "strokes": fingerprint(self._strokes.files, self.root),
            "texts": fingerprint(self._texts.files, self.root),
            "period": PERIOD,
            "gap": GAP,
            "limits": self.options(),
        }

    def _locate(self) -> tuple[_Part, _Part, dict[str, Path]]:
        """Find both halves and the task files that `splits` names."""
        check_root(self.root, needed=False)  # the errors below name what is missing
        folders = list(_folders(self.root)) if self.root.is_dir() else []
        locked = [folder for folder in folders if not _can_be_read(folder)]
        folders = [folder for folder in folders if folder not in locked]
        strokes = _find_part(folders, "lineStrokes", ".xml", self.max_members)
        texts = _find_part(folders, "ascii", ".txt", self.max_members)
        tasks = {}
        for name in dict.fromkeys(name for names in self.splits.values() for name in names):
            files = (folder / f"{name}.txt" for folder in folders)
            tasks[name] = next((file for file in files if file.is_file()), None)
        lacking = [
            *(["lineStrokes-all.tar.gz"] if strokes is None else []),
            *(["ascii-all.tar.gz"] if texts is None else []),
            *(f"{name}.txt" for name, file in tasks.items() if file is None),
        ]
        if lacking and locked:
            raise DataError(
                f"IAM-OnDB: {self.root} has no {', no '.join(lacking)}, unless in "
                f"{', '.join(map(str, locked))}, which cannot be read: allow that"
            )
        if lacking:
            raise DataError(
                f"IAM-OnDB: {self.root} has no {', no '.join(lacking)}. Register (free for "
                f"non-commercial research) at {SITE}, download lineStrokes-all.tar.gz and "
                "ascii-all.tar.gz, and of the task IAM-OnDB-t1 the files "
                f"{', '.join(f'{name}.txt' for name in SETS)}; put them, packed as they are, into "
                f"{self.root} (or name their folder with --data)"
            )
        return strokes, texts, tasks

    def _documents(
        self, part: _Part, wanted: re.Pattern[str], description: str
    ) -> Iterator[tuple[str, bytes | Rejected]]:
        """Yield names and contents of the files of a half whose names fit `wanted`."""
        limits = Limits(self.max_bytes, self.max_members, self.max_archive_bytes)
        advice = f"; download it again from {SITE}"
        return documents(part.files, not part.path.is_dir(), wanted, limits, description, advice)

    def read(self, files: list[Path]) -> Iterator[Sample | Rejected]:
        """Yield all lines of both halves, paired."""
        transcriptions: dict[str, list[str] | Fault] = {}
        for name, content in self._documents(self._texts, TEXT_FILE, "reading transcriptions"):
            if isinstance(content, Rejected):
                found: list[str] | Fault = Fault(content.reason, content.detail)
            else:
                try:
                    found = parse_texts(content)
                except Fault as fault:
                    found = fault
            if match := TEXT_FILE.fullmatch(name):
                transcriptions[match[1]] = found
            else:  # a member that points outside
                yield content
        forms: dict[str, dict[int, tuple[str, tuple[np.ndarray, np.ndarray] | Fault]]]
        forms = defaultdict(dict)
        for name, content in self._documents(self._strokes, LINE_FILE, "parsing IAM-OnDB"):
            match = LINE_FILE.fullmatch(name)
            if match is None:  # a member that points outside
                yield content
                continue
            try:
                if isinstance(content, Rejected):
                    raise Fault(content.reason, content.detail)
                line = _narrow(*parse_line(content, max_points=self.max_points))
            except Fault as fault:
                line = fault
            forms[match[1]][int(match[2])] = (name.removesuffix(".xml"), line)
        if not forms:
            raise DataError(f"{self._strokes.path}: no line files such as a01-000u-01.xml in it")
        for form, lines in forms.items():
            found = transcriptions.get(form, Fault("no transcription of the form"))
            if not isinstance(found, Fault) and sorted(lines) != [*range(1, len(found) + 1)]:
                # The texts cannot be matched with the lines.
                numbered = ", numbered otherwise" if len(found) == len(lines) else ""
                found = Fault(
                    f"form with {len(found)} transcriptions for {len(lines)} line files{numbered}"
                )
            for number, (name, line) in lines.items():
                fault = next((part for part in (line, found) if isinstance(part, Fault)), None)
                if fault is not None:
                    yield fault.of(name)
                else:
                    yield Sample(name, line[0], found[number - 1], line[1], group=form)

    def divide(self) -> None:
        everything = range(len(self.cache))
        groups = np.array([self.group(n) for n in everything])
        refused = {entry.name.rsplit("-", 1)[0] for entry in self.cache.rejected}
        notes, forms = [], {name: _read_task(file) for name, file in self._tasks.items()}
        there = refused.union(groups.tolist())
        for name in forms:
            if absent := [form for form in forms[name] if form not in there]:
                first = ", ".join(absent[:3]) + (", ..." if len(absent) > 3 else "")
                notes.append(f"{len(absent):,} forms of {name} are not there: {first}")
        if self.strict and notes:
            raise DataError(f'{"; ".join(notes)}; without "strict": true the others would be used')
        wanted = {
            split: {form for name in names_of_sets for form in forms[name]}
            for split, names_of_sets in self.splits.items()
        }
        for split in ("valid", "test"):
            if both := sorted(wanted["train"] & wanted.get(split, set())):
                raise DataError(f"the task files let form {both[0]} be in train and in {split}")
        indices = {
            split: np.flatnonzero(np.isin(groups, sorted(chosen)))
            for split, chosen in wanted.items()
        }
        for split, found in indices.items():
            if not len(found):
                raise DataError(f"no lines for the split {split!r}: {'; '.join(notes)}")
        if unused := len(groups) - len(np.unique(np.concatenate(list(indices.values())))):
            notes.append(f"{unused:,} lines are of no set in use")
        self._indices, self._notes = indices, notes
        self._lines_of_set = {
            name: int(np.isin(groups, forms_of_set).sum()) for name, forms_of_set in forms.items()
        }

    def preprocessing(self) -> list[BaseTransform]:
        """Return that of the paper: missing points are filled, and long steps cut."""
        return [FillMissing(), CutLongSteps(threshold=LONGEST_STEP)]

    def headline(self) -> str:
        return f"{super().headline()} with their transcriptions"

    def split_report(self, split: str) -> str:
        sets = (f"{name} {self._lines_of_set[name]:,}" for name in self.splits[split])
        return f"{super().split_report(split)}  ({', '.join(sets)})"


def _narrow(ink: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the arguments in smaller dtypes, to save memory until all lines are read."""
    with np.errstate(over="ignore"):  # the cache refuses what becomes infinite
        ink = ink.astype(np.float32)
    return ink, missing.astype(np.uint8)


def _read_task(file: Path) -> list[str]:
    """Return the forms that a task file names.

    Raises:
        DataError: if it names none, or holds something else.
    """
    try:
        forms = file.read_text(encoding="ascii", errors="replace").split()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    if bad := next((form for form in forms if not _TASK_FORM.fullmatch(form)), None):
        raise DataError(f"{file}: {bad!r} is not the name of a form, such as a01-000u")
    if not forms:
        raise DataError(f"{file}: names no forms")
    return forms


def _check_splits(splits: dict[str, list[str]]) -> None:
    """Raise a ConfigFault if `splits` is not as `IAMOnDBDataset` needs it."""
    for split, names in splits.items():
        if split not in SPLITS:
            raise ConfigFault("splits", split, f"one of {', '.join(SPLITS)}")
        for name in names:
            if name not in SETS:
                raise ConfigFault("splits", name, f"one of {', '.join(SETS)}")
        if not names or len(set(names)) < len(names):
            raise ConfigFault("splits", {split: names}, "at least one set, each once")
    for split in ("train", "valid"):
        if split not in splits:
            raise ConfigFault("splits", splits, f"a list of sets for {split!r} as well")
    for split in ("valid", "test"):
        if both := sorted(set(splits["train"]) & set(splits.get(split, []))):
            raise ConfigFault("splits", both[0], f"in train or in {split}, not in both")
