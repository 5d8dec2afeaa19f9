"""A recogniser proofreads written lines: one that is misread is written again.

Graves 2013 draws each line once. Here a line with a fault is drawn again with the next seed, and
the best of its tries is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.generation.line import Line
from model.generation.options import Primer, Sampling
from model.generation.writing import SEEDS
from model.reader import Reader
from model.recognition.error_rates import error_counts, missing_words
from model.writer import Writer
from utils.ink import bounds, x_height

TRY_SEED_STRIDE = 1_000_000_007
"""Difference between the seeds of two tries of a line: prime, and more than there are lines."""

DOUBT = 0.08
"""Nats of doubt with which a line is good enough (measured, lab notebook: the lines of a page)."""
HIGHEST, BACK, WIDEST = 9.0, 3.0, 6.0
"""Height of a line, way back of the pen beyond the width of a word, and width for each character,
in x-heights, beyond which ink is not a line (assumed)."""

ALIKE = str.maketrans("_~,'`", "--...")
"""Signs that only their height in the line tells apart, each as one of them."""

UNENDED, MISSING, SHAPE = "never ended", "left out a word", "ink outside the line"
"""Faults of a line besides misread characters."""


@dataclass(frozen=True)
class Proofread:
    """A line that was proofread.

    Attributes:
        line: the best try.
        tries: how many there were.
        hypothesis: what was read, of the best.
        errors: characters misread in it.
        doubt: minus the log-probability that the reader gives the text, in nats.
        faults: what else is wrong with it, of `UNENDED`, `MISSING` and `SHAPE`.
        first_errors: characters misread in the first try.
    """

    line: Line
    tries: int
    hypothesis: str
    errors: int
    doubt: float
    faults: tuple[str, ...]
    first_errors: int

    @property
    def right(self) -> bool:
        """Whether nothing is wrong with it, as far as the reader can tell."""
        return not self.errors and not self.faults and self.doubt <= DOUBT


def proofread(
    writer: Writer,
    reader: Reader | None,
    texts: Sequence[str],
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    tries: int = 1,
    progress: bool = False,
) -> list[Proofread]:
    """Write lines until they are read as they should be without doubt, or `tries` times.

    The tries of a line are the same whatever other lines there are.

    Args:
        writer: takes a text.
        reader: None believes the first try.
        texts: of the lines.
        seeds: of their first tries.
        sampling, primer, progress: as `Writer.write_lines` takes them.
        tries: at least 1.
    """
    best: dict[int, Proofread] = {}
    for number in range(tries if reader else 1):
        pending = [k for k in range(len(texts)) if k not in best or not best[k].right]
        if not pending:
            break
        wanted = [texts[k] for k in pending]
        again = [(seeds[k] + number * TRY_SEED_STRIDE) % SEEDS for k in pending]
        lines = writer.write_lines(wanted, again, sampling, primer=primer, progress=progress)
        readings = [(text, 0.0) for text in wanted]
        if reader:
            readings = reader.proofread(lines, wanted, progress=progress)
        for k, line, (hypothesis, doubt) in zip(pending, lines, readings, strict=True):
            found = judged(line, texts[k], hypothesis, doubt)
            before = best.get(k, found)
            better = min(before, found, key=lambda one: (len(one.faults), one.errors, one.doubt))
            best[k] = replace(better, tries=number + 1, first_errors=before.first_errors)
    return [best[k] for k in range(len(texts))]


def judged(line: Line, text: str, hypothesis: str, doubt: float) -> Proofread:
    """Return a line that should say `text` and is read as `hypothesis`, as a first try."""
    signs = _only_signs(text)
    # Beside no letter a full stop is read as nothing or as a comma.
    alike = not hypothesis or hypothesis.translate(ALIKE) == text.translate(ALIKE)
    seen = text if signs and alike else hypothesis
    errors = error_counts(text, seen).character_errors
    wrong = {
        UNENDED: not line.ended,
        MISSING: bool(missing_words(text, seen)),
        SHAPE: not _is_line(line, text),
    }
    faults = tuple(name for name, true in wrong.items() if true)
    return Proofread(line, 1, hypothesis, errors, 0.0 if signs else doubt, faults, errors)


def _only_signs(text: str) -> bool:
    return not any(map(str.isalnum, text))


def _is_line(line: Line, text: str) -> bool:
    """Return whether ink has the extent of a line, and does not jump back over what is written."""
    ink, signs = line.written, _only_signs(text)
    if len(ink) < (1 if signs else 2):
        return False
    letter = x_height(line.ink if signs else ink)  # signs have none: the primer's
    left, top, right, bottom = bounds(ink)
    across = np.cumsum(ink[:, 0], dtype=np.float64)
    longest = max(map(len, text.split()), default=1)
    back = float((np.maximum.accumulate(across) - across).max())
    return bool(
        bottom - top <= HIGHEST * letter
        and right - left <= WIDEST * letter * max(len(text), 2)
        and back <= (BACK + 2.0 * longest) * letter
    )
