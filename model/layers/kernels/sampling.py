"""Writing by the compiled loop of `sampling.c`: what it takes, in the layout that it reads.

Shapes: B lines, T steps, U characters of a text, A of the alphabet, H cells, N layers, M components
of the mixture, K components of the window, I numbers of a point.
"""

import ctypes

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.layers.kernels import library
from model.layers.kernels.library import address


def _pointers(tensors: list[Tensor]) -> ctypes.Array:
    return (ctypes.c_void_p * len(tensors))(*(address(tensor) for tensor in tensors))


class Weights:
    """A network's weights, packed once. All are copies: later changes have no effect.

    Args:
        layers: of each layer, the weights `(4 H, any)` from its own hidden state, from that of
            the layer below, from the window and from the point, as far as there are such, and the
            bias `(4 H)`. The gates of an LSTM: input, forget, output, candidate; of a GRU: reset,
            update, and of the candidate what comes in and what the reset gate lets through.
        output: from all hidden states to the mixture.
        window: from the first hidden state to the window's parameters; None without a window.
        vocab_size: characters of the alphabet, A; 0 without a window.
        lstm: whether the cells are those of an LSTM rather than a GRU.
        ends: whether points have a fourth number, the end of the sequence.
        log_min_scales: logarithms of the lower bounds on the mixture's scales, x and y.
        max_correlation: upper bound on the mixture's correlations.
        products: float32 or bfloat16.

    """

    def __init__(
        self,
        layers: list[tuple[list[Tensor], Tensor]],
        output: nn.Linear,
        window: nn.Linear | None,
        vocab_size: int,
        lstm: bool,
        ends: bool,
        log_min_scales: list[float],
        max_correlation: float,
        products: torch.dtype,
    ) -> None:
        self.products, self.lstm, self.vocab_size = products, lstm, vocab_size
        self.inputs = 3 + ends
        self.library = library.kernels(products == torch.bfloat16)
        self.lanes = self.library.lanes()
        self.size = len(layers[0][1]) // 4
        # The library reads through these addresses: the tensors must live as long.
        self.layers = [self._gates(torch.cat(parts, 1)) for parts, _ in layers]
        self.biases = [bias.to(torch.float32, copy=True) for _, bias in layers]
        self.widths = [library.even(sum(part.shape[1] for part in parts)) for parts, _ in layers]
        self.output = library.pack_transposed(self._cast(output.weight))
        self.output_bias = output.bias.to(torch.float32, copy=True)
        self.outputs = len(output.bias)
        self.components, of_window = 0, {}
        if window is not None:
            self.window = library.pack_transposed(self._cast(window.weight))
            self.window_bias = window.bias.to(torch.float32, copy=True)
            self.components = len(window.bias) // 3
            of_window = dict(
                window_weights=address(self.window), window_bias=address(self.window_bias)
            )
        self.arrays = _pointers(self.layers), _pointers(self.biases)
        self.array_of_widths = (ctypes.c_int64 * len(layers))(*self.widths)
        self.fixed = dict(
            layers=len(layers),
            size=self.size,
            vocab_size=vocab_size,
            components=self.components,
            mixtures=self.outputs // 6,
            lstm=int(lstm),
            ends=int(ends),
            log_min_scales=(ctypes.c_float * 2)(*log_min_scales),
            max_correlation=max_correlation,
            weights=ctypes.addressof(self.arrays[0]),
            biases=ctypes.addressof(self.arrays[1]),
            widths=ctypes.addressof(self.array_of_widths),
            output_weights=address(self.output),
            output_bias=address(self.output_bias),
            **of_window,
        )

    def padded(self, count: int) -> int:
        """Return `count` rounded up to whole vectors."""
        return -(-count // self.lanes) * self.lanes

    def _cast(self, weight: Tensor) -> Tensor:
        return weight.detach().to(self.products).contiguous()

    def _gates(self, weight: Tensor) -> Tensor:
        padded = functional.pad(weight, (0, weight.shape[1] % 2))
        return library.pack_gates(self._cast(padded), (0, 1, 2, 3))


class Buffers:
    """The state of lines between steps.

    Args:
        weights: of the network.
        hiddens, cells: of each layer, `(B, H)`; of a GRU the hidden states stand for both.
        window, kappa: `(B, A)` and `(B, K)`; None without a window.
        point: the next input, `(B, I)`.
        bias: sharpening of the mixture, `(B,)`.
        pen: log-odds of ends that a bias leaves unchanged, and how much it sharpens others.
        text, text_lengths: `(B, U)` and `(B,)` int64; None without a window.
        period: most steps of a call.

    """

    def __init__(
        self,
        weights: Weights,
        hiddens: list[Tensor],
        cells: list[Tensor],
        window: Tensor | None,
        kappa: Tensor | None,
        point: Tensor,
        bias: Tensor,
        pen: tuple[float, float],
        text: Tensor | None,
        text_lengths: Tensor | None,
        period: int,
    ) -> None:
        self.weights, self.period, self.parity = weights, period, 0
        batch, size, vocab_size = len(point), weights.size, weights.vocab_size
        # Zero where nothing is written: products go over the padding too.
        self.joints = [
            torch.zeros(2, batch, width, dtype=weights.products) for width in weights.widths
        ]
        for number, (joint, hidden) in enumerate(zip(self.joints, hiddens, strict=True)):
            joint[0, :, :size] = hidden
            after = size * (2 if number else 1) + vocab_size
            joint[0, :, after : after + weights.inputs] = point
        if window is not None:
            self.joints[0][0, :, size : size + vocab_size] = window
        self.cells = torch.stack(cells).float()
        self.kappas = None
        if kappa is not None:
            self.kappas = kappa.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        self.bias, self.pen = bias.to(torch.float32, copy=True), pen
        self.text = None if text is None else text.contiguous()
        self.text_lengths = None if text_lengths is None else text_lengths.contiguous()
        self._allocate()

    def _allocate(self) -> None:
        weights, batch = self.weights, len(self.bias)
        width = library.even(len(self.joints) * weights.size)
        self.hiddens = torch.zeros(batch, width, dtype=weights.products)
        self.raw = torch.empty(batch, weights.padded(weights.outputs))
        self.parameters = torch.empty(batch, weights.padded(3 * weights.components))
        self.points = torch.empty(self.period, batch, weights.inputs)
        self.phis = None
        if self.text is not None:
            self.phis = torch.empty(self.period, batch, self.text.shape[1] + 1)
        self.array = _pointers(self.joints)
        tensors = dict(
            text=self.text,
            text_lengths=self.text_lengths,
            hiddens=self.hiddens,
            cells=self.cells,
            kappas=self.kappas,
            parameters=self.parameters,
            raw=self.raw,
            bias=self.bias,
            points=self.points,
            phis=self.phis,
        )
        self.writing = library.Writing(
            batch=batch,
            places=0 if self.text is None else self.text.shape[1] + 1,
            joints=ctypes.addressof(self.array),
            pen=(ctypes.c_float * 2)(*self.pen),
            **{name: address(value) for name, value in tensors.items() if value is not None},
            **weights.fixed,
        )

    def keep(self, rows: Tensor) -> None:
        """Drop all but some of the lines."""
        self.joints = [joint[:, rows] for joint in self.joints]
        self.cells, self.bias = self.cells[:, rows], self.bias[rows]
        if self.text is not None:
            self.text, self.text_lengths = self.text[rows], self.text_lengths[rows]
            self.kappas = self.kappas[rows]
        self._allocate()

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Advance all lines by some steps: see `Stepper.run`."""
        steps, uniform, normal = len(uniform), uniform.contiguous(), normal.contiguous()
        writing = self.writing
        writing.steps, writing.parity = steps, self.parity
        writing.uniform, writing.normal = address(uniform), address(normal)
        writing.threads = torch.get_num_threads()
        failure = self.weights.library.write_lines(ctypes.byref(writing))
        library.raise_failure(failure)
        self.parity = (self.parity + steps) % 2
        return self.points[:steps], None if self.phis is None else self.phis[:steps]
