"""Checkpoints of small untrained networks, and the commands that use them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

import experiments
from base.run.checkpoint import save_checkpoint
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import AttentionNetwork, CTCNetwork, PredictionNetwork, SynthesisNetwork
from tests.construct import construct

ROOT = Path(experiments.__file__).parent
NORMALISATION = Normalisation(mean=(8.0, 0.5), std=(40.0, 35.0))
ALPHABET = Alphabet([chr(code) for code in range(32, 127)])
DATA = {"seed": 3, "size": 6, "valid_size": 5, "test_size": 3, "writers": 2, "max_characters": 20}
EMBEDDED = {"type": "EmbeddedDataset", "args": DATA}
SMALL = {"hidden_size": 12, "num_layers": 1, "num_mixtures": 3}
READERS = ["CTCNetwork", "AttentionNetwork"]
NETWORKS = {
    "PredictionNetwork": (PredictionNetwork, SMALL, "NegativeLogLikelihood"),
    "SynthesisNetwork": (SynthesisNetwork, SMALL, "NegativeLogLikelihood"),
    "CTCNetwork": (CTCNetwork, {"hidden_size": 8, "channels": 8, "num_layers": 1}, "CTCLoss"),
    "AttentionNetwork": (
        AttentionNetwork,
        {"hidden_size": 8, "channels": 8, "num_layers": 2},
        "TranscriptionLoss",
    ),
}


def config_of(arch, name, dataset=EMBEDDED, **options):
    _, arguments, loss = NETWORKS[arch]
    reads, regression = arch in READERS, options.get("head") == "regression"
    monitored = {"monitor": None} if reads or regression else {}
    data = {"dataset": dataset, "batch_size": 2}
    return {
        "name": name,
        "arch": {"type": arch, "args": arguments | options},
        "data_loader": {"type": "HandwritingDataLoader", "args": data},
        "optimizer": {"type": "Adam", "args": {"lr": 0.001}},
        "lr_scheduler": None,
        "loss": {"type": "SquaredError" if regression else loss, "args": {}},
        "metrics": [] if reads or regression else [{"type": "SSE", "args": {}}],
        "trainer": {
            "type": "RecognitionTrainer" if reads else "GenerationTrainer",
            "args": {"epochs": 1, **monitored},
        },
    }


def network(arch, alphabet=ALPHABET, *, end_bias=None, **options):
    """Return an untrained network; `end_bias` is that of its end of the sequence."""
    torch.manual_seed(4)
    cls, arguments, _ = NETWORKS[arch]
    supplied = [NORMALISATION, alphabet] if cls.needs_text else [NORMALISATION]
    model = construct(cls, *supplied, **(arguments | options))
    with torch.no_grad():
        if end_bias is not None:
            model.output.bias[-1] = end_bias
        if arch in READERS:  # so that something is read
            model.labels.bias[:-1] += 2.0
    return model.eval()


def save(
    path,
    arch="PredictionNetwork",
    name=None,
    *,
    alphabet=ALPHABET,
    dataset=EMBEDDED,
    end_bias=None,
    changes=(),
    **options,
):
    """Write a checkpoint of an untrained network, with `changes`; `options` are the network's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    model = network(arch, alphabet, end_bias=end_bias, **options)
    content = {
        "config": config_of(arch, name or path.parent.name, dataset, **options),
        "state_dict": model.state_dict(),
        "alphabet": alphabet.characters if model.needs_text else None,
        "normalisation": NORMALISATION.to_dict(),
        "metrics": {},
        "dataset": {"canonical": None, "quantisation_step": None},
        "epoch": 1,
        "step": 10,
    }
    save_checkpoint(path, content | dict(changes))
    return path


def use(*words):
    """Run a command in this process, on the CPU."""
    assert experiments.main([*map(str, words), "-d", "cpu"]) == 0


def write(checkpoint, output, *words):
    use("write", "-r", checkpoint, "--output", output, *words)


def evaluate(checkpoint, output, *words):
    use("evaluate", "-r", checkpoint, "--output", output, *words)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def of_colour(path, colour):
    """How many pixels of a picture have the colour, about."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    wanted = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    return int((np.abs(pixels - wanted).max(axis=2) < 8).sum())
