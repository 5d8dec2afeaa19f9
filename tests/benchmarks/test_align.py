"""Alignments of the lines of a config, and what is refused."""

import json

import numpy as np
import pytest

import model.reader
from commands import options
from data_loader import ComposedDataset, IAMOnDBDataset
from data_loader.synthetic.alignment import Alignment
from model.generation import aligning
from tests import small_sources
from tests.benchmarks.scripts import refused, run
from tests.commands.networks import config_of, save
from utils.alphabet import Alphabet


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """A small IAM-OnDB, and the config of its lines."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    args = {"root": str(tmp_path / "data"), "splits": {"train": ["trainset"], "test": ["testset_t"],
                                                       "valid": ["testset_v"]}}  # fmt: skip
    small_sources.iam_ondb(tmp_path / "data", args)
    dataset = IAMOnDBDataset(**args)
    dataset.prepare()
    config = config_of("SynthesisNetwork", "lines", {"type": "IAMOnDBDataset", "args": args})
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path / "config.json", dataset


def used(dataset):
    return np.unique(np.concatenate(list(dataset.split_indices().values()))).tolist()


def test_lines_of_all_splits_are_aligned(lines, checkpoints, tmp_path, capsys):
    config, dataset = lines
    output = tmp_path / "table.npz"
    run("align", config, "-r", checkpoints["SynthesisNetwork"], "--output", output,
        "--reader", checkpoints["CTCNetwork"])  # fmt: skip
    table = Alignment.load(output)
    assert list(table) == [dataset.name(n) for n in used(dataset)]
    for n in used(dataset):
        line = table.of(dataset.name(n), len(dataset.ink(n)), dataset.text(n))
        assert line is not None and line.counts.min() >= 1
        assert not line.fits[~line.read].any()
    characters = sum(len(dataset.text(n)) for n in used(dataset))
    assert f"({len(used(dataset))} lines, {characters} characters, 0." in capsys.readouterr().out


@pytest.fixture
def reads(lines, monkeypatch):
    """Let the recogniser read given texts of the lines, and what is given of pieces."""

    class Reads(model.reader.Reader):
        def __init__(self, texts, of_pieces):
            self.answers, self.inks = [texts, of_pieces], []

        def read_lines(self, inks, **_):
            self.inks.append(inks)
            answer = self.answers[len(self.inks) - 1]
            return [answer] * len(inks) if isinstance(answer, str) else answer

    def replace(texts, of_pieces="what else"):
        reader, loaded = Reads(texts, of_pieces), options.load

        def load(path, *others, **named):
            return loaded(path, *others, **named) if "Synthesis" in str(path) else reader

        monkeypatch.setattr(options, "load", load)
        return reader

    return replace


def test_what_a_reader_reads_is_noted(lines, checkpoints, reads, tmp_path):
    config, dataset = lines
    texts = [dataset.text(n) for n in used(dataset)]
    texts[1] = texts[1][:-1]
    reader = reads(texts)
    output = tmp_path / "table.npz"
    run("align", config, "-r", checkpoints["SynthesisNetwork"], "--output", output,
        "--reader", "any")  # fmt: skip
    for number, (n, ink) in enumerate(zip(used(dataset), reader.inks[0], strict=True)):
        np.testing.assert_array_equal(ink, dataset.ink(n))
        line = Alignment.load(output)[dataset.name(n)]
        assert line.errors == (number == 1)
        assert line.read.tolist() == [True] * (len(line.read) - 1) + [number != 1]
        assert not line.fits.any()


def test_its_table_makes_new_lines(lines, checkpoints, reads, tmp_path, monkeypatch):
    """From the command to a dataset: with a reader that reads everything, and a window that moves
    on evenly, as an untrained one does not."""
    config, dataset = lines
    reads([dataset.text(n) for n in used(dataset)])
    monkeypatch.setattr(
        aligning,
        "align",
        lambda model, inks, texts, **_: [
            small_sources.evenly(len(ink), text) for ink, text in zip(inks, texts, strict=True)
        ],
    )
    output = tmp_path / "table.npz"
    run("align", config, "-r", checkpoints["SynthesisNetwork"], "--output", output,
        "--reader", "any")  # fmt: skip
    made = ComposedDataset(dataset=dataset, alignment=str(output), size=3)
    made.prepare()
    assert len(made.indices("train")) == len(dataset.indices("train")) + 3


def test_what_cannot_be_aligned_is_refused(lines, checkpoints, tmp_path, capsys):
    config, _ = lines
    networks = {name: str(path) for name, path in checkpoints.items()}
    reader = ("--reader", networks["CTCNetwork"])
    greek = save(tmp_path / "greek.pth", "SynthesisNetwork", "greek", alphabet=Alphabet("αβγ"))
    for words, told in (
        ((config, "-r", networks["AttentionNetwork"]), "a network that writes texts, or a recog"),
        ((config, "-r", networks["PredictionNetwork"]), "a network that writes texts, or a recog"),
        ((config, "-r", greek), "config.json: no line has a text in the characters of"),
        ((tmp_path / "absent.json",), "absent.json"),
    ):
        assert told in refused(capsys, "align", *words, *reader)
    assert not list(tmp_path.glob("*.npz"))


def test_characters_that_nobody_wrote_are_not_read(lines, checkpoints, reads, tmp_path):
    """However well a recogniser guesses them."""
    config, dataset = lines
    texts = [dataset.text(n) for n in used(dataset)]
    reads(texts)
    output, crossed_out = tmp_path / "table.npz", texts[0][0]
    run("align", config, "-r", checkpoints["SynthesisNetwork"], "--output", output,
        "--reader", "any", "--not-text", crossed_out)  # fmt: skip
    table = Alignment.load(output)
    for n, text in zip(used(dataset), texts, strict=True):
        expected = [one != crossed_out for one in text]
        assert table[dataset.name(n)].read.tolist() == expected
