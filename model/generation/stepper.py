"""A network one step at a time, for writing.

A stepper serves one call of `sample`: the network may be trained in between. It advances many lines
by several steps in one call. What a network computes is its `forward`, which `ForwardStepper` calls
for any network. The others compute the same for the project's own, faster: of weights that they
copy when made, without gradients, modules or dropout, all state in buffers that they allocate once
for a number of lines. `TorchStepper` runs everywhere (on CUDA as a captured graph, so that no step
waits for Python, unless ONLINE_HANDWRITING_GRAPHS is 0), `CompiledStepper` calls the loop of
`kernels/sampling.c`.

Shapes: B lines, T steps, U characters of a text, A of the alphabet, H cells, N layers, M components
of the mixture, K components of the window, I numbers of a point.
"""

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from model.generation.mixture import PEN_PIVOT, stretched
from model.generation.networks import MixtureNetwork, PredictionNetwork, SynthesisNetwork
from model.generation.options import Sampling
from model.layers.cells import gru_step, lstm_step, reorder_gates, state_dtype
from model.layers.dropout import Dropout
from model.layers.kernels import cuda, library
from model.layers.kernels import sampling as compiled
from model.layers.recurrent import RecurrentLayer
from model.layers.window import WindowedLayer, one_hot_text, positions_of, window_step

log = logging.getLogger(__name__)

_no_graphs = False
"""Whether capturing a graph has failed; it is not tried again."""

OWN = {PredictionNetwork, SynthesisNetwork, RecurrentLayer, WindowedLayer, Dropout}
OWN |= {nn.ModuleList, nn.Linear, nn.LSTM, nn.GRU}
"""The classes of networks, and of all modules in them, that the fast steppers know: a subclass may
compute something else."""

PERIOD = 16
"""Steps per call (assumed: few calls and checks for ended lines; a line runs half of it past its
end, on average). With a bias another value gives other lines for the same seed: after each call
resting pens are checked."""


@dataclass
class Lines:
    """The lines that a stepper works on.

    Attributes:
        point: the next input, `(B, I)`, normalised.
        state: the network's state before that step, by the network's names, `(B, ...)` each.
        bias: sharpening of the mixture, `(B,)`.
        text, text_lengths: indices of the characters, `(B, U)`, and how many count, `(B,)`; None
            for a network without a window.
        sampling: of all lines; the bias is the one above.
    """

    point: Tensor
    state: dict[str, Tensor]
    bias: Tensor
    text: Tensor | None = None
    text_lengths: Tensor | None = None
    sampling: Sampling = Sampling()

    def stretch(self, network: MixtureNetwork) -> tuple[float, float]:
        """Return the factors of the mixture's means in x and y, see `mixture.stretched`."""
        return self.sampling.stretch or network.stretch_at(self.sampling.bias)

    def output(self, network: MixtureNetwork) -> nn.Linear:
        """Return the output layer that a network draws them with."""
        if network.head != "mixture":
            return network.output
        return stretched(network.output, self.stretch(network), network.normalisation)

    def __getitem__(self, rows: Tensor) -> "Lines":
        """Return some of the lines."""
        none = self.text is None
        return replace(
            self,
            point=self.point[rows],
            state={name: value[rows] for name, value in self.state.items()},
            bias=self.bias[rows],
            text=None if none else self.text[rows],
            text_lengths=None if none else self.text_lengths[rows],
        )


@dataclass
class Cells:
    """The weights of a hidden layer, `(4 H, any)` for each part of its input.

    An LSTM's rows are those of its input, forget and output gates and of its candidate; a GRU's
    those of its reset and update gates, then those of its candidate: of the input, and of the
    hidden state after the reset gate.
    """

    hidden: Tensor
    below: Tensor | None
    window: Tensor | None
    point: Tensor
    bias: Tensor

    @classmethod
    def of(cls, network: MixtureNetwork, number: int) -> "Cells":
        """Return the weights of layer `number`, in their own dtype."""
        layer = network.layers[number]
        if isinstance(layer, WindowedLayer):
            window, point = layer.weight_window, layer.weight_input
            if layer.cell == "LSTM":
                return cls(layer.weight_hidden, None, window, point, layer.bias)
            return cls(
                _reset(layer.weight_hidden),
                None,
                _incoming(window),
                _incoming(point),
                torch.cat((layer.bias, layer.bias_candidate)),
            )
        fused, size = layer.layer, layer.hidden_size
        incoming, hidden = fused.weight_ih_l0, fused.weight_hh_l0
        bias, more = fused.bias_ih_l0, fused.bias_hh_l0
        if layer.cell == "LSTM":
            parts = (incoming, hidden, bias + more)
            incoming, hidden, bias = (reorder_gates(part) for part in parts)
        else:
            incoming, hidden = _incoming(incoming), _reset(hidden)
            bias = torch.cat(
                (bias[: 2 * size] + more[: 2 * size], bias[2 * size :], more[2 * size :])
            )
        below, seen = size if number else 0, network.input_size
        vocab_size = incoming.shape[1] - seen - below
        point, window, lower = incoming.split((seen, vocab_size, below), 1)
        return cls(hidden, lower if number else None, window if vocab_size else None, point, bias)


def _reset(rows: Tensor) -> Tensor:
    both, candidate = rows.split((len(rows) // 3 * 2, len(rows) // 3))
    return torch.cat((both, torch.zeros_like(candidate), candidate))


def _incoming(rows: Tensor) -> Tensor:
    return torch.cat((rows, torch.zeros_like(rows[: len(rows) // 3])))


class Stepper(ABC):
    """Advances lines by steps of a network."""

    @abstractmethod
    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw the next points of all lines.

        Args:
            uniform, normal: random numbers as `Mixture.sample` takes them, `(T, B, 2)` each, for at
                most `PERIOD` steps.

        Returns:
            points `(T, B, I)` and phi `(T, B, U + 1)` or None, in buffers that the next call
            overwrites.
        """

    @abstractmethod
    def keep(self, rows: Tensor) -> None:
        """Drop all but some of the lines.

        Args:
            rows: indices of those kept among the present lines, ascending.
        """

    @abstractmethod
    def sharpen(self, bias: Tensor) -> None:
        """Set the biases.

        Args:
            bias: of each of the present lines, `(B,)`.
        """

    least_share = 1.0
    """Lines are dropped together, once at most this share of them is left."""


def make_stepper(network: MixtureNetwork, lines: Lines, products: torch.dtype) -> Stepper:
    """Return the fastest stepper that computes what the network does, on its device.

    Args:
        network: its present weights are used.
        lines: the initial state.
        products: dtype of the matrix products; all else is in float32, or in float64 if this is.
    """
    if not all(type(module) in OWN for module in network.modules()):
        return ForwardStepper(network, lines, products)
    if network.head == "mixture" and library.available(network.output.weight.device, products):
        return CompiledStepper(network, lines, products)
    return TorchStepper(network, lines, products)


class ForwardStepper(Stepper):
    """Steps by the network's `forward`, one call a step."""

    def __init__(self, network: MixtureNetwork, lines: Lines, products: torch.dtype) -> None:
        self.network, self.lines, self.rounded = network, lines, products == torch.bfloat16

    def keep(self, rows: Tensor) -> None:
        """Drop all but some of the lines."""
        self.lines = self.lines[rows]

    def sharpen(self, bias: Tensor) -> None:
        """Set the biases."""
        self.lines = replace(self.lines, bias=bias.clone())

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw the next points of all lines."""
        points, phis = [], []
        for numbers in zip(uniform, normal, strict=True):
            now = self.lines
            with torch.autocast(now.point.device.type, torch.bfloat16, self.rounded):
                output = self.network(now.point[:, None], now.text, now.text_lengths, now.state)
            prediction = output.prediction[:, -1]
            if self.network.head == "mixture":
                factors = now.stretch(self.network)
                prediction = prediction.stretched(factors, self.network.normalisation)
            points.append(prediction.biased(now.bias, now.sampling.pen_sharpness).sample(*numbers))
            phis += [] if output.attention is None else [output.attention[:, -1]]
            point = nn.functional.pad(points[-1][:, :3], (0, now.point.shape[1] - 3))  # goes on
            self.lines = replace(now, point=point, state=output.state)
        return torch.stack(points), torch.stack(phis) if phis else None


class TorchStepper(Stepper):
    """Steps in plain torch operations; on CUDA all steps of a call are one captured graph.

    The inputs of all layers are in one buffer: the first hidden state, the point, the window, then
    the other hidden states, so that each product takes a slice of it without copying.
    """

    def __init__(self, network: MixtureNetwork, lines: Lines, products: torch.dtype) -> None:
        self.dtype, self.precise = products, state_dtype(products)
        self.device = network.output.weight.device
        self.size = network.layers[0].hidden_size
        self.number = len(network.layers)
        self.lstm = network.layers[0].cell == "LSTM"
        self.carried = "cell" if self.lstm else "hidden"
        self.windowed = lines.text is not None
        self.vocab_size = network.layers[0].vocab_size if self.windowed else 0
        self.inputs = network.input_size
        self.draw = network.drawing(self.precise, lines.sampling.pen_sharpness)
        # Where in the buffer each hidden state begins, and the point.
        self.at_point = self.size
        after = self.size + self.inputs + self.vocab_size
        self.at = [0, *(after + n * self.size for n in range(self.number - 1))]
        self.width = after + (self.number - 1) * self.size
        self.spans, self.weights, self.biases = [], [], []
        for number in range(self.number):
            cells = Cells.of(network, number)
            whole = cells.hidden.new_zeros(4 * self.size, self.width)
            self._place(whole, cells.hidden, self.at[number])
            self._place(whole, cells.below, self.at[number - 1])
            self._place(whole, cells.point, self.at_point)
            self._place(whole, cells.window, self.at_point + self.inputs)
            start = 0 if number < 2 else self.at_point
            end = after if number == 0 else self.at[number] + self.size
            self.spans.append((start, end))
            self.weights.append(whole[:, start:end].to(products).contiguous().t())
            self.biases.append(cells.bias.to(products, copy=True))
        output = lines.output(network)
        whole = output.weight.new_zeros(len(output.weight), self.width)
        for at, part in zip(self.at, output.weight.split(self.size, 1), strict=True):
            self._place(whole, part, at)
        # The small products that end in the window and the mixture are precise.
        self.weights.append(whole.to(self.precise).t())
        self.biases.append(output.bias.to(self.precise, copy=True))
        if self.windowed:
            window = network.layers[0].window
            self.to_window = window.weight.to(self.precise, copy=True).t().contiguous()
            self.window_bias = window.bias.to(self.precise, copy=True)
        self._begin(lines)

    @staticmethod
    def _place(whole: Tensor, part: Tensor | None, at: int) -> None:
        if part is not None:
            whole[:, at : at + part.shape[1]] = part

    @property
    def least_share(self) -> float:
        """Half on CUDA, where each new number of lines needs another capture, which is slow."""
        return 0.5 if self.device.type == "cuda" else 1.0

    def _begin(self, lines: Lines) -> None:
        """Allocate all buffers for the number of `lines`, and fill them."""
        batch, size = len(lines.point), self.size

        def empty(*shape: int, dtype: torch.dtype = self.precise) -> Tensor:
            return torch.empty(shape, dtype=dtype, device=self.device)

        self.graph: Callable[[], None] | None = None
        self.lines = lines
        self.bias = lines.bias.to(self.precise, copy=True)[:, None]
        self.seen = empty(batch, self.width, dtype=self.dtype)
        self.hiddens = [self.seen[:, at : at + size] for at in self.at]
        self.point = self.seen[:, self.at_point : self.at_point + self.inputs]
        self.window = self.seen[:, self.at_point + self.inputs :][:, : self.vocab_size]
        self.point.copy_(lines.point)
        self.cells = [
            lines.state[f"{number}.{self.carried}"].to(self.precise).clone()
            for number in range(self.number)
        ]
        for number, hidden in enumerate(self.hiddens):
            hidden.copy_(lines.state[f"{number}.hidden"])
        self.products = empty(batch, 4 * size, dtype=self.dtype)
        same = self.dtype == self.precise
        self.gates = self.products if same else empty(batch, 4 * size)
        self.scratch = empty(batch, size)
        self.raw = empty(batch, len(self.biases[-1]))
        self.uniform = empty(PERIOD, batch, 2)
        self.normal = empty(PERIOD, batch, 2)
        self.points = empty(PERIOD, batch, self.inputs)
        self.phis = None
        if self.windowed:
            self.window.copy_(lines.state["0.window"])
            self.kappa = lines.state["0.kappa"].to(self.precise).clone()
            self.one_hot = one_hot_text(
                lines.text, lines.text_lengths, self.vocab_size, self.precise
            )
            self.positions = positions_of(self.one_hot)
            self.phis = empty(PERIOD, batch, len(self.positions))

    def keep(self, rows: Tensor) -> None:
        """Drop all but some of the lines."""
        state = {}
        for number in range(self.number):
            state[f"{number}.hidden"] = self.hiddens[number]
            state[f"{number}.{self.carried}"] = self.cells[number]
        if self.windowed:
            state |= {"0.window": self.window, "0.kappa": self.kappa}
        # The last point was rounded if products are in bfloat16, as it is when it goes in.
        lines = replace(self.lines, point=self.point, state=state, bias=self.bias[:, 0])
        self._begin(lines[rows])

    def sharpen(self, bias: Tensor) -> None:
        """Set the biases."""
        self.bias.copy_(bias[:, None])  # in place, where a graph reads it

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw the next points of all lines."""
        steps = len(uniform)
        self.uniform[:steps].copy_(uniform)
        self.normal[:steps].copy_(normal)
        if self.graph is None and self.device.type == "cuda" and steps == PERIOD:
            self.graph = self._capture()
        if self.graph is not None and steps == PERIOD:
            self.graph()
        else:
            for step in range(steps):
                self._step(step)
        return self.points[:steps], None if self.phis is None else self.phis[:steps]

    def _capture(self) -> Callable[[], None] | None:
        """Return a graph of the steps of a call; None if disabled, or if capturing fails.

        Not run on a GPU yet: lab notebook, CUDA graphs.
        """
        global _no_graphs
        if _no_graphs or os.environ.get(cuda.SWITCH) == "0":
            return None
        state = [self.seen, *self.cells, *([self.kappa] if self.windowed else [])]
        before = [value.clone() for value in state]

        def steps() -> None:
            for step in range(PERIOD):
                self._step(step)

        try:
            with torch.cuda.device(self.device):
                replay = cuda.record(steps, lambda: self._step(0))
        # Drivers and graphs fail in many ways; single steps give the same result.
        except Exception as error:
            log.warning("writing without a CUDA graph, which is slower: capture failed: %s", error)
            _no_graphs, replay = True, None
        for value, saved in zip(state, before, strict=True):
            value.copy_(saved)
        return replay

    def _step(self, step: int) -> None:
        for number in range(self.number):
            start, end = self.spans[number]
            torch.addmm(
                self.biases[number],
                self.seen[:, start:end],
                self.weights[number],
                out=self.products,
            )
            if self.gates is not self.products:
                self.gates.copy_(self.products)
            cell, hidden = self.cells[number], self.hiddens[number]
            if self.lstm:
                lstm_step(self.gates, cell, cell, hidden, self.scratch)
            else:
                gru_step(self.gates, cell)
                hidden.copy_(cell)
            if number == 0 and self.windowed:
                self._move_window(step)
        seen = self.seen.to(self.precise)
        torch.addmm(self.biases[-1], seen, self.weights[-1], out=self.raw)
        point = self.draw(self.raw, self.bias, self.uniform[step], self.normal[step])
        self.points[step].copy_(point)
        self.point.copy_(point)
        self.point[:, 3:].zero_()  # A line that continues has not ended.

    def _move_window(self, step: int) -> None:
        hidden = self.hiddens[0].to(self.precise)
        exponentials = torch.addmm(self.window_bias, hidden, self.to_window).exp_()
        kappa, phi = window_step(exponentials, self.kappa, self.positions)
        self.kappa.copy_(kappa)
        self.phis[step].copy_(phi)
        self.window.copy_(torch.bmm(phi[:, None], self.one_hot)[:, 0])


class CompiledStepper(Stepper):
    """Steps by the compiled loop, on a CPU. A line's points are bit for bit independent of the
    other lines and of the number of threads."""

    def __init__(self, network: MixtureNetwork, lines: Lines, products: torch.dtype) -> None:
        layers = [Cells.of(network, number) for number in range(len(network.layers))]
        first = network.layers[0]
        windowed = lines.text is not None
        self.weights = compiled.Weights(
            layers=[
                (
                    [p for p in (one.hidden, one.below, one.window, one.point) if p is not None],
                    one.bias,
                )
                for one in layers
            ],
            output=lines.output(network),
            window=first.window if windowed else None,
            vocab_size=first.vocab_size if windowed else 0,
            lstm=first.cell == "LSTM",
            ends=network.end_of_sequence,
            log_min_scales=network.min_scales.log().tolist(),
            max_correlation=network.max_correlation,
            products=products,
        )
        carried = "cell" if self.weights.lstm else "hidden"
        self.buffers = compiled.Buffers(
            self.weights,
            hiddens=[lines.state[f"{number}.hidden"] for number in range(len(layers))],
            cells=[lines.state[f"{number}.{carried}"] for number in range(len(layers))],
            window=lines.state.get("0.window"),
            kappa=lines.state.get("0.kappa"),
            point=lines.point,
            bias=lines.bias,
            pen=(PEN_PIVOT, lines.sampling.pen_sharpness),
            text=lines.text,
            text_lengths=lines.text_lengths,
            period=PERIOD,
        )

    def keep(self, rows: Tensor) -> None:
        """Drop all but some of the lines."""
        self.buffers.keep(rows)

    def sharpen(self, bias: Tensor) -> None:
        """Set the biases."""
        self.buffers.bias.copy_(bias)

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Draw the next points of all lines."""
        return self.buffers.run(uniform, normal)
