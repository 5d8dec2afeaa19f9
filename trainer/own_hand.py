"""Before and after a network learns a hand: do the lines say what they should, does it forget?

`prepared` looks at the lines with a recogniser and lets a network write lines to rehearse; what it
found is kept in the run's folder, so that a resumed run has the same. `conclude` has both networks
write every character and lines of the hand, and takes back as much of what was learned as makes
them illegible.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from base import distributed
from base.checkpoint import load_checkpoint, save_checkpoint, to_share
from base.pretrained import HANDS
from base.run_folder import RunFolder
from data_loader.sources.hand import HandDataset, Pair, brought
from data_loader.sources.ink_files import InkSample, mean_step
from data_loader.synthetic import corpus
from data_loader.synthetic.everyday import everyday
from model.calibration import calibrated
from model.generation.mixture import PEN_SHARPNESS
from model.loading import Reader, Writer, load
from model.recognition.error_rates import error_counts, is_read, rates
from utils import hand_likeness
from utils.alphabet import Alphabet, describe, nfc
from utils.checks import DataError, UserError
from utils.files import atomic_write
from utils.ink import x_height
from utils.style_file import write_style

MISFIT = 0.7
"""Character error rate from which a line's ink and text do not belong together (assumed: other
texts are read with some 0.9, the worst hand of IAM-OnDB's testset_v with less than 0.5)."""
LOOKED_AT = 40
"""Lines by which it is seen whether ink is turned or mirrored (assumed)."""
TURNS = {
    "with y growing upwards": ((1, 0), (0, -1)),
    "mirrored": ((-1, 0), (0, 1)),
    "upside down": ((-1, 0), (0, -1)),
    "turned to the left": ((0, -1), (1, 0)),
    "turned to the right": ((0, 1), (-1, 0)),
}
"""Ways in which ink may lie, and the matrices that set it right."""
TWO_HANDS, TWO_HANDS_A_LINE = 30.0, 3.0
"""Evidence, in nats, and for each line, from which lines seem to be of two hands (measured on
testset_v: 2 % of its 188 forms, and 93 % of 300 mixtures of two, have 30)."""
PER_TEN = 0.1
"""Characters that may be misread of a line to be rehearsed (assumed: the recogniser errs, too)."""
PRIMERS = 4
"""Lines of the hand that those to be rehearsed continue (assumed)."""
BIAS = 0.5
"""Of the lines to be rehearsed: varied, and legible enough."""
CHECK_BIAS, CHECK_SEEDS = 0.75, 3
"""Of what is written before and after; tries of characters that are not read at first."""
CHECK_LINES = 20
"""Lines of the hand that are written before and after."""
SHARES = (1.0, 0.8, 0.6, 0.4, 0.2)
"""Of what was learned, tried in turn: the weights on the way from the former ones to the learned
ones, which keep most of what either can do (Wortsman et al., "Robust fine-tuning of zero-shot
models", 2022)."""
WORSE, MORE = 1.1, 0.01
"""How many times more characters may be misread than before, and how many more beside that: of some
800 characters, so few say little."""
FORGETS = 0.1
"""By how much more characters are misread after a training that is not worth keeping (assumed)."""
FILE, WRITER, STYLE = "rehearsal.npz", "hand.pth", "hand.json"
"""In the folder of a run: what was prepared, the network to share, and a line of the hand."""
STYLE_LENGTH = 25
"""Characters of the line that a style is taken from, as nearly as there is one (assumed)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """What was found before a hand is learned.

    Attributes:
        names: of the lines that are used.
        height, step: x-height and distance between points of what the network writes.
        rehearsed: lines that it rehearses.
    """

    names: tuple[str, ...]
    height: float
    step: float
    rehearsed: list[Pair]

    def save(self, path: Path) -> None:
        """Save as .npz, whole or not at all."""
        inks = [ink for ink, _ in self.rehearsed]
        arrays = {
            "names": np.array(self.names),
            "units": np.array([self.height, self.step]),
            "points": np.concatenate([*inks, np.empty((0, 3), dtype=np.float32)]),
            "lengths": np.array([len(ink) for ink in inks], dtype=np.int64),
            "texts": np.array([text for _, text in self.rehearsed], dtype=np.str_),
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
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(
                f"{path}: the lines that the run rehearses cannot be read ({error}); "
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
    return network, load("reader", str(device))


def prepared(
    source: HandDataset, known: Alphabet | None, writer: Writer, reader: Reader
) -> Prepared:
    """Choose the lines to learn from, and write those to rehearse.

    Args:
        source: the lines.
        known: the characters of the network that learns; None if it takes no text.
        writer: the network that learns, or, if that reads, one that writes.
        reader: a recogniser.

    Raises:
        DataError: if too few lines can be used, with what is wrong with the others.
    """
    samples = _known(source, source.read(), known)
    samples = _fitting(source, samples, reader)
    source.use(samples)
    _of_one_hand(source, samples)
    own = [ink for ink in writer.own_hand() if mean_step(ink) > 0]
    height = source.height or float(np.median([x_height(ink) for ink in own]))
    step = source.step or float(np.median([mean_step(ink) for ink in own]))
    inks = brought([(one.ink, one.text) for one in samples], height, step)
    lines = sorted(zip(inks, [one.text for one in samples], strict=True), key=lambda p: len(p[0]))
    primers = lines[: max(min(PRIMERS, len(lines) // 2), 1)]
    found = rehearsed(writer, reader, primers, source.rehearsal, source.seed)
    return Prepared(tuple(one.name for one in samples), height, step, found)


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
    source.height, source.step, source.rehearsed = found.height, found.step, found.rehearsed


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
        DataError: if most do not: because they lie otherwise, or for no reason that can be seen.
    """
    readable = [not reader.model.alphabet.unknown(nfc(one.text)) for one in samples]
    heard = reader.read_lines([one.ink for one in samples], progress=True)
    wrong = [_rate(one.text, said) for one, said in zip(samples, heard, strict=True)]
    long = [len(one.text) > 2 for one in samples]
    misfits = np.flatnonzero((np.array(wrong) > MISFIT) & long & readable).tolist()
    if len(misfits) > len(samples) / 2:
        some = [samples[k] for k in misfits[:LOOKED_AT]]
        before = float(np.median([wrong[k] for k in misfits[:LOOKED_AT]]))
        for name, matrix in TURNS.items():
            turned = reader.read_lines([_turned(one.ink, matrix) for one in some])
            rate = float(np.median([_rate(o.text, t) for o, t in zip(some, turned, strict=True)]))
            if rate < before / 2:
                raise DataError(
                    f"{source.root}: the ink seems to be recorded {name}: {before:.0%} of the "
                    f"characters are misread as it is, {rate:.0%} the other way; y has to grow "
                    "downwards and x to the right"
                )
        worst = samples[misfits[0]]
        raise DataError(
            f"{source.root}: {len(misfits)} of {len(samples)} lines do not say what their texts "
            f"say, such as {worst.name}: {worst.text[:40]!r} is read as "
            f"{heard[misfits[0]][:40]!r}; does each text belong to its ink, and is that level?"
        )
    if misfits:
        shown = ", ".join(
            f"{samples[k].name} ({samples[k].text[:30]!r} is read as {heard[k][:30]!r})"
            for k in misfits[:5]
        )
        more = f" and {len(misfits) - 5} more" if len(misfits) > 5 else ""
        source.notes.append(f"left out, as ink and text do not fit: {shown}{more}")
    return [one for k, one in enumerate(samples) if k not in set(misfits)]


def _of_one_hand(source: HandDataset, samples: Sequence[InkSample]) -> None:
    """Note lines that seem to be in another hand than the others."""
    space, places, lines = hand_likeness.load(HANDS), [], []
    for one in samples:
        with suppress(DataError):  # A dot has no hand.
            places.append(space.embed([one.ink])[0])
            lines.append(one)
    if len(lines) < 2:
        return
    other, evidence = hand_likeness.halves(np.array(places), space.between.astype(np.float64))
    if evidence > max(TWO_HANDS, TWO_HANDS_A_LINE * len(lines)):
        names = [one.name for one, differs in zip(lines, other, strict=True) if differs]
        source.notes.append(
            f"lines of two hands? {len(names)} of {len(lines)} are unlike the others: "
            f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''}; leave them out if "
            "somebody else wrote them"
        )


def _rate(text: str, said: str) -> float:
    counts = error_counts(nfc(text), said)
    return counts.character_errors / max(len(text), 1)


def _turned(ink: np.ndarray, matrix: Sequence[Sequence[float]]) -> np.ndarray:
    turned = ink.copy()
    turned[:, :2] = ink[:, :2] @ np.float32(matrix).T
    return turned


def texts(count: int, alphabet: Alphabet, seed: int) -> list[str]:
    """Return texts to rehearse: sentences and what else people write in turn, of training's split.

    Characters that an alphabet lacks are left out.
    """
    draws, found = corpus.Draws(np.random.default_rng(seed)), []
    while len(found) < count:
        text = everyday(draws)[1] if len(found) % 2 else corpus.line(draws, 0, 10, 40, 0.0)
        if text := "".join(one for one in text if one in alphabet).strip():
            found.append(text)
    return found


def rehearsed(
    writer: Writer, reader: Reader, primers: Sequence[Pair], count: int, seed: int
) -> list[Pair]:
    """Return lines that a network writes in a hand, and their texts; misread ones are left out.

    Args:
        writer: a network with a text.
        reader: says which are misread.
        primers: lines of the hand, which the new ones continue in turn.
        count: of the lines that are written.
        seed: of the texts, and of the first line.
    """
    said, found = texts(count, writer.model.alphabet, seed), []
    for number, primer in enumerate(primers):
        mine = slice(number, None, len(primers))
        seeds = range(seed, seed + count)[mine]
        lines = writer.write_lines(said[mine], seeds, bias=BIAS, primer=primer)
        heard = reader.read_lines(lines)
        rest = np.float32([*writer.calibration(primer, BIAS).rest, 1.0])
        for line, text, hypothesis in zip(lines, said[mine], heard, strict=True):
            allowed = max(1.0, PER_TEN * len(text))
            if line.ended and error_counts(text, hypothesis).character_errors <= allowed:
                # Every other one with the line that it continues: else that would be unlearned.
                joined = len(found) % 2
                ink = line.ink.copy() if joined else line.written
                ink[line.primed if joined else 0 :] *= rest
                found.append((ink, line.text if joined else text))
    return found


def conclude(run: RunFolder, source: HandDataset, device: torch.device) -> bool:
    """Say what a trained network has learned and forgotten, and keep it if that is little.

    A writer becomes `WRITER` and `STYLE` in the run's folder: the network, small, and a line of the
    hand to prime it with.

    Args:
        run: of the training, complete.
        source: the lines.
        device: to compute on.

    Returns:
        whether a writer was kept, and how to use it said.
    """
    before = run.first_weights()
    if before is None or not distributed.is_main():
        return False
    former, reader = networks(before, device)
    learned = load(run.best, str(device))
    if isinstance(learned, Reader):
        lines = [(source.ink(k), source.text(k)) for k in source.indices("valid").tolist()]
        misread = [_misread(network, lines) for network in (reader, learned)]
        log.info(
            "characters misread of %d %s lines: %.1f %% before, %.1f %% now", len(lines),
            "held-out" if source.held_out else "learned", *(100 * rate for rate in misread),
        )  # fmt: skip
        return False
    own = [(source.ink(k), source.text(k)) for k in source.own]
    exam = Exam.of(learned, reader, sample_of(own), source.seed)
    could, was = exam.taken(former)
    old, new = load_checkpoint(before)["state_dict"], load_checkpoint(run.best)
    weights, found = new["state_dict"], []
    for share in SHARES:
        learned.model.load_state_dict(_between(old, weights, share))
        can, now = exam.taken(learned)
        found.append((now, share, can))
        log.info("with %.0f %% of what was learned %.1f %% of the characters are misread, "
                 "%.1f %% before", 100 * share, 100 * now, 100 * was)  # fmt: skip
        if now <= WORSE * was + MORE:
            break
    else:  # The hand itself may be harder to read.
        now, share, can = min(found, key=lambda one: one[0])
        log.info("%.0f %% of it is kept", 100 * share)
    if now > was + FORGETS:
        log.warning(
            "the network forgets how to write: %s is still as it was, use that; fewer epochs or a "
            "smaller --lr may help, or more lines", before,
        )  # fmt: skip
        return False
    new["state_dict"] = _between(old, weights, share)
    learned.model.load_state_dict(new["state_dict"])
    if lost := exam.lost(learned, could - can):
        log.info("no longer read: %s", " ".join(lost))
    save_checkpoint(run.models / WRITER, to_share(new))
    ink, text = sample_of([(one.ink, one.text) for one in source.read()])
    write_style(run.models / STYLE, ink, text, run.run_id)
    log.info(
        "the hand: %s, and a line of it: %s\nto write in it: python experiments.py write -r %s "
        "--style %s --text-file FILE", *(run.models / name for name in (WRITER, STYLE) * 2)
    )  # fmt: skip
    return True


def _between(
    old: Mapping[str, torch.Tensor], new: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Return weights on the way from the old ones to the new ones."""
    return {
        name: old[name].to(weight).lerp(weight, share) if weight.is_floating_point() else weight
        for name, weight in new.items()
    }


def sample_of(lines: Sequence[Pair]) -> Pair:
    """Return the line by which a network is primed with a hand: one of usual length."""
    return min(lines, key=lambda line: abs(len(line[1]) - STYLE_LENGTH))


def _misread(reader: Reader, lines: Sequence[Pair]) -> float:
    """Return the character error rate of lines."""
    heard = reader.read_lines([ink for ink, _ in lines])
    return rates(zip([text for _, text in lines], heard, strict=True))["cer"]


@dataclass(frozen=True)
class Exam:
    """What a network writes before and after it learned a hand.

    Attributes:
        characters: the characters of ASCII that it knows, and a word or two with each.
        texts: of lines that continue a sample.
        sample: a line of the hand.
        reader: says what is written.
    """

    characters: dict[str, str]
    texts: list[str]
    sample: Pair
    reader: Reader

    @classmethod
    def of(cls, network: Writer, reader: Reader, sample: Pair, seed: int) -> "Exam":
        """Return an exam for a network: texts other than those it rehearsed from `seed`."""
        alphabet = network.model.alphabet
        known = {one: text for one, text in corpus.CARRIERS.items() if not alphabet.unknown(text)}
        return cls(known, texts(CHECK_LINES, alphabet, seed + 1), sample, reader)

    def taken(self, network: Writer) -> tuple[set[str], float]:
        """Return the characters that are read, and the share of misread ones of all texts."""
        right, heard = self._characters(network, 0, list(self.characters))
        lines = network.write_lines(
            self.texts,
            range(len(self.texts)),
            bias=CHECK_BIAS,
            stretch=calibrated(network, self.sample, CHECK_BIAS, PEN_SHARPNESS).stretch,
            primer=self.sample,
        )
        heard += self.reader.read_lines([line.written for line in lines])
        said = [*self.characters.values(), *self.texts]
        return right, rates(zip(said, heard, strict=True))["cer"]

    def lost(self, network: Writer, doubtful: Collection[str]) -> list[str]:
        """Return the characters that are not read with any other seed either: by chance one is."""
        left = [one for one in self.characters if one in doubtful]
        for seed in range(1, CHECK_SEEDS):
            right, _ = self._characters(network, seed, left)
            left = [one for one in left if one not in right]
        return left

    def _characters(
        self, network: Writer, seed: int, which: Sequence[str]
    ) -> tuple[set[str], list[str]]:
        said = [self.characters[one] for one in which]
        if not said:
            return set(), []
        lines = network.write_lines(said, [seed] * len(said), bias=CHECK_BIAS)
        heard = self.reader.read_lines(lines)
        right = zip(which, said, heard, strict=True)
        return {one for one, text, hypothesis in right if is_read(one, text, hypothesis)}, heard
