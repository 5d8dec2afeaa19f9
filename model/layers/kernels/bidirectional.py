"""A bidirectional LSTM layer, by the compiled kernel of `bidirectional.c`.

Products are of bfloat16 or float32; cell states are float32. The results of a line are the same,
bit for bit, in every batch and with every number of threads. Padding is not computed.

Shapes: B lines of a batch, S frames, X inputs of a frame, H cells of a direction. Tensors of both
directions have a dimension of 2, forwards first. `d_` before a name means the gradient.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.cells import reorder_gates
from model.layers.kernels import library

_call = partial(library.call, "Bidirectional")


class _Lines(torch.autograd.Function):
    """The layer with its gradient (the paper, eqs 7-11 without peepholes); for the arguments see
    `run`: `inputs` is `(B, S, X)`, the weights are `(2, 4 H, X)`, `(2, 4 H, H)` and `(2, 4 H)`."""

    @staticmethod
    def forward(ctx, dtype: torch.dtype, lengths: Tensor, keeps: bool, *others: Tensor) -> Tensor:
        inputs, weight_input, weight_hidden, bias = others
        (batch, frames, num_inputs), size = inputs.shape, weight_hidden.shape[2]
        weight_input, weight_hidden = weight_input.to(dtype), weight_hidden.to(dtype)
        # Products take pairs of columns.
        sequences = functional.pad(inputs.to(dtype), (0, num_inputs % 2)).contiguous()
        hiddens = sequences.new_zeros(batch, frames, 2, size)
        kept = {}
        if keeps:
            kept["gates"] = sequences.new_empty(batch, frames, 2, 4 * size)
            kept["cells"] = torch.empty(batch, frames, 2, size)
        ctx.fields = dict(batch=batch, frames=frames, inputs=num_inputs, size=size)
        ctx.fields |= dict(lengths=lengths, order=lengths.argsort(descending=True))
        weights = dict(
            input_weights=[library.pack(weight.t(), 4) for weight in weight_input],
            hidden_weights=[library.pack(weight.t(), 4) for weight in weight_hidden],
            biases=list(bias.float().contiguous()),
        )
        fields = dict(sequences=sequences, hiddens=hiddens, **kept)
        _call("bidirectional_forward", dtype, **ctx.fields, **weights, **fields)
        if keeps:
            saved = weight_input, weight_hidden, sequences, hiddens
            ctx.save_for_backward(*saved, *kept.values())
        return hiddens.flatten(2)

    @staticmethod
    def backward(ctx, d_hiddens: Tensor) -> tuple[Tensor | None, ...]:
        library.refuse_second_derivative("BidirectionalLayer")
        weight_input, weight_hidden, sequences, hiddens, gates, cells = ctx.saved_tensors
        batch, frames, _, size = hiddens.shape
        d_gates = torch.empty_like(gates)
        weights = [library.pack(weight) for weight in weight_hidden]
        fields = dict(d_hiddens=d_hiddens.contiguous(), d_gates=d_gates, gates=gates, cells=cells)
        fields |= dict(hidden_weights_backward=weights, **ctx.fields)
        _call("bidirectional_backward", gates.dtype, **fields)
        # The states before a step are those of the frame before, or backwards of the next.
        states = (
            functional.pad(hiddens[:, :-1, 0], (0, 0, 1, 0)).flatten(0, 1),  # (B S, H)
            functional.pad(hiddens[:, 1:, 1], (0, 0, 0, 1)).flatten(0, 1),
        )
        by_direction = d_gates.view(batch * frames, 2, 4 * size).unbind(1)
        pairs = zip(by_direction, states, strict=True)
        d_weight_hidden = torch.stack([d_gate.t() @ state for d_gate, state in pairs])
        d_gates = d_gates.view(batch * frames, 8 * size)
        d_weight_input = (sequences.flatten(0, 1).t() @ d_gates).t()  # (8 H, X)
        d_weight_input = d_weight_input[:, : weight_input.shape[2]].view(weight_input.shape)
        d_inputs = None
        if ctx.needs_input_grad[3]:
            d_inputs = (d_gates @ weight_input.flatten(0, 1)).view(batch, frames, -1)
        d_bias = d_gates.sum(0, dtype=torch.float32).view(2, -1)
        return None, None, None, d_inputs, d_weight_input, d_weight_hidden, d_bias


def run(dtype: torch.dtype, inputs: Tensor, lengths: Tensor, layers: Sequence[nn.LSTM]) -> Tensor:
    """Run an LSTM forwards and one backwards; call this only if `library.available`.

    Args:
        dtype: dtype of the products, float32 or bfloat16.
        inputs: `(S, B, X)`; padding is arbitrary, but finite where gradients are computed.
        lengths: number of frames of each line, `(B,)`.
        layers: the LSTM of each direction.

    Returns:
        the hidden states of both directions, `(S, B, 2 H)` in `dtype`, zero after a line's end.

    Raises:
        ValueError: if a line is longer than `inputs`, or if a tensor is not on the CPU.
        MemoryError: if memory is lacking.
    """
    if lengths.max() > len(inputs):
        raise ValueError(f"a line of {lengths.max()} frames among inputs of {len(inputs)}")
    parameters = (
        [layer.weight_ih_l0 for layer in layers],
        [layer.weight_hh_l0 for layer in layers],
        [layer.bias_ih_l0 + layer.bias_hh_l0 for layer in layers],
    )
    weights = [torch.stack([*map(reorder_gates, values)]) for values in parameters]
    keeps = torch.is_grad_enabled()
    hiddens = _Lines.apply(dtype, lengths.contiguous(), keeps, inputs.transpose(0, 1), *weights)
    return hiddens.transpose(0, 1)
