"""What a trained network writes: without a text, behind a primer, with the extras that it takes."""

import numpy as np
import pytest
import torch
from torch import nn

from base.data.samples import ExtraShapes
from ink.alphabet import Alphabet
from model import SynthesisNetwork, Writer, load
from model.generation.generators import SynthesisSettings
from model.generation.line import MAX_PRIMER_CHARACTERS, MAX_TEXT_CHARACTERS, Sampling
from model.loading import sampling_of
from tests.commands.networks import save
from tests.model.builders import NORMALISATION, PRIMER
from utils.checks import UserError

SHORT = Sampling(max_steps=9)


def writer(folder, kind="SynthesisNetwork", **options):
    return load(save(folder / kind / "writer.pth", kind, **options), "cpu")


def test_network_without_a_text_writes_a_line_for_each_seed(tmp_path):
    sampling = Sampling(pen_sharpness=0.0, max_steps=20)
    network = writer(tmp_path, "PredictionNetwork")
    lines = network.write_lines(None, [5, 6], sampling)
    assert [len(line.ink) for line in lines] == [21, 21]
    assert lines[1].description == "no text · bias 0.75 · pen sharpness 0 · seed 6"
    np.testing.assert_array_equal(lines[1].ink, network.write(sampling=sampling, seed=6).ink)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("PredictionNetwork", "a", "takes no text"),
        ("SynthesisNetwork", None, "its network needs a text"),
    ],
)
def test_a_network_that_takes_text_needs_one_and_any_other_network_refuses_it(
    tmp_path, kind, text, message
):
    with pytest.raises(UserError, match=message):
        writer(tmp_path, kind).write(text)


@pytest.mark.parametrize(("said", "text"), [("a", "b"), ("a", " b"), ("a ", "b"), ("a ", " b")])
def test_line_continues_a_primer_with_its_words_apart(tmp_path, said, text):
    line = writer(tmp_path).write(text, SHORT, primer=(PRIMER[0], said))
    assert (line.text, line.written_text.strip(), line.primed) == ("a b", "b", 3)
    np.testing.assert_array_equal(line.ink[:3], PRIMER[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [("a" * (MAX_TEXT_CHARACTERS + 1), "a"), ("b", "a" * (MAX_PRIMER_CHARACTERS + 1))],
)
def test_texts_and_primers_that_are_too_long_are_refused(tmp_path, text, said):
    with pytest.raises(UserError, match="at most"):
        writer(tmp_path).write(text, primer=(PRIMER[0], said))


def test_regression_head_refuses_to_be_sharpened(tmp_path):
    assert sampling_of(writer(tmp_path), bias=2.0, max_steps=9) == Sampling(2.0, max_steps=9)
    with pytest.raises(UserError, match=r"regression head.*leave out pen_sharpness"):
        sampling_of(writer(tmp_path, head="regression"), pen_sharpness=1.0)


class FivePersons(SynthesisNetwork):
    """Knows five persons by their numbers."""

    def __init__(self):
        settings = SynthesisSettings(hidden_size=8)
        super().__init__(NORMALISATION, Alphabet("abc "), settings=settings)
        self.extras, self.persons = ExtraShapes({"person": [1]}), nn.Embedding(5, 2)

    def initial_state(self, batch, given=None):
        numbers = (given or self.make_conditions(batch)).extras["person"].long()
        return super().initial_state(batch) | {"person": self.persons(numbers)[:, 0]}


def test_extra_with_which_a_network_cannot_write_is_named(tmp_path):
    network = Writer(FivePersons(), tmp_path / "own.pth", torch.device("cpu"), {"config": {}})
    message = r"own.pth: its FivePersons, with person = \[99.0\], cannot write: IndexError: .*py, l"
    with pytest.raises(UserError, match=message):
        network.write("abc", extras={"person": [99.0]}, max_steps=3)
