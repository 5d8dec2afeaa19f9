"""The bidirectional layer against torch's over packed sequences, and how frames are merged."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from model.recognition.encoder import BidirectionalLayer, _merged_pairs


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


def test_frames_are_merged_in_pairs_the_last_with_zeros():
    frames = torch.arange(1.0, 11.0).reshape(5, 2, 1)  # line 0: 1 3 5 7 9, line 1: 2 4 6 8 10
    pairs, lengths = _merged_pairs(frames, torch.tensor([5, 3]))
    assert lengths.tolist() == [3, 2]
    assert pairs[:, 0].tolist() == [[1, 3], [5, 7], [9, 0]]
    assert pairs[:2, 1].tolist() == [[2, 4], [6, 0]]
