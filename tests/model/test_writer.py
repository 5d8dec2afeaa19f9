"""What a trained network writes: with a primer and without, and what it says at each step."""

import numpy as np
import pytest
import torch
from torch import nn

from base.base_model import ExtraShapes
from model import SynthesisNetwork, Writer, load
from model.generation.sampling_options import Sampling
from model.generation.writing import MAX_PRIMER_CHARACTERS, MAX_TEXT_CHARACTERS
from model.writer import sampling_of
from tests.commands.networks import save
from tests.moody import NORMALISATION
from utils.alphabet import Alphabet
from utils.checks import UserError


def test_a_network_without_a_text_draws(tmp_path):
    writer = load(save(tmp_path / "writer.pth", "PredictionNetwork"), "cpu")
    sampling = Sampling(pen_sharpness=0.0, max_steps=20)
    lines = writer.write_lines(None, [5, 6], sampling)
    assert [len(line.ink) for line in lines] == [21, 21]
    assert lines[1].description == "no text · bias 0.75 · pen sharpness 0 · seed 6"
    np.testing.assert_array_equal(lines[1].ink, writer.write(sampling=sampling, seed=6).ink)
    with pytest.raises(UserError, match="takes no text"):
        writer.write("a")
    with pytest.raises(UserError, match="its network needs a text"):
        load(save(tmp_path / "other.pth", "SynthesisNetwork"), "cpu").write()


def test_a_line_continues_a_primer_with_its_words_apart(tmp_path):
    writer = load(save(tmp_path / "writer.pth", "SynthesisNetwork"), "cpu")
    ink = np.float32([[0, 0, 0], [30, 5, 0], [10, 40, 1]])
    line = writer.write("b", Sampling(max_steps=9), primer=(ink, "a"))
    assert line.text == "a b" and line.written_text == "b" and line.primed == 3
    np.testing.assert_array_equal(line.ink[:3], ink)
    for said, text in (("a", " b"), ("a ", "b"), ("a ", " b")):
        assert writer.write(text, Sampling(max_steps=9), primer=(ink, said)).text == "a b"
    for text, said in (
        ("a" * (MAX_TEXT_CHARACTERS + 1), "a"),
        ("b", "a" * (MAX_PRIMER_CHARACTERS + 1)),
    ):
        with pytest.raises(UserError, match="at most"):
            writer.write(text, primer=(ink, said))
    with pytest.raises(UserError, match="2 seeds need as many texts"):
        writer.write_lines(["a"], [1, 2])


def test_only_a_density_can_be_sharpened(tmp_path):
    writer = load(save(tmp_path / "a", "SynthesisNetwork"), "cpu")
    assert sampling_of(writer, bias=2.0) == Sampling(2.0)
    assert sampling_of(writer, max_steps=9) == Sampling(max_steps=9)
    plain = load(save(tmp_path / "b", "SynthesisNetwork", head="regression"), "cpu")
    with pytest.raises(UserError, match=r"regression head.*leave out pen_sharpness"):
        sampling_of(plain, pen_sharpness=1.0)


class OfWriters(SynthesisNetwork):
    """Knows five writers by their numbers."""

    def __init__(self):
        super().__init__(NORMALISATION, Alphabet("abc "), hidden_size=8)
        self.extras, self.writers = ExtraShapes({"writer": [1]}), nn.Embedding(5, 2)

    def initial_state(self, batch, given=None):
        numbers = (given or self.told(batch)).extras["writer"].long()
        return super().initial_state(batch) | {"writer": self.writers(numbers)[:, 0]}


def test_a_number_for_which_a_network_of_ones_own_has_nothing_is_named(tmp_path):
    writer = Writer(OfWriters(), tmp_path / "own.pth", torch.device("cpu"), {"config": {}})
    told = r"own.pth: its OfWriters, told writer = \[99.0\], cannot write: IndexError: .*py, line"
    with pytest.raises(UserError, match=told):
        writer.write("abc", extras={"writer": [99.0]}, max_steps=3)
