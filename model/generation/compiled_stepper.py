"""The stepper of the project's networks on a CPU: the compiled loop of `kernels/sampling.c`.

The stepper works on copies of the weights, packed once, and on buffers in the layout that C reads.

Shapes: B lines, T steps, U characters of a text, A characters of the alphabet, H cells, J columns
of a layer's joint: the layer's hidden state, the hidden state of the layer below (if any), the
window (if any), the point, and a zero where the width would be odd.
"""

import ctypes

import torch
from torch import Tensor
from torch.nn import functional

from base.base_model import BaseModel
from model.generation.mixture import PEN_PIVOT, stretched
from model.generation.stepper import PERIOD, Stepper, WritingState
from model.layers.cells import reorder_gates, sequence_biases
from model.layers.kernels import library
from model.layers.kernels.library import address, round_up
from model.layers.recurrent import RecurrentLayer
from model.layers.window import WindowedLayer


def _gates(layer: WindowedLayer | RecurrentLayer, seen: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the weights `(4 H, J)` and the bias `(4 H)` of the gates of LSTM or GRU cells.

    `seen` counts the numbers of a point and of the window. Rows of an LSTM: input, forget, output
    gate, candidate. Rows of a GRU: reset and update gate, candidate from inputs, and from hidden.
    """
    size = layer.hidden_size
    if isinstance(layer, WindowedLayer):
        incoming = torch.cat((layer.weight_window, layer.weight_input), 1)
        hidden, bias = layer.weight_hidden, layer.bias
        candidate = getattr(layer, "bias_candidate", None)
    else:
        module = layer.layer
        point, window, below = module.weight_ih_l0.tensor_split((seen[0], sum(seen)), 1)
        incoming, hidden = torch.cat((below, window, point), 1), module.weight_hh_l0
        if layer.cell == "LSTM":
            incoming, hidden = reorder_gates(incoming), reorder_gates(hidden)
            bias = reorder_gates(module.bias_ih_l0 + module.bias_hh_l0)
        else:
            both_gates, candidate = module.bias_hh_l0.split((2 * size, size))
            bias = module.bias_ih_l0 + functional.pad(both_gates, (0, size))
    if layer.cell == "GRU":
        both_gates, recurrent = hidden.split((2 * size, size))
        hidden = torch.cat((both_gates, torch.zeros_like(recurrent), recurrent))
        incoming = functional.pad(incoming, (0, 0, 0, size))
        bias = torch.cat((bias, candidate))
    weight = torch.cat((hidden, incoming), 1)
    return functional.pad(weight, (0, weight.shape[1] % 2)), bias


class CompiledStepper(Stepper):
    """Steps by the compiled loop. A line's points are bit for bit independent of the other lines
    and of the number of threads. See `Stepper` for the arguments; `matmul_dtype` is float32 or
    bfloat16."""

    def __init__(self, network: BaseModel, lines: WritingState, matmul_dtype: torch.dtype) -> None:
        lowest = network.layers[0]
        self.inputs, self.size = network.input_size, lowest.hidden_size
        self.matmul_dtype, self.parity = matmul_dtype, 0
        self.library = library.kernels(matmul_dtype == torch.bfloat16)
        output = stretched(network.output, lines.stretch(network), network.normalisation)
        self.outputs, self.vocab_size, self.components = len(output.bias), 0, 0

        def packed(weight: Tensor, groups: int = 1) -> Tensor:
            return library.pack(weight.to(matmul_dtype).t(), groups)

        # Copies: the weights may change while lines are written.
        output_bias = output.bias.float().clone()
        self.fixed = dict(output_weights=packed(output.weight), output_bias=output_bias)
        if isinstance(lowest, WindowedLayer):
            self.vocab_size, self.components = lowest.vocab_size, lowest.components
            self.fixed["window_weights"] = packed(lowest.window.weight)
            self.fixed["window_bias"] = lowest.window.bias.float().clone()
        gates = [_gates(layer, (self.inputs, self.vocab_size)) for layer in network.layers]
        self.widths = [weight.shape[1] for weight, _ in gates]
        weights = [packed(weight, groups=4) for weight, _ in gates]
        self.fixed |= dict(weights=weights, widths=torch.tensor(self.widths), layers=len(gates))
        self.fixed |= dict(size=self.size, vocab_size=self.vocab_size, components=self.components)
        self.fixed |= dict(lstm=int(lowest.cell == "LSTM"), ends=int(network.end_of_sequence))
        log_min_scales = tuple(network.min_scales.log().tolist())
        self.fixed |= dict(mixtures=self.outputs // 6, log_min_scales=log_min_scales)
        self.fixed["max_correlation"] = network.max_correlation
        self.fixed["pen"] = PEN_PIVOT, lines.sampling.pen_sharpness
        self._copy_state(lines)
        hand_gates = network.told_gates(None)
        if "hand" in lines.state:  # Line by line, see `initial_state`.
            rows = map(network.told_gates, lines.state["hand"].split(1))
            hand_gates = [torch.cat(layer) for layer in zip(*rows, strict=True)]
        self.gate_biases = []  # copies, too, with a row for each line
        for (_, bias), layer_hand_gates in zip(gates, hand_gates, strict=True):
            rows = sequence_biases(bias, layer_hand_gates, len(self.bias)).float()
            self.gate_biases.append(rows.clone(memory_format=torch.contiguous_format))
        self._allocate()

    def _copy_state(self, lines: WritingState) -> None:
        """Copy the state of lines into the buffers that a step overwrites."""
        state = lines.state
        self.bias = lines.bias.to(torch.float32, copy=True)
        # Zeros, as matrix products include the padding.
        self.joints = [
            torch.zeros(2, len(self.bias), width, dtype=self.matmul_dtype) for width in self.widths
        ]
        for number, joint in enumerate(self.joints):
            joint[0, :, : self.size] = state[f"{number}.hidden"]
            point_column = self.size * (2 if number else 1) + self.vocab_size
            joint[0, :, point_column : point_column + self.inputs] = lines.point
        # A GRU's hidden states take the place of cell states.
        cells = [state.get(f"{n}.cell", state[f"{n}.hidden"]) for n in range(len(self.joints))]
        self.cells, self.kappas, self.text = torch.stack(cells).float(), None, None
        if self.components:
            self.joints[0][0, :, self.size : self.size + self.vocab_size] = state["0.window"]
            self.kappas = state["0.kappa"].float().clone(memory_format=torch.contiguous_format)
            self.text, self.text_lengths = lines.text.contiguous(), lines.text_lengths.contiguous()

    def _allocate(self) -> None:
        """Allocate the buffers that a step overwrites, for the present number of lines."""
        batch, lanes = len(self.bias), self.library.lanes()
        width = round_up(len(self.joints) * self.size, 2)
        self.points, self.phis = torch.empty(PERIOD, batch, self.inputs), None
        states: dict[str, object] = dict(joints=self.joints, cells=self.cells, points=self.points)
        if self.text is not None:
            num_positions = self.text.shape[1] + 1
            self.phis = torch.empty(PERIOD, batch, num_positions)
            states |= dict(text=self.text, text_lengths=self.text_lengths, kappas=self.kappas)
            states |= dict(phis=self.phis, places=num_positions)
        scratch = dict(
            hiddens=torch.zeros(batch, width, dtype=self.matmul_dtype),
            parameters=torch.empty(batch, round_up(3 * self.components, lanes)),
            raw=torch.empty(batch, round_up(self.outputs, lanes)),
        )
        biases = dict(bias=self.bias, gate_biases=self.gate_biases)
        self.writing = library.structure(
            self.library, "Writing", batch=batch, **states, **scratch, **biases, **self.fixed
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
        """Keep only the lines `rows`; see `Stepper`."""
        self.joints = [joint[:, rows] for joint in self.joints]
        self.cells, self.bias = self.cells[:, rows], self.bias[rows]
        self.gate_biases = [bias[rows] for bias in self.gate_biases]
        if self.text is not None:
            self.text, self.text_lengths = self.text[rows], self.text_lengths[rows]
            self.kappas = self.kappas[rows]
        self._allocate()

    def sharpen(self, bias: Tensor) -> None:
        """Set the biases."""
        self.bias.copy_(bias)
