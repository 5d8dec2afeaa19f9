"""Texts of any length: they are written or refused in a line, within bounds of memory and time."""

import json
import random
import resource
from pathlib import Path

from tests.campaign import use
from tests.campaign.damage import MEBIBYTE, check_answer, peak, seconds
from tests.campaign.frame import Family, demand, run
from tests.campaign.tiny import check_tidy, check_whole

MEMORY, SECONDS = 1024 * MEBIBYTE, 100.0
"""Bytes and processor time that a program may take (assumed)."""
PATIENCE = 500.0
"""Seconds given to a program on a busy machine."""
ADDRESSES = 12 * 1024 * MEBIBYTE
"""Of address space, so that a program that takes far more does not take the machine's."""
LINE = ("write", "--output", "out/line.svg")
PAGE = (
    "page",
    "text.txt",
    "--no-proofread",
    "--paper",
    "5000x5000",
    "--margins",
    "1000",
    "--output",
    "out/page.svg",
)


def limit() -> None:
    """Bound the address space of a program."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))


def length_of_text(rng: random.Random, folder: Path) -> None:
    """Write a text of which something is long: a word, a line, the lines, all of it, or a style."""
    use.give()
    kind = rng.choice(("word", "line", "words", "lines", "blanks", "bytes", "style", "ink"))
    count = round(10 ** rng.uniform(0, 4.5))  # up to 31,623
    text, words = "ab\n", list(PAGE)
    if kind == "word":
        text = "a" * count
    elif kind == "line":
        words = [*LINE, "--text", rng.choice(("a", "ab ", " ")) * count + "a"]
    elif kind == "words":
        text = "ab ba " * rng.choice((count // 100 + 1, 100_000))  # others take too long
    elif kind == "lines":
        text = "a\n" * (count if count > 5000 else count // 5 + 1)
    elif kind == "blanks":
        text = "\n" * count + "a"
    elif kind == "bytes":
        text = rng.choice(("a", "\n", "\u0301", "\t", "\0")) * 100 * count
    elif kind == "style":
        give_style("a" * count, 50)
    else:
        give_style("ab", count)
    if kind in ("style", "ink"):
        words += ["--style", "style.json"]
    if kind != "line":
        Path("text.txt").write_text(text, encoding="utf-8")
    words = ["experiments.py", *words, "-r", "writer.pth", "-d", "cpu"]
    done = run(words, hook=limit, seconds=PATIENCE)
    if check_answer(done):
        demand(done.output.endswith("\n"), "the error does not end its line")
        error = done.output[done.output.rindex("error: ") :]
        demand(error.count("\n") == 1, f"an error of several lines: {error!a}")
        demand(not any(Path("out").iterdir()), f"files are left: {list(Path('out').iterdir())}")
    used, spent = peak(resource.RUSAGE_CHILDREN), seconds(resource.RUSAGE_CHILDREN)
    demand(used < MEMORY, f"{kind}, {count}: {used / MEBIBYTE:.0f} MiB")
    demand(spent < SECONDS, f"{kind}, {count}: {spent:.0f} s")
    check_whole(folder)
    check_tidy(folder)


def give_style(text: str, points: int) -> None:
    """Put a style into the working directory: a zigzag and its text."""
    stroke = [[3 * step, 20 * (step % 2)] for step in range(points + 1)]
    Path("style.json").write_text(json.dumps({"text": text, "strokes": [stroke]}))


FAMILIES = [Family("length of texts", 60, length_of_text, PATIENCE + 60)]
