"""Hands for tests."""

import numpy as np
import pytest

from apps.pages.hands import Hand
from ink.geometry import from_strokes
from model import load
from tests.commands.networks import save


@pytest.fixture
def hand(tmp_path):
    """An untrained network that writes in the hand of a wave."""
    writer = load(save(tmp_path / "writer", "SynthesisNetwork"))
    t = np.linspace(0, 1, 200)

    def make(ink=None, height=10.0, **options):
        wave = from_strokes([np.stack([400 * t, height * np.sin(80 * t)], axis=1)])
        return Hand(writer, (wave, "abc") if ink is None else (ink, "zzzzzzzz"), **options)

    return make


@pytest.fixture(scope="session")
def writer():
    """The pretrained network."""
    return load("writer", "cpu")
