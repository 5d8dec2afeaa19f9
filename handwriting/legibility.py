"""The legibility of a writer, measured with a recogniser."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from handwriting.hands import Hand, write_in_hand
from handwriting.page_hands import new_hand_primer
from handwriting.page_options import PageOptions
from handwriting.proofreading import UNENDED, line_ink, write_words
from handwriting.source_text import known_only
from model.generation.sampling_options import Primer, Sampling
from model.reader import Reader
from model.recognition.error_rates import missing_words
from model.recognition.transcribing import Transcription, score
from model.writer import Writer
from utils.checks import UserError


@dataclass(frozen=True)
class Legibility:
    """How well a reader reads the lines of a writer.

    Attributes:
        transcriptions: what the reader reads in each line.
        lines_ended: whether each line ended by the stopping rule.
        tries: for each line the sum of the tries of its words.
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
        """Fraction of the lines that ended by the stopping rule and lack no word."""
        are_complete = [
            ended and not missing_words(line.reference, line.hypothesis)
            for ended, line in zip(self.lines_ended, self.transcriptions, strict=True)
        ]
        return sum(are_complete) / max(len(are_complete), 1)

    @property
    def wrong(self) -> int:
        """Number of the lines that have an error."""
        return sum(line.error_rate > 0 for line in self.transcriptions)

    def summary(self, kinds: Sequence[str] = ()) -> dict[str, Any]:
        """Return all numbers by name; if each text has a kind, also the rates of each kind."""
        pairs = list(zip(self.transcriptions, kinds, strict=bool(kinds)))
        rates_of_kinds = {
            kind: score(line for line, kind_of_line in pairs if kind_of_line == kind)
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
        writer: a writer that takes a text.
        reader: a recogniser, which should not have learnt from ink that networks wrote.
        texts: the texts to write, in NFC. Characters that the writer does not know are left out;
            these, and characters that the reader does not know, count as errors.
        seeds: the seed of each line.
        sampling: how points are drawn.
        primer: a line whose hand is continued.
        proofreader: a recogniser other than `reader`: a recogniser reads best the words that it
            chose itself. With a proofreader, lines are written as on a page: in the hand of the
            primer or in a hand of the network's own, and misread words are written again.
        tries: largest number of times that a word is written.
        progress: show progress bars.

    Raises:
        UserError: if `Writer.write_lines` raises it, if the writer knows no character of a text, or
            if the proofreader is the reader.
    """
    if proofreader and proofreader.path.samefile(reader.path):
        raise UserError(
            f"--proofread {proofreader.path} is also the network of --reader, which would make "
            "lines seem better than they are; give two networks, such as --proofread --reader judge"
        )
    writable, _ = known_only(writer.model.alphabet, texts, skip=True)
    if proofreader:
        sampling = replace(sampling, latent_seed=seeds[0])
        primer = primer or new_hand_primer(writer, proofreader, seeds[0], sampling)
        hand = Hand(writer, primer, proofreader, sampling, tries, progress=progress)
        checked = write_words(hand, writable, seeds)
        inks = [line_ink(line) for line in checked]
        ended = [not any(UNENDED in word.faults for word in line) for line in checked]
        tries_of_lines = [sum(word.tries for word in line) for line in checked]
    else:
        lines = write_in_hand(writer, writable, seeds, sampling, primer=primer, progress=progress)
        inks, ended = [line.visible for line in lines], [line.ended for line in lines]
        tries_of_lines = [1] * len(lines)
    hypotheses = reader.read_lines(inks, progress=progress)
    lines_read = enumerate(zip(inks, texts, hypotheses, strict=True), 1)
    transcriptions = [Transcription(f"text {number}", *values) for number, values in lines_read]
    return Legibility(transcriptions, ended, tries_of_lines)
