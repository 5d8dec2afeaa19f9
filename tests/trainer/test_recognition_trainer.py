"""The recognition trainer with the real networks, on a few lines of embedded data."""

import csv

import numpy as np
import pytest
import torch

from base.base_trainer import BaseTrainer
from base.checkpoint import find_checkpoint
from base.random_state import seed_all
from base.run_folder import RunFolder
from data_loader import EmbeddedDataset, HandwritingDataLoader, InputNoise
from model import (
    SSE,
    AttentionNetwork,
    CTCLoss,
    CTCNetwork,
    ErrorRates,
    NegativeLogLikelihood,
    SynthesisNetwork,
    TranscriptionLoss,
)
from model.error_rates import rates
from trainer import RecognitionTrainer
from trainer.recognition_trainer import evidence, whole_ink
from utils.checks import ConfigFault, DataError

KINDS = ["ctc", "attention"]


def data_loader(**options):
    dataset = EmbeddedDataset(
        seed=3, size=6, valid_size=5, test_size=1, writers=3, min_characters=2, max_characters=8
    )
    loader = HandwritingDataLoader(1, None, None, dataset=dataset, batch_size=3, **options)
    loader.prepare()
    return loader


@pytest.fixture(scope="module")
def loader():
    return data_loader()


def make(tmp_path, loader, kind, *, run="run", **options):
    options = {"epochs": 1, "samples": 0, "tensorboard": False} | options
    seed_all(1)
    cls, loss = {
        "ctc": (CTCNetwork, CTCLoss()),
        "attention": (AttentionNetwork, TranscriptionLoss(ctc_weight=0.5)),
    }[kind]
    small = {"hidden_size": 8, "channels": 8, "num_layers": 2}
    model = cls(loader.normalisation, loader.alphabet, **small)
    return RecognitionTrainer(
        model,
        loss,
        [ErrorRates()],
        torch.optim.Adam(model.parameters(), lr=0.01),
        None,
        loader,
        loader.split("valid"),
        RunFolder("x", run, tmp_path),
        torch.device("cpu"),
        {"config": {"name": "x"}, "dataset": {"canonical": None, "lattice": None}},
        **options,
    )


def test_the_whole_ink_is_that_of_the_dataset(loader):
    for batch in loader.split("valid"):
        ink, readings = whole_ink(batch)
        for row, index in enumerate(batch.index.tolist()):
            expected = loader.normalisation.apply(loader.source.ink(index))
            assert readings[row] == len(expected)
            np.testing.assert_array_equal(ink[row, : len(expected), :3], expected)
            assert not ink[row, len(expected) :].any()


def test_the_network_sees_the_noise_on_its_inputs():
    noisy = data_loader(augmentation=[InputNoise(std=0.5)])
    batch = next(iter(noisy))
    ink, readings = whole_ink(batch)
    length = readings[0]
    exact = noisy.normalisation.apply(noisy.source.ink(int(batch.index[0])))
    difference = (ink[0, : length - 1, :2] - torch.from_numpy(exact[:-1, :2])).std()
    # 20 or more numbers: outside one in a million times.
    assert 0.2 < difference < 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_a_validation_gives_the_rates_of_what_is_read(tmp_path, loader, kind):
    trainer = make(tmp_path, loader, kind, epochs=2)
    trainer.train()
    with (trainer.run.metrics_file).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert "cer" not in rows[0]  # nothing is read in training
    source, model = loader.source, trainer.evaluated_model.eval()
    indices = [int(index) for index in source.indices("valid")]
    read = [model.read([source.ink(index)]).read[0] for index in indices]
    expected = rates(zip(map(source.text, indices), read, strict=True))
    assert float(rows[-1]["valid_cer"]) == pytest.approx(expected["cer"])
    assert float(rows[-1]["valid_wer"]) == pytest.approx(expected["wer"])


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_show_the_true_and_the_read_text(tmp_path, loader, kind, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "trainer.recognition_trainer.draw_lines", lambda path, inks, texts: seen.append(texts)
    )
    trainer = make(tmp_path, loader, kind, samples=2, tensorboard=True)
    trainer.train()
    assert len(seen) == 1 and len(seen[0]) == 2
    index = int(loader.source.indices("valid")[0])
    assert seen[0][0].startswith(f"true: {loader.source.text(index)}\nread: ")
    assert any(trainer.run.log.glob("events*"))


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_has_a_row_for_each_label(tmp_path, loader, kind):
    model = make(tmp_path, loader, kind).model.eval()
    with torch.no_grad():
        model.labels.bias[:3] += 5.0
    output = model.read([loader.source.ink(0)])
    values, labels = evidence(output)
    assert values.shape == (len(labels), int(output.lengths[0]))
    assert values.min() >= 0 and values.max() <= 1
    if kind == "attention":
        np.testing.assert_allclose(values.sum(1), 1, rtol=1e-5)


def test_teacher_forcing_changes_evenly_from_the_first_epoch_to_the_last(tmp_path, loader):
    trainer = make(tmp_path, loader, "attention", epochs=5, teacher_forcing=[1.0, 0.6])
    shares = []
    for trainer.progress.epoch in range(5):
        shares.append(trainer.told)
    assert shares == pytest.approx([1.0, 0.9, 0.8, 0.7, 0.6])
    with pytest.raises(ConfigFault, match=r"teacher_forcing.*two shares"):
        make(tmp_path, loader, "attention", teacher_forcing=[1.0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, loader, kind):
    options = {"teacher_forcing": [0.8, 0.5], "epochs": 2}
    whole = make(tmp_path, loader, kind, run="whole", **options)
    whole.train()
    part = make(tmp_path, loader, kind, run="part", **options)
    part.epochs = 1
    part.train()
    path, checkpoint, _ = find_checkpoint(part.run.models)
    resumed = make(tmp_path, loader, kind, run="part", **options)
    resumed.resume(checkpoint, path)
    resumed.train()
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_truncated_back_propagation_is_refused(tmp_path, loader):
    assert RecognitionTrainer.num_chunks is BaseTrainer.num_chunks
    with pytest.raises(ConfigFault, match="does not cut"):
        make(tmp_path, loader, "ctc", truncate=10).train()


@pytest.mark.parametrize(
    ("kind", "loss", "right"),
    [
        ("ctc", TranscriptionLoss, "CTCLoss, as the network's head is 'ctc'"),
        ("attention", CTCLoss, "TranscriptionLoss, as the network's head is 'decoder'"),
        ("ctc", NegativeLogLikelihood, "CTCLoss, as the network's head is 'ctc'"),
    ],
)
def test_a_loss_of_another_network_is_refused(tmp_path, loader, kind, loss, right):
    trainer = make(tmp_path, loader, kind)
    trainer.loss = loss()
    with pytest.raises(ConfigFault, match=f"{loss.__name__}.*{right}") as caught:
        trainer.train()
    assert caught.value.key == "loss"
    assert not list(tmp_path.iterdir())


def test_a_network_that_writes_is_refused(tmp_path, loader):
    trainer = make(tmp_path, loader, "ctc")
    trainer.model = SynthesisNetwork(
        loader.normalisation, loader.alphabet, hidden_size=4, num_layers=1
    )
    with pytest.raises(ConfigFault, match=r"SynthesisNetwork.*a network that reads") as caught:
        trainer.train()
    assert caught.value.key == "arch"


def test_a_metric_of_other_networks_is_refused(tmp_path, loader):
    trainer = make(tmp_path, loader, "ctc")
    trainer.valid_metrics.append(SSE())
    with pytest.raises(ConfigFault, match=r"SSE.*networks whose head is 'ctc'") as caught:
        trainer.train()
    assert caught.value.key == "metrics.1"


@pytest.mark.parametrize("split", ["train", "valid"])
def test_samples_without_a_text_are_refused(tmp_path, loader, monkeypatch, split):
    trainer, source = make(tmp_path, loader, "ctc"), loader.source
    silent, text = int(source.indices(split)[1]), source.text
    monkeypatch.setattr(source, "text", lambda index: " " if index == silent else text(index))
    counts = f"1 of {len(source.indices(split))} samples of the split '{split}' have no text"
    with pytest.raises(DataError, match=f"{counts}, {source.name(silent)} first"):
        trainer.train()
    assert not list(tmp_path.iterdir())


def test_ink_with_a_fourth_column_is_drawn_as_well(tmp_path, loader, monkeypatch, caplog):
    ink = loader.source.ink
    monkeypatch.setattr(loader.source, "ink", lambda index: np.pad(ink(index), ((0, 0), (0, 1))))
    trainer = make(tmp_path, loader, "ctc", samples=2)
    trainer.train()
    assert (trainer.run.log / "samples-epoch1.png").exists()
    assert "could not be drawn" not in caplog.text
