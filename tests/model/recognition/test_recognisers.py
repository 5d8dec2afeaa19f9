"""Recognition networks: padding is invisible, and they learn to read."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from base.base_data_loader import padded
from model.recognition.encoder import Search
from model.recognition.ink_features import stroke_features
from model.recognition.recognisers import AttentionNetwork, CTCNetwork
from utils.alphabet import Alphabet
from utils.checks import ConfigFault
from utils.normalisation import Normalisation

NORMALISATION = Normalisation((3.0, -1.0), (20.0, 30.0))
ALPHABET = Alphabet("abcdefgh ")
KINDS = [CTCNetwork, AttentionNetwork]


def network(kind, alphabet=ALPHABET, **options):
    """Return a small network with the same weights every time."""
    torch.manual_seed(1)
    small = {"hidden_size": 12, "channels": 8, "num_layers": 3, "time_reductions": 2}
    if kind is AttentionNetwork:
        small |= {"decoder_size": 10, "attention_size": 7, "embedding_size": 5}
    return kind(NORMALISATION, alphabet, **small | options).eval()


def scribble(points: int, seed: int = 0) -> np.ndarray:
    """Return ink that goes somewhere, with a few strokes."""
    generator = np.random.default_rng(seed)
    ink = np.zeros((points, 3), dtype=np.float32)
    ink[1:, :2] = generator.normal(0, 20, (points - 1, 2)) + np.array([4, 0])
    ink[:, 2] = generator.random(points) < 0.05
    ink[-1, 2] = 1
    return ink


def as_batch(inks, texts, dtype=torch.float64):
    """Return `forward`'s arguments for ink and texts, padded."""
    features, points = padded(list(map(stroke_features, inks)))
    return features.to(dtype), points, *padded(list(map(ALPHABET.encode, texts)))


class Convolutional(CTCNetwork):
    """Its layer sees beyond a frame, so that what is after a line's end would show."""

    def encode_frames(self, frames, lengths):
        torch.manual_seed(2)
        layer = nn.Conv1d(frames.shape[2], self.encoded_size, 5, padding=2).to(frames)
        return layer(frames.transpose(1, 2)).transpose(1, 2), lengths


@pytest.mark.parametrize(
    ("kind", "options"),
    [(Convolutional, {}), *((kind, {"cell": cell}) for kind in KINDS for cell in ("LSTM", "GRU"))],
)
def test_a_line_does_not_depend_on_the_others_of_its_batch(kind, options):
    model = network(kind, **options).double()
    inks = [scribble(120), scribble(331, 1), scribble(40, 2), scribble(2, 3)]
    texts = ["abc de", "h", "bad cafe gag", "a"]
    together = model(*as_batch(inks, texts), search=Search())
    close = partial(torch.testing.assert_close, atol=1e-11, rtol=0)
    for row, (ink, text) in enumerate(zip(inks, texts, strict=True)):
        alone = model(*as_batch([ink], [text]), search=Search())
        frames, places = alone.lengths[0], len(text) + 1
        assert together.lengths[row] == frames
        close(together.ctc_log_probs[row, :frames], alone.ctc_log_probs[0, :frames])
        assert together.hypotheses[row] == alone.hypotheses[0]
        if kind is AttentionNetwork:
            close(together.decoder_log_probs[row, :places], alone.decoder_log_probs[0])
            close(together.attention[row, :places, :frames], alone.attention[0, :, :frames])
            assert together.attention[row, :places, frames:].abs().sum() == 0


def test_the_decoder_searches_as_it_follows():
    model = network(AttentionNetwork)
    with torch.no_grad():
        model.characters.bias[ALPHABET.encode("c")] += 0.3  # so that the text is not empty at once
    ink = scribble(200)
    text = model.read([ink]).hypotheses[0]
    assert text
    told = model(*as_batch([ink], [text], torch.float32)).decoder_log_probs[0]
    likeliest = told.argmax(-1).tolist()
    # Read without being told, it says at each place what it holds for the most likely when told.
    assert likeliest[: len(text)] == ALPHABET.encode(text).tolist()


def test_scheduled_sampling_feeds_back_what_the_decoder_wrote():
    model = network(AttentionNetwork, dropout=0.0).train()
    arguments = as_batch([scribble(200)], ["abcabc"], torch.float32)
    told = model(*arguments, teacher_forcing_ratio=1.0).decoder_log_probs
    torch.manual_seed(0)
    own = model(*arguments, teacher_forcing_ratio=0.0).decoder_log_probs
    torch.testing.assert_close(own[:, 0], told[:, 0])
    assert (own[:, 1:] - told[:, 1:]).abs().max() > 1e-4
    written = own.argmax(-1)[0, :-1]
    assert (written < len(ALPHABET)).all()  # else its text cannot be told
    again = model(arguments[0], arguments[1], written[None], torch.tensor([6]))
    torch.testing.assert_close(again.decoder_log_probs, own)
    model.eval()
    torch.testing.assert_close(model(*arguments, teacher_forcing_ratio=0.0).decoder_log_probs, told)


def test_there_are_fewer_halvings_than_layers():
    with pytest.raises(ConfigFault, match="time_reductions = 2: at most 1") as caught:
        network(CTCNetwork, num_layers=2, time_reductions=2)
    assert caught.value.key == "time_reductions"


def test_the_longest_text_that_is_looked_for_does_not_depend_on_the_spacing():
    """Of a network that never ends by itself."""
    lengths = []
    for spacing in (0.7, 0.35, 0.175, 0.0875):
        endless = network(AttentionNetwork, spacing=spacing)
        with torch.no_grad():
            endless.characters.bias[endless.end] = -1e4
        lengths.append(len(endless.read([scribble(2000)], Search()).hypotheses[0]))
    assert lengths[1] > 100
    # Strokes keep both their ends, so that the longest steps give some points more.
    assert max(lengths) < 1.35 * min(lengths) and lengths[3] == pytest.approx(lengths[2], rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_with_more_letters_keeps_what_it_knows(kind):
    old = network(kind)
    new = network(kind, alphabet=Alphabet([*ALPHABET.characters, "é", "ß"]))
    new.load_state_dict(new.extend_state_dict(old.state_dict(), len(ALPHABET)))
    inks, texts = [scribble(150), scribble(90, 1)], ["abc", "h gab"]
    arguments = as_batch(inks, texts, torch.float32)
    before, after = old(*arguments), new(*arguments)
    letters = len(ALPHABET)
    known = [*range(letters), letters + 2]  # the letters, and the blank or end behind the new ones
    names = ["ctc_log_probs"]
    if kind is AttentionNetwork:
        names.append("decoder_log_probs")
    for name in names:
        found, expected = getattr(after, name)[..., known], getattr(before, name)
        # As likely as before, beside the first letter.
        torch.testing.assert_close(found - found[..., :1], expected - expected[..., :1])


@pytest.mark.parametrize(("spacing", "stretch"), [(0.35, 10), (0.175, 20)])
def test_masks_hide_their_share_in_stretches(spacing, stretch):
    model = network(CTCNetwork, mask_ratio=0.2, spacing=spacing)
    torch.manual_seed(0)
    hidden = model._with_masks(torch.ones(200, 30 * stretch, 1))[..., 0] == 0
    # Overlaps leave 1 - exp(-0.2) of 0.2 hidden; of 1,200 stretches 12 % are four deviations.
    assert hidden.float().mean() == pytest.approx(1 - math.exp(-0.2), rel=0.12)
    starts = (hidden[:, 1:] & ~hidden[:, :-1]).sum() + hidden[:, 0].sum()
    assert hidden.sum() / starts == pytest.approx(stretch * 1.12, rel=0.12)  # overlaps join some
