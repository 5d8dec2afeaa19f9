"""The engine of the page in Chromium, against Python in the same run: steps of a line per second;
and the cost of 8 bits a weight: the log-loss of lines that float32 wrote.

    python benchmarks/web.py NETWORK.bin NETWORK
"""

import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch
from playwright.sync_api import Route, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_loader.synthetic.corpus import held_out
from handwriting import flat_file
from model.generation.sampling import predict
from model.loading import load_writer
from model.writer import Writer

TEXT = "The quick brown fox jumps over it"
LINES = 15
"""Lines of the text that are timed."""
SENTENCES = 100
"""Sentences whose log-loss is compared."""
ROOT = Path(__file__).resolve().parent.parent
SITE = "http://localhost/"


def in_python(writer: Writer, seed: int) -> float:
    """Return the steps per second by the compiled kernels, with one thread and in float32."""
    start = time.perf_counter()
    line = writer.write(TEXT, seed=seed)
    return len(line.ink) / (time.perf_counter() - start)


def measured(path: str, writer: Writer) -> np.ndarray:
    """Return the steps per second of each line, by the engine (web.mjs) and by Python."""

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(SITE)
        route.fulfill(path=path if name == "writer.bin" else ROOT / name)

    with sync_playwright() as playwright:
        options = dict(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = playwright.chromium.launch(**options).new_page()
        page.route("**/*", answer)
        page.goto(SITE + "web/icon.svg")
        call = "async (line) => (await import('/benchmarks/web.mjs')).measure(...line)"
        rows = range(LINES)
        return np.array([(page.evaluate(call, [TEXT, n]), in_python(writer, n)) for n in rows])


def log_loss(writer: Writer, lines: list) -> float:
    """Return the mean nats per point of lines of ink."""
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
    engine, python = np.median(measured(path, writer), 0)
    print(
        f"steps in a second: {engine:.0f} by the engine in Chromium, {python:.0f} in Python "
        f"({engine / python:.2f})"
    )
    texts = held_out(SENTENCES)
    written = writer.write_lines(texts, range(len(texts)))
    losses = [log_loss(network, written) for network in (writer, quantised)]
    print("nats per point: {:.4f} in float32, {:.4f} in 8 bits".format(*losses))
