"""What own parts have to do: a row a broken rule, with the sentence that names it."""

import logging
import math
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from own_steps import Critic
from tiny_run import (
    ChunkTrainer,
    MeanPrediction,
    SquaredError,
    TinyModel,
    make,
    weights,
)
from torch import nn

from base.base_trainer import BaseTrainer
from base.contract import RULES, check
from utils.checks import UserError


def changed(folder: Path, change: Callable[[BaseTrainer], object], **options) -> BaseTrainer:
    """Return a tiny trainer after a change of its parts."""
    trainer = make(folder, **{"monitor": None, "dropout": 0.0} | options)
    change(trainer)
    return trainer


def with_loss(loss: Callable[[], SquaredError]) -> Callable[[BaseTrainer], None]:
    """Return a change that gives a trainer another loss."""

    def change(trainer: BaseTrainer) -> None:
        trainer.loss = trainer.checkpoint_writer.stateful["loss"] = loss()

    return change


def counts_the_padding(_, output, batch):
    return (output.prediction - batch.targets).square().sum((1, 2))


def looks_away(_, output, batch):
    return (0.0 * output.prediction * batch.mask[..., None]).sum((1, 2))


def keeps_its_sums(metric):
    vars(metric).update({"sum": torch.zeros(()), "count": 0} | vars(metric))


def grows(metric, *_):
    vars(metric).update(sum=torch.ones(3))


NAMED = {"mean_prediction": (MeanPrediction, "compute"), "own": (ChunkTrainer, "extra_metrics")}
BROKEN = [
    # It would train as well, at a small part of the learning rate.
    (SquaredError, "__call__", lambda _, one, batch: one.prediction.mean(), r"\(2,\), not \(\)"),
    (SquaredError, "__call__", counts_the_padding, "neither loss nor network sees padding"),
    (SquaredError, "__call__", lambda _, one, batch: batch.lengths.float(), "require grad"),
    (SquaredError, "__call__", looks_away, '^loss = "SquaredError": .* depends on no weight'),
    *(
        (SquaredError, "divisor", lambda *_, by=by: by, f"divisor is more than 0, not {by:g}")
        for by in (0, -1.0, math.nan)
    ),
    (MeanPrediction, "reset", keeps_its_sums, "makes its sums zero"),
    (MeanPrediction, "update", grows, '^metrics.0 = "MeanPrediction": .*final shape'),
    (MeanPrediction, "update", lambda one, *_: one.total, "'MeanPrediction' object has no .*total"),
    (MeanPrediction, "compute", lambda _: {"mean": 0.0}, "returns all of its names: mean_pred"),
    (MeanPrediction, "sums", ("sum",), "compute depends only on its sums: sum"),
    *(
        (*NAMED[name], lambda *_, name=name, value=value: {name: value}, f"'{name}': a number is")
        for name in NAMED
        for value in (torch.ones(2), "half", None)
    ),
    (ChunkTrainer, "extra_metrics", lambda *_: {"error": 0.0}, "do not repeat the name 'error'"),
    (ChunkTrainer, "state_dict", lambda _: {"made": Path("any")}, "tensors, plain values$"),
    (ChunkTrainer, "step", lambda self, chunks: self.add_gradients(chunks), "changes weights"),
    (ChunkTrainer, "step", lambda self, chunks: None, "returns Sums and the norm of the gradient"),
    (ChunkTrainer, "apply_gradients", lambda *_: 1.0, "whose step changes weights of the network"),
    (ChunkTrainer, "forward_batch", lambda self, model, batch: 0, "too many positional"),
]


@pytest.mark.parametrize(("cls", "name", "does", "message"), BROKEN)
def test_part_that_breaks_a_rule_is_refused_by_its_sentence(
    tmp_path, monkeypatch, cls, name, does, message
):
    monkeypatch.setattr(cls, name, does)
    with pytest.raises(UserError, match=message):
        check(partial(make, tmp_path, monitor=None))
    assert not list(tmp_path.iterdir())


class Shifting(ChunkTrainer):
    """It changes a batch in forward_batch or in its step."""

    place = ""

    def forward_batch(self, model, batch, state=None):
        batch.targets += self.place == "forward_batch"
        return super().forward_batch(model, batch, state)

    def step(self, chunks):
        chunks[0].batch.targets[0] += self.place == "step"
        return super().step(chunks)


@pytest.mark.parametrize("place", ["forward_batch", "step"])
def test_trainer_that_changes_a_batch_in_place_is_refused(tmp_path, monkeypatch, place):
    monkeypatch.setattr(Shifting, "place", place)
    with pytest.raises(UserError, match=r'"Shifting": .* changes nothing of a batch .*targets'):
        check(partial(make, tmp_path, trainer=Shifting))


class Normed(TinyModel):
    """Normalises its inputs by the mean over a batch, padding included."""

    def __init__(self):
        super().__init__(0.5)
        self.norm = nn.BatchNorm1d(3, affine=False)

    def forward(self, inputs, text=None, text_lengths=None, state=None):
        return super().forward(self.norm(inputs.transpose(1, 2)).transpose(1, 2), None, None, state)


def be_normed(trainer: BaseTrainer) -> None:
    """Give a trainer's network a norm over the batch."""
    trainer.model.__class__, trainer.model.norm = Normed, Normed().norm


def test_norm_over_padding_is_refused_in_training(tmp_path):
    with pytest.raises(UserError, match=r"sees padding .* in training, as with BatchNorm"):
        check(partial(changed, tmp_path, be_normed))


class Contrastive(SquaredError):
    """How near a line is to others than itself; without another row of the same, nothing."""

    def __call__(self, output, batch):
        means = (output.prediction * batch.mask[..., None]).sum(1) / batch.lengths[:, None]
        is_same = batch.index[:, None] == batch.index
        nearness = torch.exp(-(means[:, None] - means).square().sum(-1)).masked_fill(is_same, 0.0)
        return nearness.sum(1).masked_fill(is_same.sum(1) == 1, 0.0)


def test_loss_that_compares_the_rows_of_a_batch_is_accepted(tmp_path):
    kept = check(partial(changed, tmp_path, with_loss(Contrastive)))
    assert len(kept) == len(RULES)


class Weighted(SquaredError):
    """It has a parameter, which no optimiser knows."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))


class WeightedModule(SquaredError, nn.Module):
    """The same in a module."""

    def __init__(self):
        nn.Module.__init__(self)
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))


@pytest.mark.parametrize("loss", [Weighted, WeightedModule])
def test_loss_with_parameters_is_refused(tmp_path, loss):
    with pytest.raises(UserError, match=r"one without parameters: the parameter scale"):
        check(partial(changed, tmp_path, with_loss(loss)))


class Warm(SquaredError):
    """It counts its calls, and loses the count."""

    calls = 0

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = -1


def test_state_that_does_not_come_back_is_refused(tmp_path):
    with pytest.raises(UserError, match="plain values; afterwards it has another"):
        check(partial(changed, tmp_path, with_loss(Warm)))


class Listed(TinyModel):
    """Its last layer is in no checkpoint."""

    def __init__(self):
        super().__init__(0.0)
        self.layers = [nn.Linear(3, 3)]

    def forward(self, *words):
        output = super().forward(*words)
        return replace(output, prediction=self.layers[0](output.prediction))


def be_listed(trainer: BaseTrainer) -> None:
    """Give a trainer's network a layer in a list, which differs from process to process."""
    trainer.model.__class__, trainer.model.layers = Listed, [nn.Linear(3, 3)]
    nn.init.constant_(trainer.model.layers[0].bias, next(BIASES))


BIASES = iter(range(1000))


def test_network_whose_checkpoint_lacks_a_layer_is_refused(tmp_path):
    with pytest.raises(UserError, match="whose state_dict holds all"):
        check(partial(changed, tmp_path, be_listed))


def test_transform_that_draws_from_elsewhere_is_refused(tmp_path):
    draws = iter(range(99))

    def be_moving(trainer: BaseTrainer) -> None:
        kind = type("Moving", (type(trainer.train_loader.dataset),), {"augmentation": [trainer]})
        drawn = type(trainer.train_loader.dataset).__getitem__
        kind.__getitem__ = lambda data, keys: drawn(data, keys).map(lambda x: x + next(draws))
        trainer.train_loader.dataset.__class__ = kind

    with pytest.raises(UserError, match='"ChunkTrainer": transforms without a state'):
        check(partial(changed, tmp_path, be_moving))


class Stateless(ChunkTrainer):
    """It begins each chunk anew."""

    def forward_batch(self, model, batch, state=None):
        return super().forward_batch(model, batch)


@pytest.mark.parametrize(
    ("trainer", "truncate", "warns"),
    [(ChunkTrainer, None, False), (ChunkTrainer, 3, False), (Stateless, 3, True)],
)
def test_trainer_that_makes_no_use_of_a_state_is_warned_of(
    tmp_path, caplog, trainer, truncate, warns
):
    check(partial(make, tmp_path, trainer=trainer, truncate=truncate))
    assert ("makes no use of the state" in caplog.text) == warns


class Forgetful(Critic):
    """What it changes in a step is in a state, or not."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        self.number, self.forgotten, self.sizes, self.same = 0, 0, [], "unchanged"
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


def test_trial_leaves_the_generators_as_they_were(tmp_path):
    trainer = make(tmp_path)
    before = weights(trainer), torch.random.get_rng_state(), np.random.get_state()[1].tolist()
    check(partial(make, tmp_path))
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert np.random.get_state()[1].tolist() == before[2]


def test_trial_gives_as_many_chunks_as_a_step_takes(tmp_path, caplog):
    counts = []

    class Counting(ChunkTrainer):
        def step(self, chunks):
            counts.append(len(chunks))
            return super().step(chunks)

    with caplog.at_level(logging.ERROR):
        check(partial(make, tmp_path, trainer=Counting, accumulate=3, truncate=3))
    assert counts == [3, 3]


def test_parts_of_a_trial_are_freed_before_those_of_the_run_are_made(tmp_path):
    tried = []

    def remembered() -> BaseTrainer:
        trainer = make(tmp_path)
        tried.append(weakref.ref(trainer))
        return trainer

    check(remembered)
    assert [reference() for reference in tried] == [None, None]
