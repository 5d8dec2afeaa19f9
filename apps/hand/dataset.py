"""The dataset from which a network learns to write or to read the hand of a person.

A trained network knows one unit, one sampling rate, and every character. A person's few lines may
have other units and rates, and lack most characters. So each line is made level, and is scaled to
the network's x-height and distance between points. An epoch has the person's lines, and many new
lines that are composed of the characters of the person's lines.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch

from apps.hand.lines import read_recorded, usable_lines
from apps.hand.practice import practice_lines
from apps.hand.run_files import PRACTICE_FILE
from apps.hand.stages import READING, stage
from apps.pages.hands import extras_of_lines
from base import distributed
from base.base_dataset import SPLITS, BaseDataset, InitialNetwork, Loaded, mapped
from base.base_transform import BaseTransform
from data_loader.transforms.cleaning import RemoveSlips, Smooth
from data_loader.transforms.shaping import LevelBaseline, ResampleTime
from ink import guard
from ink.formats.arrays import read_arrays
from ink.geometry import x_height
from ink.resampling import mean_step
from ink.sample import Sample
from model.generation.line import Primer, Sampling
from model.loading import Reader, Writer, default_proofreader, load
from utils.checks import DataError, OtherVersion, Range, UserError, check_version, first_of
from utils.files import atomic_write
from utils.program import typed

log = logging.getLogger(__name__)

PRACTICE_FORMAT = 1
"""Version of the format of `PRACTICE_FILE`; a file of another version is refused."""
MIN_LINES_TO_HOLD_OUT = 20
"""Minimum number of lines of which a tenth is held out (assumed: fewer lines are all learned)."""
MIN_SCALING_LENGTH = 10
"""Minimum number of characters of a line that is scaled by its x-height (assumed). Others are
scaled by the median x-height of all lines."""


@dataclass(frozen=True)
class HandLines(Loaded):
    """The lines of a person in a network's units, and new lines in the person's hand."""

    recorded: list[Sample] = field(kw_only=True)
    """The lines of the person, each once."""
    held_out: list[Sample] = field(kw_only=True)
    """The recorded lines that are held out; empty if all lines are learned."""
    new: list[Primer] = field(kw_only=True)
    """The new lines, see `practice_lines`."""
    seed: int = field(kw_only=True)
    """The seed of the choice of lines and of the new lines."""
    hand_extras: Mapping[str, np.ndarray] = field(kw_only=True)
    """The extras of all lines if the network takes a hand, see `HandEncoder`; else empty."""

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of the samples without their extras.

        The hand among the extras is computed from the lines; its rounding depends on the number of
        threads.
        """
        lines = mapped(self.samples, lambda line: [replace(line, extras={})])
        return Loaded(lines, self.report).fingerprints


@dataclass(eq=False)
class HandDataset(BaseDataset):
    """Lines of one person in any format that `read_ink` reads.

    For a training, `load` returns the usable lines, and new lines in the person's hand.

    Args:
        origin: the network that learns the hand; None to load the lines as a run has learned them.
        root: the file or the folder.
        x_height: x-height to which all lines are scaled, in units of the network; null to measure
            lines that the network writes.
        step: mean distance from point to point within strokes, in units of the network; null to
            measure lines that the network writes.
        size: least number of the person's lines in an epoch; fewer lines are repeated, each time
            with new augmentation.
        composed: number of new lines in an epoch, composed of the characters of the hand's lines.
        lent: number of lines that the network writes in the hand before the training; these lines
            lend the characters that the person did not write.
        seed: seed of the choice of held-out lines, and of the used lines if there are too many.
        keep: names of lines, separated by commas, that are learned even if they are misread.
        network: the pretrained network with which a training begins by default.
    """

    origin: InitialNetwork | None = None
    _: KW_ONLY
    root: str
    x_height: Annotated[float, Range(1e-6, 1e6)] | None = None
    step: Annotated[float, Range(1e-6, 1e6)] | None = None
    size: Annotated[int, Range(1, 10_000)] = 32
    composed: Annotated[int, Range(0, 100_000)] = 800
    lent: Annotated[int, Range(0, 10_000)] = 72
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    keep: str = ""
    network: str | None = None

    def licences(self) -> set[str | None]:
        """Return an empty set: the user's lines have no licence."""
        return set()

    def load(self, splits: Collection[str] = SPLITS) -> HandLines:
        """Choose the lines to learn from, measure the network's units, and compose new lines.

        A resumed run takes the names of its lines and the new lines from the file beside its
        checkpoint, and the units from its config. Without an `origin` all lines are returned, in
        the units of the config.

        Raises:
            DataError: as `read_recorded`; if too few lines are usable; or if, in a resumed run, the
                file is missing or broken, or names a missing line.
            UserError: if the network neither writes texts nor reads; or, without an `origin`, if
                the config lacks `x_height` or `step`.
        """
        samples = read_recorded(self.root, self.seed)
        height = self.x_height
        step = self.step
        if self.origin is None:
            if height is None or step is None:
                raise UserError(
                    f"a trained network learns a hand: {typed('train')} -c CONFIG -r CHECKPOINT"
                )
            return self._lines(samples, [], height, step, splits, takes_hand=False)
        if self.origin.is_resumed:
            names, new, takes_hand = load_practice(self.origin.path.with_name(PRACTICE_FILE))
        else:
            names, new, takes_hand, height, step = distributed.broadcast_object(
                lambda: self._adapt(samples, *load_pair(self.origin.path, self.origin.device))
            )
        by_name = {sample.name: sample for sample in samples}
        if missing := [name for name in names if name not in by_name]:
            problem = f"lines with which the run began are no longer there: {first_of(missing)}"
            raise DataError(f"{self.root}: {problem}")
        chosen = [by_name[name] for name in names]
        return self._lines(chosen, new, height, step, splits, takes_hand=takes_hand)

    def _adapt(self, samples: Sequence[Sample], writer: Writer, reader: Reader) -> "_Adapted":
        """Choose the usable lines, write new ones, and measure the network's units. Either the
        writer or the reader learns the hand."""
        learner = reader if reader.path == self.origin.path else writer
        alphabet = learner.model.alphabet
        accepted = [*filter(None, map(str.strip, self.keep.split(",")))]
        with stage(READING):
            samples = usable_lines(self.root, samples, alphabet, reader, accepted, "--keep")
        extras = extras_of_lines([sample.ink for sample in samples]) if writer.takes_hand else {}
        reference_lines = writer.reference_lines(Sampling(bias=0.0, extras=extras))
        reference_inks = [ink for ink in reference_lines if mean_step(ink) > 0]
        height = self.x_height or float(np.median([x_height(ink) for ink in reference_inks]))
        step = self.step or float(np.median([mean_step(ink) for ink in reference_inks]))
        inks = to_network_units(samples, height, step)
        learned, _ = self.split_indices(len(samples))
        # New lines contain no letters of held-out lines, so that these stay a fair test.
        lines = [(inks[k], samples[k].text) for k in learned]
        new = practice_lines(
            lines,
            alphabet,
            writer,
            reader,
            num_lent=self.lent,
            num_new=self.composed,
            seed=self.seed,
        )
        names = [sample.name for sample in samples]
        return _Adapted(names, new, writer.takes_hand, height, step)

    def _lines(
        self,
        samples: Sequence[Sample],
        new: list[Primer],
        height: float,
        step: float,
        splits: Collection[str],
        *,
        takes_hand: bool,
    ) -> HandLines:
        """Return the person's lines and new lines, all in the network's units."""
        inks = to_network_units(samples, height, step)
        learned, held_out = self.split_indices(len(inks))
        extras = extras_of_lines([inks[k] for k in learned]) if takes_hand else {}
        recorded = [
            Sample(ink, sample.text, sample.name, extras=extras)
            for ink, sample in zip(inks, samples, strict=True)
        ]
        train = [recorded[k] for k in learned]
        # The augmentation of a line depends on its index, so each repetition has another.
        repeated = list(islice(cycle(train), max(self.size - len(train), 0)))
        train += [line.renamed(f"{line.name} (again, {n})") for n, line in enumerate(repeated)]
        num_repeated = len(train)
        for number, (ink, text) in enumerate(new):
            train.append(Sample(ink, text, f"composed-{number:05}", extras=extras))
        # Without held-out lines, the learned lines are used for validation.
        evaluated = [recorded[k] for k in held_out] or recorded
        samples_of = {"train": train, "valid": evaluated, "test": evaluated}
        held_report = f"{len(held_out)} lines are" if held_out else "as they are few, none is"
        num_characters = len(set("".join(sample.text for sample in recorded)) - {" "})
        return HandLines(
            {split: samples for split, samples in samples_of.items() if split in splits},
            f"{self.root}: {len(recorded)} lines of a hand, {num_characters} different characters\n"
            f"  an epoch: {num_repeated} lines of the hand, {len(new)} new; {held_report} held out",
            fitted={"x_height": height, "step": step},
            recorded=recorded,
            held_out=[recorded[k] for k in held_out],
            new=new,
            seed=self.seed,
            hand_extras=extras,
        )

    def split_indices(self, count: int) -> tuple[list[int], list[int]]:
        """Return the indices of the learned and of the held-out lines among `count` lines."""
        order = np.random.default_rng(self.seed).permutation(count).tolist()
        num_held_out = count // 10 if count >= MIN_LINES_TO_HOLD_OUT else 0
        return sorted(order[num_held_out:]), sorted(order[:num_held_out])


def save_practice(
    path: Path, names: Sequence[str], new: Sequence[Primer], takes_hand: bool = False
) -> None:
    """Save the names of the recorded lines, the new lines, and whether the network takes a
    hand, as .npz."""
    inks = [ink for ink, _ in new]
    arrays = {
        "format": np.array(PRACTICE_FORMAT),
        "names": np.array(names),
        "points": np.concatenate([*inks, np.empty((0, 3), dtype=np.float32)]),
        "lengths": np.array([len(ink) for ink in inks], dtype=np.int64),
        "texts": np.array([text for _, text in new], dtype=np.str_),
        "told": np.array(takes_hand),
    }
    atomic_write(path, lambda file: np.savez_compressed(file, **arrays))


def load_practice(path: Path) -> tuple[list[str], list[Primer], bool]:
    """Load the file of `save_practice`.

    Raises:
        DataError: if the file is missing or broken.
    """
    try:
        arrays = guard.call(read_arrays, path)
        check_version(path, int(arrays.get("format", 0)), PRACTICE_FORMAT, "train anew")
        # The last part is that behind all lines, and empty.
        *inks, _ = np.split(arrays["points"], np.cumsum(arrays["lengths"]))
        new = list(zip(inks, arrays["texts"].tolist(), strict=True))
        return arrays["names"].tolist(), new, bool(arrays["told"])
    except OtherVersion:
        raise
    except Exception as error:  # Other arrays may fail in any way.
        raise DataError(
            f"{path}: the lines that the run composed cannot be read ({error}); "
            "start the training again"
        ) from None


def load_pair(path: str | Path, device: torch.device) -> tuple[Writer, Reader]:
    """Return a writer and a reader: the network at `path`, and a pretrained network.

    Raises:
        UserError: if the network at `path` neither writes texts nor reads.
    """
    network = load(path, str(device))
    if isinstance(network, Reader):
        return load("writer", str(device)), network
    if not isinstance(network, Writer) or not network.model.needs_text:
        raise UserError(f"{path}: a hand is learned by a network that writes texts, or that reads")
    return network, load(default_proofreader(network), str(device))


def to_network_units(lines: Sequence[Sample], height: float, step: float) -> list[np.ndarray]:
    """Return the ink of a hand's lines, level and smooth, in the units of a network.

    Args:
        lines: in any unit, at any sampling rate.
        height: the new x-height, see `ink.geometry.x_height`.
        step: the new median over all lines of a line's mean distance between points within strokes;
            the lines keep their differences in speed.
    """
    median_height = float(np.median([x_height(line.ink) for line in lines]))
    level_inks = []
    for line in lines:
        ink = _transformed(line.ink, RemoveSlips(), LevelBaseline())
        is_measured = len(line.text) >= MIN_SCALING_LENGTH
        scale = height / (x_height(ink) if is_measured else median_height)
        level_inks.append(ink * np.float32([scale, scale, 1]))
    steps = [mean for mean in map(mean_step, level_inks) if mean > 0]
    period = 1.0
    if steps:  # Ink is smoothed at twice the density, so that corners keep their shape.
        period = step / 2 / float(np.median(steps))
        period = min(max(period, 0.01), 100.0)  # if a unit is far off (bounds: assumed)
    to_double_density = ResampleTime(period=period)
    to_density = ResampleTime()
    smooth = Smooth()
    return [_transformed(ink, to_double_density, smooth, to_density) for ink in level_inks]


def _transformed(ink: np.ndarray, *transforms: BaseTransform) -> np.ndarray:
    for transform in transforms:
        ink, _ = transform(ink, np.zeros(len(ink), dtype=np.uint8), None)
    return ink


class _Adapted(NamedTuple):
    """Names of the usable lines, new lines, whether the writer takes a hand, and the network's
    x-height and step."""

    names: list[str]
    new: list[Primer]
    takes_hand: bool
    height: float
    step: float
