"""Tries the rules for the parts of a run, on parts that are thrown away.

`check` tries parts of one's own before a run begins. A rule's docstring says what holds; a rule
that is broken raises a ConfigFault, which names the part.
"""

import copy
import gc
import inspect
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from base.base_data_loader import Batch
from base.base_loss import BaseLoss, trial_of_loss
from base.base_metric import as_floats, trial_of_metric
from base.base_sampler import SAMPLER
from base.base_trainer import BaseTrainer
from base.config import user_modules
from base.config.user_code import errors_as_config_fault
from base.run.checkpoint import load_weights, reloaded
from base.run.digest import digest, held_by, tensors_in, wide
from base.run.run_state import Sums, random_state_kept, seed_all, states_kept
from base.step.device import plain_layers
from base.step.soundness import with_other_padding
from base.trial.lost_state import States, states, warn_of_lost
from base.trial.names import check_member_names
from base.trial.repeatable import check_batches, two_samples
from base.trial.trying import try_state
from utils.checks import ConfigFault, NotFinite, first_of

log = logging.getLogger(__name__)

HOOKS: tuple[str, ...] = ("forward_batch", "extra_metrics", "dry_run", "is_complete")
HOOKS += ("draw", "on_start", "on_epoch", "on_end")
"""Methods of a trainer, which take what those of `BaseTrainer` take."""
are_equal = partial(torch.allclose, rtol=1e-3, atol=1e-3, equal_nan=True)
"""Whether losses are equal but for rounding (tolerances: assumed)."""
NUM_REPEATS = 4
"""Repetitions with new random numbers after which a network with equal outputs counts as
deterministic (assumed: with teacher forcing of 0.9 and 11 draws a pass, one in a hundred networks
that draw counts as such, 0.9 ** 44)."""
NUM_LOSSES = 16
"""The same for the loss of two sequences (assumed: with dropout of 0.1 one in thirty losses,
0.9 ** 32)."""


@dataclass(frozen=True)
class Trial:
    """Parts that are thrown away after a trial."""

    remake: Callable[[], BaseTrainer]
    """Makes a trainer like that of a resumed run, with parts of its own."""
    trainer: BaseTrainer
    batch: Batch
    """Two samples, if possible of different lengths."""
    initial: States
    """The states of the trainer before the trial."""

    @property
    def pairs(self) -> Batch:
        """Each sample twice, as a contrastive loss needs two samples of each person."""
        return self.batch.map(lambda values: values.repeat_interleave(2, 0))

    def held(self, **others: Any) -> dict[str, Any]:
        """Return `others` and what only steps change: the batch; the output, if there is one; sums
        of the weights, but for embeddings with a `max_norm`, to which a pass scales them down."""
        sums = []
        for module in chain(self.trainer.model.modules(), self.trainer.evaluated_model.modules()):
            if getattr(module, "max_norm", None) is None:
                for weight in module.parameters(recurse=False):
                    dtype = torch.promote_types(weight.dtype, torch.float64)
                    sums.append(weight.sum(dtype=dtype))
        is_computed = "output" in vars(self)  # where the cached property stores it
        output = {"output": self.output} if is_computed else {}
        return vars(self.batch) | output | {"weights": sums} | others

    @cached_property
    def output(self) -> Any:
        """The output of the evaluated network for the batch."""
        return self.output_for(self.batch)

    @cached_property
    def regrouped(self) -> tuple[list[Batch], list[Any]]:
        """The batches that have one of the samples twice, and if outputs are not drawn, that of the
        pairs; and the outputs for them, in float32, as rounding depends on the batch."""
        batches = [self.doubled(0), self.doubled(1)]
        if not self.drawing:
            batches.append(self.pairs)
        return batches, [self.output_for(batch, nullcontext()) for batch in batches]

    def doubled(self, row: int) -> Batch:
        """Return the batch that has one of the samples twice."""
        return self.batch.map(lambda values: values[[row, row]]).trimmed()

    @cached_property
    def drawing(self) -> list[tuple[str, object]]:
        """The keys and parts whose values in evaluation are others with other random numbers."""
        outputs = [self.output]
        losses = []
        loss = copy.deepcopy(self.trainer.loss)  # It may have a generator, which no state has.
        for seed in range(NUM_LOSSES):
            seed_all(seed)
            if seed < NUM_REPEATS:
                outputs.append(self.output_for(self.batch))
            losses.append(self.loss_of(self.output, self.batch, loss))
        drawing = []
        if not are_same(*outputs):
            drawing.append(self.blamed("arch", "trainer"))
        if not are_same(*losses):
            drawing.append(("loss", self.trainer.loss))
        return drawing

    def output_for(self, batch: Batch, precision: AbstractContextManager | None = None) -> Any:
        """Return the output of the evaluated network, by default in the precision of the run."""
        precision = precision or self.trainer.autocast()
        with random_state_kept(), self.trainer.state.evaluating() as model, precision:
            return self.trainer.forward_batch(model, batch, None)

    def losses(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of each sequence by a network."""
        trainer = self.trainer
        layers = plain_layers(trainer.plain_layers)
        with random_state_kept(), layers, torch.set_grad_enabled(model.training):
            with nullcontext() if model.training else trainer.state.evaluating():
                output = trainer.forward_batch(model, batch, None)
            return self.loss_of(output, batch)

    def loss_of(self, output: Any, batch: Batch, loss: BaseLoss | None = None) -> Tensor:
        """Return the loss of each sequence, from a copy of the loss, as calls may change a loss;
        the state of a given copy stays as it was."""
        with random_state_kept():
            if loss is None:
                return copy.deepcopy(self.trainer.loss)(output, batch).double().cpu()
            with states_kept([loss]):
                return loss(output, batch).double().cpu()

    def blamed(self, *keys: str) -> tuple[str, object]:
        """Return the key and the part to blame where those of some keys may be at fault: the first
        that a user wrote, else the last; so a key may stand twice."""
        parts = dict(parts_of(self.trainer)) | {"arch": self.trainer.model}
        key = next((key for key in keys if key in parts and _is_own(parts[key])), keys[-1])
        return key, parts[key]


def check(make: Callable[[], BaseTrainer], remake: Callable[[], BaseTrainer] | None = None) -> str:
    """Try the parts of a run by the `RULES`; return a digest of samples and weights.

    `make` makes a trainer of the run; `remake`, by default the same, one of a resumed run, whose
    network has other weights until it is restored. The random generators are as before afterwards.
    All processes call this together.

    Raises:
        UserError: naming the part that breaks a rule, and what is expected of the part.
    """
    with random_state_kept():
        trainer = make()
        for key, part in parts_of(trainer):
            check_member_names(key, part)
        trainer.state.hold_layouts()
        batch = two_samples(trainer.train_loader).to(trainer.device)
        trial = Trial(remake or make, trainer, batch, states(trainer))
        transforms = getattr(trainer.train_loader.dataset, "augmentation", ())
        with torch.no_grad(), unchanged("trainer", trainer, lambda: {"transforms": transforms}):
            is_own = user_modules.is_module_from_user(type(trainer).forward_batch.__module__)
            usual_keys = ["trainer", "arch", "loss"] if is_own else ["arch", "loss"]
            keys = {loss_of_sequences: ["loss"], has_gradient: ["loss", "arch"]}
            keys[makes_steps] = ["trainer"]
            for rule in RULES:
                blamed = trial.blamed(*keys.get(rule, usual_keys))
                # Steps change weights, and with them an output that holds a weight.
                is_step = rule in (makes_steps, goes_on_as_saved)
                held = partial(vars, trial.batch) if is_step else trial.held
                wanted = f'one that keeps the rule "{rule.__doc__}"'
                with unchanged(*blamed, held), errors_as_config_fault(*blamed, wanted):
                    rule(trial)
        batches = [*map(np.asarray, trainer.train_loader.keys.batches(0))]
        outcome = digest([vars(trial.batch), batches, trainer.state.trained])
    del trainer, trial
    gc.collect()  # A trainer refers to itself; the run's parts need the memory.
    return outcome.hex()[:16]


def fault(key: str, part: object, expected: str) -> ConfigFault:
    """Return the fault of a part that breaks a rule."""
    return ConfigFault(key, type(part).__name__, expected)


@contextmanager
def unchanged(key: str, part: object, values: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """A block that raises a ConfigFault for `key` if `part` changes one of the values, by name,
    that `values` returns."""
    before = {name: digest(value) for name, value in values().items()}
    yield
    present = values()
    if changed := [name for name in before if digest(present[name]) != before[name]]:
        expected = "one that changes nothing of a batch, an output, a transform or the weights"
        raise fault(key, part, f"{expected} in place; this one changes {changed[0]}")


def are_same(first: Any, *others: Any) -> bool:
    """Return whether values have equal tensors, bit for bit, or on a GPU but for rounding."""
    for other in others:
        for a, b in zip(tensors_in(first), tensors_in(other), strict=False):
            is_same = are_equal(wide(a), wide(b)) if a.is_cuda else digest(a) == digest(b)
            if not is_same:
                return False
    return True


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


def repeats_its_batches(trial: Trial) -> None:
    """A sampler of one's own returns the same batches whenever it is asked for an epoch."""
    keys = trial.trainer.train_loader.keys
    if user_modules.is_any_from_user(keys.sampler):
        check_batches(keys)
        try_state(SAMPLER, keys.sampler)


def takes_batches(trial: Trial) -> None:
    """forward_batch takes a model, a batch and a state, and returns what the trainer uses."""
    trainer, model = trial.trainer, trial.trainer.evaluated_model
    for name in HOOKS:
        _, *arguments = inspect.signature(getattr(BaseTrainer, name)).parameters
        wanted = f"one whose {name} takes ({', '.join(arguments)})"
        with errors_as_config_fault("trainer", trainer, wanted):
            inspect.signature(getattr(trainer, name)).bind(*arguments)
    for path, module in model.named_modules():
        if not user_modules.is_any_from_user(module):
            continue
        for name, value in vars(module).items():
            if isinstance(value, Tensor) and value.requires_grad and value.is_leaf:
                weight = f"{path}.{name}".strip(".")
                problem = f"{weight} is none, and is never trained"
                raise fault("arch", model, f"one whose weights are parameters: {problem}")
    hint = ""
    if trainer.precision != "float32":
        hint = "; some torch operations need trainer.args.precision = float32"
    try:
        with errors_as_config_fault("arch", model, f"a network that {trainer.task}", hint):
            output = trial.output
    except NotFinite as error:
        expected = "one with finite outputs for two lines; a mask that hides all makes NaN"
        raise fault(*trial.blamed("arch", "trainer", "arch"), expected) from error
    kind = trainer.output_type
    if not isinstance(output, kind):
        expected = f"a network whose forward returns the {kind.__name__} of {kind.__module__}"
        raise fault("arch", model, expected)


def holds_its_weights(trial: Trial) -> None:
    """Weights that a network or a trainer holds are parameters of a network, or kept."""
    trainer = trial.trainer
    parts = [part for part in trainer.state.parts.values() if isinstance(part, nn.Module)]
    known = {id(weight) for part in parts for weight in part.parameters()}
    for owner in filter(user_modules.is_any_from_user, (trainer, *trainer.model.modules())):
        for name, value in vars(owner).items():
            for held in value if isinstance(value, list | tuple) else [value]:
                if not isinstance(held, nn.Module) or not held.training:
                    continue  # A network that is used, not trained, is in evaluation mode.
                if any(each.requires_grad and id(each) not in known for each in held.parameters()):
                    problem = "has weights that no optimiser sees: use an attribute or a ModuleList"
                    remedy = "of the network, or keep"
                    log.warning("%s.%s %s %s", type(owner).__name__, name, problem, remedy)
                    break


def is_of_use(trial: Trial) -> None:
    """The network can be used as its trainer uses it, and has a place for each character."""
    trainer = trial.trainer
    verb = trainer.use.split()[0]  # "read" of "read INK"
    wanted = f"a network that can {verb}"
    hint = "; trainer.args.samples = 0 leaves this out" if getattr(trainer, "samples", 0) else ""
    with trainer.state.evaluating(), errors_as_config_fault("arch", trainer.model, wanted, hint):
        trainer.dry_run(trial.batch, trial.output)
        trainer.model.check_vocabulary()


def loss_of_sequences(trial: Trial) -> None:
    """A loss returns a value for each sequence, and has no parameters."""
    loss = trial.trainer.loss
    parts = trial.trainer.state.parts.values()
    other = with_other_padding(trial.output, trial.batch.mask)
    expected, doubt = trial_of_loss(loss, trial.output, trial.batch, other)
    if expected:
        raise fault("loss", loss, expected)
    if doubt:
        log.warning("%s %s", type(loss).__name__, doubt)
    networks = [part for part in parts if isinstance(part, nn.Module) and part is not loss]
    trained = {id(weight) for network in networks for weight in network.parameters()}
    named = dict(loss.named_parameters()) if isinstance(loss, nn.Module) else {}
    names_of_torch = vars(nn.Module())
    named |= {name: value for name, value in vars(loss).items() if name not in names_of_torch}
    for weight, value in named.items():
        leaves = (each for each in tensors_in(value, (id(loss),)) if each.is_leaf)
        if any(each.requires_grad and id(each) not in trained for each in leaves):
            expected = f"one without parameters: the parameter {weight} would not be trained"
            raise fault("loss", loss, expected)


def metrics_add_up(trial: Trial) -> None:
    """Metrics are made of their sums, and the trainer's extra metrics have names of their own."""
    trainer = trial.trainer
    batch, output = trial.batch, trial.output
    values: dict[str, float] = {}
    # The project's metrics have tests instead.
    batches, outputs = trial.regrouped if any(map(_is_own, trainer.valid_metrics)) else ([], [])
    held = partial(trial.held, outputs=outputs, batch=[*map(vars, batches)])
    for number, metric in enumerate(trainer.valid_metrics):
        key = f"metrics.{number}"
        with errors_as_config_fault(key, metric, "a metric"), unchanged(key, metric, held):
            expected, doubt = trial_of_metric(metric, (output, batch), batches, outputs)
            if expected:
                raise fault(key, metric, expected)
            values |= as_floats(metric.compute(), metric)
        if doubt and _is_own(metric):
            log.warning("%s %s", type(metric).__name__, doubt)
    sums = Sums(trainer.loss(output, batch).sum().item(), len(batch), batch.points)
    with unchanged("trainer", trainer, held):
        values |= sums.losses(trainer.loss.name)
        extra = as_floats(trainer.extra_metrics(values, sums), trainer)
    if repeated := extra.keys() & values.keys():
        expected = f"one whose extra_metrics do not repeat the name {min(repeated)!r}"
        raise fault("trainer", trainer, expected)


def learns_from_targets(trial: Trial) -> None:
    """A loss of a trainer with `losses` depends on what a batch has beside the network's inputs."""
    batch, pairs = trial.batch, trial.pairs
    loss = trial.trainer.loss
    other = batch.map(other_line_backwards)
    # A network that sees features may be trained to predict these.
    inputs = other.inputs if batch.targets is None else batch.inputs
    other = replace(other, inputs=inputs, lengths=batch.lengths)
    # forward_batch may read targets and hands, and hand them on to the loss in its output.
    rolled = pairs.map(lambda values: values.roll(1, 0))
    exchanged = replace(pairs, targets=rolled.targets, hand=rolled.hand)
    model = trial.trainer.evaluated_model.eval()
    if not trial.trainer.losses:
        return
    with suppress(Exception):  # A loss depends on what it fails with.
        loss_before = trial.loss_of(trial.output, batch)
        loss_after = trial.loss_of(trial.output, other)
        if not loss_before.isfinite().all() or not are_same(loss_before, loss_after):
            return
        if are_same(trial.losses(model, pairs), trial.losses(model, exchanged)):
            problem = "does not depend on targets, texts or hands, which it is to learn"
            log.warning("%s %s", type(loss).__name__, problem)


def other_line_backwards(values: Tensor) -> Tensor:
    """Return values of a batch of two lines, in the order of time reversed, for the other line."""
    rolled = values.roll(1, 0)
    return rolled.flip(1) if rolled.ndim > 1 else rolled


def keeps_lines_apart(trial: Trial) -> None:
    """In evaluation the output for a line depends on no other line, and no value on chance."""
    for _, part in trial.drawing:
        problem = "has other values in a second validation of the same weights: it draws at random"
        remedy = "as dropout does outside of training, or keeps something from call to call"
        log.warning("%s %s, %s", type(part).__name__, problem, remedy)
    if changed := changed_buffers(trial):
        problem = "changes in evaluation: the output for a line depends on the batches before"
        log.warning("%s.%s %s", type(trial.trainer.model).__name__, changed[0], problem)
    # With the longest line twice, the padding is as before.
    row = int(trial.batch.lengths.argmax())
    expected = "one whose output for a line does not depend"
    doubled = trial.output_for(trial.doubled(row))
    if trial.drawing:
        return
    for first, second in zip(tensors_in(trial.output), tensors_in(doubled), strict=False):
        # What is equal beside other lines, such as a weight that the output holds, depends on none.
        is_equal = first.shape == second.shape and torch.equal(first, second)
        has_rows = first.shape == second.shape and first.shape[:1] == (2,) and not is_equal
        # Such a matrix may compare the lines, as for a contrastive loss.
        has_columns = first.shape[1:] == (2,)
        if not has_rows or has_columns:
            continue
        if not all(are_equal(wide(first[row]), wide(each)) for each in second):
            expected = f"{expected} on the others of a batch, in evaluation"
            raise fault(*trial.blamed("arch", "trainer"), expected)


def changed_buffers(trial: Trial) -> list[str]:
    """Return the buffers that an evaluation changes, if a second output for a batch is another."""
    trainer = trial.trainer
    outputs = list[Any]()
    with random_state_kept(), trainer.state.evaluating() as model, trainer.autocast():
        before = {name: digest(buffer) for name, buffer in model.named_buffers()}
        for _ in range(2):
            seed_all(0)
            outputs.append(trainer.forward_batch(model, trial.batch, None))
        present = dict(model.named_buffers())
        changed = [name for name in before if digest(present.get(name)) != before[name]]
        return [] if are_same(*outputs) else changed


def sees_no_padding(trial: Trial) -> None:
    """Neither loss nor network sees padding."""
    model = trial.trainer.model
    evaluated = trial.trainer.evaluated_model.eval()
    if trial.drawing:
        return  # With padding it would draw more.
    compare_padded(trial, evaluated, trial.losses(evaluated, trial.pairs))
    for module in model.train().modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()  # It would draw, so that losses differ without padding, too.
    losses = trial.losses(model, trial.pairs)
    for seed in range(NUM_REPEATS):
        torch.manual_seed(seed)
        if not torch.equal(losses, trial.losses(model, trial.pairs)):
            return  # The network draws in training.
    compare_padded(trial, model, losses)


def with_padding(batch: Batch, *names: str) -> Batch:
    """Return a batch with more padding behind its "inputs", "targets" or "text"."""
    padded = dict[str, Any]()
    for name in names:
        values = getattr(batch, name)
        if values is not None:
            added = values.shape[1] // 2 + 1
            # Sizes are (before, after) of each dimension, from the last one to that of time.
            sizes = [0, 0] * (values.ndim - 2) + [0, added]
            padded[name] = nn.functional.pad(values, sizes)
    return replace(batch, **padded)


def compare_padded(trial: Trial, model: nn.Module, losses: Tensor) -> None:
    """Refuse `losses` of the pairs, or a divisor, that change with more padding behind them."""
    loss = trial.trainer.loss
    padded = with_padding(trial.pairs, "inputs", "targets", "text")
    try:
        padded_losses = trial.losses(model, padded)
        divisors = [float(loss.divisor(batch)) for batch in (trial.pairs, padded)]
    except NotFinite:
        raise
    except Exception:  # It may rely on batches that are as long as their longest sequence.
        return
    if not math.isclose(*divisors):
        expected = f"one whose divisor counts no padding; it was {divisors[0]:g}, then"
        raise fault("loss", loss, f"{expected} {divisors[1]:g} with more padding")
    if are_equal(losses, padded_losses):
        return
    row = int((losses - padded_losses).abs().argmax())
    mode = " in training, as with BatchNorm" if model.training else ""
    is_of_texts = not are_equal(losses, trial.losses(model, with_padding(trial.pairs, "text")))
    place = "beyond batch.text_lengths" if is_of_texts else "where batch.mask is False"
    expected = f"one with which neither loss nor network sees padding ({place}) or draws for it"
    difference = f"the loss of a sequence was {losses[row]:.5g}, then {padded_losses[row]:.5g}"
    raise fault(*trial.blamed("loss", "arch"), f"{expected}; {difference}{mode}")


def has_gradient(trial: Trial) -> None:
    """A loss has a gradient."""
    model = trial.trainer.model.train()
    loss = trial.trainer.loss
    key, part = trial.blamed("loss", "arch")
    with plain_layers(trial.trainer.plain_layers), torch.enable_grad():
        losses = trial.losses(model, trial.pairs)
        losses.sum().backward()
    if not torch.isfinite(losses).any() and _is_own(part):
        if any(torch.isnan(each).any() for each in tensors_in(trial.output)):
            key, part = "arch", model
        raise fault(key, part, "one with finite losses: those of all samples are NaN or infinite")
    named = {name: each for name, each in model.named_parameters() if each.requires_grad}
    if all(weight.grad is None or not weight.grad.any() for weight in named.values()):
        if key == "arch" and named:
            count = f"the gradients of all {len(named)} are 0: {first_of([*named])}"
            raise fault(key, part, f"one with a gradient of its trained weights; {count}")
        raise fault("loss", loss, "one with a gradient: it depends on no weight of the network")


def uses_its_state(trial: Trial) -> None:
    """Where sequences are cut, the network goes on from the state of the chunk before."""
    trainer, batch = trial.trainer, trial.batch
    if trainer.settings.truncate is None:
        return
    chunk = batch.chunk(0, math.ceil(batch.inputs.shape[1] / 2))
    with trainer.state.evaluating() as model:
        initial = trainer.forward_batch(model, chunk, None)
        continued = trainer.forward_batch(model, chunk, initial.state)
    if torch.equal(trainer.loss(initial, chunk), trainer.loss(continued, chunk)):
        problem = "makes no use of the state: each chunk begins anew (trainer.args.truncate)"
        log.warning("%s.forward_batch %s", type(trainer).__name__, problem)


def makes_steps(trial: Trial) -> None:
    """Steps change weights, which stay finite, and nothing of a batch."""
    trainer = trial.trainer
    trained = {id(weight) for weight in trainer.optimizer_step.weights}
    named = trainer.model.named_parameters()
    weights = {name: each for name, each in named if each.requires_grad and id(each) in trained}
    before = {name: each.clone() for name, each in weights.items()}
    to_blame = trial.blamed("trainer", "optimizer", "trainer")
    idle = [*weights]
    changes = list[float]()
    # Three steps show what changes with each second one; cut sequences are two chunks, two steps.
    num_steps = 3 if trainer.settings.truncate is None else 2
    batches = [trial.batch] * num_steps
    for batch in (*batches, trial.pairs):
        is_idle = 0 < len(idle) == len(weights)
        if len(changes) == num_steps and not is_idle:
            break  # Only a loss that needs several samples of a person needs the pairs.
        changes.append(make_step(trainer, batch))
        gradients = {name: weights[name].grad for name in idle}
        idle = [name for name, each in gradients.items() if each is None or not each.any()]
    sums = trainer.state.sums
    count = trainer.settings.accumulate * num_steps * len(trial.batch)
    if sums.sequences < count and not sums.skipped and trainer.settings.truncate is None:
        problem = f"returns Sums of {sums.sequences:g} of {count} sequences: pass on all chunks"
        log.warning("%s.step %s", type(trainer).__name__, problem)
    if not trainer.state.weights_are_finite():
        raise fault(*to_blame, "one whose step leaves the weights finite")
    same = [name for name, weight in weights.items() if torch.equal(weight, before[name])]
    if all(change > 0 for change in changes) and len(same) == len(weights):
        raise fault(*to_blame, "one whose step changes weights of the network")
    for problem in sorted(trainer.optimizer_step.misused):
        log.warning("%s %s", type(trainer).__name__, problem)
    # A network that is left in evaluation mode may have no other.
    if not trainer.model.training and trainer.model.train().training:
        problem = "leaves the network in evaluation mode, without dropout, in a step"
        log.warning("%s %s: end with model.train()", type(trainer).__name__, problem)
    frozen = {name for name, each in weights.items() if each in trainer.optimizer_step.frozen}
    is_nothing_trained = len(same) == len(weights)
    # By the rule before, the loss has a gradient.
    if is_nothing_trained and len(weights) > len(frozen):
        _, part = trial.blamed("trainer", "loss", "arch")
        cause = "its step returns a norm of 0: use apply_gradients"
        if not any(map(math.isfinite, changes)):
            cause = "gradients are not finite in any step"
        elif len(idle) == len(weights):
            cause = "gradients are 0 in all steps"
        elif trainer.optimizer_step.learning_rate == 0:
            cause = "the learning rate is 0"
        log.warning("%s: nothing is trained, as %s", type(part).__name__, cause)
    elif idle := [name for name in idle if name in same and name not in frozen]:
        problem = f"{len(idle)} of {len(weights)} weights get no gradient: {first_of(idle)}"
        log.warning("%s: %s", type(trainer.model).__name__, problem)


def trains_its_prediction(trial: Trial) -> None:
    """Whatever of a prediction depends on the weights has a gradient."""
    trainer, batch = trial.trainer, trial.batch
    before = held_by(getattr(trial.output, "prediction", None))
    after = held_by(getattr(trial.output_for(batch), "prediction", None))  # after the steps
    if not before or trial.drawing:
        return
    with random_state_kept(), torch.enable_grad(), trainer.autocast():
        trained = held_by(trainer.forward_batch(trainer.model.train(), batch, None).prediction)
    for name, part in trained.items():
        is_number = isinstance(part, Tensor) and part.is_floating_point()
        if is_number and not part.requires_grad and not are_same(before.get(name), after.get(name)):
            _, owner = trial.blamed("arch", "trainer", "arch")
            problem = "depends on the weights and has no gradient, as if detached"
            log.warning("%s: prediction.%s %s", type(owner).__name__, name, problem)


def make_step(trainer: BaseTrainer, batch: Batch) -> float:
    """Make a step, of chunks if sequences are cut; return the learning rate times the norm."""
    wanted = "one whose step takes chunks, and returns Sums and the norm of the gradient"
    stream, state = trainer.stream, trainer.state
    truncate = trainer.settings.truncate
    if not state.position.chunk:
        # Two chunks show whether a state is carried over.
        steps = None if truncate is None else math.ceil(batch.inputs.shape[1] / 2)
        stream.begin(state.position, [batch] * trainer.settings.accumulate, steps)
    with errors_as_config_fault("trainer", trainer, wanted), torch.enable_grad():
        chunks = stream.chunks(state.position, state.carried)
        sums = trainer.make_step(chunks)
        norm = float(sums.gradient_norm)
    state.end_step(sums, chunks, stream.after(state.position))
    return norm * sums.learning_rate


def goes_on_as_saved(trial: Trial) -> None:
    """Made again and given the state of a checkpoint, all parts are the same, and so is a step."""
    trainer, network = trial.trainer, trial.trainer.model
    for name, part in trainer.state.kept.items():
        key = "loss" if name == "loss" else "trainer"  # which keeps all other parts
        try_state(key, part)
    with random_state_kept():
        again = trial.remake()
    try:
        content = reloaded(trainer.run_checkpoints.content())
        load_weights(again.evaluated_model, content["state_dict"], "its checkpoint")
    except Exception as error:  # A user's load_state_dict may raise any.
        expected = "a network that a checkpoint can hold, and that takes its saved weights"
        raise fault("arch", network, f"{expected}: {' '.join(str(error).split())}") from error
    lost = again.run_checkpoints.restore_exactly(content, Path("its checkpoint"))
    for path in lost:
        name, _, value = path.partition(".")
        key = "arch" if name in ("model", "average") else name
        if key not in ("arch", "loss", "optimizer", "lr_scheduler"):
            key = "trainer"
        expected = f"one whose load_state_dict restores what state_dict returned, also {value}"
        raise fault(key, again.state.parts[name], expected)
    losses = []
    for model in (trainer.evaluated_model.eval(), again.evaluated_model.eval()):
        with trainer.state.unchanged(), again.state.unchanged():
            losses.append(trial.losses(model, trial.batch))
    # What a loss keeps outside of itself makes other losses, and is no fault of the network.
    if not are_equal(*losses) and ("loss", trainer.loss) not in trial.drawing:
        expected = "a network whose state_dict holds all that its output depends on; made again and"
        cause = "given its saved weights, it has other outputs, as with layers in a plain list"
        raise fault("arch", network, f"{expected} {cause}")
    saved = states(trainer)
    before = [weight.clone() for weight in trainer.optimizer_step.weights]
    for each in (trainer, again):
        with random_state_kept():
            make_step(each, trial.doubled(0))  # another batch, to see state of the first one
    if warn_of_lost(trainer, again, trial.initial, saved):
        return
    if differ(trainer.optimizer_step.weights, again.optimizer_step.weights, before):
        _, part = trial.blamed("trainer", "loss", "optimizer", "lr_scheduler", "arch", "trainer")
        problem = "makes other steps in a resumed run: what they depend on is not in a checkpoint"
        log.warning("%s %s", type(part).__name__, problem)


def differ(weights: Sequence[Tensor], others: Sequence[Tensor], before: Sequence[Tensor]) -> bool:
    """Return whether weights differ after a step from `before` by more than 0.001 of the step.

    By float32 and by the order of sums, steps on a GPU may differ a little.
    """
    for weight, other, previous in zip(weights, others, before, strict=True):
        is_trained = weight.is_floating_point() or weight.is_complex()
        if not is_trained or not weight.numel():
            continue
        step = (weight - previous).abs().max()
        difference = (weight - other).abs().max()
        if difference > 1e-3 * step:
            return True
    return False


RULES = (
    *(repeats_its_batches, takes_batches, holds_its_weights, is_of_use, loss_of_sequences),
    *(learns_from_targets, keeps_lines_apart, sees_no_padding, metrics_add_up, uses_its_state),
    *(has_gradient, makes_steps, trains_its_prediction, goes_on_as_saved),
)
"""The rules in the order in which they are tried."""
