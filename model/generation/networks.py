"""The prediction network and the synthesis network of the paper (sections 2, 4 and 5).

Shapes: B sequences of a batch, T steps, U characters, A characters of the alphabet, H cells,
M components of the mixture, I numbers of a point.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from base.base_model import BaseModel
from model.generation.mixture import Mixture
from model.generation.mixture import draw as draw_of_mixture
from model.generation.regression import PointEstimate
from model.layers.cells import clip_gradient
from model.layers.dropout import Dropout
from model.layers.recurrent import INPUT_WEIGHTS, RecurrentLayer
from model.layers.window import WindowedLayer
from utils.alphabet import Alphabet
from utils.checks import Range
from utils.normalisation import Normalisation

INPUT_SIZE = 3
"""Numbers per point, I: the offset in x and y, and the end of stroke. A network that predicts the
end of the sequence has that as a fourth."""

FIRST_END = 0.01
"""Initial probability that a sequence ends at a point (assumed: real ones have 30 to 2,000 points).
From 0.5 training takes longer (measured on MNIST's sevens, after 300 steps of Adam at 0.003: 5.0
nats per digit for its end, against 4.1)."""

Head = Literal["mixture", "regression"]
Draw = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

Size = Annotated[int, Range(1, 8192)]
Bound = Annotated[float, Range(1e-6)] | None


@dataclass
class Output:
    """The output of a network for each step.

    Attributes:
        prediction: the density of the next point, leading dimensions `(B, T)`; with a regression
            head its estimate.
        state: the state after the last step, `(B, ...)` each.
        attention: phi over the characters of the text and the position after its end,
            `(B, T, U + 1)`; None without a text.
    """

    prediction: Mixture | PointEstimate
    state: dict[str, Tensor]
    attention: Tensor | None = None


class MixtureNetwork(BaseModel):
    """Stacked recurrent layers with skip connections, and a mixture density as output.

    With the regression head it is one point instead of a density (see `PointEstimate`), learned
    under `SquaredError`; `num_mixtures`, `min_scale` and `max_correlation` then have no effect.

    Every hidden layer sees the input and the layer below, the output layer sees all hidden layers
    (the paper, eqs 1-5). Offsets are in normalised units throughout.

    Common arguments of the networks' constructors:

    Args:
        normalisation: of the offsets; it turns `min_scale` into normalised units.
        hidden_size: cells of each layer.
        num_layers: hidden layers.
        cell: kind of the cells.
        num_mixtures: components of the mixture, M.
        dropout: share of a hidden layer's outputs dropped, in training, from what the layer above
            and the output layer see.
        forget_bias: starting value of the bias of an LSTM's forget gates.
        min_scale: lower bound on the mixture's scales, in the units of the data.
        max_correlation: upper bound on the mixture's absolute correlations.
        clip_output_gradient: bound on the gradient of one sequence's summed nats with respect to
            the output layer's results (the paper: 100).
        clip_lstm_gradient: the same with respect to the gates of the LSTMs before squashing (the
            paper: 10).
        end_of_sequence: whether a point has a fourth number, 1 for the last of its sequence, which
            the network sees and predicts, so that it ends its lines on its own.
        head: whether the output layer gives the parameters of a mixture or a single point.
        stretch: share by which offsets along the line are stretched in writing, where a bias leaves
            no noise, so that letters do not become narrower along the line; a bias of b takes
            1 - exp(-2 b) of it. Has no effect in training.

    Attributes:
        input_size: numbers of a point that the network sees, I.
        longest: characters of the longest text that is written as a whole; None for any.
    """

    longest: int | None = None

    def __init__(
        self,
        normalisation: Normalisation,
        layers: list[nn.Module],
        *,
        num_mixtures: Annotated[int, Range(1, 1024)] = 20,
        dropout: Annotated[float, Range(0.0, 0.95)] = 0.0,
        min_scale: Annotated[float, Range(1e-6)] = 0.1,
        max_correlation: Annotated[float, Range(0.0, 0.9999)] = 0.999,
        clip_output_gradient: Bound = None,
        clip_lstm_gradient: Bound = None,
        end_of_sequence: bool = False,
        head: Head = "mixture",
        stretch: Annotated[float, Range(0.0, 0.2)] = 0.0,
    ) -> None:
        super().__init__()
        self.end_of_sequence, self.head = end_of_sequence, head
        self.stretch = stretch
        self.input_size = input_size(end_of_sequence)
        self.normalisation = normalisation
        self.min_scale = min_scale
        self.max_correlation = max_correlation
        self.clip_output_gradient = clip_output_gradient
        self.clip_lstm_gradient = clip_lstm_gradient
        self.layers = nn.ModuleList(layers)
        self.dropout = Dropout(dropout)
        hidden_sizes = sum(layer.hidden_size for layer in layers)
        outputs = {
            "mixture": Mixture.num_parameters(num_mixtures, end_of_sequence),
            "regression": PointEstimate.num_parameters(end_of_sequence),
        }
        self.output = nn.Linear(hidden_sizes, outputs[head])
        if end_of_sequence:
            with torch.no_grad():
                self.output.bias[-1] = math.log(1.0 / FIRST_END - 1.0)
        bound = [min_scale / deviation for deviation in normalisation.std]
        self.register_buffer("min_scales", torch.tensor(bound), persistent=False)

    def extend_state_dict(
        self, state_dict: Mapping[str, Tensor], vocab_size_before: int | None = None
    ) -> dict[str, Tensor]:
        """Extend the weights of a network that may lack characters, or the end of the sequence.

        If the end is new, its output has this network's initial weights, and the weights of a
        point's fourth number are zero: everything else stays unchanged. See `BaseModel`.
        """
        extended, own = dict(state_dict), self.state_dict()
        rows = {name: extended.get(name) for name in ("output.weight", "output.bias")}
        if self.end_of_sequence and all(
            isinstance(old, Tensor) and old.shape == own[name][:-1].shape
            for name, old in rows.items()
        ):
            extended |= {name: torch.cat((old, own[name][-1:])) for name, old in rows.items()}
            for name, old in extended.items():
                if name.endswith(INPUT_WEIGHTS) and getattr(old, "ndim", 0) == 2:
                    point, others = old[:, :INPUT_SIZE], old[:, INPUT_SIZE:]
                    extended[name] = torch.cat((point, torch.zeros_like(old[:, :1]), others), 1)
        return super().extend_state_dict(extended, vocab_size_before)

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first step: zeros, `(batch, ...)` each."""
        zeros = self.output.weight.new_zeros
        return {
            f"{number}.{name}": zeros(batch, size)
            for number, layer in enumerate(self.layers)
            for name, size in layer.state_sizes.items()
        }

    def _bound(self, bound: float | None) -> float | None:
        return None if bound is None else bound * self.gradient_scale

    def stretch_at(self, bias: float) -> tuple[float, float]:
        """Return the usual factors of the offsets that are expected in x and y, see `sample`."""
        return 1.0 - self.stretch * math.expm1(-2.0 * bias), 1.0

    def next_point(self, raw: Tensor) -> Mixture | PointEstimate:
        """Return the prediction that the output layer's numbers `(..., any)` describe."""
        if self.head == "regression":
            return PointEstimate.from_parameters(raw, self.end_of_sequence)
        return Mixture.from_parameters(
            raw, self.min_scales, self.max_correlation, self.end_of_sequence
        )

    def drawing(self, dtype: torch.dtype, pen_sharpness: float) -> Draw:
        """Return a fast equivalent of `next_point(raw).biased(bias, pen_sharpness).sample(...)`.

        It takes `raw` `(B, any)`, the bias `(B, 1)`, and the random numbers as `sample` does, all
        of `dtype`, and uses the present bounds.
        """
        ends, most = self.end_of_sequence, self.max_correlation
        if self.head == "regression":
            return lambda raw, bias, uniform, normal: PointEstimate.draw(raw, uniform, ends)
        lowest = self.min_scales.to(dtype).log()

        def draw(raw: Tensor, bias: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
            return draw_of_mixture(raw, lowest, most, bias, uniform, normal, ends, pen_sharpness)

        return draw

    def forward(
        self,
        inputs: Tensor,
        text: Tensor | None = None,
        text_lengths: Tensor | None = None,
        state: dict[str, Tensor] | None = None,
    ) -> Output:
        """Predict each next point.

        Args:
            inputs: points up to each step, `(B, T, 3)` or `(B, T, 4)`, normalised. A network that
                sees three numbers ignores the fourth; for one that sees four, a missing fourth is
                0: a sequence has not ended before its next point.
            text: indices of the characters, `(B, U)`; ignored by a network without a window.
            text_lengths: characters of each text, `(B,)`.
            state: as an earlier call returned it; None for the initial state.
        """
        state = self.initial_state(len(inputs)) if state is None else state
        inputs = inputs[..., : self.input_size].transpose(0, 1)
        if lacking := self.input_size - inputs.shape[2]:
            inputs = functional.pad(inputs, (0, lacking))  # (T, B, I)
        hiddens, carried, window = self._run_layers(inputs, text, text_lengths, state)
        raw = self.output(torch.cat([self.dropout(hidden) for hidden in hiddens], -1))
        raw = clip_gradient(raw.transpose(0, 1), self._bound(self.clip_output_gradient))
        return Output(self.next_point(raw), carried, window)

    def _run_layers(
        self,
        inputs: Tensor,
        text: Tensor | None,
        text_lengths: Tensor | None,
        state: dict[str, Tensor],
    ) -> tuple[list[Tensor], dict[str, Tensor], Tensor | None]:
        """Return the hidden states of all layers `(T, B, H)`, the state carried on, and phi."""
        raise NotImplementedError

    def _run_stack(
        self, seen: Tensor, hiddens: list[Tensor], carried: dict, state: dict[str, Tensor]
    ) -> None:
        """Run the remaining plain layers, each over `seen` and the layer below.

        Args:
            seen: what every layer sees, `(T, B, any)`.
            hiddens: of the layers so far; extended by the others.
            carried: state so far; extended by the others.
        """
        for number in range(len(hiddens), len(self.layers)):
            below = [self.dropout(hiddens[-1]).to(seen.dtype)] if hiddens else []
            hidden, last = self.layers[number](
                torch.cat([seen, *below], -1),
                _of_layer(state, number),
                self._bound(self.clip_lstm_gradient),
            )
            hiddens.append(hidden)
            carried |= _named(last, number)


def input_size(end_of_sequence: bool) -> int:
    """Return the numbers per point that a network sees."""
    return INPUT_SIZE + end_of_sequence


def _of_layer(state: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    prefix = f"{number}."
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def _named(state: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    return {f"{number}.{name}": value for name, value in state.items()}


class PredictionNetwork(MixtureNetwork):
    """The unconditional network: predicts each next point from those before (section 4).

    See `MixtureNetwork` for the arguments.
    """

    def __init__(
        self,
        normalisation: Normalisation,
        *,
        hidden_size: Size = 400,
        num_layers: Annotated[int, Range(1, 16)] = 3,
        cell: Literal["LSTM", "GRU"] = "LSTM",
        forget_bias: Annotated[float, Range(-10.0, 10.0)] = 1.0,
        end_of_sequence: bool = False,
        **options: Any,
    ) -> None:
        size = input_size(end_of_sequence)
        sees = [size] + [size + hidden_size] * (num_layers - 1)
        super().__init__(
            normalisation,
            [RecurrentLayer(cell, size, hidden_size, forget_bias) for size in sees],
            end_of_sequence=end_of_sequence,
            **options,
        )

    def _run_layers(
        self,
        inputs: Tensor,
        text: Tensor | None,
        text_lengths: Tensor | None,
        state: dict[str, Tensor],
    ) -> tuple[list[Tensor], dict[str, Tensor], None]:
        hiddens: list[Tensor] = []
        carried: dict[str, Tensor] = {}
        self._run_stack(inputs, hiddens, carried, state)
        return hiddens, carried, None


class SynthesisNetwork(MixtureNetwork):
    """The conditional network: sees its text through a soft window (section 5).

    Args:
        normalisation: see `MixtureNetwork`, as are the arguments not listed here.
        alphabet: of the texts.
        num_windows: Gaussians of the window, K.
        window_advance: characters that the window moves per step before training (measured:
            IAM-OnDB has 29 characters and 628 points per line).
        longest: characters of the longest text that is written as a whole; a longer one is written
            in parts of half as many, all in the hand of the first, see `writing`. None: all are
            written as a whole.
    """

    needs_text: ClassVar[bool] = True

    def __init__(
        self,
        normalisation: Normalisation,
        alphabet: Alphabet,
        *,
        hidden_size: Size = 400,
        num_layers: Annotated[int, Range(1, 16)] = 3,
        cell: Literal["LSTM", "GRU"] = "LSTM",
        num_windows: Annotated[int, Range(1, 256)] = 10,
        window_advance: Annotated[float, Range(1e-4, 1.0)] = 0.05,
        forget_bias: Annotated[float, Range(-10.0, 10.0)] = 1.0,
        end_of_sequence: bool = False,
        longest: Annotated[int, Range(2, 100_000)] | None = None,
        **options: Any,
    ) -> None:
        vocab_size, size = len(alphabet), input_size(end_of_sequence)
        first = WindowedLayer(
            cell, size, hidden_size, vocab_size, num_windows, forget_bias, window_advance
        )
        seen = size + vocab_size + hidden_size
        others = [
            RecurrentLayer(cell, seen, hidden_size, forget_bias) for _ in range(num_layers - 1)
        ]
        super().__init__(
            normalisation,
            [first, *others],
            end_of_sequence=end_of_sequence,
            **options,
        )
        self.alphabet, self.longest = alphabet, longest

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """The weights with an index for each character, see `BaseModel`."""
        # The upper layers see the input, the window, and the layer below, in this order.
        upper = range(1, len(self.layers))
        return {"layers.0.weight_window": (1, 0)} | {
            f"layers.{number}.layer.weight_ih_l0": (1, self.input_size) for number in upper
        }

    def _run_layers(
        self,
        inputs: Tensor,
        text: Tensor | None,
        text_lengths: Tensor | None,
        state: dict[str, Tensor],
    ) -> tuple[list[Tensor], dict[str, Tensor], Tensor]:
        hidden, windows, phi, last = self.layers[0](
            inputs, text, text_lengths, _of_layer(state, 0), self._bound(self.clip_lstm_gradient)
        )
        hiddens, carried = [hidden], _named(last, 0)
        # The upper layers are not tied to the window step by step: they see all of it at once.
        self._run_stack(torch.cat((inputs.to(windows), windows), -1), hiddens, carried, state)
        return hiddens, carried, phi.transpose(0, 1)
