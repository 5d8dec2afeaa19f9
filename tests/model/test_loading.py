"""A network is loaded from its own class, alphabet, normalisation and weights, and from no more."""

import numpy as np
import pytest

import model
from model import sample
from model.generation.sampling_options import Sampling
from model.loading import load, load_reader, load_writer
from model.reader import Reader
from model.recognition.encoder import Search
from model.writer import Writer
from tests.commands.networks import NETWORKS, network, save
from utils.alphabet import Alphabet
from utils.checks import CheckpointError, UserError

ALPHABET = Alphabet("abc ")
GONE = {"type": "GoneWithItsMaker", "args": {"anything": 1}}


def saved(path, kind, **changes):
    """Save an untrained network whose dataset, loss, trainer and optimiser do not exist."""
    config = dict.fromkeys(("data_loader", "optimizer", "loss", "trainer"), GONE)
    config |= {"name": "gone", "arch": {"type": kind, "args": NETWORKS[kind][1]}}
    training = {"update": {"optimizer_type": "GoneWithItsMaker"}}
    content = {"config": config, "metrics": {"valid_log_loss": 1.5}, "training": training}
    save(path, kind, alphabet=ALPHABET, changes=content | changes)
    return network(kind, ALPHABET)


def test_a_network_whose_makers_classes_are_gone_writes_and_reads(tmp_path):
    made = saved(tmp_path / "writer.pth", "SynthesisNetwork")
    writer = model.load(tmp_path / "writer.pth", device="cpu")
    line = writer.write("a cab", Sampling(bias=0.7, max_steps=60), seed=3)
    (same,) = sample(made, [3], ["a cab"], Sampling(bias=0.7, max_steps=60))
    np.testing.assert_array_equal(line.ink, same.ink)
    assert isinstance(writer, Writer) and writer.name == "gone"
    assert repr(writer) == f"Writer(SynthesisNetwork of {tmp_path}/writer.pth on cpu)"
    assert writer.record["metrics"] == {"valid_log_loss": 1.5}
    assert not writer.record.keys() & {"state_dict", "training"}
    assert line.written_text == "a cab" and line.description == "a cab · bias 0.7 · seed 3"

    made = saved(tmp_path / "reader.pth", "CTCNetwork")
    reader = load(tmp_path / "reader.pth", "cpu")
    assert isinstance(reader, Reader)
    ink = line.ink
    assert reader.read(line) == reader.read(ink) == made.read([ink]).hypotheses[0]
    wide = Search(width=4)
    assert reader.read_lines([ink, ink], wide) == made.read([ink, ink], wide).hypotheses


@pytest.mark.parametrize(
    ("arch", "modules", "message"),
    [
        (GONE, {}, r'arch\.type = "GoneWithItsMaker": unknown type'),
        (GONE, {"my_net": "5f" * 32}, r"module my_net\.py \(SHA-256 5f5f.*--module"),
        (7, {}, "arch = 7: an object"),
        ({"type": "CTCNetwork", "args": {"channels": "x"}}, {}, 'channels = "x": a whole'),
        ({"type": "CTCNetwork", "args": {"chanels": 8}}, {}, "no such argument; did you mean"),
        ({"type": "CTCNetwork", "args": {"hidden_size": 8192, "num_layers": 16}}, {}, "shape"),
    ],
)
def test_an_architecture_that_does_not_fit_is_refused_in_short(tmp_path, arch, modules, message):
    saved(tmp_path / "x.pth", "CTCNetwork", config={"name": "x", "arch": arch}, modules=modules)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(tmp_path / "x.pth")
    assert str(caught.value).startswith(f"{tmp_path}/x.pth: ")
    assert str(caught.value).count("\n") == (6 if message == "shape" else 0)  # some are named


def test_a_network_is_refused_when_its_file_lacks_the_alphabet(tmp_path):
    saved(tmp_path / "x.pth", "CTCNetwork", alphabet=None)
    with pytest.raises(CheckpointError, match="it lacks the alphabet that its network needs"):
        load(tmp_path / "x.pth")


def test_a_run_is_loaded_by_its_id(tmp_path, monkeypatch):
    """With or without its experiment's name; of one that learned a hand, what it made of it."""
    monkeypatch.setattr("base.pretrained.RUNS", tmp_path)
    for experiment, run in (("a", "one"), ("a", "both"), ("b", "both")):
        (tmp_path / experiment / run).mkdir(parents=True)
        saved(tmp_path / experiment / run / "hand.pth", "SynthesisNetwork")
    for name in ("one", "a/one"):
        assert load(name, "cpu").path == tmp_path / "a" / "one" / "hand.pth"
    with pytest.raises(CheckpointError, match=r"both: several runs have this id: .*a/both, .*b/b"):
        load("both", "cpu")
    with pytest.raises(CheckpointError, match="none: no such file or folder, nor a pretrained"):
        load("none", "cpu")


def test_a_network_of_another_kind_is_refused(tmp_path):
    alone = save(tmp_path / "alone", "PredictionNetwork")
    with pytest.raises(UserError, match="a PredictionNetwork; a network that writes texts is nee"):
        load_writer(alone, "cpu")
    with pytest.raises(UserError, match="a PredictionNetwork; a network that reads is needed"):
        load_reader(alone, "cpu")
