"""The recognition networks that see the movement of the pen.

Both use `RecurrentEncoder`. `CTCNetwork` labels every frame with a character or the blank (Graves,
Fernandez, Gomez and Schmidhuber 2006; on pen movements Graves et al. 2009). `AttentionNetwork`
generates the text character by character, each time attending to part of the frames (Bahdanau, Cho
and Bengio 2015; location-aware, Chorowski et al. 2015).

Shapes: as in `encoder`.
"""

from dataclasses import replace
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from base.base_data_loader import padded
from model.layers.cells import state_dtype
from model.recognition.decoding import Search, attention_texts
from model.recognition.encoder import RecurrentEncoder, Size, Transcript, log_softmax
from model.recognition.ink_features import SPACING
from utils.alphabet import Alphabet
from utils.checks import Range
from utils.normalisation import Normalisation


class CTCNetwork(RecurrentEncoder):
    """Labels every frame with a character or the blank (connectionist temporal classification).

    Args:
        normalisation: see `RecurrentEncoder`, also for the other arguments.
    """


class AttentionNetwork(RecurrentEncoder):
    """Generates the text character by character, attending to the frames.

    The decoder is an LSTM over the previous character and context. Its attention is additive and
    location-aware. A second output labels the frames as in CTC. With a loss of both outputs
    (Watanabe et al. 2017) the attention follows the line much earlier in training.

    Args:
        normalisation: see `RecurrentEncoder`, also for the arguments not listed here.
        decoder_size: cells of the decoder.
        attention_size: dimension in which frames and decoder state are compared.
        embedding_size: dimension of a character's embedding.
    """

    head: ClassVar[str] = "decoder"

    def __init__(
        self,
        normalisation: Normalisation,
        alphabet: Alphabet,
        *,
        num_layers: Annotated[int, Range(1, 16)] = 2,
        time_reductions: Annotated[int, Range(0, 4)] = 1,
        decoder_size: Size = 256,
        attention_size: Size = 128,
        embedding_size: Size = 50,
        **options: Any,
    ) -> None:
        options |= dict(num_layers=num_layers, time_reductions=time_reductions)
        super().__init__(normalisation, alphabet, **options)
        self.end = len(alphabet)  # class of a text's end; the next class is a text's beginning
        self.embedding = nn.Embedding(self.end + 2, embedding_size)
        self.decoder = nn.LSTMCell(embedding_size + self.encoded_size, decoder_size)
        self.keys = nn.Linear(self.encoded_size, attention_size)
        self.query = nn.Linear(decoder_size, attention_size, bias=False)
        self.places = nn.Conv1d(1, attention_size, 15, padding=7, bias=False)  # location-aware
        self.energy = nn.Linear(attention_size, 1, bias=False)
        self.characters = nn.Linear(decoder_size + self.encoded_size, self.end + 1)

    def teacher_forced(
        self, transcript: Transcript, encoded: Tensor, text: Tensor | None, forced: float
    ) -> Transcript:
        is_reading = text is None and transcript.hypotheses is not None
        if is_reading:
            texts = list(map(self.alphabet.encode, transcript.hypotheses))
            text, _ = padded(texts, encoded.device)
        if text is None:
            return transcript
        state = self._start(encoded, transcript.lengths)
        log_probs, attention = self._teacher_forced(text, state, forced)
        log_probs = None if is_reading else log_probs
        return replace(transcript, attention=attention, decoder_log_probs=log_probs)

    def decode(self, encoded: Tensor, lengths: Tensor, search: Search) -> list[str]:
        # Measured: no line of IAM-OnDB has fewer than 3 points per character.
        points = self.points_per_frame * lengths * (self.spacing / SPACING)
        texts = attention_texts(
            lambda tokens, state: self.step(tokens, state)[:2],
            self._start(encoded, lengths),
            search,
            max_lengths=(5 + points / 3).long().tolist(),
            end=self.end,
            per_line=("frames", "keys", "padding_mask"),
        )
        return list(map(self.alphabet.decode, texts))

    def _start(self, encoded: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Return the decoder's state before the first character, `(B, ...)` each."""
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
        """Predict the next character after `tokens`.

        Args:
            tokens: characters, `(B,)`; class C + 1 at the beginning.
            state: the state after the previous step.

        Returns:
            log-probabilities `(B, C + 1)`, the state, and the attention `(B, S)`.
        """
        frames, keys, total = state["frames"], state["keys"], state["cumulative_attention"]
        inputs = torch.cat((self.embedding(tokens), state["context"]), -1)
        hidden, cell = self.decoder(self.dropout(inputs), (state["hidden"], state["cell"]))
        location = self.places(total[:, None]).transpose(1, 2)  # (B, S, A)
        combined = torch.tanh(keys + location + self.query(hidden)[:, None])
        energy = self.energy(combined)[..., 0].to(total)  # (B, S)
        attention = energy.masked_fill(state["padding_mask"], -torch.inf).softmax(-1).to(total)
        context = torch.bmm(attention[:, None].to(frames), frames)[:, 0].to(total)  # (B, D)
        output = self.characters(self.dropout(torch.cat((hidden, context), -1)))
        updated = {
            "hidden": hidden.to(total),
            "cell": cell.to(total),
            "context": context,
            "cumulative_attention": total + attention,
        }
        return log_softmax(output), state | updated, attention

    def _teacher_forced(
        self, text: Tensor, state: dict[str, Tensor], teacher_forcing_ratio: float
    ) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities after each character of a text `(B, U)`, and the attention.

        In training the network's likeliest characters replace a fraction, 1 minus
        `teacher_forcing_ratio`, of the decoder's inputs (not the beginning).
        """
        decoder_inputs = functional.pad(text, (1, 0), value=self.end + 1)  # (B, U + 1)
        outputs, attentions, tokens = [], [], decoder_inputs[:, 0]
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

    @property
    def vocabulary_axes(self) -> dict[str, tuple[int, int]]:
        """The weights with an index for each character, see `BaseModel`."""
        names = ("characters.weight", "characters.bias", "embedding.weight")
        return super().vocabulary_axes | dict.fromkeys(names, (0, 0))
