"""Learning a hand: the trainers, and how legibly a network writes before and after."""

import logging
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from base.base_trainer import BaseTrainer
from base.checkpoint import newest_checkpoint, save_checkpoint, to_share
from data_loader.synthetic import corpus
from handwriting.hand_shape import calibrated
from handwriting.primers import described
from handwriting.styles import write_style
from model.generation.sampling_options import Primer, Sampling
from model.loading import HAND_FILE, load
from model.reader import Reader
from model.recognition.error_rates import error_rate, is_read, rates
from model.writer import Writer
from trainer.generation_trainer import GenerationTrainer
from trainer.own_hand.dataset import FILE, HandLines, networks, save_practice
from trainer.own_hand.practice import sample_texts
from trainer.own_hand.stages import CHOOSING, EXAMINING, PRACTISING, stage
from trainer.recognition_trainer import RecognitionTrainer
from utils.checks import NOTHING, ConfigFault

SAMPLING, CHECK_SEEDS = Sampling(bias=0.75), 3
"""Of what is written before and after; seeds tried for a character that is not read at first."""
CHECK_LINES = 20
"""Lines of the hand that are written before and after."""
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.4, 0.2)
"""Of what was learned, tried in turn: weights interpolated from the former ones to the learned ones
keep most of what either can do (Wortsman et al., "Robust fine-tuning of zero-shot models",
2022)."""
MIN_RELATIVE_SHARE = 0.75
"""Part of the largest legible share, below which no share is tried for the sake of a letter: with
half of what was learned little of the hand is left (measured, lab notebook: learning a hand)."""
MAX_CER_RATIO, MAX_CER_INCREASE = 1.1, 0.01
"""A network is legible up to this ratio of its character error rate to that before, plus this: of
some 800 characters, so few say little."""
DISCARDED_CER_INCREASE = 0.1
"""Increase of the character error rate from which a training is not worth keeping (assumed)."""
SAMPLE = "hand.json"
"""In the folder of a run, beside `HAND_FILE`: a line of the hand."""
STYLE_LENGTH = 25
"""Characters of the line that a network is primed with, as nearly as there is one (assumed)."""
PRIMERS_READ, PRIMERS_TRIED, PRIMER_TEXTS = 12, 4, 10
"""Lines near that length that are read; the best read of them, which are tried as primers; and the
texts written with each (assumed: of the lines of one person, first tries are misread in 5 to
17 %)."""

State = Mapping[str, torch.Tensor]
Extras = Mapping[str, np.ndarray]

log = logging.getLogger(__name__)


class _HandTrainer(BaseTrainer):
    """Trains on the lines of a `HandDataset`, and keeps what they were fitted with."""

    @property
    def lines(self) -> HandLines:
        """The lines of the hand."""
        return self.train_loader.dataset.data.loaded

    def check(self) -> None:
        super().check()
        if not isinstance(self.lines, HandLines):
            kind = type(self.train_loader.dataset.data.settings.dataset).__name__
            expected = "a HandDataset, as a hand is learned"
            raise ConfigFault("data_loader.args.dataset", kind, expected)

    def on_start(self) -> None:
        # So that a resumed run has the same lines.
        names = [line.name for line in self.lines.own]
        save_practice(self.run.models / FILE, names, self.lines.new, bool(self.lines.told))

    def progress_bar(self, total: int | None) -> "tqdm[Any]":
        return stage(PRACTISING, total * self.epochs, self.progress.step)

    def on_end(self) -> None:
        before = self.run.first_weights()
        if before is None or not self.compare(*networks(before, self.device)):
            super().on_end()

    @abstractmethod
    def compare(self, writer: Writer, reader: Reader) -> bool:
        """Compare the network with the one that the run began with, and log what was learned.

        Args:
            writer, reader: the network that the run began with, and a pretrained one.

        Returns:
            True if the log says how to use what was learned.
        """


class OwnHandReaderTrainer(_HandTrainer, RecognitionTrainer):
    """Trains a recogniser on the lines of a `HandDataset`, and says how it then reads them.

    Args: see `RecognitionTrainer`.
    """

    def compare(self, writer: Writer, reader: Reader) -> bool:
        learned = load(newest_checkpoint(self.run.models)[0], str(self.device))
        lines = [(line.ink, line.text) for line in self.lines.split("valid")]
        log.info(
            "characters misread of %d %s lines: %.1f %% before, %.1f %% now",
            len(lines),
            "held-out" if self.lines.held_out else "learned",
            100 * misread(reader, lines),
            100 * misread(learned, lines),
        )
        return False


class OwnHandTrainer(_HandTrainer, GenerationTrainer):
    """Trains a network that writes on the lines of a `HandDataset`, and examines it in the end.

    If it forgot little, it becomes `HAND_FILE` and `SAMPLE` in the run's folder: the network,
    small, and a line of the hand to prime it with, in the network's units.

    Args: see `GenerationTrainer`.
    """

    def compare(self, writer: Writer, reader: Reader) -> bool:
        # Not the best epoch by a few held-out lines: the last, of a lower rate, writes better.
        last, checkpoint = newest_checkpoint(self.run.models)
        learned, seed = load(last, str(self.device)), self.lines.seed
        folder = last.parent
        own = [(line.ink, line.text) for line in self.lines.own]
        hand = self.lines.told
        sample = own[best_sample(learned, reader, own, seed, hand)]
        exam = Exam(learned, reader, sample, seed, hand)
        # What the training added, as the end of a sequence, is as it was learned.
        vocab_size, new = len(writer.model.alphabet), checkpoint["state_dict"]
        old = learned.model.extend_state_dict(writer.model.state_dict(), vocab_size)
        share, increase = legible_share(exam, writer, learned, old, new)
        if increase > DISCARDED_CER_INCREASE:
            log.warning(
                "the network forgets how to write: %s is still as it was, use that; fewer epochs "
                "or a smaller --lr may help, or more lines",
                writer.path,
            )
            return False
        content = checkpoint | {"state_dict": interpolated(old, new, share)}
        save_checkpoint(folder / HAND_FILE, to_share(content))
        numbers, _ = described([ink for ink, _ in own])
        write_style(folder / SAMPLE, *sample, self.run.run_id, numbers.tolist())
        if share < 1:
            log.info("%.0f %% of what was learned is kept, so that it stays legible", 100 * share)
            log.info("%s has all of it: more like the hand, and less legible", last)
        log.info("the hand: %s, and a line of it: %s", folder / HAND_FILE, folder / SAMPLE)
        log.info("to write in it: python experiments.py page FILE -r %s", folder)
        return True


def legible_share(
    exam: "Exam", former: Writer, learned: Writer, old: State, new: State
) -> tuple[float, float]:
    """Return the share of what was learned to keep, and the increase of the error rate with it.

    Args:
        exam: of `former` and `learned`, whose weights are changed.
        old, new: the weights between which the share interpolates.
    """
    read_before, _, cer_before = exam.score(former)
    found, least = [], 0.0
    for share in stage(EXAMINING, items=SHARES):
        if share < least:
            break
        learned.model.load_state_dict(interpolated(old, new, share))
        _, lost, cer = exam.score(learned, read_before)
        letters = sum(map(str.islower, lost))  # without one of these no page is legible
        legible = cer <= MAX_CER_RATIO * cer_before + MAX_CER_INCREASE
        found.append(((0, letters, -share) if legible else (1, cer, -share), share, cer))
        log.info(
            "with %.0f %% of what was learned %.1f %% of the characters are misread, "
            "%.1f %% before%s",
            100 * share,
            100 * cer,
            100 * cer_before,
            f"; no longer read, so that more lines with them are needed: {' '.join(lost)}"
            if lost
            else "",
        )
        if legible and not letters:
            break
        if legible:
            least = max(least, MIN_RELATIVE_SHARE * share)
    _, share, cer = min(found)  # Where none is legible, the hand may be harder to read.
    return share, cer - cer_before


def interpolated(old: State, new: State, share: float) -> dict[str, torch.Tensor]:
    """Interpolate from the old weights (a share of 0) to the new ones (1)."""
    return {
        name: old[name].to(weight).lerp(weight, share) if weight.is_floating_point() else weight
        for name, weight in new.items()
    }


def best_sample(
    network: Writer,
    reader: Reader,
    lines: Sequence[Primer],
    seed: int,
    hand: Extras = NOTHING,
) -> int:
    """Return the number of the line with which a network is best primed: of usual length, legible,
    and such that what it then writes is legible, too, unless it is told the `hand`."""
    near = sorted(range(len(lines)), key=lambda k: abs(len(lines[k][1]) - STYLE_LENGTH))
    near = near[:PRIMERS_READ]
    hypotheses = reader.read_lines([lines[k][0] for k in near])
    cer = {k: error_rate(lines[k][1], one) for k, one in zip(near, hypotheses, strict=True)}
    if hand:
        return min(near, key=cer.get)
    texts = sample_texts(PRIMER_TEXTS, network.model.alphabet, seed + 2)
    sampling = replace(SAMPLING, stretch=network.model.stretch_at(SAMPLING.bias))

    def errors(number: int) -> float:
        written = network.write_lines(texts, range(PRIMER_TEXTS), sampling, primer=lines[number])
        pairs = [(line.written, text) for line, text in zip(written, texts, strict=True)]
        return cer[number] + misread(reader, pairs)

    return min(stage(CHOOSING, items=sorted(near, key=cer.get)[:PRIMERS_TRIED]), key=errors)


def misread(reader: Reader, lines: Sequence[Primer]) -> float:
    """Return the character error rate of lines."""
    hypotheses = reader.read_lines([ink for ink, _ in lines])
    return rates(zip([text for _, text in lines], hypotheses, strict=True))["cer"]


class Exam:
    """What a network writes before and after it learned a hand: lines that continue a sample of it.

    Args:
        network: the one that learned.
        reader: the recogniser that reads what is written.
        sample: a line of the hand.
        seed: of what was learned; the texts are other ones.
        hand: what the network is told of the hand, instead of going on from the sample.
    """

    def __init__(
        self, network: Writer, reader: Reader, sample: Primer, seed: int, hand: Extras = NOTHING
    ) -> None:
        alphabet = network.model.alphabet
        known = {one: text for one, text in corpus.CARRIERS.items() if not alphabet.unknown(text)}
        self.characters = known  # Those of ASCII that it knows, and a word or two with each.
        self.texts = sample_texts(CHECK_LINES, alphabet, seed + 1)
        self.sample, self.reader, self.hand = sample, reader, hand

    def score(
        self, network: Writer, read_before: Collection[str] = ()
    ) -> tuple[set[str], list[str], float]:
        """Return what is read of what a network writes.

        Args:
            network: either of the two.
            read_before: characters that were read before.

        Returns:
            the characters that are read; those of `read_before` that are read with none of
            `CHECK_SEEDS` seeds; and the character error rate of all texts.
        """
        primer, sampling = None, replace(SAMPLING, extras=self.hand)
        if not self.hand:
            stretch = calibrated(network, self.sample, SAMPLING).stretch
            primer, sampling = self.sample, replace(SAMPLING, stretch=stretch)

        def hypotheses(texts: Sequence[str], seeds: Sequence[int]) -> list[str]:
            lines = network.write_lines(texts, seeds, sampling, primer=primer)
            return self.reader.read_lines([line.written for line in lines])

        texts = [*self.characters.values(), *self.texts]
        seeds = [0] * len(self.characters) + list(range(len(self.texts)))
        found = hypotheses(texts, seeds)
        legible = self._legible(self.characters, found)
        lost = [one for one in self.characters if one in read_before and one not in legible]
        for seed in range(1, CHECK_SEEDS):
            if lost:
                again = hypotheses([self.characters[one] for one in lost], [seed] * len(lost))
                found_again = self._legible(lost, again)
                lost = [one for one in lost if one not in found_again]
        return legible, lost, rates(zip(texts, found, strict=True))["cer"]

    def _legible(self, characters: Iterable[str], hypotheses: Sequence[str]) -> set[str]:
        """Return those characters that are read in the hypotheses of their texts."""
        tried = zip(characters, hypotheses, strict=False)
        return {one for one, hypothesis in tried if is_read(one, self.characters[one], hypothesis)}
