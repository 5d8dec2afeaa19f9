"""Peak memory of training by length and batch, of whole lines and of truncated back-propagation.

Each number is from a separate process, which trains the conditional network of the paper's size
with the project's own trainer on lines of one length; what the process needed before it built
anything is subtracted. Without truncation memory grows with batch times length; with it, only the
batch itself and its text still grow with the length.
"""

import argparse
import logging
import multiprocessing
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import BaseDataset
from base.device import resolve_device
from base.random_state import seed_all
from base.run_folder import RunFolder
from benchmarks.measure import describe, peak_memory
from data_loader import HandwritingDataLoader
from model import NegativeLogLikelihood, SynthesisNetwork
from trainer import GenerationTrainer
from utils.alphabet import Alphabet
from utils.checks import UserError
from utils.normalisation import Normalisation

LETTERS = "abcdefghijklmnopqrstuvwxyz "
POINTS = 22
"""Points of a character (measured: IAM-OnDB has 628 points on 29 characters)."""


class Lines(BaseDataset):
    """Random ink, all of one length."""

    def __init__(self, count: int, steps: int) -> None:
        self.count, self.steps = count, steps
        self.lengths = np.full(count, steps + 1)

    def prepare(self) -> None:
        """Do nothing."""

    def split_indices(self) -> dict[str, np.ndarray]:
        """Return the samples of each split: all are for training."""
        none = np.arange(0)
        return {"train": np.arange(self.count), "valid": none, "test": none}

    def ink(self, index: int) -> np.ndarray:
        """Return the ink of one sample."""
        ink = np.random.default_rng(index).standard_normal((self.steps + 1, 3))
        ink[:, 2] = ink[:, 2] > 1.6
        return ink.astype(np.float32)

    def text(self, index: int) -> str:
        """Return a text of about as many characters as such a line has."""
        letters = np.random.default_rng(index).integers(0, len(LETTERS), self.steps // POINTS + 1)
        return "".join(LETTERS[letter] for letter in letters)

    def name(self, index: int) -> str:
        """Return the name of one sample."""
        return f"line {index}"

    def report(self) -> str:
        """Return the counts."""
        return f"train: {self.count} lines"


def measure(case: tuple[int, int, int | None, argparse.Namespace]) -> int:
    """Return the bytes that two batches of training need at most."""
    steps, batch, truncate, arguments = case
    torch.set_num_threads(arguments.threads)
    device = resolve_device(arguments.device)
    logging.disable()
    before = peak_memory(device)
    seed_all(0)
    alphabet, normalisation = Alphabet(list(LETTERS)), Normalisation((0.0, 0.0), (1.0, 1.0))
    lines = Lines(2 * batch, steps)
    loader = HandwritingDataLoader(0, normalisation, alphabet, dataset=lines, batch_size=batch)
    loader.prepare()
    model = SynthesisNetwork(normalisation, alphabet, hidden_size=arguments.hidden).to(device)
    with tempfile.TemporaryDirectory() as folder:
        trainer = GenerationTrainer(
            *(model, NegativeLogLikelihood(), [], torch.optim.Adam(model.parameters()), None),
            *(loader, None, RunFolder("memory", "run", Path(folder)), device),
            {"dataset": {"canonical": None}},
            **{"epochs": 1, "samples": 0, "monitor": None, "tensorboard": False},
            truncate=truncate,
        )
        trainer.train()
    return peak_memory(device) - before


def main(arguments: argparse.Namespace) -> None:
    """Print the table."""
    device = resolve_device(arguments.device)
    print(
        f"PyTorch {torch.__version__}, {describe(device)}; {arguments.hidden} cells, chunks of "
        f"{arguments.truncate} steps; peak memory in MB"
    )
    sizes = list(product(arguments.batches, arguments.lengths))
    cases = [(*size[::-1], cut, arguments) for size in sizes for cut in (None, arguments.truncate)]
    print(f"{'batch':>6}{'steps':>8}{'whole':>10}{'cut':>10}")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found = pool.imap(measure, cases, chunksize=1)
        for batch, steps in sizes:
            whole, cut = (next(found) / 2**20 for _ in range(2))
            print(f"{batch:>6}{steps:>8}{whole:>10,.0f}{cut:>10,.0f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--lengths", type=int, nargs="+", default=[250, 500, 1000, 2000], help="steps of a line")
    add("--batches", type=int, nargs="+", default=[8, 16], help="lines a batch")
    add("--truncate", type=int, default=100, help="steps of a chunk")
    add("--hidden", type=int, default=400, help="cells of a layer")
    add("--threads", type=int, default=torch.get_num_threads())
    try:
        main(parser.parse_args())
    except UserError as error:
        sys.exit(f"error: {error}")
