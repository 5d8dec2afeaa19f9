"""Lines are read in batches, with doubts of what they say."""

import math

import numpy as np
import pytest
import torch

from data_loader import EmbeddedDataset
from model.recognition.encoder import GREEDY, Search
from model.recognition.loss import CTCLoss, TranscriptionLoss
from model.recognition.transcribing import read_each_way, read_with_doubts
from tests.commands.networks import DATA, READERS, network
from tests.model.builders import batch

EMPTY = np.zeros((0, 3), np.float32)


@pytest.fixture(scope="module")
def samples():
    return EmbeddedDataset(**DATA).load().used


@pytest.fixture(scope="module")
def ink(samples):
    return samples[0].ink


def read(inks, arch="CTCNetwork", search=GREEDY):
    return read_each_way(network(arch), inks, {"": search})[""]


def doubts(inks, texts, arch="CTCNetwork", **options):
    """Return the doubt of each line, which has a list of spellings."""
    return [doubt for _, doubt in read_with_doubts(network(arch), inks, texts, **options)]


def test_ink_without_a_point_has_an_empty_text(ink):
    assert read([EMPTY, ink, EMPTY]) == ["", *read([ink]), ""]
    assert read([EMPTY]) == [""] and read([]) == []


@pytest.mark.parametrize(
    ("arch", "loss"), [("CTCNetwork", CTCLoss()), ("AttentionNetwork", TranscriptionLoss())]
)
def test_doubt_of_a_text_is_its_loss(samples, arch, loss):
    model, texts = network(arch), [sample.text for sample in samples[:3]]
    expected = []
    for sample in samples[:3]:
        text = batch(texts=[model.alphabet.encode(sample.text)])
        features = model.batched([model.features(sample.ink)])
        with torch.no_grad():
            expected.append(loss(model(*features, text.text, text.text_lengths), text).item())
    inks = [sample.ink for sample in samples[:3]]
    assert doubts(inks, [[text] for text in texts], arch) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("search", [GREEDY, Search(width=24)])
@pytest.mark.parametrize("arch", READERS)
def test_texts_and_their_doubts_come_from_a_single_encoding(samples, arch, search, monkeypatch):
    model = network(arch)
    inks = [sample.ink for sample in samples[:5]]
    calls = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda *batch: calls.append(batch) or encode(*batch))
    texts, results = zip(*read_with_doubts(model, inks, search=search), strict=True)
    assert len(calls) == 1 and [*texts] == read(inks, arch, search)
    assert doubts(inks, [[text] for text in texts], arch) == pytest.approx(results)


@pytest.mark.parametrize(
    ("has_ink", "text", "doubt"),
    [(False, "a", 0.0), (True, "", 0.0), (True, "\u0416", 0.0), (True, "a" * 900, math.inf)],
)
def test_doubt_is_0_for_what_cannot_be_judged_and_infinite_for_too_long_a_text(
    ink, has_ink, text, doubt
):
    assert doubts([ink if has_ink else EMPTY], [[text]]) == [doubt]


def test_spellings_add_their_probabilities(ink):
    *each, both = doubts([ink[:40]] * 3, [["!a"], ["ab"], ["!a", "ab"]])
    assert both == pytest.approx(-np.logaddexp(-each[0], -each[1]), rel=1e-5)


def test_characters_that_are_alike_add_their_probabilities(ink):
    a, b, other = doubts([ink[:40]] * 3, [["a"], ["b"], ["c"]])
    alike, same = doubts([ink[:40]] * 2, [["a"], ["c"]], alike=["ab"])
    # There are also paths that change from the first character to the second.
    assert alike < -np.logaddexp(-a, -b) and same == pytest.approx(other, rel=1e-6)
    assert doubts([ink[:40]], [["a"]], alike=["\u0416a"]) == pytest.approx([a], rel=1e-6)


def test_given_x_height_scales_the_ink(ink):
    larger = ink * np.float32([2, 2, 1])
    small, large, wrong = (
        doubts([line], [["ab"]], height=height)[0]
        for line, height in ((ink, 10.0), (larger, 20.0), (larger, 10.0))
    )
    assert small == pytest.approx(large, rel=1e-4) != wrong
