"""Writing: seeds, bias, primer, the stopping rule and the limit."""

import numpy as np
import pytest
import torch

from model import PredictionNetwork, SynthesisNetwork, sample
from model.sampling import _past_end
from utils.alphabet import Alphabet, UnknownCharacters
from utils.checks import UserError
from utils.normalisation import Normalisation

NORMALISATION = Normalisation((8.0, 0.5), (40.0, 30.0))


@pytest.fixture(scope="module")
def synthesis() -> SynthesisNetwork:
    torch.manual_seed(0)
    network = SynthesisNetwork(
        NORMALISATION,
        Alphabet("abc "),
        hidden_size=16,
        num_mixtures=3,
        num_windows=2,
        window_advance=0.1,
    )
    return network.eval()


@pytest.fixture(scope="module")
def prediction() -> PredictionNetwork:
    torch.manual_seed(0)
    return PredictionNetwork(NORMALISATION, hidden_size=16, num_mixtures=3).eval()


def test_a_line_depends_on_its_seed_alone(synthesis):
    texts, seeds = ["abc", "a", "cab ba", "bb"], [5, 6, 7, 8]
    together = sample(synthesis, seeds, texts, bias=[0.0, 0.5, 1.0, 0.2], max_steps=80)
    alone = sample(synthesis, [7], ["cab ba"], bias=1.0, max_steps=80)[0]
    again = sample(synthesis, [7], ["cab ba"], bias=1.0, max_steps=80)[0]
    other = sample(synthesis, [9], ["cab ba"], bias=1.0, max_steps=80)[0]
    np.testing.assert_array_equal(alone.ink, again.ink)
    np.testing.assert_allclose(together[2].ink, alone.ink, atol=1e-2)
    np.testing.assert_allclose(together[2].window, alone.window, atol=1e-4)
    assert not np.allclose(alone.ink[:20], other.ink[:20], atol=1.0)


def test_ink_is_in_the_units_of_the_data(prediction):
    """The first step by hand: the same random numbers through the network's own mixture."""
    line = sample(prediction, [3], max_steps=5)[0]
    assert line.ink.shape == (6, 3) and not line.ended and line.window is None
    assert line.ink[0].tolist() == [0.0, 0.0, 0.0] and line.ink[-1, 2] == 1.0
    generator = torch.Generator().manual_seed(3)
    uniform, normal = (make(256, 2, generator=generator) for make in (torch.rand, torch.randn))
    start = torch.tensor([[[-8.0 / 40.0, -0.5 / 30.0, 0.0]]])
    with torch.no_grad():
        mixture = prediction(start).mixture.last_step()
    point = mixture.sample(uniform[:1], normal[:1])[0].tolist()
    expected = [point[0] * 40.0 + 8.0, point[1] * 30.0 + 0.5, point[2]]
    assert line.ink[1].tolist() == pytest.approx(expected, rel=1e-4)


def test_a_high_bias_calms_the_hand(prediction):
    wild, calm = (
        np.concatenate(
            [line.ink[1:, :2] for line in sample(prediction, range(8), bias=bias, max_steps=60)]
        )
        for bias in (0.0, 3.0)
    )
    assert calm.std() < 0.5 * wild.std()


def test_the_stopping_rule_is_the_paper_s():
    window = torch.zeros(3, 2, 5)
    window[0, 1] = torch.tensor([0.1, 0.2, 0.5, 0.0, 9.0])  # 3 characters: place 4 counts
    window[1, 1] = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.0])
    window[2, 1] = torch.tensor([0.1, 0.2, 0.5, 0.4, 0.6])
    lengths = torch.tensor([3, 3, 4])
    assert _past_end(window[:, 1], lengths).tolist() == [False, True, True]


def test_lines_end_by_the_rule_and_fall_out_of_the_batch(synthesis):
    lines = sample(synthesis, [1, 2], ["a", "abcabcabcabc"], max_steps=400)
    assert all(line.ended for line in lines)
    assert len(lines[0].ink) < len(lines[1].ink) < 400
    for line, characters in zip(lines, (1, 12), strict=True):
        assert line.window.shape == (len(line.ink) - 1, characters + 1)
        peaks = line.window.argmax(1)
        assert (peaks < characters).all()  # it ended at the first step whose peak is behind


def test_the_limit_ends_what_the_rule_does_not(synthesis):
    line = sample(synthesis, [1], ["abcabcabcabc"], max_steps=20)[0]
    assert not line.ended and len(line.ink) == 21


def test_the_numbers_do_not_depend_on_the_limit(prediction):
    short, long = (sample(prediction, [4], max_steps=steps)[0].ink for steps in (30, 300))
    np.testing.assert_allclose(short[1:30], long[1:30], atol=1e-3)


def test_a_primer_is_continued(synthesis):
    primer = np.array([[0, 0, 0], [9, 3, 0], [8, -2, 1]], np.float32)
    line = sample(synthesis, [1], ["ab"], primer=(primer, "c "), max_steps=10)[0]
    assert line.text == "c ab" and line.primed == 3 and len(line.ink) <= 13
    np.testing.assert_array_equal(line.ink[:3], primer)
    assert line.window.shape == (len(line.ink) - 1, 5)
    assert line.written[0, :2].tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(line.written[1:], line.ink[4:])
    # The window at the primer's steps is that of the network over the primer.
    inputs = torch.from_numpy(NORMALISATION.apply(primer))[None]
    text = torch.from_numpy(synthesis.alphabet.encode("c ab"))[None]
    with torch.no_grad():
        output = synthesis(inputs, text, torch.tensor([4]))
    np.testing.assert_allclose(line.window[:3], output.window[0].numpy(), atol=1e-6)


def test_a_primer_changes_what_follows(prediction):
    primer = np.array([[0, 0, 0], [300, 90, 0], [-200, -200, 1]], np.float32)
    plain = sample(prediction, [1], max_steps=5)[0].ink[1]
    primed = sample(prediction, [1], max_steps=5, primer=(primer, ""))[0].ink[3]
    assert not np.allclose(plain, primed, atol=0.1)


def test_faults_are_named(synthesis):
    with pytest.raises(UnknownCharacters, match="U\\+007A"):
        sample(synthesis, [1], ["az"])
    with pytest.raises(UserError, match="at least one character"):
        sample(synthesis, [1], [""])
    with pytest.raises(UserError, match="as many"):
        sample(synthesis, [1, 2], ["a"])
    with pytest.raises(UserError, match="at least 0"):
        sample(synthesis, [1], ["a"], bias=-1.0)
