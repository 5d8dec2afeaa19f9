"""How legible a writer is, in numbers."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np

from model import Line, load, sample
from model.generation.options import Sampling
from model.legibility import rates_by_kind, read_back, seeds_of
from model.proofreading import TRY_SEED_STRIDE
from model.recognition.transcribing import Transcription
from tests.commands.networks import save


def test_a_line_is_complete_that_ended_with_all_words(monkeypatch):
    """Of four lines that end one lacks a word; a line that ran out of steps never counts."""
    texts = ["one two", "one two", "one two", "one two"]
    read = ["one two", "ons tvvo", "one", "onetwo"]
    monkeypatch.setattr("model.legibility.read_lines", lambda *words, **options: read)
    ink = np.zeros((2, 3), dtype=np.float32)

    def written(ended):
        def write_lines(part, seeds, *sampling, **options):
            return [Line(ink, 0, None, text, ended, np.zeros(len(ink) - 1)) for text in part]

        return SimpleNamespace(write_lines=write_lines)

    for ended, complete in ((True, 0.75), (False, 0.0)):
        (result,) = read_back(written(ended), None, texts, [0.5])
        assert (result.ended, result.complete) == (float(ended), complete)


def test_a_line_that_ends_at_once_is_a_dot(monkeypatch):
    """It says nothing, and can be drawn beside others."""
    monkeypatch.setattr("model.legibility.read_lines", lambda *words, **options: [""])
    line = Line(np.zeros((2, 3), dtype=np.float32), 2, None, "ab c.", True, np.zeros(1))
    writer = SimpleNamespace(write_lines=lambda *words, **options: [line])
    (result,) = read_back(writer, None, ["c."], [0.5])
    assert result.rates["cer"] == 1.0
    assert result.transcriptions[0].ink.tolist() == [[0, 0, 1]]


def test_samples_of_a_text_have_seeds_that_no_count_changes(tmp_path):
    """Sample s of text n is written with the first seed plus n plus s million."""
    writer, reader = networks_in(tmp_path)
    options = {"seed": 5, "sampling": Sampling(max_steps=30)}
    (result,) = read_back(writer, reader, ["one", "two"], [1.0], samples=3, **options)
    expected = [5, 6, 1_000_005, 1_000_006, 2_000_005, 2_000_006]
    assert seeds_of(2, 3, 5) == expected
    assert [one.reference for one in result.transcriptions] == ["one", "two"] * 3
    for one, seed in zip(result.transcriptions, expected, strict=True):
        (alone,) = sample(writer.model, [seed], [one.reference], Sampling(bias=1.0, max_steps=30))
        np.testing.assert_allclose(one.ink, alone.ink, atol=1e-2)


def test_a_line_that_the_proofreader_misreads_is_written_again(tmp_path, monkeypatch):
    """The second of two texts, once; the reader judges the best tries, and has no say in them."""
    writer, reader = networks_in(tmp_path)
    proofreader = load(save(tmp_path / "AttentionNetwork", "AttentionNetwork"))
    answers = {reader: [["one", "tvvo"]]}
    proofs = [[("one", 0.0), ("tmo", 0.0)], [("two", 0.0)]]
    monkeypatch.setattr(proofreader, "proofread", lambda *_, **__: proofs.pop(0), raising=False)
    monkeypatch.setattr("model.legibility.read_lines", lambda by, *_, **__: answers[by].pop(0))
    monkeypatch.setattr("model.proofreading._is_line", lambda *_: True)
    monkeypatch.setattr(writer, "write_lines", partial(ended, writer.write_lines), raising=False)
    options = {
        "seed": 5,
        "sampling": Sampling(max_steps=30),
        "proofreader": proofreader,
        "tries": 4,
    }
    (result,) = read_back(writer, reader, ["one", "two"], [1.0], **options)
    assert (result.tries, result.wrong) == ([1, 2], 1)
    assert answers == {reader: []} and proofs == []
    for one, seed in zip(result.transcriptions, (5, 6 + TRY_SEED_STRIDE), strict=True):
        (alone,) = sample(writer.model, [seed], [one.reference], Sampling(bias=1.0, max_steps=30))
        np.testing.assert_allclose(one.ink, alone.ink, atol=1e-2)


def ended(write, *words, **options):
    """Lines of a writer, as if none had reached its limit."""
    return [replace(line, ended=True) for line in write(*words, **options)]


def networks_in(folder):
    """An untrained writer, and the network of such a reader."""
    writer, reader = (
        load(save(folder / arch, arch)) for arch in ("SynthesisNetwork", "CTCNetwork")
    )
    return writer, reader.model


def test_rates_by_kind_divide_all_errors_by_all_characters():
    """Two samples of three texts: of 2 * (4 + 1) characters of names 1 + 0 + 0 + 1 are misread."""
    ink = np.zeros((2, 3), dtype=np.float32)
    read = [("Anna", "Anne"), ("12", "12"), ("B", "B"), ("Anna", "Anna"), ("12", "72"), ("B", "8")]
    transcriptions = [Transcription("", ink, *pair) for pair in read]
    found = rates_by_kind(transcriptions, ["name", "number", "name"])
    assert list(found) == ["name", "number"]
    name, number = found["name"], found["number"]
    assert (name["cer"], name["line_accuracy"], name["sequences"]) == (0.2, 0.5, 4)
    assert (number["cer"], number["line_accuracy"], number["sequences"]) == (0.25, 0.5, 2)
