"""A recogniser judges a writer."""

import json
import re

import pytest
from PIL import Image

import model.loading
from data_loader.synthetic.corpus import CARRIERS
from model import CTCNetwork, load
from model.legibility import read_back
from model.recognition.error_rates import rates
from tests.commands.networks import ALPHABET, save, use
from utils.alphabet import Alphabet
from utils.checks import UserError


def judge(writer, *words):
    use("legibility", "-r", writer, *words)


def test_read_back_gives_a_rate_for_each_bias(checkpoints, tmp_path, capsys):
    use(
        *("legibility", "-r", checkpoints["SynthesisNetwork"]),
        *("--reader", checkpoints["CTCNetwork"]),
        *("--text", "one", "--text", "two and", "--biases", 1, 0.5, "--steps", 40),
        *("--output", tmp_path),
    )
    written = json.loads((tmp_path / "read_back.json").read_text())
    assert [one["bias"] for one in written["results"]] == [0.5, 1.0]
    assert written["pen_sharpness"] == 3.0
    writer = load(checkpoints["SynthesisNetwork"]).model
    reader = load(checkpoints["CTCNetwork"]).model
    results = read_back(writer, reader, ["one", "two and"], [0.5, 1.0], max_steps=40)
    for one, stored in zip(results, written["results"], strict=True):
        assert stored["cer"] == pytest.approx(one.rates["cer"])
        pairs = [(each.reference, each.hypothesis) for each in one.transcriptions]
        assert one.rates["cer"] == rates(pairs)["cer"]
        assert [truth for truth, _ in pairs] == ["one", "two and"]
    assert "bias 0.5" in capsys.readouterr().out
    for name in ("legibility", "read-back"):
        assert Image.open(tmp_path / f"synthesisnetwork-{name}.png").width > 100


def test_every_visible_character_is_written_read_and_drawn(checkpoints, tmp_path, capsys):
    """An untrained writer is read wrongly; one whose lines are read as their texts, rightly."""
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    words += ("--characters", "--num-samples", 2, "--steps", 12, "--output", tmp_path)
    judge(*words)
    stored = json.loads((tmp_path / "characters.json").read_text())
    assert sorted(stored["characters"]) == [chr(code) for code in range(33, 127)]
    assert all(one in entry["text"] for one, entry in stored["characters"].items())
    assert all(len(entry["read"]) == 2 for entry in stored["characters"].values())
    assert (stored["exact"], stored["bias"], stored["samples"]) == (0.0, 1.0, 2)
    printed = capsys.readouterr().out
    assert "bias 1: of 94 characters, 2 times each, 0.0000 read" in printed
    assert "0 of 2, itself   0  anna@home" in printed
    assert Image.open(tmp_path / "synthesisnetwork-characters.png").height > 500


def test_what_is_read_exactly_is_counted_by_character(checkpoints, tmp_path, monkeypatch, capsys):
    read = []

    def by_heart(model, inks, search=None, progress=False):
        texts = [text for text in CARRIERS.values() for _ in range(3)]
        read.extend(texts)
        read[:3] = ["Ann", "anna came!", "anna came"]  # the samples of the first character
        return read

    monkeypatch.setattr("model.legibility.read_lines", by_heart)
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    judge(*words, "--characters", "--num-samples", 3, "--steps", 3, "--output", tmp_path)
    stored = json.loads((tmp_path / "characters.json").read_text())
    first, *others = stored["characters"].values()
    assert first["exact"] == 0 and first["read"] == ["Ann", "anna came!", "anna came"]
    assert first["itself"] == 1  # an A is read in "Ann", none in the others
    assert {(one["exact"], one["itself"]) for one in others} == {(3, 3)}
    assert stored["exact"] == pytest.approx(1 - 3 / (94 * 3))
    assert stored["itself"] == pytest.approx(1 - 2 / (94 * 3))
    printed = capsys.readouterr().out
    assert "0 of 3, itself   1  Anna came  misread: Ann  anna came!  anna came" in printed
    assert re.search("of 94 characters.* 0.9894 read .* carrier, 0.9929 counting", printed)


def test_characters_that_reader_or_writer_lack_are_reported(tmp_path, capsys):
    paths = {}
    for arch, lacks in (("CTCNetwork", "@~"), ("SynthesisNetwork", "#")):
        left = Alphabet([one for one in ALPHABET.characters if one not in lacks])
        paths[arch] = save(tmp_path / f"{arch}.pth", arch, alphabet=left)
    words = (paths["SynthesisNetwork"], "--reader", paths["CTCNetwork"])
    judge(*words, "--characters", "--num-samples", 1, "--steps", 3, "--output", tmp_path)
    printed = capsys.readouterr().out
    assert (
        "left out: #, because their texts contain characters that the writer does not know: '#'"
        in printed
    )
    assert "CTCNetwork of" in printed and "reads 93 texts" in printed
    assert re.search("the reader does not know them: '[@~]' .*, '[@~]' ", printed)


def test_read_back_leaves_out_what_the_writer_lacks_and_says_what_the_reader_lacks(
    checkpoints, tmp_path, capsys, monkeypatch
):
    real = model.loading.load

    def with_fewer(path, *arguments):
        loaded = real(path, *arguments)
        if isinstance(loaded.model, CTCNetwork):
            loaded.model.alphabet = Alphabet([*ALPHABET.characters[:-1], "ß"])  # "~" is lacking
        return loaded

    monkeypatch.setattr(model.loading, "load", with_fewer)
    words = (checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
    words += ("--text", "a\u00e9~b", "--biases", 1, "--steps", 5, "--output", tmp_path)
    with pytest.raises(UserError, match="does not know 'é'"):
        judge(*words)
    judge(*words, "--skip-unknown")
    printed = capsys.readouterr().out
    assert "the reader does not know them: '~'" in printed
    assert "left out, because the network does not know it: 'é'" in printed
    stored = json.loads((tmp_path / "read_back.json").read_text())
    assert [one["text"] for one in stored["texts"]] == ["a~b"]


def test_a_reader_for_read_back_must_be_one(checkpoints, tmp_path):
    writer = checkpoints["SynthesisNetwork"]
    with pytest.raises(UserError, match="SynthesisNetwork, not a recogniser"):
        judge(writer, "--reader", writer, "--output", tmp_path)
