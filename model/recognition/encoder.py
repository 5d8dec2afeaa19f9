"""The base classes of recognition networks, which encode ink as frames and label the frames.

The features of `ink_features` go through a convolution, which makes one frame of two points, and
then through layers such as bidirectional recurrent layers (`RecurrentEncoder`). `picture_network`
sees pictures instead. A line's output does not depend on its padding, nor on other lines.

Shapes: B lines of a batch, S frames, U characters of a text, C characters of the alphabet,
F features of a point, H cells, D numbers of a frame's encoding.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from base.base_data_loader import features_of, padded
from base.base_model import BaseModel
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model.layers.dropout import Dropout
from model.layers.kernels import bidirectional, library
from model.layers.recurrent import RecurrentLayer, compute_dtype, state_dtype
from model.recognition.decoding import GREEDY, Search, ctc_texts
from model.recognition.ink_features import FEATURE_SPACING, STRIDE, StrokeFeatures, num_features
from utils.checks import ConfigFault, Range

Size = Annotated[int, Range(1, 8192)]
DropRatio = Annotated[float, Range(0.0, 0.95)]

# The numbers of points below hold at the default `FEATURE_SPACING`.
KERNEL = 5
"""Width of the convolution in points (assumed: about half a character)."""
MASK_LENGTH = 10
"""Mean length in points of a masked span (measured: IAM-OnDB has 9 points per character)."""


@dataclass(frozen=True, eq=False)
class Transcript:
    """The output of a recogniser for a batch; a `Transcription` is what was read of one line.

    Attributes:
        alphabet: characters of the classes; class C is the blank or the end of the text.
        ctc_log_probs: log-probabilities at each frame, `(B, S, C + 1)`, the blank last.
        lengths: number of frames of each line, `(B,)`.
        decoder_log_probs: log-probabilities of each next character given the characters before,
            `(B, U + 1, C + 1)`, the end of the text last; None without a decoder.
        attention: the decoder's weights of the frames, `(B, U + 1, S)`; None without a decoder.
        hypotheses: the texts that were read; None if no search was requested.
    """

    alphabet: Alphabet
    ctc_log_probs: Tensor
    lengths: Tensor
    decoder_log_probs: Tensor | None = None
    attention: Tensor | None = None
    hypotheses: list[str] | None = None


class BidirectionalLayer(nn.Module):
    """Two recurrent layers of H cells each, one forwards and one backwards from each line's end;
    for the arguments see `RecurrentLayer`."""

    def __init__(self, cell: str, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.forward_rnn = RecurrentLayer(cell, input_size, hidden_size)
        self.backward_rnn = RecurrentLayer(cell, input_size, hidden_size)
        self.hidden_size = hidden_size

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the hidden states of both directions, `(S, B, 2 H)`, for `inputs`
        `(S, B, input_size)` of `lengths` `(B,)`. Padding is arbitrary, that of
        inputs finite where gradients are computed."""
        dtype = compute_dtype(inputs)
        rnns = (self.forward_rnn, self.backward_rnn)
        is_lstm = self.forward_rnn.cell == "LSTM"
        if is_lstm and library.available(inputs.device, dtype):
            return bidirectional.run(dtype, inputs, lengths, [rnn.layer for rnn in rnns])
        steps, batch = inputs.shape[:2]
        frame = torch.arange(steps, device=inputs.device)[:, None]
        reversed_frame = torch.where(frame < lengths, lengths - 1 - frame, frame)  # (S, B)
        line = torch.arange(batch, device=inputs.device)
        order = (reversed_frame * batch + line).flatten()  # indices of pairs (frame, line), (S B)
        state = {
            name: inputs.new_zeros(batch, size, dtype=state_dtype(inputs.dtype))
            for name, size in self.forward_rnn.state_sizes.items()
        }

        def reversed_lines(values: Tensor) -> Tensor:
            # The gradient of indexing by brackets would take ten times as long (measured).
            return values.flatten(0, 1).index_select(0, order).view_as(values)

        forwards, _ = self.forward_rnn(inputs, state)
        backwards, _ = self.backward_rnn(reversed_lines(inputs), state)
        return torch.cat((forwards, reversed_lines(backwards)), -1)  # (S, B, 2 H)


class Recogniser(BaseModel):
    """A network that reads lines: the base class of all recognisers.

    The network labels every frame with a character or the blank (connectionist temporal
    classification, CTC). The labels give the text, unless a subclass has a decoder. A subclass
    creates its layers, and the output layer `labels` by `label_layer`. It implements `features`,
    which turns ink into inputs, and `encode`, which computes the encodings that `labels` sees.

    Args:
        normalisation: normalisation of offsets, for checkpoints only: features do not need it.
        alphabet: alphabet of the texts.
    """

    needs_text: ClassVar[bool] = True

    head: ClassVar[str] = "ctc"
    """The output that gives the text, "ctc" or "decoder"; the loss must have the same `head`."""

    labels: nn.Linear

    def __init__(self, normalisation: Normalisation, alphabet: Alphabet) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.alphabet = alphabet

    def label_layer(self, size: int) -> nn.Linear:
        """Return a new output layer over frames of `size` numbers; its last class is the blank."""
        return nn.Linear(size, len(self.alphabet) + 1)

    @property
    @abstractmethod
    def features(self) -> Callable[..., np.ndarray]:
        """The function that turns ink into the network's inputs, `(points, F)`; see `BaseModel`.
        Its argument `height` sets the x-height, which cannot be measured on very short ink."""

    def batched(self, features: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
        """Return padded features, `(B, points, F)`, and the numbers of points of lines, `(B,)`."""
        weight = self.labels.weight
        points, lengths = padded(features, weight.device)
        return points.to(weight), lengths

    @abstractmethod
    def encode(self, features: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Run the encoder.

        Args:
            features: `(B, points, F)`, zero after each line's end.
            points: number of points of each line, `(B,)`.

        Returns:
            encodings `(B, S, D)`, zero after each line's end, and the numbers of frames, `(B,)`.
        """

    def forward(
        self,
        features: Tensor,
        points: Tensor,
        text: Tensor | None = None,
        text_lengths: Tensor | None = None,
        *,
        teacher_forcing_ratio: float = 1.0,
        search: Search | None = None,
    ) -> Transcript:
        """Read lines.

        Args:
            features, points: see `encode`.
            text: the true texts as indices `(B, U)`; None if the texts are unknown.
            text_lengths: number of characters of each text, `(B,)`.
            teacher_forcing_ratio: fraction of true characters among a decoder's inputs in training;
                the other inputs are the decoder's predictions.
            search: how to search for the texts; None for no search.
        """
        encoded, lengths = self.encode(features, points)
        transcript = Transcript(self.alphabet, log_softmax(self.labels(encoded)), lengths)
        if search is not None:
            hypotheses = self.decode(encoded, transcript.ctc_log_probs, lengths, search)
            transcript = replace(transcript, hypotheses=hypotheses)
        return self.teacher_forced(transcript, encoded, text, teacher_forcing_ratio)

    def teacher_forced(
        self, transcript: Transcript, encoded: Tensor, text: Tensor | None, forcing_ratio: float
    ) -> Transcript:
        """Return `transcript` with the outputs of the decoder for `text`, if there is a decoder."""
        return transcript

    def decode(
        self, encoded: Tensor, log_probs: Tensor, lengths: Tensor, search: Search
    ) -> list[str]:
        """Return the text of each line; `encoded` and `lengths` are the results of `encode`, and
        `log_probs` are the `ctc_log_probs`."""
        texts = ctc_texts(log_probs, lengths, search)
        return list(map(self.alphabet.decode, texts))

    @torch.inference_mode()
    def read(self, inks: Sequence[np.ndarray], search: Search = GREEDY) -> Transcript:
        """Read ink of any unit, `(points, 3)` each; call `eval()` first."""
        return self(*self.batched(features_of(self.features, inks)), search=search)

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """The axes of weights that have an index for each character, see `BaseModel`."""
        axis, first_index = 0, 0
        return {name: (axis, first_index) for name in ("labels.weight", "labels.bias")}


@dataclass(frozen=True, kw_only=True)
class RecognitionSettings:
    """The settings of all recognisers that see the movement of the pen.

    Args:
        channels: output channels of the convolution.
        dropout: fraction of the outputs of the convolution and of each layer that is dropped in
            training.
        mask_ratio: fraction of the points masked in training, in stretches of about a character, so
            that the network learns to use the context (like SpecAugment, Park et al. 2019).
        spacing: distance between the points of the features, in x-heights. A smaller distance shows
            more detail and gives more frames.
        parts: number of parts into which the path between two points is divided. The directions of
            the parts are further features. They show details between the points, such as the tip of
            a brace, without more frames. 1: no further features.
    """

    channels: Size = 64
    dropout: DropRatio = 0.3
    mask_ratio: DropRatio = 0.0
    spacing: Annotated[float, Range(0.02, 2.0)] = FEATURE_SPACING
    parts: Annotated[int, Range(1, 16)] = 1


class RecognitionNetwork(Recogniser):
    """A recogniser that sees the movement of the pen, as the features of `ink_features`.

    A convolution of stride 2 over the points of the features computes frames. A subclass computes
    its layers over the frames in `encode_frames`.

    Args:
        normalisation: see `Recogniser`.
        alphabet: alphabet of the texts.
        settings: see `RecognitionSettings`.
    """

    points_per_frame: int = STRIDE
    """Number of points for each frame of the encoding."""

    def __init__(
        self, normalisation: Normalisation, alphabet: Alphabet, *, settings: RecognitionSettings
    ) -> None:
        super().__init__(normalisation, alphabet)
        self.mask_ratio = settings.mask_ratio
        self.spacing = settings.spacing
        self.parts = settings.parts
        num_inputs = num_features(settings.parts)
        self.convolution = nn.Conv1d(
            num_inputs, settings.channels, KERNEL, STRIDE, padding=KERNEL // 2
        )
        self.dropout = Dropout(settings.dropout)

    @abstractmethod
    def encode_frames(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Run the layers above the convolution.

        Args:
            frames: `(B, S, channels)`, zero after each line's end.
            lengths: number of frames of each line, `(B,)`.

        Returns:
            encodings `(B, S, D)`, arbitrary after each line's end, and the number of frames of each
            line, `(B,)`. Layers may merge frames, so S may be smaller than before.
        """

    @property
    def features(self) -> Callable[..., np.ndarray]:
        return StrokeFeatures(self.spacing, self.parts)

    def encode(self, features: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        if self.training and self.mask_ratio:
            features = self._with_masks(features)
        frames = functional.gelu(self.convolution(features.transpose(1, 2)))  # (B, channels, S)
        frames = self.dropout(frames).transpose(1, 2)
        lengths = (points + STRIDE - 1) // STRIDE  # rounded up
        hidden, lengths = self.encode_frames(without_padding(frames, lengths), lengths)
        return without_padding(hidden, lengths), lengths

    def _with_masks(self, features: Tensor) -> Tensor:
        """Return `features` `(B, points, F)` with about `mask_ratio` of the points set to zero."""
        batch, points, _ = features.shape
        mean_length = max(1, round(MASK_LENGTH * FEATURE_SPACING / self.spacing))
        # Without overlaps the stretches would cover `mask_ratio` of the points.
        begins = torch.rand(batch, points, device=features.device) < self.mask_ratio / mean_length
        # Uniform from 1 to 2 `mean_length` - 1.
        lengths = torch.randint(1, 2 * mean_length, (batch, points), device=features.device)
        positions = torch.arange(points, device=features.device)
        # The furthest end of the stretches that began so far, (B, points).
        ends = torch.where(begins, positions + lengths, 0).cummax(1).values
        return features.masked_fill((positions < ends)[..., None], 0.0)


@dataclass(frozen=True, kw_only=True)
class EncoderSettings(RecognitionSettings):
    """The settings of recognisers with bidirectional recurrent layers.

    Args:
        num_layers: number of layers of the encoder.
        time_reductions: pairs of frames are merged after each of this many layers, from the lowest
            on; never after the highest layer. With half the `spacing` and a further reduction, the
            layers above the lowest see as many frames as before.
        hidden_size: number of cells of each direction of a layer.
        cell: kind of the cells.
    """

    num_layers: Annotated[int, Range(1, 16)] = 3
    time_reductions: Annotated[int, Range(0, 4)] = 0
    hidden_size: Size = 256
    cell: Literal["LSTM", "GRU"] = "LSTM"


class RecurrentEncoder(RecognitionNetwork):
    """A recogniser with bidirectional recurrent layers.

    Args:
        normalisation: see `Recogniser`.
        alphabet: alphabet of the texts.
        settings: see `EncoderSettings`.

    Raises:
        ConfigFault: if `time_reductions` is not below `num_layers`.
    """

    def __init__(
        self, normalisation: Normalisation, alphabet: Alphabet, *, settings: EncoderSettings
    ) -> None:
        super().__init__(normalisation, alphabet, settings=settings)
        time_reductions = settings.time_reductions
        limit = settings.num_layers - 1
        if time_reductions > limit:
            expected = f"at most {limit}, as frames are not merged after the highest layer"
            raise ConfigFault("time_reductions", time_reductions, expected)
        self.time_reductions = time_reductions
        self.points_per_frame = STRIDE * 2**time_reductions
        size = self.convolution.out_channels
        layers = []
        for number in range(settings.num_layers):
            layers.append(BidirectionalLayer(settings.cell, size, settings.hidden_size))
            frames_merged = 2 if number < self.time_reductions else 1
            size = 2 * settings.hidden_size * frames_merged
        self.layers = nn.ModuleList(layers)
        self.encoded_size = size
        self.labels = self.label_layer(size)

    def encode_frames(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        hidden = frames.transpose(0, 1)  # (S, B, channels)
        for number, layer in enumerate(self.layers):
            hidden = self.dropout(layer(hidden, lengths))  # (S, B, 2 H)
            if number < self.time_reductions:
                hidden, lengths = _merged_pairs(hidden, lengths)  # (S / 2, B, 4 H)
        return hidden.transpose(0, 1), lengths


def log_softmax(output: Tensor) -> Tensor:
    """Return log-probabilities over the last dimension, in float32 or float64."""
    return functional.log_softmax(output.to(state_dtype(output.dtype)), -1)


def without_padding(frames: Tensor, lengths: Tensor) -> Tensor:
    """Return `frames` `(B, S, D)` with zeros after each line's end."""
    inside = torch.arange(frames.shape[1], device=frames.device) < lengths[:, None]  # (B, S)
    return frames * inside[..., None]


def _merged_pairs(hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the concatenated frames of each pair, `(S / 2, B, 2 D)`, and the numbers of pairs; the
    second frame of a line's last pair may be zeros."""
    hidden = without_padding(hidden.transpose(0, 1), lengths).transpose(0, 1)
    hidden = functional.pad(hidden, (0, 0, 0, 0, 0, hidden.shape[0] % 2))  # an even number
    return torch.cat((hidden[0::2], hidden[1::2]), -1), (lengths + 1) // 2
