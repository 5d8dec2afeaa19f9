"""The losses against torch.distributions, all labellings, and values worked by hand."""

import itertools
import math

import pytest
import torch

from ink.alphabet import Alphabet
from model import CTCLoss, TranscriptionLoss
from model.recognition.encoder import Transcript
from tests.model.builders import batch


def transcript(ctc_log_probs, lengths=None, decoder_log_probs=None):
    lengths = lengths or [ctc_log_probs.shape[1]] * len(ctc_log_probs)
    return Transcript(Alphabet("ab"), ctc_log_probs, torch.tensor(lengths), decoder_log_probs)


def random_log_probs(*shape, seed=0):
    random = torch.manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=random).log_softmax(-1)


@pytest.mark.parametrize("text", [[0, 1], [1, 1], [0], []])
def test_ctc_is_the_sum_over_all_labellings_of_the_frames(text):
    """Graves et al. 2006, eq. 3: repeated labels are merged, then blanks are left out."""
    log_probs, total = random_log_probs(1, 5, 3), 0.0
    for path in itertools.product(range(3), repeat=5):
        if [label for label, _ in itertools.groupby(path) if label != 2] == text:
            total += log_probs[0, range(5), path].sum().exp()
    loss = CTCLoss()(transcript(log_probs), batch(texts=[text, [0, 0]]).map(lambda rows: rows[:1]))
    torch.testing.assert_close(loss[0], -total.log())


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_transcription_loss_is_the_sum_over_characters_and_the_end(smoothing):
    log_probs = random_log_probs(2, 4, 3)
    nats = -torch.distributions.Categorical(logits=log_probs).log_prob(
        torch.tensor([[0, 1, 1, 2], [1, 2, 0, 0]])
    )
    nats = (1 - smoothing) * nats - smoothing * log_probs.mean(-1)  # even over the classes
    output = transcript(random_log_probs(2, 1, 3), decoder_log_probs=log_probs)
    loss = TranscriptionLoss(label_smoothing=smoothing)(output, batch(texts=[[0, 1, 1], [1]]))
    torch.testing.assert_close(loss, torch.stack((nats[0].sum(), nats[1, :2].sum())))


def test_joint_training_adds_ctc_by_its_weight():
    output = transcript(random_log_probs(1, 5, 3), None, random_log_probs(1, 3, 3, seed=1))
    texts = batch(texts=[[0, 1]])
    expected = TranscriptionLoss()(output, texts) + 0.5 * CTCLoss()(output, texts)
    torch.testing.assert_close(TranscriptionLoss(ctc_weight=0.5)(output, texts), expected)


def test_ctc_is_0_for_texts_longer_than_their_frames_and_names_each_sample_once(caplog):
    log_probs = torch.full((4, 3, 3), math.log(1 / 3)).requires_grad_()
    output = transcript(log_probs, [3, 2, 2, 2])
    texts = batch(texts=[[0, 1, 0], [0, 1, 0], [1, 1], [0, 1]])
    texts.text[3, 2] = 1  # padding, which repeats nothing
    loss = CTCLoss()
    nats = loss(output, texts)
    # One labelling; none; none; one.
    assert nats.tolist() == pytest.approx([3 * math.log(3), 0, 0, 2 * math.log(3)])
    nats.sum().backward()
    assert torch.isfinite(log_probs.grad).all()
    loss(output, texts)
    named = [message.split(":")[0] for message in caplog.messages]
    assert named == [f"sample {number} has more characters than frames" for number in (1, 2)]


@pytest.mark.parametrize("loss", [CTCLoss, TranscriptionLoss])
@pytest.mark.parametrize(("reduction", "divisor"), [("sequence", 2), ("character", 7)])
def test_gradient_is_divided_by_the_number_of_texts_or_characters(loss, reduction, divisor):
    assert loss(reduction=reduction).divisor(batch(texts=[[0] * 4, [1] * 3])) == divisor
