"""Reads ink from files and folders in any format of `ink.formats`."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ink import guard
from ink.formats import ACCEPTED_LINES, UNKNOWN_FORMAT, parse_lines, usable
from ink.formats.files import files_below
from ink.formats.iam_ondb import TEXT_FILE
from ink.formats.unipen.collection import is_collection
from ink.sample import Fault, Parsed, Sample, summarise
from utils.checks import DataError, printable

# Names of files that have no ink, but belong to files of ink.
_NO_INK = re.compile(r"(?:train|test)(?:img-\d+-(?:targetdata|points)|labels)\.txt|sentences\.txt")

BAR = partial(tqdm, mininterval=0.5, disable=None)
"""Makes a progress bar that is shown on a terminal."""


def read_ink(path: str | os.PathLike[str], *, bar: Callable[..., Any] = BAR) -> list[Sample]:
    """Return the samples in a file, or in all files of a folder and of the folders in it.

    Files and samples that cannot be used are left out, and a warning names them.

    Args:
        path: the file or the folder.
        bar: makes a progress bar as tqdm does.

    Returns:
        at least one sample, in the order of the files' names. The name of a sample begins with the
        name of its file or, in a folder, the path below the folder; where a file may contain
        several samples, the sample's name in the file follows: "strokes.npy:line-00003". Ink is in
        the file's units, y growing downwards; its first offset is (0, 0). An unknown text is empty.

    Raises:
        DataError: if there is no such file, or no sample can be used; the message says why.
    """
    path = Path(path).expanduser()
    files = {path.name: path}
    try:
        if path.is_dir() and not is_collection(path):
            every_file = files_below(path, re.compile(".*"))
            ink_files = (file for file in every_file if _may_have_ink(file))
            files = {file.relative_to(path).as_posix(): file for file in ink_files}
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
    parsed = Parsed()
    results = guard.each(parse_lines, files.values(), guard.Bar, bar=bar)
    for name in bar(files, "reading ink", unit=" files", delay=1):
        with parsed.attempt(name):
            result = next(results)
            if isinstance(result, Fault):
                raise result
            parsed.extend(result.within(name))
    if not parsed.samples:
        raise DataError(_describe_failure(path, parsed.left_out))
    return usable(path, parsed)


def _describe_failure(path: Path, faults: list[Fault]) -> str:
    if path.is_dir():
        message = f"{path}: no ink there"
        if faults:
            message += f": {'; '.join(summarise(faults))}"
        return f"{message}; supported formats: {ACCEPTED_LINES}"
    others = f", and {len(faults) - 1:,} more" if len(faults) > 1 else ""
    accepted = ""
    if faults[0].reason == UNKNOWN_FORMAT:
        accepted = f"; supported formats: {ACCEPTED_LINES}"
    fault = str(faults[0]).removeprefix(printable(path.name))  # the whole path takes its place
    return f"{printable(path)}{fault}{others}{accepted}"


def _may_have_ink(file: Path) -> bool:
    is_text = TEXT_FILE.fullmatch(file.name) and "ascii" in str(file.parent)
    return not is_text and not _NO_INK.fullmatch(file.name)
