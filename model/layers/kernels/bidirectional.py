"""A bidirectional LSTM layer without gradients, by the compiled kernel of `bidirectional.c`.

Products are of bfloat16 or float32; cell states are float32. The results of a line are the same,
bit for bit, in every batch and with every number of threads. Padding is not computed.

Shapes: S frames, B lines of a batch, X inputs of a frame, H cells of a direction.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.kernels import library


def run(dtype: torch.dtype, inputs: Tensor, lengths: Tensor, layers: Sequence[nn.LSTM]) -> Tensor:
    """Run an LSTM forwards and one backwards; call this only if `library.available`.

    Args:
        dtype: dtype of the products, float32 or bfloat16.
        inputs: `(S, B, X)`; padding is arbitrary.
        lengths: number of frames of each line, `(B,)`.
        layers: the LSTM of each direction.

    Returns:
        the hidden states of both directions, `(S, B, 2 H)` in `dtype`, zero after a line's end.

    Raises:
        ValueError: if a line is longer than `inputs`, or if a tensor is not on the CPU.
        MemoryError: if memory is lacking.
    """
    frames, batch, num_inputs = inputs.shape
    if lengths.max() > frames:
        raise ValueError(f"a line of {lengths.max()} frames among inputs of {frames}")
    sequences = inputs.transpose(0, 1).to(dtype)
    if num_inputs % 2:  # products take pairs of columns
        sequences = functional.pad(sequences, (0, 1))
    hiddens = sequences.new_zeros(batch, frames, 2 * layers[0].hidden_size)
    library.call(
        "Bidirectional",
        "bidirectional",
        dtype,
        batch=batch,
        frames=frames,
        inputs=num_inputs,
        size=layers[0].hidden_size,
        lengths=lengths.contiguous(),
        order=lengths.argsort(descending=True),
        sequences=sequences.contiguous(),
        input_weights=[library.pack(each.weight_ih_l0.to(dtype).t(), 4) for each in layers],
        hidden_weights=[library.pack(each.weight_hh_l0.to(dtype).t(), 4) for each in layers],
        biases=[(each.bias_ih_l0 + each.bias_hh_l0).float().contiguous() for each in layers],
        hiddens=hiddens,
    )
    return hiddens.transpose(0, 1)
