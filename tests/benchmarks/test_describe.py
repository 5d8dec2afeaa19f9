"""What lines look like, for networks that are told hands."""

import json

import numpy as np
import torch

from data_loader import EmbeddedDataset, ToldHandsDataset
from model import load
from model.generation.hand_encoder import DESCRIPTOR
from model.recognition import hand_descriptor
from model.recognition.hand_descriptor import HandDescriptor
from tests.benchmarks.scripts import run
from tests.commands.networks import config_of, save

ARGS = {"size": 60, "valid_size": 4, "test_size": 4, "writers": 5, "max_characters": 20}


def config(folder):
    values = config_of("SynthesisNetwork", "lines", {"type": "EmbeddedDataset", "args": ARGS})
    (folder / "config.json").write_text(json.dumps(values))
    return folder / "config.json"


def test_the_table_tells_a_dataset_of_its_hands(tmp_path, capsys):
    run("describe", config(tmp_path), "--output", tmp_path / "hands.npz")
    assert "(68 lines)" in capsys.readouterr().out
    source = EmbeddedDataset(**ARGS)
    told = ToldHandsDataset(dataset=source, descriptors=str(tmp_path / "hands.npz"))
    samples, extras = source.load().split("train"), told.load().extras
    assert extras["hand"][1] == DESCRIPTOR + 1
    with np.load(tmp_path / "hands.npz") as table:
        rows = dict(zip(table["names"].tolist(), table["values"], strict=True))
    first = HandDescriptor.load().describe([samples[3].ink])[0]
    np.testing.assert_allclose(rows[samples[3].name], first, rtol=1e-3, atol=1e-3)


def test_a_descriptor_is_made_of_a_reader(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hand_descriptor, "FILE", tmp_path / "descriptor.npz")
    options = {"channels": 8, "hidden_size": 48, "parts": hand_descriptor.PARTS}
    reader = save(tmp_path / "reader.pth", "CTCNetwork", **options)
    words = ("--output", tmp_path / "hands.npz", "--fit", reader)
    run("describe", config(tmp_path), *words)
    assert "5 hands, " in capsys.readouterr().out
    made = HandDescriptor.load(tmp_path / "descriptor.npz")
    weight = load(reader, "cpu").model.convolution.weight.detach()
    torch.testing.assert_close(made.convolution.weight.detach(), weight, atol=1e-3, rtol=0.0)
    samples = EmbeddedDataset(**ARGS).load().split("train")
    rows = made.describe([sample.ink for sample in samples])
    numbers, hands = rows[:, :4] / rows[:, -1:], np.array([sample.hand for sample in samples])
    means = np.array([numbers[hands == hand].mean(0) for hand in hands])
    within = ((numbers - means) ** 2).sum(1).mean()
    total = ((numbers - numbers.mean(0)) ** 2).sum(1).mean()
    assert within < 0.7 * total  # by chance 0.93
