"""Parts of a user's own: a network that is told a mood and draws a temper, and moody lines."""

import torch
from torch import nn

from base.data.samples import ExtraShapes
from data_loader.sources.own_ink import OwnInk
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model.generation.generators import SynthesisNetwork, SynthesisSettings
from model.generation.loss import NegativeLogLikelihood
from model.generation.metrics import SSE
from tests.construct import construct

NORMALISATION = Normalisation((8.0, 0.5), (40.0, 30.0))


class Moody(SynthesisNetwork):
    """Sees at each step what it was told and what it drew where its sequence began."""

    def __init__(
        self, normalisation, alphabet, extras, *, size: int = 2, settings: SynthesisSettings
    ):
        super().__init__(normalisation, alphabet, settings=settings)
        self.extras, self.size = extras, size
        self.shift = nn.Linear(extras["mood"][0] + size, self.input_size)

    def initial_state(self, batch, given=None):
        given = given or self.told(batch)
        temper = torch.randn(batch, self.size)
        if given.generators is not None:
            draws = [torch.randn(self.size, generator=generator) for generator in given.generators]
            temper = torch.stack(draws)
        seen = torch.cat((given.extras["mood"], temper), 1)
        return super().initial_state(batch) | {"told": seen}

    def forward(self, inputs, text=None, text_lengths=None, state=None):
        state = self.initial_state(len(inputs)) if state is None else state
        seen = self.points_seen(inputs) + self.shift(state["told"])[:, None]
        return super().forward(seen, text, text_lengths, state)


class OfNetwork(NegativeLogLikelihood):
    def __init__(self, model, *, reduction: str = "point"):
        super().__init__(reduction=reduction)
        self.size = model.size


class SizeOf(SSE):
    def __init__(self, model):
        super().__init__()
        self.size = model.size


def moody(**shapes):
    """Return an untrained network that takes a mood of two numbers, and extras of these shapes."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_layers": 2, "num_mixtures": 2, "num_windows": 2}
    extras = ExtraShapes({"mood": [2], **shapes})
    return construct(Moody, NORMALISATION, Alphabet("abc "), extras, **sizes).eval()


class Moods(OwnInk):
    """Forty zigzags of ten persons, as high as their mood."""

    def lines(self):
        for number in range(40):
            text, mood = ("zigzag", "zag", "zig zag")[number % 3], number % 4
            points = [[(9 * n + k, (k % 2) * (3 + 4 * mood)) for k in range(8)] for n in range(20)]
            strokes = [points[n] for n, letter in enumerate(text) if letter != " "]
            yield text, strokes, f"person-{number % 10}", {"mood": [mood / 3, 1.0]}


class Moodless(Moods):
    def lines(self):
        return (line[:3] for line in super().lines())


class Wider(Moods):
    def lines(self):
        return ((*line[:3], {"mood": [1.0, 2.0, 3.0]}) for line in super().lines())
