"""Learning a hand: the trainers, and the network's legibility before and after."""

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
from handwriting.hands import calibrated
from handwriting.primers import descriptor_of
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

SAMPLING = Sampling(bias=0.75)
"""How the lines of the exam are written."""
CHECK_SEEDS = 3
"""Seeds that are tried for a character that is misread with the first seed (assumed)."""
CHECK_LINES = 20
"""Lines of the hand that each network writes in the exam (assumed)."""
FRACTIONS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.4, 0.2)
"""Fractions of the learned change that are tried in turn: interpolated weights keep most abilities
of the former and of the learned network (Wortsman et al., "Robust fine-tuning of zero-shot models",
2022)."""
MIN_RELATIVE_FRACTION = 0.75
"""Least fraction that is tried so that a letter is read, over the largest legible fraction (with
half of the learned change little of the hand is left: measured, lab notebook: learning a hand)."""
MAX_CER_RATIO = 1.1
"""Largest ratio of a legible network's character error rate to the rate before (assumed)."""
MAX_CER_INCREASE = 0.01
"""Further increase that still counts as legible (assumed: 8 of some 800 characters)."""
DISCARDED_CER_INCREASE = 0.1
"""Increase of the character error rate above which a training is discarded (assumed)."""
SAMPLE = "hand.json"
"""File in the folder of a run, beside `HAND_FILE`: a line of the hand."""
STYLE_LENGTH = 25
"""Characters of the ideal primer (assumed)."""
PRIMERS_READ = 12
"""Lines of about `STYLE_LENGTH` that are read (assumed)."""
PRIMERS_TRIED = 4
"""Best read lines that are tried as primers (assumed: with lines of one person, first tries are
misread in 5 to 17 %)."""
PRIMER_TEXTS = 10
"""Texts that are written with each tried primer (assumed)."""

State = Mapping[str, torch.Tensor]
Extras = Mapping[str, np.ndarray]

log = logging.getLogger(__name__)


class _HandTrainer(BaseTrainer):
    """Trains on the lines of a `HandDataset`, and saves the choice and the new lines."""

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
        # From this file a resumed run has the same lines.
        lines = self.lines
        names = [line.name for line in lines.recorded]
        save_practice(self.run.models / FILE, names, lines.new, bool(lines.hand_extras))

    def progress_bar(self, total: int | None) -> "tqdm[Any]":
        return stage(PRACTISING, total * self.epochs, self.progress.step)

    def on_end(self) -> None:
        first_weights = self.run.first_weights()
        if first_weights is None or not self.compare(*networks(first_weights, self.device)):
            super().on_end()

    @abstractmethod
    def compare(self, writer: Writer, reader: Reader) -> bool:
        """Compare the network with the network at the run's start, and log the result.

        Args:
            writer, reader: the network at the run's start, and a pretrained network.

        Returns:
            whether the log says how to use the learned hand.
        """


class OwnHandReaderTrainer(_HandTrainer, RecognitionTrainer):
    """Trains a recogniser on the lines of a `HandDataset`, and logs error rates before and after.

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
    """Trains a network that writes, on the lines of a `HandDataset`, and then examines the network.

    If the network forgot little, it is saved in the run's folder as `HAND_FILE`, which is small,
    and a line of the hand, in the network's units, as `SAMPLE`, the primer of the network.

    Args: see `GenerationTrainer`.
    """

    def compare(self, writer: Writer, reader: Reader) -> bool:
        # The last epoch, with its low learning rate, writes better than the epoch that is best by
        # the few held-out lines.
        last, checkpoint = newest_checkpoint(self.run.models)
        learned, seed = load(last, str(self.device)), self.lines.seed
        folder = last.parent
        lines = [(line.ink, line.text) for line in self.lines.recorded]
        hand = self.lines.hand_extras
        sample = lines[best_sample(learned, reader, lines, seed, hand)]
        exam = Exam(learned, reader, sample, seed, hand)
        # Weights that only the learned network has, of new characters, stay as they are.
        vocab_size, new = len(writer.model.alphabet), checkpoint["state_dict"]
        old = learned.model.extend_state_dict(writer.model.state_dict(), vocab_size)
        fraction, increase = legible_fraction(exam, writer, learned, old, new)
        if increase > DISCARDED_CER_INCREASE:
            log.warning(
                "the network forgets how to write: %s is still as it was, use that; fewer epochs "
                "or a smaller --lr may help, or more lines",
                writer.path,
            )
            return False
        content = checkpoint | {"state_dict": interpolated(old, new, fraction)}
        save_checkpoint(folder / HAND_FILE, to_share(content))
        numbers, _ = descriptor_of([ink for ink, _ in lines])
        write_style(folder / SAMPLE, *sample, self.run.run_id, numbers.tolist())
        if fraction < 1:
            kept = f"{100 * fraction:.0f} % of what was learned is kept"
            log.info("%s, so that it stays legible", kept)
            log.info("%s has all of it: more like the hand, and less legible", last)
        log.info("the hand: %s, and a line of it: %s", folder / HAND_FILE, folder / SAMPLE)
        log.info("to write in it: python experiments.py page FILE -r %s", folder)
        return True


def legible_fraction(
    exam: "Exam", former: Writer, learned: Writer, old: State, new: State
) -> tuple[float, float]:
    """Return the fraction of the learned change to keep, and the resulting rise of the error rate.

    Args:
        exam: of both networks.
        former: the network before the training.
        learned: the network after the training; its weights are changed.
        old, new: the weights between which the fraction interpolates.
    """
    read_before, _, cer_before = exam.score(former)
    best, best_cer, best_rank, min_fraction = 1.0, 0.0, (2, 0.0), 0.0
    for fraction in stage(EXAMINING, items=FRACTIONS):
        if fraction < min_fraction:
            break
        learned.model.load_state_dict(interpolated(old, new, fraction))
        _, lost, cer = exam.score(learned, read_before)
        letters = sum(map(str.islower, lost))  # No page is legible without each of these letters.
        legible = cer <= MAX_CER_RATIO * cer_before + MAX_CER_INCREASE
        # If no network is legible, as in a hand that is hard to read, the best read is taken.
        rank = (0, letters) if legible else (1, cer)
        if rank < best_rank:
            best, best_cer, best_rank = fraction, cer, rank
        needed = f"; no longer read, so that more lines with them are needed: {' '.join(lost)}"
        log.info(
            "with %.0f %% of what was learned %.1f %% of the characters are misread, "
            "%.1f %% before%s",
            *(100 * fraction, 100 * cer, 100 * cer_before, needed if lost else ""),
        )
        if legible and not letters:
            break
        if legible:
            min_fraction = max(min_fraction, MIN_RELATIVE_FRACTION * fraction)
    return best, best_cer - cer_before


def interpolated(old: State, new: State, fraction: float) -> dict[str, torch.Tensor]:
    """Interpolate from the old weights (a fraction of 0) to the new weights (1)."""
    weights = dict(new)
    for name, weight in new.items():
        if weight.is_floating_point():
            weights[name] = old[name].to(weight).lerp(weight, fraction)
    return weights


def best_sample(
    network: Writer, reader: Reader, lines: Sequence[Primer], seed: int, hand: Extras = NOTHING
) -> int:
    """Return the number of the best primer among lines of a hand. It is legible, of usual length,
    and, unless the network is told the `hand`, has legible continuations."""
    near = sorted(range(len(lines)), key=lambda k: abs(len(lines[k][1]) - STYLE_LENGTH))
    near = near[:PRIMERS_READ]
    hypotheses = reader.read_lines([lines[k][0] for k in near])
    cer = {k: error_rate(lines[k][1], text) for k, text in zip(near, hypotheses, strict=True)}
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
    """An exam of a network before and after it learned a hand: lines that continue a sample.

    Args:
        network: the network that learned.
        reader: the recogniser that reads the lines.
        sample: a line of the hand.
        seed: of the learned lines; their texts are not used.
        hand: extras of a network that is told the hand and does not continue the sample.
    """

    def __init__(
        self, network: Writer, reader: Reader, sample: Primer, seed: int, hand: Extras = NOTHING
    ) -> None:
        alphabet = network.model.alphabet
        # The ASCII characters that the network knows, each with a word or two that contain it.
        self.characters = {
            character: text
            for character, text in corpus.CARRIERS.items()
            if not alphabet.unknown(text)
        }
        self.texts = sample_texts(CHECK_LINES, alphabet, seed + 1)
        self.sample, self.reader, self.hand = sample, reader, hand

    def score(
        self, network: Writer, read_before: Collection[str] = ()
    ) -> tuple[set[str], list[str], float]:
        """Return how legibly a network writes.

        Args:
            network: the learned or the former network.
            read_before: characters that were read of the former network; empty for its own exam.

        Returns:
            the characters that are read; the characters of `read_before` that are read with none
            of `CHECK_SEEDS` seeds; and the character error rate of all texts.
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
        first_hypotheses = hypotheses(texts, seeds)
        legible = self._legible(self.characters, first_hypotheses)
        lost = [c for c in self.characters if c in read_before and c not in legible]
        for seed in range(1, CHECK_SEEDS):
            if lost:
                again = hypotheses([self.characters[c] for c in lost], [seed] * len(lost))
                read = self._legible(lost, again)
                lost = [character for character in lost if character not in read]
        return legible, lost, rates(zip(texts, first_hypotheses, strict=True))["cer"]

    def _legible(self, characters: Iterable[str], hypotheses: Sequence[str]) -> set[str]:
        """Return the characters that are read in the hypotheses of the characters' texts."""
        pairs = zip(characters, hypotheses, strict=False)
        return {c for c, hypothesis in pairs if is_read(c, self.characters[c], hypothesis)}
