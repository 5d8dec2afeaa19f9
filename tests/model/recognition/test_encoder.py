"""The bidirectional layer against torch's over packed sequences, and how frames are merged."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from base.step.device import plain_layers
from model.recognition.encoder import BidirectionalLayer, _merged_pairs
from tests.model.builders import needs_compiler, num_threads
from utils.checks import UserError

SIZES = [(3, 5, 3, 9), (1, 1, 1, 1), (20, 33, 13, 70), (8, 64, 60, 12)]
"""Numbers of inputs, cells, lines and frames."""


def by_torch(layer, inputs, lengths):
    """Return what torch's bidirectional layer with the same weights makes of packed sequences."""
    rnn = layer.forward_rnn.layer
    reference = type(rnn)(rnn.input_size, rnn.hidden_size, bidirectional=True).to(inputs.dtype)
    with torch.no_grad():
        for direction, suffix in ((layer.forward_rnn, ""), (layer.backward_rnn, "_reverse")):
            for name, weight in direction.layer.named_parameters():
                getattr(reference, name + suffix).copy_(weight)
    packed = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
    return pad_packed_sequence(reference(packed)[0])[0]


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_bidirectional_layer_computes_the_same_as_torch_over_packed_sequences(cell):
    torch.manual_seed(0)
    layer = BidirectionalLayer(cell, 4, 6).double()
    inputs, lengths = torch.randn(9, 3, 4, dtype=torch.float64), torch.tensor([9, 1, 6])
    hiddens, expected = layer(inputs, lengths), by_torch(layer, inputs, lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(hiddens[:length, row], expected[:length, row])


def lines(inputs, hidden, batch, frames):
    """Return a layer and inputs of lines of different lengths; what follows a line is NaN."""
    torch.manual_seed(0)
    values, lengths = torch.randn(frames, batch, inputs), torch.randint(1, frames + 1, (batch,))
    lengths[batch // 2] = frames
    is_padding = torch.arange(frames)[:, None] >= lengths
    padded = values.masked_fill(is_padding[..., None], torch.nan)
    return BidirectionalLayer("LSTM", inputs, hidden), padded, lengths


def without_gradients(layer, inputs, lengths, dtype):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, dtype == torch.bfloat16):
        return layer(inputs, lengths)


@needs_compiler
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("sizes", SIZES)
def test_lines_without_gradients_have_the_states_of_float64(sizes, dtype, tolerance):
    layer, inputs, lengths = lines(*sizes)
    hiddens = without_gradients(layer, inputs, lengths, dtype)
    expected = by_torch(copy.deepcopy(layer).double(), inputs.double().nan_to_num(), lengths)
    assert hiddens.shape == expected.shape and hiddens.dtype == dtype
    assert (hiddens - expected).norm() <= tolerance * expected.norm()


def gradients(layer, inputs, hiddens_of, lengths):
    """Return the gradients of an uneven scalar of the lines by their inputs and the weights."""
    leaf = inputs.clone().requires_grad_()
    hiddens = hiddens_of(layer, leaf, lengths)
    factors = torch.linspace(-1, 1, hiddens.numel()).view(hiddens.shape).to(hiddens)
    inside = torch.arange(len(hiddens))[:, None] < lengths
    total = torch.where(inside[..., None], hiddens * factors, 0.0).sum()
    return torch.autograd.grad(total, [leaf, *layer.parameters()])


@needs_compiler
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("sizes", SIZES)
def test_lines_have_the_gradients_of_float64(sizes, dtype, tolerance):
    layer, inputs, lengths = lines(*sizes)
    inputs = inputs.nan_to_num(9.0)

    def by_kernel(layer, inputs, lengths):
        with torch.autocast("cpu", torch.bfloat16, dtype == torch.bfloat16):
            return layer(inputs, lengths)

    results = gradients(layer, inputs, by_kernel, lengths)
    with plain_layers():
        exact = copy.deepcopy(layer).double()
        expected = gradients(exact, inputs.double(), type(layer).forward, lengths)
    for result, other in zip(results, expected, strict=True):
        assert (result - other).norm() <= tolerance * other.norm()


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bits_of_a_line_depend_neither_on_the_batch_nor_on_threads(dtype):
    layer, inputs, lengths = lines(20, 33, 13, 300)
    results = []
    for threads in (1, 2, 3, 4):
        with num_threads(threads):
            results.append(without_gradients(layer, inputs, lengths, dtype))
    assert all(torch.equal(result, results[0]) for result in results)
    for row, length in enumerate(lengths.tolist()):
        alone = without_gradients(
            layer, inputs[:length, row : row + 1], lengths[row : row + 1], dtype
        )
        assert torch.equal(alone[:, 0], results[0][:length, row])


@needs_compiler
def test_a_second_derivative_is_refused():
    layer, inputs, lengths = lines(3, 5, 3, 9)
    leaf = inputs.nan_to_num().requires_grad_()
    total = layer(leaf, lengths).sum()
    with pytest.raises(UserError, match="BidirectionalLayer: a compiled layer has no second"):
        torch.autograd.grad(total, leaf, create_graph=True)


@needs_compiler
def test_lines_longer_than_their_inputs_are_refused():
    layer, inputs, lengths = lines(3, 5, 3, 9)
    with pytest.raises(ValueError, match="a line of 10 frames among inputs of 9"):
        without_gradients(layer, inputs, lengths + 1, torch.float32)


def test_frames_are_merged_in_pairs_the_last_with_zeros():
    frames = torch.arange(1.0, 11.0).reshape(5, 2, 1)  # line 0: 1 3 5 7 9, line 1: 2 4 6 8 10
    pairs, lengths = _merged_pairs(frames, torch.tensor([5, 3]))
    assert lengths.tolist() == [3, 2]
    assert pairs[:, 0].tolist() == [[1, 3], [5, 7], [9, 0]]
    assert pairs[:2, 1].tolist() == [[2, 4], [6, 0]]
