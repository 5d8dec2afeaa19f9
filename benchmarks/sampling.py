"""Writing, against plain PyTorch in the same run: points per second of many lines, and of a line.

The project's paths and the reference take turns, with the weights of a fresh network, whose window
moves so slowly that no line ends before the limit. The time to prepare the weights counts.
"""

import sys
import time
from argparse import Namespace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import measures, reference
from benchmarks.speed import (
    REFERENCE,
    SEED,
    alternate,
    parser,
    precision_of,
    prepare,
    report,
    rows_of,
    synchronise,
)
from commands.options import number
from model import Sampling, SynthesisNetwork, sample
from utils.alphabet import Alphabet
from utils.normalisation import Normalisation

MEASURES = {"sampling_64_conditional": (64, 1), "sampling_1_conditional": (1, 4)}
"""Measures by name: lines of a call, and calls of a turn."""
ALPHABET = Alphabet([chr(ord(" ") + number) for number in range(83)])
"""An alphabet with a character more than IAM-OnDB's."""
TEXT = 29
"""Characters of a line: the mean of IAM-OnDB."""


def run(arguments: Namespace) -> None:
    """Take the measures of --only, and report them."""
    device, rows = prepare(arguments), []
    steps = max(1, round(arguments.steps * arguments.scale))
    torch.manual_seed(SEED)
    normalisation, hidden = Normalisation((8.0, 0.1), (42.0, 37.0)), arguments.hidden
    ours = SynthesisNetwork(normalisation, ALPHABET, hidden_size=hidden, window_advance=0.01)
    ours, plain = ours.eval().to(device), reference.copied(ours).to(device)
    for measure in arguments.only:
        lines, calls = MEASURES[measure]
        codes = torch.randint(0, len(ALPHABET), (lines, TEXT))

        def written(path: str, seed: int, codes: torch.Tensor = codes) -> list[int]:
            """Return the number of points of each line that a call writes; the reference writes one
            line after the other."""
            if path != REFERENCE:
                texts, seeds = map(ALPHABET.decode, codes.tolist()), range(seed, seed + len(codes))
                sampling, precision = Sampling(bias=0.0, max_steps=steps), precision_of(path)
                lines = sample(ours, seeds, list(texts), sampling, precision=precision)
                return [len(line.ink) - 1 for line in lines]
            start, numbers = torch.zeros(3, device=device), codes.to(device)
            return [len(plain.sample(steps, start, text)) for text in numbers]

        def speed(path: str, turn: int, lines: int = lines, calls: int = calls) -> float:
            start = time.perf_counter()
            for call in range(calls):
                if set(written(path, 1000 * (turn + 1) + call)) != {steps}:
                    raise RuntimeError("a line ended early: the rivals did not do the same")
            synchronise(device)
            return calls * lines * steps / (time.perf_counter() - start)

        paths = (*arguments.paths, REFERENCE)
        rows += rows_of(measure, "points/s", alternate(speed, paths, arguments.rounds, measure))
    report(rows, arguments.json)


if __name__ == "__main__":
    options = parser(__doc__, list(MEASURES))
    positive = number(int, 1)
    options.add_argument("--steps", type=positive, default=256, help="of each line")
    measures.main(run, options)
