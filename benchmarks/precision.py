"""A comparison of training in bfloat16 and in float32.

Trains one network on embedded lines in both precisions, from the same seeds, with the same batches,
and prints the log-loss on the validation split after so many steps, in nats per point.

    python benchmarks/precision.py
    python benchmarks/precision.py --hidden 400 --layers 3 --steps 200 --seeds 3 --device cuda
"""

import argparse
import statistics
import sys
from pathlib import Path

import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_loader import EmbeddedDataset, HandwritingDataLoader
from model import NegativeLogLikelihood, SynthesisNetwork
from trainer.scores import evaluate

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}


def trained(
    loader: HandwritingDataLoader, dtype: torch.dtype | None, seed: int, words: argparse.Namespace
) -> float:
    """Train a network, and return its log-loss on the validation split in nats per point."""
    torch.manual_seed(seed)
    network = SynthesisNetwork(
        loader.normalisation,
        loader.alphabet,
        hidden_size=words.hidden,
        num_layers=words.layers,
        min_scale=0.5,
        window_advance=0.08,
    ).to(words.device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loss = NegativeLogLikelihood()
    batches = iter(())
    loader.set_position(seed)
    for _ in tqdm(range(words.steps), f"{dtype or torch.float32}, seed {seed}", leave=False):
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        batch = batch.to(words.device)
        with torch.autocast(torch.device(words.device).type, dtype, enabled=dtype is not None):
            output = network(batch.inputs, batch.text, batch.text_lengths)
        optimizer.zero_grad()
        (loss(output, batch).sum() / loss.divisor(batch)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    scores = evaluate(
        network.eval(),
        loader.split("valid"),
        normalisation=loader.normalisation,
        device=words.device,
    )
    return scores["log_loss_per_point"]


def main() -> None:
    """Print a row per seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hidden", type=int, default=128, help="cells of a layer (default: 128)")
    parser.add_argument("--layers", type=int, default=2, help="hidden layers (default: 2)")
    parser.add_argument("--steps", type=int, default=200, help="optimiser steps (default: 200)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument("--device", default="cpu", help="where to train (default: cpu)")
    words = parser.parse_args()
    dataset = EmbeddedDataset(
        size=2000, valid_size=200, test_size=1, min_characters=6, max_characters=20, rate=45.0
    )
    loader = HandwritingDataLoader(0, None, None, dataset=dataset, batch_size=16)
    loader.prepare()
    results: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    print(f"{'seed':<6}" + "".join(f"{name:>12}" for name in PRECISIONS))
    for seed in range(words.seeds):
        for name, dtype in PRECISIONS.items():
            results[name].append(trained(loader, dtype, seed, words))
        print(f"{seed:<6}" + "".join(f"{values[-1]:>12.4f}" for values in results.values()))
    means = {name: statistics.mean(values) for name, values in results.items()}
    print(f"{'mean':<6}" + "".join(f"{mean:>12.4f}" for mean in means.values()))
    print(f"difference {means['bfloat16'] - means['float32']:+.4f} nats per point")


if __name__ == "__main__":
    main()
