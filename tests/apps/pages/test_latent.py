"""A hand has one latent for all of its lines, words and tries, and all are told the same."""

from unittest import mock

import numpy as np
import pytest
import torch

from apps.pages import PageOptions, load_report, rewrite, save_report, write_page
from apps.pages.hands import Hand
from apps.pages.proofreading import write_words
from ink.geometry import from_strokes
from model import Writer
from model.generation.line import Sampling
from tests.apps.pages.builders import PlannedReader
from tests.moody import moody

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("few_lines")]

T = np.linspace(0, 1, 200)
WAVE = from_strokes([np.stack([400 * T, 10 * np.sin(80 * T)], axis=1)])
MOOD = {"mood": np.array([1.0, 0.1])}


@pytest.fixture
def writer(tmp_path):
    """A network that keeps what it is told of lines."""
    network = moody()
    network.initial_state = mock.Mock(wraps=network.initial_state)
    (tmp_path / "moody.pth").touch()
    return Writer(network, tmp_path / "moody.pth", torch.device("cpu"), {"config": {}})


def latent_seeds(writer):
    """Return the latent seeds since the last look, of which all were told the mood."""
    calls = [call.args[1] for call in writer.model.initial_state.call_args_list]
    writer.model.initial_state.reset_mock()
    for given in calls:
        np.testing.assert_allclose(given.extras["mood"], [[1.0, 0.1]] * len(given.seeds))
    return {seed for given in calls for seed in given.seeds}


@pytest.mark.parametrize(("options", "latent"), [({}, 0), ({"latent_seed": 7}, 7)])
def test_each_try_and_the_measured_line_have_the_latent_of_the_hand(writer, options, latent):
    sampling = Sampling(extras=MOOD, max_steps=40, **options)
    hand = Hand(writer, (WAVE, "abc"), PlannedReader(("", 9.0)), sampling, tries=3)
    write_words(hand, ["ab ba", "cab"], [5, 6])
    assert writer.model.initial_state.call_count > 3 and latent_seeds(writer) == {latent}


@pytest.mark.parametrize(("is_in_hand", "seeds"), [(False, {5, 6}), (True, {0})])
def test_lines_have_latents_of_their_own_unless_they_are_in_one_hand(writer, is_in_hand, seeds):
    sampling = Sampling(extras=MOOD, max_steps=20)
    if is_in_hand:
        Hand(writer, (WAVE, "abc"), sampling=sampling).write_texts(["ab", "ab"], [5, 6])
    else:
        writer.write_lines(["ab", "ab"], [5, 6], sampling)
    assert latent_seeds(writer) == seeds


def test_a_page_has_the_latent_of_its_seed_also_where_a_word_is_written_again(writer, tmp_path):
    options = PageOptions(proofread=False, extras=MOOD, seed=4, style="own")
    pages = write_page("ab ba\n---\nslant: 9\n---\nabc", writer, options)
    assert writer.model.initial_state.call_count > 3 and latent_seeds(writer) == {4}
    save_report(tmp_path / "report.json", pages)
    rewrite(load_report(tmp_path / "report.json"), [(1, 1, 1)], writer)
    assert latent_seeds(writer) == {4}
