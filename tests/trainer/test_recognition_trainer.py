"""The recognition trainer with the real networks, on a few lines of embedded data."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from base.base_dataset import SPLITS
from base.data.samples import Samples
from base.run.checkpoint import checkpoints
from base.run.run_folder import RunFolder, RunRecord
from base.run.run_state import seed_all
from base.run.training_parts import TrainingParts
from data_loader import EmbeddedDataset, HandwritingDataLoader
from ink.alphabet import Alphabet
from logger.metrics_csv import read_rows
from model import AttentionNetwork, CTCLoss, CTCNetwork, ErrorRates, TranscriptionLoss
from model.recognition.encoder import Transcript
from model.recognition.error_rates import rates
from tests.construct import construct
from trainer import RecognitionTrainer
from trainer.recognition_trainer import evidence
from utils.checks import DataError, TrainingFailed, UserError

KINDS = ["ctc", "attention"]


DATA = {
    **{"seed": 3, "size": 6, "valid_size": 5, "test_size": 1, "writers": 3},
    **{"min_characters": 2, "max_characters": 8},
}


def data_of(**options):
    options = {"dataset": EmbeddedDataset(**DATA), "batch_size": 3} | options
    return HandwritingDataLoader(**options).load(seed=1)


@pytest.fixture(scope="module")
def data():
    return data_of()


def make(tmp_path, data, kind, *, run="run", **options):
    options = {"epochs": 1, "samples": 0, "tensorboard": False} | options
    seed_all(1)
    cls, loss = {
        "ctc": (CTCNetwork, CTCLoss()),
        "attention": (AttentionNetwork, TranscriptionLoss(ctc_weight=0.5)),
    }[kind]
    small = {"hidden_size": 8, "channels": 8, "num_layers": 2}
    model = construct(cls, data.normalisation, data.alphabet, **small)
    parts = TrainingParts(
        model,
        loss,
        [ErrorRates()],
        torch.optim.Adam(model.parameters(), lr=0.01),
        None,
        data.training_loader(model.features),
        data.loader("valid", model.features),
        RunFolder("x", run, tmp_path),
        torch.device("cpu"),
        data.facts({}),
        RunRecord(given_config={"name": "x"}),
    )
    return construct(RecognitionTrainer, parts, **options)


class OnGrid(EmbeddedDataset):
    """Ink as a digitiser records it: the pen often stays on a height for some points."""

    def load(self, splits=SPLITS):
        loaded = super().load(splits)
        samples = {
            split: [replace(sample, ink=np.rint(sample.ink / 4)) for sample in part]
            for split, part in loaded.samples.items()
        }
        return replace(loaded, samples=samples)


def test_validation_encodes_the_same_features_as_reading(tmp_path, monkeypatch):
    data = data_of(dataset=OnGrid(**DATA))
    trainer = make(tmp_path, data, "ctc")
    model = trainer.model.eval()
    seen, encode = [], model.encode

    def watched(features, points):
        lines = zip(features, points.tolist(), strict=True)
        seen.extend(line[:count].clone() for line, count in lines)
        return encode(features, points)

    monkeypatch.setattr(model, "encode", watched)
    indices = []
    for batch in trainer.valid_loader:
        trainer.forward_batch(model, batch)
        indices += batch.index.tolist()
    assert sorted(indices) == list(range(5))
    inks = [data.loaded.split("valid")[index].ink for index in indices]
    assert sum(int(((ink[1:-1, 1] == 0) & (ink[1:-1, 0] != 0)).sum()) for ink in inks) > 20
    validated, seen[:] = list(seen), []
    for ink in inks:
        model.read([ink])
    assert len(validated) == len(seen) == 5
    for first, other in zip(validated, seen, strict=True):
        assert torch.equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_gives_the_error_rates_of_the_texts_that_are_read(tmp_path, data, kind):
    trainer = make(tmp_path, data, kind, epochs=2)
    trainer.train()
    rows = read_rows(trainer.run.models / "metrics.csv")
    assert len(rows) == 2
    assert "cer" not in rows[0]  # nothing is read in training
    samples, model = data.loaded.split("valid"), trainer.evaluated_model.eval()
    read = [model.read([sample.ink]).hypotheses[0] for sample in samples]
    expected = rates(zip([sample.text for sample in samples], read, strict=True))
    assert float(rows[-1]["valid_cer"]) == pytest.approx(expected["cer"])
    assert float(rows[-1]["valid_wer"]) == pytest.approx(expected["wer"])


def test_teacher_forcing_changes_evenly_from_the_first_epoch_to_the_last(tmp_path, data):
    trainer = make(tmp_path, data, "attention", epochs=5, teacher_forcing_ratio=[1.0, 0.6])
    shares = []
    for _ in range(5):
        shares.append(trainer.epoch_forcing_ratio)
        trainer.state.end_epoch({}, ("", ""))
    assert shares == pytest.approx([1.0, 0.9, 0.8, 0.7, 0.6])


@pytest.mark.parametrize("split", ["train", "valid"])
def test_samples_without_a_text_are_refused(tmp_path, data, split):
    trainer = make(tmp_path, data, "ctc")
    samples = list(data.loaded.split(split))
    samples[1] = replace(samples[1], text=" ")
    loader = trainer.train_loader if split == "train" else trainer.valid_loader
    object.__setattr__(loader.dataset, "samples", Samples.of(samples))
    counts = f"1 of {len(samples)} samples of the split '{split}' have no text"
    with pytest.raises(DataError, match=f"{counts}, {samples[1].name} first"):
        trainer.train()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "valid"), [("ctc", True), ("attention", False)])
def test_a_reader_that_diverges_is_not_saved(tmp_path, data, kind, valid, caplog):
    """Nothing can be read with it: in validation, in a picture, or where it is tried."""
    monitor = "min valid_cer" if valid else None
    trainer = make(tmp_path, data, kind, epochs=3, samples=1, monitor=monitor)
    if not valid:
        trainer.valid_loader = None
    step = trainer.step

    def ruined(chunks):
        result = step(chunks)
        if trainer.progress.step == 3:
            with torch.no_grad():
                for weight in trainer.model.parameters():
                    weight.fill_(3e38)
        return result

    trainer.step = ruined
    with pytest.raises(TrainingFailed, match=r"the loss per point went from .* to nan"):
        trainer.train()
    assert [path.name for path in checkpoints(trainer.run.models)] == ["checkpoint-epoch1.pth"]
    if valid:
        read = [row["valid_cer"] != "nan" for row in read_rows(trainer.run.models / "metrics.csv")]
        assert read == [True, False, False]
    assert "Traceback" not in (trainer.run.models / "train.log").read_text()


def test_frames_or_texts_that_do_not_fit_the_lines_are_refused_or_warned_of(tmp_path, data, caplog):
    trainer = make(tmp_path, data, "ctc")
    batch = trainer.train_loader.dataset[[(0, 0), (0, 1)]]
    output = trainer.forward_batch(trainer.model.eval(), batch)
    trainer.dry_run(batch, output)
    assert not caplog.messages
    trainer.dry_run(batch, replace(output, lengths=(output.lengths + 1) // 2))
    assert "points, which are not" in caplog.text and "points_per_frame" in caplog.text
    with pytest.raises(UserError, match="lengths are at most the number of its frames"):
        trainer.dry_run(batch, replace(output, lengths=2 * output.lengths))
    with pytest.raises(UserError, match=r'^arch = "CTCNetwork": .* a text of each line, 2, not 1'):
        trainer.dry_run(batch, replace(output, hypotheses=output.hypotheses[1:]))


def test_evidence_shows_labels_in_the_order_in_which_they_are_read():
    """Not of the alphabet, nor of how sure they are; the last class is the blank."""
    chances = torch.tensor(
        [[0.01, 0.02, 0.9, 0.07], [0.6, 0.05, 0.05, 0.3], [0.02, 0.7, 0.08, 0.2]]
    )
    output = Transcript(Alphabet("abc"), chances.log()[None], torch.tensor([3]))
    values, names = evidence(output)
    assert names == ["c", "a", "b"]
    np.testing.assert_allclose(values, chances.numpy().T[[2, 0, 1]], rtol=1e-5)
