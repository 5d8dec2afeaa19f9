"""How written lines look, beside recorded ones."""

import math

import numpy as np
import pytest

from benchmarks import appearance
from benchmarks.measures import HAND_MEASURES, MEASURES, measure, variety
from data_loader.texts.corpus import held_out
from model import load
from tests.benchmarks.scripts import run


def test_written_and_recorded_lines_are_measured(checkpoints, capsys):
    writer = load(checkpoints["SynthesisNetwork"], "cpu")
    words = ("--num-samples", 2, "--biases", 1, 0.5, "--seed", 3, "--recorded", "train")
    run("appearance", "-r", checkpoints["SynthesisNetwork"], *words)
    printed = capsys.readouterr().out
    assert "bias 0.5                bias 1                  2 recorded" in printed
    texts, medians = held_out(2), []
    for bias in (0.5, 1):
        lines = writer.write_lines(texts, [3, 4], appearance.Sampling(bias))
        widths = [measure(line.ink, text)["letter_width"] for line, text in zip(lines, texts)]  # noqa: B905
        medians.append(f"{np.median(widths):.3f}")
    row = next(line for line in printed.splitlines() if line.startswith("letter_width"))
    assert [row.split()[n] for n in (1, 4)] == medians
    assert "variety" in printed


def test_variety_of_written_lines_is_relative_to_that_of_recorded_lines():
    written, recorded = ([{name: x for name in MEASURES} for x in of] for of in ((1, 3), (0, 6, 3)))
    result = variety(written, recorded)
    assert result == pytest.approx(dict.fromkeys((*HAND_MEASURES, "mean"), math.sqrt(2) / 3))
