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
FORM = re.compile(r"\b[a-z]\d\d-\d{3}[a-z]?\b")


def prepared(dataset, folder, cache, **options):
    """Return what is in a folder of real data, parsed by one process of a test run for all."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"no {folder} in {DATA} (HANDWRITING_DATA names another folder)")
    with FileLock(cache / f"{folder}.lock"):
        root = part_of_iam_ondb(cache) if folder == "iam_ondb" else DATA / folder
        return dataset(root=str(root), cache=str(cache), **options).load()


def part_of_iam_ondb(cache):
    """Return a folder with every fourth form of `testset_v` and `testset_t`, and in training those
    with lines that `iam_ondb_misfits` names: parsing all takes 83 s of processor time."""
    whole, part = DATA / "iam_ondb", cache / "iam_ondb"
    archive = "lineStrokes-all.tar"
    if (part / archive).exists() or not (whole / f"{archive}.gz").exists():
        return part if part.exists() else whole
    part.mkdir()
    for file in (*whole.glob("ascii-all.tar.gz"), *whole.glob("*set*.txt")):
        shutil.copyfile(file, part / file.name)
    forms = {*FORM.findall(MISFITS.read_text())}
    for path in (part / "testset_v.txt", part / "testset_t.txt"):
        names = FORM.findall(path.read_text())
        forms |= {*names[::4]}
        path.write_text("\n".join(names[::4]))
        with open(part / "trainset.txt", "a") as others:
            others.write("\n" + "\n".join(set(names) - {*names[::4]}))
    with (
        tarfile.open(whole / f"{archive}.gz") as lines,
        tarfile.open(part / archive, "w") as some_lines,
    ):
        for line in lines:
            if Path(line.name).stem.rpartition("-")[0] in forms:
                some_lines.addfile(line, lines.extractfile(line))
    return part
