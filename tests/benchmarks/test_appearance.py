"""How written lines and pages look, beside recorded ones."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import appearance
from benchmarks.evenness import of_page
from benchmarks.measures import MEASURES, VARIED, measure, variety
from data_loader.synthetic.corpus import held_out
from model import load
from tests.benchmarks.scripts import run
from tests.commands.networks import use
from tests.page_rows import rows_of
from utils.checks import UserError
from utils.ink import from_strokes


@pytest.fixture
def writer(checkpoints):
    return load(checkpoints["SynthesisNetwork"], "cpu")


def test_written_and_recorded_lines_are_measured(checkpoints, writer, capsys):
    words = ("--num-samples", 2, "--biases", 1, 0.5, "--seed", 3, "--recorded", "train")
    words += ("--lengths", 20, "--reader", checkpoints["CTCNetwork"])
    run("appearance", "-r", checkpoints["SynthesisNetwork"], *words)
    printed = capsys.readouterr().out
    assert "bias 0.5                bias 1                  2 recorded" in printed
    texts, medians = held_out(2), []
    for bias in (0.5, 1):
        lines = writer.write_lines(texts, [3, 4], appearance.Sampling(bias))
        widths = [measure(one.ink, text)["letter_width"] for one, text in zip(lines, texts)]  # noqa: B905
        medians.append(f"{np.median(widths):.3f}")
    row = next(line for line in printed.splitlines() if line.startswith("letter_width"))
    assert [row.split()[n] for n in (1, 4)] == medians
    assert "variety" in printed and "  20 characters, bias 0.5   cer " in printed


def test_variety_by_hand():
    written, recorded = ([{name: x for name in MEASURES} for x in of] for of in ((1, 3), (0, 6, 3)))
    found = variety(written, recorded)
    assert found == pytest.approx(dict.fromkeys((*VARIED, "mean"), math.sqrt(2) / 3))


def test_pages_are_measured_as_page_lays_them_out(checkpoints, writer, tmp_path):
    arguments = SimpleNamespace(pages=2, seed=5)
    _, found = appearance.written_pages(writer, arguments)
    hand = appearance.Hand(writer, appearance.own_hand(writer, None, 6, appearance.Sampling(0.75)))
    text, output = tmp_path / "text.txt", tmp_path / "page.json"
    text.write_text(" ".join(held_out(28)[14:]))
    paper = f"{40 * hand.shape.blank * 2.2}x{8.5 * 3.9 * 2.2}"
    use("page", text, "-r", checkpoints["SynthesisNetwork"], "--no-proofread", "--seed", 6,
        "--paper", paper, "--margins", 0, "--output", output,
        "--line-height", 3.9 * 2.2)  # fmt: skip
    rows = rows_of(output if output.exists() else tmp_path / "page-1.json")
    assert len(rows) == 8
    expected = of_page([(from_strokes(row.strokes), row.text) for row in rows])
    assert found == pytest.approx(expected, rel=0.01, abs=1e-3, nan_ok=True)


def test_recorded_sheets_are_the_forms_of_the_dataset(data):
    arguments = SimpleNamespace(recorded="train", seed=0)
    with pytest.raises(UserError, match="'train' has no sheet: 5 lines of a form"):
        appearance.recorded_pages(data.split("train"), arguments)
    samples = [replace(sample, group="form") for sample in data.split("train")]
    sheet = of_page([(sample.ink, sample.text) for sample in samples])
    assert appearance.recorded_pages(samples, arguments) == [pytest.approx(sheet, nan_ok=True)]
