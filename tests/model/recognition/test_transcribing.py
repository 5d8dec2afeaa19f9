"""Lines are read in batches."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from data_loader import EmbeddedDataset
from model.recognition.encoder import GREEDY, Search
from model.recognition.loss import CTCLoss, TranscriptionLoss
from model.recognition.transcribing import read_each_way, read_with_doubts
from tests.commands.networks import DATA, READERS, network


@pytest.fixture(scope="module")
def data():
    return EmbeddedDataset(**DATA).load().used


def read_lines(model, inks, search=GREEDY):
    return read_each_way(model, inks, {"": search})[""]


def test_ink_without_a_point_says_nothing(data):
    model, ink = network("CTCNetwork"), data[0].ink
    empty = np.zeros((0, 3), np.float32)
    assert read_lines(model, [empty, ink, empty]) == ["", *read_lines(model, [ink]), ""]
    assert read_lines(model, [empty]) == [""] and read_lines(model, []) == []


@pytest.mark.parametrize(
    ("kind", "loss"), [("CTCNetwork", CTCLoss()), ("AttentionNetwork", TranscriptionLoss())]
)
def test_doubt_is_the_loss_of_a_text(data, kind, loss):
    model, inks = network(kind), [line.ink for line in data[:3]]
    texts = [line.text for line in data[:3]]
    found = read_with_doubts(model, inks, [[text] for text in texts])
    assert [heard for heard, _ in found] == read_lines(model, inks)
    for ink, text, (_, nats) in zip(inks, texts, found, strict=True):
        features, points = model.batched([model.features(ink)])
        encoded = torch.from_numpy(model.alphabet.encode(text))[None]
        lengths = torch.tensor([len(text)])
        batch = SimpleNamespace(text=encoded, text_lengths=lengths, index=torch.zeros(1))
        with torch.no_grad():
            alone = loss(model(features, points, encoded, lengths), batch)
        assert nats == pytest.approx(alone.item(), rel=1e-4)


@pytest.mark.parametrize("arch", READERS)
def test_doubt_of_what_is_read_comes_from_one_encoding(data, arch, monkeypatch):
    model, inks, encoded = network(arch), [line.ink for line in data[:5]], []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda *batch: encoded.append(batch) or encode(*batch))
    for search in (GREEDY, Search(width=24)):
        read = read_with_doubts(model, inks, search=search)
        assert len(encoded) == 1
        texts = [text for text, _ in read]
        again = read_with_doubts(model, inks, [[text] for text in texts])
        assert texts == read_lines(model, inks, search)
        assert [doubt for _, doubt in read] == pytest.approx([doubt for _, doubt in again])
        encoded.clear()


def test_of_what_cannot_be_told_there_is_no_doubt_and_of_too_long_a_text_all(data):
    empty, ink, model = np.zeros((0, 3), np.float32), data[0].ink, network("CTCNetwork")
    (heard,) = read_lines(model, [ink])
    found = read_with_doubts(model, [empty, ink, ink], [["a"], [""], ["\u0416"]])
    assert found == [("", 0.0), (heard, 0.0), (heard, 0.0)]
    ((_, doubt),) = read_with_doubts(model, [ink], [["a" * 900]])
    assert doubt == math.inf


def test_spellings_and_characters_that_are_alike_add_their_probabilities(data):
    model, ink = network("CTCNetwork"), data[0].ink[:40]
    a, b, c = model.alphabet.characters[:3]

    def doubts(texts, alike=()):
        found = read_with_doubts(model, [ink] * len(texts), texts, alike=alike)
        return [doubt for _, doubt in found]

    *each, both = doubts([[a + b], [b + c], [a + b, b + c]])
    assert both == pytest.approx(-np.logaddexp(-each[0], -each[1]), rel=1e-5)
    *each, other = doubts([[a], [b], [c]])
    one, same = doubts([[a], [c]], [a + b])
    # There are also paths that change from one character to the other.
    assert one < -np.logaddexp(-each[0], -each[1]) and same == pytest.approx(other, rel=1e-6)
    assert doubts([[a]], ["\u0416" + a]) == pytest.approx(each[:1], rel=1e-6)


def test_an_x_height_that_is_told_scales_the_ink(data):
    model, ink = network("CTCNetwork"), data[0].ink
    larger, doubts = ink * [2.0, 2.0, 1.0], []
    for of, height in ((ink, 10.0), (larger, 20.0), (larger, 10.0)):
        ((_, doubt),) = read_with_doubts(model, [of], [["ab"]], height=height)
        doubts.append(doubt)
    assert doubts[0] == pytest.approx(doubts[1], rel=1e-4) != doubts[2]
