"""The browsers' Handwriting Recognition API in Chromium, as its specification shows it."""

import shutil

import pytest

from ink.geometry import strokes
from ink.reading import read_ink
from tests.apps.web.conftest import ROOT, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLE = """
async ({drawn, name}) => {
  const {install} = await import("./recognizer.js");
  install(new URL(`networks/${name}.bin`, location), new URL("engine.wasm", location));
  const constraint = {languages: ["en"]}, out = {};
  out.query = await navigator.queryHandwritingRecognizer(constraint);
  out.foreign = await navigator.queryHandwritingRecognizer({languages: ["en", "zh-CN"]});
  out.polish = await navigator.queryHandwritingRecognizer({languages: ["pl"]});
  const recognizer = await navigator.createHandwritingRecognizer(constraint);
  const drawing = recognizer.startDrawing({textContext: "Hello world.", alternatives: 4});
  out.empty = await drawing.getPrediction();
  const strokes = drawn.map(points => {
    const stroke = new HandwritingStroke();
    points.forEach(([x, y], n) => stroke.addPoint({x, y, t: 10 * n}));
    drawing.addStroke(stroke);
    return stroke;
  });
  out.same = drawing.getStrokes().every((stroke, n) => stroke === strokes[n]);
  strokes[0].getPoints()[0].x = 1e9; // a copy
  out.first = strokes[0].getPoints()[0];
  drawing.addStroke(new HandwritingStroke()); // without points
  out.predictions = await drawing.getPrediction();
  drawing.removeStroke(strokes.at(-1));
  out.fewer = drawing.getStrokes().length;
  drawing.clear();
  out.cleared = await drawing.getPrediction();
  recognizer.finish();
  const named = async call => { try { await call(); } catch (error) { return error.name; } };
  out.errors = [
    await named(() => recognizer.startDrawing()),
    await named(() => drawing.getPrediction()),
    await named(() => navigator.createHandwritingRecognizer({languages: ["zh-CN"]})),
    await named(() => navigator.createHandwritingRecognizer({languages: []})),
    await named(() => navigator.createHandwritingRecognizer({})),
    await named(() => strokes[0].addPoint({x: "1", y: 2})),
    await named(() => drawing.addStroke({})),
  ];
  return out;
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "apps" / "web", folder, dirs_exist_ok=True)
    (folder / "networks").mkdir(exist_ok=True)
    shutil.copy(ROOT / "saved/pretrained/open_reader.bin", folder / "networks")
    (folder / "empty.html").write_text("<!DOCTYPE html><title>a page</title>")
    return folder


def test_the_example_of_the_specification_reads_a_line(folder, context):
    (sample,) = read_ink(ROOT / "saved/styles/open_wide.json")
    drawn = [stroke.tolist() for stroke in strokes(sample.ink)]
    page = context.new_page()
    with served(folder) as address:
        page.goto(f"{address}/empty.html")
        out = page.evaluate(EXAMPLE, {"drawn": drawn, "name": "open_reader"})
    page.close()
    hints = {"recognitionType": None, "textContext": None, "alternatives": True}
    hints["inputType"] = ["mouse", "stylus", "touch"]
    known = {"textAlternatives": True, "textSegmentation": True, "hints": hints}
    assert out["query"] == out["polish"] == known and out["foreign"] is None
    assert out["empty"] == out["cleared"] == []
    assert out["same"] and out["fewer"] == len(drawn) and out["first"]["t"] == 0
    best, *others = out["predictions"]
    assert best["text"] == sample.text and len(others) == 3
    assert all(other["text"] != sample.text for other in others)
    segments = best["segmentationResult"]
    assert [segment["grapheme"] for segment in segments] == [*sample.text.replace(" ", "")]
    for segment in segments:
        place = slice(segment["beginIndex"], segment["endIndex"])
        assert sample.text[place] == segment["grapheme"] and segment["drawingSegments"]
        for part in segment["drawingSegments"]:
            points = drawn[part["strokeIndex"]]
            assert 0 <= part["beginPointIndex"] <= part["endPointIndex"] < len(points)
    used = {part["strokeIndex"] for each in segments for part in each["drawingSegments"]}
    assert used <= {*range(len(drawn))} and len(used) >= len(drawn) - 1  # one may be of a blank
    state, support = "InvalidStateError", "NotSupportedError"
    assert out["errors"] == [state, state, support, support, *["TypeError"] * 3]


MISSING = """
async () => {
  const {HandwritingWorker} = await import("./package_worker.js");
  const worker = new HandwritingWorker();
  const fault = call => call.then(() => "", error => `${error.code} ${error.message}`);
  const faults = [await fault(worker.load("reader")), await fault(worker.read([[[0, 0]]]))];
  await worker.stop();
  return faults;
}
"""


def test_a_worker_whose_file_is_missing_is_named(folder, context, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "worker.js").unlink()
    page = context.new_page()
    page.set_default_timeout(20_000)
    with served(tmp_path) as address:
        page.goto(f"{address}/empty.html")
        faults = page.evaluate(MISSING)
    page.close()
    for fault in faults:
        assert fault.startswith(
            "not_loaded The worker that writes and reads could not be started or"
        )
        assert "look whether worker.js and the other files of the package lie beside" in fault
