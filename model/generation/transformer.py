"""A causal transformer that writes: self-attention over points, a Gaussian window over the text.

What the recurrent network of the paper carries from step to step, this one finds again: each block
attends to the points before. The window is the paper's (section 5.1), except that it does not see
what it saw a step before, so that all steps are computed at once. Instead each block has one: that
of the lowest moves on by what it sees of the points, each further one is set off against the window
below, whose characters it has seen.

Shapes: B sequences, T steps, U characters, D numbers per step, N heads, K Gaussians of a window.
"""

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.generation.networks import GenerationNetwork, Output
from model.layers.attention import FeedForward, SelfAttention, check_heads
from model.layers.cells import state_dtype
from model.layers.window import ParallelWindow
from utils.alphabet import Alphabet
from utils.checks import Range
from utils.normalisation import Normalisation

RECENT = 7
"""Points before its own that a step sees directly (assumed: a stroke's bend)."""


class TransformerNetwork(GenerationNetwork):
    """Writes a text as a causal transformer; its state are keys, values and the window's place.

    Args:
        normalisation: see `GenerationNetwork`, as are the arguments not listed here.
        alphabet: of the texts.
        hidden_size: numbers per step, D.
        num_layers: blocks.
        num_heads: heads of the self-attention, N.
        dropout: share of what each part of a block adds that is dropped in training.
        num_windows: Gaussians of each window, K.
        window_advance: characters that the window moves per step before training.
        longest: characters of the longest text that is written as a whole, see `SynthesisNetwork`.

    Raises:
        ConfigFault: if the heads cannot share `hidden_size`.
    """

    needs_text: ClassVar[bool] = True
    point_weights: ClassVar[tuple[str, ...]] = ("points.weight",)

    def __init__(
        self,
        normalisation: Normalisation,
        alphabet: Alphabet,
        *,
        hidden_size: Annotated[int, Range(2, 8192)] = 256,
        num_layers: Annotated[int, Range(1, 64)] = 4,
        num_heads: Annotated[int, Range(1, 128)] = 4,
        dropout: Annotated[float, Range(0.0, 0.95)] = 0.0,
        num_windows: Annotated[int, Range(1, 256)] = 10,
        window_advance: Annotated[float, Range(1e-4, 1.0)] = 0.05,
        longest: Annotated[int, Range(2, 100_000)] | None = None,
        **options: Any,
    ) -> None:
        check_heads(hidden_size, num_heads)
        super().__init__(normalisation, **options)
        self.alphabet, self.longest, self.num_windows = alphabet, longest, num_windows
        self.num_heads, self.head_size = num_heads, hidden_size // num_heads
        self.points = nn.Conv1d(self.input_size, hidden_size, RECENT + 1)
        self.characters = nn.Embedding(len(alphabet), hidden_size)
        self.attentions, self.windows, self.feed_forwards = (nn.ModuleList() for _ in range(3))
        for number in range(num_layers):
            advance = None if number else window_advance
            self.attentions.append(SelfAttention(hidden_size, num_heads, dropout))
            self.windows.append(ParallelWindow(hidden_size, num_windows, advance))
            self.feed_forwards.append(FeedForward(hidden_size, dropout))
        self.norm = nn.RMSNorm(hidden_size)
        self.output = self.output_layer(hidden_size)

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first step: no keys, no values, the window at the start."""
        zeros = self.output.weight.new_zeros
        state = {"kappa": zeros(batch, self.num_windows)}
        state["points"] = zeros(batch, RECENT, self.input_size)
        for number in range(len(self.attentions)):
            for name in ("keys", "values"):
                state[f"{number}.{name}"] = zeros(batch, self.num_heads, 0, self.head_size)
        return state

    def forward(
        self,
        inputs: Tensor,
        text: Tensor | None = None,
        text_lengths: Tensor | None = None,
        state: dict[str, Tensor] | None = None,
    ) -> Output:
        state = self.initial_state(len(inputs)) if state is None else state
        seen = self.points_seen(inputs)  # (B, T, I)
        seen = torch.cat((state["points"].to(seen), seen), 1)
        hidden = self.points(seen.transpose(1, 2)).transpose(1, 2)  # (B, T, D)
        hidden = hidden.to(state_dtype(hidden.dtype))  # What blocks add up is not rounded.
        inside = torch.arange(text.shape[1] + 1, device=text.device) < text_lengths[:, None]
        embedded = self.characters(functional.pad(text, (0, 1))) * inside[..., None]
        embedded, kappa = embedded.to(hidden), state["kappa"][:, None]
        carried = {"points": seen[:, -RECENT:]}
        for number, attend in enumerate(self.attentions):
            past = state[f"{number}.keys"], state[f"{number}.values"]
            hidden, (carried[f"{number}.keys"], carried[f"{number}.values"]) = attend(hidden, past)
            hidden, kappa, phi = self.windows[number](hidden, embedded, kappa)  # phi: (B, T, U + 1)
            if not number:
                carried["kappa"] = kappa[:, -1]
            hidden = self.feed_forwards[number](hidden)
        return Output(self.predict(self.output(self.norm(hidden))), carried, phi.detach())

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """The weights with an index for each character, see `BaseModel`."""
        return {"characters.weight": (0, 0)}
