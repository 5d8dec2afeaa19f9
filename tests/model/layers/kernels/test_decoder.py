"""The compiled decoder against its equations, written with torch in float64."""

import pytest
import torch
from torch.nn import functional

from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import AttentionNetwork, TranscriptionLoss
from model.layers.kernels import decoder
from model.layers.kernels.decoder import Weights
from tests.construct import construct
from tests.model.builders import needs_compiler, num_threads
from utils.checks import UserError

pytestmark = needs_compiler
CLASSES = 5
STEPS = 6
LENGTHS = (9, 37, 1)
UNITS = Normalisation((8.0, 0.5), (40.0, 30.0))
SIZES = [(4, 3, 6, 5), (17, 8, 20, 35), (32, 16, 16, 32)]
"""Cells, dimensions of embeddings, numbers of a frame, dimensions of the attention."""


def parts(cells: int, embedding: int, context: int, attention: int) -> tuple[list, Weights]:
    """Return random `[encoded, keys]` and weights in float64."""
    draw = torch.Generator().manual_seed(2)
    batch = len(LENGTHS)
    frames = max(LENGTHS)
    shapes = [
        *[(batch, frames, context), (batch, frames, attention), (CLASSES + 1, embedding)],
        *[(4 * cells, embedding + context), (4 * cells, cells), (4 * cells,), (attention, cells)],
        *[(attention, decoder.SPAN), (attention,), (CLASSES, cells + context), (CLASSES,)],
    ]
    values = [torch.randn(shape, generator=draw).double() for shape in shapes]
    values = [0.5 * (value if value.ndim == 3 else 1.5 * value) for value in values]
    return values[:2], Weights(*values[2:])


def dropped(cells: int, embedding: int, context: int, _: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    sizes = embedding + context, cells + context
    return tuple((torch.rand(STEPS, 3, n, generator=draw) < 0.6) / 0.6 for n in sizes)


def by_torch(tokens, encoded, keys, weights, masks):
    """The decoder by its equations; each token of -1 becomes the likeliest of the step before."""
    cells, chosen = weights.hidden.shape[1], []
    hidden, cell = encoded.new_zeros(2, len(encoded), cells)
    context, so_far = encoded.new_zeros(len(encoded), encoded.shape[2]), torch.zeros(keys.shape[:2])
    is_padding = torch.arange(keys.shape[1]) >= torch.tensor(LENGTHS)[:, None]
    so_far = so_far.double()
    results = []
    logits = None
    for step in range(STEPS):
        token = tokens[step]
        chosen.append(token if logits is None else torch.where(token < 0, logits.argmax(1), token))
        inputs = torch.cat((weights.embeddings[chosen[-1]], context), 1)
        inputs = inputs if masks[0] is None else inputs * masks[0][step]
        gates = inputs @ weights.inputs.t() + hidden @ weights.hidden.t() + weights.bias
        entry, forget, exit_, candidate = gates.chunk(4, 1)
        cell = forget.sigmoid() * cell + entry.sigmoid() * candidate.tanh()
        hidden = exit_.sigmoid() * cell.tanh()
        location = functional.conv1d(so_far[:, None], weights.places[:, None], padding=7)
        compared = torch.tanh(
            keys + location.transpose(1, 2) + (hidden @ weights.query.t())[:, None]
        )
        energy = (compared @ weights.energy).masked_fill(is_padding, -torch.inf)
        attention = energy.softmax(1)
        context, so_far = (attention[..., None] * encoded).sum(1), so_far + attention
        seen = torch.cat((hidden, context), 1)
        seen = seen if masks[1] is None else seen * masks[1][step]
        logits = seen @ weights.characters.t() + weights.character_bias
        results.append((hidden, context, attention))
    return *map(torch.stack, zip(*results, strict=True)), torch.stack(chosen)


def computed(run, arguments, weights, factors):
    """Return the results of `run`, and the gradients of their sums times `factors`."""
    leaves = [value.detach().clone().requires_grad_() for value in (*arguments, *weights)]
    hiddens, contexts, *rest = run(*leaves[:2], Weights(*leaves[2:]))
    loss = (hiddens * factors[0]).sum() + (contexts * factors[1]).sum()
    loss.backward()
    return (hiddens.detach(), contexts.detach(), *rest), [leaf.grad for leaf in leaves[:-2]]


def tokens_before_each_step(free: bool) -> torch.Tensor:
    tokens = torch.randint(0, CLASSES, (STEPS, 3), generator=torch.Generator().manual_seed(4))
    tokens[0] = CLASSES
    if free:
        tokens[2] = -1
        tokens[4, 1] = -1
        tokens[5] = -1
    return tokens


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 3e-4), (torch.bfloat16, 6e-2)])
@pytest.mark.parametrize("is_training", [False, True])
def test_results_and_gradients_are_those_of_the_equations(sizes, dtype, tolerance, is_training):
    arguments, weights = parts(*sizes)
    masks = dropped(*sizes) if is_training else (None, None)
    # In bfloat16 two characters may be about equally likely.
    tokens = tokens_before_each_step(free=is_training and dtype == torch.float32)
    factors = [torch.randn(STEPS, 3, n).double() for n in (sizes[0], sizes[2])]
    expected, wanted = computed(
        lambda *leaves: by_torch(tokens, *leaves, masks), arguments, weights, factors
    )
    chosen = tokens.clone()
    run = lambda *leaves: decoder.run(dtype, chosen, torch.tensor(LENGTHS), *leaves, masks)  # noqa: E731
    results, gradients = computed(run, arguments, weights, factors)
    assert torch.equal(chosen, expected[3]) and (chosen >= 0).all()
    for result, value in zip(results, expected[:3], strict=True):
        torch.testing.assert_close(result.double(), value, rtol=0, atol=tolerance)
    for name, gradient, value in zip(
        ("encoded", "keys", *Weights._fields), gradients, wanted, strict=False
    ):
        assert value.abs().max() > 1e-3, name
        error = (gradient.double() - value).norm() / value.norm()
        assert error < tolerance, (name, error)


def test_the_equations_gradient_is_that_of_finite_differences():
    network = construct(
        AttentionNetwork, UNITS, Alphabet("ab"),
        num_layers=1, time_reductions=0, hidden_size=2, channels=2,
        dropout=0.0, decoder_size=3, attention_size=2, embedding_size=2,
    ).double()  # fmt: skip
    lengths = torch.tensor([7, 5])
    text = torch.tensor([[0, 1], [1, 0]])
    sizes = torch.tensor([2, 1])
    features = torch.randn(2, 7, 10, dtype=torch.float64, requires_grad=True)
    names = ["places.weight", "query.weight", "embedding.weight", "energy.weight"]
    chosen = [network.get_parameter(name) for name in names]

    def log_probs(features, *_):
        return network(features, lengths, text, sizes).decoder_log_probs

    assert torch.autograd.gradcheck(log_probs, (features, *chosen), fast_mode=True)


def test_a_line_has_the_same_results_in_every_batch_and_with_every_number_of_threads():
    arguments, weights = parts(*SIZES[1])
    weights = Weights(*(value.float() for value in weights))
    tokens, lengths = tokens_before_each_step(free=True), torch.tensor(LENGTHS)
    results, values = [], [value.float() for value in arguments]
    for count in (1, 3):
        with num_threads(count):
            results.append(decoder.run(torch.float32, tokens.clone(), lengths, *values, weights))
    alone = [value[1:2].float() for value in arguments]
    results.append(
        decoder.run(torch.float32, tokens[:, 1:2].clone(), lengths[1:2], *alone, weights)
    )
    for first, second, single in zip(*results, strict=True):
        assert torch.equal(first, second)
        assert torch.equal(first[:, 1:2], single)


def test_a_token_beyond_the_classes_is_refused():
    arguments, weights = parts(*SIZES[0])
    tokens = tokens_before_each_step(free=False)
    tokens[3, 1] = CLASSES + 1
    with pytest.raises(IndexError, match="beyond the alphabet"):
        decoder.run(torch.float32, tokens, torch.tensor(LENGTHS), *arguments, weights)


def network() -> AttentionNetwork:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "decoder_size": 8, "attention_size": 8, "embedding_size": 4}
    return construct(AttentionNetwork, UNITS, Alphabet("abc"), channels=4, dropout=0.5, **sizes)


def read(model: AttentionNetwork, ratio: float) -> torch.Tensor:
    torch.manual_seed(1)
    lengths, text = torch.tensor([30, 20]), torch.tensor([[0, 1, 2, 0], [1, 1, 0, 0]])
    features = torch.randn(2, 30, 10)
    result = model(features, lengths, text, torch.tensor([4, 3]), teacher_forcing_ratio=ratio)
    return result.decoder_log_probs


def test_in_training_a_network_drops_and_sees_its_own_characters():
    model = network()
    results = [read(model, ratio) for ratio in (1.0, 0.0)]
    assert torch.equal(results[0], read(model, 1.0))
    assert torch.equal(results[0][:, 0], results[1][:, 0])
    assert not torch.allclose(results[0][:, 1:], results[1][:, 1:])
    assert torch.allclose(read(model.eval(), 1.0), read(model, 0.0))


class OtherStep(AttentionNetwork):
    def step(self, tokens, state):
        log_probs, state, attention = super().step(tokens, state)
        return log_probs + 1.0, state, attention


def test_a_subclass_with_a_step_of_its_own_is_computed_by_it():
    model = network().eval()
    expected = read(model, 1.0) + 1.0
    model.__class__ = OtherStep
    torch.testing.assert_close(read(model, 1.0), expected)


def test_a_second_derivative_is_refused():
    model = network()
    with pytest.raises(UserError, match="AttentionNetwork: a compiled layer has no second"):
        torch.autograd.grad(
            read(model, 1.0).sum(), [*model.decoder.parameters()], create_graph=True
        )


def test_the_loss_of_a_compiled_network_is_that_of_the_plain_one():
    model, lengths = network().eval(), torch.tensor([30, 20])
    assert TranscriptionLoss.head == model.head
    features, text = torch.randn(2, 30, 10), torch.tensor([[0, 1, 2], [1, 2, 0]])
    inputs = features, lengths, text, torch.tensor([3, 2])
    result = model(*inputs)
    expected = model.double()(features.double(), *inputs[1:])
    torch.testing.assert_close(
        result.decoder_log_probs.double(), expected.decoder_log_probs, rtol=0, atol=1e-5
    )
    torch.testing.assert_close(result.attention.double(), expected.attention, rtol=0, atol=1e-6)
