"""A trial of a run's parts on two samples, before anything is written."""

import copy
import inspect
import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from base import extension
from base.base_data_loader import Batch
from base.base_metric import as_floats, unfit
from base.random_state import random_state_kept
from base.run_state import Sums
from utils.checks import ConfigFault, UserError, described

log = logging.getLogger(__name__)

LOOKED_AT = 100
"""Samples among which two of different lengths are looked for; assumed."""
TOLERANCE = 1e-3
"""How far losses may differ that should be equal, relative to them; assumed."""
PLAIN = (int, float, str, list, tuple, dict, set, np.ndarray, Tensor, type(None))
"""What a state consists of."""
IN_BUFFER = "keep it as a tensor in a buffer (register_buffer)"
IN_STATE = "keep it by state_dict and load_state_dict"


@torch.no_grad()
def dry_run(trainer: Any) -> None:
    """Try network, loss, metrics and `extra_metrics` on two samples.

    Args:
        trainer: a `BaseTrainer`, which calls this.

    Raises:
        UserError: naming what does not do what it has to.
    """
    trial = copy.copy(trainer)  # Where they keep a state, that of the run stays as it is.
    with trying("loss", trainer.loss, "one that can be copied"):
        trial.loss = copy.deepcopy(trainer.loss)
    batch, *alone = _two_samples(trainer)
    precision = ""
    if trainer.settings.precision != "float32":
        precision = "; not all of torch has trainer.args.precision other than float32"
    with random_state_kept():
        output = _tried_network(trial, batch, precision)
        losses = _tried_loss(trial, output, batch)
        values = _tried_metrics(trial, output, batch)
        sums = Sums(losses.sum().item(), len(batch), batch.points)
        with trying("trainer", trainer, "a trainer"):
            values |= sums.losses(trial.loss.name)
            as_floats(trial.extra_metrics(values, sums), trainer)
        if extension.defines(trainer, trainer.loss, *trainer.model.modules()):
            _compare_padded(trial, batch, alone)
            if trainer.settings.truncate is not None:
                _try_chunks(trial, batch)
            _try_step(trainer, trial, batch)
            _try_state(trial)


def _two_samples(trainer: Any) -> list[Batch]:
    """Return a batch of two samples, of different lengths if there are such, and one of each."""
    loader = trainer.train_loader
    first = loader.dataset[0, 0]
    for number in range(min(LOOKED_AT, len(loader.dataset))):
        second = loader.dataset[0, number]
        both = loader.collate_fn([first, second])
        if len({*both.lengths.tolist()}) > 1:
            break
    batches = [both, *(loader.collate_fn([one]) for one in (first, second))]
    return [batch.to(trainer.device) for batch in batches]


def _tried_network(trainer: Any, batch: Batch, precision: str) -> Any:
    """Return what the network makes of a batch, which is of the right type and can be used."""
    model = trainer.evaluated_model.eval()
    with trying("trainer", trainer, "one whose forward_batch takes a model, a batch and a state"):
        inspect.signature(trainer.forward_batch).bind(model, batch, None)
    wanted = f"a network that {trainer.task}"
    with trying("arch", model, wanted, precision), trainer.autocast():
        output = trainer.forward_batch(model, batch, None)
    if not isinstance(output, made := trainer.output_type):
        expected = f"a network whose forward returns the {made.__name__} of {made.__module__}"
        raise ConfigFault("arch", type(model).__name__, expected)
    wanted = f"a network that can {trainer.use.split()[0]}"
    hint = f"; trainer.args.samples = 0 leaves out this trial{precision}"
    with trying("arch", model, wanted, hint):
        trainer.dry_run(batch, output)
    return output


def _tried_loss(trainer: Any, output: Any, batch: Batch) -> Tensor:
    """Return the loss of each sequence of a batch."""
    expected, name = "one that returns a value for each sequence", type(trainer.loss).__name__
    with trying("loss", trainer.loss, expected):
        losses = trainer.loss(output, batch)
        shape = tuple(losses.shape)
    if shape != (len(batch),):
        expected += f", of shape {(len(batch),)}, not {shape}"
        raise ConfigFault("loss", name, expected)
    if isinstance(trainer.loss, nn.Module):
        for weight, _ in trainer.loss.named_parameters():
            expected = f"one without parameters, as these are not trained: {weight}"
            raise ConfigFault("loss", name, expected)
    return losses


def _tried_metrics(trainer: Any, output: Any, batch: Batch) -> dict[str, float]:
    """Return the values of the metrics."""
    values: dict[str, float] = {}
    for number, metric in enumerate(copy.deepcopy(trainer.valid_metrics)):
        with trying(f"metrics.{number}", metric, "a metric"):
            lacks = unfit(metric, output, batch)
            metric.update(output, batch)
            values |= as_floats(metric.compute(), metric)
        if lacks:
            raise ConfigFault(f"metrics.{number}", type(metric).__name__, lacks)
    return values


def _compare_padded(trainer: Any, batch: Batch, alone: list[Batch]) -> None:
    """Refuse a loss that counts, or a network that sees, what pads the shorter of two sequences."""
    model = trainer.evaluated_model
    together = trainer.loss(trainer.forward_batch(model, batch, None), batch).double().cpu()
    by_itself = [trainer.loss(trainer.forward_batch(model, one, None), one) for one in alone]
    apart = torch.cat(by_itself).double().cpu()
    if not torch.allclose(together, apart, TOLERANCE, TOLERANCE, equal_nan=True):
        row = int((together - apart).abs().argmax())
        expected = (
            "one that gives a sequence the same value by itself and beside a longer one, of a "
            f"network that does not see its padding (batch.mask is False there): {apart[row]:.5g} "
            f"and {together[row]:.5g}"
        )
        raise ConfigFault("loss", type(trainer.loss).__name__, expected)


def _try_chunks(trainer: Any, batch: Batch) -> None:
    """Warn if a chunk gives the same whatever came before it."""
    model, steps = trainer.evaluated_model, math.ceil(batch.inputs.shape[1] / 2)
    parts = batch.inputs[:, :steps], batch.targets[:, :steps], batch.lengths.clamp(max=steps)
    chunk = Batch(*parts, batch.text, batch.text_lengths, batch.index)
    with trying("trainer", trainer, "one whose forward_batch takes the state of the chunk before"):
        first = trainer.forward_batch(model, chunk, None)
        second = trainer.forward_batch(model, chunk, first.state)
    if torch.equal(trainer.loss(first, chunk), trainer.loss(second, chunk)):
        what = "makes no use of the state: each chunk begins anew (trainer.args.truncate)"
        log.warning("%s.forward_batch %s", type(trainer).__name__, what)


def _try_step(trainer: Any, trial: Any, batch: Batch) -> None:
    """Try the gradient of a step, and warn of what it changes that is not saved.

    Args:
        trainer: of the run, which stays as it is.
        trial: a copy of it, whose loss is a copy.
        batch: two samples.
    """
    with trying("arch", trainer.model, "a network that can be copied"):
        model = copy.deepcopy(trainer.model)
    with trying("loss", trainer.loss, "one with a gradient"), torch.enable_grad():
        with trial.autocast():
            output = trial.forward_batch(model.train(), batch, None)
        trial.loss(output, batch).sum().backward()
    if all(weight.grad is None or not weight.grad.any() for weight in model.parameters()):
        expected = "one with a gradient: it depends on no weight of the network"
        raise ConfigFault("loss", type(trainer.loss).__name__, expected)
    model.train(trainer.model.training)
    pairs = [(trainer, trial), (trainer.loss, trial.loss)]
    for before, after in [*pairs, *zip(trainer.model.modules(), model.modules(), strict=True)]:
        is_module = isinstance(before, nn.Module)
        keeps_own = not is_module and before.state_dict()
        names = () if keeps_own or not extension.defines(before) else vars(before)
        for name in [one for one in names if _differ(vars(before)[one], vars(after)[one])]:
            log.warning(
                "%s.%s changes in a step and is not in a checkpoint, so that a resumed run would "
                "have that of a new one: %s",
                *(type(before).__name__, name, IN_BUFFER if is_module else IN_STATE),
            )


def _differ(before: Any, after: Any) -> bool:
    """Return whether numbers, strings, arrays, or collections of such differ."""
    if before is after or not isinstance(before, PLAIN):
        return False
    try:
        torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)
    except AssertionError:
        return True
    except (TypeError, ValueError):  # as of strings
        return repr(before) != repr(after)
    return False


def _try_state(trainer: Any) -> None:
    """Refuse the state of a part that a checkpoint cannot keep."""
    metrics = [(f"metrics.{n}", metric) for n, metric in enumerate(trainer.valid_metrics)]
    for key, part in [("loss", trainer.loss), ("trainer", trainer), *metrics]:
        expected = "one whose load_state_dict takes what state_dict returns: tensors, plain values"
        with trying(key, part, expected):
            file = io.BytesIO()
            torch.save(part.state_dict(), file)
            file.seek(0)
            part.load_state_dict(torch.load(file, weights_only=True))


@contextmanager
def trying(key: str, block: object, wanted: str, hint: str = "") -> Iterator[None]:
    """Inside, turn an error of a block's own code into a ConfigFault that says what is wanted."""
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:
        expected = f"{wanted}: trying it ended in {described(error)}{hint}"
        raise ConfigFault(key, type(block).__name__, expected) from error
