"""Where real handwriting lies, if this machine has some.

That is the folder that HANDWRITING_DATA names, else ../shared/data beside the project.
"""

import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest
from filelock import FileLock

DATA = Path(
    os.environ.get("HANDWRITING_DATA", Path(__file__).parents[2] / "shared" / "data")
).expanduser()
MISFITS = Path(__file__).parents[1] / "data_loader" / "sources" / "lists" / "iam_ondb_misfits.txt"


def prepared(dataset, folder, cache, **options):
    """Return what is in a folder of real data, parsed by one process of a test run for all."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"no {folder} in {DATA} (HANDWRITING_DATA names another folder)")
    with FileLock(cache / f"{folder}.lock"):
        root = part_of_iam_ondb(cache) if folder == "iam_ondb" else DATA / folder
        return dataset(root=str(root), cache=str(cache), **options).load()


def part_of_iam_ondb(cache):
    """Return a folder with the forms of `testset_v` and `testset_t`, and those with lines that
    `iam_ondb_misfits` names: a third of all lines, as parsing all takes 83 s of processor time."""
    whole, part = DATA / "iam_ondb", cache / "iam_ondb"
    archive = "lineStrokes-all.tar"
    if (part / archive).exists() or not (whole / f"{archive}.gz").exists():
        return part if part.exists() else whole
    part.mkdir()
    for file in (*whole.glob("ascii-all.tar.gz"), *whole.glob("*set*.txt")):
        shutil.copy(file, part)
    lists = [MISFITS, part / "testset_v.txt", part / "testset_t.txt"]
    forms = {*re.findall(r"\b[a-z]\d\d-\d{3}[a-z]?\b", "\n".join(map(Path.read_text, lists)))}
    with (
        tarfile.open(whole / f"{archive}.gz") as lines,
        tarfile.open(part / archive, "w") as some_lines,
    ):
        for line in lines:
            if Path(line.name).stem.rpartition("-")[0] in forms:
                some_lines.addfile(line, lines.extractfile(line))
    return part
