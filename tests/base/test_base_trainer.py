"""The training loop: what each option does, worked out by hand on a network of a few weights."""

import copy
import json
import math
from contextlib import nullcontext, suppress

import numpy as np
import pytest
import torch
from own_steps import Judged
from tiny_run import (
    ONE_STEP,
    TRAIN,
    VALID,
    ChunkTrainer,
    MeanPrediction,
    TinyTrainer,
    close,
    error_of,
    make,
    resumed,
    rows,
    same,
    sequence,
    stopped_at,
    trained,
    weights,
)

from base.run.checkpoint import checkpoints, load_checkpoint, newest_checkpoint
from base.run.training_parts import TrainingSettings, logged_names
from tests.same_run import differences, rows_of
from utils.checks import ConfigFault, NotFinite, TrainingFailed

# One step.


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("by_points", [True, False])
def test_a_step_divides_the_gradient_summed_over_its_batches_once(tmp_path, accumulate, by_points):
    options = {"trainer": TinyTrainer, "by_points": by_points, "accumulate": accumulate}
    trainer = make(tmp_path, **ONE_STEP, **options)
    model = copy.deepcopy(trainer.model)
    batches = trainer.train_loader.keys.batches(0)[:accumulate]
    indices = [int(index) for batch in batches for index in batch]
    assert len(indices) == 3 * accumulate
    total, points = error_of(model, indices)
    total.backward()
    expected = {
        name: weight - 0.05 * weight.grad / (points if by_points else len(indices))
        for name, weight in model.named_parameters()
    }
    trainer.train()
    assert close(expected, weights(trainer))
    assert trainer.progress.step == 1


# Steps that are not finite.


@pytest.mark.parametrize("has_instructions", [False, True])
def test_automatic_precision_is_that_of_the_processor_and_is_logged(
    tmp_path, caplog, monkeypatch, has_instructions
):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_instructions)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    caplog.set_level("INFO")
    precision, has = ("bfloat16", "has") if has_instructions else ("float32", "has no")
    trainers = [trained(tmp_path / name, precision=name) for name in ("auto", precision)]
    assert trainers[0].precision == precision
    assert same(*map(weights, trainers))
    line = f"matrix products are of {precision}, as the processor {has} instructions for bfloat16"
    assert caplog.text.count(line) == 1


def test_a_step_that_is_not_finite_is_skipped_and_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    # Only steps that are skipped in a row end a run: here are four good ones in between.
    trainer = trained(tmp_path, loader={"broken": (4,)}, epochs=3, ema_decay=0.5, max_skipped=2)
    assert trainer.progress.step == 12 and trainer.is_complete()
    assert [row["skipped_steps"] for row in rows(trainer)] == ["1", "1", "1"]
    assert caplog.text.count("skipped_steps 1\n") == 3
    assert caplog.text.count("an input of sample 4 is not finite") == 3
    assert all(bool(torch.isfinite(value).all()) for value in weights(trainer).values())
    assert all(math.isfinite(float(row["error"])) for row in rows(trainer))


class Layer(torch.nn.Identity):
    """Makes the sixth and seventh of its outputs, or of their gradients, not finite."""

    calls, backward = 0, False

    def forward(self, inputs):
        self.calls += self.training
        broken = self.calls in (6, 7)
        # The gradient of the root is infinite at 0, and NaN once it is multiplied by 0.
        factor = (0 * inputs).abs().sqrt() if self.backward else torch.tensor(math.inf)
        return inputs + factor if broken else inputs


@pytest.mark.parametrize(
    ("backward", "anomaly", "cause"),
    [
        (False, False, "the output of dropout (Layer) is not finite"),
        (False, True, "the output of dropout (Layer) is not finite"),
        (True, False, "the gradient of layer.bias_hh_l0 and of 3 other weights is not finite"),
        (True, True, "in the backward pass, Function 'SqrtBackward0' returned nan values"),
    ],
)
@pytest.mark.filterwarnings("ignore:Error detected in SqrtBackward0")
def test_a_nonfinite_layer_or_gradient_is_named(tmp_path, caplog, backward, anomaly, cause):
    trainer = make(tmp_path, anomaly=anomaly)
    trainer.model.dropout = Layer()
    trainer.model.dropout.backward = backward
    with pytest.raises(TrainingFailed) if anomaly else nullcontext() as caught:
        trainer.train()
    message = f"step 6: {cause}"
    assert message in (str(caught.value) if anomaly else caplog.text)
    assert trainer.is_complete() != anomaly


def test_run_ends_with_its_last_good_weights_when_too_many_steps_in_a_row_are_skipped(tmp_path):
    seen = []

    class Breaking(ChunkTrainer):
        def step(self, chunks):
            result = super().step(chunks)
            if self.progress.step == 6:
                self.train_loader.dataset.broken = tuple(TRAIN)
                seen.append(weights(self))
            return result

    trainer = make(tmp_path, trainer=Breaking, epochs=9, max_skipped=4)
    with pytest.raises(TrainingFailed, match="4 steps in a row") as caught:
        trainer.train()
    path, checkpoint = newest_checkpoint(trainer.run.models)
    assert f"the last sound checkpoint is {path}" in str(caught.value)
    assert checkpoint["step"] == 7
    assert same(seen[0], checkpoint["state_dict"])
    # It can be resumed: the count starts over.
    again = trained(tmp_path, epochs=9, max_skipped=4, checkpoint=checkpoint, source=path)
    assert again.progress.epoch == 9


# Epochs, schedules, monitor.


def test_losses_are_summed_over_an_epoch_and_divided_once(tmp_path):
    trainer = trained(tmp_path, epochs=1, optimizer="SGD", lr=0.0, dropout=0.0)
    (row,) = rows(trainer)
    for prefix, indices in (("", TRAIN), ("valid_", VALID)):
        total, points = error_of(trainer.model.eval(), indices)
        total = total.item()
        assert float(row[f"{prefix}error"]) == pytest.approx(total / len(indices), rel=1e-5)
        assert float(row[f"{prefix}error_per_point"]) == pytest.approx(total / points, rel=1e-5)
    assert float(row["points_per_second"]) > 0
    names = logged_names(trainer.loss, trainer.valid_metrics, True)
    assert row.keys() == {"epoch", "step", "skipped_steps", *names}


def test_a_run_records_how_it_ended(tmp_path):
    def ended(name, **options):
        trainer = make(tmp_path, name, **options)
        with suppress(TrainingFailed):
            trainer.train()
        (start,) = json.loads((trainer.run.models / "run.json").read_text())["runs"]
        return start["ended"]["state"], start["ended"]["reason"]

    assert ended("a", epochs=1) == ("finished", "")
    assert ended("b", epochs=9, lr=0.0, early_stop=1) == ("finished", "")
    assert ended("c", trainer=stopped_at(ChunkTrainer, 2)) == ("stopped", "SIGINT")
    assert ended("d", time_limit_minutes=0.0) == ("stopped", "time_limit_minutes")
    state, reason = ended("e", loader={"broken": tuple(TRAIN)}, max_skipped=2)
    assert state == "failed" and reason.startswith("2 steps in a row")


def test_a_run_that_is_interrupted_after_its_last_epoch_says_how_to_finish(tmp_path, caplog):
    """As in the exam of a hand that it learned."""

    class Interrupted(ChunkTrainer):
        def on_end(self):
            raise KeyboardInterrupt

    caplog.set_level("INFO")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, trainer=Interrupted, epochs=1)
    assert f"to finish: python train.py -r {tmp_path}/models/tiny/run" in caplog.text


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, 28),
        ({"accumulate": 2}, 16),
        ({"steps_per_epoch": 5, "accumulate": 2, "truncate": 3}, 20),
        ({"schedule_by": "epoch", "truncate": 3}, 4),
    ],
)
def test_schedule_is_planned_for_the_steps_or_epochs_that_a_run_has(options, steps):
    assert TrainingSettings(epochs=4, **options).planned_steps(7) == steps


# What is left behind.


def test_tensorboard_has_the_curves_of_steps_and_epochs_and_the_best(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = trained(tmp_path, epochs=2, tensorboard=True, log_steps=3, clip_norm=1e-3)
    reader = EventAccumulator(str(trainer.run.log), size_guidance={"scalars": 0}).Reload()
    assert all(event.value > 0 for event in reader.Scalars("step/points_per_second"))
    assert [event.step for event in reader.Scalars("step/error_per_point")] == [3, 6, 9]
    assert [event.step for event in reader.Scalars("epoch/error")] == [5, 10]
    valid = [event.value for event in reader.Scalars("epoch/valid_error")]
    best = [(event.step, event.value) for event in reader.Scalars("best/valid_error")]
    assert best == [(5, valid[0]), (10, min(valid))]
    resumed(tmp_path, epochs=3, tensorboard=True).train()
    reader = EventAccumulator(str(trainer.run.log), size_guidance={"tensors": 0}).Reload()
    steps = {event.step for event in reader.Tensors("config/text_summary")}
    assert steps == {0, 10}  # in any order, where both files are of one second
    assert min(event.value for event in reader.Scalars("best/valid_error")) <= min(valid)
    assert sum(event.step == 10 for event in reader.Scalars("best/valid_error")) == 2


def test_epochs_after_the_checkpoint_are_removed_from_the_table(tmp_path):
    first = trained(tmp_path, epochs=2, keep_last=None)
    newest, older = checkpoints(first.run.models)
    newest.unlink()
    again = trained(tmp_path, epochs=2, checkpoint=load_checkpoint(older), source=older)
    assert [row["epoch"] for row in rows(again)] == ["1", "2"]


def test_validation_and_errors_in_drawing_or_tracking_do_not_change_the_training(tmp_path, caplog):
    def track(self, row):
        torch.rand(row["epoch"])
        row.clear()
        raise ConnectionError("no route to host")

    def draw(self, epoch, step):
        torch.rand(epoch)
        assert not self.evaluated_model.training
        raise ValueError("no colours")

    failing = {"trainer": type("Failing", (ChunkTrainer,), {"on_epoch": track, "draw": draw})}
    silent, trainers = {"valid": False, "monitor": None}, []
    for number, options in enumerate(({}, failing, silent, silent | failing)):
        trainers.append(trained(tmp_path, str(number), **options))
    first, other, *_ = trainers
    assert all(same(weights(first), weights(trainer)) for trainer in trainers)
    assert other.progress.epoch == 3 and rows(other)[2].keys() == rows(first)[2].keys()
    assert "on_epoch failed after epoch 2: ConnectionError: no route" in caplog.text
    assert "no colours" in (other.run.models / "train.log").read_text()


def test_how_often_a_run_is_saved_changes_nothing(tmp_path):
    seldom, often = (
        trained(tmp_path, f"{minutes}", trainer=Judged, save_minutes=minutes, keep_last=None)
        for minutes in (10.0, 0.0)
    )
    assert [len(checkpoints(each.run.models)) for each in (seldom, often)] == [3, 15]
    states = [newest_checkpoint(each.run.models)[1] for each in (seldom, often)]
    assert differences(*states) == []
    tables = [rows_of(each.run.models / "metrics.csv") for each in (seldom, often)]
    assert tables[0] == tables[1]


def test_a_validation_leaves_modes_and_buffers_as_they_are(tmp_path):
    trainer = make(tmp_path, trainer=Judged)
    trainer.judge[1].eval()
    for name in ("count", "total", "last"):
        trainer.model.register_buffer(name, None if name == "last" else torch.zeros(()))

    def look(model, inputs, _):
        model.count += 1.0
        model.total, model.last = model.total + inputs[0].sum(), inputs[0]

    trainer.model.register_forward_hook(look)
    networks = trainer.state.modules
    modes = [module.training for network in networks for module in network.modules()]
    before = copy.deepcopy([network.state_dict() for network in networks])
    assert math.isfinite(trainer.validate()["error"]) and trainer.passes > 0
    assert modes == [module.training for network in networks for module in network.modules()]
    assert {True, False} == {*modes}
    assert differences(before, [network.state_dict() for network in networks]) == []


@pytest.mark.parametrize("name", ["on_start", "on_end"])
def test_an_error_in_on_start_or_on_end_gives_a_short_message(tmp_path, monkeypatch, name):
    monkeypatch.setattr(ChunkTrainer, name, lambda _: 1 / 0)
    works = "one whose run works from its start to its end"
    with pytest.raises(ConfigFault, match=f"{works}: .* ZeroDivisionError.*test_base_trainer.py"):
        trained(tmp_path, epochs=1)


@pytest.mark.parametrize("value", [torch.tensor(0.5), np.float64(0.5), torch.tensor([0.5])])
def test_values_of_metrics_and_trainers_become_plain_numbers(tmp_path, monkeypatch, value):
    """In the table and in checkpoints, which load again."""
    monkeypatch.setattr(MeanPrediction, "compute", lambda _: {"mean_prediction": value})
    monkeypatch.setattr(ChunkTrainer, "extra_metrics", lambda *_: {"own": value})
    trained(tmp_path, epochs=1, monitor="max mean_prediction")
    trainer = resumed(tmp_path, epochs=2, monitor="max mean_prediction")
    assert trainer.progress.best == 0.5 and trainer.train() is None
    for name in ("mean_prediction", "valid_mean_prediction", "valid_own"):
        assert type(trainer.state.values[name]) is float
        assert [row[name] for row in rows(trainer)] == ["0.5", "0.5"]


def test_validation_has_no_value_when_a_batch_of_it_cannot_be_computed(tmp_path):
    class Partial(ChunkTrainer):
        def forward_batch(self, model, batch, state=None):
            if VALID[0] in batch.index.tolist():
                raise NotFinite("no distribution")
            return super().forward_batch(model, batch, state)

    trainer = trained(tmp_path, trainer=Partial, epochs=1)
    (row,) = rows(trainer)
    assert math.isfinite(float(row["mean_prediction"])) and math.isfinite(float(row["error"]))
    for name in ("valid_error", "valid_error_per_point", "valid_mean_prediction"):
        assert math.isnan(float(row[name]))


def test_metric_of_a_validation_is_of_the_last_epoch_alone(tmp_path):
    trainer = trained(tmp_path, epochs=2)
    model, predictions = trainer.model.eval(), []
    for index in VALID:
        with torch.no_grad():
            output = model(torch.from_numpy(sequence(index))[None, :-1])
        predictions.append(output.prediction.double().flatten())
    last = float(rows(trainer)[-1]["valid_mean_prediction"])
    # The metric divides by points, of which each has three numbers.
    assert last == pytest.approx(3 * torch.cat(predictions).mean().item(), rel=1e-4)
