"""Which lines of a person a hand can be learned from, as judged by a recogniser.

Lines that do not say what their texts say are left out, and noted in the dataset; lines that lie
mirrored or turned are refused.
"""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from base.pretrained import HAND_SPACE
from data_loader.sources.hand import HandDataset
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


def usable(source: HandDataset, known: Alphabet | None, reader: Reader) -> list[InkSample]:
    """Return the lines to learn from; the others are noted in the dataset.

    Args:
        source: the lines.
        known: the characters of the network that learns; None if it takes no text.
        reader: a recogniser.

    Raises:
        DataError: if too few lines can be used, with what is wrong with the others.
    """
    samples = _known(source, source.read(), known)
    samples = _fitting(source, samples, reader)
    source.use(samples)
    _of_one_hand(source, samples)
    return samples


def _known(
    source: HandDataset, samples: Sequence[InkSample], alphabet: Alphabet | None
) -> list[InkSample]:
    """Return the lines whose characters a network knows; others are noted.

    Raises:
        DataError: if they are most.
    """
    if alphabet is None:
        return list(samples)
    unknown = {one.name: alphabet.unknown(nfc(one.text)) for one in samples}
    left = [one for one in samples if not unknown[one.name]]
    if len(left) < len(samples):
        lacking = dict.fromkeys(one for found in unknown.values() for one in found)
        names = ", ".join(map(describe, list(lacking)[:12])) + ", ..." * (len(lacking) > 12)
        if len(left) < len(samples) / 2:
            raise DataError(
                f"{source.root}: {len(samples) - len(left)} of {len(samples)} lines have "
                f"characters that the network does not know: {names}; a network for another "
                "script is trained with a config of its own"
            )
        source.notes.append(
            f"left out: {len(samples) - len(left)} with characters that the network does not "
            f"know: {names}"
        )
    return left


def _fitting(source: HandDataset, samples: Sequence[InkSample], reader: Reader) -> list[InkSample]:
    """Return the lines that say what their texts say, as far as a recogniser can tell.

    Raises:
        DataError: if most do not: because they are turned or mirrored, or for an unknown reason.
    """
    readable = [not reader.model.alphabet.unknown(nfc(one.text)) for one in samples]
    hypotheses = reader.read_lines([one.ink for one in samples], progress=True)
    pairs = zip(samples, hypotheses, strict=True)
    cer = np.array([error_rate(one.text, hypothesis) for one, hypothesis in pairs])
    checked = np.array([len(one.text) > 2 for one in samples]) & readable
    limit = min(MAX_CER, (np.median(cer[checked]) if checked.any() else 0.0) + MAX_CER_EXCESS)
    mismatched = np.flatnonzero((cer > limit) & checked).tolist()
    turned = _rates_by_orientation(reader, [samples[k] for k in mismatched[:ORIENTATION_LINES]])
    if len(mismatched) > len(samples) / 2:
        before, rates = np.median(cer[mismatched[:ORIENTATION_LINES]]), np.median(turned, 1)
        if rates.min() < before / 2:
            raise DataError(
                f"{source.root}: the ink seems to be recorded {NAMES[rates.argmin()]}: "
                f"{before:.0%} of the characters are misread as it is, {rates.min():.0%} the other "
                "way; lines have to be level, with y growing downwards and x to the right"
            )
        worst = samples[mismatched[0]]
        raise DataError(
            f"{source.root}: {len(mismatched)} of {len(samples)} lines do not say what their texts "
            f"say, such as {worst.name}: {worst.text[:40]!r} is read as "
            f"{hypotheses[mismatched[0]][:40]!r}; does each text belong to its ink, and is that "
            "level?"
        )
    if mismatched:
        shown = []
        for k, rates in zip(mismatched[:5], turned.T, strict=False):
            found = f"{samples[k].text[:30]!r} is read as {hypotheses[k][:30]!r}"
            found += f", recorded {NAMES[rates.argmin()]}?" if rates.min() < cer[k] / 2 else ""
            shown.append(f"{samples[k].name} ({found})")
        more = f" and {len(mismatched) - 5} more" if len(mismatched) > 5 else ""
        source.notes.append(f"left out, as ink and text do not fit: {', '.join(shown)}{more}")
    return [one for k, one in enumerate(samples) if k not in set(mismatched)]


def _of_one_hand(source: HandDataset, samples: Sequence[InkSample]) -> None:
    """Note lines that seem to be in another hand than the others."""
    space, embeddings, lines = hand_likeness.load(HAND_SPACE), [], []
    for one in samples:
        with suppress(DataError):  # A dot shows no hand.
            embeddings.append(space.embed([one.ink])[0])
            lines.append(one)
    if len(lines) < 2:
        return
    other, evidence = hand_likeness.split_in_two(
        np.array(embeddings), space.between.astype(np.float64)
    )
    if evidence > max(TWO_HANDS, TWO_HANDS_A_LINE * len(lines)):
        names = [one.name for one, differs in zip(lines, other, strict=True) if differs]
        source.notes.append(
            f"lines of two hands? {len(names)} of {len(lines)} are unlike the others: "
            f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''}; leave them out if "
            "somebody else wrote them"
        )


def _rates_by_orientation(reader: Reader, samples: Sequence[InkSample]) -> np.ndarray:
    """Return the character error rates of lines after each correction, `(orientations, lines)`."""
    turned = [
        np.hstack((one.ink[:, :2] @ np.float32(matrix).T, one.ink[:, 2:]))
        for matrix in ORIENTATIONS.values()
        for one in samples
    ]
    hypotheses = reader.read_lines(turned)
    texts = [one.text for one in samples] * len(ORIENTATIONS)
    rates = list(map(error_rate, texts, hypotheses))
    return np.array(rates).reshape(len(ORIENTATIONS), len(samples))
