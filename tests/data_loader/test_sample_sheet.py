"""What the picture of training samples says and marks."""

from dataclasses import replace

import numpy as np
import pytest

from data_loader import EmbeddedDataset, HandwritingDataLoader, Scale
from data_loader.sample_sheet import samples_figure
from model import CTCNetwork, PredictionNetwork
from utils.ink import strokes


@pytest.mark.parametrize("reads", [False, True])
def test_samples_are_shown_as_the_network_sees_them(monkeypatch, reads):
    dots, bars = [], []
    monkeypatch.setattr("utils.plots.Canvas.dots", lambda _, places, *look: dots.append(places))
    monkeypatch.setattr("utils.plots.Canvas.hairline", lambda _, *line: bars.append(line))
    dataset = EmbeddedDataset(seed=3, size=6, valid_size=1, test_size=1, writers=3, rate=20.0)
    twice = [Scale(low=2.0, high=2.0)]
    settings = HandwritingDataLoader(dataset=dataset, augmentation=twice)
    data = settings.for_network(dataset.load(), seed=1)
    network = CTCNetwork if reads else PredictionNetwork
    arguments = (data.normalisation, *([data.alphabet] if reads else []))
    model = network(*arguments, hidden_size=4)
    data = replace(data, features=model.features)
    figure = samples_figure(data, model, truncate=20)
    texts = [text.get_text() for text in figure.axes[0].texts]
    samples = data.loaded.split("train")
    place = min(range(6), key=lambda n: len(samples[n].ink))
    ink, points = samples[place].ink, len(samples[place].ink)
    inputs = len(data.training_loader().dataset[0, place][0])
    assert inputs == (len(model.features(ink)) if reads else points - 1)
    label = f": {points} points, {inputs} inputs, cut into {-(-inputs // 20)} parts"
    first = texts.index(f"as recorded{label}")
    assert texts[first - 1].endswith(f"{len(samples[place].text)} characters")
    assert texts[first + 1] == f"in epoch 1{label}"
    assert [len(one) for one in dots[:2]] == [inputs, len(strokes(ink))]
    assert len(bars) == sum((len(one) - 1) // 20 for one in dots[::2]) + (not reads)
    heights = [np.ptp(one[:, 1]) for one in (dots[0], dots[2])]
    assert heights[1] == pytest.approx(2 * heights[0], rel=0.05)
