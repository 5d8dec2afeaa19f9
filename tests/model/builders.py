"""Plain networks, ink and batches: a test of this room names only what it is about."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from base.base_data_loader import Batch, padded
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import AttentionNetwork, CTCNetwork, SynthesisNetwork, Writer
from model.layers.kernels import library
from tests.construct import construct

NORMALISATION = Normalisation((8.0, 0.5), (40.0, 30.0))
PRIMER = np.float32([[0, 0, 0], [9, 3, 0], [8, -2, 1]]), "c "
LETTERS = Alphabet("abcdefgh ")
needs_compiler = pytest.mark.skipif(
    library.kernels(False) is None, reason="there is no C compiler that compiles the kernels"
)


def generator(kind=SynthesisNetwork, *, alphabet="abc ", **options):
    """Return a small untrained network that writes, with the same weights every time."""
    torch.manual_seed(0)
    text = [Alphabet(alphabet)] if kind.needs_text else []
    sizes = {"hidden_size": 8, "num_mixtures": 3} | ({"num_windows": 2} if text else {})
    return construct(kind, NORMALISATION, *text, **sizes | options).eval()


def recogniser(kind=CTCNetwork, *, alphabet=LETTERS, **options):
    """Return a small untrained network that reads, with the same weights every time."""
    torch.manual_seed(1)
    sizes = {"hidden_size": 12, "channels": 8, "num_layers": 3, "time_reductions": 2}
    if kind is AttentionNetwork:
        sizes |= {"decoder_size": 10, "attention_size": 7, "embedding_size": 5}
    return construct(kind, NORMALISATION, alphabet, **sizes | options).eval()


def write(network, texts, seeds, sampling, primer=None):
    """Return lines by a network that writes, as `Writer.write_lines` does."""
    writer = Writer(network, Path("network.pth"), torch.device("cpu"), {})
    return writer.write_lines(texts, seeds, sampling, primer=primer)


def ink(points=120, seed=0, *, lifts=0.05):
    """Return random ink that goes to the right; `lifts` is the fraction of ends of strokes."""
    random = np.random.default_rng(seed)
    result = np.zeros((points, 3), np.float32)
    result[1:, :2] = random.normal((4, 0), 20, (points - 1, 2))
    result[:, 2] = random.random(points) < lifts
    result[-1, 2] = 1
    return result


def over(network, ink, text=None, given=None):
    """Return the output of a network that writes, over recorded ink."""
    inputs = torch.from_numpy(NORMALISATION.apply(ink))[None]
    text = (None, None) if text is None else padded([network.alphabet.encode(text)])
    with torch.no_grad():
        return network(inputs, *text, network.initial_state(1, given))


def batch(*, targets=None, inputs=None, lengths=None, texts=None):
    """Return a batch of points `(batch, time, numbers)`, of texts as classes, or of both."""
    rows = len(texts if targets is None else targets)
    targets = torch.zeros(rows, 1, 3) if targets is None else targets
    inputs = torch.zeros_like(targets) if inputs is None else inputs
    lengths = torch.as_tensor([targets.shape[1]] * rows if lengths is None else lengths)
    text, text_lengths = padded([np.int64(text) for text in texts or [[0]] * rows])
    return Batch(inputs, targets, lengths, text, text_lengths, torch.arange(rows))


@contextmanager
def num_threads(count):
    """A block in which torch has so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def values_and_gradients(results, leaves):
    """Return results, and all gradients of a fixed, uneven scalar of them, detached."""
    random, total = torch.Generator().manual_seed(1), 0.0
    for result in results:
        if result.requires_grad:
            slopes = torch.randn(result.shape, generator=random, dtype=torch.float64)
            total = total + (result.double() * slopes.to(result.device)).sum()
    gradients = torch.autograd.grad(total, leaves)
    return [value.detach() for value in (*results, *gradients)]
