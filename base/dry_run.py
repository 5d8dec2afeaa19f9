"""A trial of a run's parts on two samples, before anything is written."""

import copy
import inspect
import io
import logging
import math
import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from base import extension
from base.base_data_loader import Batch
from base.base_loss import BaseLoss
from base.base_metric import as_floats, unfit
from base.distributed import Lost
from base.random_state import random_state_kept
from base.run_state import Sums
from utils.checks import ConfigFault, UserError, described

log = logging.getLogger(__name__)

TOLERANCE = 1e-3
"""How far losses may differ that should be equal, relative to them; assumed."""
PLAIN = (int, float, str, list, tuple, dict, set, np.ndarray, Tensor, type(None))
"""What a state consists of."""
RANDOM = (random.Random, np.random.Generator, np.random.RandomState)
"""Generators, which have a state of their own."""
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
    # Where they keep a state, that of the run stays as it is: what a trainer counts with is copied.
    shared = [one for one in vars(trainer).values() if not isinstance(one, PLAIN + RANDOM)]
    shared += [trainer.metrics, trainer.valid_metrics]
    with trying("trainer", trainer, "one whose numbers, tensors and lists can be copied"):
        trial = copy.deepcopy(trainer, {id(one): one for one in shared})
    with trying("loss", trainer.loss, "one that can be copied"):
        loss = copy.deepcopy(trainer.loss)
    batch, *alone = _two_samples(trainer)
    precision = ""
    if trainer.settings.precision != "float32":
        precision = "; not all of torch has trainer.args.precision other than float32"
    with random_state_kept():
        output = _tried_network(trial, batch, precision)
        losses = _tried_loss(loss, output, batch)
        values = _tried_metrics(trial, output, batch)
        sums = Sums(losses.sum().item(), len(batch), batch.points)
        with trying("trainer", trainer, "a trainer"):
            values |= sums.losses(loss.name)
            extra = as_floats(trial.extra_metrics(values, sums), trainer)
        if again := extra.keys() & values.keys():
            expected = f"one whose extra_metrics have names of their own, not {min(again)!r}"
            raise ConfigFault("trainer", type(trainer).__name__, expected)
        if extension.defines(trainer, trainer.loss, *trainer.model.modules()):
            together = _losses(trial, trial.evaluated_model, batch)
            _compare_padded(trial, together, alone)
            _compare_rebuilt(trial, together, batch)
            if trainer.settings.truncate is not None:
                _try_chunks(trial, loss, batch)
            _try_step(trainer, trial, loss, batch)
            try_state("loss", loss, copy.deepcopy(trainer.loss))
            try_state("trainer", trial, copy.copy(trainer))


def _two_samples(trainer: Any) -> list[Batch]:
    """Return a batch of two samples, of different lengths if there are such, and one of each."""
    loader, lengths = trainer.train_loader, trainer.train_loader.batch_sampler.lengths
    other = int(np.argmax(lengths != lengths[0]))  # The first that differs, 0 if none does.
    first, again, second = (loader.dataset[0, number] for number in (0, 0, other))
    if pickle.dumps(first) != pickle.dumps(again):
        kinds = ", ".join(type(one).__name__ for one in loader.dataset.augmentation)
        expected = (
            "transforms without a state, that draw from generator: a sample drawn twice differs"
        )
        raise ConfigFault("data_loader.args.augmentation", kinds, expected)
    batches = [loader.collate_fn(some) for some in ([first, second], [first], [second])]
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


def _tried_loss(loss: BaseLoss, output: Any, batch: Batch) -> Tensor:
    """Return the loss of each sequence of a batch."""
    expected, name = "one that returns a value for each sequence", type(loss).__name__
    with trying("loss", loss, expected):
        losses = loss(output, batch)
        shape, divisor = tuple(losses.shape), float(loss.divisor(batch))
    if shape != (len(batch),):
        expected += f", of shape {(len(batch),)}, not {shape}"
        raise ConfigFault("loss", name, expected)
    if not divisor > 0:
        raise ConfigFault("loss", name, f"one whose divisor is more than 0, not {divisor:g}")
    if isinstance(loss, nn.Module):
        for weight, _ in loss.named_parameters():
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


def _losses(trainer: Any, model: nn.Module, batch: Batch) -> Tensor:
    """Return the loss of each sequence as it is now: from call to call a loss may warm up."""
    loss = copy.deepcopy(trainer.loss)
    with random_state_kept():
        return loss(trainer.forward_batch(model, batch, None), batch).double().cpu()


def _compare_padded(trainer: Any, together: Tensor, alone: list[Batch]) -> None:
    """Refuse a loss that counts, or a network that sees, what pads the shorter of two sequences."""
    apart = torch.cat([_losses(trainer, trainer.evaluated_model, one) for one in alone])
    if not _are_equal(together, apart):
        row, is_own = int((together - apart).abs().argmax()), extension.defines(trainer.loss)
        key, part = ("loss", trainer.loss) if is_own else ("arch", trainer.model)
        expected = (
            "one with which a sequence has the same loss by itself and beside a longer one: "
            "neither loss nor network sees padding (batch.mask is False there), and validation "
            f"draws nothing at random: {apart[row]:.5g} and {together[row]:.5g}"
        )
        raise ConfigFault(key, type(part).__name__, expected)


def _compare_rebuilt(trainer: Any, losses: Tensor, batch: Batch) -> None:
    """Refuse a network that a checkpoint does not hold whole."""
    if trainer.rebuild is None:
        return
    model = trainer.evaluated_model
    with random_state_kept():
        rebuilt = trainer.rebuild().to(trainer.device).eval()
    rebuilt.load_state_dict(model.state_dict())
    if not _are_equal(losses, _losses(trainer, rebuilt, batch)):
        expected = (
            "a network of parameters and buffers alone: it is another one when it is made again "
            "with those of a checkpoint, as of layers in a plain list"
        )
        raise ConfigFault("arch", type(model).__name__, expected)


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, TOLERANCE, TOLERANCE, equal_nan=True)


def _try_chunks(trainer: Any, loss: BaseLoss, batch: Batch) -> None:
    """Warn if a chunk gives the same whatever came before it."""
    model, chunk = trainer.evaluated_model, batch.chunk(0, math.ceil(batch.inputs.shape[1] / 2))
    with trying("trainer", trainer, "one whose forward_batch takes the state of the chunk before"):
        first = trainer.forward_batch(model, chunk, None)
        second = trainer.forward_batch(model, chunk, first.state)
    if torch.equal(loss(first, chunk), loss(second, chunk)):
        what = "makes no use of the state: each chunk begins anew (trainer.args.truncate)"
        log.warning("%s.forward_batch %s", type(trainer).__name__, what)


def _try_step(trainer: Any, trial: Any, loss: BaseLoss, batch: Batch) -> None:
    """Try the gradient of a step, and warn of what it changes that is not saved.

    Args:
        trainer: of the run, which stays as it is.
        trial, loss: copies of it and of its loss.
        batch: two samples.
    """
    with trying("arch", trainer.model, "a network that can be copied"):
        model = copy.deepcopy(trainer.model)
    with trying("loss", loss, "one with a gradient"), torch.enable_grad():
        with trial.autocast():
            output = trial.forward_batch(model.train(), batch, None)
        loss(output, batch).sum().backward()
    if all(weight.grad is None or not weight.grad.any() for weight in model.parameters()):
        expected = "one with a gradient: it depends on no weight of the network"
        raise ConfigFault("loss", type(loss).__name__, expected)
    pairs = [(trainer, trial), (trainer.loss, loss)]
    for before, after in [*pairs, *zip(trainer.model.modules(), model.modules(), strict=True)]:
        is_module = isinstance(before, nn.Module)
        keeps_own = not is_module and before.state_dict()
        names = vars(after).keys() - vars(nn.Module()).keys() if extension.defines(before) else ()
        for name in () if keeps_own else sorted(names):
            if not _differ(getattr(before, name, None), vars(after)[name]):
                continue
            log.warning(
                "%s.%s changes in a step and is not in a checkpoint, so that a resumed run would "
                "have that of a new one: %s",
                *(type(before).__name__, name, IN_BUFFER if is_module else IN_STATE),
            )


def _differ(before: Any, after: Any) -> bool:
    """Return whether numbers, strings, arrays, or collections of such differ."""
    if isinstance(before, RANDOM):
        return pickle.dumps(before) != pickle.dumps(after)
    if before is after or not isinstance(before, PLAIN):
        return False
    try:
        torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)
    except AssertionError:
        return True
    except (TypeError, ValueError):  # as of strings
        return repr(before) != repr(after)
    return False


def try_state(key: str, part: Any, fresh: Any) -> None:
    """Raise a ConfigFault if a checkpoint cannot keep the state of a part.

    Args:
        key: of the part in a config.
        part: whose state it is.
        fresh: another one, that takes it.
    """
    expected = "one whose load_state_dict takes what state_dict returns: tensors, plain values"
    with trying(key, part, expected):
        file = io.BytesIO()
        torch.save(part.state_dict(), file)
        file.seek(0)
        try:
            saved = torch.load(file, weights_only=True)
        except pickle.UnpicklingError:
            raise ConfigFault(key, type(part).__name__, expected) from None
        fresh.load_state_dict(saved)
        lost = _differ(part.state_dict(), fresh.state_dict())
    if lost:
        raise ConfigFault(key, type(part).__name__, f"{expected}; afterwards it has another state")


@contextmanager
def trying(key: str, block: object, wanted: str, hint: str = "") -> Iterator[None]:
    """Inside, turn an error of a block's own code into a ConfigFault that says what is wanted."""
    try:
        yield
    except (UserError, OSError, Lost):
        raise
    except Exception as error:
        expected = f"{wanted}: trying it ended in {described(error)}{hint}"
        raise ConfigFault(key, type(block).__name__, expected) from error
