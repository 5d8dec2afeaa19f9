"""Trains networks that write: the prediction network and the synthesis network."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from base.base_data_loader import BaseDataLoader, Batch
from base.base_model import Conditions
from base.base_trainer import BaseTrainer
from base.data.samples import stacked
from base.run.digest import tensors_in
from base.run.run_state import Sums
from base.run.training_parts import TrainingParts, TrainingSettings
from data_loader.checks import check_texts
from ink.sample import Sample
from model.drawing.plots import lines_figure, to_pixels, window_figure, write_png
from model.generation.generators import Output, masked_output
from model.generation.line import Sampling
from model.generation.loss import NegativeLogLikelihood, SquaredError
from model.generation.sampling import sample
from model.generation.stepping import STEPS_PER_CALL
from utils.checks import ConfigFault, Range

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GenerationTrainingSettings(TrainingSettings):
    """The settings of the training of networks that write.

    Args:
        samples: lines to draw after each epoch, with the same seeds every time; 0 draws no lines.
        sample_text: the texts of these lines, in turn; null takes texts of the validation split.
        sample_steps: limit on the steps of a line; null takes the sampler's limit.
        sample_bias: sharpening of the mixture (the paper, eqs 61-62); 0 does not sharpen.
    """

    monitor: str | None = "min valid_log_loss"
    samples: Annotated[int, Range(0, 64)] = 4
    sample_text: list[str] | None = None
    sample_steps: Annotated[int, Range(1, 100_000)] | None = None
    sample_bias: Annotated[float, Range(0.0, 100.0)] = 0.5


class GenerationTrainer(BaseTrainer):
    """Trains a network that predicts the next point, and draws its lines after each epoch.

    If the data have a canonical unit, and the network predicts a density, the validation also logs
    `valid_log_loss_canonical`: the log-loss of offsets in the canonical unit.

    Args:
        parts: the parts of the run.
        settings: see `GenerationTrainingSettings`.
    """

    task = "predicts the next point"
    use = "write"
    losses = (NegativeLogLikelihood, SquaredError)
    output_type = Output
    carries_state = True

    def __init__(self, parts: TrainingParts, *, settings: GenerationTrainingSettings) -> None:
        super().__init__(parts, settings=settings)
        self.samples = settings.samples
        self.sample_text = settings.sample_text
        self.sample_steps = settings.sample_steps
        self.sample_bias = settings.sample_bias

    def check(self) -> None:
        """Check the settings, the network and the data before the run.

        Raises:
            ConfigFault: as `BaseTrainer.check`, or if `sample_text` does not fit the network.
            DataError: if the network needs texts and a sample has no text; in a resumed run, only
                if no training sample has a text.
        """
        super().check()
        is_resumed = self.state.resumed_from is not None
        train = self.train_loader
        if self.model.needs_text and not (is_resumed and any(self._with_text(train))):
            check_texts(train, self.valid_loader, "a conditional network")
        texts = self.sample_text
        if texts is None:
            return
        expected = None
        if not self.model.needs_text:
            expected = "null: the network takes no text"
        elif not texts or not all(texts):
            expected = "texts of at least one character each"
        elif unknown := self.model.alphabet.unknown("".join(texts)):
            expected = f"other texts: the alphabet lacks {', '.join(map(repr, unknown))}"
        if expected:
            raise ConfigFault("trainer.args.sample_text", texts, expected)

    def forward_batch(
        self, model: Any, batch: Batch, state: dict[str, Tensor] | None = None
    ) -> Output:
        """Run `model` on a batch, from `state` or, by default, from its `initial_state` for the
        conditions of the batch."""
        if state is None:
            conditions = Conditions(batch.extras, batch.latent_seeds(model.training))
            state = model.initial_state(len(batch), conditions)
        inputs = batch.inputs, batch.text, batch.text_lengths, state
        return masked_output(model, batch.mask, *inputs)

    def extra_metrics(self, values: dict[str, float], sums: Sums) -> dict[str, float]:
        """Return the log-loss of a validation in the dataset's reference unit (`Loaded.canonical`),
        if the dataset has one."""
        canonical = self.facts.loaded.canonical
        is_density = isinstance(self.loss, NegativeLogLikelihood) and self.model.has_density
        if canonical is None or not is_density or not sums.sequences:
            return {}
        point_offset = self.facts.normalisation.log_loss_offset(canonical)
        offset = sums.points / sums.sequences * point_offset  # of a sequence
        name = self.loss.name
        return {f"{name}_canonical": values[name] + offset}

    def _check_parts(self, batch: Batch, output: Output) -> None:
        """Raise a ConfigFault if the network has no layer `output`, or if its output for texts
        `(batch, U)` has not a window's weights (phi) `(batch, time, U + 1)` as its attention."""
        model = self.evaluated_model
        phi = output.attention
        expected = ""
        shape = (*output.prediction.end_logits.shape, batch.text.shape[1] + 1)
        if not hasattr(model, "output"):
            expected = "a network with `output`, the layer that `output_layer` makes"
        elif model.needs_text and (phi is None or phi.shape != shape):
            actual = "none" if phi is None else f"one of {tuple(phi.shape)}"
            expected = f"a network whose output has an attention of shape {shape}, not {actual}"
        if expected:
            raise ConfigFault("arch", type(model).__name__, expected)

    def dry_run(self, batch: Batch, output: Output) -> None:
        """Write a few points, and compare the outputs for whole lines with the outputs for their
        beginnings and step by step.

        Raises:
            ConfigFault: if the network lacks a part that writing needs.
        """
        model = self.evaluated_model
        problem = ""
        for key, value in output.state.items():
            if not isinstance(value, Tensor) or value.shape[:1] != (2,):  # `batch` has two lines
                expected = f"a network whose state has a row for each line, also in {key!r}"
                raise ConfigFault("arch", type(model).__name__, f"{expected}: a tensor (2, ...)")
        if self.samples:
            self._check_parts(batch, output)
        whole, again = (self.forward_batch(model, batch, model.begin(batch)) for _ in range(2))
        first_half = batch.chunk(0, math.ceil(batch.inputs.shape[1] / 2))
        first_half = replace(first_half, targets=torch.zeros_like(first_half.inputs))
        begun = self.forward_batch(model, first_half, model.begin(first_half))
        if not are_alike(whole, begun, first_half.mask):
            problem = "sees later points or targets"
        is_continued = self.samples or self.settings.truncate
        if is_continued and not self._writes_alike(batch, whole) and not problem:
            problem = "forgets earlier points, or keeps a state of its own"
        if problem and are_alike(whole, again, batch.mask):  # else it draws random numbers
            name = type(model).__name__
            caller = type(self).__name__
            log.warning("%s, in %s.forward_batch, %s: it will write badly", name, caller, problem)

    def _writes_alike(self, batch: Batch, whole: Output) -> bool:
        """Write a few points of two lines and of one line, if lines are drawn; return whether the
        outputs step by step equal `whole`, the outputs for whole lines."""
        model = self.evaluated_model
        text: tuple[Tensor | None, Tensor | None] = (None, None)
        texts = None
        if model.needs_text:
            text = (batch.text, batch.text_lengths)
            drawn_texts, _ = self._texts()
            texts = 2 * drawn_texts  # at least two
        sampling = Sampling(max_steps=STEPS_PER_CALL + 1)  # two calls of the stepper
        for count in (2, 1) if self.samples else ():
            sample(model, range(count), None if texts is None else texts[:count], sampling)
        state = model.begin(batch)
        state_again = model.begin(batch)
        name = type(model).__name__
        is_alike = True
        if any(not torch.equal(value, state[key]) for key, value in state_again.items()):
            problem = "does not draw from conditions.generators: a seed will write different lines"
            log.warning("%s.initial_state %s", name, problem)
        for step, points in enumerate(batch.inputs[:, :STEPS_PER_CALL].split(1, 1)):
            output = model(points, *text, state)
            # A network that keeps a state sees these points twice: its next step then differs.
            model(points, *text, state)
            state = output.state
            present = slice(step, step + 1)
            expected = replace(whole, prediction=whole.prediction[:, present])
            is_alike = is_alike and are_alike(expected, output, batch.mask[:, present])
        return is_alike

    def draw(self, epoch: int, step: int) -> None:
        """Write `samples` lines with the network, and save and log pictures of them."""
        if not self.samples:
            return
        texts, extras = self._texts() if self.model.needs_text else (None, {})
        sampling = Sampling(self.sample_bias, max_steps=self.sample_steps, extras=extras)
        seeds = range(self.seed, self.seed + self.samples)
        lines = sample(self.evaluated_model, seeds, texts, sampling)
        figure = lines_figure([line.ink for line in lines], texts)
        write_png(self.run.log / f"samples-epoch{epoch}.png", figure)
        self.run_log.events.picture("samples", to_pixels(figure), step)
        first_line = lines[0]
        if texts is not None and len(first_line.ink) > 1:
            attention = self.evaluated_model.output_over(first_line).attention[0]
            phi = attention.float().numpy(force=True)
            figure = window_figure(phi, first_line.text or "", first_line.ink)
            write_png(self.run.log / f"window-epoch{epoch}.png", figure)
            self.run_log.events.picture("window", to_pixels(figure, dpi=100), step)
        if texts is not None or self.model.end_of_sequence:
            ended = sum(line.ended for line in lines)
            log.info("%d of %d lines ended on their own", ended, len(lines))

    def _texts(self) -> tuple[list[str], dict[str, np.ndarray]]:
        """Return a text for each of the lines to draw, and the lines' extras: of the first samples
        with a text; or `sample_text`, without extras."""
        texts = self.sample_text
        lines = []
        if texts is None:
            loaders = filter(None, [self.valid_loader, self.train_loader])
            with_text = chain.from_iterable(map(self._with_text, loaders))
            lines = list(islice(with_text, self.samples))
            texts = [line.text for line in lines]
        # Few texts, and their lines, are repeated in turn.
        line_extras = stacked((lines * self.samples)[: self.samples])
        extras = {name: line_extras[name] for name in self.model.extras if lines}
        return (texts * self.samples)[: self.samples], extras

    def _with_text(self, loader: BaseDataLoader) -> Iterator[Sample]:
        """Yield the samples of a loader that have a text."""
        return (sample for sample in loader.dataset.samples if sample.text.strip())


def are_alike(first: Output, second: Output, mask: Tensor) -> bool:
    """Return whether two outputs predict the same at the steps of a mask, `(batch, steps)`."""
    steps = slice(mask.shape[1])
    both = [tensors_in(output.prediction[:, steps][mask]) for output in (first, second)]
    pairs = zip(*both, strict=True)
    return all(torch.allclose(a, b, rtol=0.01, atol=0.01, equal_nan=True) for a, b in pairs)
