"""The lines of a person from which a hand can be learned, as a recogniser judges too.

Lines whose ink and text do not fit are left out and named in the log; if these are most, as of
mirrored or turned ink, all are refused.
"""

import logging
import shlex
from collections.abc import Callable, Collection, Sequence

import numpy as np

from base.base_dataset import Sample
from data_loader.sources.ink_files import read_ink
from data_loader.sources.parsing import first_of
from model.reader import Reader
from model.recognition.error_rates import error_rate
from utils.alphabet import Alphabet, describe
from utils.checks import DataError
from utils.hand_measures import too_wide

MIN_LINES = 3
"""Least lines from which a hand can be learned (assumed; five and more are better)."""
MAX_LINES = 2000
"""Most lines that are used (assumed: an hour's training)."""
MAX_CER = 0.7
"""Character error rate above which a line's ink and text do not belong together (measured on 680
lines of 17 persons of testset_v, lab notebook: learning a hand)."""
MAX_CER_EXCESS = 0.25
"""Excess over the median character error rate, above which ink and text do not belong together
(measured on the same lines)."""
log = logging.getLogger(__name__)


def recorded(root: str, seed: int) -> list[Sample]:
    """Return the lines with a text in a file or folder, each once; the log names all others.

    Args:
        root: the file or the folder.
        seed: chooses `MAX_LINES` among more lines.

    Raises:
        DataError: if there is no ink, no line has a text, or there are too few lines.
    """
    parsed = read_ink(root)
    samples = _kept(parsed, _has_text, "without a text, or only a dot")
    if not samples:
        raise DataError(
            f"{root}: none of {len(parsed):,} samples has a text; InkML "
            'has it in <annotation type="truth">, JSON as "text"'
        )
    samples = _kept(samples, lambda line: not too_wide(line.ink, line.text), "with a point far off")
    first_lines = {line.ink.tobytes(): line for line in reversed(samples)}
    repeated = "that are there already"
    samples = _kept(samples, lambda line: first_lines[line.ink.tobytes()] is line, repeated)
    if len(samples) > MAX_LINES:
        log.warning("left out: %d beyond %d", len(samples) - MAX_LINES, MAX_LINES)
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(samples), MAX_LINES, replace=False)
        samples = [samples[index] for index in sorted(chosen.tolist())]
    return _enough(root, samples)


def usable(
    root: str,
    samples: Sequence[Sample],
    alphabet: Alphabet | None,
    reader: Reader,
    keep: Collection[str] = (),
) -> list[Sample]:
    """Return the lines to learn from; the log names all others.

    Args:
        root: the origin of the lines, for messages.
        samples: the lines.
        alphabet: of the network that learns; None if it takes no text.
        reader: a recogniser.
        keep: names of lines that stay even if they are misread.

    Raises:
        DataError: if most lines are unusable, naming their fault, or too few are left.
    """
    if alphabet is not None:
        unknown = alphabet.unknown("".join(line.text for line in samples))
        characters = first_of([describe(character) for character in unknown], 12)
        why = f"with characters that the network does not know: {characters}"
        samples = _enough(root, _kept(samples, lambda line: not alphabet.unknown(line.text), why))
    names = [line.name for line in samples]
    if missing := [name for name in keep if name not in names]:
        existing = first_of(names, 8)
        raise DataError(f"{root}: no line {first_of(missing)} to keep; there are {existing}")
    return _enough(root, _readable(root, samples, reader, keep))


def _has_text(sample: Sample) -> bool:
    return bool(sample.text and sample.text.strip()) and len(sample.ink) > 1


def _kept(samples: Sequence[Sample], is_kept: Callable[[Sample], bool], why: str) -> list[Sample]:
    """Return the samples that are kept; log the others and the reason `why`."""
    if left_out := [sample.name for sample in samples if not is_kept(sample)]:
        log.warning("left out: %d %s (%s)", len(left_out), why, first_of(left_out))
    return [sample for sample in samples if is_kept(sample)]


def _enough(root: str, samples: list[Sample]) -> list[Sample]:
    if len(samples) < MIN_LINES:
        lines = "1 line" if len(samples) == 1 else f"{len(samples)} lines"
        raise DataError(
            f"{root}: {lines} to learn a hand from: at least {MIN_LINES} are needed, 5 and more "
            "are better; `experiments.py style make` takes the hand from a single line, without "
            "training"
        )
    return samples


def _readable(
    root: str, samples: Sequence[Sample], reader: Reader, keep: Collection[str]
) -> list[Sample]:
    """Return the lines whose ink says their text, as far as a recogniser can tell."""
    texts = [sample.text for sample in samples]
    hypotheses = reader.read_lines([sample.ink for sample in samples])
    rates = np.array(list(map(error_rate, texts, hypotheses)))
    unknown = reader.model.alphabet.unknown
    judged = np.array([len(text) > 2 and not unknown(text) for text in texts])
    judged &= [sample.name not in keep for sample in samples]
    usual = np.median(rates[judged]) if judged.any() else 0.0
    misread = judged & (rates > min(MAX_CER, usual + MAX_CER_EXCESS))
    numbers = np.flatnonzero(misread).tolist()
    faults = [
        f"{samples[k].name} ({texts[k][:40]!r} is read as {hypotheses[k][:40]!r})" for k in numbers
    ]
    if len(numbers) > len(samples) / 2:
        raise DataError(
            f"{root}: {len(faults)} of {len(samples)} lines do not say what their texts say, "
            f"such as {faults[0]}; does each text belong to its ink, and is that level, with x "
            "growing to the right and y downwards? --keep NAME,NAME keeps lines"
        )
    if faults:
        names = shlex.quote(",".join(samples[k].name for k in numbers))
        log.warning(
            "left out, as ink and text do not fit: %s; --keep %s learns from them all the same",
            *(first_of(faults, 5), names),
        )
    return [sample for sample, wrong in zip(samples, misread, strict=True) if not wrong]
