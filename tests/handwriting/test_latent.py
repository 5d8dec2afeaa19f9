"""A hand has one latent for all of its lines, words and tries, and all are told the same."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.legibility import read_back
from handwriting import PageOptions, load_report, rewrite, save_report, write_page
from handwriting.hands import Hand, write_in_hand
from handwriting.proofreading import write_words
from model import Writer
from model.generation.sampling_options import Sampling
from tests.moody import moody
from utils.ink import from_strokes

T = np.linspace(0, 1, 200)
WAVE = from_strokes([np.stack([400 * T, 10 * np.sin(80 * T)], axis=1)])
MOOD = {"mood": np.array([1.0, 0.1])}


@pytest.fixture
def writer(tmp_path):
    """A network that notes what it is told of lines."""
    network, told = moody(), []
    real = network.initial_state
    network.initial_state = lambda size, given: told.append(given) or real(size, given)
    (tmp_path / "moody.pth").touch()
    made = Writer(network, tmp_path / "moody.pth", torch.device("cpu"), {"config": {}})
    made.told = told
    return made


def seeds(writer):
    """Return the latent seeds that were used, after a look at the moods."""
    for given in writer.told:
        np.testing.assert_allclose(given.extras["mood"], [[1.0, 0.1]] * len(given.seeds))
    return {seed for given in writer.told for seed in given.seeds}


def test_each_try_of_a_word_has_the_latent_of_the_hand(writer):
    reader = SimpleNamespace(proofread=lambda inks, *_: [("", 9.0)] * len(inks))
    sampling = Sampling(extras=MOOD, max_steps=40)
    for latent in (0, 7):
        writer.told.clear()
        own = sampling if latent == 0 else Sampling(extras=MOOD, max_steps=40, latent_seed=latent)
        hand = Hand(writer, (WAVE, "abc"), reader, own, tries=3)
        write_words(hand, ["ab ba", "cab"], [5, 6])
        assert len(writer.told) > 3 and seeds(writer) == {latent}  # it was measured, too


def test_lines_without_a_primer_have_latents_of_their_own(writer):
    write_in_hand(writer, ["ab", "ab"], [5, 6], Sampling(extras=MOOD, max_steps=20))
    assert seeds(writer) == {5, 6}
    writer.told.clear()
    write_in_hand(writer, ["ab"], [5], Sampling(extras=MOOD, max_steps=9), primer=(WAVE, "abc"))
    assert seeds(writer) == {0}
    writer.told.clear()
    reader = SimpleNamespace(read_lines=lambda inks, **_: [""] * len(inks))
    sampling = Sampling(extras=MOOD, max_steps=20)
    read_back(writer, reader, ["ab", "ab"], [3, 4], sampling)
    assert seeds(writer) == {3, 4}
    writer.told.clear()
    reader.path, other = writer.path, writer.path.with_name("other.pth")
    other.touch()
    proofread = lambda inks, *_: [("", 9.0)] * len(inks)  # noqa: E731
    proofreader = SimpleNamespace(proofread=proofread, path=other)
    read_back(writer, reader, ["ab"], [3], sampling, proofreader=proofreader, tries=2)
    assert seeds(writer) == {3}  # that of the line that is chosen as the hand, too


def test_a_page_has_the_latent_of_its_seed_also_where_a_word_is_written_again(writer, tmp_path):
    options = PageOptions(proofread=False, extras=MOOD, seed=4, style="own")
    pages = write_page("ab ba\n---\nslant: 9\n---\nabc", writer, options)
    assert seeds(writer) == {4} and len(writer.told) > 3
    save_report(tmp_path / "report.json", pages)
    loaded = load_report(tmp_path / "report.json")
    writer.told.clear()
    rewrite(loaded, [(1, 1, 1)], writer)
    assert seeds(writer) == {4} and writer.told
