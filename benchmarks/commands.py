"""Time and peak memory of whole commands, beside `python -c "import torch"`, in turns.

Each call is a process of its own, warm: one round comes before those that count. Of the times the
median counts; the texts of the pages are the project's own sentences.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_loader.synthetic.corpus import held_out

SCRIPT = str(Path(__file__).resolve().parent.parent / "experiments.py")
WRITE = [SCRIPT, "write", "-d", "cpu", "--text", "Hello world", "--output"]
PAGE = [SCRIPT, "page", "-d", "cpu", "--line-height", "8", "--output", "page.pdf"]
"""Lines 8 mm high, so that 30 stand on a page of A4."""
CHARACTERS = (45, 52)
"""Of a line, a paragraph each: as wide as the page, in most hands."""
CALLS = {
    "import torch": (["-c", "import torch"], 0),
    "a line as SVG and PNG": ([*WRITE, "."], 0),
    "a line as SVG": ([*WRITE, "hi.svg"], 0),
    "a missing checkpoint": ([SCRIPT, "write", "-r", "missing.pth"], 2),
    "a wrong option": ([SCRIPT, "write", "--beam", "4"], 2),
    "a page, proofread": ([*PAGE, "1.txt"], 0),
    "a page": ([*PAGE, "1.txt", "--no-proofread"], 0),
}
"""By what is measured: the words behind `python`, and the exit status."""


def measured(words: list[str], status: int) -> tuple[float, float]:
    """Run a process in the working directory; return the seconds it took and its peak MB."""
    with open("output.txt", "wb") as output:
        start = time.perf_counter()
        actions = [(os.POSIX_SPAWN_DUP2, output.fileno(), one) for one in (1, 2)]
        command = [sys.executable, *words]
        process = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
        _, ended, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - start
    if (code := os.waitstatus_to_exitcode(ended)) != status:
        sys.exit(f"{' '.join(words)} ended with {code}: {Path('output.txt').read_text()}")
    return seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main(arguments: argparse.Namespace) -> None:
    """Measure and print the table."""
    for pages in (1, *arguments.pages):
        text = "\n".join(held_out(pages * arguments.lines, *CHARACTERS))
        Path(f"{pages}.txt").write_text(text)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CALLS}
    for _ in tqdm(range(arguments.rounds + 1), "rounds", leave=False, disable=None):
        for name, call in CALLS.items():
            found[name].append(measured(*call))
    found = {name: values[1:] for name, values in found.items()}
    for pages in arguments.pages:
        words = [*PAGE, f"{pages}.txt", "--no-proofread"]
        found[f"{pages} pages"] = [measured(words, 0)]
    torch = statistics.median(seconds for seconds, _ in found["import torch"])
    for name, values in found.items():
        seconds, memory = statistics.median(one for one, _ in values), max(one for _, one in values)
        print(f"{name:<22} {seconds:7.2f} s {seconds / torch:7.2f} {memory:8,.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="that count; one more comes before")
    parser.add_argument("--lines", type=int, default=30, help="of a page (default: 30)")
    parser.add_argument("--pages", type=int, nargs="*", default=[5], help="written once as well")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(parser.parse_args())
