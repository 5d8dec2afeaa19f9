"""Lines of one person, for a network that learns to write, or to read, their hand.

A trained network knows one unit and one sampling rate, and every character; seven lines of a person
have other units and a third of the characters. So each line is brought level, to the network's
x-height and to its distance from point to point, and an epoch has, besides these lines, many others
that `train.py` composes of their characters.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np

from base.base_dataset import BaseDataset
from data_loader.sources.ink_files import InkSample, mean_step, read_ink
from data_loader.transforms.shaping import LevelBaseline, ResampleTime
from data_loader.transforms.slips import RemoveSlips
from data_loader.transforms.smoothing import Smooth
from utils.alphabet import nfc
from utils.checks import DataError, Range, UserError
from utils.hand_measures import too_wide
from utils.ink import x_height

MIN_LINES = 3
"""Lines from which a hand can be learned (assumed; five and more are better)."""
HELD_OUT = 20
"""Lines from which on every tenth is held out (assumed: of fewer all are needed to learn from)."""
MAX_LINES = 2000
"""Lines that are used at most (assumed: an hour's training)."""
SHORT = 10
"""Characters below which a line's own x-height is not measured; the hand's is taken (assumed)."""

Pair = tuple[np.ndarray, str]
"""Ink `(points, 3)` and its text."""


class HandDataset(BaseDataset):
    """Lines of one person in any format that `read_ink` reads.

    `read` takes them from the files; `train.py` then chooses those that can be used (`use`), and
    adds new lines in that hand (`more`).

    Args:
        root: the file or the folder.
        x_height: of all lines in the end, in units of the network; null measures it in what the
            network writes.
        step: mean distance from point to point within strokes, in the same units; null as before.
        size: lines of the hand in an epoch at least: fewer are repeated, each time augmented anew.
        composed: new lines of an epoch, composed of the characters of the hand's lines.
        lent: lines that the network writes in the hand before the training: they lend the
            characters that the person did not write.
        seed: chooses the lines that are held out, and those used of too many.
    """

    def __init__(
        self,
        *,
        root: str,
        x_height: Annotated[float, Range(1e-6, 1e6)] | None = None,
        step: Annotated[float, Range(1e-6, 1e6)] | None = None,
        size: Annotated[int, Range(1, 10_000)] = 32,
        composed: Annotated[int, Range(0, 100_000)] = 800,
        lent: Annotated[int, Range(0, 10_000)] = 72,
        seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
    ) -> None:
        self.root, self.size, self.seed = root, size, seed
        self.composed, self.lent = composed, lent
        self.height, self.step = x_height, step
        self.more: Sequence[Pair] = []
        self.notes: list[str] = []
        self._samples: list[InkSample] = []
        self._inks: list[np.ndarray] = []

    def read(self) -> list[InkSample]:
        """Return the lines as recorded, without those that are there twice.

        Raises:
            DataError: if there is no ink, none with a text, or too little.
        """
        if self._samples:
            return self._samples
        found = read_ink(self.root)
        with_text = [one for one in found if one.text and one.text.strip() and len(one.ink) > 1]
        if not with_text:
            raise DataError(
                f"{self.root}: none of {len(found):,} samples has a text; InkML "
                'has it in <annotation type="truth">, JSON as "text"'
            )
        self._note(found, with_text, "without a text, or only a dot")
        near = [one for one in with_text if not too_wide(one.ink, one.text)]
        self._note(with_text, near, "with a point far off")
        unlike: dict[bytes, InkSample] = {}
        for one in near:
            unlike.setdefault(one.ink.tobytes(), one)
        self._note(near, unlike.values(), "that are there already")
        samples = list(unlike.values())
        if len(samples) > MAX_LINES:
            chosen = np.random.default_rng(self.seed).choice(len(samples), MAX_LINES, replace=False)
            self.notes.append(f"left out: {len(samples) - MAX_LINES:,} beyond {MAX_LINES:,}")
            samples = [samples[index] for index in sorted(chosen.tolist())]
        self.use(samples)
        return samples

    def use(self, samples: Sequence[InkSample]) -> None:
        """Set the lines to learn from: those of `read`, or fewer.

        Raises:
            DataError: if they are too few.
        """
        if len(samples) < MIN_LINES:
            count = f"{len(samples)} line{'s' * (len(samples) != 1)}"
            raise DataError(
                f"{'; '.join([f'{self.root}: {count} to learn a hand from', *self.notes])}: at "
                f"least {MIN_LINES} are needed, 5 and more are better; `experiments.py style make` "
                "takes the hand from a single line, without training"
            )
        texts = Counter(nfc(one.text) for one in samples)
        text, count = texts.most_common(1)[0]
        if count > len(samples) / 2:
            self.notes.append(f"{count} of {len(samples)} lines say {text[:40]!r}")
        self._samples = list(samples)

    def _note(self, samples: Iterable[InkSample], kept: Iterable[InkSample], what: str) -> None:
        """Note those samples that are not kept."""
        ids = {id(one) for one in kept}
        if left := [one.name for one in samples if id(one) not in ids]:
            names = ", ".join(left[:3]) + ", ..." * (len(left) > 3)
            self.notes.append(f"left out: {len(left):,} {what} ({names})")

    def prepare(self) -> None:
        """Bring all lines to the network's units. Does nothing the second time.

        Raises:
            DataError: as `read`.
            UserError: if the network's units are unknown.
        """
        if self._inks:
            return
        samples = self.read()
        if self.height is None or self.step is None:
            raise UserError(
                "lines of a hand are for a trained network: train.py -c CONFIG -r CHECKPOINT"
            )
        own = to_network_units([(one.ink, one.text) for one in samples], self.height, self.step)
        learned, self._held = self.divided()
        # A repeated line has an index of its own, by which its augmentation is drawn.
        again = np.resize(learned, max(self.size, len(learned)))[len(learned) :]
        lines = [*range(len(own)), *again.tolist()]
        self._inks = [own[line] for line in lines] + [ink for ink, _ in self.more]
        self._texts = [samples[line].text for line in lines] + [text for _, text in self.more]
        names = [samples[line].name for line in range(len(own))]
        names += [f"{samples[line].name} (again, {n})" for n, line in enumerate(again.tolist())]
        self._names = names + [f"composed-{n:05}" for n in range(len(self.more))]
        self.lengths = np.array([len(ink) for ink in self._inks], dtype=np.int64)
        self._learned = np.concatenate([learned, np.arange(len(own), len(self._inks))])

    def divided(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the lines that are learned, and of those that are held out."""
        count = len(self._samples)
        order = np.random.default_rng(self.seed).permutation(count)
        held = count // 10 if count >= HELD_OUT else 0
        return np.sort(order[held:]), np.sort(order[:held])

    @property
    def own(self) -> list[int]:
        """The samples that are lines of the person, each once."""
        return list(range(len(self._samples)))

    @property
    def held_out(self) -> bool:
        """Whether there are lines enough to hold some out."""
        return bool(len(self._held))

    def split_indices(self) -> dict[str, np.ndarray]:
        # With too few lines to hold any out, the training lines are validated on.
        judging = self._held if len(self._held) else self._learned[: len(self._samples)]
        return {"train": self._learned, "valid": judging, "test": judging}

    def ink(self, index: int) -> np.ndarray:
        return self._inks[index].copy()

    def text(self, index: int) -> str:
        return self._texts[index]

    def name(self, index: int) -> str:
        return self._names[index]

    def report(self) -> str:
        own, held = len(self._samples), len(self._held)
        different = len(set("".join(one.text for one in self._samples)) - {" "})
        lines = [
            f"{self.root}: {own} lines of a hand with {different} different characters",
            f"an epoch: {len(self._learned) - len(self.more)} lines of the hand and "
            f"{len(self.more)} new ones in it; "
            + (f"{held} lines are held out" if held else "none is held out, as they are few"),
        ]
        return "\n  ".join([*lines, *self.notes])


def to_network_units(lines: Sequence[Pair], height: float, step: float) -> list[np.ndarray]:
    """Return lines of a hand in the units of a network: level, smooth, of one size and density.

    Args:
        lines: in any unit, at any sampling rate.
        height: the x-height that each gets, see `utils.ink.x_height`; a short line is scaled as
            the median of the hand.
        step: mean distance from point to point within strokes, over all lines: differences of
            speed between them stay.
    """
    generator, inks = np.random.default_rng(0), []
    level, slips, smooth = LevelBaseline(), RemoveSlips(), Smooth(window=7)
    usual = float(np.median([x_height(ink) for ink, _ in lines]))
    for ink, text in lines:
        missing = np.zeros(len(ink), dtype=np.uint8)
        for change in (slips, level):
            ink, missing = change(ink, missing, generator)
        own = x_height(ink) if len(text) >= SHORT else usual
        inks.append(ink * np.float32([height / own, height / own, 1]))
    steps = [one for ink in inks if (one := mean_step(ink)) > 0]
    # Smoothed at twice the density, which leaves corners their shape.
    period = min(max(step / 2 / float(np.median(steps)), 0.01), 100.0) if steps else 1.0
    dense, half, found = ResampleTime(period=period), ResampleTime(period=2.0), []
    for ink in inks:
        for change in (dense, smooth, half):
            ink, _ = change(ink, np.zeros(len(ink), dtype=np.uint8), generator)
        found.append(ink)
    return found
