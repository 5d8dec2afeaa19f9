"""The legibility of a writer, judged by a recogniser."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from handwriting.hand import Hand, row_of, write_lines
from handwriting.proofreading import UNENDED
from model.generation.options import Primer, Sampling
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
        transcriptions: of the lines that were written.
        lines_ended: whether each ended by the stopping rule.
        tries: how often its words were written, together.
    """

    transcriptions: list[Transcription]
    lines_ended: list[bool]
    tries: list[int]

    @cached_property
    def rates(self) -> dict[str, float]:
        """See `model.recognition.transcribing.score`."""
        return score(self.transcriptions)

    @property
    def ended(self) -> float:
        """Share of the lines that ended by the stopping rule."""
        return sum(self.lines_ended) / max(len(self.lines_ended), 1)

    @property
    def complete(self) -> float:
        """Share of the lines that ended and lack no word."""
        whole = [
            ended and not missing_words(read.reference, read.hypothesis)
            for ended, read in zip(self.lines_ended, self.transcriptions, strict=True)
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
    hand: Hand | None = None,
    progress: bool = False,
) -> Legibility:
    """Write texts and read them back, to measure legibility.

    Args:
        writer: takes a text.
        reader: a recogniser, which should not have learnt from what networks wrote.
        texts: what to write, in NFC; the writer must know their characters. What the reader does
            not know counts as errors.
        seeds: of the lines.
        sampling: as `Writer.write_lines` takes it.
        primer: whose hand is continued.
        search: how `reader` searches for the text.
        hand: writes the lines instead, as those of a page, proofread by another network than
            `reader`, which would choose what it reads well itself.
        progress: show progress bars.

    Raises:
        UserError: as `Writer.write_lines`.
    """
    if hand:
        found = hand.write_words(texts, seeds)
        inks = [row_of(line) for line in found]
        ended = [not any(UNENDED in one.faults for one in line) for line in found]
        tries = [sum(one.tries for one in line) for line in found]
    else:
        lines = write_lines(writer, texts, seeds, sampling, primer=primer, progress=progress)
        inks, ended = [line.visible for line in lines], [line.ended for line in lines]
        tries = [1] * len(lines)
    read = reader.read_lines(inks, search, progress=progress)
    pairs = enumerate(zip(inks, texts, read, strict=True), 1)
    transcriptions = [Transcription(f"text {number}", *one) for number, one in pairs]
    return Legibility(transcriptions, ended, tries)
