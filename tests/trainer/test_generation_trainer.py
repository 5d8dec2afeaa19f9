"""The generation trainer with the real networks, on a few lines of embedded data."""

import copy
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest
import torch

import trainer.generation_trainer as module
from base.base_dataset import Facts
from base.run.run_folder import RunFolder, RunRecord
from base.run.run_state import Sums, seed_all
from base.run.training_parts import TrainingParts
from base.trial.contract import check
from data_loader import EmbeddedDataset, HandwritingDataLoader
from logger.metrics_csv import read_rows
from model import SSE, NegativeLogLikelihood, PredictionNetwork, SquaredError, SynthesisNetwork
from model.generation.generators import RecurrentSettings
from model.generation.line import Sampling
from model.generation.mixture import NextPoint
from model.generation.sampling import sample
from model.layers.kernels import library
from model.scores import evaluate
from tests.construct import construct
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
    kind = kind or (SynthesisNetwork if text else PredictionNetwork)
    supplied = [data.normalisation]
    if kind.needs_text:
        supplied, arguments["num_windows"] = [*supplied, data.alphabet], 2
    if issubclass(kind, Moody):
        supplied.append(data.loaded.extras)
    model = construct(kind, *supplied, **arguments)
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
        Facts(
            data.normalisation,
            data.alphabet,
            model.extras,
            replace(data.loaded, canonical=canonical),
        ),
        RunRecord(given_config={"name": "x"}),
    )
    return construct(trainer, parts, **options)


def row(trainer):
    last = read_rows(trainer.run.models / "metrics.csv")[-1]
    return {name: float(value) for name, value in last.items()}


@pytest.mark.parametrize(
    ("text", "head"), [(True, "mixture"), (False, "mixture"), (False, "regression")]
)
def test_scores_that_are_logged_are_those_of_an_evaluation(tmp_path, data, text, head):
    """Summed over batches and divided once, against `evaluate`; in canonical units as well, but
    for a regression head: without a density there is no canonical log-loss."""
    canonical, name = (3.0, 0.7), "log_loss" if head == "mixture" else "squared_error"
    options = {"ends": head == "regression", "monitor": f"min valid_{name}"}
    trainer = make(tmp_path, data, text=text, head=head, canonical=canonical, **options)
    trainer.train()
    logged = row(trainer)
    scores = evaluate(trainer.model.eval(), data.loader("valid"))
    for key in (name, f"{name}_per_point", "sse", "sse_strokes", "sse_jumps"):
        assert logged[f"valid_{key}"] == pytest.approx(scores[key], rel=1e-5)
    if head == "regression":
        assert not [name for name in logged if "canonical" in name or "log_loss" in name]
        return
    scores = evaluate(trainer.model, data.loader("valid"), canonical=canonical)
    assert logged["valid_log_loss_canonical"] == pytest.approx(scores["log_loss"], rel=1e-5)
    assert logged["valid_log_loss"] != pytest.approx(scores["log_loss"], rel=0.01)


def test_a_log_loss_of_what_is_no_density_has_no_other_unit(tmp_path, data, monkeypatch):
    trainer, sums = make(tmp_path, data, canonical=(3.0, 0.7)), Sums(6.0, 2, 9)
    assert trainer.extra_metrics({"log_loss": 3.0}, sums).keys() == {"log_loss_canonical"}
    monkeypatch.setattr(type(trainer.model), "prediction_type", NextPoint)
    assert trainer.extra_metrics({"log_loss": 3.0}, sums) == {}


def with_texts(data, text):
    """Return the data with this text for training samples, and none, as a blank is, for others."""
    texts = {"train": text, "valid": ""}
    samples = {
        split: [replace(sample, text=texts[split]) for sample in data.loaded.split(split)]
        for split in texts
    }
    loaded = replace(data.loaded, samples=samples)
    return replace(data, loaded=loaded, training=loaded.split("train"))


def test_samples_without_a_text_are_left_out_of_the_lines_that_are_drawn(tmp_path, data):
    assert make(tmp_path, with_texts(data, "a"), samples=2)._texts() == (["a", "a"], {})


@pytest.mark.parametrize(("text", "split"), [(" ", "train"), ("a", "valid")])
def test_missing_texts_are_refused_but_a_resumed_run_needs_texts_in_the_training_only(
    tmp_path, data, text, split
):
    trainer, first = make(tmp_path, with_texts(data, text)), data.loaded.split(split)[0].name
    with pytest.raises(DataError, match=f"of the split '{split}' have no text, {first} first"):
        trainer.train()
    trainer.state.resumed_from = tmp_path / "former.pth"
    with pytest.raises(DataError) if split == "train" else nullcontext():
        trainer.check()


@pytest.fixture(scope="module")
def moods():
    return HandwritingDataLoader(dataset=Moods(), batch_size=2).load(seed=1)


@pytest.mark.slow
def test_drawn_lines_have_the_texts_and_extras_of_samples(tmp_path, moods):
    trainer = make(tmp_path, moods, kind=Moody, samples=10)
    texts, extras = trainer._texts()
    lines = [*moods.loaded.split("valid"), *moods.training][:10]
    assert texts == [line.text for line in lines]
    assert extras["mood"].tolist() == [line.extras["mood"].tolist() for line in lines]
    trainer.train()
    assert [path.name for path in trainer.run.log.glob("samples*")] == ["samples-epoch1.png"]
    trainer.sample_text = ["zag"]
    assert trainer._texts() == (["zag"] * 10, {})
    plain = make(tmp_path, moods, samples=2)  # a network that takes none
    assert plain._texts() == ([line.text for line in lines[:2]], {})


class Careless(Moody):
    def initial_state(self, batch, given=None):
        return super().initial_state(batch, None)


@pytest.mark.parametrize("kind", [Moody, Careless])
def test_a_latent_that_ignores_its_seed_is_warned_of(tmp_path, moods, caplog, kind):
    trainer, batch = make(tmp_path, moods, kind=kind, samples=1), next(iter(moods.loader("valid")))
    trainer.dry_run(batch, trainer.forward_batch(trainer.model.eval(), batch))
    message = "Careless.initial_state does not draw from conditions.generators"
    assert (message in caplog.text) == (kind is Careless)


@pytest.mark.parametrize("reduction", ["point", "sequence"])
def test_each_chunk_makes_a_step_and_cuts_the_gradient(tmp_path, data, reduction):
    """Against one sequence after the other, its state handed on by hand."""
    trainer = make(tmp_path, data, truncate=9, steps_per_epoch=3, reduction=reduction, lr=0.05)
    model, batch = copy.deepcopy(trainer.model), next(iter(data.training_loader()))
    states = [None] * len(batch)
    assert int(batch.lengths.min()) > 27, "all rows are there in each of three chunks"
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for chunk in range(3):
        steps, losses = slice(9 * chunk, 9 * chunk + 9), []
        for n in range(len(batch)):
            row = slice(n, n + 1)
            text = batch.text[row, : batch.text_lengths[n]], batch.text_lengths[row]
            output = model(batch.inputs[row, steps], *text, states[n])
            states[n] = {name: value.detach() for name, value in output.state.items()}
            losses.append(-output.prediction.log_prob(batch.targets[row, steps]).sum())
        optimizer.zero_grad()
        (sum(losses) / (9 if reduction == "point" else 1) / len(batch)).backward()
        optimizer.step()
    trainer.train()
    for (name, weight), own in zip(
        model.named_parameters(), trainer.model.parameters(), strict=True
    ):
        torch.testing.assert_close(own, weight, msg=name, rtol=1e-4, atol=1e-6)
    assert trainer.state.position.chunk == 3


def fails_to_go_on(output, inputs, goes_on):
    if goes_on:
        raise KeyError("hidden")


def has_a_state_of_one_row(output, inputs, goes_on):
    output.state["steps"] = torch.ones(1)


def forgets_a_single_line(output, inputs, goes_on):
    if len(inputs) == 1:
        output.state = {name: value.squeeze() for name, value in output.state.items()}


def attends_to_fewer_characters(output, inputs, goes_on):
    output.attention = output.attention[..., :-1]


def sees_the_end(output, inputs, goes_on):
    # Which what pads a sequence, zeros, does not change.
    ends = output.prediction.end_logits + inputs[..., 0].sum(1, keepdim=True)
    output.prediction = replace(output.prediction, end_logits=ends)


def means_the_end(output, inputs, goes_on):
    later = inputs[..., :2].flip(1).cumsum(1).flip(1)
    means = output.prediction.means + 0.1 * later[..., None]
    output.prediction = replace(output.prediction, means=means)


def draws(output, inputs, goes_on):
    ends = output.prediction.end_logits
    output.prediction = replace(output.prediction, end_logits=ends + torch.randn_like(ends))


class Peeking(GenerationTrainer):
    """Gives the network the point that it is to predict."""

    def forward_batch(self, model, batch, state=None):
        return super().forward_batch(model, replace(batch, inputs=batch.targets), state)


class Blurring(GenerationTrainer):
    """Blurs each point with the next one."""

    def forward_batch(self, model, batch, state=None):
        blurred = batch.inputs + 0.1 * batch.inputs.roll(-1, 1)
        return super().forward_batch(model, replace(batch, inputs=blurred), state)


def own(base, fault):
    """Return a class of networks whose output has a fault."""

    class Own(base):
        def forward(self, inputs, text=None, text_lengths=None, state=None):
            output = super().forward(inputs, text, text_lengths, state)
            fault(output, inputs, any(value.any() for value in state.values()))
            return output

    return Own


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (fails_to_go_on, r"can write: .* KeyError: 'hidden' \(.*generation_trainer.py, line"),
        (forgets_a_single_line, "can write: .* ValueError: not enough values"),
        (has_a_state_of_one_row, "a row for each line, also in 'steps'"),
        (attends_to_fewer_characters, r"attention of shape \(2, .*\), not one of \(2, "),
    ],
)
def test_a_network_that_cannot_write_is_refused_before_the_first_epoch_if_it_has_to_write(
    tmp_path, data, fault, message
):
    text = fault is attends_to_fewer_characters
    kind = own(SynthesisNetwork if text else PredictionNetwork, fault)
    with pytest.raises(ConfigFault, match=message):
        check(partial(make, tmp_path, data, text=text, kind=kind, samples=1))
    make(tmp_path, data, text=text, kind=kind, samples=0).train()


class Private(PredictionNetwork):
    """It keeps its state to itself."""

    def forward(self, inputs, text=None, text_lengths=None, state=None):
        state = self.kept if any(value.any() for value in state.values()) else state
        output = super().forward(inputs, text, text_lengths, state)
        self.kept = {name: value.detach() for name, value in output.state.items()}
        return output


@pytest.mark.parametrize(
    ("kind", "trainer", "message"),
    [
        (own(PredictionNetwork, sees_the_end), GenerationTrainer, "sees later points or targets"),
        (own(PredictionNetwork, means_the_end), GenerationTrainer, "sees later points or targets"),
        (PredictionNetwork, Peeking, "PredictionNetwork, in Peeking.forward_batch, sees later"),
        (PredictionNetwork, Blurring, "PredictionNetwork, in Blurring.forward_batch, sees later"),
        (
            Private,
            GenerationTrainer,
            "forgets earlier points, or keeps a state of its own: it will",
        ),
        (PredictionNetwork, GenerationTrainer, None),
        (own(PredictionNetwork, draws), GenerationTrainer, None),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"truncate": 8}, {"samples": 1}])
def test_a_network_that_will_write_badly_is_warned_of(
    tmp_path, data, caplog, kind, trainer, message, settings
):
    """Also where no lines are drawn, unless it takes going on from a state to see it."""
    settings = {"samples": 0} | settings
    check(partial(make, tmp_path, data, text=False, kind=kind, trainer=trainer, **settings))
    is_continued = settings["samples"] > 0 or "truncate" in settings
    is_seen = message is not None and (is_continued or kind is not Private)
    assert ("it will write badly" in caplog.text) == is_seen
    assert not is_seen or message in caplog.text


class Scaled(PredictionNetwork):
    """Sees offsets in units of their deviation in the batch, in evaluation of that before."""

    def __init__(self, normalisation, *, settings: RecurrentSettings):
        super().__init__(normalisation, settings=settings)
        self.register_buffer("deviation", torch.ones(2))
        self.masks = []

    def forward(self, inputs, text=None, text_lengths=None, state=None, mask=None):
        self.masks.append((self.training, mask))
        if self.training:
            self.deviation.copy_(inputs[mask][:, :2].std(0))
        offsets = inputs[..., :2] / self.deviation
        return super().forward(torch.cat((offsets, inputs[..., 2:]), -1), state=state)


class Unmasked(Scaled):
    def forward(self, inputs, text=None, text_lengths=None, state=None):
        whole = torch.ones(inputs.shape[:2], dtype=torch.bool)
        return super().forward(inputs, text, text_lengths, state, whole)


def test_a_network_that_takes_a_mask_sees_no_padding_in_training_and_no_mask_in_writing(
    tmp_path, data
):
    check(partial(make, tmp_path, data, text=False, kind=Scaled, samples=1))
    with pytest.raises(ConfigFault, match="neither loss nor network sees padding"):
        check(partial(make, tmp_path, data, text=False, kind=Unmasked, samples=1))
    trainer = make(tmp_path, data, text=False, kind=Scaled, truncate=30, steps_per_epoch=2)
    trainer.train()
    seen = {is_training: [] for is_training in (True, False)}
    for is_training, mask in trainer.model.masks:
        seen[is_training].append(int(mask.sum()))
    chunks = [next(iter(data.training_loader())).chunk(start, 30) for start in (0, 30)]
    assert seen[True] == [chunk.points for chunk in chunks]
    assert {batch.points for batch in data.loader("valid")} <= {*seen[False]}
    evaluate(trainer.model.eval(), data.loader("valid"))
    masks = [mask for _, mask in trainer.model.masks[-2:]]
    assert all(map(torch.equal, masks, [batch.mask for batch in data.loader("valid")]))
    trainer.model.masks.clear()
    sample(trainer.model, [1], sampling=Sampling(max_steps=3))
    assert [mask for _, mask in trainer.model.masks] == [None, None, None]


def test_a_network_without_an_output_layer_or_with_another_output_is_refused(tmp_path, data):
    trainer, batch = make(tmp_path, data, text=False, samples=1), next(iter(data.training_loader()))
    output = trainer.forward_batch(trainer.model, batch)
    del trainer.model.output
    with pytest.raises(ConfigFault, match="with `output`, the layer that `output_layer` makes"):
        trainer.dry_run(batch, output)
    trainer.forward_batch = lambda *_: (output, {})
    with pytest.raises(ConfigFault, match=r"returns the Output of model\.generation\.generators"):
        check(lambda: trainer)


@pytest.mark.parametrize("text", [True, False])
def test_pictures_are_drawn_with_the_evaluated_weights(tmp_path, data, monkeypatch, caplog, text):
    calls, real = [], module.sample

    def watching(model, seeds, texts, sampling):
        lines = real(model, seeds, texts, sampling)
        calls.append((model, list(seeds), texts, sampling, lines))
        return lines

    monkeypatch.setattr(module, "sample", watching)
    caplog.set_level("INFO")
    first, second = data.alphabet.characters[-1], "".join(data.alphabet.characters[-3:])
    trainer = make(
        tmp_path, data, text=text, samples=3, sample_text=[first, second] if text else None,
        sample_steps=20, sample_bias=2.5, seed=40, ema_decay=0.9,
    )  # fmt: skip
    trainer.train()
    ((model, seeds, texts, sampling, lines),) = calls
    assert model is trainer.optimizer_step.average.module and not model.training
    assert seeds == [40, 41, 42] and sampling == Sampling(2.5, max_steps=20)
    assert texts == ([first, second, first] if text else None)
    assert len(lines) == 3 and all(len(line.ink) <= 21 for line in lines)
    assert ("of 3 lines ended on their own" in caplog.text) == text
    kinds = {"samples", "window"} if text else {"samples"}
    pictures = {path.name for path in trainer.run.log.glob("*.png")}
    assert pictures == {f"{kind}-epoch1.png" for kind in kinds}


@pytest.mark.parametrize(
    ("text", "sample_text", "match"),
    [
        (True, ["a\u2603"], "alphabet lacks '\u2603'"),
        (True, [], "at least one character"),
        (False, ["a"], "the network takes no text"),
    ],
)
def test_sample_texts_that_cannot_be_written_are_refused(tmp_path, data, text, sample_text, match):
    trainer = make(tmp_path, data, text=text, samples=1, sample_text=sample_text)
    with pytest.raises(ConfigFault, match=match) as caught:
        trainer.train()
    assert caught.value.key == "trainer.args.sample_text"
    assert not list(tmp_path.iterdir())


class PenaltyTrainer(GenerationTrainer):
    """Adds the squared gradient with respect to the inputs to the loss, whenever that is taken."""

    penalties = 0

    def forward_batch(self, model, batch, state=None):
        if model.training and not batch.inputs.requires_grad:
            batch = replace(batch, inputs=batch.inputs.clone().requires_grad_())
            nats = self.loss(super().forward_batch(model, batch), batch).sum()
            (gradient,) = torch.autograd.grad(nats, batch.inputs, create_graph=True)
            gradient.square().mean().backward()
            self.penalties += 1
        return super().forward_batch(model, batch, state)


@pytest.mark.skipif(library.kernels(False) is None, reason="there is no C compiler")
def test_a_penalty_on_a_gradient_needs_plain_layers(tmp_path, monkeypatch, data):
    with pytest.raises(UserError, match=r"no second derivative .*plain_layers = True in the class"):
        check(partial(make, tmp_path, data, trainer=PenaltyTrainer))
    monkeypatch.setattr(PenaltyTrainer, "plain_layers", True)
    trainer = make(tmp_path, data, trainer=PenaltyTrainer, steps_per_epoch=3)
    trainer.train()
    assert trainer.penalties == 3
