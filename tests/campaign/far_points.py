"""Ink with hostile coordinates, gaps and sizes: it is used, or refused in a line, within bounds."""

import json
import random
import resource
from pathlib import Path

from tests.campaign.damage import MEBIBYTE, check_answer, peak
from tests.campaign.data_files import POINTS, read, strokes, within_bounds
from tests.campaign.frame import Family, demand, run
from tests.campaign.use import give
from trainer import HandDataset

FAR = (0, 1, 1e-300, 1e-9, 0.5, -1e3, 1e4, 1e6, -1e6, 1e9, -1e9, 1.1e9, 1e38, 1e300, 2**63, 10**400)
"""Coordinates and sizes, among which some are beyond what is accepted."""

CHILD_MEMORY = 256 * MEBIBYTE
"""What a program may take besides what it is forked with (assumed: the network is read, too)."""


def odd_line(rng: random.Random) -> dict:
    """Return a line in which something is far off, flat, tiny, in one place, or very much."""
    kind, text = rng.randrange(6), rng.choice(("a", "I", "ab cd", "a b c d", "hello", "-", "...."))
    if kind == 0:  # words that touch: no gap between them
        words = [[[n, 0], [n + 1, 5], [n + 1, 0]] for n in range(len(text.split()))]
        return {"text": text, "strokes": words}
    ink = [[list(point) for point in stroke] for stroke in strokes(rng)]
    if kind == 1:
        far = rng.choice(FAR)
        ink.append([[far, 0], [far, 1]])
    elif kind == 2:
        rng.choice(rng.choice(ink))[rng.randrange(2)] = rng.choice(FAR)
    elif kind == 3:  # flat, upright, or in one place
        sizes = rng.choice(((0, 1), (1, 0), (0, 0), (1, 1e-12)))
        ink = [[[x * sizes[0], y * sizes[1]] for x, y in stroke] for stroke in ink]
    elif kind == 4:
        size = rng.choice((1e-300, 1e-9, 1e4, 1e6))
        ink = [[[x * size, y * size] for x, y in stroke] for stroke in ink]
    else:
        ink.append([[n, n % 7] for n in range(rng.choice((4000, POINTS, POINTS * 20)))])
    return {"text": text, "strokes": ink}


def far_points(rng: random.Random, folder: Path) -> None:
    """A few such lines, read, brought to a network's units, made a style, and read by a network."""
    give()
    lines = [odd_line(rng) for _ in range(rng.randint(1, 5))]
    content = json.dumps(lines)
    Path("far.json").write_text(content)
    within_bounds(lambda: read(Path("far.json")), len(content))
    hand = HandDataset(root="far.json", x_height=100.0, step=20.0)
    within_bounds(hand.load, len(content))
    for words in (
        ["style", "make", "--ink", "far.json", "--name", "far", "--output", "style.json"],
        ["read", "-r", "reader.pth", "-d", "cpu", "far.json", "--output", "out"],
    ):
        before = peak()
        status, output = done = run(["experiments.py", *words])
        check_answer(done)
        if status:
            said = output[output.rfind("error: ") :].strip()
            demand("\n" not in said, f"more than a line: {said[:300]!a}")
            demand(not Path("style.json").exists() or words[0] != "style", "half a style")
        demand("Warning" not in output, f"a warning: {output[-300:]!a}")
        used = peak(resource.RUSAGE_CHILDREN) - before
        demand(used <= CHILD_MEMORY, f"{used >> 20} MiB of memory for {words[0]}")


FAMILIES = [Family("far points", 200, far_points, 60.0)]
