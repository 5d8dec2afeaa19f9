"""The losses of the recognition networks: the negative log-probability of the true text."""

import logging
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from base.base_data_loader import Batch
from base.base_loss import BaseLoss
from model.recognition.encoder import Transcript
from utils.checks import Range

Reduction = Literal["sequence", "character"]

log = logging.getLogger(__name__)


class _TextLoss(BaseLoss):
    """The base class of losses that are a sum over the characters of a text.

    Args:
        reduction: whether a batch's gradient is divided by the number of texts, which lets long
            texts count for more, or by the number of characters.
    """

    def __init__(self, *, reduction: Reduction = "sequence") -> None:
        self.reduction = reduction

    def divisor(self, batch: Batch) -> int:
        """Return the number of texts, or of characters, of `batch`."""
        return len(batch.lengths) if self.reduction == "sequence" else int(batch.text_lengths.sum())


class CTCLoss(_TextLoss):
    """The negative logarithm of the summed probabilities of all labellings that give the text.

    Connectionist temporal classification (Graves et al. 2006, eq. 5), by torch's kernel. If a line
    has fewer frames than its text has characters and blanks between equal neighbours, the text has
    no labelling: its loss is zero, and a warning names the sample.

    Args:
        reduction: see `_TextLoss`.
    """

    name: ClassVar[str] = "ctc_loss"
    head: ClassVar[str] = "ctc"

    def __init__(self, *, reduction: Reduction = "sequence") -> None:
        super().__init__(reduction=reduction)
        self._warned: set[int] = set()

    def __call__(self, output: Transcript, batch: Batch) -> Tensor:
        """Return the loss of each text in nats, `(batch,)`.

        Args:
            output: `ctc_log_probs` `(batch, frames, classes)`, the blank last, and the `lengths` of
                the lines in frames, `(batch,)`.
            batch: `text` `(batch, characters)` and `text_lengths` `(batch,)`.
        """
        text = batch.text
        lengths = batch.text_lengths
        positions = torch.arange(text.shape[1], device=text.device)
        repeated = (text[:, 1:] == text[:, :-1]) & (positions[1:] < lengths[:, None])
        impossible = lengths + repeated.sum(1) > output.lengths
        for index in batch.index[impossible].tolist():
            if index not in self._warned:
                self._warned.add(index)
                log.warning(
                    "sample %d has more characters than frames: CTC cannot learn from it", index
                )
        return ctc_nats(output, text, lengths, zero_infinity=True)


def ctc_nats(
    output: Transcript, text: Tensor, lengths: Tensor, *, zero_infinity: bool = False
) -> Tensor:
    """Return the negative log-probability of each text under CTC, `(batch,)`.

    Args:
        output: see `CTCLoss`.
        text: indices of characters, `(batch, characters)`.
        lengths: number of characters of each text, `(batch,)`.
        zero_infinity: whether a text without a labelling has a loss of 0 instead of infinity.
    """
    return functional.ctc_loss(
        output.ctc_log_probs.transpose(0, 1),
        text,
        output.lengths,
        lengths,
        blank=output.ctc_log_probs.shape[-1] - 1,
        reduction="none",
        zero_infinity=zero_infinity,
    )


def decoder_nats(
    output: Transcript, text: Tensor, lengths: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """Return the negative log-probability of each text under a decoder, `(batch,)`; for the
    arguments see `ctc_nats` and `TranscriptionLoss`."""
    end = output.decoder_log_probs.shape[-1] - 1
    positions = torch.arange(text.shape[1] + 1, device=text.device)
    targets = functional.pad(text, (0, 1)).masked_fill(positions >= lengths[:, None], end)
    nats = functional.cross_entropy(
        output.decoder_log_probs.transpose(1, 2),  # (batch, classes, characters + 1)
        targets,
        reduction="none",
        label_smoothing=label_smoothing,
    )
    return nats.masked_fill(positions > lengths[:, None], 0.0).sum(1)


class TranscriptionLoss(_TextLoss):
    """The negative log-probability of the text under a decoder, character by character.

    Args:
        reduction: see `_TextLoss`.
        label_smoothing: fraction of the target probability that is spread evenly over all classes,
            in training and in validation.
        ctc_weight: factor on the CTC loss, which is added; 0: no CTC loss (Watanabe et al. 2017:
            joint training helps the attention to align).
    """

    name: ClassVar[str] = "transcription_loss"
    head: ClassVar[str] = "decoder"

    def __init__(
        self,
        *,
        reduction: Reduction = "sequence",
        label_smoothing: Annotated[float, Range(0.0, 0.99)] = 0.0,
        ctc_weight: Annotated[float, Range(0.0, 100.0)] = 0.0,
    ) -> None:
        super().__init__(reduction=reduction)
        self.label_smoothing = label_smoothing
        self.ctc_weight = ctc_weight
        self._ctc = CTCLoss()

    def __call__(self, output: Transcript, batch: Batch) -> Tensor:
        """Return the loss of each text in nats, `(batch,)`.

        Args:
            output: `decoder_log_probs` `(batch, characters + 1, classes)`, the end of the text
                last; with a `ctc_weight` also the outputs that `CTCLoss` needs.
            batch: `text` `(batch, characters)` and `text_lengths` `(batch,)`.
        """
        nats = decoder_nats(output, batch.text, batch.text_lengths, self.label_smoothing)
        if self.ctc_weight:
            nats = nats + self.ctc_weight * self._ctc(output, batch)
        return nats
