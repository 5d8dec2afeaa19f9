"""Reads the same rows with our reader in JavaScript and with tesseract.js: rows that `open_writer`
writes, and lines of IAM-OnDB, of which `open_reader` has learned none."""

import argparse
import gzip
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apps.web import flat_file
from commands.shared.options import Parser
from commands.shared.scripts import main
from data_loader import IAMOnDBDataset
from data_loader.synthetic.texts.corpus import held_out
from ink.drawing.layers import LINE_X_HEIGHT, Pen, Row
from ink.geometry import strokes
from ink.measures import levelled
from ink.sample import Sample
from model import load
from model.drawing.page import Page, page_of_line
from model.generation.line import Sampling
from model.recognition.error_rates import rates
from utils.checks import UserError, number

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "apps/plugins/node_modules"
DATA = PACKAGES / "@tesseract.js-data/eng/4.0.0_best_int/eng.traineddata.gz"
"""The language model that tesseract.js loads by default."""
PARTS = (
    PACKAGES / "tesseract.js/dist/tesseract.esm.min.js",
    PACKAGES / "tesseract.js/dist/worker.min.js",
    PACKAGES / "tesseract.js-core/tesseract-core-simd-lstm.wasm.js",
)
"""The files of tesseract.js that a browser loads besides the language model."""


def run(arguments: argparse.Namespace) -> None:
    """Print a row of a table for each program and each set of rows."""
    if not PACKAGES.exists():
        raise UserError(f"{PACKAGES} is missing: npm ci --prefix apps/plugins")
    print(f"{'':<12}{'rows':<12}{'CER, %':>8}{'ms a row':>10}{'ms to load':>12}{'MB':>7}")
    with TemporaryDirectory() as folder:
        network = Path(folder, "open_reader.bin")
        flat_file.save(network, load("open_reader", "cpu"))
        sizes = {"reader": download(network), "tesseract": download(DATA, *PARTS)}
        for name, samples in sets(arguments).items():
            files = [Path(folder, f"{number}.png") for number in range(len(samples))]
            rows = [*map(partial(row_of, arguments), samples, files)]
            request = {"network": str(network), "data": str(DATA.parent), "rows": rows}
            words = ["node", ROOT / "benchmarks/tesseract.mjs"]
            pipes = {"input": json.dumps(request), "stdout": subprocess.PIPE, "text": True}
            done = subprocess.run(words, **pipes)
            if done.returncode:
                raise UserError("benchmarks/tesseract.mjs has failed")
            for program, answer in json.loads(done.stdout).items():
                read, times = zip(*answer["rows"], strict=True)
                pairs = zip((sample.text for sample in samples), read, strict=True)
                print(
                    f"{program:<12}{name:<12}{100 * rates(pairs)['cer']:>8.2f}"
                    f"{np.mean(times):>10.1f}{answer['load']:>12.0f}{sizes[program]:>7.2f}"
                )


def sets(arguments: argparse.Namespace) -> dict[str, list[Sample]]:
    """Return the samples to read: written ones, and those of IAM-OnDB where it is."""
    count = arguments.rows
    texts = held_out(count)
    writer = load("open_writer", "cpu")
    lines = writer.write_lines(texts, range(count), Sampling(bias=0.75))
    samples = [Sample(line.ink, text) for line, text in zip(lines, texts, strict=True)]
    chosen = {"written": samples}
    if Path(arguments.data).exists():
        splits = {"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_f"]}
        test = IAMOnDBDataset(root=arguments.data, splits=splits).load(("test",)).split("test")
        chosen["testset_f"] = test[:: len(test) // count][:count]
    return chosen


def row_of(arguments: argparse.Namespace, sample: Sample, path: Path) -> dict[str, Any]:
    """Return the strokes of a row, and the path of its picture: level, black on white."""
    page = page_of_line(levelled(sample.ink)[0])
    pen = Pen(arguments.pen * LINE_X_HEIGHT, "#000000")
    pictured = Page(page.width, page.height, (Row(page.rows[0].strokes, pen=pen),))
    pictured.save(path, dpi=round(arguments.height / LINE_X_HEIGHT * 25.4))
    points = [stroke.tolist() for stroke in strokes(sample.ink)]
    return {"strokes": points, "picture": str(path)}


def download(*files: Path) -> float:
    """Return the MB, compressed, that a browser loads: files, or a network and our code."""
    contents = [file.read_bytes() for file in files]
    if len(files) == 1:
        words = [PACKAGES / ".bin/esbuild", "--bundle", "--minify", "--format=esm"]
        words.append(ROOT / "apps/web/index.js")
        code = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout
        contents += [code, (ROOT / "apps/web/engine.wasm").read_bytes()]
    return sum(len(gzip.compress(content)) for content in contents) / 1e6


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
