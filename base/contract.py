"""What the parts of a run have to do: rules, each tried on parts that are thrown away.

`check` tries parts of one's own before a run begins. A rule's first sentence says what holds; a
rule that is broken raises a ConfigFault, which names the part.
"""

import copy
import gc
import inspect
import io
import logging
import math
import pickle
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from base.base_data_loader import Batch
from base.base_metric import as_floats, broken_rule
from base.base_trainer import BaseTrainer
from base.config import torch_parts, user_modules
from base.random_state import random_state_kept
from base.run_state import Sums
from base.trying import trying
from utils.checks import ConfigFault

log = logging.getLogger(__name__)

TOLERANCE = 1e-3
"""Maximum absolute and relative difference of losses that count as equal (assumed)."""
NUM_REPEATS = 4
"""Number of repetitions with new random numbers after which a network with equal losses counts as
deterministic (assumed: with teacher forcing of 0.9 a network does so once in a hundred times)."""
NUM_TORCH_STEPS = 3
"""Number of steps by which torch's schedules are advanced (assumed: errors come with the first
two)."""
GENERATORS = (random.Random, np.random.Generator, np.random.RandomState)
TAKES_STATE = "one whose load_state_dict takes what state_dict returns: tensors, plain values"
BUFFER_REMEDY = "keep it as a tensor in a buffer (register_buffer)"
STATE_REMEDY = "keep it by state_dict and load_state_dict"


@dataclass(frozen=True)
class Trial:
    """Parts that are thrown away after a trial."""

    make: Callable[[], BaseTrainer]
    """Makes a trainer like the run's, with parts of its own."""
    trainer: BaseTrainer
    batch: Batch
    """Two samples, if possible of different lengths."""

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of each sequence, from a copy of the loss, as calls may change a loss."""
        trainer = self.trainer
        with trying("loss", trainer.loss, "one that can be copied"):
            loss = copy.deepcopy(trainer.loss)
        wanted = "one whose forward_batch works in training as in validation"
        gradients = torch.set_grad_enabled(model.training)
        with random_state_kept(), trainer.layers(), gradients, trying("trainer", trainer, wanted):
            return loss(trainer.forward_batch(model, batch, None), batch).detach().double().cpu()

    def output(self) -> Any:
        """Return the output of the evaluated network for the batch."""
        with self.trainer.autocast():
            return self.trainer.forward_batch(self.trainer.evaluated_model.eval(), self.batch, None)


def check(make: Callable[[], BaseTrainer]) -> list[str]:
    """Try the parts of a run, and return the rules that they keep.

    The random generators are as before afterwards. All processes call this together.

    Args:
        make: makes a trainer with parts of its own; with equal random generators an equal one.

    Raises:
        UserError: naming the part that breaks a rule, and what is expected of the part.
    """
    with random_state_kept():
        with random_state_kept():
            trainer = make()
        trial, kept = Trial(make, trainer, two_samples(trainer)), []
        for rule in RULES:
            with torch.no_grad():
                rule(trial)
            kept.append(inspect.getdoc(rule).partition("\n")[0])
    del trainer, trial
    gc.collect()  # A trainer refers to itself; the run's parts need the memory.
    return kept


def two_samples(trainer: BaseTrainer) -> Batch:
    """Return a batch of two training samples, drawn twice to see that draws are repeatable."""
    loader, lengths = trainer.train_loader, trainer.train_loader.sampler.lengths
    # The first sample that differs in length from sample 0, or sample 0 if there is none.
    other = int(np.argmax(lengths != lengths[0]))
    key, expected = "data_loader.args.augmentation", "transforms of ink, missing and a generator"
    with trying(key, loader.dataset, expected):
        batch, repeated = (loader.dataset[[(0, 0), (0, other)]] for _ in range(2))
    if differ(vars(batch), vars(repeated)):
        kinds = ", ".join(type(change).__name__ for change in loader.dataset.augmentation)
        expected = "transforms without a state that draw only from `generator`"
        raise ConfigFault(key, kinds, f"{expected}: repeated draws differ")
    return batch.to(trainer.device)


def takes_batches(trial: Trial) -> None:
    """forward_batch takes a model, a batch and a state, and returns what the trainer uses."""
    trainer, batch = trial.trainer, trial.batch
    model, before = trainer.evaluated_model.eval(), copy.deepcopy(batch)
    with trying("trainer", trainer, "one whose forward_batch takes a model, a batch and a state"):
        inspect.signature(trainer.forward_batch).bind(model, batch, None)
    hint = ""
    if trainer.settings.precision != "float32":
        hint = "; some torch operations need trainer.args.precision = float32"
    with trying("arch", model, f"a network that {trainer.task}", hint):
        output = trial.output()
    if not isinstance(output, kind := trainer.output_type):
        expected = f"a network whose forward returns the {kind.__name__} of {kind.__module__}"
        raise ConfigFault("arch", type(model).__name__, expected)
    check_unchanged(trainer, before, batch)
    wanted = f"a network that can {trainer.use.split()[0]}"
    with trying("arch", model, wanted, f"; trainer.args.samples = 0 leaves out this trial{hint}"):
        trainer.dry_run(batch, output)


def loss_of_sequences(trial: Trial) -> None:
    """A loss returns a value for each sequence, and has no parameters."""
    loss, batch = trial.trainer.loss, trial.batch
    expected, name = "one that returns a value for each sequence", type(loss).__name__
    with trying("loss", loss, expected):
        shape = tuple(loss(trial.output(), batch).shape)
        divisor = float(loss.divisor(batch))
    if shape != (len(batch),):
        expected += f", of shape {(len(batch),)}, not {shape}"
        raise ConfigFault("loss", name, expected)
    if not divisor > 0:
        raise ConfigFault("loss", name, f"one whose divisor is more than 0, not {divisor:g}")
    weights = dict(loss.named_parameters()) if isinstance(loss, nn.Module) else vars(loss)
    for weight, value in weights.items():
        if isinstance(value, nn.Parameter):
            expected = f"one without parameters: the parameter {weight} would not be trained"
            raise ConfigFault("loss", name, expected)


def metrics_add_up(trial: Trial) -> None:
    """Metrics are made of their sums, and the trainer's extra metrics have names of their own."""
    trainer, batch = trial.trainer, trial.batch
    output, values = trial.output(), {}
    for number, metric in enumerate(trainer.valid_metrics):
        with trying(f"metrics.{number}", metric, "a metric"):
            expected = broken_rule(metric, output, batch)
            values |= as_floats(metric.compute(), metric)
        if expected:
            raise ConfigFault(f"metrics.{number}", type(metric).__name__, expected)
    sums = Sums(trainer.loss(output, batch).sum().item(), len(batch), batch.points)
    with trying("trainer", trainer, "a trainer"):
        values |= sums.losses(trainer.loss.name)
        extra = as_floats(trainer.extra_metrics(values, sums), trainer)
    if repeated := extra.keys() & values.keys():
        expected = f"one whose extra_metrics do not repeat the name {min(repeated)!r}"
        raise ConfigFault("trainer", type(trainer).__name__, expected)


def sees_no_padding(trial: Trial) -> None:
    """Neither loss nor network sees padding."""
    trainer = trial.trainer
    # A contrastive loss needs two samples of each person, so each sample occurs twice.
    batch = trial.batch.map(lambda values: values.repeat_interleave(2, 0))
    padded = with_empty_steps(batch)
    _compare_padded(trial, trainer.evaluated_model.eval(), batch, padded)
    model = trainer.model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    losses = trial.losses(model, batch)
    for _ in range(NUM_REPEATS):
        torch.rand(1)  # `losses` restores the generators, so these draws advance them.
        torch.rand(1, device=trainer.device)
        if not torch.equal(losses, trial.losses(model, batch)):
            return  # The network draws random numbers; with padding it would draw more.
    _compare_padded(trial, model, batch, padded)


def _compare_padded(trial: Trial, model: nn.Module, batch: Batch, padded: Batch) -> None:
    """Refuse losses of `batch` that differ from those of `padded`."""
    losses, padded_losses = trial.losses(model, batch), trial.losses(model, padded)
    if are_equal(losses, padded_losses):
        return
    row, trainer = int((losses - padded_losses).abs().argmax()), trial.trainer
    is_user_loss = user_modules.is_any_defined(trainer.loss)
    key, part = ("loss", trainer.loss) if is_user_loss else ("arch", trainer.model)
    expected = (
        "one whose losses do not change with more padding: neither loss nor network sees padding "
        "(where batch.mask is False), and validation draws nothing at random; the loss of a "
        f"sequence was {losses[row]:.5g}, then {padded_losses[row]:.5g}"
    )
    if model.training:
        expected += " in training, as with BatchNorm"
    raise ConfigFault(key, type(part).__name__, expected)


def with_empty_steps(batch: Batch) -> Batch:
    """Return a batch with more padding behind points and texts."""

    def lengthened(values: Tensor | None) -> Tensor | None:
        if values is None:
            return None
        count = values.shape[1] // 2 + 1
        return torch.cat([values, values.new_zeros(len(values), count, *values.shape[2:])], 1)

    names = ("inputs", "targets", "text")
    return replace(batch, **{name: lengthened(getattr(batch, name)) for name in names})


def has_gradient(trial: Trial) -> None:
    """A loss has a gradient."""
    trainer, batch = trial.trainer, trial.batch.map(lambda values: values.repeat_interleave(2, 0))
    model, loss = trainer.model.train(), trainer.loss
    with trying("loss", loss, "one with a gradient"), trainer.layers(), torch.enable_grad():
        with trainer.autocast():
            output = trainer.forward_batch(model, batch, None)
        loss(output, batch).sum().backward()
    if all(weight.grad is None or not weight.grad.any() for weight in model.parameters()):
        expected = "one with a gradient: it depends on no weight of the network"
        raise ConfigFault("loss", type(loss).__name__, expected)


def uses_its_state(trial: Trial) -> None:
    """Where sequences are cut, the network goes on from the state of the chunk before."""
    trainer, batch = trial.trainer, trial.batch
    if trainer.settings.truncate is None:
        return
    model, chunk = trainer.evaluated_model, batch.chunk(0, math.ceil(batch.inputs.shape[1] / 2))
    with trying("trainer", trainer, "one whose forward_batch takes the state of the chunk before"):
        initial = trainer.forward_batch(model, chunk, None)
        continued = trainer.forward_batch(model, chunk, initial.state)
    if torch.equal(trainer.loss(initial, chunk), trainer.loss(continued, chunk)):
        problem = "makes no use of the state: each chunk begins anew (trainer.args.truncate)"
        log.warning("%s.forward_batch %s", type(trainer).__name__, problem)


def makes_steps(trial: Trial) -> None:
    """Two steps change weights, and nothing of a batch."""
    trainer, batch = trial.trainer, trial.batch
    before, weights = copy.deepcopy(batch), copy.deepcopy(trainer.model.state_dict())
    expected = "one whose step takes chunks, and returns Sums and the norm of the gradient"
    truncate, norms = trainer.settings.truncate, []
    truncate = truncate and math.ceil(batch.inputs.shape[1] / 2)
    for number in range(2):
        if number == 0 or truncate is None:
            trainer.stream.begin([batch] * trainer.settings.accumulate, truncate)
        chunks = trainer.stream.chunks()
        trainer.model.train()
        trainer.optimizer_step.start(number)
        with trying("trainer", trainer, expected), trainer.layers(), torch.enable_grad():
            sums, norm = trainer.step(chunks)
            sums.all_reduced()
            norms.append(float(norm) * trainer.optimizer_step.learning_rate)
        trainer.stream.advance()
    check_unchanged(trainer, before, batch)
    if all(norm > 0 for norm in norms) and not differ(weights, trainer.model.state_dict()):
        expected = "one whose step changes weights of the network, as apply_gradients does"
        raise ConfigFault("trainer", type(trainer).__name__, expected)


def goes_on_as_saved(trial: Trial) -> None:
    """Made again and given the state of a checkpoint, all parts are the same."""
    trainer, writer = trial.trainer, trial.trainer.checkpoint_writer
    for name, part in writer.stateful.items():
        try_state(name if name == "loss" else "trainer", part)
    with trying("arch", trainer.model, "a network that can be made again"), random_state_kept():
        again = trial.make()
    again.checkpoint_writer.restore(stored(writer.content()), Path("a trial"))
    models = trainer.evaluated_model.eval(), again.evaluated_model.eval()
    first, second = (trial.losses(model, trial.batch) for model in models)
    if not are_equal(first, second):
        expected = (
            "a network whose state_dict holds all that its output depends on; made again and given "
            "the weights of a checkpoint, it has other outputs, as with layers in a plain list"
        )
        raise ConfigFault("arch", type(trainer.model).__name__, expected)
    pairs = [(trainer, again), (trainer.loss, again.loss)]
    pairs += zip(trainer.model.modules(), again.model.modules(), strict=True)
    for owner, other in pairs:
        for name, remedy in lost_attributes(owner, other):
            log.warning(
                "%s.%s changes in a step and is not in a checkpoint, so that a resumed run would "
                "begin with its initial value: %s",
                *(type(owner).__name__, name, remedy),
            )


RULES = (
    *(takes_batches, loss_of_sequences, metrics_add_up, sees_no_padding, uses_its_state),
    *(has_gradient, makes_steps, goes_on_as_saved),
)
"""The rules in the order in which they are tried."""


def lost_attributes(owner: object, other: object) -> Iterator[tuple[str, str]]:
    """Yield the attributes of one's own part that its restored copy has not, and what to do."""
    if not user_modules.is_any_defined(owner):
        return
    is_module = isinstance(owner, nn.Module)
    # The sums of metrics begin anew with each epoch; layers are in the network's state.
    ignored = vars(nn.Module()).keys() if is_module else {"metrics", "valid_metrics"}
    for name in sorted(vars(owner).keys() - ignored):
        value = vars(owner)[name]
        if differ(value, vars(other).get(name)):
            remedy = BUFFER_REMEDY if is_module else STATE_REMEDY
            if isinstance(value, nn.Module | Optimizer):
                remedy = f"keep it by self.keep({name!r}, ...)"
            yield name, remedy


def differ(first: Any, second: Any, within: tuple[int, ...] = ()) -> bool:
    """Return whether plain values, states, random generators or objects of one's own differ.

    Values of other types never do.
    """
    if isinstance(first, GENERATORS):
        return pickle.dumps(first) != pickle.dumps(second)
    if isinstance(first, nn.Module | Optimizer | LRScheduler):
        return type(first) is not type(second) or differ(first.state_dict(), second.state_dict())
    if isinstance(first, dict):
        same_keys = isinstance(second, dict) and first.keys() == second.keys()
        return not same_keys or any(differ(first[key], second[key], within) for key in first)
    if isinstance(first, list | tuple):
        same_length = isinstance(second, list | tuple) and len(first) == len(second)
        return not same_length or any(
            differ(*pair, within) for pair in zip(first, second, strict=True)
        )
    if isinstance(first, Tensor | np.ndarray):
        if type(first) is not type(second) or first.shape != second.shape:
            return True
        pair = (torch.as_tensor(values).cpu() for values in (first, second))
        return not torch.equal(*map(torch.nan_to_num, pair))
    if isinstance(first, int | float | str | set | type(None)):
        return repr(first) != repr(second)  # so that NaN equals NaN
    is_own = hasattr(first, "__dict__") and user_modules.is_any_defined(first)
    if not is_own or id(first) in within:
        return False
    same_kind = type(first) is type(second)
    return not same_kind or differ(vars(first), vars(second), (*within, id(first)))


def are_equal(first: Tensor, second: Tensor) -> bool:
    """Return whether losses are equal but for rounding."""
    return torch.allclose(first, second, TOLERANCE, TOLERANCE, equal_nan=True)


def check_unchanged(trainer: BaseTrainer, before: Batch, batch: Batch) -> None:
    """Refuse a trainer that has changed `batch`, of which `before` is a copy."""
    for name, value in vars(before).items():
        if differ(value, vars(batch)[name]):
            expected = f"one that changes nothing of a batch in place; this one changes its {name}"
            raise ConfigFault("trainer", type(trainer).__name__, expected)


def make_steps(optimizer: Optimizer, schedule: LRScheduler | None) -> None:
    """Make a few steps with an optimiser and its schedule; raise a ConfigFault if a step fails.

    A user's schedule is advanced to its end.
    """
    is_user_schedule = schedule is not None and user_modules.is_any_defined(schedule)
    for step in range(torch_parts.TRIAL_STEPS if is_user_schedule else NUM_TORCH_STEPS):
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = torch.ones_like(weight)
        with trying("optimizer", optimizer, "an optimiser that makes steps"):
            optimizer.step()
        with trying("lr_scheduler", schedule, "a schedule that makes steps"):
            torch_parts.step_schedule(schedule, 1.0)
        rates = [group["lr"] for group in optimizer.param_groups]
        plain = all(type(rate) in (int, float, Tensor) for rate in rates)
        if not plain or not all(0 <= rate < math.inf for rate in rates):
            expected = f"one whose rates are plain numbers >= 0, not {rates} in step {step + 2}"
            raise ConfigFault("lr_scheduler", type(schedule).__name__, expected)
    for key, part in (("optimizer", optimizer), ("lr_scheduler", schedule)):
        if part is not None:
            try_state(key, part)


def stored(content: Any) -> Any:
    """Return what a checkpoint has of a content after it was written and read."""
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def try_state(key: str, part: Any) -> None:
    """Raise a ConfigFault for `key` if a checkpoint cannot keep the state of `part`."""
    with trying(key, part, TAKES_STATE):
        try:
            saved = stored(part.state_dict())
        except pickle.UnpicklingError:
            raise ConfigFault(key, type(part).__name__, TAKES_STATE) from None
        part.load_state_dict(copy.deepcopy(saved))  # torch's CyclicLR changes its argument.
    if differ(saved, part.state_dict()):
        expected = f"{TAKES_STATE}; afterwards it has another state"
        raise ConfigFault(key, type(part).__name__, expected)
