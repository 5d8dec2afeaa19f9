import numpy as np
import pytest

from data_loader import EmbeddedDataset, HandwritingDataLoader
from data_loader.transforms.pen_and_spacing import Crowd, Pen
from model import CTCNetwork, PictureNetwork
from tests.data_loader.transforms.applied import applied
from utils.alphabet import Alphabet
from utils.checks import ConfigFault
from utils.ink import from_strokes, strokes
from utils.normalisation import Normalisation
from utils.pictures import ink_picture, likely_columns


def test_each_sample_of_an_epoch_is_drawn_by_another_pen_and_validation_by_one():
    pens = [Pen().arguments(np.random.default_rng(seed)) for seed in range(300)]
    for name, low, high in (("pen", 0.07, 0.28), ("blur", 1.0, 2.5), ("zoom", 0.7, 1.0)):
        values = np.array([pen[name] for pen in pens])
        assert low <= values.min() < low * 1.1 and high / 1.1 < values.max() <= high
    dataset = EmbeddedDataset(size=3, valid_size=1, test_size=1)
    settings, unit = HandwritingDataLoader(dataset=dataset, augmentation=[Pen()]), (1.0, 1.0)
    kinds = [
        kind(Normalisation(unit, unit), Alphabet("a")) for kind in (PictureNetwork, CTCNetwork)
    ]
    made = settings.for_network(dataset.load(), seed=1, features=kinds[0].features)
    training = made.training_loader()
    by_width = [likely_columns(sample.ink) for sample in made.training]
    assert training.batch_sampler.lengths.tolist() == by_width
    items, valid = training.dataset, made.loader("valid").dataset
    drawn = [items[epoch, 0][0] for epoch in (0, 0, 1)]
    assert np.array_equal(drawn[0], drawn[1]) and drawn[0].shape != drawn[2].shape
    assert np.array_equal(valid[0, 0][0], ink_picture(made.samples("valid")[0].ink))
    with pytest.raises(ConfigFault, match='"Pen": it belongs to a network that sees pictures'):
        settings.for_network(dataset.load(), seed=1, features=kinds[1].features)


def test_neighbours_are_moved_together_and_words_are_not():
    bars = [np.array([[x, 40.0], [x, 0.0]]) for x in (0.0, 12.0, 20.0, 80.0, 95.0)]
    ink = from_strokes([part for bar in bars for part in (bar, bar[1:] - (0.0, 20.0))])  # dotted
    gaps = []
    for seed in range(300):
        moved, _ = applied(Crowd(share=1.0), ink, seed=seed)
        assert (moved[:, 1:] == ink[:, 1:]).all()
        x = np.array([part[0, 0] for part in strokes(moved)])
        np.testing.assert_allclose(x[1::2], x[::2], atol=1e-3)  # dots stay above their strokes
        gaps.append(np.diff(x[::2]))
    for own, gap in zip(np.array(gaps).T, (12.0, 8.0, 60.0, 15.0), strict=True):
        low = 60.0 if gap == 60.0 else -4.0
        assert low - 0.01 <= own.min() < low + 1 and gap - 1 < own.max() <= gap + 0.01
    assert np.array_equal(applied(Crowd(share=0.0), ink)[0], ink)
