"""The networks against their plain rewriting, which shares no code with them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import reference
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import NegativeLogLikelihood, PredictionNetwork, SynthesisNetwork, sample
from model.generation.line import Sampling
from model.generation.sampling import BLOCK
from tests.construct import construct

pytestmark = pytest.mark.slow

NORMALISATION = Normalisation((8.0, 0.5), (40.0, 30.0))
CONDITIONAL = [False, True]


def pair(conditional: bool):
    """Return a network and its rewriting with the same weights, in float64."""
    torch.manual_seed(3)
    sizes = {"hidden_size": 12, "num_mixtures": 4, "max_correlation": 0.9}
    if conditional:
        own = construct(
            SynthesisNetwork,
            NORMALISATION,
            Alphabet("abc ."),
            num_windows=3,
            window_advance=0.1,
            **sizes,
        )
    else:
        own = construct(PredictionNetwork, NORMALISATION, **sizes)
    own = own.double().eval()
    plain = reference.Network(
        5 if conditional else None, 12, mixtures=4, windows=3, max_correlation=0.9
    ).double()
    plain.min_scale.copy_(own.min_scales[:, None])
    reference.load(plain, own.state_dict())
    return own, plain


def batch_of(*lengths):
    """A padded batch of random lines."""
    generator, time = torch.Generator().manual_seed(1), max(lengths)
    inputs, targets = torch.randn(2, len(lengths), time, 3, generator=generator).double()
    inputs[..., 2], targets[..., 2] = (inputs[..., 2] > 0.5), (targets[..., 2] > 0.5)
    text = torch.randint(0, 4, (len(lengths), 6), generator=generator)
    mask = torch.arange(time) < torch.tensor(lengths)[:, None]
    return SimpleNamespace(
        inputs=inputs, targets=targets, mask=mask, text=text, text_lengths=torch.tensor([3, 6, 4])
    )


@pytest.mark.parametrize("conditional", CONDITIONAL)
def test_the_plain_rewriting_has_the_same_loss_and_gradients(conditional):
    own, plain = pair(conditional)
    batch = batch_of(9, 17, 12)
    loss = NegativeLogLikelihood()(own(batch.inputs, batch.text, batch.text_lengths), batch)
    loss.sum().backward()
    expected = plain.loss(batch.inputs, batch.targets, batch.mask, batch.text, batch.text_lengths)
    expected.sum().backward()
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-9)
    own_gradients = {name: weights.grad for name, weights in own.named_parameters()}
    gradients = reference.convert_weights(plain, own_gradients)
    for name, weights in plain.named_parameters():
        if conditional and name == "cells.0.bias_hh":  # Both are one in the project's layer.
            continue
        assert weights.grad.abs().sum() > 0.0, name
        torch.testing.assert_close(
            gradients[name], weights.grad, rtol=1e-8, atol=1e-8, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize(("bias", "sharpness"), [(0.0, 3.0), (0.7, 3.0), (0.3, 0.0)])
@pytest.mark.parametrize("conditional", CONDITIONAL)
def test_the_plain_rewriting_writes_the_same_lines(conditional, bias, sharpness):
    """The same random numbers, over more than one block of them, to the end of the paper's rule,
    from where on the project's lines, where the text ends in a sign, go on to the stroke's end."""
    own, plain = pair(conditional)
    steps = BLOCK + 20
    texts = ["a cab.", "bb."] if conditional else None
    if conditional:  # slow enough that the first line meets the limit, the second the rule
        with torch.no_grad():
            own.layers[0].window.bias[-3:] = torch.tensor([-4.2, -4.4, -4.0])
        reference.load(plain, own.state_dict())
    drawn = sample(
        own, [5, 6], texts, Sampling(bias=bias, pen_sharpness=sharpness, max_steps=steps)
    )
    start = torch.from_numpy(NORMALISATION.apply(np.zeros((1, 3), np.float32)))[0].double()
    for seed, line in zip((5, 6), drawn, strict=True):
        generator = torch.Generator().manual_seed(seed)
        numbers = [draw(BLOCK, 2, generator=generator) for draw in 2 * (torch.rand, torch.randn)]
        uniform, normal = torch.cat(numbers[::2]).double(), torch.cat(numbers[1::2]).double()
        text = torch.from_numpy(own.alphabet.encode(line.text)) if conditional else None
        points = plain.sample(steps, start, text, bias, uniform, normal, sharpness)
        count = len(points)
        assert len(line.ink) > count and line.ended == (count < steps)
        assert not line.ink[count:-1, 2].any()
        assert len(line.ink) == count + 1 or not (points[-1, 2] or count == steps)
        expected = NORMALISATION.invert(points.numpy())
        drawn_so_far = line.ink[1 : count + 1]
        np.testing.assert_allclose(drawn_so_far[:, :2], expected[:, :2], rtol=1e-5, atol=1e-4)
        np.testing.assert_array_equal(drawn_so_far[:-1, 2], expected[:-1, 2])
    if conditional:
        assert [line.ended for line in drawn] == [False, True]
