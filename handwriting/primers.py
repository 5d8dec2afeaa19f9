"""Primers from files of ink, and extras from styles and ink for networks that are told a hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import data_loader
from base.base_dataset import Sample
from data_loader.sources.ink_files import match_device
from handwriting.page_options import PrimerFile
from handwriting.source_text import known_only
from handwriting.styles import fractions_of, style_values
from model.generation.hand_encoder import DESCRIPTOR, hand_extra
from model.generation.line import Primer, Sampling
from model.generation.writing import check_lengths
from model.reader import Reader
from model.recognition.error_rates import error_rate
from model.recognition.hand_descriptor import HandDescriptor
from model.writer import Writer
from utils.checks import DataError, UserError, short
from utils.hand_measures import TOLD_LINES, levelled

MIN_CHECKED = 3  # lines of a style from which it is told that they are no writing (assumed)
MAX_MISREAD = 0.5  # character error rate of a line that may say its text (measured: `check_lines`)


def load_primer(
    file: PrimerFile,
    writer: Writer,
    skip_unknown: bool | None = None,
    sampling: Sampling = Sampling(),
    *,
    is_style: bool = False,
) -> tuple[Primer, str]:
    """Return a primer in the writer's units, and a description of its origin.

    Args:
        file: the file of ink, and the index of its sample.
        writer: the writer that continues the primer.
        skip_unknown: see `source_text.known_only`.
        sampling: how the writer writes, and the hand of which it is told, if any.
        is_style: whether the file is a style, of which a writer that is told hands is told all
            samples.

    Raises:
        UserError: if the file cannot be read, or if the writer needs a text and there is none.
    """
    if is_style and writer.model.needs_text and file.text is None:
        check_text(file.path)
    sample, count = sample_of(file.path, file.number, "primer_number")
    text, left_out = _text_of(file, sample, writer, skip_unknown)
    if file.scale == "auto":  # level, with the x-height and the speed of the writer's lines
        ink = match_device(sample.ink, writer.reference_lines(sampling))
    else:
        ink = sample.ink * np.float32([file.scale, file.scale, 1])
    check_lengths((), (ink, text), file.path)
    quoted_text = f", {text!r}" if writer.model.needs_text else ""
    others = ""
    if count > 1:
        is_told = is_style and writer.is_told
        others = f" and {count - 1:,} more" if is_told else f", one of {count:,} in the file"
    return (ink, text), f"{sample.name}{others}{quoted_text}{left_out and f': {left_out}'}"


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
    """Return the extras that a network is told for a style, a mix of styles, or a file or folder of
    ink: `hand`, `(L, D + 1)`, and `composed`, `(1,)`. `composed` goes from 0, for lines like
    recorded lines, to 1, for lines like those of a `ComposedDataset`.

    Raises:
        UserError: if a file cannot be read.
    """
    weighted = [(fraction, _extras_of_file(file)) for file, fraction in fractions_of(style).items()]
    names = weighted[0][1]
    return {name: sum(fraction * extras[name] for fraction, extras in weighted) for name in names}


def _extras_of_file(path: Path) -> dict[str, np.ndarray]:
    """Return the extras in a style's file, or those of its ink if the file has no `hand`."""
    values = style_values(path)
    if "hand" not in values:
        return extras_of_lines([sample.ink for sample in data_loader.read_ink(path)])
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


def in_hand_of(sampling: Sampling, style: str | Path | None, writer: Writer) -> Sampling:
    """Return `sampling` with the extras of a style; unchanged if the style is None or the writer is
    told no hands."""
    if style is None or not writer.is_told:
        return sampling
    return replace(sampling, extras=extras_of_style(style) | dict(sampling.extras))


def descriptor_of(lines: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the descriptor `(D,)` of the hand of lines `(points, 3)`, of any unit and slope, and
    its weight."""
    total = HandDescriptor.load().describe([levelled(line)[0] for line in lines]).sum(0)
    return total[:-1] / total[-1], float(total[-1])


def check_text(style: str | Path) -> None:
    """Raise a UserError that names the file if the first line of a style, by which words are
    shaped, has no text."""
    for path in fractions_of(style):
        sample = data_loader.read_ink(path)[0]
        if not sample.text.strip():
            file = path / sample.name if path.is_dir() else f"{path}, {sample.name}"
            raise UserError(f"{file}: the first line of the style has no text; add what it says")


def check_lines(path: Path, reader: Reader) -> None:
    """Raise a UserError if a reader misreads more than half of the characters in all but one of at
    least `MIN_CHECKED` lines of a style, as if y grew upwards.

    Of 200 people's four lines none were refused, and all were when they stood upside down
    (measured, lab notebook: words on their line).
    """
    samples = [sample for sample in data_loader.read_ink(path) if sample.text.strip()]
    samples = samples[:TOLD_LINES]

    def misread(direction: float) -> list[Sample]:
        texts = reader.read_lines([s.ink * np.float32([1, direction, 1]) for s in samples])
        pairs = zip(samples, texts, strict=True)
        return [sample for sample, text in pairs if error_rate(sample.text, text) > MAX_MISREAD]

    if len(samples) < MIN_CHECKED or len(wrong := misread(1.0)) < len(samples) - 1:
        return
    file = path / wrong[0].name if path.is_dir() else f"{path}, {wrong[0].name}"
    others = f" and {len(wrong) - 1} more lines do not look like their texts"
    hint = ": upside down? y grows downwards" if len(misread(-1.0)) < len(wrong) else ""
    raise UserError(f"{file}{others}{hint}")


def sample_of(path: Path, number: int, option: str) -> tuple[Sample, int]:
    """Return the sample of an index in a file of ink, and the number of samples.

    Raises:
        UserError: if the file has no such sample; the message names `option`.
    """
    samples = data_loader.read_ink(path)
    if number >= len(samples):
        raise UserError(f"{option} {number}: {path} has {len(samples):,} samples, counted from 0")
    return samples[number], len(samples)
