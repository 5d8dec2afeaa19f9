"""The legibility of a writer, judged by a recogniser."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from model.generation.options import Primer, Sampling
from model.proofreading import Proofread, proofread
from model.reader import Reader
from model.recognition.encoder import GREEDY, Search
from model.recognition.error_rates import missing_words
from model.recognition.transcribing import Transcription, score
from model.writer import Writer
from utils.hand_measures import clear_dots


@dataclass(frozen=True)
class Legibility:
    """How well a reader reads what a writer wrote.

    Attributes:
        lines: that were written.
        transcriptions: of these.
    """

    lines: list[Proofread]
    transcriptions: list[Transcription]

    @cached_property
    def rates(self) -> dict[str, float]:
        """See `model.recognition.transcribing.score`."""
        return score(self.transcriptions)

    @property
    def ended(self) -> float:
        """Share of the lines that ended by the stopping rule."""
        return sum(one.line.ended for one in self.lines) / max(len(self.lines), 1)

    @property
    def complete(self) -> float:
        """Share of the lines that ended and lack no word."""
        pairs = zip(self.lines, self.transcriptions, strict=True)
        whole = [
            one.line.ended and not missing_words(read.reference, read.hypothesis)
            for one, read in pairs
        ]
        return sum(whole) / max(len(whole), 1)

    @property
    def wrong(self) -> int:
        """How many lines have any error."""
        return sum(one.error_rate > 0 for one in self.transcriptions)

    @property
    def clear_dots(self) -> float:
        """Share of the full stops and other dots on the baseline that stand clear of other ink; NaN
        if the texts have none."""
        found = [clear_dots(one.ink, one.reference) for one in self.transcriptions]
        clear, expected = map(sum, zip(*found, strict=True))
        return clear / expected if expected else math.nan


def read_back(
    writer: Writer,
    reader: Reader,
    texts: Sequence[str],
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    search: Search = GREEDY,
    proofreader: Reader | None = None,
    tries: int = 1,
    progress: bool = False,
) -> Legibility:
    """Write texts and read them back, to measure legibility.

    Args:
        writer: takes a text.
        reader: a recogniser, which should not have learnt from what networks wrote.
        texts: what to write, in NFC; the writer must know their characters. What the reader does
            not know counts as errors.
        seeds: of the lines; of their first tries if they are proofread.
        sampling, primer: as `Writer.write_lines` takes them.
        search: how `reader` searches for the text.
        proofreader: reads the lines first, which are written again where it misreads them, see
            `model.proofreading`; another network than `reader`, which would choose what it reads
            well itself. None for no proofreading.
        tries: how often a line is written at most, if they are proofread.
        progress: show progress bars.

    Raises:
        UserError: as `Writer.write_lines`.
    """
    lines = proofread(
        writer, proofreader, texts, seeds, sampling, primer=primer, tries=tries, progress=progress
    )
    read = reader.read_lines([one.line for one in lines], search, progress=progress)
    return Legibility(
        lines,
        [
            Transcription(f"text {number}", one.line.visible, text, hypothesis)
            for number, (one, text, hypothesis) in enumerate(
                zip(lines, texts, read, strict=True), 1
            )
        ],
    )
