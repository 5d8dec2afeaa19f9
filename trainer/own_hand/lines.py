"""The lines of a person from which a hand can be learned, also as judged by a recogniser.

Lines whose ink and text do not fit are left out and named in the log; ink that lies mirrored or
turned is refused.
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
"""Lines from which a hand can be learned (assumed; five and more are better)."""
MAX_LINES = 2000
"""Lines that are used at most (assumed: an hour's training)."""
MAX_CER = 0.7
"""Character error rate above which a line's ink and text do not belong together (measured on 680
lines of 17 persons of testset_v, lab notebook: learning a hand)."""
MAX_CER_EXCESS = 0.25
"""The same limit, as the excess over the median character error rate (measured likewise)."""
ORIENTATION_LINES = 40
"""Lines that are read in all orientations (assumed)."""
ORIENTATIONS = {
    "with y growing upwards": ((1, 0), (0, -1)),
    "mirrored": ((-1, 0), (0, 1)),
    "upside down": ((-1, 0), (0, -1)),
    "turned to the left": ((0, -1), (1, 0)),
    "turned to the right": ((0, 1), (-1, 0)),
    "rising to the right": ((0.87, -0.5), (0.5, 0.87)),
    "falling to the right": ((0.87, 0.5), (-0.5, 0.87)),
}
"""Orientations of ink, and the matrices that correct them; 30 degrees stand for any slope, as a
recogniser reads lines that are nearly level."""
log = logging.getLogger(__name__)


def recorded(root: str, seed: int) -> list[Sample]:
    """Return the lines in a file or folder that have a text, each once; the log names the others.

    Args:
        root: the file or the folder.
        seed: chooses `MAX_LINES` among more lines.

    Raises:
        DataError: if there is no ink, none with a text, or too little.
    """
    parsed = read_ink(root)
    samples = _kept(parsed, _has_text, "without a text, or only a dot")
    if not samples:
        raise DataError(
            f"{root}: none of {len(parsed):,} samples has a text; InkML "
            'has it in <annotation type="truth">, JSON as "text"'
        )
    samples = _kept(samples, lambda line: not too_wide(line.ink, line.text), "with a point far off")
    first = {line.ink.tobytes(): line for line in reversed(samples)}
    repeated = "that are there already"
    samples = _kept(samples, lambda line: first[line.ink.tobytes()] is line, repeated)
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
    """Return the lines to learn from; the log names the others.

    Args:
        root: the origin of the lines, for messages.
        samples: the lines.
        alphabet: of the network that learns; None if it takes no text.
        reader: a recogniser.
        keep: names of lines that stay, whatever is read of them.

    Raises:
        DataError: if most lines cannot be used, naming their fault, or too few are left.
    """
    if alphabet is not None:
        unknown = alphabet.unknown("".join(line.text for line in samples))
        characters = first_of([describe(character) for character in unknown], 12)
        why = f"with characters that the network does not know: {characters}"
        samples = _enough(root, _kept(samples, lambda line: not alphabet.unknown(line.text), why))
    names = [line.name for line in samples]
    if missing := [name for name in keep if name not in names]:
        there = first_of(names, 8)
        raise DataError(f"{root}: no line {first_of(missing)} to keep; there are {there}")
    return _enough(root, _readable(root, samples, reader, keep))


def _has_text(sample: Sample) -> bool:
    return bool(sample.text and sample.text.strip()) and len(sample.ink) > 1


def _kept(samples: Sequence[Sample], is_kept: Callable[[Sample], bool], why: str) -> list[Sample]:
    """Return the samples that are kept, and log why the others are not."""
    if others := [sample.name for sample in samples if not is_kept(sample)]:
        log.warning("left out: %d %s (%s)", len(others), why, first_of(others))
    return [sample for sample in samples if is_kept(sample)]


def _enough(root: str, samples: list[Sample]) -> list[Sample]:
    if len(samples) < MIN_LINES:
        raise DataError(
            f"{root}: {len(samples)} line{'s' * (len(samples) != 1)} to learn a hand from: at "
            f"least {MIN_LINES} are needed, 5 and more are better; `experiments.py style make` "
            "takes the hand from a single line, without training"
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
        numbers = numbers[:ORIENTATION_LINES]
        before = np.median(rates[numbers])
        orientation, rate = _best_orientation(reader, [samples[k] for k in numbers])
        if rate < before / 2:
            raise DataError(
                f"{root}: the ink seems to be recorded {orientation}: "
                f"{before:.0%} of the characters are misread as it is, {rate:.0%} the other "
                "way; lines have to be level, with y growing downwards and x to the right"
            )
        raise DataError(
            f"{root}: {len(faults)} of {len(samples)} lines do not say what their texts say, "
            f"such as {faults[0]}; does each text belong to its ink, and is that level? "
            "--keep NAME,NAME keeps lines"
        )
    if faults:
        names = shlex.quote(",".join(samples[k].name for k in numbers))
        log.warning(
            "left out, as ink and text do not fit: %s; --keep %s learns from them all the same",
            *(first_of(faults, 5), names),
        )
    return [sample for sample, wrong in zip(samples, misread, strict=True) if not wrong]


def _best_orientation(reader: Reader, samples: Sequence[Sample]) -> tuple[str, float]:
    """Return the orientation whose correction is read best, and the median error rate."""
    texts, rates = [sample.text for sample in samples], {}
    for name, matrix in ORIENTATIONS.items():
        turn = np.float32(matrix).T
        inks = [np.hstack((sample.ink[:, :2] @ turn, sample.ink[:, 2:])) for sample in samples]
        rates[name] = float(np.median(list(map(error_rate, texts, reader.read_lines(inks)))))
    best = min(rates, key=rates.get)
    return best, rates[best]
