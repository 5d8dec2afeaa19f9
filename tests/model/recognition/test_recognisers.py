"""Networks that read: padding, the decoder, scheduled sampling, masks, characters, pictures."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from base.base_data_loader import padded
from ink.alphabet import Alphabet
from ink.geometry import from_strokes, strokes
from ink.reading import read_ink
from model import AttentionNetwork, CTCNetwork
from model.loading import load_reader
from model.recognition.encoder import Search
from model.recognition.error_rates import rates
from model.recognition.picture_network import PictureNetwork
from tests.model.builders import LETTERS, NORMALISATION, ink, recogniser
from utils.checks import ConfigFault

KINDS = [CTCNetwork, AttentionNetwork]
LINES = Path(__file__).parents[3] / "docs" / "sample-lines"


def pictures():
    torch.manual_seed(1)
    return PictureNetwork(NORMALISATION, LETTERS, hidden_size=24).eval()


class Convolutional(CTCNetwork):
    """Its layer sees beyond a frame, so that what is after a line's end would show."""

    def encode_frames(self, frames, lengths):
        torch.manual_seed(2)
        layer = nn.Conv1d(frames.shape[2], self.encoded_size, 5, padding=2).to(frames)
        return layer(frames.transpose(1, 2)).transpose(1, 2), lengths


def run(network, inks, texts, **options):
    """Return the network's output for padded ink and texts."""
    features = network.batched(list(map(network.features, inks)))
    return network(*features, *padded(list(map(LETTERS.encode, texts))), **options)


@pytest.mark.parametrize(
    "build",
    [
        pictures,
        partial(recogniser, Convolutional),
        *(partial(recogniser, kind, cell=cell) for kind in KINDS for cell in ("LSTM", "GRU")),
    ],
)
def test_reading_of_a_line_does_not_depend_on_other_lines_of_its_batch(build):
    network = build().double()
    inks = [ink(120), ink(331, 1), ink(40, 2), ink(2, 3)]
    texts = ["abc de", "h", "bad cafe gag", "a"]
    close = partial(torch.testing.assert_close, atol=1e-9, rtol=0)
    together = run(network, inks, texts, search=Search())
    for row, (line, text) in enumerate(zip(inks, texts, strict=True)):
        alone = run(network, [line], [text], search=Search())
        frames, places = alone.lengths[0], len(text) + 1
        assert together.lengths[row] == frames == alone.ctc_log_probs.shape[1]
        close(together.ctc_log_probs[row, :frames], alone.ctc_log_probs[0])
        assert together.hypotheses[row] == alone.hypotheses[0]
        if alone.attention is not None:
            close(together.decoder_log_probs[row, :places], alone.decoder_log_probs[0])
            close(together.attention[row, :places, :frames], alone.attention[0])
            assert together.attention[row, :places, frames:].abs().sum() == 0


def test_each_character_of_the_decoded_text_is_the_likeliest_after_those_before_it():
    network, line = recogniser(AttentionNetwork), ink(200)
    with torch.no_grad():
        network.characters.bias[LETTERS.encode("c")] += 0.3  # else the text is empty
    text = network.read([line]).hypotheses[0]
    likeliest = run(network, [line], [text]).decoder_log_probs[0].argmax(-1)
    assert text and likeliest[: len(text)].tolist() == LETTERS.encode(text).tolist()


def test_scheduled_sampling_feeds_back_what_the_decoder_wrote():
    network, line = recogniser(AttentionNetwork, dropout=0.0).train(), [ink(200)]
    outputs = run(network, line, ["abcabc"], teacher_forcing_ratio=0.0).decoder_log_probs
    written = outputs.argmax(-1)[0, :-1]
    assert (written < len(LETTERS)).all() and (outputs != 0).all()
    again = run(network, line, [LETTERS.decode(written.tolist())]).decoder_log_probs
    torch.testing.assert_close(again, outputs)


def test_scheduled_sampling_is_for_training_alone():
    network, line = recogniser(AttentionNetwork, dropout=0.0), [ink(200)]
    ratios = [
        run(network, line, ["abcabc"], teacher_forcing_ratio=ratio).decoder_log_probs
        for ratio in (0.0, 1.0)
    ]
    torch.testing.assert_close(*ratios)
    trained = run(network.train(), line, ["abcabc"], teacher_forcing_ratio=0.0).decoder_log_probs
    torch.testing.assert_close(trained[:, 0], ratios[0][:, 0])
    assert (trained[:, 1:] - ratios[0][:, 1:]).abs().max() > 1e-4


def test_merging_of_frames_after_the_highest_layer_is_refused():
    with pytest.raises(ConfigFault, match="time_reductions = 2: at most 1") as caught:
        recogniser(num_layers=2, time_reductions=2)
    assert caught.value.key == "time_reductions"


def longest_text(spacing):
    """Return the length of the text of a network that never ends by itself."""
    network = recogniser(AttentionNetwork, spacing=spacing)
    with torch.no_grad():
        network.characters.bias[network.end] = -1e4
    return len(network.read([ink(800)], Search()).hypotheses[0])


@pytest.mark.slow
def test_limit_of_a_text_does_not_depend_on_the_spacing():
    """But strokes keep both their ends, so that the widest spacing gives some points more."""
    lengths = [longest_text(spacing) for spacing in (0.7, 0.35, 0.175, 0.0875)]
    assert lengths[1] > 40
    assert max(lengths) < 1.35 * min(lengths) and lengths[3] == pytest.approx(lengths[2], rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_network_extended_by_characters_keeps_the_odds_of_known_characters(kind):
    former = recogniser(kind)
    network = recogniser(kind, alphabet=Alphabet([*LETTERS.characters, "é", "ß"]))
    network.load_state_dict(network.extend_state_dict(former.state_dict(), len(LETTERS)))
    lines = [ink(150), ink(90, 1)], ["abc", "h gab"]
    before, after = run(former, *lines), run(network, *lines)
    known = [*range(len(LETTERS)), len(LETTERS) + 2]  # the last is the blank or the end
    for name in ("ctc_log_probs", "decoder_log_probs")[: 1 + (kind is AttentionNetwork)]:
        odds, expected = getattr(after, name)[..., known], getattr(before, name)
        torch.testing.assert_close(odds - odds[..., :1], expected - expected[..., :1])


@pytest.mark.parametrize(("spacing", "length"), [(0.35, 10), (0.175, 20)])
def test_masks_hide_their_fraction_of_points_in_stretches(spacing, length):
    """Of 1,200 stretches 12 % are four deviations (false alarm < 1e-4)."""
    network = recogniser(mask_ratio=0.2, spacing=spacing)
    torch.manual_seed(0)
    hidden = network._with_masks(torch.ones(200, 30 * length, 1))[..., 0] == 0
    # Overlaps leave 1 - exp(-0.2) of 0.2 hidden, and join some stretches.
    assert hidden.float().mean() == pytest.approx(1 - math.exp(-0.2), rel=0.12)
    starts = (hidden[:, 1:] & ~hidden[:, :-1]).sum() + hidden[:, 0].sum()
    assert hidden.sum() / starts == pytest.approx(length * 1.12, rel=0.12)


def test_equal_narrow_characters_of_a_picture_have_a_frame_for_the_blank_between_them():
    bars = from_strokes([np.array([[12.0 * n, 0.0], [12.0 * n, 40.0]]) for n in range(6)])
    assert pictures().read([bars]).lengths[0] >= 11


@pytest.mark.parametrize("order", [1, -1])
def test_reader_of_pictures_reads_lines_in_any_order_and_direction_of_strokes(order):
    samples = [sample for path in sorted(LINES.glob("*.inkml")) for sample in read_ink(path)]
    parts = [strokes(sample.ink)[::order] for sample in samples]
    inks = [from_strokes([stroke[::order] for stroke in line]) for line in parts]
    hypotheses = load_reader("eye", "cpu").read_lines(inks)
    pairs = zip([sample.text for sample in samples], hypotheses, strict=True)
    assert rates(pairs)["cer"] < 0.1
