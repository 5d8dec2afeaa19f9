"""The losses against torch.distributions, all labellings, and values worked by hand."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch

from model import CTCLoss, TranscriptionLoss


def test_ctc_is_the_sum_over_all_labellings_of_the_frames():
    """Graves et al. 2006, eq. 3: repeated labels are joined, then blanks are left out."""
    torch.manual_seed(3)
    frames, classes, texts = 5, 3, ([0, 1], [1, 1], [0], [])
    labels = torch.randn(len(texts), frames, classes, dtype=torch.float64).log_softmax(-1)
    chances = torch.zeros(len(texts), dtype=torch.float64)
    for path in itertools.product(range(classes), repeat=frames):
        said = [label for label, _ in itertools.groupby(path) if label != classes - 1]
        for row, text in enumerate(texts):
            if said == text:
                chances[row] += labels[row, range(frames), path].sum().exp()
    batch = SimpleNamespace(
        text=torch.tensor([text + [0] * (2 - len(text)) for text in texts]),
        text_lengths=torch.tensor([len(text) for text in texts]),
        index=torch.arange(len(texts)),
    )
    output = SimpleNamespace(ctc_log_probs=labels, lengths=torch.full((len(texts),), frames))
    torch.testing.assert_close(CTCLoss()(output, batch), -chances.log())
    # Joint training adds it, by its weight.
    characters = torch.randn(len(texts), 3, classes, dtype=torch.float64)
    output.decoder_log_probs = characters.log_softmax(-1)
    both = TranscriptionLoss(ctc_weight=0.5)(output, batch)
    alone = TranscriptionLoss()(output, batch)
    torch.testing.assert_close(both, alone - 0.5 * chances.log())


def test_the_transcription_loss_is_the_sum_over_characters_and_the_end():
    logits = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.manual_seed(0))
    output = SimpleNamespace(decoder_log_probs=logits.log_softmax(-1))
    batch = SimpleNamespace(
        text=torch.tensor([[0, 1, 1], [1, 0, 0]]), text_lengths=torch.tensor([3, 1])
    )
    chances = torch.distributions.Categorical(logits=logits)
    whole = -chances.log_prob(torch.tensor([[0, 1, 1, 2], [1, 2, 0, 0]]))
    expected = torch.stack((whole[0].sum(), whole[1, :2].sum()))
    torch.testing.assert_close(TranscriptionLoss()(output, batch), expected)
    smoothed = TranscriptionLoss(label_smoothing=0.3)(output, batch)
    even = -logits.log_softmax(-1).mean(-1)
    both = torch.stack((even[0].sum(), even[1, :2].sum()))
    torch.testing.assert_close(smoothed, 0.7 * expected + 0.3 * both)


def test_ctc_leaves_out_texts_longer_than_their_frames_and_names_them(caplog):
    labels = torch.full((4, 3, 3), math.log(1 / 3)).requires_grad_()
    output = SimpleNamespace(ctc_log_probs=labels, lengths=torch.tensor([3, 2, 2, 2]))
    batch = SimpleNamespace(
        text=torch.tensor([[0, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 1]]),
        text_lengths=torch.tensor([3, 3, 2, 2]),  # what follows in the last repeats nothing
        index=torch.tensor([7, 8, 9, 10]),
    )
    loss = CTCLoss()
    nats = loss(output, batch)
    # One path; none; none; one.
    assert nats.tolist() == pytest.approx([3 * math.log(3), 0, 0, 2 * math.log(3)])
    nats.sum().backward()
    assert torch.isfinite(labels.grad).all()
    loss(output, batch)
    named = [message.split(":")[0] for message in caplog.messages]
    assert named == [f"sample {number} has more characters than frames" for number in (8, 9)]


@pytest.mark.parametrize("loss", [CTCLoss, TranscriptionLoss])
def test_the_number_of_texts_or_characters_divides_the_gradient(loss):
    batch = SimpleNamespace(lengths=torch.tensor([9, 5]), text_lengths=torch.tensor([4, 3]))
    assert loss(reduction="sequence").divisor(batch) == 2
    assert loss(reduction="character").divisor(batch) == 7
