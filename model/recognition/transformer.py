"""A transformer that reads: self-attention over the frames of a line, and CTC.

Shapes: as in `encoder`; D numbers per frame.
"""

from typing import Annotated, Any

import torch
from torch import Tensor, nn

from model.layers.attention import FeedForward, SelfAttention, check_heads
from model.layers.cells import state_dtype
from model.recognition.encoder import RecognitionNetwork
from utils.alphabet import Alphabet
from utils.checks import Range
from utils.normalisation import Normalisation


class TransformerReader(RecognitionNetwork):
    """Labels every frame as CTC does, by a transformer over all frames.

    Args:
        normalisation: see `RecognitionNetwork`, as are the arguments not listed here.
        alphabet: of the texts.
        hidden_size: numbers per frame, D.
        num_layers: blocks.
        num_heads: heads of the self-attention.
        dropout: share of the convolution's outputs, and of what each part of a block adds, that is
            dropped in training.

    Raises:
        ConfigFault: if the heads cannot share `hidden_size`.
    """

    def __init__(
        self,
        normalisation: Normalisation,
        alphabet: Alphabet,
        *,
        hidden_size: Annotated[int, Range(2, 8192)] = 256,
        num_layers: Annotated[int, Range(1, 64)] = 4,
        num_heads: Annotated[int, Range(1, 128)] = 4,
        dropout: Annotated[float, Range(0.0, 0.95)] = 0.1,
        **options: Any,
    ) -> None:
        check_heads(hidden_size, num_heads)
        super().__init__(normalisation, alphabet, dropout=dropout, **options)
        self.project = nn.Linear(self.convolution.out_channels, hidden_size)
        self.attentions, self.feed_forwards = nn.ModuleList(), nn.ModuleList()
        for _ in range(num_layers):
            self.attentions.append(SelfAttention(hidden_size, num_heads, dropout))
            self.feed_forwards.append(FeedForward(hidden_size, dropout))
        self.norm = nn.RMSNorm(hidden_size)
        self.labels = self.label_layer(hidden_size)

    def encode_frames(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.project(frames)  # (B, S, D)
        hidden = hidden.to(state_dtype(hidden.dtype))  # What blocks add up is not rounded.
        inside = torch.arange(hidden.shape[1], device=hidden.device) < lengths[:, None]  # (B, S)
        for attend, feed_forward in zip(self.attentions, self.feed_forwards, strict=True):
            hidden = feed_forward(attend(hidden, mask=inside)[0])
        return self.norm(hidden), lengths
