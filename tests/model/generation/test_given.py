"""What a network is told of the lines that it writes, and what it draws for each of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model import SynthesisNetwork, sample
from model.generation import sampling as module
from model.generation.sampling import predict
from model.generation.sampling_options import Sampling
from model.generation.window_alignment import align
from model.generation.writing import write
from tests.moody import NORMALISATION, moody

PRIMER = np.array([[0, 0, 0], [9, 3, 0], [8, -2, 1]], np.float32), "c "
SHORT = Sampling(bias=0.5, max_steps=20)


@pytest.fixture(scope="module")
def network():
    return moody()


def inks(lines):
    return [line.ink.tobytes() for line in lines]


def temper(network, line):
    return network.initial_state(1, line.given)["told"][0, 2:]


def test_variants_of_a_text_have_a_latent_each_and_a_seed_the_same_among_any(network):
    lines = sample(network, range(20), ["abc"] * 20, SHORT)
    assert len({tuple(temper(network, line).tolist()) for line in lines}) == 20
    assert len(set(inks(lines))) == 20
    for seeds in ([3], [7, 3]):
        *_, alone = sample(network, seeds, ["abc"] * len(seeds), SHORT)
        np.testing.assert_allclose(alone.ink, lines[3].ink, atol=1e-3)
    assert inks(sample(network, [3], ["abc"], SHORT)) == inks(sample(network, [3], ["abc"], SHORT))


@pytest.mark.parametrize("primer", [None, PRIMER])
def test_what_is_told_decides_what_is_written_and_zeros_are_the_default(network, primer):
    def written(**extras):
        how = replace(SHORT, extras=extras)
        return inks(sample(network, [1, 2], ["ab", "ab"], how, primer=primer))

    assert written() == written(mood=[0, 0])
    assert not set(written()) & set(written(mood=[1, 2]))
    first, second = written(mood=[[1, 2], [3, 4]])
    assert first == written(mood=[1, 2])[0] and second == written(mood=[3, 4])[1]
    fixed = replace(SHORT, latent_seed=9)
    lines = sample(network, [1, 2], ["ab", "ab"], fixed, primer=primer)
    assert torch.equal(temper(network, lines[0]), temper(network, lines[1]))
    assert not set(inks(lines)) & set(written())


def test_lines_that_begin_alike_share_the_primer_s_row_and_others_do_not(network, monkeypatch):
    counts, real = [], SynthesisNetwork.forward

    def counting(self, inputs, *others):
        counts.extend([len(inputs)] * (inputs.shape[1] > 1))
        return real(self, inputs, *others)

    monkeypatch.setattr(SynthesisNetwork, "forward", counting)
    texts, sizes = ["ab", "ba", "ab", "ab"], {"hidden_size": 8, "num_mixtures": 2}
    plain = SynthesisNetwork(NORMALISATION, network.alphabet, **sizes).eval()
    for own, how in (
        (plain, SHORT),
        (network, SHORT),
        (network, replace(SHORT, latent_seed=1)),
        (network, replace(SHORT, latent_seed=1, extras={"mood": [[0, 0], [0, 0], [0, 0], [1, 0]]})),
    ):
        sample(own, range(4), texts, how, primer=PRIMER)
    assert counts == [2, 4, 2, 3]


def test_a_long_line_is_told_the_same_in_all_of_its_parts(monkeypatch):
    network, told = moody(), []
    network.longest = 6
    monkeypatch.setattr(network, "initial_state", lambda size, given: (
        told.append(given), type(network).initial_state(network, size, given))[1])  # fmt: skip
    # Each part ends at once.
    monkeypatch.setattr(module.Stopping, "ends", lambda self: [(9, True)] * len(self.texts))
    how = Sampling(max_steps=30, extras={"mood": [1.0, 2.0]})
    lines = write(network, ["abc abc abc", "cab cab cab"], [4, 5], how)
    assert [line.text for line in lines] == ["abc abc abc", "cab cab cab"]
    assert [[*given.seeds] for given in told] == [[4, 5], [4, 4], [5, 5]]
    assert all((given.extras["mood"] == torch.tensor([1.0, 2.0])).all() for given in told)
    assert [[*line.given.seeds] for line in lines] == [[4], [5]]


def test_what_is_predicted_of_a_line_is_what_it_was_told(network):
    how = Sampling(bias=0.0, max_steps=12, extras={"mood": [1.0, -2.0]})
    _, line = sample(network, [1, 2], ["ab", "ab"], how)
    found = predict(network, line).prediction.end_logits
    inputs = torch.from_numpy(NORMALISATION.apply(line.ink[:-1]))[None]
    text = torch.from_numpy(network.alphabet.encode("ab"))[None], torch.tensor([2])
    for given, same in ((network.told(1, how.extras, [2]), True), (network.told(1), False)):
        with torch.no_grad():
            own = network(inputs, *text, network.initial_state(1, given))
        assert torch.allclose(own.prediction.end_logits, found, atol=1e-5) == same


def test_lines_are_aligned_by_what_is_told_of_them(network):
    lines = sample(network, [1, 2, 3], ["abc"] * 3, Sampling(bias=0.0, max_steps=40))
    moods, told = np.float32([[1, 0], [0, 1], [2, 2]]), []
    network = moody()
    real = network.initial_state
    network.initial_state = lambda size, given: told.append(given) or real(size, given)
    ink = [line.ink for line in lines]
    found = align(network, ink, ["abc"] * 3, extras={"mood": moods})
    assert [one.sum() for one in found] == [len(one) for one in ink]
    rows = {tuple(row) for given in told for row in given.extras["mood"].tolist()}
    assert rows == {tuple(row) for row in moods.tolist()}
    again = align(network, ink, ["abc"] * 3, extras={"mood": moods})
    assert all((one == other).all() for one, other in zip(found, again, strict=True))
