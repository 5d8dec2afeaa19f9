"""A bidirectional LSTM layer, by the compiled kernel of `bidirectional.c`.

Products are of bfloat16 or float32; cell states are float32. The results of a line are the same,
bit for bit, in every batch and with every number of threads. Padding is not computed.

Shapes: B lines of a batch, S frames, X inputs of a frame, H cells of a direction. Tensors of both
directions have a dimension of 2, forwards first. `d_` before a name means the gradient.
"""

from collections.abc import Sequence
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.kernels import library

_call = partial(library.call, "Bidirectional")


class _Lines(torch.autograd.Function):
    """The layer with its gradient (the paper, eqs 7-11 without peepholes). `inputs` is `(B, S, X)`;
    `weights` are those of the inputs, `(4 H, X)`, of the hidden state, `(4 H, H)`, and the bias,
    `(4 H)`, forwards and then backwards, with the gates in torch's order. For the rest see `run`.
    """

    @staticmethod
    def forward(
        ctx,
        dtype: torch.dtype,
        lengths: Tensor,
        needs_gradient: bool,
        inputs: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        batch, frames, num_inputs = inputs.shape
        size = weights[1].shape[1]
        # Each direction has three weights.
        weights_input = [weight.to(dtype) for weight in weights[0::3]]
        weights_hidden = [weight.to(dtype) for weight in weights[1::3]]
        biases = weights[2::3]
        # Products take pairs of columns.
        sequences = functional.pad(inputs.to(dtype), (0, num_inputs % 2)).contiguous()
        hiddens = sequences.new_zeros(batch, frames, 2, size)
        states = {}
        if needs_gradient:
            states["gates"] = sequences.new_empty(batch, frames, 2, 4 * size)
            states["cells"] = torch.empty(batch, frames, 2, size)
        ctx.fields = dict(batch=batch, frames=frames, inputs=num_inputs, size=size)
        ctx.fields |= dict(lengths=lengths, order=lengths.argsort(descending=True))
        packed = dict(
            input_weights=[library.pack(weight.t(), 4) for weight in weights_input],
            hidden_weights=[library.pack(weight.t(), 4) for weight in weights_hidden],
            biases=[bias.float().contiguous() for bias in biases],
        )
        fields = dict(sequences=sequences, hiddens=hiddens, **states)
        _call("bidirectional_forward", dtype, **ctx.fields, **packed, **fields)
        if needs_gradient:
            tensors = sequences, hiddens, *states.values()
            ctx.save_for_backward(*weights_input, *weights_hidden, *tensors)
        return hiddens.flatten(2)

    @staticmethod
    def backward(ctx, d_hiddens: Tensor) -> tuple[Tensor | None, ...]:
        library.refuse_second_derivative("BidirectionalLayer")
        *weights, sequences, hiddens, gates, cells = ctx.saved_tensors
        weights_input = weights[:2]
        weights_hidden = weights[2:]
        batch, frames, _, size = hiddens.shape
        d_gates = torch.empty_like(gates)
        packed = [library.pack(weight) for weight in weights_hidden]
        fields = dict(d_hiddens=d_hiddens.contiguous(), d_gates=d_gates, gates=gates, cells=cells)
        fields |= dict(hidden_weights_backward=packed, **ctx.fields)
        _call("bidirectional_backward", gates.dtype, **fields)
        d_inputs = None
        d_gates = d_gates.view(batch * frames, 8 * size)
        d_forwards, d_backwards = d_gates.split(4 * size, 1)
        if ctx.needs_input_grad[3]:  # `inputs` of `forward`
            d_inputs = torch.addmm(d_forwards @ weights_input[0], d_backwards, weights_input[1])
            d_inputs = d_inputs.view(batch, frames, -1)
        num_inputs = ctx.fields["inputs"]  # without the padding
        d_weights_input = (sequences.flatten(0, 1).t() @ d_gates)[:num_inputs]
        d_weights_input = d_weights_input.t().split(4 * size)
        # The state before a step is that of the frame before, or backwards of the next.
        before = functional.pad(hiddens[:, :-1, 0], (0, 0, 1, 0)).flatten(0, 1)  # (B S, H)
        after = functional.pad(hiddens[:, 1:, 1], (0, 0, 0, 1)).flatten(0, 1)
        d_weights_hidden = d_forwards.t() @ before, d_backwards.t() @ after
        d_biases = d_gates.sum(0, dtype=torch.float32).split(4 * size)
        by_direction = zip(d_weights_input, d_weights_hidden, d_biases, strict=True)
        # None for the arguments before `inputs`, which have no gradient.
        return None, None, None, d_inputs, *chain.from_iterable(by_direction)


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
    weights = [
        (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0 + layer.bias_hh_l0)
        for layer in layers
    ]
    needs_gradient = torch.is_grad_enabled()
    sequences = inputs.transpose(0, 1)
    hiddens = _Lines.apply(dtype, lengths.contiguous(), needs_gradient, sequences, *chain(*weights))
    return hiddens.transpose(0, 1)
