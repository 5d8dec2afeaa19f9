"""The package for JavaScript, installed from its file, does what its pages say."""

import json
import re
import shutil
import subprocess
import tarfile

import numpy as np
import pytest

from apps.web import site
from ink.geometry import from_strokes, strokes, x_height
from ink.reading import read_ink
from model.generation.line import Sampling
from tests.apps.web.conftest import ROOT, needs_node
from tests.flat_files import loaded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    needs_node,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm: apt-get install npm"),
]

LINES = [dict(text="Dear Anna", style=style, seed=seed)
         for style, seed in [(None, 0), ("open_round", 7), ("open_clear", 2**32 - 1)]]  # fmt: skip
USE = """
import {loadReader, loadWriter, neat, fromInkml, toInkml} from "online-handwriting";
import {HandwritingError} from "online-handwriting";
import type {Hand, Place, Row} from "online-handwriting";
import {HandwritingWorker} from "online-handwriting/worker";
import {loadReader as load} from "online-handwriting/reader";
const reader = await loadReader(new URL("a.bin", import.meta.url), new Uint8Array(3));
const rows: Row[] = reader.read([[[0, 1], [2, 3, 40]]]);
const inks: (Place | undefined)[] = [];
const writer = await loadWriter();
const hand: Hand = await writer.handOf(rows);
for await (const {strokes, doubtful} of writer.write("a", {style: hand, seed: 3, bias: 1, reader,
  signal: new AbortController().signal})) inks.push(strokes[0][0], doubtful?.[0]);
const text: string = toInkml([{text: "a", strokes: neat(rows)}], "mm");
reader.read(await fromInkml(text));
const {signal} = new AbortController();
const later: Row[] = await reader.read([], {signal, onProgress: (fraction) => fraction > 0.5});
const other: string = (await load()).name + later[0]?.characters[0].first[1];
const worker = new HandwritingWorker(), code: string = new HandwritingError(other).code;
for await (const {doubtful} of worker.write(code, {seed: 1, proofread: true}))
  inks.push(doubtful?.[0]);
reader.dispose();
"""
TSC = shutil.which("tsc") or shutil.which("tsc", path=ROOT / "apps/plugins/node_modules/.bin")
WORKER = """
import {HandwritingWorker} from "online-handwriting/worker";
import {loadReader} from "online-handwriting/reader";
import {loadWriter} from "online-handwriting/writer";
const worker = new HandwritingWorker(), fractions = [];
for await (const {strokes, doubtful} of worker.write("Dear Anna", {seed: 1, proofread: true})) {
  if (!doubtful) continue;
  const rows = await worker.read(strokes, {onProgress: (fraction) => fractions.push(fraction)});
  const tidy = await worker.neat(strokes);
  console.log(rows[0].text, fractions.join(), tidy.length === strokes.length);
}
await worker.read([[[0, NaN]]]).catch(({code, name}) => console.log(code, name));
await worker.read([[[0, 0]]], {signal: AbortSignal.abort()}).catch(({name}) => console.log(name));
await worker.stop();
console.log((await loadReader()).name, (await loadWriter()).name);
"""
ENDED = """
import {renameSync, writeFileSync} from "node:fs";
import {HandwritingWorker} from "online-handwriting/worker";
const folder = new URL("node_modules/online-handwriting/", import.meta.url);
const ink = [[[0, 0], [5, 9]]];
const file = (name) => new URL(name, folder);
const say = (promise) => promise.then(() => console.log("fulfilled"), ({code, name, message}) =>
  console.log(name === "HandwritingError" ? code : name, message));
let worker = new HandwritingWorker();
const open = worker.read(ink), isStopped = worker.stop();
await say(open);
await isStopped;
await say(worker.load("reader"));
await say(worker.read(ink));
await say(worker.write("a").next());
await worker.stop();
renameSync(file("worker.js"), file("away.js"));
worker = new HandwritingWorker();
await say(worker.read(ink));
await say(worker.load("reader"));
await worker.stop();
writeFileSync(file("worker.js"), "setTimeout(() => { throw new Error('broken') }, 200);");
worker = new HandwritingWorker();
await say(worker.read(ink));
writeFileSync(file("worker.js"), "setTimeout(() => process.exit(), 200);");
worker = new HandwritingWorker();
await say(worker.neat(ink));
renameSync(file("away.js"), file("worker.js"));
renameSync(file("networks/open_reader.bin"), file("networks/away.bin"));
worker = new HandwritingWorker();
await say(worker.load("reader"));
renameSync(file("networks/away.bin"), file("networks/open_reader.bin"));
await say(worker.load("reader"));
await say(worker.read(ink, {onProgress() { throw new Error("the page's"); }}));
await say(worker.read([[[0, 0, Symbol()]]]));
await say(worker.read(ink));
await worker.stop();
"""
MISUSE = ['reader.read("a");', 'writer.write("a", {sed: 3});', "rows[0].word;"]


def run(*words, folder, **options):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An empty folder in which the package was installed, and the package's file."""
    folder = tmp_path_factory.mktemp("package")
    name = (
        run("npm", "pack", "--silent", str(ROOT / "apps" / "web"), folder=folder)
        .strip()
        .splitlines()[-1]
    )
    (use := folder / "use").mkdir()
    (use / "package.json").write_text("{}")
    options = ("--silent", "--offline", "--no-audit", "--no-fund")
    run("npm", "install", *options, f"../{name}", folder=use)
    return use, folder / name


def examples():
    return re.findall(r"```js\n(.*?)```", (ROOT / "apps/web/README.md").read_text(), re.S)


def test_the_examples_of_its_readme_run(installed):
    folder, file = installed
    blocks = examples()
    assert len(blocks) == 3 and len((ROOT / "apps/web/README.md").read_text().split()) <= 450
    for number, block in enumerate(blocks):
        (folder / f"{number}.mjs").write_text(block)
    (folder / "all.mjs").write_text("for (const n of [0, 1, 2]) await import(`./${n}.mjs`);")
    read, *styles, doubts, kept = run("node", "all.mjs", folder=folder).splitlines()
    assert read.startswith("Dear Anna [ 'Dear: ") and "'open_round'" in "".join(styles)
    assert re.fullmatch(r"\d+ strokes, 0 doubtful words", doubts)
    assert re.fullmatch(r"2 \d{3}", kept)
    with tarfile.open(file) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    assert {
        "LICENSE",
        "LICENCES.txt",
        "README.md",
        "index.d.ts",
    } <= names and "main.js" not in names
    assert file.stat().st_size < 5e6


def test_it_reads_and_writes_as_python_does_and_refuses_in_sentences(installed):
    folder, _ = installed
    shutil.copy(ROOT / "tests/apps/web/package.mjs", folder)
    (sample,) = read_ink(ROOT / "saved/styles/open_wide.json")
    mine = [3 * stroke for stroke in strokes(sample.ink)]
    own = dict(text=sample.text, strokes=[stroke.tolist() for stroke in mine])
    request = json.dumps(dict(lines=LINES, **own))
    answer = json.loads(run("node", "package.mjs", folder=folder, input=request))
    header = json.loads(site.OPEN_NETWORKS[0].read_bytes().partition(b"\n")[0])
    writer, reader = map(loaded, site.OPEN_NETWORKS)
    for line, ink in zip(LINES, answer["written"], strict=True):
        primer, sampling = None, Sampling(stretch=writer.model.stretch_at(Sampling.bias))
        if line["style"]:
            hand = header["styles"][line["style"]]
            points = np.reshape(hand["ink"], (-1, 3)) * [hand["x_height"], hand["x_height"], 1]
            points[0, :2] = 0
            primer = points, hand["text"]
        (expected,) = writer.write_lines([line["text"]], [line["seed"]], sampling, primer=primer)
        raw = np.reshape(ink["raw"], (-1, 3))
        assert len(raw) == len(expected.written) > 50 and ink["ended"] == expected.ended
        np.testing.assert_allclose(raw[:40], expected.written[:40], atol=0.1)  # of 90 an x-height
        height = x_height(from_strokes([np.array(stroke) for stroke in ink["strokes"]]))
        assert ink["doubtful"] == [] and 0.7 < height < 1.3
    (row,) = answer["rows"]
    assert row["text"] == reader.read(from_strokes(mine)) == sample.text
    assert sorted(n for word in row["words"] for n in word["strokes"]) == [*range(len(mine))]
    assert len(answer["tidy"]) == len(mine) and "NaN" not in answer["inkml"]
    assert '"T"' not in answer["inkml"] and answer["alphabet"] == "".join(
        reader.alphabet.characters
    )
    assert len(answer["styles"]) == 9 and answer["hand"]["text"] == sample.text
    assert answer["proofread"]["doubtful"] == [] and len(answer["proofread"]["strokes"]) > 4
    faults = {
        "aborted": "This operation was aborted",
        "text": "The text is blank.",
        "sign": "open_writer cannot write 漢.",
        "long": "The text has 119 characters; a line of open_writer has at most 64.",
        "style": "There is no style “round”; there are open_broad, open_clear,",
        "seed": "seed is -1: give an integer from 0 to 4294967295.",
        "lines": "open_writer goes on after a line with strokes and a text of 1 to 64 characters",
        "strokes": "strokes[1][0] is [1, NaN]: give a point [x, y] of finite numbers.",
        "network": "none.bin could not be loaded (ENOENT).",
        "role": "open_writer.bin is a writer; a reader is needed.",
        "options": "options is null: give an object with any of style, seed, bias, signal, reader.",
        "none": "text is undefined: give a string.",
        "replaced": "open_writer cannot write ½ (1/2 instead), a line break.",
        "unknown": "There is no option “stile”; there are style, seed, bias, signal, reader.",
        "bias": "bias is “1”: give a number from 0 on.",
        "signal": "signal is of type Object: give an AbortSignal.",
        "reader": "reader is of type Object: give what `loadReader` returned.",
        "hands": "lines is undefined: give a list of lines {text, strokes}.",
        "rows": "rows is undefined: give the rows that a reader has read.",
        "words": "rows[0].words[0] is of type Object: give a word {text, strokes} of the row.",
        "saved": "rows is undefined: give a list of lines {text, strokes}.",
        "point": "rows[0].strokes[0][0] is [0, NaN]: give a point [x, y] of finite numbers.",
        "opened": "source is undefined: give the text of an InkML file, or a Blob such as a File.",
        "cut": "The text has a trace without an end: it is cut off or damaged.",
        "end": "The text has no </ink> at its end: it is cut off or damaged.",
        "source": "network is 3: give a URL, a Blob that can be read, or bytes.",
        "path": "/abs/path could not be loaded (it is no URL: give a URL, a Blob or bytes).",
        "bytes": "The network: this is no file of a network.",
        "engine": "The engine cannot be compiled: give the package's engine.wasm (",
        "other": "The engine is another program: give the package's engine.wasm.",
        "going": "The writer was disposed of.",
        "disposed": "The reader was disposed of.",
    }
    assert faults.keys() == answer["faults"].keys()
    for name, message in faults.items():
        assert message in answer["faults"][name], (name, answer["faults"][name])
    sentences = r"(open_writer goes on after|(style|lines)\S* is .*: give ).*\."
    assert len(answer["refused"]) == 9
    assert all(re.fullmatch(sentences, fault) for pair in answer["refused"] for fault in pair)
    assert answer["points"] == [[[[1, 2]]]] * 2 + [[[[1, 2, 3]]], [[[1, 2, 3, 4]]]]


def test_its_worker_and_its_halves_read_and_write(installed):
    folder, _ = installed
    (folder / "worker.mjs").write_text(WORKER)
    said = run("node", "worker.mjs", folder=folder).splitlines()
    assert said == [
        "Dear Anna 1 true",
        "bad_ink HandwritingError",
        "AbortError",
        "open_reader open_writer",
    ]


def test_calls_of_a_worker_that_has_ended_are_refused_and_a_failed_load_is_tried_again(
    installed,
):
    folder, _ = installed
    (folder / "ended.mjs").write_text(ENDED)
    said = run("node", "ended.mjs", folder=folder, timeout=60).splitlines()
    stopped = "stopped The worker was stopped: make a new one."
    assert said[:4] == [stopped] * 4
    for fault, reason in zip(
        said[4:8],
        ["Cannot find module", "Cannot find module", "broken", "exit code 0"],
        strict=True,
    ):
        begin = "not_loaded The worker that writes and reads could not be started or has stopped ("
        assert fault.startswith(begin + reason) and ". Make a new HandwritingWorker; if " in fault
    assert re.fullmatch(r"not_loaded .*open_reader\.bin could not be loaded \(ENOENT\)\.", said[8])
    sent = (
        "bad_argument What was given cannot be sent to the worker (Symbol() could not be cloned.): "
    )
    sent += "give lists, numbers and strings alone."
    assert said[9:] == ["fulfilled", "Error the page's", sent, "fulfilled"]


def test_hostile_values_are_refused_by_the_names_of_the_arguments(installed):
    folder, _ = installed
    shutil.copy(ROOT / "tests/apps/web/hostile.mjs", folder)
    answer = json.loads(run("node", "hostile.mjs", folder=folder, timeout=120))
    assert answer["calls"] > 1000 and answer["faults"] == []


def test_its_file_names_its_authors_and_the_licences_of_its_networks_alone(installed):
    _, file = installed
    with tarfile.open(file) as archive:
        described = json.load(archive.extractfile("package/package.json"))
        licences = archive.extractfile("package/LICENCES.txt").read().decode()
        names = {name.rpartition("/")[2] for name in archive.getnames()}
    assert described["keywords"] and described["author"] == "The project's authors"
    assert "CC BY 4.0" in licences and "non-commercial" not in licences
    assert {name for name in names if name.endswith(".bin")} == {
        "open_writer.bin",
        "open_reader.bin",
    }


@pytest.mark.skipif(TSC is None, reason="needs tsc: npm ci --prefix plugins")
def test_its_types_accept_its_use_and_refuse_misuse(installed):
    folder, _ = installed
    options = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext")
    options = (*options, "--lib", "es2022,dom,esnext.asynciterable")
    wrong = "".join(f"// @ts-expect-error\n{line}\n" for line in MISUSE)
    (folder / "use.mts").write_text(USE + wrong)
    (folder / "first.mts").write_text(examples()[0])
    run(TSC, *options, "use.mts", "first.mts", folder=folder)
