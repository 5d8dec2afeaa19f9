"""A network that reads pictures of ink, which do not show the movement of the pen.

The network has convolutions over a grey picture, bidirectional recurrent layers over the remaining
columns, and CTC (Shi, Bai and Yao, "An end-to-end trainable neural network for image-based sequence
recognition", 2016).

Shapes: as in `encoder`; W columns of a picture, S = W / 4 frames.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ink.alphabet import Alphabet
from ink.drawing.pictures import FRAME_SIZE, ROWS, ink_picture
from ink.normalisation import Normalisation
from model.layers.dropout import Dropout
from model.recognition import encoder
from model.recognition.encoder import BidirectionalLayer, DropRatio, Size, without_padding
from utils.checks import Range

CONVOLUTIONS = (
    (16, (2, 2)),
    (32, (2, 2)),
    (64, (1, 1)),
    (64, (2, 1)),
    (128, (1, 1)),
    (128, (1, 1)),
)
"""Each convolution's output channels, and the numbers of rows and columns that its pooling merges;
all poolings together merge 8 rows and `FRAME_SIZE` columns (assumed). A convolution sees three by
three pixels. A convolution with as many input channels as output channels is residual."""
LABELS = 2
"""Number of labels of each frame. A character has about three frames: with a single label each,
they are too few for equal narrow neighbours, between which CTC needs a blank."""


class PictureNetwork(encoder.Recogniser):
    """Labels the frames of a picture with characters or the blank (CTC).

    Args:
        normalisation: see `Recogniser`.
        alphabet: alphabet of the texts.
        num_layers: number of bidirectional layers of LSTM cells.
        hidden_size: cells of each direction, H; the convolutions compute H numbers for each frame.
        dropout: fraction of the outputs of the convolutions and of each layer that is dropped in
            training.
    """

    def __init__(
        self,
        normalisation: Normalisation,
        alphabet: Alphabet,
        *,
        num_layers: Annotated[int, Range(1, 16)] = 2,
        hidden_size: Size = 160,
        dropout: DropRatio = 0.2,
    ) -> None:
        super().__init__(normalisation, alphabet)
        self.convolutions = nn.ModuleList()
        channels = 1
        rows = ROWS
        for size, (pool_rows, _) in CONVOLUTIONS:
            convolution = nn.Conv2d(channels, size, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            # With batch normalisation the network learns a little faster (measured, notebook:
            # reader, pictures). Residual convolutions begin at zero (Goyal et al. 2017).
            norm = nn.BatchNorm2d(size)
            if size == channels:
                nn.init.zeros_(norm.weight)
            self.convolutions.append(nn.Sequential(convolution, norm))
            channels = size
            rows = rows // pool_rows
        self.project = nn.Linear(channels * rows, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        sizes = [hidden_size, *[2 * hidden_size] * (num_layers - 1)]
        layers = [BidirectionalLayer("LSTM", size, hidden_size) for size in sizes]
        self.layers = nn.ModuleList(layers)
        self.divide = nn.Linear(2 * hidden_size, LABELS * hidden_size)
        self.dropout = Dropout(dropout)
        self.labels = self.label_layer(hidden_size)

    @property
    def features(self) -> Callable[..., np.ndarray]:
        return ink_picture

    def encode(self, features: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        frames = points // FRAME_SIZE
        hidden = self.dropout(self._frames(features, points)).transpose(0, 1)  # (S, B, H)
        for layer in self.layers:
            hidden = self.dropout(layer(hidden, frames))  # (S, B, 2 H)
        divided = functional.gelu(self.divide(hidden.transpose(0, 1)))  # (B, S, 2 H)
        divided = divided.reshape(divided.shape[0], -1, self.labels.in_features)  # (B, 2 S, H)
        return without_padding(divided, LABELS * frames), LABELS * frames

    def _frames(self, pictures: Tensor, columns: Tensor) -> Tensor:
        """Compute the frames `(B, S, H)` of pictures `(B, W, rows)` by the convolutions."""
        # Channels last: convolutions on a CPU take half the time.
        hidden = pictures.transpose(1, 2)[:, None].contiguous(memory_format=torch.channels_last)
        for convolution, (_, pool) in zip(self.convolutions, CONVOLUTIONS, strict=True):
            output = convolution(hidden)
            if output.shape[1] == hidden.shape[1]:
                output = output + hidden  # residual
            hidden = functional.max_pool2d(functional.relu(output), pool)
            columns = columns // pool[1]  # rows and columns
            inside = torch.arange(hidden.shape[3], device=hidden.device) < columns[:, None]
            hidden = hidden * inside[:, None, None]  # (B, channels, rows, columns)
        frames = self.norm(self.project(hidden.flatten(1, 2).transpose(1, 2)))  # (B, S, H)
        return functional.gelu(frames)
