"""Lines of one person, for a network that learns to write, or to read, their hand.

A trained network knows one unit and one sampling rate, and every character; seven lines of a person
have other units and a third of the characters. So each line is brought level, to the network's
x-height and to its distance from point to point, and an epoch has, besides these lines, many others
that are composed of their characters.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample
from base.base_transform import BaseTransform
from data_loader.sources.ink_files import mean_step
from data_loader.sources.parsing import first_of
from data_loader.transforms.cleaning import RemoveSlips, Smooth
from data_loader.transforms.shaping import LevelBaseline, ResampleTime
from handwriting.primers import described
from model.generation.hand_encoder import told
from model.generation.sampling_options import Primer
from model.loading import load
from model.reader import Reader
from model.writer import Writer, usual_proofreader
from trainer.own_hand.lines import recorded, usable
from trainer.own_hand.practice import practice
from trainer.own_hand.stages import READING, stage
from utils.alphabet import Alphabet
from utils.checks import DataError, Range, UserError
from utils.files import atomic_write
from utils.ink import x_height

log = logging.getLogger(__name__)

FILE = "practice.npz"
"""In the folder of a run: what its hand was fitted with, so that a resumed run has the same."""
HELD_OUT = 20
"""Lines from which on every tenth is held out (assumed: of fewer all are needed to learn from)."""
SHORT = 10
"""Characters below which a line's own x-height is not measured; the hand's is taken (assumed)."""


@dataclass(frozen=True)
class HandLines(Loaded):
    """The lines of a person in a network's units, and new ones in their hand."""

    own: list[Sample] = field(kw_only=True)
    """The lines of the person, each once."""
    held_out: list[Sample] = field(kw_only=True)
    """Those of them that are not learned; none where there are too few to hold any out."""
    new: list[Primer] = field(kw_only=True)
    """What was composed."""
    seed: int = field(kw_only=True)
    """Of what was chosen and composed."""
    told: Mapping[str, np.ndarray] = field(kw_only=True)
    """What a network that is told its hand is told, see `HandEncoder`; nothing for others."""


@dataclass(kw_only=True, eq=False)
class HandDataset(BaseDataset):
    """Lines of one person in any format that `read_ink` reads.

    Adapted to a network, they are those that can be used, and new lines composed in that hand.

    Args:
        root: the file or the folder.
        x_height: x-height to which all lines are scaled, in units of the network; null
            measures it in what the network writes.
        step: mean distance from point to point within strokes, in the same units; null as before.
        size: lines of the hand in an epoch at least: fewer are repeated, each time augmented anew.
        composed: new lines of an epoch, composed of the characters of the hand's lines.
        lent: lines that the network writes in the hand before the training: they lend the
            characters that the person did not write.
        seed: chooses the lines that are held out, and those used of too many.
        keep: names of lines, with commas between them, that are learned from even where what is
            read of them is not their text.
        network: with which a training begins that names none.
    """

    root: str
    x_height: Annotated[float, Range(1e-6, 1e6)] | None = None
    step: Annotated[float, Range(1e-6, 1e6)] | None = None
    size: Annotated[int, Range(1, 10_000)] = 32
    composed: Annotated[int, Range(0, 100_000)] = 800
    lent: Annotated[int, Range(0, 10_000)] = 72
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    keep: str = ""
    network: str | None = None

    @property
    def kept(self) -> list[str]:
        """The names of the lines that are kept."""
        return [*filter(None, map(str.strip, self.keep.split(",")))]

    def licences(self) -> set[str | None]:
        """Return none: a person's own lines bind nobody else."""
        return set()

    def usual_network(self) -> str | None:
        return self.network

    def load(self, splits: Collection[str] = SPLITS) -> HandLines:
        """Return the lines in the units that the config says.

        Raises:
            DataError: as `recorded`.
            UserError: if the network's units are unknown.
        """
        if self.x_height is None or self.step is None:
            raise UserError(
                "lines of a hand are for a trained network: train.py -c CONFIG -r CHECKPOINT"
            )
        samples = recorded(self.root, self.seed)
        return self._lines(samples, [], self.x_height, self.step, splits, is_told=False)

    def load_adapted(
        self, checkpoint: Path, alphabet: Alphabet | None, device: torch.device, *, resumed: bool
    ) -> tuple[HandLines, dict[str, float]]:
        """Choose the lines to learn from, measure the network's units, compose new lines.

        A resumed run has the same as before: from the file beside its checkpoint, the units from
        its config.

        Args and returns: see `BaseDataset`.

        Raises:
            DataError: if too few lines can be used, with what is wrong with the others, or if the
                file of a resumed run is missing or broken, or a line of it no longer there.
            UserError: if the network neither writes texts nor reads.
        """
        samples = recorded(self.root, self.seed)
        if resumed:
            names, new, is_told = load_practice(checkpoint.with_name(FILE))
            height, step = self.x_height, self.step
        else:
            names, new, is_told, height, step = distributed.broadcast_object(
                lambda: self._fitted(samples, alphabet, *networks(checkpoint, device))
            )
        by_name = {one.name: one for one in samples}
        if lost := [name for name in names if name not in by_name]:
            raise DataError(
                f"{self.root}: lines with which the run began are no longer there: {first_of(lost)}"
            )
        chosen = [by_name[name] for name in names]
        lines = self._lines(chosen, new, height, step, SPLITS, is_told=is_told)
        return lines, {"x_height": height, "step": step}

    def _fitted(
        self, samples: Sequence[Sample], known: Alphabet | None, writer: Writer, reader: Reader
    ) -> tuple[list[str], list[Primer], bool, float, float]:
        """Return the names of the lines to learn from, new lines, whether the writer is told the
        hand, x-height and step.

        One of the two networks is the one that learns the hand.
        """
        with stage(READING):
            samples = usable(self.root, samples, known, reader, self.kept)
        unprimed = [ink for ink in writer.reference_lines if mean_step(ink) > 0]
        height = self.x_height or float(np.median([x_height(ink) for ink in unprimed]))
        step = self.step or float(np.median([mean_step(ink) for ink in unprimed]))
        inks = to_network_units([(one.ink, one.text) for one in samples], height, step)
        learned, _ = self.divided(len(samples))  # Held-out lines lend no letters.
        own = [(inks[k], samples[k].text) for k in learned]
        new = practice(own, known, writer, reader, self.lent, self.composed, self.seed)
        return [one.name for one in samples], new, writer.is_told, height, step

    def _lines(
        self,
        samples: Sequence[Sample],
        new: list[Primer],
        height: float,
        step: float,
        splits: Collection[str],
        *,
        is_told: bool,
    ) -> HandLines:
        """Return the lines in the network's units: the person's, some of them again, new ones."""
        inks = to_network_units([(one.ink, one.text) for one in samples], height, step)
        places, extras = self.divided(len(inks)), {}
        if is_told:
            hand = told(*described([inks[k] for k in places[0]]))
            extras = {"hand": hand, "composed": np.zeros(1, np.float32)}
        own = [
            Sample(ink, one.text, one.name, extras=extras)
            for ink, one in zip(inks, samples, strict=True)
        ]
        learned, held_out = ([own[k] for k in part] for part in places)
        # A repeated line has a place of its own, by which its augmentation is drawn.
        repeated = islice(cycle(learned), max(self.size - len(learned), 0))
        repeats = [line.of(f"{line.name} (again, {n})") for n, line in enumerate(repeated)]
        composed = [
            Sample(ink, text, f"composed-{n:05}", extras=extras)
            for n, (ink, text) in enumerate(new)
        ]
        # With too few lines to hold any out, the training lines are validated on.
        judging = held_out or own
        parts = {"train": [*learned, *repeats, *composed], "valid": judging, "test": judging}
        held = "none is held out, as they are few"
        if held_out:
            held = f"{len(held_out)} lines are held out"
        different = len(set("".join(one.text for one in own)) - {" "})
        return HandLines(
            {split: part for split, part in parts.items() if split in splits},
            f"{self.root}: {len(own)} lines of a hand with {different} different characters\n"
            f"  an epoch: {len(learned) + len(repeats)} lines of the hand and {len(new)} new ones "
            f"in it; {held}",
            own=own,
            held_out=held_out,
            new=new,
            seed=self.seed,
            told=extras,
        )

    def divided(self, count: int) -> tuple[list[int], list[int]]:
        """Return the numbers of the lines, of so many, that are learned, and the held-out ones."""
        order = np.random.default_rng(self.seed).permutation(count).tolist()
        held = count // 10 if count >= HELD_OUT else 0
        return sorted(order[held:]), sorted(order[:held])


def save_practice(
    path: Path, names: Sequence[str], new: Sequence[Primer], is_told: bool = False
) -> None:
    """Save the names of the lines that are learned, new lines, and whether the hand is told, as
    .npz, whole or not at all."""
    inks = [ink for ink, _ in new]
    arrays = {
        "names": np.array(names),
        "points": np.concatenate([*inks, np.empty((0, 3), dtype=np.float32)]),
        "lengths": np.array([len(ink) for ink in inks], dtype=np.int64),
        "texts": np.array([text for _, text in new], dtype=np.str_),
        "told": np.array(is_told),
    }
    atomic_write(path, lambda file: np.savez_compressed(file, **arrays))


def load_practice(path: Path) -> tuple[list[str], list[Primer], bool]:
    """Load what `save_practice` saved.

    Raises:
        DataError: if the file is missing or broken.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            inks = np.split(file["points"], np.cumsum(file["lengths"]))[:-1]
            new = list(zip(inks, file["texts"].tolist(), strict=True))
            is_told = "told" in file and bool(file["told"])  # of older runs none is
            return file["names"].tolist(), new, is_told
    except Exception as error:  # np.load promises no particular kind
        raise DataError(
            f"{path}: the lines that the run composed cannot be read ({error}); "
            "start the training again"
        ) from None


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
    return network, load(usual_proofreader(network), str(device))


def to_network_units(lines: Sequence[Primer], height: float, step: float) -> list[np.ndarray]:
    """Return lines of a hand in the units of a network: level, smooth, of one size and density.

    Args:
        lines: in any unit, at any sampling rate.
        height: the x-height that each gets, see `utils.ink.x_height`; a short line is scaled as
            the median of the hand.
        step: mean distance from point to point within strokes, over all lines: differences of
            speed between them stay.
    """

    usual, level = float(np.median([x_height(ink) for ink, _ in lines])), []
    for ink, text in lines:
        ink = _changed(ink, RemoveSlips(), LevelBaseline())
        own = x_height(ink) if len(text) >= SHORT else usual
        level.append(ink * np.float32([height / own, height / own, 1]))
    steps = [one for ink in level if (one := mean_step(ink)) > 0]
    # Smoothed at twice the density, which leaves corners their shape.
    period = min(max(step / 2 / float(np.median(steps)), 0.01), 100.0) if steps else 1.0
    dense, half = ResampleTime(period=period), ResampleTime(period=2.0)
    return [_changed(ink, dense, Smooth(window=7), half) for ink in level]


def _changed(ink: np.ndarray, *transforms: BaseTransform) -> np.ndarray:
    for transform in transforms:
        ink, _ = transform(ink, np.zeros(len(ink), dtype=np.uint8), None)
    return ink
