"""The legibility of a writer, judged by a recogniser."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from handwriting.hands import Hand, write_in_hand
from handwriting.page_hands import own_hand
from handwriting.page_options import PageOptions
from handwriting.proofreading import UNENDED, row_ink, write_words
from handwriting.source_text import known_only
from model.generation.sampling_options import Primer, Sampling
from model.reader import Reader
from model.recognition.error_rates import missing_words
from model.recognition.transcribing import Transcription, score
from model.writer import Writer
from utils.checks import UserError


@dataclass(frozen=True)
class Legibility:
    """How well a reader reads what a writer wrote.

    Attributes:
        transcriptions: of the lines that were written.
        lines_ended: whether each line ended by the stopping rule.
        tries: for each line how many tries its words took, summed.
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
        """Fraction of the lines that ended by the stopping rule."""
        return sum(self.lines_ended) / max(len(self.lines_ended), 1)

    @property
    def complete(self) -> float:
        """Fraction of the lines that ended and lack no word."""
        whole = [
            ended and not missing_words(read.reference, read.hypothesis)
            for ended, read in zip(self.lines_ended, self.transcriptions, strict=True)
        ]
        return sum(whole) / max(len(whole), 1)

    @property
    def wrong(self) -> int:
        """How many lines have any error."""
        return sum(read.error_rate > 0 for read in self.transcriptions)

    def summary(self, kinds: Sequence[str] = ()) -> dict[str, Any]:
        """Return all numbers by name; with `kinds` of the texts also the rates of each kind."""
        pairs = list(zip(self.transcriptions, kinds, strict=bool(kinds)))
        rates_of_kinds = {
            kind: score(read for read, kind_of_read in pairs if kind_of_read == kind)
            for kind in dict.fromkeys(kinds)
        }
        names = ("ended", "complete", "wrong")
        return {
            **{name: getattr(self, name) for name in names},
            "tries": sum(self.tries),
            **self.rates,
            **({"kinds": rates_of_kinds} if kinds else {}),
        }


def read_back(
    writer: Writer,
    reader: Reader,
    texts: Sequence[str],
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    proofreader: Reader | None = None,
    tries: int = PageOptions.tries,
    progress: bool = False,
) -> Legibility:
    """Write texts and read them back, to measure legibility.

    Args:
        writer: takes a text.
        reader: a recogniser, which should not have learnt from ink that networks wrote.
        texts: to write, in NFC. The writer leaves out characters that it does not know; these, and
            characters unknown to the reader, count as errors.
        seeds: of the lines.
        sampling: as `Writer.write_lines` takes it.
        primer: a line whose hand is continued.
        proofreader: a recogniser that is not `reader`, as a reader reads best the words that it
            chose. With a proofreader lines are written as on a page: in the hand of the primer, or
            a hand of the network's own, and each misread word again.
        tries: most times a word is written.
        progress: show progress bars.

    Raises:
        UserError: as `Writer.write_lines`, if the writer knows no character of a text, or if the
            proofreader is the reader.
    """
    if proofreader and proofreader.path.samefile(reader.path):
        raise UserError(
            f"--proofread {proofreader.path} is the network of --reader: it would judge the lines "
            "that it chose itself, which seem better than they are; give two, such as --proofread "
            "--reader judge"
        )
    writable, _ = known_only(writer.model.alphabet, texts, skip=True)
    if proofreader:
        sampling = replace(sampling, latent_seed=seeds[0])
        sample = primer or own_hand(writer, proofreader, seeds[0], sampling)
        hand = Hand(writer, sample, proofreader, sampling, tries, progress=progress)
        checked = write_words(hand, writable, seeds)
        inks = [row_ink(line) for line in checked]
        ended = [not any(UNENDED in word.faults for word in line) for line in checked]
        written = [sum(word.tries for word in line) for line in checked]
    else:
        lines = write_in_hand(writer, writable, seeds, sampling, primer=primer, progress=progress)
        inks, ended = [line.visible for line in lines], [line.ended for line in lines]
        written = [1] * len(lines)
    read = reader.read_lines(inks, progress=progress)
    pairs = enumerate(zip(inks, texts, read, strict=True), 1)
    transcriptions = [Transcription(f"text {number}", *values) for number, values in pairs]
    return Legibility(transcriptions, ended, written)
