"""Which lines of a person a hand can be learned from, as judged by a recogniser.

Lines that do not say what their texts say are left out and noted; lines that lie mirrored or turned
are refused.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

import numpy as np

from base.pretrained import HAND_SPACE
from data_loader.sources.ink_files import InkSample
from model.reader import Reader
from model.recognition.error_rates import error_rate
from utils import hand_likeness
from utils.alphabet import Alphabet, describe, nfc
from utils.checks import DataError

MAX_CER, MAX_CER_EXCESS = 0.7, 0.25
"""Character error rate from which a line's ink and text do not belong together, and by how much it
may at most be above that of half the lines (measured on 680 lines of 17 persons of testset_v, lab
notebook: learning a hand)."""
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
"""How ink may be oriented, and the matrices that correct it; 30 degrees stand for any slope, as a
recogniser reads what is nearly level."""
NAMES = tuple(ORIENTATIONS)
TWO_HANDS, TWO_HANDS_A_LINE = 30.0, 3.0
"""Evidence, in nats, and for each line, from which lines seem to be of two hands (measured on
testset_v: 3 % of its 192 forms, and 96 % of 300 mixtures of two, have 30)."""


def usable(
    root: str, samples: Sequence[InkSample], known: Alphabet | None, reader: Reader
) -> tuple[list[InkSample], list[str]]:
    """Return the lines to learn from, and notes on what is left out or odd.

    Args:
        root: where the lines are from, for messages.
        samples: the lines.
        known: the characters of the network that learns; None if it takes no text.
        reader: a recogniser.

    Raises:
        DataError: if most lines cannot be used, with what is wrong with them.
    """
    notes: list[str] = []
    if known is not None:
        samples = _known(root, samples, known, notes)
    samples = _fitting(root, samples, reader, notes)
    _of_one_hand(samples, notes)
    return samples, notes


def _known(
    root: str, samples: Sequence[InkSample], alphabet: Alphabet, notes: list[str]
) -> list[InkSample]:
    """Return the lines whose characters a network knows; others are noted."""
    unknown = [alphabet.unknown(nfc(one.text)) for one in samples]
    left = [one for one, lacking in zip(samples, unknown, strict=True) if not lacking]
    if lacking := list(dict.fromkeys(chain(*unknown))):
        names = ", ".join(map(describe, lacking[:12])) + ", ..." * (len(lacking) > 12)
        lost = len(samples) - len(left)
        if lost > len(samples) / 2:
            raise DataError(
                f"{root}: {lost} of {len(samples)} lines have characters that the network does not "
                f"know: {names}; a network for another script is trained with a config of its own"
            )
        notes.append(f"left out: {lost} with characters that the network does not know: {names}")
    return left


def _fitting(
    root: str, samples: Sequence[InkSample], reader: Reader, notes: list[str]
) -> list[InkSample]:
    """Return the lines that say what their texts say, as far as a recogniser can tell.

    Most do not if they are turned or mirrored.
    """
    hypotheses = reader.read_lines([one.ink for one in samples], progress=True)
    cer = np.array(list(map(error_rate, [one.text for one in samples], hypotheses)))
    unknown = reader.model.alphabet.unknown
    checked = np.array([len(one.text) > 2 and not unknown(nfc(one.text)) for one in samples])
    limit = min(MAX_CER, (np.median(cer[checked]) if checked.any() else 0.0) + MAX_CER_EXCESS)
    mismatched = np.flatnonzero((cer > limit) & checked).tolist()
    if not mismatched:
        return list(samples)
    tried = mismatched[:ORIENTATION_LINES]
    turned = _rates_by_orientation(reader, [samples[k] for k in tried])
    read = [f"{samples[k].text[:40]!r} is read as {hypotheses[k][:40]!r}" for k in tried]
    if len(mismatched) > len(samples) / 2:
        before, rates = np.median(cer[tried]), np.median(turned, 1)
        if rates.min() < before / 2:
            raise DataError(
                f"{root}: the ink seems to be recorded {NAMES[rates.argmin()]}: "
                f"{before:.0%} of the characters are misread as it is, {rates.min():.0%} the other "
                "way; lines have to be level, with y growing downwards and x to the right"
            )
        raise DataError(
            f"{root}: {len(mismatched)} of {len(samples)} lines do not say what their texts say, "
            f"such as {samples[tried[0]].name}: {read[0]}; does each text belong to its ink, and "
            "is that level?"
        )
    shown = []
    for k, found, rates in zip(tried[:5], read, turned.T, strict=False):
        is_turned = rates.min() < cer[k] / 2
        how = f", recorded {NAMES[rates.argmin()]}?" if is_turned else ""
        shown.append(f"{samples[k].name} ({found}{how})")
    more = f" and {len(mismatched) - 5} more" if len(mismatched) > 5 else ""
    notes.append(f"left out, as ink and text do not fit: {', '.join(shown)}{more}")
    return [one for k, one in enumerate(samples) if k not in set(mismatched)]


def _of_one_hand(samples: Sequence[InkSample], notes: list[str]) -> None:
    """Note lines that seem to be in another hand than the others."""
    space, embeddings, names = hand_likeness.load(HAND_SPACE), [], []
    for one in samples:
        with suppress(DataError):  # A dot shows no hand.
            embeddings.append(space.embed([one.ink])[0])
            names.append(one.name)
    if len(names) < 2:
        return
    other, evidence = hand_likeness.split_in_two(np.array(embeddings), np.float64(space.between))
    if evidence > max(TWO_HANDS, TWO_HANDS_A_LINE * len(names)):
        unlike = [name for name, differs in zip(names, other, strict=True) if differs]
        notes.append(
            f"lines of two hands? {len(unlike)} of {len(names)} are unlike the others: "
            f"{', '.join(unlike[:8])}{', ...' * (len(unlike) > 8)}; leave them out if somebody "
            "else wrote them"
        )


def _rates_by_orientation(reader: Reader, samples: Sequence[InkSample]) -> np.ndarray:
    """Return the character error rates of lines after each correction, `(orientations, lines)`."""
    turned = [
        np.hstack((one.ink[:, :2] @ np.float32(matrix).T, one.ink[:, 2:]))
        for matrix in ORIENTATIONS.values()
        for one in samples
    ]
    texts = [one.text for one in samples] * len(ORIENTATIONS)
    rates = list(map(error_rate, texts, reader.read_lines(turned)))
    return np.array(rates).reshape(len(ORIENTATIONS), len(samples))
