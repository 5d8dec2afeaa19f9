"""Trainers that learn a hand, and the exam that compares a network before and after learning."""

import logging
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from apps.hand.dataset import HandLines, load_pair, save_practice
from apps.hand.practice import sample_texts
from apps.hand.run_files import PRACTICE_FILE, SAMPLE_FILE
from apps.hand.stages import EXAMINING, PRACTISING, stage
from apps.pages.hands import calibrated, descriptor_of
from apps.pages.styles import write_style
from base.base_trainer import BaseTrainer
from base.run.checkpoint import newest_checkpoint, save_checkpoint, to_share
from data_loader.synthetic.texts import corpus
from model.generation.line import Primer, Sampling
from model.loading import HAND_FILE, Reader, Writer, load
from model.recognition.error_rates import error_rate, is_read, rates
from trainer.generation_trainer import GenerationTrainer
from trainer.recognition_trainer import RecognitionTrainer
from utils.checks import ABSENT, NOTHING, ConfigFault
from utils.program import typed

EXAM_SAMPLING = Sampling(bias=0.75)
"""Sampling of the lines of the exam (assumed)."""
NUM_SEEDS = 3
"""Largest number of seeds with which a character is written until it is read (assumed)."""
NUM_EXAM_LINES = 20
"""Number of lines that a network writes in the exam, besides the characters (assumed)."""
TRIED_FRACTIONS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.4, 0.2)
"""Fractions of the learned change that are tried in turn: interpolated weights keep most abilities
of the original and of the learned network (Wortsman et al., "Robust fine-tuning of zero-shot
models", 2022)."""
MIN_RELATIVE_FRACTION = 0.75
"""Smallest fraction that is tried after a legible one with lost letters, as a multiple of that one
(measured, notebook: hands, learning a hand: with half of the learned change little of the hand is
left)."""
MAX_CER_RATIO = 1.1
"""Largest ratio of a legible network's character error rate to the rate before (assumed)."""
MAX_CER_INCREASE = 0.01
"""Increase of the rate that is allowed beyond this ratio (assumed: 8 of some 800 characters)."""
DISCARDED_CER_INCREASE = 0.1
"""Increase of the character error rate above which a training is discarded (assumed)."""
PRIMER_LENGTH = 25
"""Number of characters of the ideal primer (assumed)."""
NUM_PRIMERS_READ = 12
"""Number of lines, nearest to `PRIMER_LENGTH`, that the recogniser reads (assumed)."""
NUM_PRIMERS_TRIED = 4
"""Number of lines, with the fewest errors, that are tried as primers (assumed: with different
lines of a person as primers, 5 to 17 % of the characters are misread)."""
TEXTS_PER_PRIMER = 10
"""Number of texts that are written with each tried primer (assumed)."""

Weights = Mapping[str, torch.Tensor]
Extras = Mapping[str, np.ndarray]

log = logging.getLogger(__name__)


class _HandTrainer(BaseTrainer):
    """Trains on the lines of a `HandDataset`, and saves which lines the run learns."""

    @property
    def lines(self) -> HandLines:
        return self.facts.loaded

    def check(self) -> None:
        super().check()
        if not isinstance(self.lines, HandLines):
            expected = f"a HandDataset, which {type(self).__name__} needs"
            raise ConfigFault("data_loader.args.dataset", ABSENT, expected)

    def on_start(self) -> None:
        # A resumed run reads its lines from this file.
        lines = self.lines
        names = [line.name for line in lines.recorded]
        save_practice(self.run.models / PRACTICE_FILE, names, lines.new, bool(lines.hand_extras))

    def progress_bar(self, total: int | None) -> "tqdm[Any]":
        return stage(PRACTISING, total * self.epochs, self.progress.step)

    def on_end(self) -> None:
        first_weights = self.run.first_weights()
        if first_weights is None or not self.compare(*load_pair(first_weights, self.device)):
            super().on_end()

    @abstractmethod
    def compare(self, writer: Writer, reader: Reader) -> bool:
        """Compare the network after the run with the network before the run, and log the result.

        Args:
            writer, reader: the network before the run, and a pretrained network.

        Returns:
            whether the log says how to use the learned network.
        """


class OwnHandReaderTrainer(_HandTrainer, RecognitionTrainer):
    """Trains a recogniser on the lines of a `HandDataset`, and logs error rates before and after.

    Args: see `RecognitionTrainer`.
    """

    def compare(self, writer: Writer, reader: Reader) -> bool:
        last, _ = newest_checkpoint(self.run.models)
        learned = load(last, str(self.device))
        lines = [(line.ink, line.text) for line in self.lines.split("valid")]
        kind = "held-out" if self.lines.held_out else "learned"
        with stage(EXAMINING):
            before = 100 * character_error_rate(reader, lines)
            now = 100 * character_error_rate(learned, lines)
        message = "misread characters in %d %s lines: %.1f %% before, %.1f %% now"
        log.info(message, len(lines), kind, before, now)
        return False


class OwnHandTrainer(_HandTrainer, GenerationTrainer):
    """Trains a network that writes, on the lines of a `HandDataset`, and then examines the network.

    If the network forgot little, the run's folder gets two files: `HAND_FILE`, a small checkpoint
    of the network, and `SAMPLE_FILE`, a line of the hand that is the network's primer.

    Args: see `GenerationTrainer`.
    """

    def compare(self, writer: Writer, reader: Reader) -> bool:
        # After the last epoch, whose learning rate is low, the network writes better than after the
        # epoch with the lowest loss on the few held-out lines.
        last, checkpoint = newest_checkpoint(self.run.models)
        learned = load(last, str(self.device))
        seed = self.lines.seed
        folder = last.parent
        lines = [(line.ink, line.text) for line in self.lines.recorded]
        extras = self.lines.hand_extras
        # Weights of new characters, which only the learned network has, stay.
        vocab_size = len(writer.model.alphabet)
        new = checkpoint["state_dict"]
        old = learned.model.extend_state_dict(writer.model.state_dict(), vocab_size)
        with stage(EXAMINING, 2) as bar:
            primer = lines[best_primer(learned, reader, lines, seed, extras)]
            bar.update()
            exam = Exam(learned, reader, primer, seed, extras)
            fraction, increase = legible_fraction(exam, writer, learned, old, new)
        if increase > DISCARDED_CER_INCREASE:
            advice = f"use {writer.path}, or train with fewer epochs, a smaller --lr or more lines"
            log.warning("the network forgets how to write; %s", advice)
            return False
        content = checkpoint | {"state_dict": interpolated(old, new, fraction)}
        save_checkpoint(folder / HAND_FILE, to_share(content))
        numbers, _ = descriptor_of([ink for ink, _ in lines])
        write_style(folder / SAMPLE_FILE, *primer, self.run.run_id, numbers.tolist())
        if fraction < 1:
            change = f"{100 * fraction:.0f} % of the learned change stays"
            log.info("%s, so that the network stays legible", change)
            log.info("%s keeps 100 %%: it is more like the hand, and less legible", last)
        log.info("the hand: %s; a line of the hand: %s", folder / HAND_FILE, folder / SAMPLE_FILE)
        log.info("to write in the hand: %s FILE -r %s", typed("page"), folder)
        return True


def legible_fraction(
    exam: "Exam", original: Writer, learned: Writer, old: Weights, new: Weights
) -> tuple[float, float]:
    """Return the fraction of the learned change to keep, and the resulting increase of the
    character error rate.

    Args:
        exam: exam of both networks.
        original: the network before the training.
        learned: the network after the training; its weights are changed.
        old, new: weights before and after the training.
    """
    read_before, _, cer_before = exam.score(original)
    best = 1.0
    best_cer = 0.0
    best_rank = (2, 0.0)  # worse than any, see below
    min_fraction = 0.0
    for fraction in TRIED_FRACTIONS:
        if fraction < min_fraction:
            break
        learned.model.load_state_dict(interpolated(old, new, fraction))
        _, lost, cer = exam.score(learned, read_before)
        num_lost_letters = sum(map(str.islower, lost))  # A page needs every small letter.
        is_legible = cer <= MAX_CER_RATIO * cer_before + MAX_CER_INCREASE
        # Legible networks come first, ranked by lost letters; then illegible ones, by error rate.
        rank = (0, num_lost_letters) if is_legible else (1, cer)
        if rank < best_rank:
            best = fraction
            best_cer = cer
            best_rank = rank
        lost_report = f"; no longer read, record more lines with: {' '.join(lost)}" if lost else ""
        log.info(
            "with %.0f %% of what was learned %.1f %% of the characters are misread, "
            "%.1f %% before%s",
            100 * fraction,
            100 * cer,
            100 * cer_before,
            lost_report,
        )
        if is_legible and not num_lost_letters:
            break
        if is_legible:
            min_fraction = max(min_fraction, MIN_RELATIVE_FRACTION * fraction)
    return best, best_cer - cer_before


def interpolated(old: Weights, new: Weights, fraction: float) -> dict[str, torch.Tensor]:
    """Return weights between the old weights (`fraction` 0) and the new weights (`fraction` 1); a
    weight that only the new ones have, as of an adapter, stays."""
    weights = dict(new)
    for name, weight in new.items():
        if name in old and weight.is_floating_point():
            weights[name] = old[name].to(weight).lerp(weight, fraction)
    return weights


def best_primer(
    network: Writer, reader: Reader, lines: Sequence[Primer], seed: int, extras: Extras = NOTHING
) -> int:
    """Return the index of the best primer among lines of a hand: a legible line of about
    `PRIMER_LENGTH`. Without `extras` of a hand, the network must continue the line."""
    distances = [abs(len(text) - PRIMER_LENGTH) for _, text in lines]
    nearest = sorted(range(len(lines)), key=lambda k: distances[k])[:NUM_PRIMERS_READ]
    hypotheses = reader.read_lines([lines[k][0] for k in nearest])
    cer = {}
    for k, hypothesis in zip(nearest, hypotheses, strict=True):
        _, text = lines[k]
        cer[k] = error_rate(text, hypothesis)
    if extras:
        return min(nearest, key=cer.get)
    candidates = sorted(nearest, key=cer.get)[:NUM_PRIMERS_TRIED]
    texts = sample_texts(TEXTS_PER_PRIMER, network.model.alphabet, seed + 2)
    sampling = replace(EXAM_SAMPLING, stretch=network.model.stretch_at(EXAM_SAMPLING.bias))

    def total_cer(k: int) -> float:
        written = network.write_lines(texts, range(TEXTS_PER_PRIMER), sampling, primer=lines[k])
        pairs = [(line.written, text) for line, text in zip(written, texts, strict=True)]
        return cer[k] + character_error_rate(reader, pairs)

    return min(candidates, key=total_cer)


def character_error_rate(reader: Reader, lines: Sequence[Primer]) -> float:
    """Return the character error rate at which a reader reads lines, each with its text."""
    hypotheses = reader.read_lines([ink for ink, _ in lines])
    return rates(zip([text for _, text in lines], hypotheses, strict=True))["cer"]


class Exam:
    """An exam of a network before and after learning a hand: the network writes lines in the hand,
    and a recogniser reads the lines.

    Args:
        network: the network that learned.
        reader: the recogniser.
        primer: a line of the hand, which the network continues.
        seed: seed of the learned lines; the exam draws other texts.
        extras: extras of a network that takes a hand, and so does not continue the primer.
    """

    def __init__(
        self, network: Writer, reader: Reader, primer: Primer, seed: int, extras: Extras = NOTHING
    ) -> None:
        alphabet = network.model.alphabet
        # Each ASCII character that the network knows, with a short text that contains it.
        carriers = corpus.CARRIERS.items()
        self.texts_of_characters = {c: text for c, text in carriers if not alphabet.unknown(text)}
        self.texts = sample_texts(NUM_EXAM_LINES, alphabet, seed + 1)
        self.primer = primer
        self.reader = reader
        self.extras = extras

    def score(
        self, network: Writer, read_before: Collection[str] = ()
    ) -> tuple[set[str], list[str], float]:
        """Return how legibly a network writes.

        Args:
            network: the learned or the original network.
            read_before: characters that were read when the original network wrote; empty in its own
                exam.

        Returns:
            the characters that are read with the first seed; the characters of `read_before` that
            are read with no seed; and the character error rate of all texts with the first seed.
        """
        primer = None
        sampling = replace(EXAM_SAMPLING, extras=self.extras)
        if not self.extras:
            stretch = calibrated(network, self.primer, EXAM_SAMPLING).stretch
            primer = self.primer
            sampling = replace(EXAM_SAMPLING, stretch=stretch)

        def write_and_read(texts: Sequence[str], seeds: Sequence[int]) -> list[str]:
            lines = network.write_lines(texts, seeds, sampling, primer=primer)
            return self.reader.read_lines([line.written for line in lines])

        character_texts = self.texts_of_characters
        # All texts are written in one batch; further seeds are for lost characters alone. Each line
        # has another seed, so that lines differ.
        texts = [*character_texts.values(), *self.texts]
        seeds = [0] * len(character_texts) + list(range(len(self.texts)))
        hypotheses = write_and_read(texts, seeds)
        legible = self._legible(character_texts, hypotheses)
        lost = [c for c in character_texts if c in read_before and c not in legible]
        for seed in range(1, NUM_SEEDS):
            if lost:
                retries = write_and_read([character_texts[c] for c in lost], [seed] * len(lost))
                legible_now = self._legible(lost, retries)
                lost = [character for character in lost if character not in legible_now]
        return legible, lost, rates(zip(texts, hypotheses, strict=True))["cer"]

    def _legible(self, characters: Iterable[str], hypotheses: Sequence[str]) -> set[str]:
        """Return the set of characters that are read; the first hypotheses are of their texts."""
        pairs = zip(characters, hypotheses, strict=False)
        return {c for c, text in pairs if is_read(c, self.texts_of_characters[c], text)}
