"""Fine-tunes a reader on the lines of a person, and measures what this gains.

The optimiser, the augmentation and the settings are those of `RECIPE`. Nothing is written.
"""

import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from apps.hand.lines import usable_lines
from base.base_data_loader import Batch
from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.base_model import BaseModel
from base.config.values import Override, read_config, with_network
from base.run.checkpoint import save_checkpoint, to_share
from base.run.run_state import random_state_kept
from base.run.training_parts import settings_of
from base.step.device import fast_precision
from base.step.step import move_average
from ink.sample import Sample
from model.loading import Reader
from model.recognition.error_rates import rates
from parse_config import Plan, plan_of
from trainer.recognition_trainer import RecognitionTrainer
from utils.checks import UserError
from utils.program import ROOT

RECIPE = ROOT / "configs" / "own_hand_reader.json"
"""The config of the training. It also learns composed lines, so its rate and epochs are others."""
LEARNING_RATE = 0.001
"""Learning rate of few lines alone (measured, notebook: hands, a reader that learns)."""
NUM_EPOCHS = 12
"""Number of epochs of few lines alone (measured on the same persons)."""
LEARNED_WEIGHTS = ("convolution.", "layers.0.")
"""Starts of the names of the weights that learn: few lines say how a person forms letters, but not
what people write (measured on the same persons)."""
NUM_PARTS = 2
"""Number of parts of the lines in a cross-validation (assumed: more parts take longer)."""
TOTAL_EPOCHS = (NUM_PARTS + 1) * NUM_EPOCHS
"""Number of epochs of a cross-validation, and of learning all lines after it."""

Hook: TypeAlias = Callable[[], object]
"""Called after each epoch."""


@dataclass(eq=False)
class LinesDataset(BaseDataset):
    """Lines in memory, all for training.

    Args:
        lines: the lines, in any unit.
    """

    _: KW_ONLY
    lines: Sequence[Sample]

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        return Loaded({"train": self.lines}, f"{len(self.lines)} lines")


class Score(NamedTuple):
    """How well a reader reads lines."""

    cer: float
    """Character error rate."""
    nats: float
    """Negative log-probability of the texts, in nats per character."""


class Gain(NamedTuple):
    """What a reader gains by learning: its scores on lines that it did not learn, before and after
    it learned other lines of the person."""

    before: Score
    after: Score

    @property
    def is_better(self) -> bool:
        """Whether there was an error, and the texts became likelier: few lines have too few errors
        to be compared."""
        return self.before.cer > 0 and self.after.nats < self.before.nats

    def __str__(self) -> str:
        before, after = self.before, self.after
        return (
            f"misread characters: {before.cer:.1%} before, {after.cer:.1%} after learning others; "
            f"nats per character: {before.nats:.3f} before, {after.nats:.3f} after"
        )


def usable(reader: Reader, lines: Sequence[Sample]) -> list[Sample]:
    """Return the lines from which a reader can learn; the log says what the others have.

    Raises:
        DataError: see `usable_lines`.
    """
    return usable_lines("the rows", lines, reader.alphabet, reader)


def cross_validated(reader: Reader, lines: Sequence[Sample], on_epoch: Hook = lambda: None) -> Gain:
    """Return the gain of learning lines: each of `NUM_PARTS` parts of the lines is read by a reader
    that learned the other parts."""
    readings = []
    for part in range(NUM_PARTS):
        others = [line for number, line in enumerate(lines) if number % NUM_PARTS != part]
        readings += _readings(fine_tuned(reader, others, on_epoch), lines[part::NUM_PARTS])
    return Gain(score(reader, lines), _score(readings))


def score(reader: Reader, lines: Sequence[Sample]) -> Score:
    """Return how well a reader reads lines."""
    return _score(_readings(reader, lines))


def _readings(reader: Reader, lines: Sequence[Sample]) -> list[tuple[str, str, float]]:
    """Return the text of each line, what a reader reads, and the nats of the text."""
    results = reader.proofread([line.ink for line in lines], [[line.text] for line in lines])
    readings = []
    for line, (hypothesis, nats) in zip(lines, results, strict=True):
        readings.append((line.text, hypothesis, nats))
    return readings


def _score(readings: Sequence[tuple[str, str, float]]) -> Score:
    error_rates = rates((text, hypothesis) for text, hypothesis, _ in readings)
    nats = sum(nats for *_, nats in readings)
    return Score(error_rates["cer"], nats / error_rates["characters"])


def fine_tuned(reader: Reader, lines: Sequence[Sample], on_epoch: Hook = lambda: None) -> Reader:
    """Return a copy of a reader that has learned lines, each with its text.

    Raises:
        UserError: if the reader is no network that CTC trains.
        DataError: if a text has a character that the reader does not know.
    """
    plan = _plan(reader)
    settings = settings_of(plan["trainer"])
    model = copy.deepcopy(reader.model)
    average = AveragedModel(model, multi_avg_fn=partial(move_average, settings.ema_decay))
    weights = _learned_weights(model)
    optimizer = plan.build("optimizer", params=weights)
    loss = plan.build("loss", model=model)
    for fault in RecognitionTrainer.incompatibilities(model, loss, ()):
        raise UserError(f"{reader}: {fault}")
    precision = torch.autocast(reader.device.type, getattr(torch, fast_precision(reader.device)))
    with random_state_kept():
        torch.manual_seed(settings.seed)
        model.train()
        for batch in _batches(plan, model, lines, on_epoch):
            batch = batch.to(reader.device)
            with precision:
                output = model(batch.inputs, batch.lengths, batch.text, batch.text_lengths)
            losses = loss(output, batch)
            optimizer.zero_grad(set_to_none=True)
            (losses.sum() / loss.divisor(batch)).backward()
            nn.utils.clip_grad_norm_(weights, settings.clip_norm)
            optimizer.step()
            average.update_parameters(model)
    return replace(reader, model=average.module.eval())


def _learned_weights(model: BaseModel) -> list[nn.Parameter]:
    """Return the weights of a network that learn, those of `LEARNED_WEIGHTS`, or all if there are
    none; freeze the others."""
    lowest = [name for name, _ in model.named_parameters() if name.startswith(LEARNED_WEIGHTS)]
    for name, weight in model.named_parameters():
        weight.requires_grad_(not lowest or name in lowest)
    return [weight for weight in model.parameters() if weight.requires_grad]


def _plan(reader: Reader) -> Plan:
    """Return the plan of `RECIPE` for a reader."""
    values, bases = read_config(RECIPE)
    values = with_network(values, reader.record["config"]["arch"])
    overrides = [
        Override("", "optimizer.args.lr", LEARNING_RATE),
        Override("", "trainer.args.epochs", NUM_EPOCHS),
    ]
    return plan_of(values, str(RECIPE), overrides, bases)


def _batches(
    plan: Plan, model: BaseModel, lines: Sequence[Sample], on_epoch: Hook
) -> Iterator[Batch]:
    """Yield the batches of all epochs of lines, for a network."""
    settings = settings_of(plan["trainer"])
    options = replace(plan.build("data_loader", origin=None), dataset=LinesDataset(lines=lines))
    units = dict(normalisation=model.normalisation, alphabet=model.alphabet)
    loader = options.load(seed=settings.seed, **units).training_loader(model.features)
    for epoch in range(settings.epochs):
        yield from loader.batches(epoch)
        on_epoch()


def save(path: Path, reader: Reader) -> None:
    """Save a reader as a checkpoint, without the state of a training; the folder is made.

    Raises:
        OSError: if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, to_share(reader.record | {"state_dict": reader.model.state_dict()}))
