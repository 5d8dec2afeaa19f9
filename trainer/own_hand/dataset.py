"""Lines of one person, for a network that learns to write, or to read, their hand.

A trained network knows one unit and one sampling rate, and every character; seven lines of a person
have other units and a third of the characters. So each line is brought level, to the network's
x-height and to its distance from point to point, and an epoch has, besides these lines, many others
that are composed of their characters.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch

from base import distributed
from base.base_dataset import BaseDataset
from data_loader.sources.ink_files import InkSample, mean_step, read_ink
from data_loader.transforms.shaping import LevelBaseline, ResampleTime
from data_loader.transforms.slips import RemoveSlips
from data_loader.transforms.smoothing import Smooth
from model.generation.options import Primer
from model.loading import load
from model.reader import Reader
from model.writer import Writer
from trainer.own_hand.lines import usable
from trainer.own_hand.practice import practice
from utils.alphabet import Alphabet, nfc
from utils.checks import DataError, Range, UserError
from utils.files import atomic_write
from utils.hand_measures import too_wide
from utils.ink import x_height

log = logging.getLogger(__name__)

FILE = "practice.npz"
"""In the folder of a run: what its hand was fitted with, so that a resumed run has the same."""
MIN_LINES = 3
"""Lines from which a hand can be learned (assumed; five and more are better)."""
HELD_OUT = 20
"""Lines from which on every tenth is held out (assumed: of fewer all are needed to learn from)."""
MAX_LINES = 2000
"""Lines that are used at most (assumed: an hour's training)."""
SHORT = 10
"""Characters below which a line's own x-height is not measured; the hand's is taken (assumed)."""


@dataclass(frozen=True)
class Fitted:
    """What fits the lines of a hand to a network.

    Attributes:
        names: of the lines that are used.
        height, step: x-height and distance between points of what the network writes.
        more: further lines to learn from, composed or written.
    """

    names: tuple[str, ...]
    height: float
    step: float
    more: list[Primer]

    def save(self, path: Path) -> None:
        """Save as .npz, whole or not at all."""
        inks = [ink for ink, _ in self.more]
        arrays = {
            "names": np.array(self.names),
            "units": np.array([self.height, self.step]),
            "points": np.concatenate([*inks, np.empty((0, 3), dtype=np.float32)]),
            "lengths": np.array([len(ink) for ink in inks], dtype=np.int64),
            "texts": np.array([text for _, text in self.more], dtype=np.str_),
        }
        atomic_write(path, lambda file: np.savez_compressed(file, **arrays))

    @classmethod
    def load(cls, path: Path) -> "Fitted":
        """Load what `save` saved.

        Raises:
            DataError: if the file is missing or broken.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                inks = np.split(file["points"], np.cumsum(file["lengths"]))[:-1]
                pairs = list(zip(inks, file["texts"].tolist(), strict=True))
                return cls(tuple(file["names"].tolist()), *file["units"].tolist(), pairs)
        except Exception as error:  # np.load promises no particular kind
            raise DataError(
                f"{path}: the lines that the run composed cannot be read ({error}); "
                "start the training again"
            ) from None


class HandDataset(BaseDataset):
    """Lines of one person in any format that `read_ink` reads.

    `fit` chooses those that can be used, and adds new lines in that hand.

    Attributes:
        own: the samples that are lines of the person, each once; after `prepare`, as the next.
        held_out: those of them that are not learned; none where there are too few to hold any out.

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
        self.notes: list[str] = []
        self._recorded: list[InkSample] = []
        self._fitted: Fitted | None = None
        self._inks: list[np.ndarray] = []

    def read(self) -> list[InkSample]:
        """Return the lines as recorded, without those that are there twice.

        Raises:
            DataError: if there is no ink, none with a text, or too little.
        """
        if self._recorded:
            return self._recorded
        found = read_ink(self.root)
        lines = [one for one in found if one.text and one.text.strip() and len(one.ink) > 1]
        if not lines:
            raise DataError(
                f"{self.root}: none of {len(found):,} samples has a text; InkML "
                'has it in <annotation type="truth">, JSON as "text"'
            )
        self._note(found, lines, "without a text, or only a dot")
        near = [one for one in lines if not too_wide(one.ink, one.text)]
        self._note(lines, near, "with a point far off")
        unlike: dict[bytes, InkSample] = {}
        for one in near:
            unlike.setdefault(one.ink.tobytes(), one)
        samples = list(unlike.values())
        self._note(near, samples, "that are there already")
        if len(samples) > MAX_LINES:
            chosen = np.random.default_rng(self.seed).choice(len(samples), MAX_LINES, replace=False)
            self.notes.append(f"left out: {len(samples) - MAX_LINES:,} beyond {MAX_LINES:,}")
            samples = [samples[index] for index in sorted(chosen.tolist())]
        self._check_count(samples)
        ((text, count),) = Counter(nfc(one.text) for one in samples).most_common(1)
        if count > len(samples) / 2:
            self.notes.append(f"{count} of {len(samples)} lines say {text[:40]!r}")
        self._recorded = samples
        return samples

    def fit(
        self, checkpoint: Path, alphabet: Alphabet | None, device: torch.device, *, resumed: bool
    ) -> dict[str, Any]:
        """Choose the lines to learn from, bring them to the network's units, compose new ones.

        A resumed run has the same as before, from the file beside its checkpoint.

        Args and returns: see `BaseDataset`.

        Raises:
            DataError: if too few lines can be used, with what is wrong with the others, or if lines
                of a resumed run are no longer there.
            UserError: if the network neither writes texts nor reads.
        """
        if resumed:
            found = Fitted.load(checkpoint.with_name(FILE))
        else:
            found = distributed.broadcast_object(
                lambda: self._prepared(alphabet, *networks(checkpoint, device))
            )
        names = {one.name for one in self.read()}
        if lost := [name for name in found.names if name not in names]:
            others = f", nor are {len(lost) - 1} others" if len(lost) > 1 else ""
            raise DataError(
                f"{self.root}: {lost[0]} is no longer there{others}, with which the run began"
            )
        self.height, self.step, self._fitted = found.height, found.step, found
        return {"x_height": found.height, "step": found.step}

    def save(self, folder: Path) -> None:
        """Save what `fit` found, for a resumed run."""
        if self._fitted is not None:
            self._fitted.save(folder / FILE)

    def _prepared(self, known: Alphabet | None, writer: Writer, reader: Reader) -> Fitted:
        """Return what `fit` finds with two networks, of which one learns the hand."""
        log.info("reading the lines")
        samples, notes = usable(self.root, self.read(), known, reader)
        self.notes += notes
        self._check_count(samples)
        for note in self.notes:  # before work of some minutes, which may be in vain
            log.warning("%s", note)
        self.notes.clear()
        own = [ink for ink in writer.unprimed() if mean_step(ink) > 0]
        height = self.height or float(np.median([x_height(ink) for ink in own]))
        step = self.step or float(np.median([mean_step(ink) for ink in own]))
        inks = to_network_units([(one.ink, one.text) for one in samples], height, step)
        learned, _ = self.divided(len(samples))  # Held-out lines lend no letters.
        lines = [(inks[k], samples[k].text) for k in learned.tolist()]
        more = practice(lines, known, writer, reader, self.lent, self.composed, self.seed)
        return Fitted(tuple(one.name for one in samples), height, step, more)

    def _check_count(self, samples: Sequence[InkSample]) -> None:
        if len(samples) < MIN_LINES:
            count = f"{len(samples)} line{'s' * (len(samples) != 1)}"
            raise DataError(
                f"{'; '.join([f'{self.root}: {count} to learn a hand from', *self.notes])}: at "
                f"least {MIN_LINES} are needed, 5 and more are better; `experiments.py style make` "
                "takes the hand from a single line, without training"
            )

    def _note(self, samples: Sequence[InkSample], kept: Sequence[InkSample], what: str) -> None:
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
        samples, more = self.read(), []
        if self._fitted is not None:
            by_name, more = {one.name: one for one in samples}, self._fitted.more
            samples = [by_name[name] for name in self._fitted.names]
        if self.height is None or self.step is None:
            raise UserError(
                "lines of a hand are for a trained network: train.py -c CONFIG -r CHECKPOINT"
            )
        own = to_network_units([(one.ink, one.text) for one in samples], self.height, self.step)
        learned, self.held_out = self.divided(len(own))
        # A repeated line has an index of its own, by which its augmentation is drawn.
        again = np.resize(learned, max(self.size, len(learned)))[len(learned) :].tolist()
        self.own = list(range(len(own)))
        self._inks = own + [own[k] for k in again] + [ink for ink, _ in more]
        self._texts = [samples[k].text for k in self.own + again] + [text for _, text in more]
        self._names = [one.name for one in samples]
        self._names += [f"{samples[k].name} (again, {n})" for n, k in enumerate(again)]
        self._names += [f"composed-{n:05}" for n in range(len(more))]
        self.lengths = np.array([len(ink) for ink in self._inks], dtype=np.int64)
        self._learned = np.concatenate([learned, np.arange(len(own), len(self._inks))])
        self._composed = len(more)

    def divided(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the lines, of so many, that are learned, and the held-out ones."""
        order = np.random.default_rng(self.seed).permutation(count)
        held = count // 10 if count >= HELD_OUT else 0
        return np.sort(order[held:]), np.sort(order[:held])

    def split_indices(self) -> dict[str, np.ndarray]:
        # With too few lines to hold any out, the training lines are validated on.
        judging = self.held_out if len(self.held_out) else np.array(self.own)
        return {"train": self._learned, "valid": judging, "test": judging}

    def ink(self, index: int) -> np.ndarray:
        return self._inks[index].copy()

    def text(self, index: int) -> str:
        return self._texts[index]

    def name(self, index: int) -> str:
        return self._names[index]

    def report(self) -> str:
        count = len(self.held_out)
        held = f"{count} lines are held out" if count else "none is held out, as they are few"
        different = len(set("".join(self._texts[k] for k in self.own)) - {" "})
        lines = [
            f"{self.root}: {len(self.own)} lines of a hand with {different} different characters",
            f"an epoch: {len(self._learned) - self._composed} lines of the hand and "
            f"{self._composed} new ones in it; {held}",
        ]
        return "\n  ".join([*lines, *self.notes])


def networks(path: str | Path, device: torch.device) -> tuple[Writer, Reader]:
    """Return a writer and a reader: the network at `path`, and a pretrained one of the other kind.

    Raises:
        UserError: if it neither writes texts nor reads.
    """
    network = load(path, str(device))
    if isinstance(network, Reader):
        return load("writer", str(device)), network
    if not isinstance(network, Writer) or not network.model.needs_text:
        raise UserError(f"{path}: a hand is learned by a network that writes texts, or that reads")
    return network, load("reader", str(device))


def to_network_units(lines: Sequence[Primer], height: float, step: float) -> list[np.ndarray]:
    """Return lines of a hand in the units of a network: level, smooth, of one size and density.

    Args:
        lines: in any unit, at any sampling rate.
        height: the x-height that each gets, see `utils.ink.x_height`; a short line is scaled as
            the median of the hand.
        step: mean distance from point to point within strokes, over all lines: differences of
            speed between them stay.
    """

    def changed(ink: np.ndarray, *changes: Any) -> np.ndarray:
        for change in changes:
            ink, _ = change(ink, np.zeros(len(ink), dtype=np.uint8), None)
        return ink

    usual, inks = float(np.median([x_height(ink) for ink, _ in lines])), []
    for ink, text in lines:
        ink = changed(ink, RemoveSlips(), LevelBaseline())
        own = x_height(ink) if len(text) >= SHORT else usual
        inks.append(ink * np.float32([height / own, height / own, 1]))
    steps = [one for ink in inks if (one := mean_step(ink)) > 0]
    # Smoothed at twice the density, which leaves corners their shape.
    period = min(max(step / 2 / float(np.median(steps)), 0.01), 100.0) if steps else 1.0
    dense, half = ResampleTime(period=period), ResampleTime(period=2.0)
    return [changed(ink, dense, Smooth(window=7), half) for ink in inks]
