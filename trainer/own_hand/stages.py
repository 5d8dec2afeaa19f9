"""Learning a hand on one bar: what is done, and how long all of it will still take."""

import logging
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from base import distributed

log = logging.getLogger(__name__)

READING, WRITING = "reading your lines", "writing the letters that they lack"
COMPOSING, PRACTISING = "composing new lines of your letters", "practising"
CHOOSING, EXAMINING = "choosing a line to begin with", "comparing what it writes with before"
STAGES = {
    READING: 2.0,
    WRITING: 10.0,
    COMPOSING: 32.0,
    PRACTISING: 80.0,
    CHOOSING: 12.0,
    EXAMINING: 12.0,
}
"""What is done, in order, and for how many seconds of one core (measured, lab notebook: learning a
hand)."""


def stage(
    name: str, steps: int = 1, done: int = 0, items: Sequence[Any] | None = None
) -> "tqdm[Any]":
    """Return the bar over all stages where one of them begins, or goes on.

    Args:
        name: of the stage.
        steps: by which it is counted.
        done: how many of them are done.
        items: of which each is a step, to go through; None if the caller counts.
    """
    steps = max(len(items), 1) if items is not None else steps
    names = [*STAGES]
    if not done:
        log.info("%d of %d: %s", names.index(name) + 1, len(names), name)
    step = STAGES[name] / steps
    before = sum(STAGES[one] for one in names[: names.index(name)])
    return distributed.bar(
        items,
        name,
        total=sum(STAGES.values()) / step,
        initial=before / step + done,
        bar_format="{desc}: {percentage:.0f}%|{bar}| about {remaining} left",
        leave=False,
    )
