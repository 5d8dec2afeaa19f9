"""Checkpoints that the tests of several commands use."""

import pytest

from data_loader import EmbeddedDataset
from tests.commands.networks import DATA, NETWORKS, save


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """A checkpoint of each kind of network, by its class."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {arch: save(folder / f"{arch}.pth", arch, arch.lower()) for arch in NETWORKS}


@pytest.fixture(scope="session")
def conditional(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "conditional" / "one" / "checkpoint-epoch1.pth"
    return save(path, "SynthesisNetwork", "conditional")


@pytest.fixture(scope="session")
def unconditional(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "unconditional" / "one" / "checkpoint-epoch1.pth"
    return save(path, "PredictionNetwork", "unconditional")


@pytest.fixture(scope="module")
def data():
    return EmbeddedDataset(**DATA).load()
