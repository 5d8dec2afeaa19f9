"""Extras on which a network is conditioned, and the latent that it draws for each line."""

from dataclasses import replace

import pytest
import torch

from model import SynthesisNetwork, sample
from model.generation import sampling
from model.generation.line import Sampling
from model.generation.window_alignment import align
from tests.model.builders import PRIMER, generator, over, write
from tests.moody import moody

SHORT = Sampling(bias=0.5, max_steps=20)


@pytest.fixture(scope="module")
def network():
    return moody()


def inks(lines):
    return [line.ink.tobytes() for line in lines]


def latent(network, line):
    given = network.make_conditions(1, line.extras, [line.latent_seed])
    return tuple(network.initial_state(1, given)["told"][0, 2:].tolist())


def test_each_seed_has_its_own_latent_and_ink(network):
    lines = sample(network, range(20), ["abc"] * 20, SHORT)
    assert len({latent(network, line) for line in lines}) == len(set(inks(lines))) == 20


def two_inks(network, primer, **options):
    return inks(sample(network, [1, 2], ["ab"] * 2, replace(SHORT, **options), primer=primer))


@pytest.mark.parametrize("primer", [None, PRIMER])
def test_extras_are_zeros_by_default_and_change_every_line(network, primer):
    plain = two_inks(network, primer)
    assert plain == two_inks(network, primer, extras={"mood": [0, 0]})
    assert not {*plain} & {*two_inks(network, primer, extras={"mood": [1, 2]})}


@pytest.mark.parametrize("primer", [None, PRIMER])
def test_each_line_has_its_own_row_of_extras(network, primer):
    rows = [[1, 2], [3, 4]]
    alone = [two_inks(network, primer, extras={"mood": row})[n] for n, row in enumerate(rows)]
    assert two_inks(network, primer, extras={"mood": rows}) == alone


def test_latent_seed_gives_all_lines_the_same_latent(network):
    first, second = sample(network, [1, 2], ["ab", "ab"], replace(SHORT, latent_seed=9))
    assert latent(network, first) == latent(network, second)


@pytest.mark.parametrize(
    ("network", "options", "rows"),
    [
        (generator(num_mixtures=2), {}, 2),
        (moody(), {}, 4),
        (moody(), {"latent_seed": 1}, 2),
        (moody(), {"latent_seed": 1, "extras": {"mood": [[0, 0], [0, 0], [0, 0], [1, 0]]}}, 3),
    ],
)
def test_primer_is_computed_once_for_lines_that_begin_alike(network, options, rows, monkeypatch):
    """Alike are texts, extras and latents, here of the texts ab, ba, ab and ab."""
    counts, forward = [], SynthesisNetwork.forward
    monkeypatch.setattr(SynthesisNetwork, "forward", lambda self, inputs, *others: (
        counts.append(inputs.shape[:2]), forward(self, inputs, *others))[1])  # fmt: skip
    sample(network, range(4), ["ab", "ba", "ab", "ab"], replace(SHORT, **options), primer=PRIMER)
    assert [count for count, steps in counts if steps > 1] == [rows]


def calls_of_initial_state(network, monkeypatch):
    """Return a list to which each call appends the conditions of the network."""
    given, real = [], network.initial_state
    monkeypatch.setattr(
        network, "initial_state", lambda size, new: given.append(new) or real(size, new)
    )
    return given


def test_all_parts_of_a_long_line_have_its_extras_and_latent_seed(monkeypatch):
    network = moody()
    network.longest, given = 6, calls_of_initial_state(network, monkeypatch)
    # Each part ends at once.
    monkeypatch.setattr(sampling.Stopping, "ends", lambda self: [(9, True)] * len(self.texts))
    options = Sampling(max_steps=30, extras={"mood": [1.0, 2.0]})
    lines = write(network, ["abc abc abc", "cab cab cab"], [4, 5], options)
    assert [[*call.seeds] for call in given] == [[4, 5], [4, 4], [5, 5]]
    assert all((call.extras["mood"] == torch.tensor([1.0, 2.0])).all() for call in given)
    assert [line.latent_seed for line in lines] == [4, 5]


@pytest.mark.parametrize(("extras", "same"), [({"mood": [1.0, -2.0]}, True), ({}, False)])
def test_predictions_over_a_line_are_computed_with_the_extras_of_the_line(network, extras, same):
    options = Sampling(bias=0.0, max_steps=12, extras={"mood": [1.0, -2.0]})
    _, line = sample(network, [1, 2], ["ab", "ab"], options)
    expected = over(network, line.ink[:-1], "ab", network.make_conditions(1, extras, [2]))
    actual = network.output_over(line)
    logits = [output.prediction.end_logits for output in (actual, expected)]
    assert torch.allclose(*logits, atol=1e-5) == same


def test_lines_are_aligned_with_their_own_extras(network, monkeypatch):
    lines = sample(network, [1, 2, 3], ["abc"] * 3, Sampling(bias=0.0, max_steps=40))
    moods = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]]
    given = calls_of_initial_state(network, monkeypatch)
    counts = align(network, [line.ink for line in lines], ["abc"] * 3, extras={"mood": moods})
    assert [count.sum() for count in counts] == [len(line.ink) for line in lines]
    assert sorted(row for call in given for row in call.extras["mood"].tolist()) == moods
