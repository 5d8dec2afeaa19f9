"""A recogniser judges a writer."""

import json
import re
from unittest import mock

import numpy as np
import pytest

from benchmarks.legibility import read_back
from ink.alphabet import Alphabet
from model import Line, Sampling, load
from model.drawing.plots import FAULT
from model.loading import Reader
from tests.benchmarks.scripts import refused, run
from tests.commands.networks import of_colour, save


@pytest.fixture
def judge(checkpoints, tmp_path):
    """Runs the command on small networks, and returns what it saved."""

    def judge(*words):
        networks = ("-r", checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"])
        run("legibility", *networks, "--output", tmp_path / "out", *words)
        return json.loads((tmp_path / "out" / "read_back.json").read_text())

    return judge


@pytest.fixture
def reads(monkeypatch):
    """Lets the judge read what is given."""
    return lambda texts: monkeypatch.setattr(Reader, "read_lines", lambda *_, **__: texts)


def test_error_rates_are_stored_and_printed_for_each_bias(judge, checkpoints, capsys):
    texts = ["one", "two and"]
    stored = judge("--text", "one", "--text", "two and", "--biases", 1, 0.5, "--steps", 40)
    assert [each["bias"] for each in stored["results"]] == [0.5, 1.0]
    assert stored["pen_sharpness"] == 3.0
    writer, reader = (load(checkpoints[name]) for name in ("SynthesisNetwork", "CTCNetwork"))
    for each in stored["results"]:
        result = read_back(writer, reader, texts, [0, 1], Sampling(each["bias"], max_steps=40))
        assert each["cer"] == pytest.approx(result.rates["cer"])
    assert "bias 0.5" in capsys.readouterr().out


def test_characters_that_the_reader_does_not_know_are_counted_and_named(judge, tmp_path, capsys):
    few = save(tmp_path / "few.pth", "CTCNetwork", alphabet=Alphabet("ab"))
    words = ("--text", "a\u00e9~b~", "--text", "b", "--biases", 1, "--steps", 5, "--reader", few)
    stored = judge(*words, "--skip-unknown")
    assert [each["text"] for each in stored["texts"]] == ["a~b~", "b"]
    assert stored["unknown"] == {"writer": "", "reader": "~"}
    assert stored["results"][0]["cer"] >= 2 / 5
    printed = capsys.readouterr().out
    assert "2 of 5 characters, in 1 of 2 texts, always count as errors, because the rea" in printed
    assert "the reader does not know them: '~'\n" in printed


def test_lines_are_proofread_by_another_network_than_their_judge(judge, checkpoints, capsys):
    """Untrained ones: the proofreader is never content, so that every line is written thrice."""
    other = checkpoints["AttentionNetwork"]
    words = ("--text", "one", "--biases", 1, "--steps", 20, "--proofread")
    stored = judge(*words, other, "--tries", 3)
    assert (stored["tries"], stored["proofreader"]) == (3, str(other))
    assert [each["tries"] for each in stored["texts"]] == [[3]]
    assert "3 words written" in capsys.readouterr().out
    words = ("-r", checkpoints["SynthesisNetwork"], "--reader", checkpoints["CTCNetwork"], *words)
    for proofreader, message in (
        ("CTCNetwork", "is also the network of --reader"),
        ("SynthesisNetwork", "a network that reads is needed"),
    ):
        assert message in refused(capsys, "legibility", *words, checkpoints[proofreader])


def test_texts_of_a_file_are_judged_by_kind(judge, reads, tmp_path, capsys):
    """The second sample of "Ann" is read with one error of three characters, all else rightly."""
    file = tmp_path / "texts.tsv"
    file.write_text("name\tAnn\n\nnumber\t12\nname\tBo B\n")
    read = ["Ann", "12", "Bo B", "Anm", "12", "Bo B"]
    reads(read)
    stored = judge("--texts", file, "--biases", 1, "--num-samples", 2, "--steps", 5, "--seed", 7)
    printed = capsys.readouterr().out
    assert "reads 6 texts" in printed
    assert re.search(r"\n +lines +cer +exact\n +name +4  0.0714  0.7500\n", printed)
    assert re.search(r"\n +number +2  0.0000  1.0000\n +all +6  0.0556  0.8333\n", printed)
    (result,) = stored["results"]
    assert result["kinds"]["name"]["cer"] == pytest.approx(1 / 14)
    assert [each["kind"] for each in stored["texts"]] == ["name", "number", "name"] * 2
    assert [each["seed"] for each in stored["texts"]] == [7, 8, 9, 1_000_007, 1_000_008, 1_000_009]
    assert [each["read"] for each in stored["texts"]] == [[text] for text in read]
    assert not (tmp_path / "out" / "synthesisnetwork-texts.png").exists()


def test_a_sheet_marks_the_lines_of_the_first_sample_that_were_misread(judge, reads, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("one\ntwo\n")
    words = ("--texts", file, "--biases", 1, "--num-samples", 2, "--steps", 5, "--sheet")
    marked = []
    for texts in (["one", "two", "one", "tvvo"], ["one", "tvvo", "one", "two"]):
        reads(texts)
        stored = judge(*words)
        marked.append(of_colour(tmp_path / "out" / "synthesisnetwork-texts.png", FAULT))
    assert marked[0] == 0 and marked[1] > 100
    assert "kinds" not in stored["results"][0] and "kind" not in stored["texts"][0]


def test_a_file_of_texts_has_a_kind_for_each_or_for_none(checkpoints, tmp_path, capsys):
    file = tmp_path / "texts.tsv"
    for content, message in (
        ("name\tAnn\nBob\n", "texts.tsv: every line must be TEXT, or every line KIND, a tab"),
        ("name\tAnn\tBob\n", "texts.tsv: every line must be TEXT"),
        ("\n", "contains no text"),
        ("n\u00e9e", "does not know 'é'"),
    ):
        file.write_text(content)
        words = ("-r", checkpoints["SynthesisNetwork"], "--texts", file)
        assert message in refused(capsys, "legibility", *words)
    assert "evryday: cannot be read" in refused(capsys, "legibility", "--texts", "evryday")


@pytest.mark.parametrize(("ended", "complete"), [(True, 0.75), (False, 0.0)])
def test_a_line_is_complete_if_it_ended_and_all_its_words_are_read(ended, complete):
    """Of four lines that end one lacks a word; a line that ran out of steps never counts."""
    line = Line(np.zeros((2, 3), np.float32), 0, None, "one two", ended, np.zeros(1))
    read = ["one two", "ons tvvo", "one", "onetwo"]
    writer, reader = mock.Mock(), mock.Mock()
    writer.model.alphabet = Alphabet("abcdefghijklmnopqrstuvwxyz ")
    writer.write_lines.return_value, reader.read_lines.return_value = [line] * 4, read
    result = read_back(writer, reader, ["one two"] * 4, range(4))
    assert (result.ended, result.complete) == (float(ended), complete)
    assert result.rates["sequences"] == 4 and result.wrong == 3
