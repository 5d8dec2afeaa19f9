"""A reader learns lines of a person; what this gains is measured on lines that it did not learn."""

from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
import torch

from apps.hand import fine_tuning
from apps.hand.fine_tuning import Gain, Score, cross_validated, fine_tuned, save, usable
from ink.reading import read_ink
from ink.sample import Sample
from model import load
from tests.commands.networks import ROOT
from tests.commands.networks import save as save_network
from utils.checks import UserError


@pytest.fixture
def reader(tmp_path):
    return load(save_network(tmp_path / "reader.pth", "CTCNetwork", "mine"), "cpu")


@pytest.fixture(scope="module")
def lines():
    return read_ink(ROOT / "docs" / "sample-lines")


def doubt(reader, lines):
    """Return the nats by which a reader doubts the texts of lines."""
    results = reader.proofread([line.ink for line in lines], [[line.text] for line in lines])
    return sum(doubt for _, doubt in results)


def test_a_learned_reader_doubts_its_lines_less_and_the_first_reader_stays(
    reader, lines, monkeypatch
):
    monkeypatch.setattr(fine_tuning, "LEARNING_RATE", 0.03)  # An untrained network learns slowly.
    before = {name: weight.clone() for name, weight in reader.model.state_dict().items()}
    torch.manual_seed(7)
    state = torch.get_rng_state()
    learned = fine_tuned(reader, lines)
    assert doubt(learned, lines) < 0.9 * doubt(reader, lines)
    assert all(torch.equal(before[n], weight) for n, weight in reader.model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    weights = learned.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], weights[name])}
    assert {name.split(".")[0] for name in changed} == {"convolution", "layers"}
    assert {name for name in before if name.startswith(("convolution.", "layers.0."))} == changed
    again = fine_tuned(reader, lines).model.state_dict()
    assert all(torch.equal(again[n], weight) for n, weight in learned.model.state_dict().items())


def test_a_network_of_other_layers_learns_as_a_whole(reader, lines, monkeypatch):
    monkeypatch.setattr(fine_tuning, "LEARNED_WEIGHTS", ("encoder.",))
    learned = fine_tuned(reader, lines[:2]).model.state_dict()
    before = reader.model.state_dict()
    assert not any(torch.equal(before[name], weight) for name, weight in learned.items())


def test_each_line_is_read_by_a_reader_that_did_not_learn_it(monkeypatch):
    class Remembering(namedtuple("Remembering", "lines")):
        def proofread(self, inks, spellings):
            assert all(texts == ["abcd"] for texts in spellings)
            learned = [line.ink for line in self.lines]
            return [("learned", 9.0) if ink in learned else ("abc", 2.0) for ink in inks]

    monkeypatch.setattr(fine_tuning, "fine_tuned", lambda _, lines, on_epoch: Remembering(lines))
    lines = [Sample(number, "abcd") for number in range(7)]
    gain = cross_validated(Remembering(lines[:1]), lines)
    # Each line lacks the last of four letters. Five edits make a word of "learned".
    assert gain.after == pytest.approx((7 / 28, 14 / 28))
    assert gain.before == pytest.approx(((5 + 6) / 28, (9 + 12) / 28))


@pytest.mark.parametrize(("after", "is_better"), [(0.19, True), (0.2, False), (0.3, False)])
def test_a_reader_to_which_the_texts_are_no_likelier_is_not_better(after, is_better):
    assert Gain(Score(0.04, 0.2), Score(0.05, after)).is_better == is_better
    assert not Gain(Score(0.0, 0.2), Score(0.0, after)).is_better


def test_a_saved_reader_reads_as_before(reader, lines, tmp_path):
    learned = fine_tuned(reader, lines[:2])
    save(tmp_path / "new" / "learned.pth", learned)
    loaded = load(tmp_path / "new" / "learned.pth", "cpu")
    assert doubt(loaded, lines) == pytest.approx(doubt(learned, lines), rel=1e-2)  # half precision
    assert loaded.alphabet == learned.alphabet


def test_lines_with_unknown_characters_are_left_out_and_named(reader, lines, caplog, monkeypatch):
    monkeypatch.setattr(type(reader), "read_lines", lambda _, inks: ["same"] * len(inks))
    same = [replace(line, text="same") for line in lines]
    other = Sample(np.ones((9, 3), np.float32), "Öl", "letter 2:5")
    assert usable(reader, [*same, other]) == same
    assert "letter 2:5" in caplog.text and "--keep" not in caplog.text


def test_a_network_with_a_decoder_is_refused(tmp_path, lines):
    decoder = load(save_network(tmp_path / "a.pth", "AttentionNetwork", "mine"), "cpu")
    with pytest.raises(UserError, match="loss"):
        fine_tuned(decoder, lines)
