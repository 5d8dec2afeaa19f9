"""Reads the same rows with our reader in JavaScript and with tesseract.js: rows that `open_writer`
writes, and lines of IAM-OnDB, of which `open_reader` has learned none."""

import argparse
import gzip
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measures import main
from commands.options import Parser, number
from data_loader import IAMOnDBDataset
from data_loader.texts.corpus import held_out
from handwriting import flat_file
from ink.drawing.layers import Pen, Row
from ink.drawing.page import X_HEIGHT, Page, page_of_line
from ink.geometry import strokes
from ink.measures import levelled
from ink.sample import Sample
from model import load
from model.generation.line import Sampling
from model.recognition.error_rates import rates
from utils.checks import UserError

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "plugins/node_modules"
DATA = PACKAGES / "@tesseract.js-data/eng/4.0.0_best_int/eng.traineddata.gz"
"""The language model that tesseract.js loads by default."""
PARTS = (
    PACKAGES / "tesseract.js/dist/tesseract.esm.min.js",
    PACKAGES / "tesseract.js/dist/worker.min.js",
    PACKAGES / "tesseract.js-core/tesseract-core-simd-lstm.wasm.js",
)
"""What a browser loads of tesseract.js beside the language model."""


def run(arguments: argparse.Namespace) -> None:
    """Print a row of a table for each program and each set of rows."""
    if not PACKAGES.exists():
        raise UserError(f"{PACKAGES} is missing: npm ci --prefix plugins")
    with TemporaryDirectory() as folder:
        network = Path(folder, "open_reader.bin")
        flat_file.save(network, load("open_reader", "cpu"))
        print(f"{'':<12}{'rows':<12}{'CER, %':>8}{'ms a row':>10}{'ms to load':>12}{'MB':>7}")
        for name, samples in sets(arguments).items():
            rows = [
                row_of(sample, Path(folder, f"{number}.png"), arguments)
                for number, sample in enumerate(samples)
            ]
            request = {"network": str(network), "data": str(DATA.parent), "mode": arguments.mode}
            answers = node(ROOT / "benchmarks/tesseract.mjs", request | {"rows": rows})
            for program, answer in answers.items():
                read, times = zip(*answer["rows"], strict=True)
                texts = [sample.text for sample in samples]
                cer = 100 * rates(zip(texts, read, strict=True))["cer"]
                size = download(network if program == "reader" else DATA, program) / 1e6
                print(
                    f"{program:<12}{name:<12}{cer:>8.2f}{np.mean(times):>10.1f}"
                    f"{answer['load']:>12.0f}{size:>7.2f}"
                )


def sets(arguments: argparse.Namespace) -> dict[str, list[Sample]]:
    """Return the samples to read: written ones, and those of IAM-OnDB where it is."""
    count = arguments.rows
    texts, writer = held_out(count), load("open_writer", "cpu")
    lines = writer.write_lines(texts, range(count), Sampling(bias=0.75))
    samples = [Sample(line.ink, text) for line, text in zip(lines, texts, strict=True)]
    chosen = {"written": samples}
    if Path(arguments.data).exists():
        splits = {"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_f"]}
        test = IAMOnDBDataset(root=arguments.data, splits=splits).load(("test",)).split("test")
        chosen["testset_f"] = test[:: len(test) // count][:count]
    return chosen


def row_of(sample: Sample, path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the strokes of a row, and the path of its picture: level, black on white."""
    page = page_of_line(levelled(sample.ink)[0])
    pen = Pen(arguments.pen * X_HEIGHT, "#000000")
    pictured = Page(page.width, page.height, (Row(page.rows[0].strokes, pen=pen),))
    pictured.save(path, dpi=round(arguments.height / X_HEIGHT * 25.4))
    points = [stroke.tolist() for stroke in strokes(sample.ink)]
    return {"strokes": points, "picture": str(path)}


def node(script: Path, request: dict[str, Any]) -> Any:
    """Return what a script of Node.js answers to a request."""
    done = subprocess.run(["node", script], input=json.dumps(request), stdout=-1, text=True)
    if done.returncode:
        raise UserError(f"{script} has failed")
    return json.loads(done.stdout)


def download(model: Path, program: str) -> int:
    """Return the compressed bytes that a browser loads for a program with a model."""
    if program == "reader":
        words = [PACKAGES / ".bin/esbuild", "--bundle", "--minify", "--format=esm"]
        code = subprocess.run([*words, ROOT / "web/index.js"], stdout=-1, check=True).stdout
        files = [code, (ROOT / "web/engine.wasm").read_bytes()]
    else:
        files = [part.read_bytes() for part in PARTS]
    return sum(len(gzip.compress(file)) for file in [*files, model.read_bytes()])


if __name__ == "__main__":
    parser = Parser(description=" ".join(__doc__.split()))
    parser.add_argument("--data", default="data/iam_ondb", help="folder of IAM-OnDB")
    parser.add_argument("--rows", type=number(int, 2), default=50, help="rows of each set")
    parser.add_argument("--height", type=number(int, 5), default=20, help="x-height in pixels")
    parser.add_argument("--pen", type=number(float, 0), default=0.18, help="line in x-heights")
    parser.add_argument(
        "--mode", default="7", help="segmentation of pages by tesseract: 7 is a row"
    )
    main(run, parser)
