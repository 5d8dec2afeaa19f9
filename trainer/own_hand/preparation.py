"""What is prepared before a network learns a hand; the run's folder keeps it, so that a resumed run
has the same."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from base import distributed
from base.run_folder import RunFolder
from data_loader.sources.hand import HandDataset, Pair, to_network_units
from data_loader.sources.ink_files import mean_step
from model.loading import load
from model.reader import Reader
from model.writer import Writer
from trainer.own_hand.lines import usable
from trainer.own_hand.practice import composed, cut, written
from utils.alphabet import Alphabet
from utils.checks import DataError, UserError
from utils.files import atomic_write
from utils.ink import x_height

PRIMERS = 4
"""Lines of the hand that those of the network continue (assumed)."""
FILE = "practice.npz"
"""In the folder of a run: what was prepared."""


@dataclass(frozen=True)
class Prepared:
    """What was found before a hand is learned.

    Attributes:
        names: of the lines that are used.
        height, step: x-height and distance between points of what the network writes.
        more: further lines to learn from, composed or written.
    """

    names: tuple[str, ...]
    height: float
    step: float
    more: list[Pair]

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
    def load(cls, path: Path) -> "Prepared":
        """Load what `save` saved.

        Raises:
            DataError: if the file is missing or broken.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                ends = np.cumsum(file["lengths"])
                inks = np.split(file["points"], ends[:-1]) if len(ends) else []
                height, step = file["units"].tolist()
                pairs = list(zip(inks, file["texts"].tolist(), strict=True))
                return cls(tuple(file["names"].tolist()), height, step, pairs)
        except Exception as error:  # np.load promises no particular kind
            raise DataError(
                f"{path}: the lines that the run composed cannot be read ({error}); "
                "start the training again"
            ) from None


log = logging.getLogger(__name__)


def prepare(
    source: HandDataset,
    run: RunFolder,
    checkpoint: Path,
    known: Alphabet | None,
    device: torch.device,
    *,
    resumed: bool,
) -> Prepared:
    """Give a dataset the lines to learn from, and return them; `run` keeps them in a file.

    Args:
        source: the lines.
        run: of the training, not begun.
        checkpoint: of the network that learns.
        known: the characters of that network; None if it takes no text.
        device: to compute on.
        resumed: whether `checkpoint` is of a resumed run: these lines are in a file beside it.
    """
    if resumed:
        found, before = Prepared.load(checkpoint.with_name(FILE)), RunFolder.of(checkpoint)
        run.weights_from = before and before.first_weights()  # `conclude` compares with these.
    else:
        log.info("reading the lines, and composing new ones of their characters")
        found = distributed.broadcast_object(
            lambda: prepared(source, known, *networks(checkpoint, device))
        )
    run.files[FILE] = found.save
    use(source, found)
    return found


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


def prepared(
    source: HandDataset, known: Alphabet | None, writer: Writer, reader: Reader
) -> Prepared:
    """Choose the lines to learn from, and compose new ones in the hand.

    Where nothing can be cut out of the lines, as in capitals alone, lines that the network writes
    in the hand take the place of those.

    Args:
        source: the lines.
        known: the characters of the network that learns; None if it takes no text.
        writer: the network that learns, or, if that reads, one that writes.
        reader: a recogniser.

    Raises:
        DataError: if too few lines can be used, with what is wrong with the others.
    """
    samples = usable(source, known, reader)
    for note in source.notes:  # before work of some minutes, which may be in vain
        log.warning("%s", note)
    source.notes.clear()
    own = [ink for ink in writer.own_hand() if mean_step(ink) > 0]
    height = source.height or float(np.median([x_height(ink) for ink in own]))
    step = source.step or float(np.median([mean_step(ink) for ink in own]))
    inks = to_network_units([(one.ink, one.text) for one in samples], height, step)
    learned, _ = source.divided()  # Held-out lines lend no letters.
    lines = [(inks[k], samples[k].text) for k in learned.tolist()]
    unknown = writer.model.alphabet.unknown  # A reader may know more.
    primers = [line for line in lines if not unknown(line[1])]
    primers.sort(key=lambda line: len(line[0]))
    primers = primers[: max(min(PRIMERS, len(lines) // 2), 1)]
    alphabet = [one for one in writer.model.alphabet.characters if known is None or one in known]
    lent = written(writer, reader, primers, alphabet, source.lent, source.seed)
    hands = cut(writer, reader, lines), cut(writer, reader, lent)
    more = composed(*hands, reader, alphabet, source.composed, source.seed)
    return Prepared(tuple(one.name for one in samples), height, step, more or lent)


def use(source: HandDataset, found: Prepared) -> None:
    """Give a dataset what was prepared for it.

    Raises:
        DataError: if lines that are to be used are no longer there.
    """
    by_name = {one.name: one for one in source.read()}
    if lost := [name for name in found.names if name not in by_name]:
        raise DataError(
            f"{source.root}: {lost[0]} is no longer there"
            + (f", nor are {len(lost) - 1} others" if len(lost) > 1 else "")
            + ", with which the run began"
        )
    source.use([by_name[name] for name in found.names])
    source.height, source.step, source.more = found.height, found.step, found.more
