"""Alignments of the lines of a config, and what is refused."""

import json

import numpy as np
import pytest

from commands.shared import network_options
from data_loader.synthetic.composed.alignment import Alignment
from ink.alphabet import Alphabet
from model.loading import Reader
from tests.benchmarks.scripts import refused, run
from tests.commands.networks import config_of, save


@pytest.fixture
def config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config_of("SynthesisNetwork", "lines")))
    return tmp_path / "config.json"


class Reads(Reader):
    """Reads lines as given texts, and each piece that is cut out of them as something else."""

    def __init__(self, texts):
        self.texts, self.inks = texts, []

    def read_lines(self, inks, **_):
        self.inks.append(inks)
        return self.texts if len(self.inks) == 1 else ["what else"] * len(inks)


def test_the_table_has_points_and_reading_errors_of_the_lines_of_all_splits(
    config, data, checkpoints, monkeypatch, tmp_path, capsys
):
    """Characters of --not-text never count as read."""
    samples = data.used
    texts = [sample.text for sample in samples]
    not_text, misread = texts[0][0], 1
    texts[misread] = texts[misread][:-1]
    reader = Reads(texts)
    loaded = network_options.Networks.load
    output = tmp_path / "table.npz"
    monkeypatch.setattr(
        network_options.Networks,
        "load",
        lambda self, path: reader if path == "any" else loaded(self, path),
    )
    run("align", config, "-r", checkpoints["SynthesisNetwork"], "--output", output,
        "--reader", "any", "--not-text", not_text)  # fmt: skip
    characters = sum(len(sample.text) for sample in samples)
    printed = capsys.readouterr().out
    assert f"({len(samples)} lines; 0." in printed and f"of {characters} characters" in printed
    table = Alignment.load(output)
    assert list(table) == [sample.name for sample in samples]
    for number, (sample, ink) in enumerate(zip(samples, reader.inks[0], strict=True)):
        np.testing.assert_array_equal(ink, sample.ink)
        line = table.find(sample.name, len(sample.ink), sample.text)
        assert line.counts.min() >= 1 and line.errors == (number == misread)
        expected = [each != not_text for each in sample.text]
        assert line.read.tolist() == [*expected[:-1], expected[-1] and number != misread]
        assert not line.fits.any()  # no piece is read as its character


def test_networks_and_lines_that_cannot_align_are_refused(config, checkpoints, tmp_path, capsys):
    networks = {name: str(path) for name, path in checkpoints.items()}
    reader = ("--reader", networks["CTCNetwork"])
    greek = save(tmp_path / "greek.pth", "SynthesisNetwork", "greek", alphabet=Alphabet("αβγ"))
    for words, message in (
        ((config, "-r", networks["AttentionNetwork"]), "a network that writes texts, or a recog"),
        ((config, "-r", greek), "config.json: no line has a text in the characters of"),
    ):
        assert message in refused(capsys, "align", *words, *reader)
    assert not list(tmp_path.glob("*.npz"))
