"""Makes the steps of writing: each draws a point of every line, which is the next step's input.

`Stepper` calls a network's `forward`. `CompiledStepper` does the same on a CPU for the project's
networks, by the loop of `layers/kernels/sampling.c`. It works on copies of the weights, packed
once, and on buffers in the layout that C reads: a layer's joint has in its columns the layer's
hidden state, the hidden state of the layer below (if any), the window (if any), the point, and a
zero if the number of columns would be odd.

Shapes: B lines of a batch, T steps, U characters of a text, I numbers of a point, H cells of a
layer, J columns of a joint.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from base.base_model import BaseModel
from model.generation.hand_encoder import HandEncoder
from model.generation.line import Sampling
from model.generation.mixture import PEN_PIVOT, stretched_output
from model.layers.dropout import Dropout
from model.layers.kernels import library
from model.layers.kernels.library import address, round_up
from model.layers.recurrent import RecurrentLayer, WindowedLayer, sequence_biases

STEPS_PER_CALL = 16
"""Most steps of a call of a stepper (assumed: 16 make calls and checks for ended lines rare, and
waste 8 steps a line on average). The value affects lines with a bias: their pens are checked for
rest per call."""


COMPILED_MODULES = {RecurrentLayer, WindowedLayer, Dropout, HandEncoder}
COMPILED_MODULES |= {nn.ModuleList, nn.Sequential, nn.Linear, nn.Tanh, nn.LSTM, nn.GRU}
"""Classes of the modules in a network that the compiled stepper can compute."""


@dataclass
class WritingState:
    """The lines that a stepper works on.

    Attributes:
        point: the next input, `(B, I)`, normalised.
        state: the network's state before the next step: tensors by name, `(B, ...)` each.
        sampling: options of all lines, with a `stretch`; `bias` is that of the first step.
        text, text_lengths: indices of the characters, `(B, U)`, and their number, `(B,)`; None for
            a network without a window.
    """

    point: Tensor
    state: dict[str, Tensor]
    sampling: Sampling
    text: Tensor | None = None
    text_lengths: Tensor | None = None

    def __getitem__(self, rows: Tensor) -> Self:
        """Return the lines of some rows."""
        state = {name: value[rows] for name, value in self.state.items()}
        lines = replace(self, point=self.point[rows], state=state)
        if self.text is None:
            return lines
        return replace(lines, text=self.text[rows], text_lengths=self.text_lengths[rows])


class Stepper:
    """Advances lines by a network's `forward`, called once for each step.

    `GenerationNetwork.stepper` returns a stepper for each call of `sample`, because the network may
    be trained between two calls. On a CPU the project's networks return a `CompiledStepper`, which
    does the work of `run` in C.

    Args:
        network: a `GenerationNetwork`, used with its present weights.
        lines: the lines before their first step.
        matmul_dtype: dtype of the matrix products: the weights' dtype, or bfloat16. All else has
            the weights' dtype.

    Attributes:
        bias: sharpening of the mixture of each of the present lines, `(B,)`.
    """

    def __init__(self, network: BaseModel, lines: WritingState, matmul_dtype: torch.dtype) -> None:
        self.network = network
        self.lines = lines
        self.bias = lines.point.new_full((len(lines.point),), lines.sampling.bias)
        self.bfloat16 = matmul_dtype == torch.bfloat16

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the next points of all lines, `(T, B, I)`, and phi `(T, B, U + 1)` or None.

        The next call may overwrite the returned tensors.

        Args:
            uniform, normal: random numbers for `Mixture.sample`, `(T, B, 2)` each, for at most
                `STEPS_PER_CALL` steps.
        """
        points = []
        phis = []
        # The context encloses all steps, so that autocast rounds the weights only once.
        with torch.autocast(uniform.device.type, torch.bfloat16, self.bfloat16):
            for random_numbers in zip(uniform, normal, strict=True):
                lines = self.lines
                inputs = lines.point[:, None], lines.text, lines.text_lengths, lines.state
                output = self.network(*inputs)
                prediction = output.prediction[:, -1]  # a call has one step
                stretch = lines.sampling.stretch
                prediction = prediction.stretched(stretch, self.network.normalisation)
                prediction = prediction.biased(self.bias, lines.sampling.pen_sharpness)
                points.append(prediction.sample(*random_numbers))
                if output.attention is not None:
                    phis.append(output.attention[:, -1])
                # A fourth number of the next input is 0: the sequence continues.
                point = functional.pad(points[-1][:, :3], (0, lines.point.shape[1] - 3))
                self.lines = replace(lines, point=point, state=output.state)
        return torch.stack(points), torch.stack(phis) if phis else None

    def select(self, rows: Tensor) -> None:
        """Go on with the lines of `rows` only, ascending indices of the present lines."""
        self.lines = self.lines[rows]
        self.bias = self.bias[rows]

    def halve_bias(self, mask: Tensor) -> None:
        """Halve the bias of the present lines in `mask`, `(B,)`."""
        # In place: the compiled loop reads the tensor at an address that it got at the start.
        self.bias *= torch.where(mask, 0.5, 1.0)


class CompiledStepper(Stepper):
    """Advances lines by the compiled loop; for the arguments see `Stepper`. A line's points are bit
    for bit independent of the other lines and of the number of threads."""

    def __init__(self, network: BaseModel, lines: WritingState, matmul_dtype: torch.dtype) -> None:
        lowest = network.layers[0]
        has_window = isinstance(lowest, WindowedLayer)
        self.library = library.kernels(matmul_dtype == torch.bfloat16)
        self.matmul_dtype = matmul_dtype
        self.parity = 0  # the half of the joints that the next step reads
        self.input_size = network.input_size
        self.hidden_size = lowest.hidden_size
        self.output_size = len(network.output.bias)
        self.vocab_size = lowest.vocab_size if has_window else 0
        self.num_windows = lowest.components if has_window else 0
        hand_inputs = network.hand_gate_inputs(lines.state.get("hand"), each_alone=True)
        weights = []
        self.gate_biases = []  # with a row for each line
        for layer, hand_input in zip(network.layers, hand_inputs, strict=True):
            weight, bias = layer.step_gates((self.input_size, self.vocab_size))
            weights.append(functional.pad(weight, (0, weight.shape[1] % 2)))  # (4 H, J)
            biases = sequence_biases(bias, hand_input, len(lines.point)).float()
            self.gate_biases.append(biases.clone(memory_format=torch.contiguous_format))
        self.widths = [weight.shape[1] for weight in weights]
        # All weights are copied, as the network may be trained while lines are written.
        self.fixed = self._packed(network, lines, weights)
        self._copy_state(lines)
        self._allocate()

    def _packed(
        self, network: BaseModel, lines: WritingState, gates: Sequence[Tensor]
    ) -> dict[str, object]:
        """Return the fields of `Writing` in sampling.c that stay as they are: the packed weights
        (`gates` has each layer's, `(4 H, J)`), sizes and options."""

        def packed(weight: Tensor, groups: int = 1) -> Tensor:
            return library.pack(weight.to(self.matmul_dtype).t(), groups)

        output = stretched_output(network.output, lines.sampling.stretch, network.normalisation)
        fields: dict[str, object] = dict(
            weights=[packed(weight, groups=4) for weight in gates],
            widths=torch.tensor(self.widths),
            output_weights=packed(output.weight),
            output_bias=output.bias.float().clone(),
            layers=len(gates),
            size=self.hidden_size,
            vocab_size=self.vocab_size,
            components=self.num_windows,
            mixtures=network.num_mixtures,
            lstm=int(network.layers[0].cell == "LSTM"),
            ends=int(network.end_of_sequence),
            log_min_scales=tuple(network.min_scales.log().tolist()),
            max_correlation=network.max_correlation,
            pen=(PEN_PIVOT, lines.sampling.pen_sharpness),
        )
        if self.num_windows:
            window = network.layers[0].window
            fields["window_weights"] = packed(window.weight)
            fields["window_bias"] = window.bias.float().clone()
        return fields

    def _copy_state(self, lines: WritingState) -> None:
        """Copy the state of lines into the buffers that a step overwrites."""
        state = lines.state
        self.bias = lines.point.new_full((len(lines.point),), lines.sampling.bias).float()
        self.joints = []
        for number, width in enumerate(self.widths):
            # The padding is zero, as matrix products include it.
            joint = torch.zeros(2, len(self.bias), width, dtype=self.matmul_dtype)
            joint[0, :, : self.hidden_size] = state[f"{number}.hidden"]
            num_hidden = 2 if number else 1  # only the lowest layer has no layer below
            point_start = num_hidden * self.hidden_size + self.vocab_size
            joint[0, :, point_start : point_start + self.input_size] = lines.point
            self.joints.append(joint)
        # A GRU's hidden states take the place of cell states.
        cells = [state.get(f"{n}.cell", state[f"{n}.hidden"]) for n in range(len(self.joints))]
        self.cells = torch.stack(cells).float()
        self.kappas = None
        self.text = None
        if self.num_windows:
            # The upper layers see the window of the same step, which the loop writes.
            stop = self.hidden_size + self.vocab_size
            self.joints[0][0, :, self.hidden_size : stop] = state["0.window"]
            self.kappas = state["0.kappa"].float().clone(memory_format=torch.contiguous_format)
            self.text = lines.text.contiguous()
            self.text_lengths = lines.text_lengths.contiguous()

    def _allocate(self) -> None:
        """Allocate the buffers that a step overwrites, for the present number of lines."""
        batch = len(self.bias)
        lanes = self.library.lanes()  # numbers of a vector, to which rows are padded
        width = round_up(len(self.joints) * self.hidden_size, 2)
        self.points = torch.empty(STEPS_PER_CALL, batch, self.input_size)
        self.phis = None
        states: dict[str, object] = dict(joints=self.joints, cells=self.cells, points=self.points)
        if self.text is not None:
            num_positions = self.text.shape[1] + 1
            self.phis = torch.empty(STEPS_PER_CALL, batch, num_positions)
            states |= dict(text=self.text, text_lengths=self.text_lengths, kappas=self.kappas)
            states |= dict(phis=self.phis, places=num_positions)
        scratch = dict(
            hiddens=torch.zeros(batch, width, dtype=self.matmul_dtype),
            parameters=torch.empty(batch, round_up(3 * self.num_windows, lanes)),
            raw=torch.empty(batch, round_up(self.output_size, lanes)),
        )
        biases = dict(bias=self.bias, gate_biases=self.gate_biases)
        self.writing = library.structure(
            self.library, "Writing", batch=batch, **states, **scratch, **biases, **self.fixed
        )

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw the next points of all lines, see `Stepper`.

        Raises:
            IndexError: if a text has indices beyond the alphabet.
        """
        steps = len(uniform)
        uniform = uniform.contiguous()
        normal = normal.contiguous()
        self.writing.steps = steps
        self.writing.parity = self.parity
        self.writing.uniform = address(uniform)
        self.writing.normal = address(normal)
        self.writing.threads = torch.get_num_threads()
        library.raise_failure(self.library.write_lines(ctypes.byref(self.writing)))
        self.parity = (self.parity + steps) % 2
        return self.points[:steps], None if self.phis is None else self.phis[:steps]

    def select(self, rows: Tensor) -> None:
        """Go on with the lines of `rows` only, see `Stepper`."""
        self.joints = [joint[:, rows] for joint in self.joints]
        self.cells = self.cells[:, rows]
        self.bias = self.bias[rows]
        self.gate_biases = [bias[rows] for bias in self.gate_biases]
        if self.text is not None:
            self.text = self.text[rows]
            self.text_lengths = self.text_lengths[rows]
            self.kappas = self.kappas[rows]
        self._allocate()
