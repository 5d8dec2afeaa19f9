"""How fast ink is loaded, and in how much memory: from 10^6 to 10^8 points that it makes itself.

    python benchmarks/loading.py --points 1e6 1e7 1e8 --folder FOLDER
    python benchmarks/loading.py --parse 2000 --folder FOLDER

For each number of points it prints

- the seconds up to the first batch, of a first start, and of a start with prepared data;
- points a second of a pass over the training split (of CPU time), and the padding in it;
- the memory after the pass, in MB, of one process and of two that share each batch: their Pss less
  that of the same processes with 1,000 lines.

`--parse` compares one process that parses InkML files of so many lines with two.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from base.base_dataset import Preparing
from base.data.samples import Columns
from data_loader import HandwritingDataLoader, InkMLDataset
from data_loader.sources import source as files
from data_loader.sources.cache import CacheKey, columns_of
from data_loader.sources.source import DividedDataset
from ink.formats.inkml.lines import write_inkml
from ink.sample import Parsed, Sample
from utils.checks import Range

LINE_POINTS = 300  # of a line, on average
BLOCK_LINES = 10_000  # lines that are made together
SMALL_LINES = 1000  # lines of the processes that others are compared with


@dataclass(kw_only=True, eq=False)
class RandomWalks(DividedDataset):
    """Lines that are random walks with random texts, by 3,000 persons.

    Args:
        root: the folder that gets the prepared lines.
        lines: the number of lines.
    """

    title = "Made lines"

    root: str = "data/loading"
    lines: Annotated[int, Range(100)] = 1000

    def make(self, preparing: Preparing = Preparing()) -> Columns:
        numbers = range(self.lines)
        blocks = [numbers[n : n + BLOCK_LINES] for n in numbers[::BLOCK_LINES]]
        key = CacheKey("Made", {"lines": self.lines}, [self._path], is_sorted=True)
        self._path.mkdir(parents=True, exist_ok=True)
        return columns_of(key, blocks, lines, preparing)


def lines(numbers: range) -> list[Parsed]:
    """Return the lines of these numbers."""
    return [Parsed([line(number) for number in numbers])]


def line(number: int) -> Sample:
    """Return the line of this number: a random walk and a random text."""
    rng = np.random.default_rng(number)
    ink = np.zeros((int(rng.integers(LINE_POINTS // 2, LINE_POINTS * 3 // 2)), 3), np.float32)
    ink[1:, :2] = rng.integers(-20, 30, (len(ink) - 1, 2))
    ink[::25, 2] = ink[-1, 2] = 1
    text = "".join(rng.choice([*"etaoin shrdlu"], 30))
    return Sample(ink, text, f"line-{number:09}", f"person {int(rng.integers(3000))}")


def pss() -> float:
    """Return the proportional share of memory of this process, in MB."""
    rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) for row in rollup if row.startswith("Pss:")) / 1000


def measured(folder: str, lines: int, rank: int, ranks: int, options: dict[str, int]) -> None:
    """Print the costs of a start and of a pass over the data, when standard input has a line."""
    began = time.perf_counter()
    settings = HandwritingDataLoader(dataset=RandomWalks(root=folder, lines=lines), **options)
    data = settings.load(seed=1)
    sums = data.loaded.fingerprints, data.loaded.ink_sums
    loader = data.training_loader()
    data.validation_loader()
    batches = loader.keys.batches(0)
    start = cpu = None
    points = padded = 0
    for rows in batches:
        batch = loader.dataset[[(0, int(index)) for index in rows[rank::ranks]]]
        if start is None:
            start = time.perf_counter() - began
            cpu = time.process_time()
        if batch is not None:
            points += batch.points
            padded += batch.inputs.shape[0] * batch.inputs.shape[1]
    speed = points / (time.process_time() - cpu)
    print("done", flush=True)
    sys.stdin.readline()
    result = {"start": start, "speed": speed, "padding": 1 - points / padded, "pss": pss()}
    print(json.dumps(result), len(sums), flush=True)
    sys.stdin.read()


def of_processes(folder: Path, lines: int, ranks: int, options: str) -> list[dict[str, float]]:
    """Return the costs that processes measure, which run at the same time; see `measured`."""
    processes = []
    for rank in range(ranks):
        words = ["--one", str(lines), str(rank), str(ranks), options]
        command = [sys.executable, __file__, "--folder", str(folder), *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, **pipes))
    for process in processes:
        assert process.stdout.readline() == "done\n"
    results = []
    for process in processes:
        process.stdin.write("measure\n")
        process.stdin.flush()
        results.append(json.JSONDecoder().raw_decode(process.stdout.readline())[0])
    for process in processes:  # All have their memory until the last one is measured.
        process.communicate()
    return results


def parse(folder: Path, lines: int) -> None:
    """Print the seconds in which one process and two parse files of a line each, in 32 blocks."""
    source = folder / "inkml"
    source.mkdir(parents=True, exist_ok=True)
    for number in range(lines):
        sample = line(number)
        write_inkml(source / f"{number:06}.inkml", sample.ink, sample.text)
    size = sum(file.stat().st_size for file in source.glob("*.inkml"))
    files.BLOCK_BYTES = size // 32  # so that there are 32 blocks, however small they are
    dataset = InkMLDataset(root=str(source))
    seconds = []
    for workers in (1, 2):
        shutil.rmtree(source / "cache", ignore_errors=True)
        began = time.perf_counter()
        dataset.prepare(Preparing(workers=workers))
        seconds.append(time.perf_counter() - began)
    ratio = seconds[0] / seconds[1]
    print(f"{lines:,} lines: {seconds[0]:.1f} s, in two processes {seconds[1]:.1f} s: {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--folder", type=Path, default=Path("data/loading"), help="folder of what it makes")
    add("--points", type=float, nargs="+", default=[1e6, 1e7], help="sizes to measure")
    add("--options", default="{}", help="options of the loader, JSON")
    add("--parse", type=int, metavar="LINES", help="measure parsing")
    add("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        lines, rank, ranks, options = arguments.one
        return measured(arguments.folder, int(lines), int(rank), int(ranks), json.loads(options))
    if arguments.parse:
        return parse(arguments.folder, arguments.parse)
    small = ()
    print(
        f"{'points':>12}{'first':>8}{'start':>8}{'points/s':>11}{'padding':>9}{'MB':>7}{'two':>7}"
    )
    for lines in (SMALL_LINES, *(int(points / LINE_POINTS) for points in arguments.points)):
        (first,) = of_processes(arguments.folder, lines, 1, arguments.options)
        (later,) = of_processes(arguments.folder, lines, 1, arguments.options)
        both = of_processes(arguments.folder, lines, 2, arguments.options)
        memory = later["pss"], sum(result["pss"] for result in both)
        small = small or memory
        print(
            f"{lines * LINE_POINTS:>12,}{first['start']:>7.2f}s{later['start']:>7.2f}s"
            f"{later['speed']:>11,.0f}{later['padding']:>9.1%}"
            f"{memory[0] - small[0]:>7.1f}{memory[1] - small[1]:>7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
