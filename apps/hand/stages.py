"""The progress bar of learning a hand, which shows the time left for all stages."""

import logging
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from base import distributed

log = logging.getLogger(__name__)

READING = "reading your lines"
WRITING = "writing the letters that they lack"
COMPOSING = "composing new lines of your letters"
PRACTISING = "practising"
EXAMINING = "comparing with before"
STAGES = {
    READING: 2.0,
    WRITING: 10.0,
    COMPOSING: 32.0,
    PRACTISING: 80.0,
    EXAMINING: 24.0,
}
"""The stages in order, and their seconds on one core (measured, notebook: hands, learning a
hand)."""


def stage(
    name: str, steps: int = 1, done: int = 0, items: Sequence[Any] | None = None
) -> "tqdm[Any]":
    """Return a progress bar over all stages, which begins at step `done` of the stage `name`.

    Args:
        name: name of the stage.
        steps: number of the stage's steps.
        done: number of the stage's steps that are done.
        items: items that the bar iterates over, a step each; None if the caller updates the bar.
    """
    if items is not None:
        steps = max(len(items), 1)
    index = [*STAGES].index(name)
    if not done:
        log.info("%d of %d: %s", index + 1, len(STAGES), name)
    seconds_per_step = STAGES[name] / steps
    seconds_before = sum([*STAGES.values()][:index])
    return distributed.bar(
        items,
        name,
        total=sum(STAGES.values()) / seconds_per_step,
        initial=seconds_before / seconds_per_step + done,
        bar_format="{desc}: {percentage:.0f}%|{bar}| about {remaining} left",
        leave=False,
    )
