"""Tries the rules for the parts of a run, on parts that are thrown away.

`check` tries parts of one's own before a run begins. A rule's docstring says what holds; a rule
that is broken raises a ConfigFault, which names the part.
"""

import copy
import gc
import inspect
import logging
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from base.base_data_loader import SAMPLER, Batch
from base.base_metric import BaseMetric, as_floats, broken_rule
from base.base_trainer import BaseTrainer
from base.config import user_modules
from base.config.user_code import errors_as_config_fault
from base.run.checkpoint import reloaded
from base.run.digest import digest, tensors_in
from base.run.random_state import random_state_kept
from base.run.run_state import Sums
from base.trial.lost_state import States, states, warn_of_lost
from base.trial.names import check_member_names
from base.trial.trying import try_state
from utils.checks import CheckpointError, ConfigFault

log = logging.getLogger(__name__)

HOOKS = {
    "is_complete": (),
    **{"on_epoch": ("the row of an epoch",), "draw": ("an epoch", "a step"), "on_end": ()},
    **{"extra_metrics": ("values", "sums"), "dry_run": ("a batch", "an output"), "on_start": ()},
}
"""The methods of a trainer that a run calls without a trial, and what they take."""
are_equal = partial(torch.allclose, rtol=1e-3, atol=1e-3, equal_nan=True)
"""Whether losses are equal but for rounding (tolerances: assumed)."""
NUM_REPEATS = 4
"""Number of repetitions with new random numbers after which a network with equal losses counts as
deterministic (assumed: with teacher forcing of 0.9 a network does so once in a hundred times)."""


@dataclass(frozen=True)
class Trial:
    """Parts that are thrown away after a trial."""

    make: Callable[[], BaseTrainer]
    """Makes a trainer like the run's, with parts of its own."""
    trainer: BaseTrainer
    batch: Batch
    """Two samples, if possible of different lengths."""
    initial: States
    """The states of the trainer before the trial."""

    @property
    def pairs(self) -> Batch:
        """Each sample twice, as a contrastive loss needs two samples of each person."""
        return self.batch.map(lambda values: values.repeat_interleave(2, 0))

    @property
    def num_steps(self) -> int:
        """The number of steps before the state is saved: odd, to see what changes with each second
        step, unless sequences are cut, as a batch has two chunks."""
        return 3 if self.trainer.settings.truncate is None else 2

    @cached_property
    def output(self) -> Any:
        """The output of the evaluated network for the batch."""
        return self.output_for(self.batch)

    @cached_property
    def doubled(self) -> tuple[list[Batch], list[Any]]:
        """The batches that have one of the samples twice, and the outputs for them."""
        batches = [self.batch.map(lambda values, n=n: values[[n, n]]) for n in range(2)]
        return batches, [*map(self.output_for, batches)]

    def output_for(self, batch: Batch) -> Any:
        """Return the output of the evaluated network for a batch."""
        model = self.trainer.evaluated_model.eval()
        with random_state_kept(), self.trainer.evaluating(), self.trainer.autocast():
            return self.trainer.forward_batch(model, batch, None)

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of each sequence, from a copy of the loss, as calls may change a loss."""
        trainer = self.trainer
        with errors_as_config_fault("loss", trainer.loss, "one that can be copied"):
            loss = copy.deepcopy(trainer.loss)
        wanted = "one whose forward_batch works in training as in validation"
        with random_state_kept(), trainer.layers(), torch.set_grad_enabled(model.training):
            mode = nullcontext() if model.training else trainer.evaluating()
            with errors_as_config_fault("trainer", trainer, wanted), mode:
                output = trainer.forward_batch(model, batch, None)
            with errors_as_config_fault(
                "loss", trainer.loss, "one that works in training as in validation"
            ):
                return loss(output, batch).double().cpu()

    def blamed(self, *keys: str) -> tuple[str, object]:
        """Return the key and the part to blame where those of some keys may be at fault: the first
        that a user wrote, else the last."""
        parts = dict(parts_of(self.trainer)) | {"arch": self.trainer.model}
        own = (key for key in keys if key in parts and _is_own(parts[key]))
        key = next(own, keys[-1])
        return key, parts[key]


def check(make: Callable[[], BaseTrainer]) -> list[str]:
    """Try the parts of a run, and return the rules that they follow.

    The random generators are as before afterwards. All processes call this together.

    Args:
        make: makes a trainer with parts of its own.

    Raises:
        UserError: naming the part that breaks a rule, and what is expected of the part.
    """
    with random_state_kept():
        trainer = make()
        for key, part in parts_of(trainer):
            check_member_names(key, part)
        trial = Trial(make, trainer, two_samples(trainer), states(trainer))
        before = {name: digest(value) for name, value in vars(trial.batch).items()}
        transforms = getattr(trainer.train_loader.dataset, "augmentation", ())
        unchanged = digest(transforms)
        for rule in RULES:
            with torch.no_grad():
                rule(trial)
            for name, value in vars(trial.batch).items():
                if digest(value) != before[name]:
                    key, part = trial.blamed("trainer", "arch", "loss", "trainer")
                    expected = "one that changes nothing of a batch in place; this one changes its "
                    raise ConfigFault(key, type(part).__name__, expected + name)
        if digest(transforms) != unchanged:
            expected = "one that changes no transform: it is not saved; `change` may take `epoch`"
            raise ConfigFault("trainer", type(trainer).__name__, expected)
    del trainer, trial
    gc.collect()  # A trainer refers to itself; the run's parts need the memory.
    return [rule.__doc__ for rule in RULES]


def _is_own(part: object) -> bool:
    """Return whether a user wrote a part, or a module of a network."""
    modules = part.modules() if isinstance(part, nn.Module) else ()
    return user_modules.is_any_from_user(part, *modules)


def parts_of(trainer: BaseTrainer) -> list[tuple[str, Any]]:
    """Return the parts of a run but for its data, with their keys."""
    step = trainer.optimizer_step
    parts = [("trainer", trainer), ("loss", trainer.loss), ("optimizer", step.optimizer)]
    parts += [(f"metrics.{n}", metric) for n, metric in enumerate(trainer.valid_metrics)]
    parts += [("lr_scheduler", step.lr_scheduler)] if step.lr_scheduler else []
    return parts + [("arch", module) for module in trainer.model.modules()]


def two_samples(trainer: BaseTrainer) -> Batch:
    """Return a batch of two training samples, drawn twice to see that draws are repeatable."""
    loader, lengths = trainer.train_loader, trainer.train_loader.keys.lengths
    # The first sample that differs in length from sample 0, or sample 0 if there is none.
    other = int(np.argmax(lengths != lengths[0]))
    key, expected = "data_loader.args.augmentation", "transforms of ink, missing and a generator"
    with errors_as_config_fault(key, loader.dataset, expected):
        batch = loader.dataset[[(0, 0), (0, other)]]
        loader.dataset[[(0, 0)]]  # An odd number of draws shows what changes with each second one.
        repeated = loader.dataset[[(0, 0), (0, other)]]
    if digest(vars(batch)) != digest(vars(repeated)):
        kinds = ", ".join(type(change).__name__ for change in loader.dataset.augmentation)
        expected = "transforms without a state that draw only from `generator`"
        raise ConfigFault(key, kinds, f"{expected}: repeated draws differ")
    return batch.to(trainer.device)


def repeats_its_batches(trial: Trial) -> None:
    """A sampler of one's own returns the same batches whenever it is asked for an epoch."""
    keys = trial.trainer.train_loader.keys
    if not user_modules.is_any_from_user(keys.sampler):
        return
    first, _, again = (digest([*map(np.asarray, keys.batches(epoch))]) for epoch in (0, 1, 0))
    if first != again:
        expected = "one that draws by seed and epoch: asked again, it has other batches of epoch 0"
        raise ConfigFault(SAMPLER, type(keys.sampler).__name__, expected)
    try_state(SAMPLER, keys.sampler)


def takes_batches(trial: Trial) -> None:
    """forward_batch takes a model, a batch and a state, and returns what the trainer uses."""
    trainer, batch, model = trial.trainer, trial.batch, trial.trainer.evaluated_model
    with errors_as_config_fault(
        "trainer", trainer, "one whose forward_batch takes a model, a batch and a state"
    ):
        inspect.signature(trainer.forward_batch).bind(model, batch, None)
    for name, arguments in HOOKS.items():
        with errors_as_config_fault(
            "trainer", trainer, f"one whose {name} takes {' and '.join(arguments) or 'nothing'}"
        ):
            inspect.signature(getattr(trainer, name)).bind(*arguments)
    for path, module in model.named_modules():
        for name, value in vars(module).items() if user_modules.is_any_from_user(module) else ():
            if isinstance(value, Tensor) and value.requires_grad and value.is_leaf:
                name = f"{path}.{name}".strip(".")
                expected = f"one whose weights are parameters: {name} is none, and is never trained"
                raise ConfigFault("arch", type(model).__name__, expected)
    hint = ""
    if trainer.precision != "float32":
        hint = "; some torch operations need trainer.args.precision = float32"
    with errors_as_config_fault("arch", model, f"a network that {trainer.task}", hint):
        output = trial.output
    if not isinstance(output, kind := trainer.output_type):
        expected = f"a network whose forward returns the {kind.__name__} of {kind.__module__}"
        raise ConfigFault("arch", type(model).__name__, expected)
    wanted = f"a network that can {trainer.use.split()[0]}"
    with errors_as_config_fault(
        "arch", model, wanted, f"; trainer.args.samples = 0 leaves out this trial{hint}"
    ):
        trainer.dry_run(batch, output)


def loss_of_sequences(trial: Trial) -> None:
    """A loss returns a value for each sequence, and has no parameters."""
    loss, batch = trial.trainer.loss, trial.batch
    expected, name = "one that returns a value for each sequence", type(loss).__name__
    with errors_as_config_fault("loss", loss, expected):
        shape = tuple(loss(trial.output, batch).shape)
        divisor = float(loss.divisor(batch))
    if shape != (len(batch),):
        expected += f", of shape {(len(batch),)}, not {shape}"
        raise ConfigFault("loss", name, expected)
    if not divisor > 0:
        raise ConfigFault("loss", name, f"one whose divisor is more than 0, not {divisor:g}")
    parts = trial.trainer.run_checkpoints.all_stateful.values()
    networks = [part for part in parts if isinstance(part, nn.Module) and part is not loss]
    trained = {id(weight) for network in networks for weight in network.parameters()}
    held = vars(loss)
    if isinstance(loss, nn.Module):
        held = dict(loss.named_parameters()) | {k: held[k] for k in held.keys() - vars(nn.Module())}
    for weight, value in held.items():
        leaves = (each for each in tensors_in(value, (id(loss),)) if each.is_leaf)
        if any(each.requires_grad and id(each) not in trained for each in leaves):
            expected = f"one without parameters: the parameter {weight} would not be trained"
            raise ConfigFault("loss", name, expected)


def metrics_add_up(trial: Trial) -> None:
    """Metrics are made of their sums, and the trainer's extra metrics have names of their own."""
    trainer, batch, output = trial.trainer, trial.batch, trial.output
    values: dict[str, float] = {}
    for number, metric in enumerate(trainer.valid_metrics):
        with errors_as_config_fault(f"metrics.{number}", metric, "a metric"):
            unused = copy.deepcopy(metric)
            expected = broken_rule(metric, output, batch) or _not_adding(unused, trial)
            values |= as_floats(metric.compute(), metric)
        if expected:
            raise ConfigFault(f"metrics.{number}", type(metric).__name__, expected)
    sums = Sums(trainer.loss(output, batch).sum().item(), len(batch), batch.points)
    with errors_as_config_fault("trainer", trainer, "a trainer"):
        values |= sums.losses(trainer.loss.name)
        extra = as_floats(trainer.extra_metrics(values, sums), trainer)
    if repeated := extra.keys() & values.keys():
        expected = f"one whose extra_metrics do not repeat the name {min(repeated)!r}"
        raise ConfigFault("trainer", type(trainer).__name__, expected)


def _not_adding(metric: BaseMetric, trial: Trial) -> str:
    """Return the rule that a metric breaks: it adds up, and changes nothing in place; or ""."""
    batches, outputs = trial.doubled
    before, fresh = digest([outputs, [*map(vars, batches)]]), copy.deepcopy(metric)

    def values(metric: BaseMetric, *order: int) -> list[float]:
        """Return the values and sums of a metric after an epoch."""
        metric.reset()
        for number in order:
            metric.update(outputs[number], batches[number])
        sums = [sum for sum in metric.state_dict().values() if isinstance(sum, Tensor)]
        return [*as_floats(metric.compute(), metric).values(), *(float(s.sum()) for s in sums)]

    orders = [np.array(values(metric, *order), float) for order in ((0, 1, 1), (1, 1, 0))]
    if digest([outputs, [*map(vars, batches)]]) != before:
        return "a metric that changes nothing of an output or a batch in place"
    if not np.allclose(*orders, rtol=1e-3, equal_nan=True):
        return "a metric that adds up: it depends on the order of the batches"
    for number in range(2):
        epochs = [values(each, number) for each in (metric, copy.deepcopy(fresh))]
        if not np.allclose(*epochs, rtol=1e-3, equal_nan=True):
            return "a metric whose reset forgets the epoch before"
    return ""


def keeps_lines_apart(trial: Trial) -> None:
    """In evaluation the output for a line does not depend on the other lines of a batch."""
    row = int(
        trial.batch.lengths.argmax()
    )  # With the longest line twice, the padding is as before.
    both = [[*tensors_in(each)] for each in (trial.output, trial.doubled[1][row])]
    for first, second in zip(*both, strict=False):
        # What has a column for each line, too, may compare the lines, as for a contrastive loss.
        if first.shape != second.shape or first.shape[:1] != (2,) or first.shape[1:] == (2,):
            continue
        if not are_equal(first[row].double(), second[row].double()):
            key, part = trial.blamed("arch", "trainer")
            expected = "one whose output for a line does not depend on the others of a batch"
            raise ConfigFault(key, type(part).__name__, f"{expected}, in evaluation")


def sees_no_padding(trial: Trial) -> None:
    """Neither loss nor network sees padding."""
    evaluated, model = trial.trainer.evaluated_model.eval(), trial.trainer.model
    compare_padded(trial, evaluated, trial.losses(evaluated, trial.pairs))
    for module in model.train().modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    losses = trial.losses(model, trial.pairs)
    for seed in range(NUM_REPEATS):
        torch.manual_seed(seed)
        if not torch.equal(losses, trial.losses(model, trial.pairs)):
            return  # The network draws random numbers; with padding it would draw more.
    compare_padded(trial, model, losses)


def compare_padded(trial: Trial, model: nn.Module, losses: Tensor) -> None:
    """Refuse `losses` of the pairs that change with more padding behind points and texts."""
    batch, padded = trial.pairs, {}
    for name in ("inputs", "targets", "text"):
        if (values := getattr(batch, name)) is not None:
            sizes = [0, 0] * (values.ndim - 2) + [0, values.shape[1] // 2 + 1]
            padded[name] = nn.functional.pad(values, sizes)
    padded_losses = trial.losses(model, replace(batch, **padded))
    if are_equal(losses, padded_losses):
        return
    row, (key, part) = int((losses - padded_losses).abs().argmax()), trial.blamed("loss", "arch")
    mode = " in training, as with BatchNorm" if model.training else ""
    expected = (
        "one whose losses do not change with more padding: neither loss nor network sees padding "
        "(where batch.mask is False), and validation draws nothing at random; the loss of a "
        f"sequence was {losses[row]:.5g}, then {padded_losses[row]:.5g}{mode}"
    )
    raise ConfigFault(key, type(part).__name__, expected)


def has_gradient(trial: Trial) -> None:
    """A loss has a gradient."""
    model, loss, layers = trial.trainer.model.train(), trial.trainer.loss, trial.trainer.layers()
    key, part = trial.blamed("loss", "arch")
    with errors_as_config_fault(key, part, "one with a gradient"), layers, torch.enable_grad():
        losses = trial.losses(model, trial.pairs)
        losses.sum().backward()
    if not torch.isfinite(losses).any() and _is_own(part):
        if any(torch.isnan(each).any() for each in tensors_in(trial.output)):
            key, part = "arch", model
        expected = "one with finite losses: those of all samples are NaN or infinite"
        raise ConfigFault(key, type(part).__name__, expected)
    if all(weight.grad is None or not weight.grad.any() for weight in model.parameters()):
        expected = "one with a gradient: it depends on no weight of the network"
        raise ConfigFault("loss", type(loss).__name__, expected)


def uses_its_state(trial: Trial) -> None:
    """Where sequences are cut, the network goes on from the state of the chunk before."""
    trainer, batch = trial.trainer, trial.batch
    if trainer.settings.truncate is None:
        return
    model, chunk = trainer.evaluated_model, batch.chunk(0, math.ceil(batch.inputs.shape[1] / 2))
    with errors_as_config_fault(
        "trainer", trainer, "one whose forward_batch takes the state of the chunk before"
    ):
        initial = trainer.forward_batch(model, chunk, None)
        continued = trainer.forward_batch(model, chunk, initial.state)
    if torch.equal(trainer.loss(initial, chunk), trainer.loss(continued, chunk)):
        problem = "makes no use of the state: each chunk begins anew (trainer.args.truncate)"
        log.warning("%s.forward_batch %s", type(trainer).__name__, problem)


def makes_steps(trial: Trial) -> None:
    """Steps change weights, which stay finite, and nothing of a batch."""
    trainer, before = trial.trainer, digest(trial.trainer.model)
    changes = [make_step(trainer, trial.batch, number) for number in range(trial.num_steps)]
    if not trainer.optimizer_step.are_finite():
        expected = "one whose step leaves the weights finite"
        raise ConfigFault("trainer", type(trainer).__name__, expected)
    if all(change > 0 for change in changes) and digest(trainer.model) == before:
        expected = "one whose step changes weights of the network, as apply_gradients does"
        raise ConfigFault("trainer", type(trainer).__name__, expected)


def make_step(trainer: BaseTrainer, batch: Batch, number: int) -> float:
    """Make a step, of chunks if sequences are cut; return the learning rate times the norm."""
    expected = "one whose step takes chunks, and returns Sums and the norm of the gradient"
    truncate = trainer.settings.truncate and math.ceil(batch.inputs.shape[1] / 2)
    if number != 1 or truncate is None:
        trainer.stream.begin([batch] * trainer.settings.accumulate, truncate)
    trainer.model.train()
    trainer.optimizer_step.start(number)
    with (
        errors_as_config_fault("trainer", trainer, expected),
        trainer.layers(),
        torch.enable_grad(),
    ):
        sums, norm = trainer.step(trainer.stream.chunks())
        sums.all_reduced()
        change = float(norm) * trainer.optimizer_step.learning_rate
    trainer.stream.advance()
    return change


def goes_on_as_saved(trial: Trial) -> None:
    """Made again and given the state of a checkpoint, all parts are the same, and so is a step."""
    trainer, checkpoints = trial.trainer, trial.trainer.run_checkpoints
    for name, part in checkpoints.stateful.items():
        try_state(name if name == "loss" else "trainer", part)
    with (
        errors_as_config_fault("arch", trainer.model, "a network that can be made again"),
        random_state_kept(),
    ):
        again = trial.make()
    try:
        content = reloaded(checkpoints.content())
    except CheckpointError as fault:
        expected = f"a network whose weights and states a checkpoint may hold; not {fault}"
        raise ConfigFault("arch", type(trainer.model).__name__, expected) from fault
    with errors_as_config_fault("trainer", trainer, "one that can be restored"):
        again.run_checkpoints.restore(content, Path("a trial"))
    losses = []
    for model in (trainer.evaluated_model.eval(), again.evaluated_model.eval()):
        with trainer.unchanged():
            losses.append(trial.losses(model, trial.batch))
    if not are_equal(*losses):
        expected = (
            "a network whose state_dict holds all that its output depends on; made again and given "
            "the weights of a checkpoint, it has other outputs, as with layers in a plain list"
        )
        raise ConfigFault("arch", type(trainer.model).__name__, expected)
    saved, before = states(trainer), [weight.clone() for weight in trainer.optimizer_step.weights]
    # Another batch, so that state of the first batch is seen.
    batch = trial.batch.map(lambda values: values[[0, 0]])
    for each in (trainer, again):
        with random_state_kept():
            make_step(each, batch, trial.num_steps)
    if warn_of_lost(trainer, again, trial.initial, saved):
        return
    weights = zip(trainer.optimizer_step.weights, again.optimizer_step.weights, before, strict=True)
    weights = [each for each in weights if each[0].is_floating_point() or each[0].is_complex()]
    # By float32 and by the order of sums, steps on a GPU may differ a little.
    if any((a - b).abs().max() > 1e-3 * (a - c).abs().max() for a, b, c in weights if a.numel()):
        keys = ("trainer", "loss", "optimizer", "lr_scheduler", "arch", "trainer")
        _, part = trial.blamed(*keys)
        problem = "makes other steps in a resumed run: what they depend on is not in a checkpoint"
        log.warning("%s %s", type(part).__name__, problem)


RULES = (
    *(repeats_its_batches, takes_batches, loss_of_sequences, metrics_add_up, keeps_lines_apart),
    *(sees_no_padding, uses_its_state, has_gradient, makes_steps, goes_on_as_saved),
)
"""The rules in the order in which they are tried."""
