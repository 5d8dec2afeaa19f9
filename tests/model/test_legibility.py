"""How legible a writer is, in numbers."""

import numpy as np
import pytest

from data_loader.synthetic.corpus import held_out, split_of
from model import Line, load, sample
from model.legibility import read_back
from tests.commands.networks import save


def test_a_line_is_complete_that_ended_with_all_words(monkeypatch):
    """Of four lines that end one lacks a word; a line that ran out of steps never counts."""
    texts = ["one two", "one two", "one two", "one two"]
    read = ["one two", "ons tvvo", "one", "onetwo"]
    monkeypatch.setattr("model.legibility.read_lines", lambda *words, **options: read)
    ink = np.zeros((2, 3), dtype=np.float32)

    def written(ended):
        def write(writer, seeds, part, **options):
            return [Line(ink, 0, None, text, ended, np.zeros(len(ink) - 1)) for text in part]

        return write

    for ended, complete in ((True, 0.75), (False, 0.0)):
        monkeypatch.setattr("model.legibility.sample", written(ended))
        (result,) = read_back(None, None, texts, [0.5])
        assert (result.ended, result.complete) == (float(ended), complete)


def test_a_letter_of_the_other_case_is_misread(monkeypatch):
    """Two of seven characters, both words and none of the lines; no word is left out."""
    monkeypatch.setattr("model.legibility.read_lines", lambda *words, **options: ["abc Def"])
    line = Line(np.zeros((2, 3), dtype=np.float32), 0, None, "Abc def", True, np.zeros(1))
    monkeypatch.setattr("model.legibility.sample", lambda *words, **options: [line])
    (result,) = read_back(None, None, ["Abc def"], [0.5])
    assert result.rates["cer"] == pytest.approx(2 / 7)
    assert (result.rates["wer"], result.rates["line_accuracy"]) == (1.0, 0.0)
    assert (result.ended, result.complete) == (1.0, 1.0)


def test_texts_beyond_the_first_batch_have_seeds_of_their_own(tmp_path, monkeypatch):
    """Text n is written with the first seed plus n, whatever is written with it."""
    writer, reader = (
        load(save(tmp_path / arch, arch)).model for arch in ("SynthesisNetwork", "CTCNetwork")
    )
    texts, options = ["one"] * 7, {"seed": 5, "max_steps": 30}
    (whole,) = read_back(writer, reader, texts, [1.0], **options)
    monkeypatch.setattr("model.legibility.TOGETHER", 3)
    (parts,) = read_back(writer, reader, texts, [1.0], **options)
    inks = [one.ink for one in whole.transcriptions]
    assert len({ink.tobytes() for ink in inks}) == len(parts.transcriptions) == len(texts)
    for number, (ink, one) in enumerate(zip(inks, parts.transcriptions, strict=True)):
        (alone,) = sample(writer, [5 + number], ["one"], bias=1.0, max_steps=30)
        np.testing.assert_allclose(one.ink, ink, atol=1e-2)
        np.testing.assert_allclose(one.ink, alone.ink, atol=1e-2)


def test_sentences_of_read_back_are_those_no_training_has():
    sentences = held_out(30)
    assert len(set(sentences)) == 30 and held_out(10) == sentences[:10]
    assert all(split_of(text) == 2 and 20 <= len(text) <= 40 for text in sentences)
