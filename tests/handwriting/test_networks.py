"""Networks that are loaded to write or to read."""

import pytest

from base.pretrained import pretrained
from handwriting.networks import load_reader, load_writer, sampling_of, warning
from model import Sampling, load
from tests.commands.networks import save
from utils.checks import UserError


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


def test_letters_that_a_pretrained_network_hardly_knows_are_named(tmp_path):
    text = "Łąka, łódź i jaźń: äöüß é"
    said = "open_writer hardly knows ą ł ź ń: fewer than half of them can be read"
    assert warning(pretrained()["open_writer"], text) == said
    assert "ą" not in warning(pretrained()["writer"], text)
    assert warning(tmp_path / "open_writer.pth", text) == ""
