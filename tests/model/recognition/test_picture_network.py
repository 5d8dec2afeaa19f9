"""The network that reads pictures: padding is invisible, and strokes have no order."""

from pathlib import Path

import numpy as np
import torch

from data_loader import read_ink
from model.loading import load_reader
from model.recognition.decoding import Search
from model.recognition.error_rates import rates
from model.recognition.picture_network import PictureNetwork
from tests.model.recognition.test_recognisers import ALPHABET, NORMALISATION, scribble
from utils.ink import from_strokes, strokes

LINES = Path(__file__).parents[3] / "docs" / "sample-lines"


def network():
    torch.manual_seed(1)
    return PictureNetwork(NORMALISATION, ALPHABET, hidden_size=24)


def test_a_line_does_not_depend_on_the_others_of_its_batch():
    model = network().double().eval()
    inks = [scribble(120), scribble(331, 1), scribble(40, 2), scribble(2, 3)]
    together = model.read(inks, Search())
    for row, ink in enumerate(inks):
        alone = model.read([ink], Search())
        frames = alone.lengths[0]
        assert together.lengths[row] == frames == len(model.features(ink)) // 2
        torch.testing.assert_close(
            together.ctc_log_probs[row, :frames], alone.ctc_log_probs[0, :frames], atol=1e-9, rtol=0
        )
        assert together.hypotheses[row] == alone.hypotheses[0]
    # Two narrow characters that are the same have a frame for the blank between them.
    bars = from_strokes([np.array([[12.0 * n, 0.0], [12.0 * n, 40.0]]) for n in range(6)])
    assert model.read([bars]).lengths[0] >= 11


def test_the_shipped_network_reads_lines_however_their_strokes_were_drawn():
    """In another order and direction, which a picture does not show."""
    samples = [sample for path in sorted(LINES.glob("*.inkml")) for sample in read_ink(path)]
    inks = [sample.ink for sample in samples]
    turned = [from_strokes([part[::-1] for part in strokes(ink)][::-1]) for ink in inks]
    reader = load_reader("eye", "cpu")
    for seen in (inks, turned):
        pairs = zip([sample.text for sample in samples], reader.read_lines(seen), strict=True)
        assert rates(pairs)["cer"] < 0.1
