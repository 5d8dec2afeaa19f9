"""A trial of a run's parts on two samples, before anything is written."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from base.base_metric import as_floats, unfit
from base.random_state import random_state_kept
from base.run_state import Sums
from utils.checks import ConfigFault, UserError, described


@torch.no_grad()
def dry_run(trainer: Any) -> None:
    """Try network, loss, metrics and `extra_metrics` on two samples.

    Args:
        trainer: a `BaseTrainer`, which calls this.

    Raises:
        UserError: naming what does not do what it has to.
    """
    loader, model = trainer.train_loader, trainer.evaluated_model.eval()
    samples = [loader.dataset[0, number % len(loader.dataset)] for number in range(2)]
    batch = loader.collate_fn(samples).to(trainer.device)
    precision = ""
    if trainer.settings.precision != "float32":
        precision = "; not all of torch has trainer.args.precision other than float32"
    with random_state_kept():
        wanted = f"a network that {trainer.task}"
        with trying("arch", model, wanted, precision), trainer.autocast():
            output = trainer.forward_batch(model, batch)
        if not isinstance(output, made := trainer.output_type):
            expected = f"a network whose forward returns the {made.__name__} of {made.__module__}"
            raise ConfigFault("arch", type(model).__name__, expected)
        wanted = f"a network that can {trainer.use.split()[0]}"
        hint = f"; trainer.args.samples = 0 leaves out this trial{precision}"
        with trying("arch", model, wanted, hint):
            trainer.dry_run(batch, output)
        expected = "one that returns a value for each sequence"
        with trying("loss", trainer.loss, expected):
            losses = trainer.loss(output, batch)
            shape = tuple(losses.shape)
        if shape != (len(batch),):
            expected += f", of shape {(len(batch),)}, not {shape}"
            raise ConfigFault("loss", type(trainer.loss).__name__, expected)
        sums = Sums(losses.sum().item(), len(batch), batch.points)
        values = sums.losses(trainer.loss.name)
        for number, metric in enumerate(copy.deepcopy(trainer.valid_metrics)):
            with trying(f"metrics.{number}", metric, "a metric"):
                lacks = unfit(metric, output, batch)
                metric.update(output, batch)
                values |= as_floats(metric.compute(), metric)
            if lacks:
                raise ConfigFault(f"metrics.{number}", type(metric).__name__, lacks)
        with trying("trainer", trainer, "a trainer"):
            as_floats(trainer.extra_metrics(values, sums), trainer)


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
