"""Networks that are loaded to write or to read."""

import numpy as np
import pytest

from handwriting import read
from handwriting.networks import load_reader, load_writer, sampling_of
from model import Sampling, load
from tests.commands.networks import save
from utils.checks import UserError
from utils.page.inkml import write_inkml


def test_a_network_of_another_kind_is_refused(tmp_path):
    alone = save(tmp_path / "alone", "PredictionNetwork")
    with pytest.raises(UserError, match="a PredictionNetwork; a network that writes texts is nee"):
        load_writer(alone, "cpu")
    with pytest.raises(UserError, match="a PredictionNetwork; a network that reads is needed"):
        load_reader(alone, "cpu")


def test_only_a_density_can_be_sharpened(tmp_path):
    writer = load(save(tmp_path / "a", "SynthesisNetwork"), "cpu")
    assert sampling_of(writer, bias=2.0) == Sampling(2.0)
    assert sampling_of(writer, max_steps=9) == Sampling(max_steps=9)
    plain = load(save(tmp_path / "b", "SynthesisNetwork", head="regression"), "cpu")
    with pytest.raises(UserError, match=r"regression head.*leave out --pen-sharpness"):
        sampling_of(plain, pen_sharpness=1.0)


def test_the_texts_of_a_file(tmp_path):
    reader = load(save(tmp_path / "reader", "CTCNetwork"), "cpu")
    t = np.linspace(0, 30, 90, dtype=np.float32)
    ink = np.stack([np.full(90, 4, np.float32), 20 * np.cos(t), np.zeros(90, np.float32)], axis=1)
    ink[-1, 2] = 1
    write_inkml(tmp_path / "a.inkml", ink, "ab")
    assert read(tmp_path / "a.inkml", reader) == [reader.read(ink)]
