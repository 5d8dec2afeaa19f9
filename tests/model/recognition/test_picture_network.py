"""The network that reads pictures: padding is invisible, and it learns to read."""

import numpy as np
import torch

from base.base_data_loader import padded
from model.recognition.decoding import Search
from model.recognition.loss import ctc_nats
from model.recognition.picture_network import PictureNetwork
from model.recognition.transcribing import read_with_doubts
from tests.model.recognition.test_recognisers import ALPHABET, NORMALISATION, scribble
from utils.alphabet import Alphabet
from utils.ink import from_strokes, strokes


def network(alphabet=ALPHABET, **options):
    torch.manual_seed(1)
    return PictureNetwork(NORMALISATION, alphabet, hidden_size=24, **options)


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


SHAPES = {
    "v": [[(0, 0), (15, 40), (30, 0)]],
    "L": [[(0, 0), (0, 40), (25, 40)]],
    "+": [[(0, 20), (30, 20)], [(15, 5), (15, 35)]],
    "-": [[(0, 20), (30, 20)]],
}


def drawn(text):
    """Return characters as ink."""
    parts = []
    for place, one in enumerate(text):
        parts += [np.array(part) + np.array([45.0 * place, 0.0]) for part in SHAPES[one]]
    return from_strokes(parts)


def test_it_learns_to_read():
    alphabet, texts = Alphabet([*SHAPES]), ["v+", "L-v", "+", "-L"]
    model, inks = network(alphabet, num_layers=1, dropout=0.0), list(map(drawn, texts))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    pictures = model.batched(list(map(model.features, inks)))
    codes, lengths = padded(list(map(alphabet.encode, texts)))
    for _ in range(150):
        loss = ctc_nats(model(*pictures), codes, lengths).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss < 0.02:
            break
    model.eval()
    # In another order and direction of the strokes, which a picture does not tell.
    turned = [from_strokes([part[::-1] for part in strokes(ink)][::-1]) for ink in inks]
    for seen in (inks, turned):
        found = read_with_doubts(model, seen, [[text] for text in texts])
        assert [read for read, _ in found] == texts and max(doubt for _, doubt in found) < 0.2
    others = read_with_doubts(model, inks, [[text.replace("v", "L")] for text in texts])
    assert [doubt > 2 for _, doubt in others] == ["v" in text for text in texts]
