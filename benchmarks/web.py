"""The engine of the page, beside Python in the same run: steps of a line in a second of a core, in
Node, and what 8 bits a weight cost: the log-loss of lines that float32 wrote.

    python benchmarks/web.py NETWORK.bin NETWORK
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_loader.synthetic.corpus import held_out
from handwriting import flat_file
from handwriting.networks import load_writer
from model.generation.sampling import predict
from model.writer import Writer

TEXT, LINES, ROUNDS, SENTENCES = "The quick brown fox jumps over it", 3, 5, 100


def in_node(path: str) -> list[float]:
    """Return the steps in a second of some lines, without the time to load the network."""
    words = ["node", str(Path(__file__).with_suffix(".mjs")), path, TEXT, str(LINES)]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)


def in_python(writer: Writer) -> list[float]:
    """Return the same by the compiled kernels, with one thread and products of float32."""
    rates = []
    for seed in range(LINES):
        start = time.process_time()
        line = writer.write(TEXT, seed=seed)
        rates.append(len(line.ink) / (time.process_time() - start))
    return rates


def log_loss(writer: Writer, lines: list) -> float:
    """Return the mean nats of a point of lines of ink."""
    nats = []
    for line in lines:
        points = torch.from_numpy(writer.model.normalisation.apply(line.ink[1:]))
        ends = torch.zeros(len(points), 1)
        ends[-1] = 1.0
        prediction = predict(writer.model, line).prediction[0]
        nats.append(-prediction.log_prob(torch.cat((points, ends), 1)).numpy())
    return float(np.concatenate(nats).mean())


if __name__ == "__main__":
    torch.set_num_threads(1)
    path, name = sys.argv[1:]
    quantised, writer = flat_file.load(path, "cpu"), load_writer(name, "cpu")
    rates = [(in_node(path), in_python(writer)) for _ in range(ROUNDS)]
    node, python = (np.median(one) for one in zip(*rates, strict=True))
    print(
        f"steps in a second of a core: {node:.0f} in Node, {python:.0f} in Python: "
        f"{node / python:.2f}"
    )
    texts = held_out(SENTENCES)
    written = writer.write_lines(texts, range(len(texts)))
    losses = [log_loss(one, written) for one in (writer, quantised)]
    print("nats per point: {:.4f} in float32, {:.4f} in 8 bits".format(*losses))
