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
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from base.base_data_loader import Batch
from base.base_loss import BaseLoss
from base.base_metric import as_floats, broken_rule
from base.batch_stream import Chunk
from base.config import user_modules
from base.distributed import Lost
from base.random_state import random_state_kept
from base.run_state import Sums
from utils.checks import ConfigFault, UserError, described

log = logging.getLogger(__name__)

TOLERANCE = 1e-3
"""Maximum absolute and relative difference of losses that count as equal (assumed)."""
PLAIN_TYPES = (int, float, str, list, tuple, dict, set, np.ndarray, Tensor, type(None))
"""Types of the values in a state."""
GENERATOR_TYPES = (random.Random, np.random.Generator, np.random.RandomState)
"""Types of random generators."""
BUFFER_REMEDY = "keep it as a tensor in a buffer (register_buffer)"
STATE_REMEDY = "keep it by state_dict and load_state_dict"
TAKES_STATE = "one whose load_state_dict takes what state_dict returns: tensors, plain values"
MODULE_ATTRIBUTES = vars(nn.Module()).keys()
"""Names of the attributes that every module has."""
NUM_REPEATS = 4
"""Number of repetitions with new random numbers after which a network with equal losses counts as
deterministic (assumed: with teacher forcing of 0.9 a network does so once in a hundred times)."""


def dry_run(trainer: Any) -> None:
    """Try network, loss, metrics, `extra_metrics` and a step on two samples; then undo all changes.

    A fault stops a new run; for a resumed run it is logged as a warning.

    Args:
        trainer: the `BaseTrainer` that calls this function.

    Raises:
        UserError: naming the part that fails, and what is expected of the part.
    """
    try:
        with random_state_kept(), _changes_undone(trainer), torch.no_grad():
            _try_parts(trainer)
    except UserError as error:
        if trainer.state.resumed_from is None:
            raise
        log.warning("a new run would be refused: %s", error)


def _try_parts(trainer: Any) -> None:
    """Try the parts of a run; `_changes_undone` has to restore every state that changes here."""
    batch, precision_hint = _two_samples(trainer), ""
    if trainer.settings.precision != "float32":
        precision_hint = "; some torch operations need trainer.args.precision = float32"
    output = _tried_network(trainer, batch, precision_hint)
    losses = _tried_loss(trainer.loss, output, batch)
    values = _tried_metrics(trainer, output, batch)
    sums = Sums(losses.sum().item(), len(batch), batch.points)
    with trying("trainer", trainer, "a trainer"):
        values |= sums.losses(trainer.loss.name)
        extra = as_floats(trainer.extra_metrics(values, sums), trainer)
    if repeated := extra.keys() & values.keys():
        expected = f"one whose extra_metrics do not repeat the name {min(repeated)!r}"
        raise ConfigFault("trainer", type(trainer).__name__, expected)
    if _has_user_parts(trainer):
        # A contrastive loss needs two samples of each person, so each sample occurs twice.
        pairs = batch.map(lambda values: values.repeat_interleave(2, 0))
        _compare_padded(trainer, pairs)
        _compare_rebuilt(trainer, batch)
        if trainer.settings.truncate is not None:
            _try_chunks(trainer, batch)
        _try_gradient(trainer, pairs)
        _try_step(trainer, batch)
        for name, part in trainer.checkpoint_writer.stateful.items():
            try_state(_config_key(name), part)


def _has_user_parts(trainer: Any) -> bool:
    return user_modules.is_any_defined(trainer, trainer.loss, *trainer.model.modules())


@contextmanager
def _changes_undone(trainer: Any) -> Iterator[None]:
    """A block after which the states that a checkpoint has, and plain attributes, are as before.

    Raises:
        ConfigFault: if a part's `load_state_dict` does not take what its `state_dict` returned.
    """
    parts = trainer.optimizer_step.stateful | trainer.checkpoint_writer.stateful
    saved_ids = {id(part) for part in parts.values()}
    unsaved = {
        name: part
        for name, part in vars(trainer).items()
        if isinstance(part, nn.Module | Optimizer) and id(part) not in saved_ids
    }
    parts |= unsaved
    states = {}
    for name, part in parts.items():
        with trying(_config_key(name), part, TAKES_STATE):
            states[name] = copy.deepcopy(part.state_dict())
    modules = [part for part in parts.values() if isinstance(part, nn.Module)]
    buffers = [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]
    owners = [trainer, trainer.loss, *filter(user_modules.is_any_defined, trainer.model.modules())]
    metric_attributes = [(metric, _plain_attributes(metric, trainer)) for metric in trainer.metrics]
    attributes = [(owner, _plain_attributes(owner, trainer)) for owner in owners]
    try:
        yield
    finally:
        for module in modules:
            module.zero_grad()
        for owner, before in attributes:
            _restore_attributes(owner, before, warns=_has_user_parts(trainer))
        for metric, before in metric_attributes:
            vars(metric).update(before)
        for buffer, before in buffers:
            buffer.data.copy_(before)
        changed = [name for name, part in parts.items() if _differ(states[name], part.state_dict())]
        for name in changed:
            with trying(_config_key(name), parts[name], TAKES_STATE):
                parts[name].load_state_dict(copy.deepcopy(states[name]))
    if not trainer.state_dict():
        for name in unsaved.keys() & {*changed}:
            _warn_of_loss(trainer, name, f"keep it by self.keep({name!r}, ...)")


def _config_key(name: str) -> str:
    """Return the key of the config's block that describes the part saved under `name`."""
    return name if name in ("loss", "optimizer", "lr_scheduler") else "trainer"


def _plain_attributes(owner: Any, trainer: Any) -> dict[str, Any]:
    """Return copies of those attributes of a part that are plain values or random generators."""
    # Lists may hold parts of the trainer, such as networks. These parts are not copied.
    copied_types = PLAIN_TYPES + GENERATOR_TYPES
    shared = [part for part in vars(trainer).values() if not isinstance(part, copied_types)]
    shared += [trainer.metrics, trainer.valid_metrics]
    plain = {
        name: value
        for name, value in vars(owner).items()
        if name not in MODULE_ATTRIBUTES and isinstance(value, copied_types)
    }
    with trying("trainer", owner, "one whose numbers, tensors and lists can be copied"):
        return copy.deepcopy(plain, {id(part): part for part in shared})


def _restore_attributes(owner: Any, before: dict[str, Any], *, warns: bool) -> None:
    """Restore `before`, from `_plain_attributes`; warn of changes that no checkpoint keeps."""
    is_module = isinstance(owner, nn.Module)
    changed, state = {}, {} if is_module else copy.deepcopy(owner.state_dict())
    for name in sorted(vars(owner).keys() - MODULE_ATTRIBUTES):
        value = vars(owner)[name]
        if name not in before and isinstance(value, PLAIN_TYPES + GENERATOR_TYPES):
            changed[name] = value
            delattr(owner, name)
        elif name in before and _differ(before[name], value):
            changed[name] = value
            vars(owner)[name] = before[name]
    if state and changed:  # An attribute that the state restores is kept by a checkpoint.
        owner.load_state_dict(state)
    for name, value in changed.items():
        is_kept = state and not _differ(value, getattr(owner, name, None))
        if warns and user_modules.is_any_defined(owner) and not is_kept:
            _warn_of_loss(owner, name, BUFFER_REMEDY if is_module else STATE_REMEDY)


def _warn_of_loss(owner: Any, name: str, remedy: str) -> None:
    log.warning(
        "%s.%s changes in a step and is not in a checkpoint, so that a resumed run would begin "
        "with its initial value: %s",
        *(type(owner).__name__, name, remedy),
    )


def _two_samples(trainer: Any) -> Batch:
    """Return a batch of two samples, if possible of different lengths."""
    loader, lengths = trainer.train_loader, trainer.train_loader.batch_sampler.lengths
    # The first sample that differs in length from sample 0, or sample 0 if there is none.
    other = int(np.argmax(lengths != lengths[0]))
    first, repeated, second = (loader.dataset[0, number] for number in (0, 0, other))
    if pickle.dumps(first) != pickle.dumps(repeated):
        kinds = ", ".join(type(change).__name__ for change in loader.dataset.augmentation)
        expected = (
            "transforms without a state that draw only from `generator`: repeated draws differ"
        )
        raise ConfigFault("data_loader.args.augmentation", kinds, expected)
    return loader.collate_fn([first, second]).to(trainer.device)


def _tried_network(trainer: Any, batch: Batch, precision_hint: str) -> Any:
    """Return the network's output for a batch; refuse an output that the trainer cannot use."""
    model, batch_copy = trainer.evaluated_model.eval(), copy.deepcopy(batch)
    with trying("trainer", trainer, "one whose forward_batch takes a model, a batch and a state"):
        inspect.signature(trainer.forward_batch).bind(model, batch, None)
    wanted = f"a network that {trainer.task}"
    with trying("arch", model, wanted, precision_hint), trainer.autocast():
        output = trainer.forward_batch(model, batch, None)
    if not isinstance(output, kind := trainer.output_type):
        expected = f"a network whose forward returns the {kind.__name__} of {kind.__module__}"
        raise ConfigFault("arch", type(model).__name__, expected)
    _check_unchanged(trainer, batch_copy, batch)
    wanted = f"a network that can {trainer.use.split()[0]}"
    hint = f"; trainer.args.samples = 0 leaves out this trial{precision_hint}"
    with trying("arch", model, wanted, hint):
        trainer.dry_run(batch, output)
    return output


def _check_unchanged(trainer: Any, before: Batch, batch: Batch) -> None:
    """Refuse a trainer that has changed `batch`, of which `before` is a copy."""
    for name, value in vars(before).items():
        if _differ(value, vars(batch)[name]):
            expected = f"one that changes nothing of a batch in place; this one changes its {name}"
            raise ConfigFault("trainer", type(trainer).__name__, expected)


def _tried_loss(loss: BaseLoss, output: Any, batch: Batch) -> Tensor:
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
            expected = f"one without parameters: the parameter {weight} would not be trained"
            raise ConfigFault("loss", name, expected)
    return losses


def _tried_metrics(trainer: Any, output: Any, batch: Batch) -> dict[str, float]:
    values: dict[str, float] = {}
    for number, metric in enumerate(copy.deepcopy(trainer.valid_metrics)):
        with trying(f"metrics.{number}", metric, "a metric"):
            expected = broken_rule(metric, output, batch)
            metric.update(output, batch)
            values |= as_floats(metric.compute(), metric)
        if expected:
            raise ConfigFault(f"metrics.{number}", type(metric).__name__, expected)
    return values


def _losses(trainer: Any, model: nn.Module, batch: Batch) -> Tensor:
    """Return the loss of each sequence, from a copy of the loss, as calls may change a loss."""
    with trying("loss", trainer.loss, "one that can be copied"):
        loss = copy.deepcopy(trainer.loss)
    wanted = "one whose forward_batch works in training as in validation"
    gradients = torch.set_grad_enabled(model.training)
    with random_state_kept(), trainer.layers(), gradients, trying("trainer", trainer, wanted):
        return loss(trainer.forward_batch(model, batch, None), batch).detach().double().cpu()


def _compare_padded(trainer: Any, batch: Batch) -> None:
    """Refuse a loss or network for which padding makes a difference."""
    padded = _with_empty_steps(batch)
    _compare_losses(trainer, trainer.evaluated_model.eval(), batch, padded)
    model = trainer.model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    losses = _losses(trainer, model, batch)
    for _ in range(NUM_REPEATS):
        torch.rand(1)  # `_losses` restores the generators, so these draws advance them.
        torch.rand(1, device=trainer.device)
        if not torch.equal(losses, _losses(trainer, model, batch)):
            return  # The network draws random numbers; with padding it would draw more.
    _compare_losses(trainer, model, batch, padded)


def _compare_losses(trainer: Any, model: nn.Module, batch: Batch, padded: Batch) -> None:
    """Refuse a loss or network that gives a sequence another loss in `padded` than in `batch`."""
    losses, padded_losses = _losses(trainer, model, batch), _losses(trainer, model, padded)
    if not _are_equal(losses, padded_losses):
        row = int((losses - padded_losses).abs().argmax())
        is_user_loss = user_modules.is_any_defined(trainer.loss)
        key, part = ("loss", trainer.loss) if is_user_loss else ("arch", trainer.model)
        expected = (
            "one whose losses do not change with more padding: neither loss nor network sees "
            "padding (where batch.mask is False), and validation draws nothing at random; the loss "
            f"of a sequence was {losses[row]:.5g}, then {padded_losses[row]:.5g}"
        )
        if model.training:
            expected += " in training, as with BatchNorm"
        raise ConfigFault(key, type(part).__name__, expected)


def _with_empty_steps(batch: Batch) -> Batch:
    """Return a batch with more padding behind points and texts."""

    def lengthened(values: Tensor | None) -> Tensor | None:
        if values is None:
            return None
        count = values.shape[1] // 2 + 1
        return torch.cat([values, values.new_zeros(len(values), count, *values.shape[2:])], 1)

    names = ("inputs", "targets", "text")
    return replace(batch, **{name: lengthened(getattr(batch, name)) for name in names})


def _compare_rebuilt(trainer: Any, batch: Batch) -> None:
    """Refuse a network whose output depends on more than the state in a checkpoint."""
    if trainer.rebuild is None:
        return
    model = trainer.evaluated_model.eval()
    with trying("arch", model, "a network that can be made again"):
        rebuilt = trainer.rebuild().to(trainer.device).eval()
    rebuilt.load_state_dict(model.state_dict())
    if not _are_equal(_losses(trainer, model, batch), _losses(trainer, rebuilt, batch)):
        expected = (
            "a network whose state_dict holds all that its output depends on; made again and given "
            "the weights of a checkpoint, it has other outputs, as with layers in a plain list"
        )
        raise ConfigFault("arch", type(model).__name__, expected)


def _are_equal(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, TOLERANCE, TOLERANCE, equal_nan=True)


def _try_chunks(trainer: Any, batch: Batch) -> None:
    """Warn if a chunk's loss does not depend on the state before it."""
    model, chunk = trainer.evaluated_model, batch.chunk(0, math.ceil(batch.inputs.shape[1] / 2))
    with trying("trainer", trainer, "one whose forward_batch takes the state of the chunk before"):
        initial = trainer.forward_batch(model, chunk, None)
        continued = trainer.forward_batch(model, chunk, initial.state)
    if torch.equal(trainer.loss(initial, chunk), trainer.loss(continued, chunk)):
        problem = "makes no use of the state: each chunk begins anew (trainer.args.truncate)"
        log.warning("%s.forward_batch %s", type(trainer).__name__, problem)


def _try_gradient(trainer: Any, batch: Batch) -> None:
    """Refuse a loss without a gradient."""
    model, loss = trainer.model.train(), trainer.loss
    with trying("loss", loss, "one with a gradient"), trainer.layers(), torch.enable_grad():
        with trainer.autocast():
            output = trainer.forward_batch(model, batch, None)
        loss(output, batch).sum().backward()
    if all(weight.grad is None or not weight.grad.any() for weight in model.parameters()):
        expected = "one with a gradient: it depends on no weight of the network"
        raise ConfigFault("loss", type(loss).__name__, expected)


def _try_step(trainer: Any, batch: Batch) -> None:
    batch_copy = copy.deepcopy(batch)
    trainer.optimizer_step.start(0)
    expected = "one whose step takes chunks, and returns Sums and the norm of the gradient"
    with trying("trainer", trainer, expected), trainer.layers(), torch.enable_grad():
        sums, norm = trainer.step([Chunk(batch, float(len(batch)))])
        sums.all_reduced()
        float(norm)
    _check_unchanged(trainer, batch_copy, batch)


def _differ(before: Any, after: Any) -> bool:
    """Return whether plain values or random generators differ; values of other types never do."""
    if isinstance(before, GENERATOR_TYPES):
        return pickle.dumps(before) != pickle.dumps(after)
    if before is after or not isinstance(before, PLAIN_TYPES):
        return False
    if not isinstance(after, type(before)):
        return True
    if isinstance(before, dict):
        return before.keys() != after.keys() or any(_differ(before[k], after[k]) for k in before)
    if isinstance(before, list | tuple):
        return len(before) != len(after) or any(map(_differ, before, after))
    if isinstance(before, Tensor | np.ndarray):
        try:
            torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)
        except AssertionError:
            return True
        return False
    return repr(before) != repr(after)  # so that NaN equals NaN


def try_state(key: str, part: Any) -> None:
    """Raise a ConfigFault for `key` if a checkpoint cannot keep the state of `part`."""
    with trying(key, part, TAKES_STATE):
        file = io.BytesIO()
        torch.save(part.state_dict(), file)
        file.seek(0)
        try:
            saved = torch.load(file, weights_only=True)
        except pickle.UnpicklingError:
            raise ConfigFault(key, type(part).__name__, TAKES_STATE) from None
        part.load_state_dict(copy.deepcopy(saved))  # torch's CyclicLR changes its argument.
    if _differ(saved, part.state_dict()):
        expected = f"{TAKES_STATE}; afterwards it has another state"
        raise ConfigFault(key, type(part).__name__, expected)


@contextmanager
def trying(key: str, part: object, wanted: str, hint: str = "") -> Iterator[None]:
    """A block in which an error in the code of `part` becomes a ConfigFault for `key`; `wanted`
    says what is expected of the code, and `hint` ends the message."""
    try:
        yield
    except (UserError, OSError, Lost):
        raise
    except Exception as error:
        expected = f"{wanted}: trying it ended in {described(error)}{hint}"
        raise ConfigFault(key, type(part).__name__, expected) from error
