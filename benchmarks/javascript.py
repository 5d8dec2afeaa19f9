"""Measure the package for JavaScript in Chromium: milliseconds a row, and readings beside Python's.

    taskset -c 0 .venv/bin/python benchmarks/javascript.py --rows 500

It needs Chromium and playwright. Rows are everyday texts that `open_writer` writes, one seed each.
"""

import argparse
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice
from operator import eq
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from playwright.sync_api import Page, sync_playwright

from apps.web import flat_file, page_networks
from data_loader.synthetic.texts.everyday import held_out_everyday
from ink.geometry import strokes
from model import load

WEB_FOLDER = Path(__file__).resolve().parents[1] / "apps" / "web"
NETWORKS = [WEB_FOLDER / "networks" / f"{name}.bin" for name in ("open_writer", "open_reader")]
MAX_CHARACTERS = 64  # of a line of `open_writer`
TEXT = "Dear Anna, the ink is wet now."  # 30 characters
REPETITIONS = 20
MEASURE = """async ({text, repetitions}) => {
  const {loadReader, loadWriter} = await import("./index.js");
  const times = {};
  const timed = async (name, work) => {
    const begin = performance.now(), result = await work();
    (times[name] ??= []).push(performance.now() - begin);
    return result;
  };
  const last = async (options) => {
    let ink;
    for await (ink of writer.write(text, options));
    return ink;
  };
  const reader = await timed("load the reader", () => loadReader());
  const writer = await timed("load the writer", () => loadWriter());
  for (let seed = 0; seed < repetitions; seed++) {
    const {strokes} = await timed("write", () => last({seed}));
    await timed("write in a style", () => last({seed, style: "open_clear"}));
    await timed("read", () => reader.read(strokes));
    await timed("write and proofread", () => last({seed, reader}));
    await timed("proofread", () => reader.readLine(strokes));
  }
  return times;
}"""
READ = """async (rows) => {
  const {loadReader} = await import("./index.js");
  const reader = await loadReader();
  return rows.map((strokes) => reader.readLine(strokes));
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves the files of the package."""

    def log_message(self, *_: object) -> None:
        """Do not log requests."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=0, metavar="N", help="rows that both read")
    num_rows = parser.parse_args().rows
    paths = page_networks.missing(NETWORKS)
    if paths:
        flat_file.make(paths)
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=WEB_FOLDER)) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        switches = {"executable_path": shutil.which("chromium"), "args": ["--no-sandbox"]}
        page = playwright.chromium.launch(**switches).new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/LICENCES.txt")
        options = {"text": TEXT, "repetitions": REPETITIONS}
        for name, times in page.evaluate(MEASURE, options).items():
            print(f"{name}: {np.median(times):.0f} ms, at least {min(times):.0f}", flush=True)
        if num_rows:
            compare(page, num_rows)
        server.shutdown()


def compare(page: Page, num_rows: int) -> None:
    """Print the number of rows that JavaScript reads as Python does, whose weights are not
    rounded."""
    texts = []
    for text in (row.replace("\n", " ") for _, row in held_out_everyday("test")):
        if len(text) <= MAX_CHARACTERS and text.isascii():
            texts.append(text)
    texts = list(islice(cycle(texts), num_rows))
    lines = load("open_writer", "cpu").write_lines(texts, range(num_rows))
    rows = [[stroke.tolist() for stroke in strokes(line.visible)] for line in lines]
    expected = load("open_reader", "cpu").read_lines([line.visible for line in lines])
    readings = page.evaluate(READ, rows)
    same = sum(map(eq, readings, expected))
    print(f"{same} of {num_rows} rows are read as by Python in float32")


if __name__ == "__main__":
    main()
