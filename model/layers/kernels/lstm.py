"""An LSTM layer, with or without a window over a text, by the compiled kernels of `lstm.c`.

Products are of bfloat16 or float32; cell states and the window are float32. The results of a
sequence are the same, bit for bit, in every batch and with every number of threads.

Weights are packed in each call, since a change of weights cannot be noticed (a fused optimiser, or
a write through `.data`, does not increment a tensor's version). Packing costs little.

Shapes: B sequences of a batch, T steps, U characters, A characters of the alphabet, H cells,
K components of the window, X inputs of each step, J columns of the joint, which the gates' weights
multiply: hidden state, window, inputs and, if the width would be odd, a zero. `d_` before a name
means the gradient.
"""

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from model.layers.kernels import library
from model.layers.kernels.library import Results, round_up

_call = partial(library.call, "Layer")  # the structure of arguments in lstm.c


def _ends(d_hiddens: Tensor, d_windows: Tensor, *d_last: Tensor) -> Tensor:
    """Return after how many steps the outputs of each sequence have no gradient, `(B,)`."""
    outputs = [part for part in (d_hiddens, d_windows) if part.numel()]
    magnitudes = sum(part.abs().amax(2) for part in outputs)  # (T, B), 0 without a gradient
    magnitudes[-1] += torch.cat(d_last, 1).abs().sum(1)  # the last state comes after step T
    step_numbers = torch.arange(1, len(magnitudes) + 1)[:, None]  # (T, 1)
    return torch.where(magnitudes != 0, step_numbers, 0).amax(0)


def _input_gradient(d_gates: Tensor, weight: Tensor) -> Tensor:
    """Return `d_gates @ weight`. With AVX2, whose vectors have 8 numbers, `weight` gets columns of
    zeros up to a multiple of 4: for other numbers of columns MKL takes 1.6 times as long on AMD's
    processors (measured, notebook: speed, with AVX2 alone). With AVX-512 runs keep the sums that
    they had without.
    """
    columns = weight.shape[1]
    if library.kernels(weight.dtype == torch.bfloat16).lanes() == 8:
        weight = functional.pad(weight, (0, -columns % 4))
    return (d_gates @ weight)[..., :columns]


class _Recurrence(torch.autograd.Function):
    """The layer with its gradient; for the arguments see `run`. Without a window A, K and U are 0.

    Forward: the paper, eqs 7-11 without peepholes, and 46-53. Backward: eqs 56-60.
    """

    @staticmethod
    def forward(
        ctx,
        dtype: torch.dtype,
        bound: float | None,
        text: Tensor,
        lengths: Tensor,
        *others: Tensor,
    ) -> Results:
        inputs, weight_input, weight_hidden, bias, hidden, cell, *window_parts = others
        weight_window, window_weight, window_bias, window, kappa = window_parts
        steps, batch, num_inputs = inputs.shape
        size = hidden.shape[1]
        vocab_size = window.shape[1]
        components = kappa.shape[1]
        places = text.shape[1] + 1
        start = size + vocab_size  # the inputs are the columns `start` to `end` of the joint
        end = start + num_inputs
        weight = torch.cat((weight_hidden, weight_window, weight_input), 1).to(dtype)
        weight = functional.pad(weight, (0, end % 2))
        # Products take pairs of columns. The last pair of a hidden state of odd size includes the
        # next column, which must be finite even before it is computed: hence zeros.
        joint = torch.zeros(steps + 1, batch, weight.shape[1], dtype=dtype)
        joint[0, :, :start] = torch.cat((hidden, window), 1)
        joint[:-1, :, start:end] = inputs
        cells = torch.empty(steps + 1, batch, size)
        kappas = torch.empty(steps + 1, *kappa.shape)
        cells[0] = cell
        kappas[0] = kappa
        gates = torch.empty(steps, batch, 4 * size, dtype=dtype)
        exponentials = torch.empty(steps, batch, 3 * components)
        phis = torch.empty(steps, batch, places)
        sizes = dict(steps=steps, batch=batch, size=size, width=weight.shape[1])
        sizes |= dict(vocab_size=vocab_size, components=components, places=places)
        ctx.num_inputs = num_inputs
        ctx.layer = dict(bound=math.inf if bound is None else bound, **sizes)
        weights = dict(
            weights=library.pack(weight.t(), groups=4),
            bias=bias.float().contiguous(),
            window_weights=library.pack(window_weight.to(dtype).t()),
            window_bias=window_bias.float().contiguous(),
        )
        texts = dict(text=text, text_lengths=lengths)
        states = dict(gates=gates, cells=cells, kappas=kappas, exponentials=exponentials)
        outputs = dict(joint=joint, phis=phis)
        _call("forward", dtype, **ctx.layer, **weights, **texts, **states, **outputs)
        ctx.save_for_backward(weight, window_weight, text, lengths, joint, *states.values())
        ctx.mark_non_differentiable(phis)
        # Copies of the last states do not keep the large tensors of all steps alive.
        hiddens = joint[1:, :, :size]
        windows = joint[1:, :, size:start]
        return hiddens, windows, cells[-1].clone(), kappas[-1].clone(), phis

    @staticmethod
    def backward(
        ctx, d_hiddens: Tensor, d_windows: Tensor, d_cell: Tensor, d_kappa: Tensor, _
    ) -> tuple[Tensor | None, ...]:
        windowed = ctx.layer["components"] > 0
        library.refuse_second_derivative("WindowedLayer" if windowed else "RecurrentLayer")
        weight, window_weight, text, lengths, joint, *saved = ctx.saved_tensors
        gates, cells, kappas, exponentials = saved
        steps, batch, _ = gates.shape
        dtype = gates.dtype
        size = cells.shape[2]
        start = size + ctx.layer["vocab_size"]
        parameters = exponentials.shape[2]
        end = start + ctx.num_inputs
        # Copies, since the kernel overwrites these gradients at every step.
        d_cell = d_cell.clone(memory_format=torch.contiguous_format)
        d_kappa = d_kappa.clone(memory_format=torch.contiguous_format)
        d_gates = torch.empty_like(gates)
        d_joint = cells.new_empty(batch, start)
        d_parameters = gates.new_empty(steps, batch, round_up(parameters, 2))
        weights = dict(
            weights_backward=library.pack(weight[:, :start]),
            window_weights_backward=library.pack(window_weight.to(dtype)),
        )
        texts = dict(text=text, text_lengths=lengths)
        states = dict(gates=gates, cells=cells, kappas=kappas, exponentials=exponentials)
        d_outputs = dict(d_hiddens=d_hiddens.contiguous(), d_windows=d_windows.contiguous())
        results = dict(d_gates=d_gates, d_parameters=d_parameters)
        results |= dict(d_cell=d_cell, d_kappa=d_kappa, d_joint=d_joint)
        ends = _ends(d_hiddens, d_windows, d_cell, d_kappa)
        fields = dict(ends=ends, **ctx.layer, **weights, **texts, **states)
        _call("backward", dtype, **fields, **d_outputs, **results)
        d_inputs = None
        if ctx.needs_input_grad[4]:  # `inputs`
            d_inputs = _input_gradient(d_gates, weight[:, start:end])
        d_weight = (joint[:-1].flatten(0, 1).t() @ d_gates.flatten(0, 1)).t()  # (4 H, J)
        d_parameters = d_parameters.flatten(0, 1)[:, :parameters]
        d_window_weight = d_parameters.t() @ joint[1:].flatten(0, 1)[:, :size]
        d_bias = d_gates.sum(0, dtype=torch.float32)
        d_window_bias = d_parameters.sum(0, dtype=torch.float32)
        d_weights = d_weight[:, start:end], d_weight[:, :size], d_bias
        d_window = d_weight[:, size:start], d_window_weight, d_window_bias, d_joint[:, size:]
        d_state = d_joint[:, :size], d_cell
        # None for the arguments before `inputs`, which have no gradient.
        return None, None, None, None, d_inputs, *d_weights, *d_state, *d_window, d_kappa


def run(
    dtype: torch.dtype,
    bound: float | None,
    inputs: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    state: tuple[Tensor, Tensor],
    text: tuple[Tensor, Tensor] | None = None,
    window: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] | None = None,
) -> Results:
    """Run an LSTM over sequences; call this only if `library.available`.

    Args:
        dtype: dtype of the products, float32 or bfloat16.
        bound: bound to which the gradient of the gates is clamped at every step, or None.
        inputs: `(T, B, X)`, T at least 1.
        weights: weights from the inputs and the hidden state to the gates (input, forget, output
            gate, candidate), `(4 H, X)` and `(4 H, H)`; the bias of each sequence, `(B, 4 H)`.
        state: hidden and cell state before the first step, `(B, H)` each.
        text: indices of the characters, `(B, U)` int64, padded with any indices, and the number of
            characters, `(B,)`; None without a window.
        window: weights from the window to the gates, `(4 H, A)`; weights from the hidden state to
            the window's parameters, `(3 K, H)`; their bias, `(3 K)`; window, `(B, A)`, and kappa,
            `(B, K)`, before the first step.

    Returns:
        see `Results`; phi has no gradient. Hidden states and windows have the products' dtype, and
        are views of a larger tensor.

    Raises:
        ValueError: if there is not a text for each sequence, or if a tensor is not on the CPU.
        IndexError: if a text has indices beyond the alphabet, or is shorter than its length.
        MemoryError: if memory is lacking.
    """
    batch, size = state[0].shape
    if text is None or window is None:
        text = torch.empty(batch, 0, dtype=torch.int64), torch.zeros(batch, dtype=torch.int64)
        # A window of no characters and no components.
        window = (
            torch.empty(4 * size, 0),
            torch.empty(0, size),
            torch.empty(0),
            torch.empty(batch, 0),
            torch.empty(batch, 0),
        )
    if not len(text[0]) == len(text[1]) == batch:
        raise ValueError(f"{len(text[0])} texts for {batch} sequences")
    text = text[0].contiguous(), text[1].contiguous()
    return _Recurrence.apply(dtype, bound, *text, inputs, *weights, *state, *window)
