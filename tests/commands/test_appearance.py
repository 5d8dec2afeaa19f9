"""How written lines look, beside recorded ones."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from commands import page_appearance
from data_loader.synthetic.corpus import held_out
from model import load
from model.generation.options import Sampling
from model.handwriting import Hand, own_hand
from tests.commands.networks import use
from tests.page_rows import rows_of
from utils.checks import UserError
from utils.hand_measures import MEASURES, VARIED, measure
from utils.ink import from_strokes
from utils.page.evenness import of_page


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
        lines = writer.write_lines(texts, range(3, 7), Sampling(bias=one["bias"], max_steps=150))
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
        (("-r", writer, "--liveliness", 1), "--liveliness is for --pages"),
        (("-r", writer, "--pages", 2), "--num-samples is for single lines, not for --pages"),
    ):
        words = (*words, "--steps", 9) if "--num-samples" not in words else words
        with pytest.raises(UserError, match=told):
            use("appearance", *words, "--num-samples", 1, "--output", tmp_path)


def test_pages_are_measured_as_page_lays_them_out(checkpoints, tmp_path, capsys):
    path = checkpoints["SynthesisNetwork"]
    words = ("-d", "cpu", "--pages", 1, "--seed", 5, "--liveliness", 1, 0.5)
    found = look(path, tmp_path, *words)
    assert [one["liveliness"] for one in found["written"]] == [0.5, 1.0]
    writer = load(path, "cpu")
    hand = Hand(writer, own_hand(writer, None, 5, {"bias": 0.75}))
    paper = f"{40 * hand.blank * 2.2}x{8.5 * 3.9 * 2.2}"
    text, output = tmp_path / "text.txt", tmp_path / "page.json"
    text.write_text(" ".join(held_out(14)))
    for one in found["written"]:
        use("page", text, "-r", path, "-d", "cpu", "--no-proofread", "--seed", 5,
            "--paper", paper, "--margins", 0, "--liveliness", one["liveliness"],
            "--output", output)  # fmt: skip
        file = output if output.exists() else tmp_path / "page-1.json"
        rows = [(from_strokes(row.strokes), row.text) for row in rows_of(file)]
        assert len(rows) == 8
        for name, value in of_page(rows).items():
            expected = None if np.isnan(value) else pytest.approx(value, rel=0.01, abs=1e-3)
            assert one["measures"][name]["median"] == expected
    assert found["written"][0]["measures"]["x_height"]["median"] > 0
    assert "between the lines" in capsys.readouterr().out


def test_recorded_sheets_are_the_forms_of_the_dataset(checkpoints, data, tmp_path, monkeypatch):
    words = ("--pages", 1, "--recorded", "train")
    with pytest.raises(UserError, match="'train' has no sheet: 5 lines of a form"):
        look(checkpoints["SynthesisNetwork"], tmp_path, *words)
    monkeypatch.setattr(type(data), "group", lambda *_: "form")
    found = look(checkpoints["SynthesisNetwork"], tmp_path, *words)["recorded"]
    assert (found["split"], found["pages"]) == ("train", 1)
    sheet = of_page([(data.ink(n), data.text(n)) for n in range(6)])
    assert found["measures"]["slant"]["median"] == pytest.approx(sheet["slant"])
    assert found["measures"]["x_height"]["median"] == pytest.approx(sheet["x_height"])


@dataclass
class Silent:
    """A hand that writes nothing."""

    writer: object
    primer: object
    reader: object
    sampling: object
    liveliness: float = 1.0
    blank: float = 1.0

    def write(self, texts, seeds):
        return []


def test_each_page_has_sentences_of_its_own(checkpoints, monkeypatch):
    said = []

    def passage(hand, text):
        said.append(text)
        return SimpleNamespace(lines=[])

    monkeypatch.setattr("model.handwriting.Hand", Silent)
    monkeypatch.setattr("model.handwriting.Passage", passage)
    monkeypatch.setattr("utils.page.evenness.of_page", dict)
    monkeypatch.setattr("model.handwriting.own_hand", lambda *_: None)
    writer = load(checkpoints["SynthesisNetwork"], "cpu")
    arguments = SimpleNamespace(pages=2, seed=0, pen_sharpness=None)
    page_appearance.written_pages(writer, arguments, 0.5, [1.0])
    count = page_appearance.SENTENCES
    texts = held_out(2 * count)
    assert said == [" ".join(texts[:count]), " ".join(texts[count:])]
