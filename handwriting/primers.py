"""Ink of a file as a primer: in the units of a network's data, with its text."""

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
from model.generation.sampling_options import Primer, Sampling
from model.generation.writing import check_lengths
from model.recognition.hand_descriptor import HandDescriptor
from model.writer import Writer
from utils.checks import DataError, UserError, short


def load_primer(
    file: PrimerFile, writer: Writer, skip_unknown: bool | None = None
) -> tuple[Primer, str]:
    """Return a primer, and a sentence on its origin and its changes.

    Args:
        file: the file and its sample.
        writer: that continues the primer.
        skip_unknown: see `source_text.known_only`.

    Raises:
        UserError: if the file cannot be read, or its text is needed and unknown.
    """
    sample, position = sample_of(file.path, file.number, "--primer-number")
    text, left_out = _text_of(file, sample, writer, skip_unknown)
    ink, scale, period = sample.ink, file.scale, 1.0
    if scale == "auto":
        ink, scale, period = match_device(ink, writer.reference_lines)
    else:
        ink = ink * np.float32([scale, scale, 1])
    check_lengths((), (ink, text), file.path)
    done = [f"scaled by {scale:.4g}"] if scale != 1 else []
    done += [f"resampled, {period:.3g} points to one"] if period != 1 else []
    done += [left_out] if left_out else []
    says = f", {text!r}" if writer.model.needs_text else ""
    changes = f": {' and '.join(done)}" if done else ""
    return (ink, text), f"{sample.name}{position}{says}{changes}"


def _text_of(
    file: PrimerFile, sample: Sample, writer: Writer, skip: bool | None
) -> tuple[str, str]:
    """Return the text of a sample in characters that the network knows, and a sentence on omitted
    characters; empty texts for a network without text input."""
    text = file.text
    if not writer.model.needs_text:
        if text is not None:
            raise UserError(f"{writer.path} contains a network without text: no --primer-text")
        return "", ""
    if text is None:
        text = sample.text
        if not text:
            lacks = f"{file.path} contains no text for {sample.name}"
            raise UserError(f"{lacks}: give what it says with --primer-text")
    if not text:
        return "", ""
    try:
        (text,), left_out = known_only(writer.model.alphabet, [text], skip)
    except UserError as error:
        raise UserError(f"{file.path}: {error}") from None
    return text, left_out


def told_of(style: str | Path) -> dict[str, np.ndarray]:
    """Return what a network is told of a style, a mix of styles, or a file or folder of ink: the
    `hand`, `(L, D + 1)`, and how much lines look like `composed` lines, `(1,)`.

    Raises:
        UserError: if a file cannot be read.
    """
    parts = [(part, _told_of_file(file)) for file, part in fractions_of(style).items()]
    names = parts[0][1]
    return {name: sum(part * values[name] for part, values in parts) for name in names}


def _told_of_file(path: Path) -> dict[str, np.ndarray]:
    """Return the numbers of a style's file, or numbers that describe its ink; see `told_of`."""
    values = style_values(path)
    if "hand" not in values:
        return told_by([sample.ink for sample in data_loader.read_ink(path)])
    try:
        hand = hand_extra(np.asarray_chkfinite(values["hand"], np.float32))
    except (TypeError, ValueError):
        fits = f"{DESCRIPTOR} numbers are accepted"
        raise DataError(f"{path}: hand = {short(values['hand'])}: {fits}") from None
    composed = values.get("composed", 0.0)
    if not isinstance(composed, int | float) or not 0 <= composed <= 1:
        raise DataError(f"{path}: composed = {short(composed)}: a number from 0 to 1 is accepted")
    return {"hand": hand, "composed": np.float32([composed])}


def told_by(lines: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return what a network is told of the hand of recorded lines `(points, 3)`; see `told_of`."""
    return {"hand": hand_extra(*described(lines)), "composed": np.zeros(1, np.float32)}


def in_hand_of(sampling: Sampling, style: str | Path | None, writer: Writer) -> Sampling:
    """Return `sampling` with what the writer is told of a style's hand, see `told_of`; unchanged
    without a style, or if the writer is told no hands."""
    if style is None or not writer.is_told:
        return sampling
    return replace(sampling, extras=told_of(style) | dict(sampling.extras))


def described(lines: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the descriptor of the hand of lines `(points, 3)`, `(D,)`, and its weight."""
    total = HandDescriptor.load().describe(lines).sum(0)
    return total[:-1] / total[-1], float(total[-1])


def sample_of(path: Path, number: int, option: str) -> tuple[Sample, str]:
    """Return a sample of a file of ink, and a text that says how many the file has, if several.

    Raises:
        UserError: naming the option, if the file has no sample of this number.
    """
    samples = data_loader.read_ink(path)
    if number >= len(samples):
        raise UserError(f"{option} {number}: {path} has {len(samples):,} samples, counted from 0")
    return samples[number], f", one of {len(samples):,} in the file" if len(samples) > 1 else ""
