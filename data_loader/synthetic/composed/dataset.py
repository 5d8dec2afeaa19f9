"""A recorded dataset with new training lines in its hands."""

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Annotated

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.data.samples import Samples
from data_loader.pen_paths import side_by_side, to_ink
from data_loader.recipe import ExtendedDataset, with_lines
from data_loader.sources.cache import derived
from data_loader.synthetic.composed.alignment import Alignment, path_of
from data_loader.synthetic.composed.composing import Bank, Composer
from data_loader.synthetic.composed.cutting import CutLine, Parts, measured_lines, parts_of
from data_loader.synthetic.composed.drawn_characters import Drawer
from data_loader.synthetic.composed.recorded_hands import check_hands, recorded_hands
from data_loader.synthetic.texts import corpus
from data_loader.synthetic.texts.corpus import Draws
from data_loader.synthetic.texts.european import (
    ALL_LANGUAGES,
    VOCABULARY,
    Languages,
    european,
    marked_sentence,
)
from data_loader.synthetic.texts.everyday import everyday, random_characters
from ink.alphabet import nfc
from ink.sample import Parsed, Sample
from utils.checks import ConfigFault, DataError, Fraction, Range, Seed
from utils.licences import RESEARCH_ONLY

MIN_LINES = 3
"""Minimum number of lines of a hand (assumed)."""
COMPOSED_PREFIX = "composed-"
"""Prefix of the names of new lines."""
PIECE_PREFIX = "piece-"
"""Prefix of the names of pieces of recorded lines."""
MAX_TEXTS = 1000
"""Largest number of texts that are drawn for a line until a hand can write one (assumed)."""


@dataclass(kw_only=True, eq=False)
class ComposedDataset(ExtendedDataset):
    """A recorded dataset, with new training lines in its hands.

    The lines of a writer or, where writers are unknown, of a form (the dataset's `group`) are one
    hand. An alignment cuts the training lines into characters, which are combined to texts of every
    kind (see `everyday`, `european`) with the hand's x-height, slant, speed and spacing. A
    character that the hand never wrote comes from similar hands; a character that nobody wrote
    comes from recorded digits or stroke fonts, adapted to the hand.

    Args:
        dataset: the recorded dataset, with texts, and writers or forms.
        alignment: file of the places of letters that was made for the dataset, or the name of a
            file that comes with the project, such as "iam_ondb".
        size: number of new lines.
        long: number of further lines, each of two to four lines of one hand side by side. All parts
            are recorded lines; in every second line the last part is new, as after a primer.
        european: fraction of the new lines with letters beyond ASCII.
        strings: fraction of the new lines that have random characters instead of words, so that
            characters of each class stand next to characters of all others.
        plain: fraction of the new lines that are sentences; the rest are texts of `everyday`.
        marked: fraction of the new lines that are sentences with accents on random letters, which
            teach to read accents and not words.
        languages: the languages of `european` and `marked`, such as ["French"]; None has all.
        hasty: fraction of the new lines with accents as people make them in haste: small, in other
            places and shapes, joined to the letter, or all after the word.
        digits: a dataset of single digits, whose training split supplies more digits.
        forms: two bounds from 0 to 1. Each hand has a number from 0 to 1 that depends on its name
            alone; only hands with a number within the bounds are cut. So datasets with [0, 0.7] and
            [0.7, 1] have no cut ink in common.
        height: x-height to which recorded lines of all splits are scaled after they were made
            level; None leaves them unchanged. Lines that cannot be measured, or of which a
            recogniser misread more than a quarter, are left out.
        longest: largest number of characters of a recorded line; longer lines are cut between
            words. None cuts no lines. Only used with `height`.
        pieces: largest number of characters of a piece. Longer recorded lines are also cut between
            words into pieces for training, to teach a network to begin a line, where it knows the
            hand only from the hand vector. None makes no pieces. Only used with `height`.
        lifts: least number of strokes per character of the hands that are used, or None.
            Hands below 0.65 join their letters, but composed letters would not be joined.
        seed: seed of the choice of texts, hands and pieces.

    Raises:
        ConfigFault: if `european`, `strings`, `plain` and `marked` add up to more than 1, the first
            bound of `forms` is not below the second, or a language is unknown.
    """

    alignment: str
    size: Annotated[int, Range(1, 100_000)]
    long: Annotated[int, Range(0, 100_000)] = 0
    european: Fraction = 0.15
    strings: Fraction = 0.15
    plain: Fraction = 0.1
    marked: Fraction = 0.0
    languages: list[str] | None = None
    hasty: Fraction = 0.0
    digits: BaseDataset | None = None
    forms: tuple[Fraction, Fraction] = (0.0, 1.0)
    height: Annotated[float, Range(1e-3, 1e6)] | None = None
    longest: Annotated[int, Range(8, 100_000)] | None = None
    pieces: Annotated[int, Range(1, 100_000)] | None = None
    lifts: Annotated[float, Range(0, 100)] | None = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.european + self.strings + self.marked + self.plain > 1:
            names = f"european ({self.european:g}), strings ({self.strings:g}), "
            names += f"marked ({self.marked:g}) and plain"
            raise ConfigFault("plain", self.plain, f"fractions of at most 1 together: {names}")
        if unknown := {*(self.languages or ())} - {*VOCABULARY}:
            expected = f"one of {', '.join(VOCABULARY)}"
            raise ConfigFault("languages", min(unknown), expected)
        if self.forms[0] >= self.forms[1]:
            raise ConfigFault("forms", self.forms, "two bounds, such as [0.0, 0.7]")

    def licences(self) -> set[str | None]:
        licences = super().licences()
        if self.alignment == "iam_ondb":  # This shipped table is derived from IAM-OnDB.
            licences = licences | {RESEARCH_ONLY}
        return licences

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the dataset, compose new lines, and scale recorded lines to `height`.

        Raises:
            DataError: if the alignment or the digits cannot be read, the alignment fits no line,
                the dataset names no writers or forms, or no hand is within the bounds.
        """
        recorded = self.dataset.load(splits)
        has_train = "train" in splits
        if self.height is None and not has_train:
            return recorded
        digits = Samples()
        if self.digits and has_train:  # Missing digits are reported before the slow measuring.
            digits = self.digits.load(["train"]).split("train")
        # Scaled lines lie on no grid.
        grid = recorded.quantisation_step if self.height is None else None
        lines = derived(
            self,
            [*recorded.samples.values(), digits],
            self._read(recorded, digits, grid),
            [path_of(self.alignment), [*recorded.samples], grid],
        )
        counts, summary = lines.notes
        if self.height is not None:
            recorded = self._levelled(recorded, lines.all, counts)
        if not has_train:
            return recorded
        new_lines = lines.all[sum(counts) :]  # They follow the parts of recorded lines.
        return with_lines(recorded, new_lines, summary)

    def _read(self, recorded: Loaded, digits: Samples, grid: float | None) -> Iterator[Parsed]:
        """Yield the parts of each sample, scaled to `height` unless it is None, and the new lines.

        The last value notes the number of parts of each sample, and a summary of the new lines.
        """
        # Without `height` only the training lines are measured, for their characters.
        samples = [*recorded.split("train")] if self.height is None else [*recorded.used]
        lines = self._measured(samples)
        summary = ""
        counts = []
        if self.height is not None:
            scale = (self.height, self.height, 1)
            for sample in samples:
                parts = lines.get(sample, ())
                counts.append(len(parts))
                yield Parsed([replace(part, ink=to_ink(line.path * scale)) for part, line in parts])
        if "train" in recorded.samples:
            train = samples
            if self.height is not None:
                places = recorded.split("train").places_in(recorded.used)
                train = [samples[place] for place in places.tolist()]
            bank = self._bank_of(train, lines, Drawer(digits))
            yield from (Parsed([line]) for line in self._composed_lines(bank, grid))
            num_copies = sum(sum(by_hand.values()) for by_hand in bank.num_copies.values())
            summary = (
                f"{self.size:,} lines composed in {len(bank.names):,} hands, of {num_copies:,} "
                f"characters cut out and read, and {self.long:,} of several lines side by side"
            )
            if self.height is not None and self.pieces is not None:
                pieces = self._pieces(
                    chain.from_iterable(lines.get(sample, ()) for sample in train)
                )
                yield Parsed(pieces)
                summary += f", {len(pieces):,} pieces of recorded lines"
        yield Parsed(notes=[counts, summary])

    def _pieces(self, lines: Iterable[tuple[Sample, CutLine]]) -> list[Sample]:
        """Return the pieces of lines longer than `pieces`, named such as "piece-0/a01-000u-01"."""
        scale = (self.height, self.height, 1)
        pieces = []
        for sample, line in lines:
            parts = parts_of(sample, line, self.pieces)
            if len(parts) == 1:  # The whole line is in the split already.
                continue
            for number, (part, cut) in enumerate(parts):
                name = f"{PIECE_PREFIX}{number}/{sample.name}"
                pieces.append(replace(part, ink=to_ink(cut.path * scale), name=name))
        return pieces

    def _measured(self, samples: list[Sample]) -> dict[Sample, Parts]:
        """Return the parts of each sample that can be measured."""
        table = Alignment.load(self.alignment)
        bar = distributed.bar(samples, "measuring", unit=" lines", leave=False, delay=1)
        # Only lines that are scaled to a height are cut: their parts are in x-heights.
        longest = None if self.height is None else self.longest
        return {
            sample: parts_of(sample, line, longest) for sample, line in measured_lines(bar, table)
        }

    def _levelled(self, recorded: Loaded, derived: Samples, counts: list[int]) -> Loaded:
        """Return the recorded samples scaled to `height`; samples without a part are left out.

        `counts` has the number of parts of each recorded sample; `derived` begins with the parts.
        """
        report = recorded.report
        has_none = np.array(counts) == 0
        if has_none.any():
            left_out = []
            for split, samples in recorded.samples.items():
                places = samples.places_in(recorded.used)
                left_out.append(f"{np.count_nonzero(has_none[places]):,} of {split}")
            report += f"\nleft out, because they could not be measured: {', '.join(left_out)}"
        return Loaded(recorded.derived(derived, counts), report)

    def _bank_of(self, train: list[Sample], lines: Mapping[Sample, Parts], drawer: Drawer) -> Bank:
        """Return the bank of the hands within the bounds; `train` are the training samples."""
        check_hands(self.dataset, train)
        parts = chain.from_iterable(lines.get(sample, ()) for sample in train)
        all_hands = recorded_hands(parts)
        if not all_hands:
            raise DataError(
                f"alignment = {self.alignment!r} fits none of the {len(train):,} training lines: "
                "their names, texts or numbers of points differ, or a recogniser misread the lines"
            )
        low, high = self.forms
        chosen = {}
        for name, hand in sorted(all_hands.items()):
            is_within = low <= hash_fraction(name) < high
            lifts = hand.strokes_per_character
            if len(hand.lines) >= MIN_LINES and is_within and lifts >= (self.lifts or 0.0):
                chosen[name] = hand
        if not chosen:
            raise DataError(
                f"forms = {self.forms}, lifts = {self.lifts}: none of the {len(all_hands):,} hands "
                f"within these bounds has {MIN_LINES} lines that the alignment fits"
            )
        return Bank(chosen, drawer)

    def _composed_lines(self, bank: Bank, grid: float | None) -> Iterator[Sample]:
        """Yield new lines, named such as "composed-000017/a01-000u"; their group is the hand."""
        numbers = range(self.size + self.long)
        for number in distributed.bar(numbers, "composing", unit=" lines", leave=False, delay=1):
            generator = np.random.default_rng([self.seed, number])
            name = bank.names[int(generator.integers(len(bank.names)))]
            if number < self.size:
                text, path = self._new(bank, name, generator)
            else:
                is_second = number % 2 == 1
                text, path = self._side_by_side(bank, name, generator, continued=is_second)
            height = self.height or bank.hands[name].height
            ink = to_ink(path * (height, height, 1), grid)
            yield Sample(ink, text, f"{COMPOSED_PREFIX}{number:06d}/{name}", group=name)

    def _new(self, bank: Bank, name: str, generator: np.random.Generator) -> tuple[str, np.ndarray]:
        """Return the text and the path, in x-heights, of a new line in the hand `name`."""
        for _ in range(MAX_TEXTS):
            text = self._text(Draws(generator))
            is_hasty = self.hasty > 0 and generator.random() < self.hasty
            is_late = is_hasty and generator.random() < 0.5
            path = Composer(bank, name, generator, is_hasty, is_late).write(text)
            if path is not None:
                return text, path
        raise DataError(
            f"none of {MAX_TEXTS} texts, such as {text!r}, could be written in the hand of {name}: "
            "each text has characters that nobody wrote and that cannot be drawn"
        )

    @cached_property
    def _languages(self) -> Languages:
        return ALL_LANGUAGES if self.languages is None else Languages(self.languages)

    def _text(self, draws: Draws) -> str:
        """Return a random text of a kind, by the fractions of the kinds."""
        number = draws.number()
        kinds = (
            (self.european, lambda draws: european(draws, self._languages)),
            (self.marked, lambda draws: marked_sentence(draws, self._languages)),
            (self.strings, random_characters),
            (self.plain, lambda draws: corpus.running_text(draws, 0, low=10, high=45, symbols=0.0)),
        )
        for fraction, draw_text in kinds:
            if number < fraction:
                return nfc(draw_text(draws))
            number -= fraction
        return everyday(draws)

    def _side_by_side(
        self, bank: Bank, name: str, generator: np.random.Generator, continued: bool
    ) -> tuple[str, np.ndarray]:
        """Return text and path of recorded lines side by side; if `continued`, the last is new."""
        hand = bank.hands[name]
        count = min(int(generator.integers(2, 5)), len(hand.lines))  # two to four
        num_recorded = count - 1 if continued else count
        chosen = generator.choice(len(hand.lines), num_recorded, replace=False).tolist()
        lines = [(hand.lines[n].text.strip(), hand.lines[n].path) for n in chosen]
        if continued:
            lines.append(self._new(bank, name, generator))
        texts, paths = zip(*lines, strict=True)
        return " ".join(texts), side_by_side(paths, float(np.median(hand.word_gaps)))


def hash_fraction(form: str) -> float:
    """Return a hash of a form's name, from 0 to below 1."""
    return zlib.crc32(form.encode()) / 2**32
