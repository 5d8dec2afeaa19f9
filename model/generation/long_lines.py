"""Writes lines that are longer than the lines on which the network was trained.

A network may go wrong in a long line. So a long line is written in parts, each in the hand of the
same primer (the paper, section 5.5): the caller's primer, or the first part of the line.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ink.geometry import bounds, to_points
from ink.measures import baseline
from model.generation.generators import GenerationNetwork
from model.generation.line import SEEDS, Line, Primer, Sampling
from model.generation.sampling import sample

PART_SEED_STRIDE = 10_000_019
"""Difference between the seeds of a line's parts: a prime larger than the number of lines."""


def text_parts(text: str, longest: int) -> list[str]:
    """Return the parts in which a text of more than `longest` characters is written, of at most
    half as many; parts after the first begin with a blank."""
    # Words are separated by one blank; further blanks, and those at an end, belong to a word.
    words = re.split(r"(?<=\S) (?=\s*\S)", text)
    first, *others = wrapped(words, longest // 2)
    return [first, *(f" {other}" for other in others)]


def write_other_parts(
    model: GenerationNetwork,
    line: Line,
    parts: Sequence[str],
    seed: int,
    sampling: Sampling,
    *,
    primer: Primer | None = None,
    progress: bool = False,
) -> Line:
    """Return a long line whose first part is written, with its other parts behind it. They have
    the extras and the latent of the first part.

    Args:
        model: the network.
        line: the first part.
        parts: the parts of the text, see `text_parts`.
        seed: the seed of the line.
        sampling: how points are drawn; `max_steps` limits the whole line.
        primer, progress: see `sample`.
    """
    first, *others = parts
    # A primer without a text is the start of the line's text, and cannot stand before the parts.
    part_primer = primer if primer is not None and primer[1].strip() else (line.ink, first)
    following = []
    if line.ended and len(part_primer[0]) > 1:  # else there is no hand to continue
        seeds = [(seed + PART_SEED_STRIDE * k) % SEEDS for k in range(1, len(parts))]
        sampling = replace(sampling, extras=line.extras, latent_seed=line.latent_seed)
        following = sample(model, seeds, others, sampling, primer=part_primer, progress=progress)
    return _limited(_merged(line, following, others, part_primer[0]), sampling.max_steps)


def wrapped(words: Sequence[str], longest: int) -> list[str]:
    """Return words concatenated to lines of about equal lengths, of at most `longest` characters. A
    longer word is a line by itself."""
    total = len(" ".join(words))
    num_lines = max(math.ceil(total / longest), 1)
    target = total / num_lines
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) < target and len(f"{lines[-1]} {word}") <= longest:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _merged(
    line: Line, following: Sequence[Line], texts: Sequence[str], primer_ink: np.ndarray
) -> Line:
    """Return a line with the parts that follow it, up to the first part that has not ended.

    Each part was written behind `primer_ink`, `(points, 3)`. The part is moved to the same
    distance behind the line, and onto the line's baseline. `texts` are the parts' texts.
    """
    primer_edge, _ = _from_end(primer_ink)
    whole_text = "".join((line.text, *texts))
    num_characters = len(line.text)
    pieces = [(line.ink, line.bias, line.peaks)]
    previous = line.written
    ended = line.ended and len(following) > 0
    for part, text in zip(following, texts, strict=False):
        ended = ended and len(part.written) > 0
        if not ended:
            break
        ink = part.ink[part.primed :].copy()
        written = part.written
        start = part.primed - 1
        edge, last_baseline = _from_end(previous)
        first_baseline = baseline(written[: _quarter(written)])
        ink[0, :2] = ink[0, 0] + edge - primer_edge, last_baseline - first_baseline
        # A peak on the primer's text counts as a peak on the part's first character.
        primer_characters = len(part.text) - len(text)
        peaks = np.maximum(part.peaks[start:] - primer_characters, 0) + num_characters
        num_characters += len(text)
        pieces.append((ink, part.bias[start:], peaks))
        previous = ink
        ended = part.ended
    inks, biases, peaks = zip(*pieces, strict=True)
    return replace(
        line,
        ink=np.concatenate(inks),
        peaks=np.concatenate(peaks),
        text=whole_text,
        ended=ended,
        bias=np.concatenate(biases),
    )


def _limited(line: Line, steps: int | None) -> Line:
    """Return a line cut to at most `steps` written points; None for no limit."""
    num_before = line.primed or 1  # without a primer, a line begins with a point of zeros
    if steps is None or len(line.ink) <= num_before + steps:
        return line
    ink = line.ink[: num_before + steps].copy()
    ink[-1, 2] = 1.0  # the pen leaves the paper
    last = len(ink) - 1
    return replace(line, ink=ink, peaks=line.peaks[:last], bias=line.bias[:last], ended=False)


def _from_end(ink: np.ndarray) -> tuple[float, float]:
    """Return x of the ink's right edge and y of its last baseline, relative to the last point."""
    last_x = float(to_points(ink)[-1, 0])
    tail = ink[-_quarter(ink) :]
    return bounds(ink)[2] - last_x, baseline(tail) - float(to_points(tail)[-1, 1])


def _quarter(ink: np.ndarray) -> int:
    """Return the number of points at an end of a line on which its baseline is measured."""
    return max(len(ink) // 4, 2)
