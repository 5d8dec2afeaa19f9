"""The prediction network and the synthesis network of the paper (sections 2, 4 and 5).

Shapes: B sequences of a batch, T steps, U characters, A characters of the alphabet, H cells,
M components of the mixture, I numbers of a point.
"""

import inspect
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from base.base_data_loader import padded
from base.base_model import BaseModel, Conditions
from base.data.samples import ExtraShapes
from ink.alphabet import Alphabet
from ink.measures import NUM_HAND_LINES
from ink.normalisation import Normalisation
from model.generation.hand_encoder import DESCRIPTOR, HandEncoder, line_by_line
from model.generation.line import Line
from model.generation.mixture import Mixture, NextPoint
from model.generation.regression import PointEstimate
from model.generation.stepping import (
    COMPILED_MODULES,
    CompiledStepper,
    Stepper,
    WritingState,
)
from model.layers.dropout import Dropout
from model.layers.kernels import library
from model.layers.recurrent import RecurrentLayer, WindowedLayer, clip_gradient
from utils.checks import ConfigFault, Range

INPUT_SIZE = 3
"""Numbers per point: the offset in x and y, and the end of stroke. A network that predicts the end
of the sequence has a fourth number."""
INITIAL_END_PROBABILITY = 0.01
"""Initial probability that a sequence ends at a point (assumed, for sequences of 30 to 2,000
points; measured: the end of MNIST's sevens is learned more slowly from 0.5)."""
Head = Literal["mixture", "regression"]
HEADS: dict[Head, type[NextPoint]] = {"mixture": Mixture, "regression": PointEstimate}

Size = Annotated[int, Range(1, 8192)]
Bound = Annotated[float, Range(1e-6)] | None


@dataclass
class Output:
    """The output of a network for each step.

    Attributes:
        prediction: the density of the next point, or a point estimate from a regression head;
            leading dimensions `(B, T)`.
        state: tensors by name, `(B, ...)` each: the state after the last step, for the next call.
        attention: phi over the characters of the text and the position after its end,
            `(B, T, U + 1)`; None without a text.
    """

    prediction: Mixture | PointEstimate
    state: dict[str, Tensor]
    attention: Tensor | None = None


def masked_output(network: nn.Module, mask: Tensor, *inputs: Any) -> Output:
    """Return a network's output for the `inputs` of its `forward`; with the mask of the points,
    `(B, T)` bool, if `forward` takes `mask`."""
    takes_mask = "mask" in inspect.signature(network.forward).parameters
    return network(*inputs, **({"mask": mask} if takes_mask else {}))


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """The settings of all networks that predict points.

    A regression head predicts a point, not a density (see `PointEstimate`), and is trained with
    `SquaredError`; `num_mixtures`, `min_scale` and `max_correlation` then have no effect.

    Args:
        num_mixtures: components of the mixture, M.
        min_scale: lower bound on the mixture's scales, in the units of the data.
        max_correlation: upper bound on the mixture's absolute correlations.
        clip_output_gradient: bound on the gradient of one sequence's summed nats with respect to
            the output layer's results (the paper: 100).
        end_of_sequence: whether a point has a fourth number, 1 for the last point of a sequence.
            The network sees and predicts the number, and so ends its lines itself.
        head: whether the output layer gives the parameters of a mixture or a single point.
        stretch: fraction by which writing lengthens offsets along the line (below 0: shortens), so
            that a bias makes letters neither narrower nor wider. The fraction is for a bias that
            leaves no noise; a bias of b takes 1 - exp(-2 b) of it. No effect in training.
    """

    num_mixtures: Annotated[int, Range(1, 1024)] = 20
    min_scale: Annotated[float, Range(1e-6)] = 0.1
    max_correlation: Annotated[float, Range(0.0, 0.9999)] = 0.999
    clip_output_gradient: Bound = None
    end_of_sequence: bool = False
    head: Head = "mixture"
    stretch: Annotated[float, Range(-0.2, 0.2)] = 0.0


class GenerationNetwork(BaseModel):
    """The base class of networks that predict each next point from the points before.

    A subclass makes its layers, and the output layer by `output_layer`; its `forward` passes the
    results of the output layer to `predict`. Offsets are in normalised units throughout.

    Args:
        normalisation: normalisation of the offsets, also applied to `min_scale`.
        settings: see `GenerationSettings`.

    Attributes:
        input_size: numbers of a point that the network sees, I.
        longest: characters of the longest text that is written as a whole; None: no limit.
    """

    longest: int | None = None
    output: nn.Linear

    def __init__(self, normalisation: Normalisation, *, settings: GenerationSettings) -> None:
        super().__init__()
        self.end_of_sequence = settings.end_of_sequence
        self.head = settings.head
        self.stretch = settings.stretch
        self.input_size = INPUT_SIZE + settings.end_of_sequence
        self.normalisation = normalisation
        self.num_mixtures = settings.num_mixtures
        self.min_scale = settings.min_scale
        self.max_correlation = settings.max_correlation
        self.clip_output_gradient = settings.clip_output_gradient
        min_scales = [settings.min_scale / deviation for deviation in normalisation.std]
        self.register_buffer("min_scales", torch.tensor(min_scales), persistent=False)

    @abstractmethod
    def forward(
        self,
        inputs: Tensor,
        text: Tensor | None = None,
        text_lengths: Tensor | None = None,
        state: dict[str, Tensor] | None = None,
    ) -> Output:
        """Predict each next point.

        Args:
            inputs: points up to each step, `(B, T, 3)` or `(B, T, 4)`, normalised. A network with
                I = 3 ignores a fourth number; a network with I = 4 takes a missing number as 0.
            text: indices of the characters, `(B, U)`; ignored by a network that needs no text.
            text_lengths: characters of each text, `(B,)`.
            state: the state that an earlier call returned; None for `initial_state`. Each tensor
                has B as its first dimension; the other dimensions may grow from call to call.

        A subclass may take a further keyword, `mask=None`: which of `inputs` there are, `(B, T)`
        bool, False for padding; None where there is no padding, as in writing.
        """

    def stepper(self, lines: WritingState, matmul_dtype: torch.dtype) -> Stepper:
        """Return a stepper that writes `lines` from their initial state. A subclass may return a
        faster stepper."""
        return Stepper(self, lines, matmul_dtype)

    @property
    def prediction_type(self) -> type[NextPoint]:
        """The class of the predictions; a subclass with another output overrides this, `predict`
        and `output_layer`, and sets `head` to a name of its own."""
        return HEADS[self.head]

    @property
    def has_density(self) -> bool:
        """Whether the network predicts a density of the offset, see `NextPoint`."""
        return self.prediction_type.has_density

    def points_seen(self, inputs: Tensor) -> Tensor:
        """Return the part of `forward`'s inputs that the network sees, `(B, T, I)`."""
        seen = inputs[..., : self.input_size]
        return functional.pad(seen, (0, self.input_size - seen.shape[2]))

    def output_layer(self, size: int) -> nn.Linear:
        """Return a new output layer for `size` numbers per step."""
        num_outputs = 6 * self.num_mixtures + 1 if self.has_density else 3  # the paper, eq. 17
        output = nn.Linear(size, num_outputs + self.end_of_sequence)
        if self.end_of_sequence:
            with torch.no_grad():
                # The last output is the log-odds against an end.
                output.bias[-1] = math.log(1.0 / INITIAL_END_PROBABILITY - 1.0)
        return output

    def predict(self, raw: Tensor) -> Mixture | PointEstimate:
        """Return the prediction that `raw` describes, the output layer's results `(B, T, any)`."""
        raw = clip_gradient(raw, self.clip_output_gradient)
        return self.prediction_type.from_parameters(
            raw, self.min_scales, self.max_correlation, self.end_of_sequence
        )

    def stretch_at(self, bias: float) -> tuple[float, float]:
        """Return the factors on the expected offsets in x and y for a bias, the default of
        `Sampling.stretch`: 1 + stretch * (1 - exp(-2 bias)) in x, and 1 in y."""
        return 1.0 - self.stretch * math.expm1(-2.0 * bias), 1.0

    @torch.inference_mode()
    def output_over(self, line: Line) -> Output:
        """Return the output at each step of a line that the network wrote, `(1, steps, ...)`. The
        network sees the line as a whole, even if the line was written in parts."""
        device = self.output.weight.device
        inputs = torch.from_numpy(self.normalisation.apply(line.ink[:-1]))[None]
        text = None
        text_lengths = None
        if line.text is not None:
            text, text_lengths = padded([self.alphabet.encode(line.text)], device)
        seeds = None if line.latent_seed is None else [line.latent_seed]
        state = self.initial_state(1, self.make_conditions(1, line.extras, seeds))
        return self(inputs.to(device), text, text_lengths, state)


@dataclass(frozen=True, kw_only=True)
class RecurrentSettings(GenerationSettings):
    """The settings of the paper's networks.

    Args:
        hidden_size: cells of each layer.
        num_layers: hidden layers.
        cell: kind of the cells.
        dropout: fraction of a hidden layer's outputs that the layer above and the output layer do
            not see in training.
        clip_lstm_gradient: bound as `clip_output_gradient`, but on the gradient with respect to the
            gates of the LSTMs before their activation functions (the paper: 10).
        hand_size: length of the vector of the hand on which the network is conditioned; None:
            the network takes no hand.
        hand_noise: standard deviation of the noise on the hand vector in training.
        untold: fraction of the lines that have no hand vector in training.
    """

    hidden_size: Size = 400
    num_layers: Annotated[int, Range(1, 16)] = 3
    cell: Literal["LSTM", "GRU"] = "LSTM"
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.0
    clip_lstm_gradient: Bound = None
    hand_size: Size | None = None
    hand_noise: Annotated[float, Range(0.0, 10.0)] = 0.3
    untold: Annotated[float, Range(0.0, 1.0)] = 0.33


class _RecurrentNetwork(GenerationNetwork):
    """Stacked recurrent layers with skip connections; the lowest layer may have a window.

    Every hidden layer sees the input and the layer below; the output layer sees all hidden layers
    (the paper, eqs 1-5). The layers above the lowest see the window as well (eq. 53).

    Args:
        normalisation: see `GenerationNetwork`.
        window: further arguments of the `WindowedLayer`; None for a network without a window.
        settings: see `RecurrentSettings`.
    """

    def __init__(
        self,
        normalisation: Normalisation,
        window: dict[str, float] | None = None,
        *,
        settings: RecurrentSettings,
    ) -> None:
        super().__init__(normalisation, settings=settings)
        cell = settings.cell
        hidden_size = settings.hidden_size
        num_layers = settings.num_layers
        seen_size = self.input_size  # inputs of a layer, without the layer below
        if window is None:
            layers: list[nn.Module] = [RecurrentLayer(cell, seen_size, hidden_size)]
        else:
            lowest = WindowedLayer(cell, seen_size, hidden_size, **window)
            layers = [lowest]
            seen_size += lowest.vocab_size
        for _ in range(num_layers - 1):
            layers.append(RecurrentLayer(cell, seen_size + hidden_size, hidden_size))
        self.layers = nn.ModuleList(layers)
        self.dropout = Dropout(settings.dropout)
        self.clip_lstm_gradient = settings.clip_lstm_gradient
        self.output = self.output_layer(num_layers * hidden_size)
        self.hand_encoder = None
        self.hand_gates = None
        hand_size = settings.hand_size
        if hand_size is not None:
            if cell == "GRU":
                raise ConfigFault("hand_size", hand_size, "null: GRU cells take no hand")
            self.hand_encoder = HandEncoder(hand_size, settings.hand_noise, settings.untold)
            num_gates = num_layers * 4 * hidden_size
            # One more input says whether a line is composed. At first hands change nothing.
            self.hand_gates = nn.Linear(hand_size + 1, num_gates, bias=False)
            nn.init.zeros_(self.hand_gates.weight)
            self.extras = ExtraShapes({"hand": (NUM_HAND_LINES, DESCRIPTOR + 1), "composed": (1,)})

    def stepper(self, lines: WritingState, matmul_dtype: torch.dtype) -> Stepper:
        """Return the compiled stepper if it computes this network's `forward`. The forward of a
        class outside this module, or of a layer outside `COMPILED_MODULES`, may differ."""
        compiled_types = {PredictionNetwork, SynthesisNetwork, *COMPILED_MODULES}
        types = {type(module) for module in self.modules()}
        is_compiled = self.has_density and types <= compiled_types
        if is_compiled and library.available(self.output.weight.device, matmul_dtype):
            return CompiledStepper(self, lines, matmul_dtype)
        return Stepper(self, lines, matmul_dtype)

    def initial_state(self, batch: int, conditions: Conditions | None = None) -> dict[str, Tensor]:
        """Return the state before the first step: zeros, and the hand vectors. If a subclass adds
        tensors to the state, `forward` returns them unchanged."""
        zeros = self.output.weight.new_zeros
        state = {}
        for number, layer in enumerate(self.layers):
            for name, size in layer.state_sizes.items():
                state[f"{number}.{name}"] = zeros(batch, size)
        if self.hand_encoder is not None:
            extras = (conditions or self.make_conditions(batch)).extras
            encode = self.hand_encoder
            lines = extras["hand"]
            vectors = encode(lines) if self.training else line_by_line(encode, lines)
            state["hand"] = torch.cat((vectors, extras["composed"]), 1)
        return state

    def hand_gate_inputs(
        self, hand: Tensor | None, *, each_alone: bool = False
    ) -> Sequence[Tensor | None]:
        """Return the terms that hands add to each layer's gates, `(B, 4 H)`; None without hands.
        With `each_alone` no line's terms depend on other lines, see `line_by_line`."""
        if hand is None:
            return [None] * len(self.layers)
        gates = self.hand_gates
        terms = line_by_line(gates, hand) if each_alone else gates(hand)
        return terms.chunk(len(self.layers), 1)

    # The base class has the types.
    def forward(self, inputs, text=None, text_lengths=None, state=None) -> Output:
        state = self.initial_state(len(inputs)) if state is None else state
        seen = self.points_seen(inputs).transpose(0, 1)  # (T, B, I)
        gradient_bound = self.clip_lstm_gradient
        hiddens = []
        last_state = dict(state)
        attention = None
        hand_inputs = self.hand_gate_inputs(state.get("hand"))
        for number, layer in enumerate(self.layers):
            initial = {name: state[f"{number}.{name}"] for name in layer.state_sizes}
            hand_input = hand_inputs[number]
            if isinstance(layer, WindowedLayer):
                hidden, windows, phi, final = layer(
                    seen, text, text_lengths, initial, gradient_bound, hand_input
                )
                # The upper layers see the windows of all steps at once.
                seen = torch.cat((seen.to(windows), windows), -1)
                attention = phi.transpose(0, 1)  # (B, T, U + 1)
            else:
                below = [self.dropout(hiddens[-1]).to(seen.dtype)] if hiddens else []
                inputs_of_layer = torch.cat([seen, *below], -1)
                hidden, final = layer(inputs_of_layer, initial, gradient_bound, hand_input)
            hiddens.append(hidden)  # (T, B, H)
            last_state |= {f"{number}.{name}": value for name, value in final.items()}
        raw = self.output(torch.cat([self.dropout(hidden) for hidden in hiddens], -1))
        return Output(self.predict(raw.transpose(0, 1)), last_state, attention)


class PredictionNetwork(_RecurrentNetwork):
    """The unconditional network, which writes without a text (the paper, section 4).

    Args:
        normalisation: see `GenerationNetwork`.
        settings: see `RecurrentSettings`.
    """

    # A config cannot set `window`: this signature lacks the argument.
    def __init__(self, normalisation: Normalisation, *, settings: RecurrentSettings) -> None:
        super().__init__(normalisation, settings=settings)


@dataclass(frozen=True, kw_only=True)
class SynthesisSettings(RecurrentSettings):
    """The settings of the conditional network.

    Args:
        num_windows: Gaussians of the window, K.
        window_advance: characters that the window moves per step before training (measured:
            IAM-OnDB has 29 characters and 628 points per line).
        longest: characters of the longest text that is written as a whole, None for no limit. A
            longer text is written in parts of at most half as many characters, all in the hand of
            the first part, see `long_lines`.
    """

    num_windows: Annotated[int, Range(1, 256)] = 10
    window_advance: Annotated[float, Range(1e-4, 1.0)] = 0.05
    longest: Annotated[int, Range(2, 100_000)] | None = None


class SynthesisNetwork(_RecurrentNetwork):
    """The conditional network, which sees its text through a soft window (the paper, section 5).

    Args:
        normalisation: see `GenerationNetwork`.
        alphabet: alphabet of the texts.
        settings: see `SynthesisSettings`.
    """

    needs_text: ClassVar[bool] = True

    def __init__(
        self, normalisation: Normalisation, alphabet: Alphabet, *, settings: SynthesisSettings
    ) -> None:
        window = {
            "vocab_size": len(alphabet),
            "components": settings.num_windows,
            "advance": settings.window_advance,
        }
        super().__init__(normalisation, window, settings=settings)
        self.alphabet = alphabet
        self.longest = settings.longest

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """See `BaseModel`."""
        # The upper layers see the input, the window, and the layer below, in this order.
        axes = {"layers.0.weight_window": (1, 0)}
        for number in range(1, len(self.layers)):
            axes[f"layers.{number}.layer.weight_ih_l0"] = (1, self.input_size)
        return axes
