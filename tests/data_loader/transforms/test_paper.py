import numpy as np
import pytest

from data_loader import EmbeddedDataset, HandwritingDataLoader
from data_loader.transforms.paper import Crowd, Pen
from model import CTCNetwork, PictureNetwork
from utils.alphabet import Alphabet
from utils.checks import ConfigFault
from utils.ink import from_strokes, strokes
from utils.normalisation import Normalisation
from utils.pictures import ink_picture


def test_pens_stay_between_their_bounds():
    pens = [Pen().arguments(np.random.default_rng(seed)) for seed in range(300)]
    for name, low, high in (("pen", 0.07, 0.28), ("blur", 1.0, 2.5), ("zoom", 0.7, 1.0)):
        values = np.array([pen[name] for pen in pens])
        assert low <= values.min() < low * 1.1 and high / 1.1 < values.max() <= high
    with pytest.raises(ConfigFault, match=r"thin = 0.5: at most thick, which is 0.28"):
        Pen(thin=0.5)


def test_each_sample_of_an_epoch_is_drawn_by_another_pen_and_validation_by_one():
    dataset = EmbeddedDataset(size=3, valid_size=2, test_size=1)
    settings = HandwritingDataLoader(dataset=dataset, augmentation=[Pen()])

    def data(kind, **options):
        model = kind(Normalisation((0.0, 0.0), (1.0, 1.0)), Alphabet("a"), **options)
        return settings.for_network(dataset.load(), seed=1, features=model.features)

    made = data(PictureNetwork, hidden_size=4, frame_size=4)
    items = made.training_loader().dataset
    drawn = [items[epoch, n][0] for epoch, n in ((0, 0), (0, 0), (1, 0))]
    assert np.array_equal(drawn[0], drawn[1]) and drawn[0].shape != drawn[2].shape
    for n, sample in enumerate(made.samples("valid")):
        picture = made.loader("valid").dataset[0, n][0]
        assert np.array_equal(picture, ink_picture(sample.ink))
    with pytest.raises(ConfigFault, match='"Pen": it belongs to a network that sees pictures'):
        data(CTCNetwork, hidden_size=4, channels=4)


def bars(edges):
    """Return upright strokes of the height 40 at these places, each with a dot above it."""
    parts = [np.array([[x, 40.0], [x, 0.0]]) for x in edges]
    return from_strokes([part for bar in parts for part in (bar, bar[1:] - (0.0, 20.0))])


def test_neighbours_are_moved_together_and_words_are_not():
    edges = [0.0, 12.0, 20.0, 80.0, 95.0]
    ink, gaps = bars(edges), []
    for seed in range(300):
        moved, missing = Crowd(share=1.0)(
            ink, np.zeros(len(ink), np.uint8), np.random.default_rng(seed)
        )
        assert (moved[:, 1:] == ink[:, 1:]).all() and not missing.any()
        x = np.array([part[0, 0] for part in strokes(moved)])
        assert np.allclose(x[1::2], x[::2], atol=1e-3)  # dots stay above their strokes
        gaps.append(np.diff(x[::2]))
    gaps = np.array(gaps)
    assert np.allclose(gaps[:, 2], 60.0, atol=1e-3)
    for n, gap in ((0, 12.0), (1, 8.0), (3, 15.0)):
        assert -4.001 <= gaps[:, n].min() < -3 and gap - 1 < gaps[:, n].max() <= gap + 1e-3
    same, _ = Crowd(share=0.0)(ink, np.zeros(len(ink), np.uint8), np.random.default_rng(0))
    assert np.array_equal(same, ink)
