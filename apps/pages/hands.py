"""Makes hands, writers that are conditioned on one: of a style, a mix of styles, or a primer.

A network that takes a hand vector is conditioned on the hand. Any other network continues a line
of the hand, the primer. A bias makes the pen write a little smaller at each step than the primer,
and the steps add up (`sampling.sample`). How much smaller depends on the hand. So some lines are
written and measured, and the stretch is corrected by the ratio of their size to the hand's. A
network that is conditioned on the hand needs no such stretch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.pages.drawn_signs import with_stand_ins
from apps.pages.hand_shape import MEAN_STEP, HandShape
from apps.pages.marks import plain
from apps.pages.page_options import JOINED_BIAS, HandSource, PageOptions, PrimerFile
from apps.pages.proofreading import CheckedWord, check_shapes
from apps.pages.source_text import known_only
from apps.pages.style_checks import first_lines
from apps.pages.styles import MAX_JOINED_STROKES, fractions_of, style_values
from apps.pages.word_cutting import written_words
from base.run.pretrained import pretrained_name
from ink.geometry import bounds, vertical_segments, x_height
from ink.measures import levelled, strokes_per_character, word_gaps
from ink.reading import read_ink
from ink.resampling import match_device
from ink.sample import Sample
from model.generation.hand_encoder import DESCRIPTOR, hand_extra
from model.generation.line import Line, Primer, Sampling, check_lengths
from model.loading import Reader, Writer
from model.recognition.hand_descriptor import HandDescriptor
from utils.checks import DataError, UserError, short

NUM_LINES = 8  # lines that are written to be measured (measured on 24 hands)
GAIN = 30.0
"""The per cent by which a line is taken to grow if its stretch grows by 1 % (measured, notebook:
hands, calibration)."""
STRETCH_BOUNDS = (0.97, 1.03)
"""Bounds of both factors of the stretch (measured, as above: with larger ones lines run away)."""
MIN_LETTERS = 3  # least letters, and vertical segments, of a primer that shows a size (assumed)
RESIDUAL_BOUNDS = (0.5, 2.0)  # bounds of `Calibration.residual` (assumed)


class Calibration(NamedTuple):
    """Corrections for a writer that continues a hand.

    Attributes:
        stretch: factors of the offsets in x and y, as in `Sampling`.
        residual: factors in x and y, by which lines written with the stretch are scaled to the
            size of the hand.
        gap: the gap between words that the writer leaves in this hand, in x-heights; None if
            unknown.
    """

    stretch: tuple[float, float]
    residual: tuple[float, float]
    gap: float | None = None

    def scaled(self, line: Line) -> Line:
        """Return a line with the ink behind its primer multiplied by `residual`."""
        ink = line.ink.copy()
        ink[line.primed :, :2] *= np.float32(self.residual)
        return replace(line, ink=ink)


def calibrated(
    writer: Writer, primer: Primer, sampling: Sampling, progress: bool = False
) -> Calibration:
    """Return the calibration with which a writer's lines are as wide and as high as a primer.

    The lines that are measured have the primer's text, so that their widths can be compared with
    the primer's: once to correct the stretch, and once with that stretch, since what is still
    wrong is scaled. A primer of a letter or two, or of flat ink, does not show a size; the writer
    then keeps the network's stretch.

    Args:
        writer: takes a text.
        primer: a line of the hand.
        sampling: options of the lines to be written; its stretch and `max_steps` are not used.
        progress: show a progress bar of each round.
    """
    ink, text = primer
    usual = writer.model.stretch_at(sampling.bias)
    if min(sum(map(str.isalnum, text)), len(vertical_segments(ink))) < MIN_LETTERS:
        return Calibration(usual, (1.0, 1.0))
    size = _size(ink)

    def lines_with(stretch: tuple[float, float]) -> list[Line]:
        trial = replace(sampling, stretch=stretch, max_steps=None)
        return writer.write_lines(
            [text] * NUM_LINES, range(NUM_LINES), trial, primer=primer, progress=progress
        )

    correction = np.power(_ratios(lines_with(usual), size), -1 / GAIN)
    stretch = tuple(np.clip(usual * correction, *STRETCH_BOUNDS).tolist())
    lines = lines_with(stretch)
    wide, high = np.clip(np.reciprocal(_ratios(lines, size)), *RESIDUAL_BOUNDS).tolist()
    level = [levelled(ink)[0] for ink in _ended(lines)]
    gaps = np.concatenate([np.empty(0), *(word_gaps(ink, text) for ink in level)])
    gap = float(np.median(gaps)) * wide / high if len(gaps) else None
    return Calibration(stretch, (wide, high), gap)


def _ended(lines: Sequence[Line]) -> list[np.ndarray]:
    """Return the ink of lines that ended and have more than one point."""
    return [line.written for line in lines if line.ended and len(line.written) > 1]


def _size(ink: np.ndarray) -> tuple[float, float]:
    """Return the width and the x-height of ink."""
    left, _, right, _ = bounds(ink)
    return right - left, x_height(ink)


def _ratios(lines: Sequence[Line], size: tuple[float, float]) -> tuple[float, ...]:
    """Return the median ratios of the widths and x-heights of lines to a size; 1 if unknown."""
    sizes = [*map(_size, _ended(lines))]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.divide(np.reshape(sizes, (-1, 2)), size)
    medians = []
    for column in ratios.T:
        measured = column[np.isfinite(column) & (column > 0)]
        medians.append(float(np.median(measured)) if len(measured) else 1.0)
    return tuple(medians)


@dataclass(eq=False)
class Hand:
    """A writer in one hand: it is conditioned on a hand vector, or continues the primer.

    Attributes:
        writer: takes a text.
        primer: a line of the hand, whose measures a page gives to words. The writer continues the
            primer unless the extras of `sampling` have a hand's descriptor. With these, None stands
            for a hand in which lines are written, but no pages.
        reader: proofreads words; None for no proofreading.
        sampling: how points are drawn, with one `latent_seed` for all tries, by default 0.
        tries: largest number of times that a word is written.
        slant: degrees from upright to the right; None for the hand's own.
        progress: show a progress bar of the lines that are written together.
        second_reader: proofreads all words after the reader; None for no second reader.
        calibration: makes lines as large as the primer. By default it is measured if the writer
            continues a primer with a text, and the sampling has a bias and no stretch.
        usual_bias: the bias of lines for which no other is chosen.
        description: the source of the hand in words; "" for none.
        mean_step: x-heights from point to point of marks and signs that are drawn.
        draws_letters: whether letters that a pretrained network misforms are drawn.
    """

    writer: Writer
    primer: Primer | None
    reader: Reader | None = None
    sampling: Sampling = Sampling()
    tries: int = PageOptions.tries
    slant: float | None = None
    progress: bool = False
    second_reader: Reader | None = None
    calibration: Calibration | None = None
    usual_bias: float = Sampling.bias
    description: str = ""
    mean_step: float = MEAN_STEP
    draws_letters: bool = True

    def __post_init__(self) -> None:
        self.sampling = replace(self.sampling, latent_seed=self.sampling.latent_seed or 0)
        if self.primer is not None:
            ink, text = self.primer
            self.primer = ink, text.rstrip()  # The writer adds a blank behind the primer's text.
        if self.continued is None or self.calibration or self.sampling.stretch:
            return
        if self.writer.model.needs_text and self.continued[1] and self.sampling.bias > 0:
            self.calibration = calibrated(self.writer, self.primer, self.sampling, self.progress)

    @property
    def continued(self) -> Primer | None:
        """The primer if the writer continues it; None if the writer is conditioned on the hand."""
        return None if "hand" in self.sampling.extras else self.primer

    @cached_property
    def shape(self) -> HandShape:
        """The measures that the hand's words are given."""
        shape = replace(HandShape.of(self.primer), mean_step=self.mean_step)
        if self.calibration and self.calibration.gap:
            return replace(shape, gap=self.calibration.gap)
        return shape

    def write_texts(self, texts: Sequence[str] | None, seeds: Sequence[int]) -> list[Line]:
        """Write each text as a line as large as the primer; see `Writer.write_lines`."""
        sampling = self.sampling
        calibration = self.calibration
        if calibration is not None:
            sampling = replace(sampling, stretch=calibration.stretch)
        lines = self.writer.write_lines(
            texts, seeds, sampling, primer=self.continued, progress=self.progress
        )
        return lines if calibration is None else [*map(calibration.scaled, lines)]

    def write_words(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[CheckedWord]]:
        """Write each text as a line; return the words of each line, with the faults of their
        shapes; see `proofreading.PageHand`."""
        checked = []
        alphabet = self.writer.model.alphabet
        plain_texts = [plain(text, alphabet) for text in texts]
        # Other networks may have learned a person's letters.
        if self.draws_letters and pretrained_name(self.writer.path):
            joined = self.shape.joined
            plain_texts = [with_stand_ins(text, alphabet, joined) for text in plain_texts]
        lines = self.write_texts(plain_texts, seeds)
        for line, text in zip(lines, texts, strict=True):
            words = written_words(line, text, self.shape, self.slant)
            checked.append(check_shapes(replace(line, written_text=text), words, self.shape.dotted))
        return checked


def hand_of(
    writer: Writer,
    source: HandSource,
    sampling: Sampling = Sampling(),
    *,
    bias: float | None = None,
    skip_unknown: bool | None = None,
    of_page: bool = False,
    progress: bool = False,
) -> Hand:
    """Return the hand of a style, of a mix of styles, or of a primer.

    A writer that takes a hand vector is conditioned on that of the style or mix. It continues only
    what is named as a primer. Any other writer continues the first line of the style as well.

    Args:
        writer: the writer that keeps to the hand.
        source: the primer's file; the style's file, or a folder of its lines; or a mix, as a text.
        sampling: how points are drawn.
        bias: the bias of lines, if it differs from the bias with which lines are written to compare
            the primer's size with; None for the `usual_bias`.
        skip_unknown: see `source_text.known_only`.
        of_page: whether a page is written, for which a style's line is measured in any case. A mix
            has no line: the hand's primer is None.
        progress: see `Hand`.

    Raises:
        UserError: if a file cannot be read, if the writer needs a text and there is none, or if it
            cannot mix styles.
    """
    is_style = not isinstance(source, PrimerFile)
    usual = sampling.bias
    lines = first_lines(source) if is_style and writer.model.needs_text else ()
    is_conditioned = is_style and writer.takes_hand
    if is_conditioned:
        sampling = replace(sampling, extras=extras_of_style(source) | dict(sampling.extras))
        usual = usual_bias([(line.ink, line.text) for line in lines], sampling)
    primer = None
    description = ""
    if not isinstance(source, str):
        file = source if isinstance(source, PrimerFile) else PrimerFile(source)
        sample, description = _sample_of(file, writer, skip_unknown, is_whole=is_conditioned)
        if of_page or not is_conditioned:
            primer = _fitted(sample, file, writer, sampling)
    elif not is_conditioned:
        problem = "takes no hand vector, so it mixes no styles: name one style"
        raise UserError(f"{writer.path} {problem}")
    sampling = replace(sampling, bias=usual if bias is None else bias)
    options = {"progress": progress, "description": description}
    return Hand(writer, primer, sampling=sampling, usual_bias=usual, **options)


def usual_bias(lines: Sequence[Primer], sampling: Sampling) -> float:
    """Return the bias of a writer that is conditioned on the hand of lines, if no other is chosen:
    that of `sampling`, but `JOINED_BIAS` in place of the default if the lines are joined."""
    is_joined = lines and strokes_per_character(lines) < MAX_JOINED_STROKES
    return JOINED_BIAS if is_joined and sampling.bias == Sampling.bias else sampling.bias


def load_primer(
    file: PrimerFile,
    writer: Writer,
    skip_unknown: bool | None = None,
    sampling: Sampling = Sampling(),
) -> tuple[Primer, str]:
    """Return a primer in the writer's units, and a description of its origin.

    Args:
        file: the file of ink, and the index of its sample.
        writer: the writer that continues the primer.
        skip_unknown: see `source_text.known_only`.
        sampling: how the writer writes, and the hand that it is conditioned on, if any.

    Raises:
        UserError: if the file cannot be read, or if the writer needs a text and there is none.
    """
    sample, description = _sample_of(file, writer, skip_unknown)
    return _fitted(sample, file, writer, sampling), description


def _fitted(sample: Sample, file: PrimerFile, writer: Writer, sampling: Sampling) -> Primer:
    """Return the sample of a primer's file with its ink in the writer's units."""
    if file.scale == "auto":  # level, with the x-height and the speed of the writer's lines
        ink = match_device(sample.ink, writer.reference_lines(sampling))
    else:
        ink = sample.ink * np.float32([file.scale, file.scale, 1])
    check_lengths((), (ink, sample.text), file.path)
    return ink, sample.text


def _sample_of(
    file: PrimerFile, writer: Writer, skip_unknown: bool | None, *, is_whole: bool = False
) -> tuple[Sample, str]:
    """Return the sample of a primer's file, with its text in characters that the writer knows, and
    a description of it; with `is_whole`, of all samples of the file."""
    samples = read_ink(file.path)
    number = file.number
    if number >= len(samples):
        counted = f"{file.path} has {len(samples):,} samples, counted from 0"
        raise UserError(f"primer_number {number}: {counted}")
    text, left_out = _text_of(file, samples[number], writer, skip_unknown)
    description = samples[number].name
    count = len(samples)
    if count > 1:
        one_of = f", one of {count:,} in the file"
        description += f" and {count - 1:,} more" if is_whole else one_of
    if writer.model.needs_text:
        description += f", {text!r}"
    if left_out:
        description += f": {left_out}"
    return replace(samples[number], text=text), description


def _text_of(
    file: PrimerFile, sample: Sample, writer: Writer, skip_unknown: bool | None
) -> tuple[str, str]:
    """Return the text of a primer in characters that the network knows, and a sentence on omitted
    characters; empty texts for a network without text input."""
    text = file.text
    if not writer.model.needs_text:
        if text is not None:
            raise UserError(f"{writer.path} contains a network without text: no primer_text")
        return "", ""
    if text is None:
        text = sample.text
        if not text:
            problem = f"{file.path} contains no text for {sample.name}"
            raise UserError(f"{problem}: give its text as primer_text")
    if not text:
        return "", ""
    try:
        (text,), left_out = known_only(writer.model.alphabet, [text], skip_unknown)
    except UserError as error:
        raise UserError(f"{file.path}: {error}") from None
    return text, left_out


def extras_of_style(style: str | Path) -> dict[str, np.ndarray]:
    """Return the extras that condition a network on a style, a mix of styles, or a file or folder
    of ink: `hand`, `(L, D + 1)`, and `composed`, `(1,)`. `composed` goes from 0, for lines like
    recorded lines, to 1, for lines like those of a `ComposedDataset`.

    Raises:
        UserError: if a file cannot be read.
    """
    weighted = [(fraction, _extras_of_file(file)) for file, fraction in fractions_of(style).items()]
    _, names = weighted[0]
    return {name: sum(fraction * extras[name] for fraction, extras in weighted) for name in names}


def _extras_of_file(path: Path) -> dict[str, np.ndarray]:
    """Return the extras in a style's file, or those of its ink if the file has no `hand`."""
    values = style_values(path)
    if "hand" not in values:
        return extras_of_lines([sample.ink for sample in read_ink(path)])
    try:
        hand = hand_extra(np.asarray_chkfinite(values["hand"], np.float32))
    except (TypeError, ValueError):
        accepted = f"{DESCRIPTOR} numbers are accepted"
        raise DataError(f"{path}: hand = {short(values['hand'])}: {accepted}") from None
    composed = values.get("composed", 0.0)
    if not isinstance(composed, int | float) or not 0 <= composed <= 1:
        raise DataError(f"{path}: composed = {short(composed)}: a number from 0 to 1 is accepted")
    return {"hand": hand, "composed": np.float32([composed])}


def extras_of_lines(lines: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the extras for the hand of recorded lines `(points, 3)`; see `extras_of_style`."""
    return {"hand": hand_extra(*descriptor_of(lines)), "composed": np.zeros(1, np.float32)}


def descriptor_of(lines: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the descriptor `(D,)` of the hand of lines `(points, 3)`, of any unit and slope, and
    its weight."""
    total = HandDescriptor.load().describe([levelled(line)[0] for line in lines]).sum(0)
    return total[:-1] / total[-1], float(total[-1])
