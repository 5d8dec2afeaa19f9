"""Checks of the lines of a style."""

from pathlib import Path

import numpy as np

from apps.pages.styles import fractions_of
from ink.measures import NUM_HAND_LINES
from ink.reading import read_ink
from ink.sample import Sample
from model.loading import Reader
from model.recognition.error_rates import error_rate
from utils.checks import UserError

MIN_CHECKED = 3  # least lines of a style that are judged to be no writing (assumed)
MAX_MISREAD = 0.5  # character error rate of a line that may say its text (measured: `check_lines`)


def first_lines(style: str | Path) -> list[Sample]:
    """Return the first line of each style of a mix, by which words are shaped. Raise a UserError
    that names the file if a line has no text."""
    lines = {path: read_ink(path)[0] for path in fractions_of(style)}
    for path, sample in lines.items():
        if not sample.text.strip():
            file = path / sample.name if path.is_dir() else f"{path}, {sample.name}"
            raise UserError(f"{file}: the first line of the style has no text; add what it says")
    return [*lines.values()]


def check_lines(path: Path, reader: Reader) -> None:
    """Raise a UserError if a reader misreads more than half of the characters in all but one of at
    least `MIN_CHECKED` lines of a style, as if y grew upwards.

    Of 200 people's four lines none were refused, and all were when they stood upside down
    (measured, notebook: pages, words on their line).
    """
    samples = [sample for sample in read_ink(path) if sample.text.strip()]
    samples = samples[:NUM_HAND_LINES]

    def misread(direction: float) -> list[Sample]:
        scale = np.float32([1, direction, 1])
        texts = reader.read_lines([sample.ink * scale for sample in samples])
        pairs = zip(samples, texts, strict=True)
        return [sample for sample, text in pairs if error_rate(sample.text, text) > MAX_MISREAD]

    if len(samples) < MIN_CHECKED:
        return
    wrong = misread(1.0)
    if len(wrong) < len(samples) - 1:  # one line may be right by accident
        return
    file = path / wrong[0].name if path.is_dir() else f"{path}, {wrong[0].name}"
    others = f" and {len(wrong) - 1} more lines do not look like their texts"
    hint = ": upside down? y grows downwards" if len(misread(-1.0)) < len(wrong) else ""
    raise UserError(f"{file}{others}{hint}")
