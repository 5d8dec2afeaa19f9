"""What own parts have to do: a row a broken rule, with the sentence that names it."""

import itertools
import logging
import math
import random
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from every_kind import RUN as EVERY_KIND
from every_kind import refused
from own_steps import Critic, Judged
from tiny_run import (
    TRAIN,
    ChunkTrainer,
    Curriculum,
    MeanPrediction,
    Sequences,
    SquaredError,
    TinyModel,
    TinyOutput,
    make,
    sequence,
    thawing,
)
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from base.base_trainer import BaseTrainer
from base.data.samples import Columns
from base.run.run_state import Sums
from base.trial.contract import Trial, check
from ink.sample import Sample
from utils.checks import NotFinite, UserError


def counts_the_padding(_, output, batch):
    return (output.prediction - batch.targets).square().sum((1, 2))


def looks_at_the_last_step(_, output, batch):
    """Which is one of the padding for all lines but the longest."""
    errors = (output.prediction - batch.targets).square().sum(-1) * batch.mask
    return errors.sum(1) + 1e-3 * output.prediction[:, -1, 0].square()


def looks_away(_, output, batch):
    return (0.0 * output.prediction * batch.mask[..., None]).sum((1, 2))


def keeps_its_sums(metric):
    vars(metric).update({"sum": torch.zeros(()), "count": 0} | vars(metric))


def grows(metric, *_):
    vars(metric).update(sum=torch.ones(3))


def has_a_parameter(loss, by_points=True):
    vars(loss).update(by_points=by_points, scale=nn.Parameter(torch.ones(2)))


def shifts_its_targets(trainer, model, batch, state=None):
    batch.targets += 1
    return model(batch.inputs)


def shifts_its_chunk(trainer, chunks):
    chunks[0].batch.targets[0] += 1
    return trainer.add_gradients(chunks)[0], trainer.apply_gradients(chunks)


def mixes_its_lines(network, inputs, *_):
    return TinyOutput(network.output(network.layer(inputs - inputs.mean(0))[0]), {})


def assigns(metric, output, batch):
    metric.sum, metric.count = output.prediction[batch.mask].double().sum(), batch.points


def clips(metric, output, batch):
    ADDS(metric, output, batch)
    output.prediction.clamp_(-1e-3, 1e-3)


def sees_the_first_batch(metric, output, batch):
    if not vars(metric).setdefault("done", False):
        ADDS(metric, output, batch)
    metric.done = True


def has_tensors(loss, by_points=True):
    vars(loss).update(by_points=by_points, scales={"a": [torch.ones(2, requires_grad=True)]})


def hides_the_state(trainer, *parts, **options):
    TRAINER(trainer, *parts, **options)
    trainer.state = {}


def ends_the_program(*_):
    raise SystemExit(0)


def fails(*_):
    raise ValueError("oh no")


def fails_in_training(network, *words):
    return fails() if network.training else FORWARD(network, *words)


def changes_a_transform(trainer, chunks):
    trainer.train_loader.dataset.augmentation[0].degrees += 1
    return STEP(trainer, chunks)


def scales_its_inputs(network, inputs, *words):
    return FORWARD(network, inputs.mul_(2.0), *words)


def changes_its_output(loss, output, batch):
    output.prediction += 1.0
    return LOSS(loss, output, batch)


def shrinks_the_weights(trainer, values, sums):
    trainer.model.output.weight.data *= 0.9
    return {}


def grows_a_buffer(network, inputs, *words):
    if network.training:
        network.register_buffer("seen", torch.ones(len(vars(network).get("seen", ())) + 1))
    return FORWARD(network, inputs, *words)


def clamps_its_weights(network, *words):
    network.output.weight.data.clamp_(-0.05, 0.05)
    return FORWARD(network, *words)


def goes_on_from_line_to_line(network, inputs, *words):
    return FORWARD(network, inputs.flip(0).cumsum(0).flip(0), *words)  # the longest is the last


def counts_characters(network, inputs, text, *words):
    return FORWARD(network, inputs + text.shape[1], text, *words)


def diverges(*_):
    raise NotFinite("no distribution")


ADDS = MeanPrediction.update
FORWARD = TinyModel.forward
STEP = ChunkTrainer.step
LOSS, MODEL = SquaredError.__call__, TinyModel.__init__
TRAINER = ChunkTrainer.__init__
CALLS = itertools.count()
NAMED = {"mean_prediction": (MeanPrediction, "compute"), "own": (ChunkTrainer, "extra_metrics")}
BROKEN = [
    # It would train as well, at a small part of the learning rate.
    (SquaredError, "__call__", lambda _, output, __: output.prediction.mean(), r"\(2,\), not \(\)"),
    (SquaredError, "__call__", counts_the_padding, "neither loss nor network sees padding"),
    (
        SquaredError,
        "__call__",
        looks_at_the_last_step,
        "it reads padded outputs, where batch.mask is",
    ),
    (SquaredError, "__call__", lambda *given: given[2].lengths.float(), "require grad"),
    (SquaredError, "__call__", looks_away, '^loss = "SquaredError": .* depends on no weight'),
    *(
        (SquaredError, "divisor", lambda *_, by=by: by, f"divisor is more than 0, not {by:g}")
        for by in (0, -1.0, math.nan)
    ),
    (SquaredError, "divisor", lambda _, batch: batch.mask.numel(), "no padding; it was .*, then"),
    (TinyModel, "forward", clamps_its_weights, '^arch = "TinyModel": .*changes weights'),
    (SquaredError, "__init__", has_a_parameter, "one without parameters: the parameter scale"),
    (SquaredError, "state_dict", lambda _: {"calls": next(CALLS)}, "afterwards it has another"),
    (MeanPrediction, "reset", keeps_its_sums, "makes its sums zero"),
    (MeanPrediction, "update", grows, '^metrics.0 = "MeanPrediction": .*final shape'),
    (MeanPrediction, "update", lambda own, *_: own.total, "'MeanPrediction' object has no .*total"),
    (MeanPrediction, "compute", lambda _: {"mean": 0.0}, "returns all of its names: mean_pred"),
    *(
        (MeanPrediction, "update", lambda own, *_, by=by: vars(own).update(count=by), "at most 64")
        for by in (1j, 2**70)
    ),
    (MeanPrediction, "sums", ("sum",), "compute depends only on its sums: sum"),
    *(
        (*NAMED[name], lambda *_, name=name, value=value: {name: value}, f"'{name}': a number is")
        for name in NAMED
        for value in (torch.ones(2), "half", None)
    ),
    (MeanPrediction, "update", assigns, "adds up: it depends on the order"),
    (MeanPrediction, "update", clips, "in place; this one changes output"),
    (MeanPrediction, "update", sees_the_first_batch, '\'MeanPrediction|"MeanPrediction": a metric'),
    (MeanPrediction, "update", ends_the_program, '^metrics.0 = "MeanPrediction": .* SystemExit'),
    (TinyModel, "forward", mixes_its_lines, '^arch = "TinyModel": .* on the others of a batch'),
    (TinyModel, "forward", goes_on_from_line_to_line, '"TinyModel": .* on the others of a batch'),
    (TinyModel, "forward", counts_characters, r"sees padding \(beyond batch.text_lengths\)"),
    (TinyModel, "forward", diverges, '^arch = "TinyModel": one with finite outputs for two lines'),
    (TinyModel, "forward", fails_in_training, '^arch = "TinyModel": .*ValueError: oh no'),
    (SquaredError, "__init__", has_tensors, "the parameter scales would not be trained"),
    (SquaredError, "divisor", fails, '^loss = "SquaredError": .*ValueError: oh no'),
    (ChunkTrainer, "__init__", hides_the_state, "without a state of its own, which BaseTrainer"),
    (ChunkTrainer, "step", ends_the_program, '^trainer = "ChunkTrainer": .*SystemExit'),
    (ChunkTrainer, "extra_metrics", lambda *_: {"error": 0.0}, "do not repeat the name 'error'"),
    (ChunkTrainer, "state_dict", lambda _: {"of": [{"made": Path("a")}]}, r"of\.0\.made = Posix"),
    (ChunkTrainer, "step", lambda self, chunks: self.add_gradients(chunks), "changes weights"),
    (ChunkTrainer, "step", lambda self, chunks: None, "returns Sums and the norm of the gradient"),
    (ChunkTrainer, "apply_gradients", lambda *_: 1.0, "whose step changes weights of the network"),
    (ChunkTrainer, "forward_batch", lambda self, model, batch: 0, "too many positional"),
    (ChunkTrainer, "forward_batch", shifts_its_targets, '^trainer = "Chunk.*changes targets'),
    (ChunkTrainer, "step", shifts_its_chunk, '^trainer = "ChunkTrainer": .*changes targets'),
    (TinyModel, "forward", scales_its_inputs, '^arch = "TinyModel": .*changes inputs'),
    (TinyModel, "forward", grows_a_buffer, '^arch = "TinyModel": .*saved weights: model: seen is'),
    (SquaredError, "__call__", changes_its_output, '^loss = "SquaredError": .*changes output'),
    (ChunkTrainer, "extra_metrics", shrinks_the_weights, '^trainer = "Chunk.*changes weights'),
]


@pytest.mark.parametrize(("cls", "name", "does", "message"), BROKEN)
def test_part_that_breaks_a_rule_is_refused_with_the_sentence_of_the_rule(
    tmp_path, monkeypatch, cls, name, does, message
):
    monkeypatch.setattr(cls, name, does)
    with pytest.raises(UserError, match=message):
        check(partial(make, tmp_path, monitor=None))
    assert not list(tmp_path.iterdir())


def drops_losses(*given):
    return functional.dropout(LOSS(*given), 0.2)


def adds_noise(*given):
    losses = LOSS(*given)
    return losses + 1e-4 * torch.randn_like(losses)


def drops_points(network, *words):
    output = FORWARD(network, *words)
    return TinyOutput(functional.dropout(output.prediction, 0.1), output.state)


def drops_lines(network, *words):
    output = FORWARD(network, *words)
    kept = functional.dropout(torch.ones(len(output.prediction), 1, 1), 0.3)
    return TinyOutput(kept * output.prediction, output.state)


def samples_points(metric, output, batch):
    ADDS(metric, output, replace(batch, lengths=1 + (batch.lengths * torch.rand(1)).long()))


def compares_with_its_inputs(loss, output, batch):
    return LOSS(loss, output, replace(batch, targets=batch.inputs))


def has_idle_layers(network, dropout):
    MODEL(network, dropout)
    network.spare, network.frozen = nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False)


def counts_from_the_third_step(trainer, chunks):
    if trainer.progress.step >= 2:
        trainer.late = vars(trainer).get("late", 0) + 1
    return STEP(trainer, chunks)


def averages_batches(metric, output, batch):
    metric.sum = metric.sum + output.prediction[batch.mask].double().mean()
    metric.count += 1


def averages_padding(metric, output, batch):
    metric.sum = metric.sum + (output.prediction * batch.mask[..., None]).double().sum()
    metric.count += batch.mask.numel()


def steps_itself(trainer, chunks):
    sums, _ = trainer.add_gradients(chunks)
    trainer.optimizer_step.optimizer.step()
    return sums, 1.0


def clears_its_gradients(trainer, chunks):
    sums, _ = trainer.add_gradients(chunks)
    trainer.optimizer_step.optimizer.zero_grad()
    return sums, trainer.apply_gradients(chunks)


def evaluates(trainer, chunks):
    trainer.model.eval()
    return STEP(trainer, chunks)


def does_not_divide(trainer, chunks):
    sums, _ = trainer.add_gradients(chunks)
    norm = trainer.optimizer_step.clip()
    trainer.optimizer_step.update()
    return sums, norm


def freezes_itself(network, *words):
    network.layer.bias_hh_l0.requires_grad_(False)
    return FORWARD(network, *words)


def updates_twice(trainer, chunks):
    STEP(trainer, chunks)
    return STEP(trainer, chunks)


def holds_a_layer(trainer, *parts, **options):
    TRAINER(trainer, *parts, **options)
    trainer.head, trainer.judge = nn.Linear(2, 2), nn.Linear(2, 2).eval()


def holds_layers(network, dropout):
    MODEL(network, dropout)
    network.layers, network.own = [nn.Linear(2, 2)], [network.output]


SUSPECT = [
    (ChunkTrainer, "step", updates_twice, "ChunkTrainer updates the weights twice in a step"),
    (ChunkTrainer, "__init__", holds_a_layer, "ChunkTrainer.head has weights that no optimiser"),
    (TinyModel, "__init__", holds_layers, "TinyModel.layers has weights that no optimiser sees"),
    (TinyModel, "forward", freezes_itself, "TinyModel.layer.bias_hh_l0.requires_grad changes in"),
    (ChunkTrainer, "step", evaluates, "ChunkTrainer leaves the network in evaluation mode"),
    (ChunkTrainer, "step", does_not_divide, "ChunkTrainer calls update() without reduce()"),
    (
        *(ChunkTrainer, "step", lambda self, chunks: (self.add_gradients(chunks)[0], 0.0)),
        "ChunkTrainer: nothing is trained, as its step returns a norm of 0",
    ),
    *(
        (MeanPrediction, "update", does, "MeanPrediction has other values if the same lines come")
        for does in (averages_batches, averages_padding)
    ),
    (SquaredError, "__call__", lambda *given: LOSS(*given).half(), "SquaredError returns float16"),
    (
        *(ChunkTrainer, "step", lambda self, chunks: (Sums(), STEP(self, chunks)[1])),
        "ChunkTrainer.step returns Sums of 0 of 6 sequences: pass on all chunks",
    ),
    (ChunkTrainer, "step", steps_itself, "ChunkTrainer calls step() of the optimiser"),
    (ChunkTrainer, "step", clears_its_gradients, "ChunkTrainer: nothing is trained, as gradients"),
    *(
        (cls, name, does, f"{cls.__name__} has other values in a second validation of the same")
        for cls, name, does in (
            (SquaredError, "__call__", drops_losses),
            (SquaredError, "__call__", adds_noise),
            (TinyModel, "forward", drops_points),
            (TinyModel, "forward", drops_lines),
        )
    ),
    (MeanPrediction, "update", samples_points, "MeanPrediction has other values for the same out"),
    (SquaredError, "__call__", compares_with_its_inputs, "SquaredError does not depend on targets"),
    (TinyModel, "__init__", has_idle_layers, "TinyModel: 2 of 8 weights get no gradient: spare.we"),
    (ChunkTrainer, "step", counts_from_the_third_step, "ChunkTrainer.late changes in a step"),
]


@pytest.mark.parametrize(("cls", "name", "does", "message"), SUSPECT)
def test_what_may_be_a_fault_is_warned_of_in_one_line(
    tmp_path, monkeypatch, caplog, cls, name, does, message
):
    monkeypatch.setattr(cls, name, does)
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    check(partial(make, tmp_path, monitor=None, dropout=0.0))
    assert [record.getMessage()[: len(message)] for record in caplog.records] == [message]


class Scaling(TinyModel):
    """Adapts a buffer in evaluation as in training."""

    def __init__(self, dropout):
        super().__init__(dropout)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, inputs, *words):
        self.scale = 1.1 * self.scale
        return super().forward(inputs / self.scale, *words)


@dataclass
class Pen:
    """Offsets, and an end of stroke that the loss does not train."""

    offsets: torch.Tensor
    end_logits: torch.Tensor
    scale: torch.Tensor

    def log_prob(self, points):
        ends = functional.softplus(self.end_logits) - self.end_logits * points[..., 2]
        return -(self.offsets - points[..., :2]).square().sum(-1) - ends


class Detaching(TinyModel):
    def forward(self, inputs, *words):
        output = super().forward(inputs, *words)
        offsets, end_logits = output.prediction.split((2, 1), -1)
        pen = Pen(offsets, end_logits[..., 0].detach(), torch.ones_like(offsets))
        return TinyOutput(pen, output.state)


def log_loss(loss, output, batch):
    return -(output.prediction.log_prob(batch.targets) * batch.mask).sum(1)


class Doubling(ChunkTrainer):
    """Has two optimisers for the same weights."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.keep("second", torch.optim.SGD(self.model.parameters(), lr=0.01))


class Drawn(ChunkTrainer):
    """Its loss has a generator without a seed, of which no state knows."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.loss.generator = np.random.default_rng()


def adds_numbers(loss, output, batch):
    return LOSS(loss, output, batch) + float(loss.generator.random())


@pytest.mark.parametrize(
    ("parts", "loss", "messages"),
    [
        ({"network": Scaling}, LOSS, ["Scaling.scale changes in evaluation"]),
        (
            {"network": Detaching, "metrics": ()},
            log_loss,
            ["Detaching: prediction.end_logits depends on the weights and has no gradient"],
        ),
        ({"trainer": Doubling}, LOSS, ["Doubling keeps the optimiser second of weights"]),
        (
            {"trainer": Drawn},
            adds_numbers,
            ["SquaredError has other values in a second", "SquaredError.generator changes in a"],
        ),
    ],
    ids=["buffer", "detached", "optimiser", "generator"],
)
def test_the_part_that_may_be_at_fault_is_named(
    tmp_path, monkeypatch, caplog, parts, loss, messages
):
    monkeypatch.setattr(SquaredError, "__call__", loss)
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    check(partial(make, tmp_path, monitor=None, dropout=0.0, **parts))
    told = [message for message in caplog.messages if "nothing is trained" not in message]
    assert [one[: len(start)] for one, start in zip(told, messages, strict=True)] == messages


class Factors(TinyModel):
    """Trains two factors alone, both of which are zero."""

    def __init__(self, dropout):
        super().__init__(dropout)
        self.requires_grad_(False)
        self.down, self.up = (nn.Parameter(torch.zeros(size)) for size in ((3, 1), (1, 3)))

    def forward(self, inputs, *words):
        output = super().forward(inputs, *words)
        return TinyOutput(output.prediction + inputs @ self.down @ self.up, output.state)


def test_a_network_whose_trained_weights_get_no_gradient_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(SquaredError, "__module__", "model.generation.loss")  # no part of a user
    with pytest.raises(UserError, match=r'^arch = "Factors": .* of all 2 are 0: down, up'):
        check(partial(make, tmp_path, network=Factors))


class Renaming(ChunkTrainer):
    """Restores another attribute than it saved."""

    number = 0

    def step(self, chunks):
        self.number += 1
        return super().step(chunks)

    def state_dict(self):
        return {"number": self.number}

    def load_state_dict(self, state):
        self.numbers = state["number"]


def test_a_state_that_is_saved_and_not_restored_is_refused_by_its_name(tmp_path):
    message = '^trainer = "Renaming": one whose load_state_dict restores .* also number'
    with pytest.raises(UserError, match=message):
        check(partial(make, tmp_path, trainer=Renaming))


def looks_up(loss, output, batch):
    """Compare a prediction with what the number of its sample stands for."""
    means = (output.prediction * batch.mask[..., None]).sum((1, 2)) / batch.lengths
    return (means - batch.index).square()


class Computing(ChunkTrainer):
    """Its output has the loss."""

    def forward_batch(self, model, batch, state=None):
        output = super().forward_batch(model, batch, state)
        output.state["loss"] = LOSS(self.loss, output, batch)
        return output


class Compiled(ChunkTrainer):
    """Its steps go through a compiled network, which leaves marks on the weights."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.compiled = torch.compile(self.model.output, backend="eager")

    def step(self, chunks):
        self.compiled(torch.zeros(1, 4))
        return super().step(chunks)


def has_complex_weights(network, dropout):
    MODEL(network, dropout)
    network.turn = nn.Parameter(torch.view_as_complex(torch.randn(4, 2)))
    network.register_buffer("phases", torch.polar(torch.ones(4), torch.randn(4)))


def turns(network, *words):
    output, turned = FORWARD(network, *words), (network.turn * network.phases).sum()
    state = output.state | {"turn": turned.expand(len(output.prediction)).clone()}
    return TinyOutput(output.prediction + turned.real, state)


def has_an_embedding(network, dropout):
    MODEL(network, dropout)
    network.places = nn.Embedding(12, 3, max_norm=0.5)


def has_a_parameter_as_buffer(network, dropout):
    MODEL(network, dropout)
    network.register_buffer("scale", nn.Parameter(torch.ones(())))


def scales(network, inputs, *words):
    return FORWARD(network, inputs * network.scale, *words)


def embeds_a_place(network, inputs, *words):
    return FORWARD(network, inputs + network.places(torch.tensor([0])), *words)


@dataclass
class Placed(TinyOutput):
    places: nn.Module
    scale: torch.Tensor


def has_places(network, dropout):
    MODEL(network, dropout)
    network.places = nn.Embedding(2, 3)
    network.register_buffer("scale", torch.arange(1.0, 3.0))


def returns_its_places(network, *words):
    output = FORWARD(network, *words)
    prediction = output.prediction * network.places.weight.sum() * network.scale.sum()
    return Placed(prediction, output.state, network.places, 2 * network.scale)


class Reconstructing(ChunkTrainer):
    """Has a task of its own."""

    losses = ()


def has_a_scale(loss, by_points=True):
    vars(loss).update(by_points=by_points, scale=torch.ones(()))


SCALED = [
    (SquaredError, "__init__", has_a_scale),
    (SquaredError, "__call__", lambda loss, *given: LOSS(loss, *given) * loss.scale),
    (SquaredError, "state_dict", lambda loss: {"scale": loss.scale}),
    (SquaredError, "load_state_dict", lambda loss, state: loss.scale.copy_(state["scale"])),
]
"""A loss whose gradient needs a tensor of its state, which a restoration changes in place."""
SOUND = [
    (SCALED, ChunkTrainer),
    (
        [(TinyModel, "__init__", has_a_parameter_as_buffer), (TinyModel, "forward", scales)],
        ChunkTrainer,
    ),
    (
        [(TinyModel, "__init__", has_an_embedding), (TinyModel, "forward", embeds_a_place)],
        ChunkTrainer,
    ),
    ([(SquaredError, "__call__", looks_up)], ChunkTrainer),
    (
        [(TinyModel, "__init__", has_places), (TinyModel, "forward", returns_its_places)],
        ChunkTrainer,
    ),
    ([(SquaredError, "__call__", lambda _, output, __: output.state["loss"])], Computing),
    ([(TinyModel, "__init__", has_complex_weights), (TinyModel, "forward", turns)], ChunkTrainer),
    ([], Compiled),
    ([(SquaredError, "__call__", compares_with_its_inputs)], Reconstructing),
]


@pytest.mark.parametrize(("changes", "trainer"), SOUND)
def test_what_is_rare_but_sound_passes_without_a_word(
    tmp_path, monkeypatch, caplog, recwarn, changes, trainer
):
    for change in changes:
        monkeypatch.setattr(*change)
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    check(partial(make, tmp_path, monitor=None, dropout=0.0, trainer=trainer))
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert not [each for each in recwarn if "complex" in str(each.message)]


def test_weights_that_are_frozen_at_first_are_not_said_to_get_no_gradient(tmp_path, caplog):
    check(partial(make, tmp_path, monitor=None, dropout=0.0, optimizer=thawing))
    assert "no gradient" not in caplog.text and "nothing is trained" not in caplog.text


CALLED = itertools.count(1)


def test_a_loss_that_depends_on_a_module_is_blamed_and_not_the_network(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(SquaredError, "__call__", lambda *given: LOSS(*given) * next(CALLED))
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    check(partial(make, tmp_path, monitor=None, dropout=0.0))
    assert caplog.messages[0].startswith("SquaredError has other values in a second validation")
    assert all("TinyModel" not in message for message in caplog.messages)


def test_a_gradient_that_is_never_finite_is_blamed_on_the_part_of_the_user(
    tmp_path, monkeypatch, caplog
):
    def has_no_slope(loss, output, batch):
        rest = output.prediction - output.prediction.detach()
        return LOSS(loss, output, batch) + rest.square().sum((1, 2)).sqrt()

    monkeypatch.setattr(SquaredError, "__call__", has_no_slope)
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    check(partial(make, tmp_path, dropout=0.0))
    assert caplog.messages[1].endswith(
        "nothing is trained, as gradients are not finite in any step"
    )


def test_a_loss_that_is_no_number_is_not_said_to_depend_on_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(SquaredError, "__call__", lambda *given: LOSS(*given) * math.nan)
    with pytest.raises(UserError, match="one with finite losses"):
        check(partial(make, tmp_path, dropout=0.0))
    assert not caplog.messages


def test_the_steps_of_a_trial_are_counted_as_in_a_run(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(
        ChunkTrainer,
        "step",
        lambda self, chunks: steps.append(self.progress.step) or STEP(self, chunks),
    )
    check(partial(make, tmp_path))
    assert steps == [0, 1, 2, 3, 3]  # the last is made twice, also by what is restored


class Normed(TinyModel):
    """Normalises its inputs by the mean over a batch, padding included."""

    def __init__(self):
        super().__init__(0.5)
        self.norm = nn.BatchNorm1d(3, affine=False)

    def forward(self, inputs, text=None, text_lengths=None, state=None):
        return super().forward(self.norm(inputs.transpose(1, 2)).transpose(1, 2), None, None, state)


def normed(folder: Path) -> BaseTrainer:
    """Return a trainer whose network has a norm over the batch."""
    trainer = make(folder, monitor=None)
    trainer.model.__class__, trainer.model.norm = Normed, Normed().norm
    return trainer


def test_norm_over_padding_is_refused_in_training(tmp_path):
    with pytest.raises(UserError, match=r"sees padding .* in training, as with BatchNorm"):
        check(partial(normed, tmp_path))


def compares_its_rows(_, output, batch):
    """How near a line is to others than itself; without another row of the same, nothing."""
    means = (output.prediction * batch.mask[..., None]).sum(1) / batch.lengths[:, None]
    is_same = batch.index[:, None] == batch.index
    nearness = torch.exp(-(means[:, None] - means).square().sum(-1)).masked_fill(is_same, 0.0)
    return nearness.sum(1).masked_fill(is_same.sum(1) == 1, 0.0)


def test_loss_that_compares_the_sequences_of_a_batch_is_accepted(tmp_path, monkeypatch):
    monkeypatch.setattr(SquaredError, "__call__", compares_its_rows)
    check(partial(make, tmp_path, dropout=0.0))


def test_transform_that_draws_from_elsewhere_is_refused(tmp_path, monkeypatch):
    drawn = Sequences.__getitem__
    monkeypatch.setattr(Sequences, "augmentation", [CALLS], raising=False)
    monkeypatch.setattr(
        Sequences, "__getitem__", lambda *keys: drawn(*keys).map(lambda x: x + next(CALLS))
    )
    with pytest.raises(UserError, match='"count": transforms without a state'):
        check(partial(make, tmp_path))


class Widening(Columns):
    """Makes samples that get wider with each call."""

    def sample(self, number):
        ink = sequence(number)
        ink[:, 0] *= 1 + next(CALLS)
        return Sample(ink)


def test_a_dataset_that_changes_its_samples_is_refused_by_its_name(tmp_path, monkeypatch):
    samples = Widening().take(np.array(TRAIN))
    monkeypatch.setattr(Sequences, "samples", samples, raising=False)
    with pytest.raises(
        UserError, match=r'^data_loader\.args\.dataset = "Widening": .* are the same'
    ):
        check(partial(make, tmp_path))


class Stateless(ChunkTrainer):
    """It begins each chunk anew."""

    def forward_batch(self, model, batch, state=None):
        return super().forward_batch(model, batch)


@pytest.mark.parametrize(
    ("trainer", "truncate", "warns"),
    [(ChunkTrainer, None, False), (ChunkTrainer, 3, False), (Stateless, 3, True)],
)
def test_trainer_that_ignores_the_state_of_a_network_between_chunks_is_warned_of(
    tmp_path, caplog, trainer, truncate, warns
):
    check(partial(make, tmp_path, trainer=trainer, truncate=truncate))
    assert ("makes no use of the state" in caplog.text) == warns


class Forgetful(Critic):
    """What it changes in a step is in a state, or not."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.number = 0
        self.forgotten = 0
        self.sizes = []
        self.same = "unchanged"
        self.helper, self.networks = Helper(), {"first": [nn.Linear(3, 3)]}
        self.steps = [torch.optim.SGD(self.networks["first"][0].parameters(), lr=0.1)]
        self.unkept = nn.Linear(3, 3)

    def step(self, chunks):
        vars(self).update(number=self.number + 1, forgotten=self.forgotten + 1)
        self.sizes.append(len(chunks))
        self.helper.calls += 1
        self.networks["first"][0].weight.data += 1.0
        self.unkept.weight.data += 1.0
        return super().step(chunks)

    def state_dict(self):
        return {"number": self.number}

    def load_state_dict(self, state):
        self.number = state["number"]


class Helper:
    """An object of one's own, of which no checkpoint knows."""

    calls = 0

    def __init__(self):
        self.calls = 0


def test_state_that_no_checkpoint_keeps_is_warned_of_wherever_it_lies(tmp_path, caplog):
    check(partial(make, tmp_path, trainer=Forgetful))
    said = "Forgetful.{} changes in a step and is not in a checkpoint"
    for name in ("forgotten", "sizes", "helper", "networks", "unkept"):
        assert said.format(name) in caplog.text
    for name in ("number", "same", "metrics", "critic", "critic_optimizer"):
        assert said.format(name) not in caplog.text
    assert "self.keep('unkept', ...)" in caplog.text
    assert "TinyModel.calls changes in a step" in caplog.text


class Lossy(ChunkTrainer):
    """What it changes is no attribute of its own."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.optimizer_step.clip_norm = 5.0
        self.numbers = (number for number in range(99))
        self.model.register_buffer("steps", torch.zeros(()), persistent=False)
        self.kept = self.keep("kept", nn.Sequential(nn.Dropout(0.5)))

    def step(self, chunks):
        self.optimizer_step.clip_norm *= 0.9
        self.model.dropout.p *= 0.9
        self.kept[0].p *= 0.9
        self.model.steps += 1
        self.model.output.weight.requires_grad_(bool(self.model.steps > 3))
        return super().step(chunks)


def test_settings_that_a_step_changes_are_warned_of_by_name(tmp_path, caplog):
    check(partial(make, tmp_path, trainer=Lossy))
    said = {record.getMessage().partition(" changes")[0] for record in caplog.records}
    names = {"optimizer_step.clip_norm", "kept.0.p"}
    assert said >= {f"Lossy.{name}" for name in names}
    assert said >= {
        f"TinyModel.{name}" for name in ("dropout.p", "steps", "output.weight.requires_grad")
    }


class Drawing(ChunkTrainer):
    """Its steps depend on what nothing sees."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.numbers = (number for number in range(99))

    def step(self, chunks):
        self.model.output.bias.data += 0.1 * next(self.numbers)
        return super().step(chunks)


def test_steps_that_differ_after_a_resumption_are_warned_of(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    check(partial(make, tmp_path, trainer=Drawing))
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Drawing makes other steps in a resumed run"
    ]


class Silent:
    """Stands for the list of calls, which is forgotten."""

    def __set__(self, network, value):
        pass

    def __get__(self, network, cls=None):
        return []


NUDGES = random.Random(0)


class Nudged(Judged):
    """Its judge is changed by numbers that lie outside of it and of the trainer."""

    def step(self, chunks):
        self.judge[1].running_mean += NUDGES.random()
        return super().step(chunks)


@pytest.mark.parametrize("trainer", [Judged, Nudged])
def test_a_kept_part_is_not_said_to_be_in_no_checkpoint(tmp_path, caplog, monkeypatch, trainer):
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    check(partial(make, tmp_path, trainer=trainer))
    said = "Nudged.judge: in a checkpoint, but a step of a resumed run changes it otherwise: it "
    said += "depends on what is in no checkpoint"
    # A judge that counts its passes gives a second validation other values, which is said as well.
    told = [message for message in caplog.messages if "in a second validation" not in message]
    assert told == ([said] if trainer is Nudged else [])


class Sound(ChunkTrainer):
    """Keeps what is the same after a resumption, or not needed."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.started = time.perf_counter()
        self.last = None
        self.table = None
        self.by_length = {}

    def step(self, chunks):
        length = chunks[0].batch.inputs.shape[1]
        self.last = self.model.output.weight.detach().clone()
        self.by_length.setdefault(length, torch.arange(length))
        if self.table is None or len(self.table) < length:
            self.table = torch.arange(length)
        self.model.dropout.p = 0.1 + 0.01 * self.progress.step
        return super().step(chunks)


def test_caches_and_what_each_step_sets_anew_pass_without_a_word(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    check(partial(make, tmp_path, trainer=Sound))
    assert not caplog.records


class Anchored(ChunkTrainer):
    """Draws its weights back to those with which it was made."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.anchor = [weight.detach().clone() for weight in self.model.parameters()]

    @torch.no_grad()
    def step(self, chunks):
        with torch.enable_grad():
            result = super().step(chunks)
        torch._foreach_lerp_([*self.model.parameters()], self.anchor, 0.1)
        return result


def filled(dropout):
    network = TinyModel(dropout)
    nn.init.ones_(network.output.weight)
    return network


@pytest.mark.parametrize("network", [TinyModel, filled])
def test_steps_that_need_the_weights_of_before_a_fine_tuning_are_warned_of(
    tmp_path, caplog, monkeypatch, network
):
    """A resumed run makes its parts for a network of the seed."""
    monkeypatch.setattr(TinyModel, "calls", Silent(), raising=False)
    options = {"monitor": None, "dropout": 0.0, "trainer": Anchored}
    check(partial(make, tmp_path, **options), partial(make, tmp_path, network=network, **options))
    said = ["Anchored makes other steps in a resumed run: what they depend on is not in a checkpo"]
    assert [message[:84] for message in caplog.messages] == (said if network is filled else [])


class Peak(MeanPrediction):
    """Keeps a maximum, and as its other sum how many batches there were."""

    def update(self, output, batch):
        self.sum = torch.maximum(self.sum, output.prediction[batch.mask].double().max())
        self.count = 1


def test_a_running_maximum_is_a_metric(tmp_path, monkeypatch):
    monkeypatch.setattr(MeanPrediction, "update", Peak.update)
    check(partial(make, tmp_path))


class Stepping(torch.optim.SGD):
    """Counts its steps beside its state."""

    steps = 0

    def step(self, closure=None):
        self.steps += 1
        return super().step(closure)


class Rebinding(torch.optim.SGD):
    """Gives a name to new weights, and leaves the network's as they are."""

    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight = weight - group["lr"] * weight.grad


class Dividing(torch.optim.SGD):
    """Divides by zero."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight.sub_(weight.grad / 0.0)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (Stepping, r'"Stepping": .*param_groups; steps is not saved'),
        (Rebinding, '"Rebinding": one whose step changes weights of the network'),
        (Dividing, '"Dividing": one whose step leaves the weights finite'),
    ],
)
def test_an_optimiser_is_refused_by_its_name(tmp_path, monkeypatch, optimizer, message):
    monkeypatch.setattr(ChunkTrainer, "__module__", "trainer")  # no part of a user
    with pytest.raises(UserError, match=f"^optimizer = {message}"):
        check(partial(make, tmp_path, optimizer=optimizer, trainer=ChunkTrainer))


def test_a_trainer_that_changes_a_transform_is_refused(tmp_path, monkeypatch):
    transform = SimpleNamespace(degrees=1)
    monkeypatch.setattr(Sequences, "augmentation", [transform], raising=False)
    monkeypatch.setattr(ChunkTrainer, "step", changes_a_transform)
    with pytest.raises(
        UserError, match=r'"ChunkTrainer": .* in place; this one changes transforms'
    ):
        check(partial(make, tmp_path))


@pytest.mark.parametrize("name", ["trainer", "loss", "model", "optimizer"])
def test_a_part_is_not_kept_under_the_name_of_another(tmp_path, name):
    trainer = make(tmp_path)
    with pytest.raises(UserError, match=f"ChunkTrainer keeps two parts as '{name}'"):
        trainer.keep(name, nn.Linear(1, 1))


def test_the_trial_before_a_run_gives_a_step_as_many_chunks_as_in_training(tmp_path, monkeypatch):
    counts, step = [], ChunkTrainer.step
    monkeypatch.setattr(
        ChunkTrainer, "step", lambda *given: counts.append(len(given[1])) or step(*given)
    )
    check(partial(make, tmp_path, accumulate=3, truncate=3))
    assert counts == [3] * 4  # the last step is made twice, also by what is restored


def test_all_parts_may_hold_each_kind_of_value(tmp_path, caplog):
    check(partial(make, tmp_path, **EVERY_KIND))
    assert {record.args[1] for record in caplog.records} == {"calls"}


@pytest.mark.parametrize("name", ["sparse", "quantised", "float8", "nested"])
def test_a_weight_that_no_checkpoint_holds_is_refused_as_the_networks(tmp_path, name):
    value, remedy = refused()[name]

    class Holding(TinyModel):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.register_buffer("table", value)

    message = rf'^arch = "Holding": .*saved weights: state_dict\.table = .*{remedy}'
    with pytest.raises(UserError, match=message):
        check(partial(make, tmp_path, network=Holding))


class Unrepeatable(Curriculum):
    """Draws from a generator of its own, which goes on from call to call."""

    def batches(self, epoch):
        self.generator = getattr(self, "generator", None) or np.random.default_rng(self.seed)
        return [self.generator.choice(9, 3).tolist() for _ in range(5)]


class Counting(Curriculum):
    """Keeps a number that is in no state."""

    calls = 0


class CountingTrainer(ChunkTrainer):
    def step(self, chunks):
        self.sampler.calls = self.sampler.calls + 1
        return super().step(chunks)


def test_a_sampler_that_has_other_batches_when_it_is_asked_again_is_refused(tmp_path):
    check(partial(make, tmp_path, loader={"sampler": Curriculum}))
    message = '^data_loader.args.sampler = "Unrepeatable": .* asked again, it has other batches'
    with pytest.raises(UserError, match=message):
        check(partial(make, tmp_path, loader={"sampler": Unrepeatable}))


def test_state_of_a_sampler_that_no_checkpoint_keeps_is_refused_or_warned_of(
    tmp_path, monkeypatch, caplog
):
    check(partial(make, tmp_path, trainer=CountingTrainer, loader={"sampler": Counting}))
    assert "Counting.calls changes in a step and is not in a checkpoint" in caplog.text
    monkeypatch.setattr(Curriculum, "state_dict", lambda _: {"calls": next(CALLS)})
    monkeypatch.setattr(Curriculum, "load_state_dict", lambda *_: None)
    with pytest.raises(
        UserError, match=r'^data_loader.args.sampler = "Curriculum": .*afterwards it'
    ):
        check(partial(make, tmp_path, loader={"sampler": Curriculum}))


def test_a_loss_that_is_never_a_number_is_refused_by_its_name(tmp_path, monkeypatch):
    works = SquaredError.__call__
    monkeypatch.setattr(SquaredError, "__call__", lambda *given: works(*given) * math.nan)
    with pytest.raises(UserError, match=r'^loss = "SquaredError": one with finite losses'):
        check(partial(make, tmp_path))


def test_a_weight_that_is_no_parameter_is_refused_by_its_name(tmp_path):
    def made():
        trainer = make(tmp_path)
        trainer.model.gain = torch.ones(1, requires_grad=True)
        return trainer

    with pytest.raises(UserError, match=r'^arch = "TinyModel": .*gain is none, and is never'):
        check(made)


def test_a_method_of_a_trainer_that_takes_other_arguments_is_refused(tmp_path):
    class Short(ChunkTrainer):
        def on_epoch(self):
            pass

    with pytest.raises(UserError, match=r'^trainer = "Short": one whose on_epoch takes \(row\)'):
        check(partial(make, tmp_path, trainer=Short))


class Alternating(ChunkTrainer):
    """Takes turns, as of two networks, and keeps a log."""

    log, turn = logging.getLogger("alternating"), True

    def step(self, chunks):
        self.turn = not self.turn
        self.bar = tqdm(total=9, disable=True, initial=self.progress.step)
        return super().step(chunks)


def test_what_changes_with_each_second_step_is_warned_of_and_what_only_shows_is_not(
    tmp_path, caplog
):
    check(partial(make, tmp_path, trainer=Alternating))
    named = {record.getMessage().partition(" ")[0] for record in caplog.records}
    assert named == {"Alternating.turn", "TinyModel.calls"}


def test_the_part_to_blame_is_the_first_that_a_user_wrote_and_that_is_there(tmp_path):
    trainer = make(tmp_path)  # without a schedule
    trial = Trial(partial(make, tmp_path), trainer, None, {})
    assert trial.blamed("lr_scheduler", "optimizer", "arch", "trainer") == ("arch", trainer.model)
    assert trial.blamed("optimizer", "optimizer") == ("optimizer", trainer.optimizer_step.optimizer)


class Weighing(ChunkTrainer):
    """Its output holds a weight, which a step changes."""

    def forward_batch(self, model, batch, state=None):
        output = super().forward_batch(model, batch, state)
        output.weight = model.output.weight
        return output


class LongestLine(MeanPrediction):
    """Relies on batches that are as long as their longest sequence."""

    def update(self, output, batch):
        assert batch.inputs.shape[1] == int(batch.lengths.max())
        super().update(output, batch)


def test_an_output_may_hold_a_weight_and_a_batch_is_as_long_as_its_longest_line(tmp_path):
    check(partial(make, tmp_path, trainer=Weighing, metrics=(LongestLine,)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda weight: weight * 2, r"not kept = .*use detach\(\)"),
        (lambda _: 10**5000, "4300 digits"),
        (
            lambda _: [*itertools.accumulate(range(600), lambda inner, _: [inner])][-1],
            "not kept.* 300 deep",
        ),
    ],
    ids=["a graph", "a huge number", "too deep"],
)
def test_a_state_that_cannot_be_compared_is_refused_without_a_traceback(tmp_path, value, message):
    class Keeping(ChunkTrainer):
        def state_dict(self):
            return {"kept": self.kept}

        def load_state_dict(self, state):
            self.kept = state["kept"]

        def step(self, chunks):
            self.kept = value(self.model.output.weight)
            return super().step(chunks)

        kept = 0

    with pytest.raises(UserError, match=rf'^trainer = "Keeping": .*{message}'):
        check(partial(make, tmp_path, trainer=Keeping))
