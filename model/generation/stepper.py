"""Runs a network step by step to write lines.

A stepper advances many lines by several steps in one call. Each call of `sample` makes a new
stepper, because the network may be trained between two calls. `Stepper` calls the network's
`forward`; a network may offer a faster stepper (`GenerationNetwork.stepper`).

Shapes: B lines, T steps, U characters of a text, I numbers of a point.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from base.base_model import BaseModel
from model.generation.sampling_options import Sampling

PERIOD = 16
"""Most steps of a call (assumed: 16 make calls and checks for ended lines rare, and waste 8 steps a
line on average). The value affects lines with a bias: their pens are checked for rest per call."""


@dataclass
class WritingState:
    """The lines that a stepper works on.

    Attributes:
        point: the next input, `(B, I)`, normalised.
        state: the network's state before the next step: tensors by name, `(B, ...)` each.
        bias: sharpening of the mixture, `(B,)`.
        text, text_lengths: indices of the characters, `(B, U)`, and their number, `(B,)`; None for
            a network without a window.
        sampling: options of all lines. `sampling.bias` is the bias at the first step only.
    """

    point: Tensor
    state: dict[str, Tensor]
    bias: Tensor
    text: Tensor | None = None
    text_lengths: Tensor | None = None
    sampling: Sampling = Sampling()

    def stretch(self, network: BaseModel) -> tuple[float, float]:
        """Return the factors on the mixture's means in x and y, see `mixture.stretched`."""
        return self.sampling.stretch or network.stretch_at(self.sampling.bias)

    def __getitem__(self, rows: Tensor) -> Self:
        """Return the lines of some rows."""
        state = {name: value[rows] for name, value in self.state.items()}
        lines = replace(self, point=self.point[rows], state=state, bias=self.bias[rows])
        if self.text is None:
            return lines
        return replace(lines, text=self.text[rows], text_lengths=self.text_lengths[rows])


class Stepper:
    """Advances lines by a network's `forward`, called once for each step.

    Args:
        network: a `GenerationNetwork`, used with its present weights.
        lines: the lines before their first step.
        matmul_dtype: dtype of the matrix products: the weights' dtype, or bfloat16. All else has
            the weights' dtype.
    """

    def __init__(self, network: BaseModel, lines: WritingState, matmul_dtype: torch.dtype) -> None:
        self.network, self.lines, self.bfloat16 = network, lines, matmul_dtype == torch.bfloat16

    def run(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the next points of all lines, `(T, B, I)`, and phi `(T, B, U + 1)` or None.

        The next call may overwrite the returned tensors.

        Args:
            uniform, normal: random numbers for `Mixture.sample`, `(T, B, 2)` each, for at most
                `PERIOD` steps.
        """
        points, phis = [], []
        # The context encloses all steps, so that autocast rounds the weights only once.
        with torch.autocast(uniform.device.type, torch.bfloat16, self.bfloat16):
            for random_numbers in zip(uniform, normal, strict=True):
                lines = self.lines
                inputs = lines.point[:, None], lines.text, lines.text_lengths, lines.state
                output = self.network(*inputs)
                prediction, factors = output.prediction[:, -1], lines.stretch(self.network)
                prediction = prediction.stretched(factors, self.network.normalisation)
                prediction = prediction.biased(lines.bias, lines.sampling.pen_sharpness)
                points.append(prediction.sample(*random_numbers))
                if output.attention is not None:
                    phis.append(output.attention[:, -1])
                # A fourth number of the next input is 0: the sequence continues.
                point = functional.pad(points[-1][:, :3], (0, lines.point.shape[1] - 3))
                self.lines = replace(lines, point=point, state=output.state)
        return torch.stack(points), torch.stack(phis) if phis else None

    def keep(self, rows: Tensor) -> None:
        """Keep only the lines of `rows`, ascending indices of the present lines."""
        self.lines = self.lines[rows]

    def sharpen(self, bias: Tensor) -> None:
        """Set the bias of each of the present lines, `(B,)`."""
        self.lines = replace(self.lines, bias=bias.clone())
