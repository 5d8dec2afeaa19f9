"""Primed sampling, from ink of every format."""

import numpy as np
import pytest

from data_loader import EmbeddedDataset
from ink.formats.inkml.lines import write_inkml
from ink.reading import read_ink
from ink.resampling import match_device
from model import load, sample
from model.generation.line import Sampling
from tests.commands.networks import names, network, write
from tests.data_loader import ink_formats
from utils.checks import UserError

pytestmark = pytest.mark.pages

AS_IT_IS = ("--set", "primer_scale=1")


@pytest.fixture(scope="module")
def ink():
    dataset = EmbeddedDataset(size=1, valid_size=1, test_size=1, max_characters=16, rate=30.0)
    return dataset.load().used[0].ink


@pytest.fixture
def primer(tmp_path, ink):
    write_inkml(tmp_path / "primer.inkml", ink, "On it")
    return "--primer", tmp_path / "primer.inkml"


def test_network_without_text_continues_the_ink(unconditional, ink, primer, tmp_path, capsys):
    words = (*primer, *AS_IT_IS, "--set", "inkml=yes", "--num-samples", 2, "--steps", 40)
    write(unconditional, tmp_path / "out", *words)
    model, sampling = network("PredictionNetwork"), Sampling(max_steps=40)
    for seed, line in enumerate(sample(model, [0, 1], sampling=sampling, primer=(ink, ""))):
        (read,) = read_ink(tmp_path / "out" / f"unconditional-seed{seed}.inkml")
        assert read.text == ""
        np.testing.assert_array_equal(read.ink, line.written)
    printed = capsys.readouterr().out
    assert "in the hand of primer.inkml\n" in printed
    assert printed.count(f"(40 points after the {len(ink)} of the primer)") == 2


@pytest.mark.parametrize(
    ("given", "text"), [([], " B"), (["--set", "primer_text=On the other hand"], "B")]
)
def test_network_writes_in_the_hand_of_the_primer_whose_text_is_its_own_or_given(
    conditional, ink, primer, tmp_path, given, text, capsys
):
    words = [*primer, *AS_IT_IS, *given, "--text", text]
    words += ["--bias", 0, "--steps", 30]  # with a bias the pen is stretched to the hand's size
    write(conditional, tmp_path / "out.inkml", *words)
    said = given[1].partition("=")[2] if given else "On it"
    model, sampling = network("SynthesisNetwork"), Sampling(bias=0.0, max_steps=30)
    (line,) = sample(model, [0], [" B"], sampling, primer=(ink, said))  # a space between words
    (read,) = read_ink(tmp_path / "out.inkml")
    np.testing.assert_array_equal(read.ink, line.written)
    assert read.text == text.strip()
    assert f"in the hand of primer.inkml, {said!r}\n" in capsys.readouterr().out


def test_nothing_is_written_when_the_window_is_behind_the_text_after_the_primer(
    conditional, ink, primer, tmp_path, capsys
):
    words = (*primer, *AS_IT_IS, "--set", "primer_text=", "--text", "B")
    write(conditional, tmp_path / "out", *words)
    assert names(tmp_path / "out") == ["conditional-B-seed0.png"]
    assert f"(0 points after the {len(ink)} of the primer, ended)" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"hi\.svg: nothing was written after the primer"):
        write(conditional, tmp_path / "hi.svg", *words)


def test_ink_in_other_units_is_scaled_to_the_size_of_the_network(conditional, ink, tmp_path):
    small = ink * np.float32([1 / 64, 1 / 64, 1])
    write_inkml(tmp_path / "small.inkml", small, "On it")
    words = ("--primer", tmp_path / "small.inkml", "--steps", 20, "--text", "B", "--bias", 0)
    write(conditional, tmp_path / "out.inkml", *words)
    fitted = match_device(small, load(conditional, "cpu").reference_lines(Sampling(bias=0.0)))
    model, sampling = network("SynthesisNetwork"), Sampling(bias=0.0, max_steps=20)
    (line,) = sample(model, [0], [" B"], sampling, primer=(fitted, "On it"))
    (read,) = read_ink(tmp_path / "out.inkml")
    np.testing.assert_array_equal(read.ink, line.written)


def test_sample_of_a_file_with_several_is_chosen_by_its_number(conditional, tmp_path, capsys):
    (tmp_path / "digits").write_bytes(ink_formats.unipen("123"))
    words = ("--primer", tmp_path / "digits", *AS_IT_IS, "--text", "B", "--steps", 5)
    write(conditional, tmp_path, *words)
    write(conditional, tmp_path, *words, "--set", "primer_number=2")
    printed = capsys.readouterr().out
    assert "in the hand of digits:00000, one of 3 in the file, '1'\n" in printed
    assert "in the hand of digits:00002, one of 3 in the file, '3'\n" in printed
    with pytest.raises(UserError, match=r"primer_number 3: .*digits has 3 samples, counted from"):
        write(conditional, tmp_path, *words, "--set", "primer_number=3")


def test_primer_that_does_not_fit_the_network_is_refused(conditional, unconditional, ink, tmp_path):
    silent, loud, out = (tmp_path / name for name in ("silent.inkml", "loud.inkml", "out"))
    write_inkml(silent, ink)
    write_inkml(loud, ink, "Ünder")
    for checkpoint, words, message in (
        (conditional, [silent], r"silent\.inkml contains no text for .* primer_text"),
        (conditional, [loud], r"inkml: the network does not know 'Ü' \(U\+00DC\); --skip-unknown"),
        (conditional, [tmp_path / "no"], r"no: cannot be read \(No such"),
        (unconditional, [silent, "--set", "primer_text=a"], "without text: no primer_text"),
    ):
        with pytest.raises(UserError, match=message):
            write(checkpoint, out, "--primer", *words)
    with pytest.raises(UserError, match=r"silent\.inkml, .*: the first line of the style has no t"):
        write(conditional, out, "--style", silent)
    assert not out.exists()
