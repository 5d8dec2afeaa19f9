"""The element-wise parts of a step of `loop.Loop` as four Triton kernels instead of forty of torch.

Only this module needs Triton, which comes with torch for CUDA. (Notebook: speed, CUDA graphs.)

A single program writes each output element, and no program reads the output of another program, so
programs may run in any order. Loaded numbers are converted to the dtype of the states.

Shapes: as in `loop`.
"""

import triton
import triton.language as tl

from model.layers.kernels.loop import PLACES_BLOCK, Loop

CELLS = 256
"""Number of cells per program of the LSTM's kernels (measured, notebook: speed, CUDA graphs)."""
CHARACTERS_BLOCK = 128
"""Number of characters of the alphabet per block of a program (assumed)."""


@triton.jit
def _tanh(value):
    return 2.0 * tl.sigmoid(2.0 * value) - 1.0


@triton.jit
def _lstm(gates, cell, next_cell, hidden, hidden_row, size, count, CELLS: tl.constexpr):
    """Compute the paper's eqs 7-11 without peepholes; `gates` are activated in place."""
    state_dtype = next_cell.dtype.element_ty
    index = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
    inside = index < count
    row = index // size
    column = index - row * size
    at = gates + row * 4 * size + column  # the input gate of the cell; the others are behind it
    input_gate = tl.sigmoid(tl.load(at, inside, 0.0).to(state_dtype))
    forget_gate = tl.sigmoid(tl.load(at + size, inside, 0.0).to(state_dtype))
    output_gate = tl.sigmoid(tl.load(at + 2 * size, inside, 0.0).to(state_dtype))
    candidate = _tanh(tl.load(at + 3 * size, inside, 0.0).to(state_dtype))
    value = forget_gate * tl.load(cell + index, inside, 0.0) + input_gate * candidate
    tl.store(at, input_gate.to(gates.dtype.element_ty), inside)
    tl.store(at + size, forget_gate.to(gates.dtype.element_ty), inside)
    tl.store(at + 2 * size, output_gate.to(gates.dtype.element_ty), inside)
    tl.store(at + 3 * size, candidate.to(gates.dtype.element_ty), inside)
    tl.store(next_cell + index, value, inside)
    result = output_gate * _tanh(value)
    tl.store(hidden + row * hidden_row + column, result.to(hidden.dtype.element_ty), inside)


@triton.jit
def _clamp(value, bound):
    # Comparisons keep NaN.
    value = tl.where(value > bound, bound, value)
    return tl.where(value < -bound, -bound, value)


@triton.jit
def _lstm_backward(
    gates,
    cell,
    next_cell,
    d_hidden,
    d_joint,
    d_joint_row,
    d_product,
    d_next_cell,
    d_cell,
    d_gates,
    bound,
    size,
    count,
    WINDOWED: tl.constexpr,
    CELLS: tl.constexpr,
):
    """Compute `d_gates` and `d_cell`. The gradient of the hidden state is the sum of `d_hidden`,
    `d_joint` and, if `WINDOWED`, `d_product`."""
    state_dtype = cell.dtype.element_ty
    gates_dtype = d_gates.dtype.element_ty
    index = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
    inside = index < count
    row = index // size
    column = index - row * size
    at = row * 4 * size + column
    input_gate = tl.load(gates + at, inside, 0.0).to(state_dtype)
    forget_gate = tl.load(gates + at + size, inside, 0.0).to(state_dtype)
    output_gate = tl.load(gates + at + 2 * size, inside, 0.0).to(state_dtype)
    candidate = tl.load(gates + at + 3 * size, inside, 0.0).to(state_dtype)
    d_value = tl.load(d_hidden + index, inside, 0.0).to(state_dtype)
    d_value += tl.load(d_joint + row * d_joint_row + column, inside, 0.0).to(state_dtype)
    if WINDOWED:
        d_value += tl.load(d_product + index, inside, 0.0).to(state_dtype)
    squashed = _tanh(tl.load(next_cell + index, inside, 0.0))
    d_state = tl.load(d_next_cell + index, inside, 0.0)
    d_state += d_value * output_gate * (1.0 - squashed * squashed)
    limit = tl.load(bound)
    d_input = d_state * candidate * input_gate * (1.0 - input_gate)
    d_forget = d_state * tl.load(cell + index, inside, 0.0) * forget_gate * (1.0 - forget_gate)
    d_output = d_value * squashed * output_gate * (1.0 - output_gate)
    d_candidate = d_state * input_gate * (1.0 - candidate * candidate)
    tl.store(d_gates + at, _clamp(d_input, limit).to(gates_dtype), inside)
    tl.store(d_gates + at + size, _clamp(d_forget, limit).to(gates_dtype), inside)
    tl.store(d_gates + at + 2 * size, _clamp(d_output, limit).to(gates_dtype), inside)
    tl.store(d_gates + at + 3 * size, _clamp(d_candidate, limit).to(gates_dtype), inside)
    tl.store(d_cell + index, d_state * forget_gate, inside)


@triton.jit
def _window(
    products,
    products_row,
    bias,
    exponentials,
    kappa,
    next_kappa,
    phi,
    one_hot,
    window,
    window_row,
    places,
    vocab_size,
    components,
    COMPONENTS: tl.constexpr,
    PLACES_BLOCK: tl.constexpr,
    CHARACTERS_BLOCK: tl.constexpr,
):
    """Compute the paper's eqs 46-51 for a row and `CHARACTERS_BLOCK` characters of the alphabet."""
    state_dtype = kappa.dtype.element_ty
    row = tl.program_id(0)
    block = tl.program_id(1)
    k = tl.arange(0, COMPONENTS)
    inside = k < components
    source = products + row * products_row + k
    target = exponentials + row * 3 * components + k
    alpha = tl.exp(tl.load(source, inside, 0.0).to(state_dtype) + tl.load(bias + k, inside, 0.0))
    beta = tl.exp(
        tl.load(source + components, inside, 0.0).to(state_dtype)
        + tl.load(bias + components + k, inside, 0.0)
    )
    advance = tl.exp(
        tl.load(source + 2 * components, inside, 0.0).to(state_dtype)
        + tl.load(bias + 2 * components + k, inside, 0.0)
    )
    position = tl.load(kappa + row * components + k, inside, 0.0) + advance
    # All programs of a row compute the same parameters; that of the first characters writes them.
    common = k < tl.where(block == 0, components, 0)
    tl.store(target, alpha, common)
    tl.store(target + components, beta, common)
    tl.store(target + 2 * components, advance, common)
    tl.store(next_kappa + row * components + k, position, common)
    alpha = tl.where(inside, alpha, 0.0)
    a = block * CHARACTERS_BLOCK + tl.arange(0, CHARACTERS_BLOCK)
    total = tl.zeros((CHARACTERS_BLOCK,), state_dtype)
    for start in range(0, places, PLACES_BLOCK):
        u = start + tl.arange(0, PLACES_BLOCK)
        offset = (u + 1).to(state_dtype)[None, :] - position[:, None]  # (K, U')
        values = tl.sum(alpha[:, None] * tl.exp(-beta[:, None] * offset * offset), 0)
        tl.store(phi + row * places + u, values, u < tl.where(block == 0, places, 0))
        seen = tl.load(
            one_hot + (row * places + u[:, None]) * vocab_size + a[None, :],
            (u[:, None] < places) & (a[None, :] < vocab_size),
            0.0,
        )
        total += tl.sum(values[:, None] * seen, 0)
    tl.store(window + row * window_row + a, total.to(window.dtype.element_ty), a < vocab_size)


@triton.jit
def _window_backward(
    exponentials,
    kappa,
    one_hot,
    d_window,
    d_joint,
    d_joint_row,
    d_next_kappa,
    d_kappa,
    d_parameters,
    d_parameters_row,
    places,
    vocab_size,
    components,
    COMPONENTS: tl.constexpr,
    PLACES_BLOCK: tl.constexpr,
    CHARACTERS_BLOCK: tl.constexpr,
):
    """Compute the paper's eqs 56-60 for one row. The window's gradient is `d_window + d_joint`."""
    state_dtype = kappa.dtype.element_ty
    row = tl.program_id(0)
    k = tl.arange(0, COMPONENTS)
    inside = k < components
    source = exponentials + row * 3 * components + k
    alpha = tl.load(source, inside, 0.0)[:, None]
    beta = tl.load(source + components, inside, 0.0)[:, None]
    position = tl.load(kappa + row * components + k, inside, 0.0)[:, None]
    d_alpha = tl.zeros((COMPONENTS,), state_dtype)
    d_beta = tl.zeros((COMPONENTS,), state_dtype)
    d_position = tl.zeros((COMPONENTS,), state_dtype)
    for start in range(0, places, PLACES_BLOCK):
        u = start + tl.arange(0, PLACES_BLOCK)
        d_phi = tl.zeros((PLACES_BLOCK,), state_dtype)
        for begin in range(0, vocab_size, CHARACTERS_BLOCK):
            a = begin + tl.arange(0, CHARACTERS_BLOCK)
            in_alphabet = a < vocab_size
            d_value = tl.load(d_window + row * vocab_size + a, in_alphabet, 0.0).to(state_dtype)
            d_value += tl.load(d_joint + row * d_joint_row + a, in_alphabet, 0.0).to(state_dtype)
            seen = tl.load(
                one_hot + (row * places + u[:, None]) * vocab_size + a[None, :],
                (u[:, None] < places) & in_alphabet[None, :],
                0.0,
            )
            d_phi += tl.sum(seen * d_value[None, :], 1)
        offset = (u + 1).to(state_dtype)[None, :] - position  # (K, U')
        curve = beta * offset * offset
        gaussians = alpha * tl.exp(-curve) * d_phi[None, :]
        d_alpha += tl.sum(gaussians, 1)
        d_beta -= tl.sum(curve * gaussians, 1)
        d_position += tl.sum(2.0 * beta * offset * gaussians, 1)
    d_position += tl.load(d_next_kappa + row * components + k, inside, 0.0)
    tl.store(d_kappa + row * components + k, d_position, inside)
    advance = tl.load(source + 2 * components, inside, 0.0)
    target = d_parameters + row * d_parameters_row + k
    tl.store(target, d_alpha.to(d_parameters.dtype.element_ty), inside)
    tl.store(target + components, d_beta.to(d_parameters.dtype.element_ty), inside)
    tl.store(
        target + 2 * components, (d_position * advance).to(d_parameters.dtype.element_ty), inside
    )


class FusedSteps:
    """The methods of `loop.TorchSteps` as Triton kernels. The tuples of a method are, in order,
    the arguments of its kernel; for the entries t and t + 1 see `Loop`."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        sizes = loop.sizes
        self.cells = (sizes.cells, sizes.batch * sizes.cells)  # cells of a row, and of all rows
        self.blocks = (triton.cdiv(sizes.batch * sizes.cells, CELLS),)
        self.text = (sizes.places, sizes.vocab_size, sizes.components)
        characters = triton.next_power_of_2(max(sizes.vocab_size, 1))
        self.constants = dict(
            COMPONENTS=triton.next_power_of_2(max(sizes.components, 1)),
            PLACES_BLOCK=PLACES_BLOCK,
            CHARACTERS_BLOCK=min(CHARACTERS_BLOCK, characters),
        )

    def lstm(self, t: int) -> None:
        loop = self.loop
        hidden = self.loop.hiddens[t + 1]
        states = loop.gates[t], loop.cells[t], loop.cells[t + 1]
        _lstm[self.blocks](*states, hidden, hidden.stride(0), *self.cells, CELLS=CELLS)

    def window(self, t: int) -> None:
        loop = self.loop
        sizes = self.loop.sizes
        window = self.loop.windows[t + 1]
        blocks = (sizes.batch, triton.cdiv(sizes.vocab_size, self.constants["CHARACTERS_BLOCK"]))
        parameters = loop.products, loop.products.stride(0), loop.window_bias
        states = loop.exponentials[t], loop.kappas[t], loop.kappas[t + 1], loop.phis[t]
        results = loop.one_hot, window, window.stride(0)
        _window[blocks](*parameters, *states, *results, *self.text, **self.constants)

    def begin_backward(self) -> None:
        """Do nothing: these kernels compute the factors at each step."""

    def window_backward(self, t: int) -> None:
        loop = self.loop
        d_joint = self.loop.d_joint_windows[t + 1]
        states = loop.exponentials[t], loop.kappas[t + 1], loop.one_hot
        gradients = loop.d_windows[t], d_joint, d_joint.stride(0), loop.d_kappas[t + 1]
        results = loop.d_kappas[t], loop.d_parameters[t], loop.d_parameters.stride(1)
        blocks = (loop.sizes.batch,)
        _window_backward[blocks](*states, *gradients, *results, *self.text, **self.constants)

    def lstm_backward(self, t: int) -> None:
        loop = self.loop
        d_joint = self.loop.d_joint_hiddens[t + 1]
        windowed = loop.sizes.places > 0
        product = loop.d_product if windowed else loop.d_hiddens  # any tensor: it is not read
        states = loop.gates[t], loop.cells[t], loop.cells[t + 1]
        gradients = loop.d_hiddens[t], d_joint, d_joint.stride(0), product, loop.d_cells[t + 1]
        results = loop.d_cells[t], loop.d_gates[t], loop.upper
        constants = dict(WINDOWED=windowed, CELLS=CELLS)
        _lstm_backward[self.blocks](*states, *gradients, *results, *self.cells, **constants)
