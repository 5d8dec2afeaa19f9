"""How written lines look, beside recorded ones."""

import json

import numpy as np
import pytest

from data_loader.synthetic.corpus import held_out
from model import load
from tests.commands.networks import use
from utils.checks import UserError
from utils.hand_measures import MEASURES, VARIED, measure


def look(writer, output, *words):
    use("appearance", "-r", writer, "--output", output, *words)
    return json.loads((output / "appearance.json").read_text())


def quartiles(measured, name):
    values = [one[name] for one in measured if not np.isnan(one[name])]
    if not values:
        return {"median": None, "lower": None, "upper": None, "lines": 0}
    low, middle, high = np.percentile(values, [25, 50, 75])
    found = {"median": middle, "lower": low, "upper": high, "lines": len(values)}
    return pytest.approx(found)


def test_written_and_recorded_lines_are_measured(checkpoints, data, tmp_path, capsys):
    words = ("--num-samples", 4, "--biases", 1, 0.5, "--steps", 150, "--seed", 3)
    found = look(checkpoints["SynthesisNetwork"], tmp_path, *words, "--recorded", "train")
    assert [one["bias"] for one in found["written"]] == [0.5, 1.0]
    texts, writer = held_out(4), load(checkpoints["SynthesisNetwork"], "cpu")
    for one in found["written"]:
        lines = writer.write_lines(texts, range(3, 7), bias=one["bias"], max_steps=150)
        own = [measure(line.ink, text) for line, text in zip(lines, texts, strict=True)]
        for name in MEASURES:
            assert one["measures"][name] == quartiles(own, name)
    # Two writers wrote the six lines, so that there are two of them.
    assert found["recorded"]["split"] == "train" and found["recorded"]["lines"] == 2
    pairs = [
        [measure(data.ink(first), data.text(first)), measure(data.ink(second), data.text(second))]
        for first in range(6)
        for second in range(6)
        if data.writer(first) < data.writer(second)
    ]
    measures = found["recorded"]["measures"]
    assert any(all(measures[m] == quartiles(own, m) for m in MEASURES) for own in pairs)
    assert list(found["written"][0]["variety"]) == [*VARIED, "mean"]
    printed = capsys.readouterr().out
    assert "bias 0.5                bias 1                  2 recorded" in printed
    assert "letter_width" in printed and "variety" in printed


def test_without_recorded_lines_no_data_is_read(checkpoints, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("parse_config.data_of", lambda *_: pytest.fail("data was read"))
    words = ("--num-samples", 2, "--steps", 30)
    found = look(checkpoints["SynthesisNetwork"], tmp_path, *words)
    assert "recorded" not in found and "variety" not in found["written"][0]
    assert "variety" not in capsys.readouterr().out


def test_texts_of_several_lengths_are_read(checkpoints, tmp_path, capsys):
    words = ("--num-samples", 2, "--steps", 60, "--lengths", 60, 20)
    words += ("--reader", checkpoints["CTCNetwork"])
    found = look(checkpoints["SynthesisNetwork"], tmp_path, *words)["lengths"]
    assert [(one["length"], one["bias"]) for one in found] == [(20, 0.5), (60, 0.5)]
    for one in found:
        assert abs(one["characters"] / 2 - one["length"]) <= 5
        assert one["cer"] > 0 and set(one["measures"]) == set(MEASURES)
    assert "  60 characters, bias 0.5   cer " in capsys.readouterr().out


def test_what_does_not_fit_is_refused(checkpoints, tmp_path):
    writer = checkpoints["SynthesisNetwork"]
    for words, told in (
        (("-r", writer, "--data", tmp_path), "--data is for the lines of --recorded"),
        (("-r", writer, "--reader", "recognition"), "--reader reads the texts of --lengths"),
        (("-r", checkpoints["CTCNetwork"]), "it reads; use `read`"),
        (("-r", checkpoints["PredictionNetwork"]), "a network that writes texts is needed"),
        (("-r", writer, "--recorded", "all", "--num-samples", 1), "no split 'all'"),
        (("-r", writer, "--reader", writer, "--lengths", 20), "it writes; use `write`"),
    ):
        words = (*words, "--steps", 9) if "--num-samples" not in words else words
        with pytest.raises(UserError, match=told):
            use("appearance", *words, "--num-samples", 1, "--output", tmp_path)
