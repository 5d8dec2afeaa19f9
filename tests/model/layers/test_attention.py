"""The parts of the transformers against a plain computation."""

import math

import pytest
import torch

from model.layers.attention import SelfAttention, check_heads, rotated
from model.layers.window import ParallelWindow
from utils.checks import ConfigFault


def test_the_product_of_rotated_queries_and_keys_depends_on_their_distance():
    query, key = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)
    products = [(rotated(query, 3 + at) * rotated(key, at)).sum() for at in (0, 1, 50)]
    torch.testing.assert_close(torch.stack(products), products[0].expand(3))
    # As complex numbers, of which each is turned by its own rate.
    turned = torch.complex(*query[0, 0, 0].chunk(2)) * torch.exp(
        1j * 3.0 * 10_000.0 ** (-torch.arange(4.0, dtype=torch.float64) / 4)
    )
    torch.testing.assert_close(rotated(query, 3)[0, 0, 0], torch.cat((turned.real, turned.imag)))


@torch.no_grad()
@pytest.mark.parametrize("causal", [True, False])
def test_self_attention_is_a_softmax_over_the_steps_that_may_be_seen(causal):
    torch.manual_seed(0)
    layer = SelfAttention(8, 2, 0.0).double()
    torch.nn.init.normal_(layer.output.weight)
    inputs, mask = torch.randn(1, 5, 8).double(), torch.tensor([[True, True, True, True, False]])
    empty = (torch.zeros(1, 2, 0, 4),) * 2
    found, _ = layer(inputs, empty) if causal else layer(inputs, mask=mask)
    normed = inputs[0] / (inputs[0].square().mean(-1, keepdim=True) + torch.finfo().eps).sqrt()
    query, key, value = (normed @ layer.projections.weight.T).chunk(3, -1)
    for step in range(5):
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            at = [rotated(key[None, None, None, j, head], j).flatten() for j in range(5)]
            own = rotated(query[None, None, None, step, head], step).flatten()
            scores = [float(own @ one) / math.sqrt(4) for one in at]
            seen = range(step + 1) if causal else range(4)
            total = sum(math.exp(scores[j]) for j in seen)
            heads.append(sum(math.exp(scores[j]) / total * value[j, head] for j in seen))
        expected = inputs[0, step] + layer.output.weight @ torch.cat(heads)
        torch.testing.assert_close(found[0, step], expected, rtol=1e-6, atol=1e-6)


def test_the_window_at_all_steps_is_the_window_step_by_step():
    torch.manual_seed(0)
    window, inputs, text = ParallelWindow(6, 3, 0.5), torch.randn(2, 7, 6), torch.randn(2, 5, 6)
    found, kappas, phis = window(inputs, text, torch.ones(2, 1, 3))
    kappa = torch.ones(2, 3)
    for step in range(7):
        numbers = window.projection(window.norm(inputs[:, step])).exp()
        alpha, beta, advance = numbers[..., None].chunk(3, 1)  # (B, K, 1)
        kappa = kappa + advance[..., 0]
        gaussians = torch.exp(-beta * (kappa[..., None] - torch.arange(1.0, 6.0)) ** 2)
        phi = (alpha * gaussians).sum(1)
        torch.testing.assert_close(kappas[:, step], kappa)
        torch.testing.assert_close(phis[:, step], phi)
        context = window.context(torch.einsum("bu,bud->bd", phi, text))
        torch.testing.assert_close(found[:, step], inputs[:, step] + context)


def test_heads_that_cannot_share_the_size_are_refused():
    with pytest.raises(ConfigFault, match="hidden_size = 12: a multiple of 8, for 4 heads"):
        check_heads(12, 4)
