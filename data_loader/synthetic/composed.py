"""A recorded dataset with new lines in its hands, of texts that people write."""

import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample, changed
from data_loader.synthetic import corpus
from data_loader.synthetic.alignment import Alignment
from data_loader.synthetic.bank import check_forms, hands
from data_loader.synthetic.composing import Bank
from data_loader.synthetic.corpus import Draws
from data_loader.synthetic.cutting import CutLine, Parts, measured_lines, parts_of
from data_loader.synthetic.drawn import Drawer
from data_loader.synthetic.european import european
from data_loader.synthetic.everyday import characters, everyday
from data_loader.synthetic.extended import ExtendedDataset, joined
from data_loader.synthetic.paths import side_by_side, to_ink
from utils.alphabet import nfc
from utils.checks import ConfigFault, DataError, Fraction, Range, Seed
from utils.licences import RESEARCH

LEAST_LINES = 3
"""Least number of lines of a hand (assumed)."""
COMPOSED = "composed-"
"""Beginning of the names of new lines."""
PIECE = "piece-"
"""Beginning of the names of pieces of recorded lines."""
MAX_TEXTS = 1000
"""Largest number of texts that are tried for a line (assumed)."""


@dataclass(kw_only=True, eq=False)
class ComposedDataset(ExtendedDataset):
    """A recorded dataset, with new training lines in its hands.

    The lines of a writer or, where writers are unknown, of a form (the dataset's `group`) are one
    hand. Training lines are cut into characters by an alignment, and the characters are set into
    texts of every kind (see `everyday`, `european`), at the hand's x-height, slant, speed and
    spacing. A character that the hand never wrote comes from similar hands; a character that nobody
    wrote comes from recorded digits or stroke fonts, adapted to the hand.

    Args:
        dataset: the recorded dataset, with texts, and writers or forms.
        alignment: file that `benchmarks/align.py` made for the dataset, or the name of a file that
            comes with the project, such as "iam_ondb".
        size: number of new lines.
        long: number of further lines, each of two to four lines of one hand side by side. The parts
            are recorded, but every second line ends in a new part, as after a primer.
        european: fraction of the new lines with letters beyond ASCII.
        strings: fraction of the new lines that are no words at all, so that every character comes
            beside every other sort.
        plain: fraction of the new lines that are sentences; the rest are texts of `everyday`.
        digits: a dataset of single digits, whose training split supplies digits as well.
        forms: bounds on the fraction of hands whose lines are cut, in an order that follows from
            the hands' names alone: datasets with [0, 0.7] and [0.7, 1] have no cut ink in common.
        height: if given, recorded lines of all splits are brought level and to this x-height, as
            the alignment measures them. Lines that cannot be measured, or of which a recogniser
            misread more than a quarter, are left out.
        longest: if given, with `height`, recorded lines with more characters are cut between words.
        pieces: if given, with `height`, training also has recorded lines cut between words into
            pieces of at most this many characters: they teach a network the first letters of a
            line, where it knows the hand only from the hand vector.
        lifts: if given, no lines are composed in a hand with fewer strokes per character: below
            0.65 a hand's letters are joined, and composed letters would not be.
        scarce: characters that were written less often than this are drawn as well.
        seed: seed of the choice of texts, hands and pieces.

    Raises:
        ConfigFault: if the fractions add up to more than 1, or `forms` are no bounds.
    """

    alignment: str
    size: Annotated[int, Range(1, 100_000)]
    long: Annotated[int, Range(0, 100_000)] = 0
    european: Fraction = 0.15
    strings: Fraction = 0.15
    plain: Fraction = 0.1
    digits: BaseDataset | None = None
    forms: tuple[Fraction, Fraction] = (0.0, 1.0)
    height: Annotated[float, Range(1e-3, 1e6)] | None = None
    longest: Annotated[int, Range(8, 100_000)] | None = None
    pieces: Annotated[int, Range(1, 100_000)] | None = None
    lifts: Annotated[float, Range(0, 100)] | None = None
    scarce: Annotated[int, Range(1, 1_000_000)] = 60
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.european + self.strings + self.plain > 1:
            three = f"european ({self.european:g}), strings ({self.strings:g}) and plain"
            raise ConfigFault("plain", self.plain, f"shares of at most 1 together: {three}")
        if self.forms[0] >= self.forms[1]:
            raise ConfigFault("forms", self.forms, "two bounds, such as [0.0, 0.7]")

    def licences(self) -> set[str | None]:
        # The table "iam_ondb" was made from the lines of IAM-OnDB.
        return super().licences() | ({RESEARCH} if self.alignment == "iam_ondb" else set())

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the dataset, compose the lines, and bring recorded lines to the height.

        Raises:
            DataError: if the alignment or the digits cannot be read, the alignment fits no line,
                or the dataset has no forms, or no forms that can be cut.
        """
        main, composes = self.dataset.load(splits), "train" in splits
        if self.height is None and not composes:
            return main
        # The digits are loaded before the slow measuring, as their files may be missing.
        drawer = Drawer(self.digits) if composes else None
        lines = self._measured(main.split("train") if self.height is None else main.used)
        recorded = main if self.height is None else self._levelled(main, lines)
        if drawer is None:
            return recorded
        bank = self._bank_of(main.split("train"), lines, drawer)
        new = self._composed_lines(bank, recorded.quantisation_step)
        characters = sum(sum(counts.values()) for counts in bank.written.values())
        summary = (
            f"{self.size:,} lines composed of {len(bank.names):,} forms, "
            f"{characters:,} characters cut out and read, and {self.long:,} of several lines"
        )
        if self.height is not None and self.pieces is not None:
            train = (lines.get(sample, ()) for sample in main.split("train"))
            pieces = self._pieces(chain.from_iterable(train))
            new += pieces
            summary += f", {len(pieces):,} pieces of recorded lines"
        return joined(recorded, new, summary)

    def _pieces(self, lines: Iterable[tuple[Sample, CutLine]]) -> list[Sample]:
        """Return the pieces of longer lines, with names such as "piece-0/a01-000u-01"."""
        scale, pieces = (self.height, self.height, 1), []
        for sample, line in lines:
            parts = parts_of(sample, line, self.pieces)
            for number, (part, cut) in enumerate(parts if len(parts) > 1 else ()):
                name = f"{PIECE}{number}/{sample.name}"
                pieces.append(replace(part, ink=to_ink(cut.path * scale), name=name))
        return pieces

    def _measured(self, samples: list[Sample]) -> dict[Sample, Parts]:
        """Return the parts of each sample that can be measured."""
        table = Alignment.load(self.alignment)
        bar = distributed.bar(samples, "measuring", unit=" lines", leave=False, delay=1)
        longest = None if self.height is None else self.longest
        return {
            sample: parts_of(sample, line, longest) for sample, line in measured_lines(bar, table)
        }

    def _levelled(self, main: Loaded, lines: Mapping[Sample, Parts]) -> Loaded:
        """Return the measured lines brought to the height; lines without a measure are left out."""
        scale = (self.height, self.height, 1)
        level = {
            sample: [replace(part, ink=to_ink(line.path * scale)) for part, line in parts]
            for sample, parts in lines.items()
        }
        samples = changed(main.samples, lambda sample: level.get(sample, []))
        lost = [sum(s not in level for s in part) for part in main.samples.values()]
        report = main.report
        if any(lost):
            counts = [f"{count:,} of {split}" for count, split in zip(lost, samples, strict=True)]
            report += f"\nleft out, as their text or hand does not fit: {', '.join(counts)}"
        return Loaded(samples, report)

    def _bank_of(self, train: list[Sample], lines: Mapping[Sample, Parts], drawer: Drawer) -> Bank:
        """Return the bank of hands of the measured training lines."""
        check_forms(self.dataset, train)
        all_hands = hands(chain.from_iterable(lines.get(sample, ()) for sample in train))
        if not all_hands:
            raise DataError(
                f"alignment = {self.alignment!r} fits none of the {len(train):,} training lines: "
                "names, texts or numbers of points are others, or a recogniser misread the lines"
            )
        low, high = self.forms
        chosen = {
            name: hand
            for name, hand in sorted(all_hands.items())
            if len(hand.lines) >= LEAST_LINES
            and low <= share_of(name) < high
            and hand.lifts >= (self.lifts or 0.0)
        }
        if not chosen:
            raise DataError(
                f"forms = {self.forms}, lifts = {self.lifts}: none of the {len(all_hands):,} forms "
                f"within these bounds has {LEAST_LINES} lines that the alignment fits"
            )
        return Bank(chosen, drawer, self.scarce)

    def _composed_lines(self, bank: Bank, grid: float | None) -> list[Sample]:
        """Return new lines, named such as "composed-000017/a01-000u", whose group is the hand."""
        numbers, lines = range(self.size + self.long), []
        for number in distributed.bar(numbers, "composing", unit=" lines", leave=False, delay=1):
            generator = np.random.default_rng([self.seed, number])
            name = bank.names[int(generator.integers(len(bank.names)))]
            if number < self.size:
                text, path = self._new(bank, name, generator)
            else:
                text, path = self._side_by_side(bank, name, generator, number % 2 == 1)
            height = self.height or bank.hands[name].height
            ink = to_ink(path * (height, height, 1), grid)
            lines.append(Sample(ink, text, f"{COMPOSED}{number:06d}/{name}", group=name))
        return lines

    def _new(self, bank: Bank, name: str, generator: np.random.Generator) -> tuple[str, np.ndarray]:
        """Return a new line in a hand: its text, and its path in x-heights."""
        for _ in range(MAX_TEXTS):
            text = self._text(Draws(generator))
            if (path := bank.write(text, name, generator)) is not None:
                return text, path
        raise DataError(
            f"none of {MAX_TEXTS} texts could be written in the hand of {name}, the last of them "
            f"{text!r}: each has characters that nobody wrote and that cannot be drawn"
        )

    def _text(self, draws: Draws) -> str:
        number = draws.number()
        for fraction, make in (
            (self.european, european),
            (self.strings, characters),
            (self.plain, lambda draws: corpus.line(draws, 0, 10, 45, 0.0)),
        ):
            if number < fraction:
                return nfc(make(draws))
            number -= fraction
        return everyday(draws)

    def _side_by_side(
        self, bank: Bank, name: str, generator: np.random.Generator, continued: bool
    ) -> tuple[str, np.ndarray]:
        """Return recorded lines of a hand as one line; if `continued`, the last of them is new."""
        hand = bank.hands[name]
        count = min(int(generator.integers(2, 5)), len(hand.lines))
        chosen = generator.choice(len(hand.lines), count - continued, replace=False).tolist()
        lines = [(hand.lines[n].text.strip(), hand.lines[n].path) for n in chosen]
        if continued:
            lines.append(self._new(bank, name, generator))
        texts, paths = zip(*lines, strict=True)
        return " ".join(texts), side_by_side(paths, float(np.median(hand.word_gaps)))


def share_of(form: str) -> float:
    """Return the place of a form in an order of all possible names, from 0 up to 1."""
    return zlib.crc32(form.encode()) / 2**32
