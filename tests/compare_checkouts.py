"""Compares what this checkout and another one do, on one machine: that a change changed nothing.

python tests/compare_checkouts.py ../other                 # all, in about half an hour
python tests/compare_checkouts.py ../other write "train "  # what begins with one of these words

Each case is a command line, run in both with equal files beside it; where their command lines
differ, a case has two. What is printed, what is written and, of trainings, all weights have to be
the same. Prints what differs, and how long each took.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CLOCK = re.compile(r"\d[\d,.]*( ?(ms|s|min|points/s|MB)\b|(?<=\d)it/s)|\d{8}-\d{6}|\d\d:\d\d:\d\d")
"""What a clock says, and what a run is called by the time of its start."""
CONFIGS = 200
"""Broken configs, whose messages are compared."""
STEPS = 50
REAL = Path("..") / "shared" / "data"


class Case(NamedTuple):
    """Command lines that are run one after the other in one folder.

    Attributes:
        name: as the table says it.
        lines: a script and its arguments, each; of one that the other checkout writes differently
            both, this checkout's first.
        files: a folder whose content lies in the working directory.
    """

    name: str
    lines: Sequence[Sequence[str] | tuple[Sequence[str], Sequence[str]]]
    files: Path | None = None


def serve(checkout: Path) -> None:
    """Run command lines given as JSON on standard input, each in a fork of one that has imported
    everything; answer each with its exit status and the seconds it took."""
    sys.path[0] = str(checkout)
    for script in ("train", "experiments"):
        __import__(script)
    for module in json.loads(os.environ["PRELOADED"]):
        __import__(module)
    for line in sys.stdin:
        words, folder, output = json.loads(line)
        start = time.perf_counter()
        if (pid := os.fork()) == 0:
            run_script(checkout, words, folder, output)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps([status, time.perf_counter() - start]), flush=True)


def run_script(checkout: Path, words: Sequence[str], folder: str, output: str) -> None:
    """Become a run of a script, and end with it."""
    os.chdir(folder)
    for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY | os.O_CREAT | os.O_APPEND)):
        os.dup2(os.open(os.devnull if number == 0 else output, flags, 0o600), number)
    os.dup2(1, 2)
    sys.argv = [str(checkout / words[0]), *words[1:]]
    status = 70
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Server:
    """A checkout that runs command lines."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        modules = [f"commands.{path.stem}" for path in (checkout / "commands").glob("[a-z]*.py")]
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(checkout)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=checkout,
            env=os.environ | {"PRELOADED": json.dumps(modules)},
        )

    def run(self, words: Sequence[str], folder: Path, output: Path) -> tuple[int, float]:
        """Run a command line in a folder; return its exit status and the seconds it took."""
        self.process.stdin.write(json.dumps([list(words), str(folder), str(output)]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def outcome(server: Server, case: Case, folder: Path, ours: bool) -> tuple[dict[str, str], float]:
    """Return what a case left, by name, and the seconds it took."""
    folder.mkdir()
    if case.files:
        shutil.copytree(case.files, folder, dirs_exist_ok=True)
    brought = {path for path in folder.rglob("*") if path.is_file()}
    found, spent = {}, 0.0
    for number, line in enumerate(case.lines):
        words = line if isinstance(line[0], str) else line[0 if ours else 1]
        output = folder.parent / f"{folder.name}.txt"
        output.unlink(missing_ok=True)
        status, seconds = server.run(words, folder, output)
        said = output.read_text().replace(str(folder), "FOLDER")
        said = said.replace(str(server.checkout), "CHECKOUT")
        said = re.sub(r"[^\n]*\r", "", said)  # progress bars
        found[f"output {number}"] = f"{CLOCK.sub('CLOCK', said)}[status {status}]"
        spent += seconds
    for path in sorted(set(folder.rglob("*")) - brought):
        if path.is_file() and (kept := content(path)) is not None:
            found[CLOCK.sub("CLOCK", str(path.relative_to(folder)))] = kept
    return found, spent


def content(path: Path) -> str | None:
    """Return what a file holds, or a digest of it; None for what only a machine or clock tells."""
    if path.suffix == ".pth":
        import torch

        state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
        names = sorted(state)
        return "\n".join(f"{name} {digest(state[name].numpy().tobytes())}" for name in names)
    if path.name == "metrics.csv":
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        clock = {"seconds", "points_per_second"}
        return json.dumps([{n: v for n, v in row.items() if n not in clock} for row in rows])
    if "saved/log" in str(path) or path.suffix in (".log", ".lock") or "saved/models" in str(path):
        return None
    return digest(path.read_bytes())


def digest(data: bytes) -> str:
    """Return a short hash."""
    return hashlib.sha256(data).hexdigest()[:16]


def cases(work: Path) -> Iterator[Case]:
    """Yield all cases; their files are made below a folder."""
    yield from written()
    yield from read()
    yield from trained(work)
    yield broken(work)


def written() -> Iterator[Case]:
    """Yield what writes: lines, pages, pictures."""
    plain = ["experiments.py", "write", "--seed", "3", "-d", "cpu"]
    write = [*plain, "--bias", "0.75"]
    text = str(ROOT / "docs" / "letter.txt")

    def letter(*words: str) -> list[list[str]]:
        return [["experiments.py", "page", text, *write[2:], *words]]

    line = [*write, "--text", "Dear Anna, 12.5 km", "--text", "see you @ home"]
    for kind in ("svg", "png", "inkml", "json", "pdf"):
        yield Case(f"write a line {kind}", [[*write, "--text", "a pen", "--output", f"x.{kind}"]])
        page = letter("--style", "flowing", "--output", f"x.{kind}")
        yield Case(f"write a page {kind}", page)
    for style in ("slanted", "round", "own"):
        words = ["--style", style, "--no-proofread", "--ruling", "ruled", "--output", "x.svg"]
        yield Case(f"write a page {style}", letter(*words))
    yield Case("write lines", [[*line, "--num-samples", "2", "--inkml", "--output", "out"]])
    yield Case("write biased", [[*line, "--bias", "2", "--pen-sharpness", "0", "--output", "out"]])
    pictures = [word for kind in ("density", "window", "weights") for word in ("--show", kind)]
    yield Case("write pictures", [[*line, *pictures, "--output", "out"]])
    for name in ("conditional", "unconditional", "digits", "digits_gru", "digit_3", "regression"):
        text = ["--text", "0123456789"] if name.startswith("digits") else []
        ours = plain if name == "regression" else write
        words = [*ours, "-r", name, "--steps", "150", "--num-samples", "2", *text]
        yield Case(f"write {name}", [[*words, "--output", "out"]])
    primer = ["--primer", "primer.inkml", "--output", "out"]
    primed = [[*write, "--text", "a primer", "--output", "primer.inkml"], [*line, *primer]]
    yield Case("write primed", primed)
    styled = ["experiments.py", "style", "make", "--ink", "p.inkml", "--name", "me"]
    yield Case(
        "style make",
        [
            [*write, "--text", "Sphinx of black quartz, judge my vow", "--output", "p.inkml"],
            [*styled, "--output", "me.json"],
            [*line, "--style", "me.json", "--output", "out"],
        ],
    )
    yield Case(
        "style list", [["experiments.py", "style", "list", "--bias", "1", "--output", "out"]]
    )


def read() -> Iterator[Case]:
    """Yield what reads and measures, of the shared data as well if they are there."""
    write = ["experiments.py", "write", "--seed", "3", "--bias", "1", "--text", "made of points"]
    ink = [*write, "--output", "line.inkml"]
    files = ["line.inkml"]
    for name in ("reader", "recognition", "judge"):
        words = ["experiments.py", "read", "-r", name, *files, "--output", "out"]
        yield Case(f"read {name}", [ink, words, [*words, "--beam", "4"]])
    legible = ["experiments.py", "legibility", "--biases", "0.5", "--output", "out"]
    yield Case("legibility plain", [[*legible, "--num-samples", "40"]])
    yield Case("legibility everyday", [[*legible, "--texts", "everyday", "--proofread"]])
    for name, folder in (("conditional", "iam_ondb"), ("reader", "iam_ondb"), ("digits", None)):
        if folder is None or (ROOT / REAL / folder).is_dir():
            words = ["experiments.py", "evaluate", "-r", name, "valid", "--output", "out"]
            data = ["--data", str((ROOT / REAL / folder).resolve())] if folder else []
            yield Case(f"evaluate {name}", [[*words, *data]])
    for folder in ("inkml", "mnist_strokes", "unipen_digits", "stroke_arrays"):
        if (ROOT / REAL / folder).is_dir():
            data = ["--data", str((ROOT / REAL / folder).resolve()), "--prepare"]
            name = "mnist_digits" if folder == "mnist_strokes" else folder
            yield Case(f"prepare {folder}", [["train.py", "-c", f"configs/{name}.json", *data]])


def trained(work: Path) -> Iterator[Case]:
    """Yield trainings of all ready configs, whole and resumed, on small data in their formats."""
    from tests.data_loader import ink_formats
    from tests.small_sources import written as small_lines
    from tests.test_ready_configs import CONFIGS as READY
    from tests.test_ready_configs import smaller
    from utils.page.inkml import write_inkml

    for path in READY:
        folder = work / path.stem
        folder.mkdir()
        shutil.copy(path, folder / path.name)
        with chdir(folder):
            options = smaller(path, None)
        start = ["train.py", "-d", "cpu", "-c", path.name, *options]
        start += ["-o", "trainer.args.steps_per_epoch=10", "-o", "trainer.args.samples=0"]
        whole = [*start, "--run-id", "whole", "--epochs", str(STEPS // 10)]
        half = [*start, "--run-id", "half", "--epochs", "2"]
        on = ["train.py", "-d", "cpu", "-r", f"saved/models/{path.stem}/half", "--epochs", "5"]
        yield Case(f"train {path.stem}", [whole, half, on], folder)
    folder = work / "hand"
    (folder / "lines").mkdir(parents=True)
    for number, (line, text) in enumerate(small_lines()[:4]):
        write_inkml(folder / "lines" / f"{number}.inkml", ink_formats.rows(line), text)
    words = ["train.py", "-d", "cpu", "-c", str(ROOT / "configs" / "own_hand.json"), "-r", "writer"]
    words += ["--data", "lines", "--run-id", "hand", "-o", "trainer.args.steps_per_epoch=5"]
    yield Case("train own_hand", [words], folder)


def broken(work: Path) -> Case:
    """Return the case of broken configs, by the campaign's chances."""
    from tests.campaign.configs import broken_values

    folder = work / "broken"
    folder.mkdir()
    rng = random.Random(1)
    lines = []
    for number in range(CONFIGS):
        (folder / f"{number}.json").write_text(json.dumps(broken_values(rng), skipkeys=True))
        lines.append(["train.py", "-c", f"{number}.json", "--prepare", "-d", "cpu"])
    return Case("broken configs", lines, folder)


def compare(case: Case, servers: Sequence[Server], folder: Path) -> list[str]:
    """Run a case in both checkouts, print its times, and return what differs."""
    results: list[tuple[dict[str, Any], float]] = [
        outcome(server, case, folder / str(number), number == 0)
        for number, server in enumerate(servers)
    ]
    (ours, spent), (theirs, before) = results
    print(f"{case.name:<28} {before:8.1f} s {spent:8.1f} s", flush=True)
    differing = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
    for name in sorted(differing):
        print(f"  {name}: {theirs.get(name)!r:.600}\n  {'':{len(name)}}  {ours.get(name)!r:.600}")
    return differing


def main(arguments: argparse.Namespace) -> int:
    """Compare; return 1 if anything differs."""
    os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "COLUMNS": "100"}
    servers = [Server(ROOT), Server(arguments.other.resolve())]
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "files")
        work.mkdir()
        for number, case in enumerate(cases(work)):
            if any(case.name.startswith(word) for word in arguments.words or [""]):
                place = Path(folder, str(number))
                place.mkdir()
                count += bool(compare(case, servers, place))
                shutil.rmtree(place)
    for server in servers:
        server.process.stdin.close()
        server.process.wait()
    print(f"{count} cases differ")
    return int(bool(count))


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(Path(sys.argv[2]))
    else:
        sys.path[0] = str(ROOT)
        # Not the package of that name that a dependency installs.
        sys.modules["tests"] = types.ModuleType("tests")
        sys.modules["tests"].__path__ = [str(ROOT / "tests")]
        parser = argparse.ArgumentParser(
            description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("other", type=Path, help="the other checkout")
        parser.add_argument("words", nargs="*", help="that the names of cases begin with")
        sys.exit(main(parser.parse_args()))
