"""What lines look like, for networks that are told hands."""

import json

import numpy as np

from data_loader import EmbeddedDataset, ToldHandsDataset
from model.generation.hand_encoder import DESCRIPTOR
from model.recognition.hand_descriptor import HandDescriptor
from tests.benchmarks.scripts import run
from tests.commands.networks import config_of

ARGS = {"size": 60, "valid_size": 4, "test_size": 4, "writers": 5, "max_characters": 20}


def config(folder):
    values = config_of("SynthesisNetwork", "lines", {"type": "EmbeddedDataset", "args": ARGS})
    (folder / "config.json").write_text(json.dumps(values))
    return folder / "config.json"


def test_a_dataset_reads_the_descriptors_of_its_hands_from_the_table(tmp_path, capsys):
    run("describe", config(tmp_path), "--output", tmp_path / "hands.npz")
    assert "(68 lines)" in capsys.readouterr().out
    source = EmbeddedDataset(**ARGS)
    described = ToldHandsDataset(dataset=source, descriptors=str(tmp_path / "hands.npz"))
    samples, extras = source.load().split("train"), described.load().extras
    assert extras["hand"][1] == DESCRIPTOR + 1
    with np.load(tmp_path / "hands.npz") as table:
        rows = dict(zip(table["names"].tolist(), table["values"], strict=True))
    first = HandDescriptor.load().describe([samples[3].ink])[0]
    np.testing.assert_allclose(rows[samples[3].name], first, rtol=1e-3, atol=1e-3)
