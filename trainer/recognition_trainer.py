"""Trains networks that read: the recognition networks."""

import logging
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from base.base_data_loader import Batch
from base.base_trainer import BaseTrainer
from base.run.training_parts import TrainingParts, TrainingSettings
from data_loader.checks import check_texts
from model.drawing.plots import lines_figure, map_figure, to_pixels, write_png
from model.recognition.encoder import Search, Transcript
from model.recognition.loss import CTCLoss, TranscriptionLoss
from utils.checks import ConfigFault, Fraction, Range

log = logging.getLogger(__name__)

EXTRA_ROWS = 5
"""Rows in the picture of a reading, besides one for each character of the true text (assumed)."""
MIN_LIKELY = 0.1  # probability above which a character has a row in such a picture (assumed)


@dataclass(frozen=True, kw_only=True)
class RecognitionTrainingSettings(TrainingSettings):
    """The settings of the training of recognisers.

    Args:
        teacher_forcing_ratio: fraction of true characters among a decoder's inputs in training, in
            the first and in the last epoch; linear in between. The other inputs are the decoder's
            predictions (scheduled sampling: Bengio et al. 2015).
        samples: lines of the validation split to draw after each epoch, with the true text and the
            text that was read; 0 draws no lines.
    """

    monitor: str | None = "min valid_cer"
    teacher_forcing_ratio: tuple[Fraction, Fraction] = (1.0, 1.0)
    samples: Annotated[int, Range(0, 64)] = 4

    @property
    def depends_on_epochs(self) -> str:
        """The name of the ratio, if it changes with the epochs."""
        first, last = self.teacher_forcing_ratio
        return "teacher_forcing_ratio" if first != last else ""


class RecognitionTrainer(BaseTrainer):
    """Trains a recogniser, and draws lines and their readings after each epoch.

    Validation also reads the lines, by greedy decoding, so that the metric `ErrorRates` gives the
    error rates over the whole split. The validation loss is computed with full teacher forcing.

    Args:
        parts: the parts of the run.
        settings: see `RecognitionTrainingSettings`.
    """

    task = "reads"
    use = "read INK"
    losses = (CTCLoss, TranscriptionLoss)
    output_type = Transcript

    def __init__(self, parts: TrainingParts, *, settings: RecognitionTrainingSettings) -> None:
        super().__init__(parts, settings=settings)
        self.teacher_forcing_ratio = settings.teacher_forcing_ratio
        self.samples = settings.samples

    def check(self) -> None:
        """Check the settings, the network and the data before the run.

        Raises:
            ConfigFault: as `BaseTrainer.check`.
            DataError: if a sample has no text.
        """
        super().check()
        # From ink without a text, a network would learn to read nothing.
        check_texts(self.train_loader, self.valid_loader, "a recogniser")

    @property
    def epoch_forcing_ratio(self) -> float:
        """The teacher forcing ratio of the current epoch."""
        first, last = self.teacher_forcing_ratio
        epochs_after_first = max(1, self.epochs - 1)
        return first + (last - first) * self.progress.epoch / epochs_after_first

    def forward_batch(
        self, model: Any, batch: Batch, state: dict[str, Tensor] | None = None
    ) -> Transcript:
        """Run `model` on a batch; in validation, also read the lines."""
        inputs = (batch.inputs, batch.lengths, batch.text, batch.text_lengths)
        search = None if model.training else Search()
        return model(*inputs, teacher_forcing_ratio=self.epoch_forcing_ratio, search=search)

    def dry_run(self, batch: Batch, output: Transcript) -> None:
        """Compare the number of frames with the number of points, and compute the evidence that
        `draw` shows.

        Raises:
            ConfigFault: if the network has fewer frames or texts than its output says.
        """
        model = self.evaluated_model
        longest = int(batch.lengths.argmax())
        frames = int(output.lengths[longest])
        points = int(batch.lengths[longest])
        name = type(model).__name__
        computed = output.ctc_log_probs.shape[1]
        if int(output.lengths.max()) > computed:
            expected = f"one whose lengths are at most the number of its frames, {computed}"
            raise ConfigFault("arch", name, f"{expected}, not {int(output.lengths.max())}")
        if output.hypotheses is not None and len(output.hypotheses) != len(batch):
            expected = f"one that reads a text of each line, {len(batch)}"
            raise ConfigFault("arch", name, f"{expected}, not {len(output.hypotheses)}")
        per_frame = getattr(model, "points_per_frame", None)
        # Rounding to whole frames, and padding at the ends, are no fault (limits assumed).
        if per_frame and not 2 / 3 < frames * per_frame / points < 3 / 2:
            problem = "has %d frames for %d points, which are not %d points_per_frame"
            log.warning(f"%s {problem}", name, frames, points, per_frame)
        if self.samples:
            evidence(output)

    @torch.no_grad()
    def draw(self, epoch: int, step: int) -> None:
        """Draw `samples` lines with their true and read texts, and log the evidence."""
        samples = (self.valid_loader or self.train_loader).dataset.samples
        # The lines are spread over the split, and the same every time.
        stride = max(1, len(samples) // max(1, self.samples))
        chosen = samples[::stride][: self.samples]
        if not chosen:
            return
        inks = []
        captions = []
        for number, sample in enumerate(chosen):
            ink = sample.ink
            output = self.evaluated_model.read([ink])
            caption = f"true: {sample.text}\nread: {output.hypotheses[0]}"
            values, names = evidence(output)
            # The same number of rows after each epoch makes the pictures comparable.
            rows = len(sample.text) + EXTRA_ROWS
            values = np.pad(values[:rows], ((0, max(0, rows - len(values))), (0, 0)))
            labels = [*names, *[""] * rows][:rows]
            figure = map_figure(values, labels, ink, caption)
            self.run_log.events.picture(f"reading/{number}", to_pixels(figure, dpi=140), step)
            inks.append(ink)
            captions.append(caption)
        write_png(self.run.log / f"samples-epoch{epoch}.png", lines_figure(inks, captions))


def evidence(output: Transcript) -> tuple[np.ndarray, list[str]]:
    """Return the evidence for the text that was read from a batch's first line: an image
    `(rows, frames)`, and the name of each row.

    The image of an attention has a row for each character that was read, and a row for the end. The
    image of CTC has a row for each character that is likely in any frame, sorted by the frame where
    the character is likeliest.
    """
    frames = int(output.lengths[0])
    if output.attention is not None:
        (hypothesis, *_) = output.hypotheses or [""]
        weights = output.attention[0, : len(hypothesis) + 1, :frames]
        names = [*hypothesis, "end"][: len(weights)]
        return weights.float().cpu().numpy(), names
    probabilities = output.ctc_log_probs[0, :frames, :-1].float().exp()
    highest, best_frames = probabilities.max(0)
    likely = (highest > MIN_LIKELY).nonzero()[:, 0]
    likely = likely[best_frames[likely].argsort()]
    names = [output.alphabet.characters[number] for number in likely.tolist()]
    return probabilities[:, likely].T.cpu().numpy(), names
