"""The generation trainer with the real networks, on a few lines of embedded data."""

import copy
import re
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest
import torch

import trainer.generation_trainer as module
from base.contract import check
from base.random_state import seed_all
from base.run_folder import RunFolder
from base.training_parts import TrainingParts
from data_loader import EmbeddedDataset, HandwritingDataLoader
from logger.metrics_csv import read_rows
from model import SSE, NegativeLogLikelihood, PredictionNetwork, SquaredError, SynthesisNetwork
from model.generation.sampling_options import Sampling
from model.layers.kernels import library
from model.scores import evaluate
from tests.moody import Moods, Moody
from tests.tiny_config import DATASET
from trainer import GenerationTrainer
from utils.checks import ConfigFault, DataError, UserError


@pytest.fixture(scope="module")
def data():
    dataset = EmbeddedDataset(**DATASET | {"valid_size": 3, "writers": 3})
    return HandwritingDataLoader(dataset=dataset, batch_size=2).load(seed=1)


def make(
    tmp_path,
    data,
    *,
    run="run",
    text=True,
    lr=0.01,
    reduction="point",
    canonical=None,
    head="mixture",
    ends=False,
    kind=None,
    trainer=GenerationTrainer,
    **options,
):
    options = {"epochs": 1, "samples": 0, "tensorboard": False} | options
    seed_all(1)
    arguments = dict(hidden_size=8, num_layers=2, num_mixtures=2, min_scale=0.01)
    arguments |= {"head": head, "end_of_sequence": ends}
    loss = {"mixture": NegativeLogLikelihood, "regression": SquaredError}[head]
    if kind:
        extras = data.loaded.extras
        model = kind(data.normalisation, data.alphabet, extras, num_windows=2, **arguments)
    elif text:
        model = SynthesisNetwork(data.normalisation, data.alphabet, num_windows=2, **arguments)
    else:
        model = PredictionNetwork(data.normalisation, **arguments)
    header = {
        "config": {"name": "x"},
        "normalisation": data.normalisation.to_dict(),
        "dataset": {"canonical": canonical, "quantisation_step": None},
    }
    parts = TrainingParts(
        model,
        loss(reduction=reduction),
        [SSE()],
        torch.optim.SGD(model.parameters(), lr=lr),
        None,
        data.training_loader(),
        data.loader("valid"),
        RunFolder("x", run, tmp_path),
        torch.device("cpu"),
        header,
    )
    return trainer(parts, **options)


def row(made):
    last = read_rows(made.run.models / "metrics.csv")[-1]
    return {name: float(value) for name, value in last.items()}


@pytest.mark.parametrize(
    ("text", "head"), [(True, "mixture"), (False, "mixture"), (False, "regression")]
)
def test_what_is_logged_is_what_evaluation_finds(tmp_path, data, text, head):
    """Summed over batches and divided once, against `evaluate`; in canonical units as well, but
    for a regression head: without a density there is no canonical log-loss."""
    canonical, name = (3.0, 0.7), "log_loss" if head == "mixture" else "squared_error"
    options = {"ends": head == "regression", "monitor": f"min valid_{name}"}
    made = make(tmp_path, data, text=text, head=head, canonical=canonical, **options)
    made.train()
    logged = row(made)
    found = evaluate(made.model.eval(), data.loader("valid"))
    for one in (name, f"{name}_per_point", "sse", "sse_strokes", "sse_jumps"):
        assert logged[f"valid_{one}"] == pytest.approx(found[one], rel=1e-5)
    if head == "regression":
        assert not [name for name in logged if "canonical" in name or "log_loss" in name]
        return
    found = evaluate(made.model, data.loader("valid"), canonical=canonical)
    assert logged["valid_log_loss_canonical"] == pytest.approx(found["log_loss"], rel=1e-5)
    assert logged["valid_log_loss"] != pytest.approx(found["log_loss"], rel=0.01)


def test_samples_without_a_text_are_not_written(tmp_path, data):
    def with_texts(train):
        samples = {
            "train": [replace(one, text=train) for one in data.training],
            "valid": [replace(one, text="") for one in data.loaded.split("valid")],
        }
        loaded = replace(data.loaded, samples=samples)
        return replace(data, loaded=loaded, training=loaded.split("train"))

    assert make(tmp_path, with_texts("a"), samples=2)._texts() == (["a", "a"], {})
    for train, split in ((" ", "train"), ("a", "valid")):
        made = make(tmp_path, with_texts(train))
        first = data.loaded.split(split)[0].name
        with pytest.raises(DataError, match=f"of the split '{split}' have no text, {first} first"):
            made.train()
        made.state.resumed_from = tmp_path / "former.pth"  # whose run went on in spite of it
        with pytest.raises(DataError) if train == " " else nullcontext():
            made.check()


@pytest.fixture(scope="module")
def moods():
    return HandwritingDataLoader(dataset=Moods(), batch_size=2).load(seed=1)


def test_what_is_drawn_is_told_what_its_lines_are(tmp_path, moods):
    made = make(tmp_path, moods, kind=Moody, samples=10)
    texts, extras = made._texts()
    lines = [*moods.loaded.split("valid"), *moods.training][:10]
    assert texts == [line.text for line in lines]
    assert extras["mood"].tolist() == [line.extras["mood"].tolist() for line in lines]
    made.train()
    assert [path.name for path in made.run.log.glob("samples*")] == ["samples-epoch1.png"]
    made.sample_text = ["zag"]
    assert made._texts() == (["zag"] * 10, {})
    plain = make(tmp_path, moods, samples=2)  # a network that takes none
    assert plain._texts() == ([line.text for line in lines[:2]], {})


def test_a_latent_that_ignores_its_seed_is_warned_of(tmp_path, moods, caplog):
    class Careless(Moody):
        def initial_state(self, batch, given=None):
            return super().initial_state(batch, None)

    batch = next(iter(moods.loader("valid")))
    for kind, count in ((Moody, 0), (Careless, 1)):
        made = make(tmp_path, moods, kind=kind, samples=1)
        made.dry_run(batch, made.forward_batch(made.model.eval(), batch))
        said = "Careless.initial_state does not draw from given.generators"
        assert caplog.text.count(said) == count


@pytest.mark.parametrize("reduction", ["point", "sequence"])
def test_each_chunk_makes_a_step_and_cuts_the_gradient(tmp_path, data, reduction):
    """Against one sequence after the other, its state handed on by hand."""
    made = make(tmp_path, data, truncate=9, steps_per_epoch=3, reduction=reduction, lr=0.05)
    model, loss = copy.deepcopy(made.model), made.loss
    batch = next(iter(data.training_loader()))
    states = [None] * len(batch)
    assert int(batch.lengths.min()) > 27, "all rows are there in each of three chunks"
    for chunk in range(3):
        steps = slice(9 * chunk, 9 * chunk + 9)
        model.zero_grad()
        for number in range(len(batch)):
            row_of = slice(number, number + 1)
            output = model(
                batch.inputs[row_of, steps],
                batch.text[row_of, : batch.text_lengths[number]],
                batch.text_lengths[row_of],
                states[number],
            )
            states[number] = {name: value.detach() for name, value in output.state.items()}
            (-output.prediction.log_prob(batch.targets[row_of, steps])).sum().backward()
        divisor = 9 * len(batch) if reduction == "point" else len(batch)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.grad is not None:
                    weight -= 0.05 * weight.grad / divisor
    made.train()
    for (name, weight), own in zip(model.named_parameters(), made.model.parameters(), strict=True):
        torch.testing.assert_close(own, weight, msg=name, rtol=1e-4, atol=1e-6)
    assert loss.reduction == reduction and made.progress.chunk == 3


FAULTS = {
    "cannot go on": r"can write: .* KeyError: 'hidden' \(.*generation_trainer.py, line",
    "a state of one row": "a row for each line, also in 'steps'",
    "phi ends early": r"attention of shape \(2, .*\), not one of \(2, ",
    "sees the end": "Own sees later points, forgets earlier points",
    "a state to itself": "or keeps a state of its own: it will write badly",
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.items())
def test_a_network_that_cannot_write_is_told_before_the_first_epoch(
    tmp_path, data, caplog, fault, message
):
    text = fault == "phi ends early"

    class Own(SynthesisNetwork if text else PredictionNetwork):
        def forward(self, inputs, text=None, text_lengths=None, state=None):
            goes_on = any(value.any() for value in state.values())
            if fault == "a state to itself" and goes_on:
                state = self.kept
            output = super().forward(inputs, text, text_lengths, state)
            self.kept = output.state
            if fault == "cannot go on" and goes_on:
                raise KeyError("hidden")
            if fault == "a state of one row":
                output.state["steps"] = torch.ones(1)
            if fault == "phi ends early":
                output.attention = output.attention[..., :-1]
            if fault == "sees the end":
                # Which what pads a sequence, zeros, does not change.
                ends = output.prediction.end_logits + inputs[..., 0].sum(1, keepdim=True)
                return replace(output, prediction=replace(output.prediction, end_logits=ends))
            return output

    def fresh(samples):
        made = make(tmp_path, data, text=text, samples=samples)
        made.model.__class__ = Own
        return made

    warned = fault in ("sees the end", "a state to itself")
    with nullcontext() if warned else pytest.raises(ConfigFault) as caught:
        check(partial(fresh, 1))
    assert re.search(message, str(caught.value) if caught else caplog.text)
    fresh(0).train()  # needs not write


def test_what_a_network_has_to_be_called_and_to_return_is_said(tmp_path, data):
    made, batch = make(tmp_path, data, text=False, samples=1), next(iter(data.training_loader()))
    output = made.forward_batch(made.model, batch)
    del made.model.output
    with pytest.raises(ConfigFault, match="with `output`, the layer that `output_layer` makes"):
        made.dry_run(batch, output)
    made.forward_batch = lambda *_: (output, {})
    with pytest.raises(ConfigFault, match=r"returns the Output of model\.generation\.generators"):
        check(lambda: made)


@pytest.mark.parametrize("text", [True, False])
def test_the_evaluated_weights_draw_pictures(tmp_path, data, monkeypatch, caplog, text):
    calls, real = [], module.sample

    def watching(model, seeds, texts, sampling):
        lines = real(model, seeds, texts, sampling)
        calls.append((model, list(seeds), texts, sampling, lines))
        return lines

    monkeypatch.setattr(module, "sample", watching)
    caplog.set_level("INFO")
    first, second = data.alphabet.characters[-1], "".join(data.alphabet.characters[-3:])
    made = make(
        tmp_path, data, text=text, samples=3, sample_text=[first, second] if text else None,
        sample_steps=20, sample_bias=2.5, seed=40, ema_decay=0.9,
    )  # fmt: skip
    made.train()
    ((model, seeds, texts, sampling, lines),) = calls
    assert model is made.optimizer_step.average.module and not model.training
    assert seeds == [40, 41, 42] and sampling == Sampling(2.5, max_steps=20)
    assert texts == ([first, second, first] if text else None)
    assert len(lines) == 3 and all(len(line.ink) <= 21 for line in lines)
    assert ("of 3 lines ended on their own" in caplog.text) == text
    kinds = {"samples", "window"} if text else {"samples"}
    pictures = {path.name for path in made.run.log.glob("*.png")}
    assert pictures == {f"{kind}-epoch1.png" for kind in kinds}


@pytest.mark.parametrize(
    ("text", "sample_text", "match"),
    [
        (True, ["a\u2603"], "alphabet lacks '\u2603'"),
        (True, [], "at least one character"),
        (False, ["a"], "the network takes no text"),
    ],
)
def test_texts_that_do_not_fit(tmp_path, data, text, sample_text, match):
    made = make(tmp_path, data, text=text, samples=1, sample_text=sample_text)
    with pytest.raises(ConfigFault, match=match) as caught:
        made.train()
    assert caught.value.key == "trainer.args.sample_text"
    assert not list(tmp_path.iterdir())


class PenaltyTrainer(GenerationTrainer):
    """Adds the squared gradient with respect to the inputs to the loss."""

    def add_gradients(self, chunks, **options):
        self.norms = [*getattr(self, "norms", []), self.penalty(chunks[0].batch)]
        return super().add_gradients(chunks, **options)

    def penalty(self, batch):
        batch = replace(batch, inputs=batch.inputs.clone().requires_grad_())
        output = self.forward_batch(self.model, batch)
        nats = self.loss(output, batch).sum()
        (gradient,) = torch.autograd.grad(nats, batch.inputs, create_graph=True)
        penalty = 0.01 * gradient.square().mean()
        penalty.backward()
        return penalty.item()


class PlainPenaltyTrainer(PenaltyTrainer):
    plain_layers = True

    def forward_batch(self, model, batch, state=None):
        """As where the penalty is a term of the loss: it is computed whenever that is."""
        if model.training and not batch.inputs.requires_grad:
            self.penalty(batch)
        return super().forward_batch(model, batch, state)


@pytest.mark.skipif(library.kernels(False) is None, reason="there is no C compiler")
def test_a_penalty_on_a_gradient_needs_plain_layers(tmp_path, data):
    with pytest.raises(UserError, match=r"no second derivative .*plain_layers = True in the class"):
        check(partial(make, tmp_path, data, trainer=PenaltyTrainer))
    assert not list(tmp_path.iterdir())
    made = make(tmp_path, data, trainer=PlainPenaltyTrainer, steps_per_epoch=3)
    made.train()
    assert len(made.norms) == 3 and all(norm > 0 for norm in made.norms)
