"""Descriptors of hands: numbers that depend little on the text, the size and the pen of a line.

Frozen copies of the lowest layers of the recogniser `open_reader` compute outputs for the frames of
a line. The moments of a line are the means and mean squares of these outputs. Moments are
projected on the axes in which hands differ most (linear discriminant analysis, UNIPEN's persons).
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from base.base_data_loader import padded
from base.run.pretrained import weights_file
from model.batches import by_length
from model.recognition.encoder import KERNEL, BidirectionalLayer
from model.recognition.ink_features import STRIDE, StrokeFeatures, num_features

PARTS = 3
"""The argument `parts` of `stroke_features`: the value of `open_reader`."""
FRAMES = 100.0
"""A line with this number of frames, some twenty characters, has a weight of 1 (assumed)."""


class HandDescriptor(nn.Module):
    """A network that computes the descriptors of lines.

    Args:
        channels: number of output channels of the convolution.
        hidden_size: number of cells of each direction of the recurrent layer.
        size: length of a descriptor, D.
    """

    def __init__(self, channels: int, hidden_size: int, size: int) -> None:
        super().__init__()
        num_inputs = num_features(PARTS)
        self.convolution = nn.Conv1d(num_inputs, channels, KERNEL, STRIDE, padding=KERNEL // 2)
        self.layer = BidirectionalLayer("LSTM", channels, hidden_size)
        moments = 2 * (channels + 2 * hidden_size)  # mean and mean square of each output
        self.register_buffer("mean", torch.zeros(moments))
        self.register_buffer("projection", torch.zeros(moments, size))

    @classmethod
    def load(cls) -> Self:
        """Load the descriptor that comes with the project."""
        with np.load(weights_file("descriptor")) as file:
            weights = {name: torch.tensor(file[name]).float() for name in file.files}
        moments, size = weights["projection"].shape
        channels = len(weights["convolution.bias"])
        hidden_size = (moments // 2 - channels) // 2  # see the constructor
        descriptor = cls(channels, hidden_size, size)
        descriptor.load_state_dict(weights)
        return descriptor.eval()

    @torch.inference_mode()
    def _moments(self, inks: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the means and mean squares over the frames of each line, `(lines, moments)`, and
        the lines' weights, `(lines,)`, float32."""
        points, counts = padded(StrokeFeatures(parts=PARTS).batch(inks), self.mean.device)
        lengths = (counts + STRIDE - 1) // STRIDE  # frames, rounded up
        frames = functional.gelu(self.convolution(points.float().transpose(1, 2)))
        frames = frames.permute(2, 0, 1)  # from (B, channels, S) to (S, B, channels)
        outputs = torch.cat((frames, self.layer(frames, lengths)), 2).double()
        inside = torch.arange(len(frames), device=lengths.device)[:, None] < lengths
        outputs = outputs * inside[..., None]
        moments = torch.cat((outputs.sum(0), outputs.square().sum(0)), 1) / lengths[:, None]
        weights = lengths / FRAMES
        return moments.float().numpy(force=True), weights.numpy(force=True)

    @torch.inference_mode()
    def describe(self, inks: Sequence[np.ndarray], *, progress: bool = False) -> np.ndarray:
        """Return a row for each line `(points, 3)` of any unit, `(lines, D + 1)` float32: a line's
        descriptor times the line's weight, and the weight. A sum of rows describes all lines."""
        moments = np.zeros((len(inks), len(self.mean)), np.float32)
        weights = np.zeros(len(inks), np.float32)
        lengths = [len(ink) for ink in inks]
        for numbers in by_length(lengths, "describing lines", progress=progress):
            moments[numbers], weights[numbers] = self._moments([inks[k] for k in numbers])
        descriptors = (torch.from_numpy(moments).to(self.mean) - self.mean) @ self.projection
        return np.c_[descriptors.numpy(force=True) * weights[:, None], weights]
