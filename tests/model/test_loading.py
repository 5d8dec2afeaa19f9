"""A network is loaded from its own class, alphabet, normalisation and weights, and from no more."""

import numpy as np
import pytest
import torch
from torch import nn

from base.config import user_modules
from ink.alphabet import Alphabet
from model import sample
from model.generation.line import Sampling
from model.loading import Writer, load, load_reader, load_writer
from model.recognition.encoder import Search
from tests.commands.networks import NETWORKS, network, save
from tests.model.builders import ink
from utils.checks import CheckpointError, UserError

ALPHABET = Alphabet("abc ")
GONE = {"type": "GoneClass", "args": {"anything": 1}}


def saved(path, kind="CTCNetwork", **changes):
    """Save an untrained network whose dataset, loss, trainer and optimiser do not exist."""
    config = dict.fromkeys(("data_loader", "optimizer", "loss", "trainer"), GONE)
    config |= {"name": "gone", "arch": {"type": kind, "args": NETWORKS[kind][1]}}
    training = {"update": {"optimizer_type": "GoneClass"}}
    content = {"config": config, "metrics": {"valid_log_loss": 1.5}, "training": training}
    return save(path, kind, alphabet=ALPHABET, changes=content | changes)


def test_network_writes_when_the_classes_that_trained_it_are_gone(tmp_path):
    writer = load(saved(tmp_path / "writer.pth", "SynthesisNetwork"), device="cpu")
    sampling = Sampling(bias=0.7, max_steps=60)
    line = writer.write("a cab", sampling, seed=3)
    (expected,) = sample(network("SynthesisNetwork", ALPHABET), [3], ["a cab"], sampling)
    np.testing.assert_array_equal(line.ink, expected.ink)
    assert line.written_text == "a cab" and line.description == "a cab · bias 0.7 · seed 3"


def test_network_reads_when_the_classes_that_trained_it_are_gone(tmp_path):
    reader, line = load(saved(tmp_path / "reader.pth"), "cpu"), ink()
    plain, wide = network("CTCNetwork", ALPHABET), Search(width=4)
    assert reader.read(line) == plain.read([line]).hypotheses[0]
    assert reader.read_lines([line, line], wide) == plain.read([line, line], wide).hypotheses


def test_loaded_network_has_its_class_name_path_and_metrics(tmp_path):
    writer = load(saved(tmp_path / "writer.pth", "SynthesisNetwork"), "cpu")
    assert isinstance(writer, Writer) and writer.name == "gone"
    assert repr(writer) == f"Writer(SynthesisNetwork of {tmp_path}/writer.pth on cpu)"
    assert writer.record["metrics"] == {"valid_log_loss": 1.5}
    assert not writer.record.keys() & {"state_dict", "training"}


@pytest.mark.parametrize(
    ("arch", "modules", "message", "lines"),
    [
        (GONE, {}, r'arch\.type = "GoneClass": unknown type', 1),
        (GONE, {"my_net": "5f" * 32}, r"module my_net\.py \(SHA-256 5f5f.*--module", 1),
        (7, {}, "arch = 7: an object", 1),
        ({"type": "CTCNetwork", "args": {"channels": "x"}}, {}, 'channels = "x": a whole', 1),
        ({"type": "CTCNetwork", "args": {"chanels": 8}}, {}, "no such argument; did you mean", 1),
        # Some of the weights are named.
        ({"type": "CTCNetwork", "args": {"hidden_size": 8192, "num_layers": 16}}, {}, "shape", 7),
    ],
)
def test_architecture_that_does_not_fit_is_refused(tmp_path, arch, modules, message, lines):
    path = saved(tmp_path / "x.pth", config={"name": "x", "arch": arch}, modules=modules)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == lines


ORTHOGONAL = """
from torch import nn
from model.generation.generators import PredictionNetwork, RecurrentSettings

class Orthogonal(PredictionNetwork):
    def __init__(self, normalisation, *, settings: RecurrentSettings):
        super().__init__(normalisation, settings=settings)
        nn.utils.parametrizations.orthogonal(self.output)
"""


def test_a_network_whose_constructor_reads_numbers_is_loaded(tmp_path, no_modules):
    """As torch's does, which so cannot be built without memory for its weights."""
    (module := tmp_path / "orthogonal.py").write_text(ORTHOGONAL)
    user_modules.load_module(module)
    name = "PredictionNetwork"
    plain = network(name, ALPHABET)
    nn.utils.parametrizations.orthogonal(plain.output)
    arch = {"type": "Orthogonal", "args": NETWORKS[name][1]}
    changes = {"config": {"name": "x", "arch": arch}, "state_dict": plain.state_dict()}
    changes["modules"] = user_modules.digests()
    writer = load(save(tmp_path / "x.pth", name, alphabet=ALPHABET, changes=changes), "cpu")
    assert torch.equal(writer.model.output.weight, plain.output.weight)


def test_network_is_refused_when_its_file_lacks_the_alphabet(tmp_path):
    with pytest.raises(CheckpointError, match="it lacks the alphabet that its network needs"):
        load(saved(tmp_path / "x.pth", alphabet=None))


def test_run_is_loaded_by_its_id_as_the_hand_that_it_learned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for run in ("a/only", "a/both", "b/both"):
        saved(tmp_path / "saved/models" / run / "hand.pth", "SynthesisNetwork")
    for name in ("only", "a/only"):
        assert load(name, "cpu").path == tmp_path / "saved/models/a/only/hand.pth"
    with pytest.raises(CheckpointError, match=r"both: several runs have this id: .*a/both, .*b/b"):
        load("both", "cpu")
    with pytest.raises(CheckpointError, match="none: no such file or folder, nor a pretrained"):
        load("none", "cpu")


@pytest.mark.parametrize(
    ("load_kind", "task"), [(load_writer, "writes texts"), (load_reader, "reads")]
)
def test_network_that_cannot_do_the_task_is_refused(tmp_path, load_kind, task):
    path = save(tmp_path / "x.pth", "PredictionNetwork")
    with pytest.raises(UserError, match=f"a PredictionNetwork; a network that {task} is needed"):
        load_kind(path, "cpu")
