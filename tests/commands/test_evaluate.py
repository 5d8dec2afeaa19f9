"""Networks are scored on splits of their data."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import train
from base.checkpoint import load_checkpoint
from commands import search_options
from data_loader import EmbeddedDataset
from experiments import parse
from model import load
from model.recognition.error_rates import rates
from model.recognition.language_model import CharacterLanguageModel
from model.recognition.transcribing import Transcription
from parse_config import data_of
from tests import small_sources
from tests.commands.networks import (
    ALPHABET,
    DATA,
    NORMALISATION,
    READERS,
    evaluate,
    network,
    save,
)
from trainer import scores as library
from utils.alphabet import Alphabet
from utils.checks import UserError


def test_evaluation_in_normalised_units(conditional, tmp_path, capsys):
    evaluate(conditional, tmp_path)
    scores = json.loads((tmp_path / "metrics.json").read_text())
    assert scores["split"] == "valid"
    data = EmbeddedDataset(**DATA)
    data.prepare()
    inks = {index: data.ink(index) for index in data.indices("valid").tolist()}
    assert scores["sequences"] == len(inks) == 5
    assert scores["points"] == sum(len(ink) - 1 for ink in inks.values())
    assert scores["log_loss_dequantised"] is None and scores["bits_per_point"] is None
    # One line at a time, and nothing padded.
    model, nats = network("SynthesisNetwork"), 0.0
    with torch.no_grad():
        for index, ink in inks.items():
            points = torch.from_numpy(NORMALISATION.apply(ink))[None]
            text = torch.from_numpy(ALPHABET.encode(data.text(index)))[None]
            output = model(points[:, :-1], text, torch.tensor([text.shape[1]]))
            nats -= output.prediction.log_prob(points[:, 1:]).double().sum().item()
    assert scores["log_loss"] == pytest.approx(nats / 5, rel=1e-5)
    assert scores["log_loss_per_point"] == pytest.approx(nats / scores["points"], rel=1e-5)
    printed = capsys.readouterr().out
    assert f"{scores['log_loss']:.4f}" in printed
    assert "normalised units" in printed and "sigma is at least 0.1" in printed


def test_evaluation_in_canonical_units_on_a_grid(unconditional, tmp_path, monkeypatch, capsys):
    evaluate(unconditional, tmp_path / "plain", "test")
    monkeypatch.setattr(EmbeddedDataset, "canonical", (41.95, 37.12))
    monkeypatch.setattr(EmbeddedDataset, "quantisation_step", 1.0)
    evaluate(unconditional, tmp_path / "canonical", "test")
    plain, canonical = (
        json.loads((tmp_path / kind / "metrics.json").read_text())
        for kind in ("plain", "canonical")
    )
    assert canonical["split"] == "test" and canonical["sequences"] == 3
    shift = np.log(40.0 / 41.95) + np.log(35.0 / 37.12)
    assert canonical["log_loss_per_point"] == pytest.approx(plain["log_loss_per_point"] + shift)
    # Noise of one unit on a density as wide as dozens changes little: the number is in bits.
    bits = (canonical["log_loss_per_point"] + np.log(41.95 * 37.12)) / np.log(2)
    assert canonical["bits_per_point"] == pytest.approx(bits, rel=1e-3)
    assert canonical["log_loss_dequantised"] != canonical["log_loss"]
    assert "41.95 and 37.12" in capsys.readouterr().out


def test_dequantising_noise_follows_the_seed(unconditional, tmp_path, monkeypatch):
    monkeypatch.setattr(EmbeddedDataset, "quantisation_step", 20.0)
    found = []
    for seed in (1, 2):
        evaluate(unconditional, tmp_path, "--seed", seed)
        found.append(json.loads((tmp_path / "metrics.json").read_text()))
    assert found[0]["log_loss"] == found[1]["log_loss"]
    assert found[0]["log_loss_dequantised"] != found[1]["log_loss_dequantised"]


def test_overrides_reach_the_data_and_the_network_stays_that_of_the_file(unconditional, tmp_path):
    key = "data_loader.args.dataset.args"
    evaluate(unconditional, tmp_path, "-o", f"{key}.valid_size=2")
    assert json.loads((tmp_path / "metrics.json").read_text())["sequences"] == 2
    with pytest.raises(UserError, match=r"arch\.args\.min_scale: the checkpoint fixes the arch"):
        evaluate(unconditional, tmp_path, "-o", "arch.args.min_scale=3.5")
    with pytest.raises(UserError, match=r"valid_sise.*valid_size"):
        evaluate(unconditional, tmp_path, "-o", f"{key}.valid_sise=12")


@pytest.mark.parametrize("head", ["mixture", "regression"])
def test_scores_of_other_networks(tmp_path, capsys, head):
    path = save(tmp_path / "c.pth", head=head, end_of_sequence=True)
    evaluate(path, tmp_path)
    printed, scores = capsys.readouterr().out, json.loads((tmp_path / "metrics.json").read_text())
    assert scores["end_of_sequence"] is True
    assert "for each point, whether the sequence ends there" in printed
    loaded = load(path, "cpu")
    split = data_of(loaded).split("valid")
    expected = library.evaluate(loaded.model, split)
    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert all(f"  {name} " in printed for name in expected.keys() - {"sequences", "points"})
    assert ("min_scale" in scores, "sigma" in printed) == (head == "mixture",) * 2


@pytest.mark.parametrize("arch", READERS)
def test_an_evaluation_gives_rates_and_a_page(checkpoints, data, tmp_path, capsys, arch):
    evaluate(checkpoints[arch], tmp_path, "test")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    indices = [int(index) for index in data.indices("test")]
    model = load(checkpoints[arch]).model
    read = [model.read([data.ink(index)]).hypotheses[0] for index in indices]
    expected = rates(zip(map(data.text, indices), read, strict=True))
    for name in ("cer", "wer", "sequences", "characters"):
        assert metrics[name] == pytest.approx(expected[name]), name
    assert f"cer {expected['cer']:.4f}" in capsys.readouterr().out
    assert (tmp_path / f"{arch.lower()}-worst.png").exists()


@pytest.mark.parametrize("arch", READERS)
def test_a_validation_gives_the_rates_of_an_evaluation(
    checkpoints, tmp_path, monkeypatch, logging_restored, arch
):
    """Of ink on a digitiser's grid, where the pen often stays on a height for some points."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    splits = {"train": ["testset_v"], "valid": ["trainset"], "test": ["testset_t"]}
    small_sources.iam_ondb(Path("data"), {})
    config = load_checkpoint(checkpoints[arch])["config"]
    dataset = {"type": "IAMOnDBDataset", "args": {"root": "data", "splits": splits}}
    config["data_loader"]["args"]["dataset"] = dataset
    config["optimizer"]["args"]["lr"] = 1e-4  # what it says goes on being of all characters
    config["metrics"] = [{"type": "ErrorRates"}]
    config["trainer"]["args"] |= {"samples": 0, "tensorboard": False}
    Path("config.json").write_text(json.dumps(config))
    words = ["-d", "cpu", "-c", "config.json", "-r", str(checkpoints[arch]), "--run-id", "a"]
    assert train.main(words) == 0
    folder = Path("saved/models", config["name"], "a")
    with (folder / "metrics.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    evaluate(folder, "out", "valid")
    metrics = json.loads(Path("out/metrics.json").read_text())
    assert metrics["sequences"] == 6
    for name in ("cer", "wer"):
        assert float(row[f"valid_{name}"]) == pytest.approx(metrics[name], rel=1e-5), name


def test_a_language_model_is_of_the_training_texts(checkpoints, data, tmp_path, capsys):
    words = ["test", "--beam", "2", "--language-model"]
    evaluate(checkpoints["CTCNetwork"], tmp_path, *words)
    assert "language model of train" in capsys.readouterr().out
    reader, (_, arguments) = load(checkpoints["CTCNetwork"]), parse(["evaluate", "-r", "x", *words])
    found = search_options.search_of(reader, arguments).language_model
    texts = [data.text(int(n)) for n in data.indices("train")]
    same = CharacterLanguageModel.fit(texts, ALPHABET)
    for context in ((), (0,), (1, 2)):
        assert (found.log_probs(context) == same.log_probs(context)).all()


@pytest.mark.parametrize("arch", READERS)
def test_beam_and_language_model_are_reported_apart(checkpoints, tmp_path, capsys, arch):
    text = tmp_path / "text.txt"
    text.write_text("zzz zzz\nzz zzzz\n", encoding="utf-8")
    words = ("--beam", 3, "--language-model", text, "--language-weight", 30)
    evaluate(checkpoints[arch], tmp_path, "test", *words)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    printed = capsys.readouterr().out
    assert re.search(r"greedy +cer", printed) and re.search(r"language_model +cer", printed)
    assert metrics["language_model"]["cer"] != metrics["cer"]
    assert metrics["beam"]["sequences"] == metrics["sequences"] == DATA["test_size"]


def test_lines_without_a_text_are_not_scored(checkpoints, data, tmp_path, capsys, monkeypatch):
    text, lacking = EmbeddedDataset.text, int(data.indices("test")[0])
    monkeypatch.setattr(
        EmbeddedDataset, "text", lambda self, n: "" if n == lacking else text(self, n)
    )
    evaluate(checkpoints["CTCNetwork"], tmp_path, "test")
    assert "no text: 1 of 3 lines" in capsys.readouterr().out
    assert json.loads((tmp_path / "metrics.json").read_text())["sequences"] == 2


def test_a_bonus_is_for_ctc(checkpoints, tmp_path):
    words = (tmp_path, "test", "--beam", 2, "--length-bonus", 0.5)
    with pytest.raises(UserError, match="--length-bonus is for a CTCNetwork"):
        evaluate(checkpoints["AttentionNetwork"], *words)
    evaluate(checkpoints["CTCNetwork"], *words)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["beam"]["search"] == "beam of 2, bonus 0.5"


def test_what_is_for_readers_is_not_for_writers(conditional, tmp_path):
    with pytest.raises(UserError, match=r"--beam is for a network that reads"):
        evaluate(conditional, tmp_path, "--beam", 2)


def test_data_says_where_the_dataset_lies_whatever_it_is_within(tmp_path):
    small_sources.iam_ondb(tmp_path / "here", {})
    splits = {"train": ["testset_v"], "valid": ["trainset"], "test": ["testset_t"]}
    lines = {"type": "IAMOnDBDataset", "args": {"root": "nowhere", "splits": splits}}
    shaped = {"type": "ShapedDataset", "args": {"dataset": lines, "shaping": []}}
    for name, dataset in (("plain", lines), ("shaped", shaped)):
        path = save(tmp_path / f"{name}.pth", name=name, dataset=dataset)
        evaluate(path, tmp_path / name, "--data", tmp_path / "here")
        assert json.loads((tmp_path / name / "metrics.json").read_text())["sequences"] == 6
        with pytest.raises(UserError, match="nowhere"):
            evaluate(path, tmp_path / name)


def test_the_worst_lines_are_those_of_the_last_search(checkpoints, data, tmp_path, monkeypatch):
    def line(name, text, read):
        return Transcription(name, data.ink(0), text, read)

    found = {
        "greedy": [line("a", "ab", "xy"), line("b", "ab", "ab")],
        "beam": [line("a", "ab", "ab"), line("b", "ab", "az")],
    }
    drawn = []
    monkeypatch.setattr("trainer.scores.read_split", lambda *_, **__: found)
    monkeypatch.setattr("utils.plots.lines_figure", lambda inks, said: drawn.extend(said))
    monkeypatch.setattr("utils.plots.write_png", lambda path, figure: None)
    evaluate(checkpoints["CTCNetwork"], tmp_path, "--beam", 2)
    assert drawn[0] == "b · 50% errors\ntrue: ab\nread: az"


def test_texts_are_encoded_by_the_alphabet_of_the_network(tmp_path):
    """Not by that of the data, whose order is another."""
    alphabet = Alphabet(ALPHABET.characters[::-1])
    path = save(tmp_path / "a.pth", "SynthesisNetwork", "a", alphabet=alphabet)
    loader = data_of(load(path, "cpu"))
    (batch, *_) = loader.split("test")
    index, length = int(batch.index[0]), batch.text_lengths[0]
    assert alphabet.decode(batch.text[0][:length]) == loader.source.text(index)
