"""Writing, against plain PyTorch in the same run: points per second of many lines and of one.

Each rival runs in a process of its own; they take turns. All have the same weights, and write as
many points: those of a fresh network whose window moves so slowly that no line ends before the
limit. Preparing the weights counts.
"""

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import measures, reference
from benchmarks.measure import (
    SEED,
    Rival,
    Variant,
    alternate,
    parser,
    prepare,
    report,
    row,
    synchronise,
)
from commands.options import number
from model import Sampling, SynthesisNetwork, sample
from utils.alphabet import Alphabet
from utils.normalisation import Normalisation

MEASURES = {"sampling_64_conditional": (64, 1), "sampling_1_conditional": (1, 4)}
"""Lines of a call, and calls of a turn."""
CHARACTERS = 83
"""Of the alphabet, as many as IAM-OnDB has and one."""
TEXT = 29
"""Characters of a line, as many as in IAM-OnDB on average."""


def build(hidden: int) -> SynthesisNetwork:
    """Return the network that writes."""
    torch.manual_seed(SEED)
    alphabet = Alphabet([chr(ord(" ") + number) for number in range(CHARACTERS)])
    normalisation = Normalisation((8.0, 0.1), (42.0, 37.0))
    network = SynthesisNetwork(normalisation, alphabet, hidden_size=hidden, window_advance=0.01)
    return network.eval()


def make_texts(lines: int) -> list[str]:
    """Return one text for each line."""
    drawn = torch.randint(0, CHARACTERS, (lines, TEXT), generator=torch.Generator().manual_seed(1))
    return ["".join(chr(ord(" ") + one) for one in line) for line in drawn.tolist()]


def make_ours(
    hidden: int, device: torch.device, lines: int, calls: int, steps: int, variant: Variant
) -> Callable[[int], float]:
    """Return a function that writes `lines` lines `calls` times and returns points per second."""
    model, texts = build(hidden).to(device), make_texts(lines)
    sampling = Sampling(bias=0.0, max_steps=steps)

    def run(turn: int) -> float:
        start = time.perf_counter()
        for call in range(calls):
            seeds = range(1000 * (turn + 1) + call, 1000 * (turn + 1) + call + lines)
            written = sample(model, seeds, texts, sampling, precision=variant.precision)
            if any(len(line.ink) != steps + 1 for line in written):
                raise RuntimeError("a line ended early: the rivals did not do the same")
        return calls * lines * steps / (time.perf_counter() - start)

    return run


def make_reference(
    hidden: int, device: torch.device, lines: int, calls: int, steps: int
) -> Callable[[int], float]:
    """Return the same of the reference, which writes them one after the other."""
    own = build(hidden)
    model = reference.Network(CHARACTERS, hidden, min_scale=tuple(own.min_scales.tolist()))
    reference.load(model, own.state_dict())
    model.to(device)
    texts = [torch.from_numpy(own.alphabet.encode(text)).to(device) for text in make_texts(lines)]
    start_point = torch.zeros(3, device=device)

    def run(turn: int) -> float:
        torch.manual_seed(turn + 1)
        start = time.perf_counter()
        for text in calls * texts:
            if len(model.sample(steps, start_point, text)) != steps:
                raise RuntimeError("a line ended early: the rivals did not do the same")
        synchronise(device)
        return calls * lines * steps / (time.perf_counter() - start)

    return run


def run(arguments: Namespace) -> None:
    """Measure what was asked for."""
    device, limits = prepare(arguments)
    steps, threads, rows = max(1, round(arguments.steps * arguments.scale)), arguments.threads, []
    work = 2 * sum(one.numel() for one in build(arguments.hidden).parameters() if one.dim() == 2)
    for measure in arguments.only:
        shared = arguments.hidden, device, *MEASURES[measure], steps
        rivals = {str(v): Rival(make_ours, (*shared, v), v.compiled, threads) for v in limits}
        rivals["reference"] = Rival(make_reference, shared, True, threads)
        answers = alternate(rivals, arguments.rounds, measure)
        for variant, limit in limits.items():
            rows.append(row(measure, str(variant), answers, "points/s", limit / work))
    report(rows, arguments.json)


if __name__ == "__main__":
    options = parser(__doc__, list(MEASURES))
    positive = number(int, 1)
    options.add_argument("--steps", type=positive, default=256, help="of each line")
    measures.main(run, options)
