"""How fast ink is loaded, from 10^6 to 10^8 points and more that it makes itself.

    python benchmarks/loading.py --points 1e6 1e7 --folder FOLDER

For each number of points it writes InkML files of random words' lengths, prepares them, and prints
how long the first and the second start take, points a second of a pass over the training split, the
padding in it, and the memory after it: Pss less that with 1,000 lines.
"""

import argparse
import gc
import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from base.preparing import Preparing
from data_loader import HandwritingDataLoader, InkMLDataset

POINTS = 300  # of a line, on average
LINES = 200  # of a file
SMALL = 1000
"""Lines of the process that others are compared with."""


def write_files(folder: Path, lines: int) -> None:
    """Write InkML files of random walks, `LINES` lines each, that end in a whole file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(0, lines, LINES):
        file, rng = folder / f"{number // LINES:06}.inkml", np.random.default_rng(number)
        if file.exists():
            continue
        groups = "".join(_group(rng) for _ in range(min(LINES, lines - number)))
        temporary = file.with_suffix(".tmp")
        temporary.write_text(f"<ink>{groups}</ink>")
        temporary.rename(file)


def _group(rng: np.random.Generator) -> str:
    """Return a line of some words, of a writer of some thousands."""
    words = ["".join(rng.choice(list("etaoinshrdlu"), rng.integers(2, 9))) for _ in range(5)]
    count = int(rng.integers(POINTS // 2, POINTS * 3 // 2))
    points = np.cumsum(rng.integers(-20, 30, (count, 2)), axis=0)
    traces = "".join(
        "<trace>" + ", ".join(f"{x} {y}" for x, y in part.tolist()) + "</trace>"
        for part in np.array_split(points, 12)
    )
    truth = f'<annotation type="truth">{" ".join(words)}</annotation>'
    writer = f'<annotation type="writer">w{int(rng.integers(3000))}</annotation>'
    return f"<traceGroup>{truth}{writer}{traces}</traceGroup>"


def pss() -> float:
    """Return the proportional share of memory of this process, in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def one(folder: Path, lines: int, options: dict[str, int]) -> dict[str, float]:
    """Return what a start and a pass over the data cost."""
    start = time.perf_counter()
    dataset = InkMLDataset(root=str(folder / str(lines)), level="group")
    settings = HandwritingDataLoader(dataset=dataset, **options)
    loaded = dataset.load()
    data = settings.prepare(loaded, seed=1)
    loaded.fingerprints, loaded.ink_sums  # noqa: B018
    loader = data.training_loader()
    batches = iter(loader)
    next(batches)
    began = time.perf_counter()
    cpu, points, padded = time.process_time(), 0, 0
    for batch in batches:
        points += batch.points
        padded += batch.inputs.shape[0] * batch.inputs.shape[1]
    used = time.process_time() - cpu
    gc.collect()
    return {
        "start": began - start,
        "points/s": points / used,
        "padding": 1 - points / padded,
        "pss": pss(),
    }


def in_process(*arguments: object) -> dict[str, float]:
    """Return `one` of other arguments, measured in a process of its own."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, repr(one(*arguments)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    return eval(answer, {"__builtins__": {}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--folder", type=Path, default=Path("data/loading"), help="folder of what it makes")
    add("--points", type=float, nargs="+", default=[1e6, 1e7], help="sizes to measure")
    add("--workers", type=int, default=1, help="processes that parse")
    arguments = parser.parse_args()
    sizes = [SMALL, *(int(points / POINTS) for points in arguments.points)]
    print(
        f"{'lines':>9}{'parsing':>9}{'first':>8}{'start':>8}{'points/s':>11}{'padding':>9}{'MB':>7}"
    )
    small = 0.0
    for lines in sizes:
        write_files(arguments.folder / str(lines), lines)
        began = time.perf_counter()
        dataset = InkMLDataset(root=str(arguments.folder / str(lines)), level="group")
        dataset.prepare(Preparing(workers=arguments.workers))
        parsing = time.perf_counter() - began
        first, then = (in_process(arguments.folder, lines, {}) for _ in range(2))
        small = small or then["pss"]
        print(
            f"{lines:>9,}{parsing:>8.1f}s{first['start']:>7.2f}s{then['start']:>7.2f}s"
            f"{then['points/s']:>11,.0f}{then['padding']:>9.1%}{then['pss'] - small:>7.1f}"
        )


if __name__ == "__main__":
    main()
