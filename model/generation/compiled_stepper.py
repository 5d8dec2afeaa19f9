"""The stepper of the project's own networks on a CPU: the compiled loop of `kernels/sampling.c`.

It works on copies of the weights, packed once, and on buffers in the layout that C reads.

Shapes: B lines, T steps, U characters of a text, A of the alphabet, H cells, N layers, J columns of
what a layer's product takes: its hidden state, that of the layer below, the window, the point, as
far as there are such, and a zero where that makes the width even.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from model.generation.mixture import PEN_PIVOT, stretched
from model.generation.stepper import PERIOD, Lines, Stepper
from model.layers.cells import reorder_gates
from model.layers.kernels import library
from model.layers.kernels.library import address
from model.layers.recurrent import RecurrentLayer
from model.layers.window import WindowedLayer

if TYPE_CHECKING:
    from model.generation.networks import MixtureNetwork


def _gates(layer: WindowedLayer | RecurrentLayer, seen: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the weights `(4 H, J)` and the bias `(4 H)` of a layer's gates.

    The rows of an LSTM are those of its input, forget and output gates and of its candidate; of a
    GRU those of its reset and update gates, then those of its candidate: of what comes in, and of
    the hidden state after the reset gate.

    Args:
        layer: of LSTM or GRU cells.
        seen: numbers of a point and characters of the alphabet.
    """
    if isinstance(layer, WindowedLayer):
        incoming = torch.cat((layer.weight_window, layer.weight_input), 1)
        hidden, bias, more = layer.weight_hidden, layer.bias, getattr(layer, "bias_candidate", None)
    else:
        torchs, size = layer.layer, layer.hidden_size
        point, window, below = torchs.weight_ih_l0.tensor_split((seen[0], sum(seen)), 1)
        incoming, hidden = torch.cat((below, window, point), 1), torchs.weight_hh_l0
        bias, more = torchs.bias_ih_l0, torchs.bias_hh_l0
        if layer.cell == "LSTM":
            return reorder_gates(torch.cat((hidden, incoming), 1)), reorder_gates(bias + more)
        both, more = more[: 2 * size], more[2 * size :]
        bias = torch.cat((bias[: 2 * size] + both, bias[2 * size :]))
    if layer.cell == "LSTM":
        return torch.cat((hidden, incoming), 1), bias
    size = layer.hidden_size
    both, candidate = hidden.split((2 * size, size))
    hidden = torch.cat((both, torch.zeros_like(candidate), candidate))
    incoming = functional.pad(incoming, (0, 0, 0, size))
    return torch.cat((hidden, incoming), 1), torch.cat((bias, more))


def _array(tensors: list[Tensor]) -> ctypes.Array:
    return (ctypes.c_void_p * len(tensors))(*map(address, tensors))


class CompiledStepper(Stepper):
    """Steps by the compiled loop. A line's points are bit for bit independent of the other lines
    and of the number of threads. See `Stepper` for the arguments; products are of float32 or
    bfloat16."""

    def __init__(self, network: MixtureNetwork, lines: Lines, products: torch.dtype) -> None:
        layers, size = network.layers, network.layers[0].hidden_size
        self.inputs, self.size, self.products = network.input_size, size, products
        self.library, self.parity = library.kernels(products == torch.bfloat16), 0
        vocab_size, self.components = 0, 0
        output = stretched(network.output, lines.stretch(network), network.normalisation)

        def cast(weight: Tensor) -> Tensor:
            return weight.detach().to(products)

        # What the library reads by its address must live as long.
        tensors = dict(
            output_weights=library.pack(cast(output.weight).t()),
            output_bias=output.bias.to(torch.float32, copy=True),
        )
        if isinstance(layers[0], WindowedLayer):
            window, vocab_size = layers[0].window, layers[0].vocab_size
            self.components = len(window.bias) // 3
            tensors["window_weights"] = library.pack(cast(window.weight).t())
            tensors["window_bias"] = window.bias.to(torch.float32, copy=True)
        packed, biases, self.widths = [], [], []
        for layer in layers:
            weight, bias = _gates(layer, (self.inputs, vocab_size))
            weight = functional.pad(weight, (0, weight.shape[1] % 2))
            self.widths.append(weight.shape[1])
            packed.append(library.pack_gates(cast(weight)))
            biases.append(bias.to(torch.float32, copy=True))
        self.outputs = len(output.bias)
        arrays = dict(
            weights=_array(packed),
            biases=_array(biases),
            widths=(ctypes.c_int64 * len(layers))(*self.widths),
        )
        self.kept = tensors, arrays, packed, biases
        self.fixed = dict(
            layers=len(layers),
            size=size,
            vocab_size=vocab_size,
            components=self.components,
            mixtures=self.outputs // 6,
            lstm=int(layers[0].cell == "LSTM"),
            ends=int(network.end_of_sequence),
            log_min_scales=(ctypes.c_float * 2)(*network.min_scales.log().tolist()),
            max_correlation=network.max_correlation,
            pen=(ctypes.c_float * 2)(PEN_PIVOT, lines.sampling.pen_sharpness),
            **{name: address(tensor) for name, tensor in tensors.items()},
            **{name: ctypes.addressof(array) for name, array in arrays.items()},
        )
        self._begin(lines, vocab_size)

    def _begin(self, lines: Lines, vocab_size: int) -> None:
        """Lay out the state of the lines."""
        state, size = lines.state, self.size
        self.bias = lines.bias.to(torch.float32, copy=True)
        # Zero where nothing is written: products go over the padding too.
        self.joints = [
            torch.zeros(2, len(self.bias), width, dtype=self.products) for width in self.widths
        ]
        for number, joint in enumerate(self.joints):
            joint[0, :, :size] = state[f"{number}.hidden"]
            after = size * (2 if number else 1) + vocab_size
            joint[0, :, after : after + self.inputs] = lines.point
        # Of a GRU the hidden states stand for the cells.
        cells = [state.get(f"{n}.cell", state[f"{n}.hidden"]) for n in range(len(self.joints))]
        self.cells, self.kappas, self.text = torch.stack(cells).float(), None, None
        if self.components:
            self.joints[0][0, :, size : size + vocab_size] = state["0.window"]
            self.kappas = state["0.kappa"].float().clone(memory_format=torch.contiguous_format)
            self.text, self.text_lengths = lines.text.contiguous(), lines.text_lengths.contiguous()
        self._allocate()

    def _allocate(self) -> None:
        """Allocate what a step overwrites, for the present number of lines."""
        batch, lanes = len(self.bias), self.library.lanes()
        width = library.even(len(self.joints) * self.size)
        self.points, self.phis = torch.empty(PERIOD, batch, self.inputs), None
        of_text: dict[str, Tensor] = {}
        if self.text is not None:
            self.phis = torch.empty(PERIOD, batch, self.text.shape[1] + 1)
            of_text = dict(text=self.text, text_lengths=self.text_lengths, kappas=self.kappas)
            of_text["phis"] = self.phis

        def rows(count: int) -> Tensor:
            return torch.empty(batch, count + -count % lanes)

        self.buffers = of_text | dict(
            hiddens=torch.zeros(batch, width, dtype=self.products),
            cells=self.cells,
            parameters=rows(3 * self.components),
            raw=rows(self.outputs),
            bias=self.bias,
            points=self.points,
        )
        self.array = _array(self.joints)
        self.writing = library.Writing(
            batch=batch,
            places=0 if self.phis is None else self.phis.shape[2],
            joints=ctypes.addressof(self.array),
            **{name: address(tensor) for name, tensor in self.buffers.items()},
            **self.fixed,
        )

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw the next points of all lines.

        Raises:
            IndexError: if a text has indices beyond the alphabet.
        """
        steps, uniform, normal = len(uniform), uniform.contiguous(), normal.contiguous()
        self.writing.steps, self.writing.parity = steps, self.parity
        self.writing.uniform, self.writing.normal = address(uniform), address(normal)
        self.writing.threads = torch.get_num_threads()
        library.raise_failure(self.library.write_lines(ctypes.byref(self.writing)))
        self.parity = (self.parity + steps) % 2
        return self.points[:steps], None if self.phis is None else self.phis[:steps]

    def keep(self, rows: Tensor) -> None:
        """Drop all but some of the lines."""
        self.joints = [joint[:, rows] for joint in self.joints]
        self.cells, self.bias = self.cells[:, rows], self.bias[rows]
        if self.text is not None:
            self.text, self.text_lengths = self.text[rows], self.text_lengths[rows]
            self.kappas = self.kappas[rows]
        self._allocate()

    def sharpen(self, bias: Tensor) -> None:
        """Set the biases."""
        self.bias.copy_(bias)
