"""A page of 30 lines from start to file, and the peak memory of few and of many pages.

Each is a process of its own, `experiments.py page`, on A4; the texts are the project's own
sentences. Of the times the median counts.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_loader.synthetic.corpus import held_out

SCRIPT = str(Path(__file__).resolve().parent.parent / "experiments.py")
LINES = 30
"""Of a page of A4."""
LINE_HEIGHT = "8"
"""Millimetres, so that they stand on one page."""
CHARACTERS = (45, 52)
"""Of a line, a paragraph each: as wide as the page, in most hands."""
WAYS = {"proofread": [], "not proofread": ["--no-proofread"]}


def text_of(pages: int, lines: int) -> str:
    """Return a text of as many lines as fill the pages."""
    return "\n".join(held_out(pages * lines, *CHARACTERS))


def write(text: str, folder: str, *words: str) -> tuple[float, int]:
    """Write pages, and return the seconds from start to file, and the peak memory in bytes."""
    source, output = Path(folder, "text.txt"), Path(folder, "pages.pdf")
    source.write_text(text, encoding="utf-8")
    command = [sys.executable, SCRIPT, "page", str(source), "-d", "cpu", *words]
    command += ["--output", str(output), "--line-height", LINE_HEIGHT]
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        taken = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}: {said.read().decode()}")
    # This process, whose own memory would count, is smaller.
    return taken, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(arguments: argparse.Namespace) -> None:
    """Measure and print the tables."""
    own = ["-r", arguments.network] if arguments.network else []
    with tempfile.TemporaryDirectory() as folder:
        text = text_of(1, arguments.lines)
        ways = {name: words for name, words in WAYS.items() if words or not arguments.once}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in tqdm(range(arguments.rounds), desc="writing", leave=False, disable=None):
            for name, words in ways.items():
                taken[name].append(write(text, folder, *own, *words)[0])
        for name, values in taken.items():
            print(f"{arguments.lines} lines, {name:<14} {statistics.median(values):7.1f} s")
        for pages in arguments.pages:
            text = text_of(pages, arguments.lines)
            _, most = write(text, folder, *own, *WAYS["not proofread"])
            print(f"{pages:>3} pages, peak memory {most / 2**20:7,.0f} MB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="of the times")
    add("--lines", type=int, default=LINES, help="of a page")
    add("--pages", type=int, nargs="*", default=[5, 100], help="whose memory is measured")
    add("--once", action="store_true", help="only without proofreading")
    add("--network", help="that writes (default: that of `write`)")
    main(parser.parse_args())
