"""The recognition networks that see the movement of the pen.

Both are a `RecurrentEncoder`. `CTCNetwork` labels every frame with a character or the blank
(Graves, Fernandez, Gomez and Schmidhuber 2006; on pen movements Graves et al. 2009).
`AttentionNetwork` generates the text character by character, and for each character attends to some
of the frames (Bahdanau, Cho and Bengio 2015; location-aware, Chorowski et al. 2015).

Shapes: letters as in `encoder`, and A for the dimensions of the attention.
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from base.base_data_loader import padded
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model.layers.kernels import decoder, library
from model.layers.recurrent import compute_dtype, reorder_gates, state_dtype
from model.recognition.decoding import Search, attention_texts
from model.recognition.encoder import (
    EncoderSettings,
    RecurrentEncoder,
    Size,
    Transcript,
    log_softmax,
)
from model.recognition.ink_features import FEATURE_SPACING
from utils.checks import Range


class CTCNetwork(RecurrentEncoder):
    """Labels every frame with a character or the blank (connectionist temporal classification).

    Args:
        normalisation, alphabet, settings: see `RecurrentEncoder`.
    """


@dataclass(frozen=True, kw_only=True)
class AttentionSettings(EncoderSettings):
    """The settings of a recogniser with a decoder.

    Args:
        decoder_size: number of cells of the decoder.
        attention_size: dimension in which the attention compares frames with the decoder's state.
        embedding_size: dimension of a character's embedding.
    """

    num_layers: Annotated[int, Range(1, 16)] = 2
    time_reductions: Annotated[int, Range(0, 4)] = 1
    decoder_size: Size = 256
    attention_size: Size = 128
    embedding_size: Size = 50


class AttentionNetwork(RecurrentEncoder):
    """Generates the text character by character, attending to the frames.

    The decoder is an LSTM that sees the previous character and the previous context. Its attention
    is additive and location-aware. A second output labels the frames as in CTC. A loss over both
    outputs (Watanabe et al. 2017) makes the attention follow the line much earlier in training.

    Args:
        normalisation: see `Recogniser`.
        alphabet: alphabet of the texts.
        settings: see `AttentionSettings`.
    """

    head: ClassVar[str] = "decoder"

    def __init__(
        self, normalisation: Normalisation, alphabet: Alphabet, *, settings: AttentionSettings
    ) -> None:
        super().__init__(normalisation, alphabet, settings=settings)
        embedding_size = settings.embedding_size
        attention_size = settings.attention_size
        decoder_size = settings.decoder_size
        self.end = len(alphabet)  # class of a text's end, C; class C + 1 is a text's beginning
        self.embedding = nn.Embedding(self.end + 2, embedding_size)
        self.decoder = nn.LSTMCell(embedding_size + self.encoded_size, decoder_size)
        self.keys = nn.Linear(self.encoded_size, attention_size)
        self.query = nn.Linear(decoder_size, attention_size, bias=False)
        # For the location; as wide as the compiled decoder's filters.
        span = decoder.SPAN
        self.places = nn.Conv1d(1, attention_size, span, padding=span // 2, bias=False)
        self.energy = nn.Linear(attention_size, 1, bias=False)
        self.characters = nn.Linear(decoder_size + self.encoded_size, self.end + 1)

    def teacher_forced(
        self, transcript: Transcript, encoded: Tensor, text: Tensor | None, forcing_ratio: float
    ) -> Transcript:
        is_reading = text is None and transcript.hypotheses is not None
        if is_reading:  # the attention is computed for the text that was read
            texts = list(map(self.alphabet.encode, transcript.hypotheses))
            text, _ = padded(texts, encoded.device)
        if text is None:
            return transcript
        state = self._start(encoded, transcript.lengths)
        log_probs, attention = self._teacher_forced(text, state, forcing_ratio)
        log_probs = None if is_reading else log_probs
        return replace(transcript, attention=attention, decoder_log_probs=log_probs)

    def decode(
        self, encoded: Tensor, log_probs: Tensor, lengths: Tensor, search: Search
    ) -> list[str]:
        # At `FEATURE_SPACING` no line of IAM-OnDB has fewer than 3 points per character (measured);
        # 5 characters more, as short lines may be of dots (assumed).
        points = self.points_per_frame * lengths * (self.spacing / FEATURE_SPACING)
        texts = attention_texts(
            lambda tokens, state: self.step(tokens, state)[:2],  # without the attention
            self._start(encoded, lengths),
            search,
            max_lengths=(5 + points / 3).long().tolist(),
            end=self.end,
            per_line=("frames", "keys", "padding_mask"),
        )
        return list(map(self.alphabet.decode, texts))

    def _start(self, encoded: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Return the decoder's state before the first character; all tensors are `(B, ...)`."""
        batch, frames, _ = encoded.shape
        dtype = state_dtype(encoded.dtype)
        zeros = encoded.new_zeros(batch, self.decoder.hidden_size, dtype=dtype)
        padding_mask = torch.arange(frames, device=encoded.device) >= lengths[:, None]
        return {
            "hidden": zeros,
            "cell": zeros,
            "context": encoded.new_zeros(batch, self.encoded_size, dtype=dtype),
            "cumulative_attention": encoded.new_zeros(batch, frames, dtype=dtype),
            "frames": encoded,
            "keys": self.keys(encoded),
            "padding_mask": padding_mask,
        }

    def step(
        self, tokens: Tensor, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Predict the next character of each text.

        Args:
            tokens: the texts' previous characters, `(B,)`; class C + 1 before the first character.
            state: the state after the previous step.

        Returns:
            log-probabilities `(B, C + 1)`, the state after this step, and the attention `(B, S)`.
        """
        frames = state["frames"]
        keys = state["keys"]
        cumulative = state["cumulative_attention"]
        dtype = cumulative.dtype
        inputs = torch.cat((self.embedding(tokens), state["context"]), -1)
        hidden, cell = self.decoder(self.dropout(inputs), (state["hidden"], state["cell"]))
        location = self.places(cumulative[:, None]).transpose(1, 2)  # (B, S, A)
        combined = torch.tanh(keys + location + self.query(hidden)[:, None])
        energy = self.energy(combined)[..., 0].to(dtype)  # (B, S)
        attention = energy.masked_fill(state["padding_mask"], -torch.inf).softmax(-1).to(dtype)
        context = torch.bmm(attention[:, None].to(frames), frames)[:, 0].to(dtype)  # (B, D)
        output = self.characters(self.dropout(torch.cat((hidden, context), -1)))
        updated = {
            "hidden": hidden.to(dtype),
            "cell": cell.to(dtype),
            "context": context,
            "cumulative_attention": cumulative + attention,
        }
        return log_softmax(output), state | updated, attention

    def _teacher_forced(
        self, text: Tensor, state: dict[str, Tensor], teacher_forcing_ratio: float
    ) -> tuple[Tensor, Tensor]:
        """Return the `decoder_log_probs` and the `attention` of texts `(B, U)`, see `Transcript`.

        In training each character among the decoder's inputs is replaced, with a probability of
        1 - `teacher_forcing_ratio`, by the likeliest character of the previous step.
        """
        decoder_inputs = functional.pad(text, (1, 0), value=self.end + 1)  # (B, U + 1)
        dtype = compute_dtype(state["frames"])
        frames = state["frames"]
        # A subclass may have another step, which the kernel does not compute.
        if type(self).step is AttentionNetwork.step and library.available(frames.device, dtype):
            return self._compiled(dtype, decoder_inputs.t(), state, teacher_forcing_ratio)
        outputs = []
        attentions = []
        tokens = decoder_inputs[:, 0]
        for position in range(decoder_inputs.shape[1]):
            if position:
                tokens = decoder_inputs[:, position]
                if self.training and teacher_forcing_ratio < 1.0:
                    forced = torch.rand(tokens.shape, device=tokens.device) < teacher_forcing_ratio
                    tokens = torch.where(forced, tokens, outputs[-1].argmax(-1))
            output, state, attention = self.step(tokens, state)
            outputs.append(output)
            attentions.append(attention.detach())
        return torch.stack(outputs, 1), torch.stack(attentions, 1)

    def _compiled(
        self, dtype: torch.dtype, tokens: Tensor, state: dict[str, Tensor], forcing_ratio: float
    ) -> tuple[Tensor, Tensor]:
        """Return what `_teacher_forced` returns, by the compiled decoder, for `tokens`
        `(U + 1, B)`; all random numbers are drawn at once."""
        cell = self.decoder
        encoded = state["frames"]
        masks: tuple[Tensor | None, Tensor | None] = (None, None)
        if self.training:
            sizes = cell.input_size, cell.hidden_size + self.encoded_size
            # The dropout of ones is the factors of dropout.
            masks = tuple(self.dropout(torch.ones(*tokens.shape, size)) for size in sizes)
            if forcing_ratio < 1.0:
                is_forced = torch.rand(tokens.shape) < forcing_ratio
                is_forced[0] = True  # no step comes before the first
                tokens = torch.where(is_forced, tokens, -1)
        gates = cell.weight_ih, cell.weight_hh, cell.bias_ih + cell.bias_hh
        inputs, hidden, bias = map(reorder_gates, gates)
        weights = decoder.Weights(
            embeddings=self.embedding.weight,
            inputs=inputs,
            hidden=hidden,
            bias=bias,
            query=self.query.weight,
            places=self.places.weight[:, 0],
            energy=self.energy.weight[0],
            characters=self.characters.weight,
            character_bias=self.characters.bias,
        )
        lengths = (~state["padding_mask"]).sum(1)
        tokens = tokens.clone(memory_format=torch.contiguous_format)  # the decoder replaces -1
        hiddens, contexts, attention = decoder.run(
            dtype, tokens, lengths, encoded, state["keys"], weights, masks
        )
        outputs = torch.cat((hiddens, contexts), -1)
        _, output_mask = masks
        outputs = outputs if output_mask is None else outputs * output_mask
        log_probs = log_softmax(self.characters(outputs))  # (U + 1, B, C + 1)
        return log_probs.transpose(0, 1), attention.transpose(0, 1)

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """The axes of weights that have an index for each character, see `BaseModel`."""
        names = ("characters.weight", "characters.bias", "embedding.weight")
        return super().vocabulary_axes | dict.fromkeys(names, (0, 0))
