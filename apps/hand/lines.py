"""Chooses the lines of a person from which a hand can be learned.

A recogniser finds lines whose ink and text do not fit. Such lines are left out and named in the
log; if most lines do not fit, as with mirrored or turned ink, the choice fails.
"""

import logging
import shlex
from collections.abc import Callable, Collection, Sequence

import numpy as np

from base import distributed
from ink.alphabet import Alphabet, describe
from ink.measures import too_wide
from ink.reading import read_ink
from ink.sample import Sample
from model.loading import Reader
from model.recognition.error_rates import error_rate
from utils.checks import DataError, first_of
from utils.program import typed

MIN_LINES = 3
"""Number of lines that are needed to learn a hand (assumed; five and more are better)."""
MAX_HAND_LINES = 2000
"""Largest number of lines that are used (assumed: an hour's training)."""
MAX_FITTING_CER = 0.5
"""Character error rate above which a line's ink and text do not fit (measured on lines that were
mirrored, notebook: reader, ink that cannot be read)."""
MAX_FITTING_CER_EXCESS = 0.25
"""Excess of the character error rate over the median of all lines, above which a line's ink and
text do not fit (measured on the same lines)."""
log = logging.getLogger(__name__)


def read_recorded(root: str, seed: int) -> list[Sample]:
    """Return the lines with a text in a file or folder, each once; the log names all others.

    Args:
        root: the file or the folder.
        seed: seed of the choice of `MAX_HAND_LINES` lines if there are more.

    Raises:
        DataError: if there is no ink, no line has a text, or there are too few lines.
    """
    parsed = read_ink(root, bar=distributed.bar)
    samples = _accepted(parsed, _has_text_and_ink, "without a text, or only a dot")
    if not samples:
        raise DataError(
            f"{root}: none of {len(parsed):,} samples has a text; a text is "
            '<annotation type="truth"> in InkML, and "text" in JSON'
        )
    samples = _accepted(samples, lambda line: not too_wide(line.ink, line.text), "with a far point")
    first_with_ink = {line.ink.tobytes(): line for line in reversed(samples)}
    repeated = "with the ink of another line"
    samples = _accepted(samples, lambda line: first_with_ink[line.ink.tobytes()] is line, repeated)
    if len(samples) > MAX_HAND_LINES:
        log.warning(
            "left out: %d lines, as %d are enough", len(samples) - MAX_HAND_LINES, MAX_HAND_LINES
        )
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(samples), MAX_HAND_LINES, replace=False)
        samples = [samples[index] for index in sorted(chosen.tolist())]
    return _enough(root, samples)


def usable_lines(
    root: str,
    samples: Sequence[Sample],
    alphabet: Alphabet,
    reader: Reader,
    keep: Collection[str] = (),
    keep_option: str = "",
) -> list[Sample]:
    """Return the lines to learn from; the log names all others.

    Args:
        root: file or folder of the lines, for messages.
        samples: the lines.
        alphabet: alphabet of the network that learns.
        reader: a recogniser.
        keep: names of lines that are learned even if they are misread.
        keep_option: the option that gives these names, for messages; "" if there is none.

    Raises:
        DataError: if most lines are misread, or too few lines are left.
    """
    unknown = alphabet.unknown("".join(line.text for line in samples))
    characters = first_of([describe(character) for character in unknown], 12)
    fault = f"with characters that the network does not know: {characters}"
    samples = _accepted(samples, lambda line: not alphabet.unknown(line.text), fault)
    samples = _enough(root, samples)
    names = [line.name for line in samples]
    missing = [name for name in keep if name not in names]
    if missing:
        existing = first_of(names, 8)
        raise DataError(f"{root}: no line {first_of(missing)} to keep; there are {existing}")
    return _enough(root, _readable(root, samples, reader, keep, keep_option))


def _has_text_and_ink(sample: Sample) -> bool:
    text = sample.text or ""
    return bool(text.strip()) and len(sample.ink) > 1


def _accepted(
    samples: Sequence[Sample], is_accepted: Callable[[Sample], bool], fault: str
) -> list[Sample]:
    """Return the accepted samples; log the names and the fault of the others."""
    accepted = []
    left_out = []
    for sample in samples:
        if is_accepted(sample):
            accepted.append(sample)
        else:
            left_out.append(sample.name)
    if left_out:
        log.warning("left out: %d %s (%s)", len(left_out), fault, first_of(left_out))
    return accepted


def _enough(root: str, samples: list[Sample]) -> list[Sample]:
    """Return the samples; raise a DataError if there are too few."""
    if len(samples) < MIN_LINES:
        lines = "1 line" if len(samples) == 1 else f"{len(samples)} lines"
        raise DataError(
            f"{root}: {lines} to learn a hand from: at least {MIN_LINES} are needed, 5 or more are "
            f"better; `{typed('style')} make` needs a single line, and no training"
        )
    return samples


def _readable(
    root: str,
    samples: Sequence[Sample],
    reader: Reader,
    keep: Collection[str],
    keep_option: str,
) -> list[Sample]:
    """Return the lines that the recogniser does not misread.

    Lines named in `keep` stay, and lines that cannot be judged: very short lines, and lines with
    characters that the recogniser does not know.
    """
    texts = [sample.text for sample in samples]
    hypotheses = reader.read_lines([sample.ink for sample in samples])
    cers = np.array(list(map(error_rate, texts, hypotheses)))
    unknown = reader.model.alphabet.unknown
    is_judged = np.array([len(text) > 2 and not unknown(text) for text in texts])
    is_judged &= [sample.name not in keep for sample in samples]
    # A hand that is hard to read has many errors in all lines.
    median_cer = np.median(cers[is_judged]) if is_judged.any() else 0.0
    is_misread = is_judged & (cers > min(MAX_FITTING_CER, median_cer + MAX_FITTING_CER_EXCESS))
    indices = np.flatnonzero(is_misread).tolist()
    misread = []
    for k in indices:
        readings = f"{texts[k][:40]!r} is read as {hypotheses[k][:40]!r}"
        misread.append(f"{samples[k].name} ({readings})")
    if len(misread) > len(samples) / 2:
        remedy = f" {keep_option} NAME,NAME keeps lines" if keep_option else ""
        raise DataError(
            f"{root}: {len(misread)} of {len(samples)} lines are not read as their texts, such as "
            f"{misread[0]}; does each text belong to its ink, and is the ink level, with x "
            f"growing to the right and y downwards?{remedy}"
        )
    if misread:
        names = shlex.quote(",".join(samples[k].name for k in indices))
        remedy = f"; to learn from these lines: {keep_option} {names}" if keep_option else ""
        log.warning("left out, as ink and text do not fit: %s%s", first_of(misread, 5), remedy)
    return [samples[k] for k in np.flatnonzero(~is_misread)]
