"""Samples of hands: made from ink, listed, written in."""

import json
import re
import shutil

import numpy as np
import pytest
import torch

import experiments
from apps.pages.hands import extras_of_style
from apps.pages.page_options import JOINED_BIAS
from base.run.pretrained import weights_file
from ink.formats.inkml.lines import write_inkml
from ink.geometry import from_strokes
from ink.reading import read_ink
from model import load
from model.generation.line import Sampling
from tests.benchmarks import scripts
from tests.commands.networks import save
from utils.checks import UserError


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder without styles, and ink to make one of."""
    t = np.linspace(0, 1, 120)
    wave = np.stack([300 * t - 40 * np.sin(75 * t), 50 * np.sin(75 * t)], axis=1)
    write_inkml(tmp_path / "my.inkml", from_strokes([wave, wave[:1] - 90.0]), "mimi")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    return experiments.main([str(word) for word in words])


def make(name="mine", *words):
    return run("style", "make", "--ink", "my.inkml", "--name", name, *words)


def test_a_new_style_has_its_ink_text_and_name(place, capsys):
    assert make("mine") == 0
    assert "saved/styles/mine.json" in capsys.readouterr().out
    values = json.loads((place / "saved/styles/mine.json").read_text())
    assert (values["text"], values["name"]) == ("mimi", "mine")
    (own,), (style,) = read_ink(place / "my.inkml"), read_ink(place / "saved/styles/mine.json")
    assert style.text == "mimi"
    assert (own.ink[:, 2] == style.ink[:, 2]).all()
    np.testing.assert_allclose(style.ink, own.ink, atol=0.05)  # of an x-height of 100


def test_a_style_whose_slant_cannot_be_measured_can_be_written_in(place):
    """A dash has no slant."""
    write_inkml(place / "my.inkml", from_strokes([np.array([[0.0, 0], [9, 0]])]), "-")
    make("dash")
    network = save(place / "writer", "SynthesisNetwork")
    words = ("--style", "dash", "--steps", 9, "--output", "a.svg")
    assert run("write", "-r", network, "-d", "cpu", "--text", "ab", *words) == 0


def test_a_style_is_written_by_the_network_it_names(place, capsys, monkeypatch):
    (place / "pretrained").mkdir()
    shutil.copy(weights_file("descriptor"), place / "pretrained")
    monkeypatch.setattr("base.run.pretrained.SHIPPED", place)
    for name in ("writer", "joined"):
        save(place / name, "SynthesisNetwork").rename(place / f"pretrained/{name}.pth")
    make("one")
    make("two", "-r", "joined")
    (place / "a.txt").write_text("ab\n---\nstyle: two\n---\nab\n")
    text = ("-d", "cpu", "--text", "ab")
    page = ("-d", "cpu", "--no-proofread", "--verbose", "--style")
    for used, *words in (
        (
            "w",
            "write",
            *text,
            "--style",
            "saved/styles/one.json",
            "--steps",
            9,
            "--output",
            "a.svg",
        ),
        ("j", "write", *text, "--style", "two", "--steps", 9, "--output", "a.svg"),
        ("w", "write", "-r", "writer", *text, "--style", "two", "--steps", 9, "--output", "a.svg"),
        ("wj", "page", "a.txt", *page, "one"),
        ("j", "page", *page, "two", "--text", "ab"),
    ):
        capsys.readouterr()
        assert run(*words) == 0
        printed = capsys.readouterr().out
        assert [name[0] for name in re.findall(r"pretrained/(\w+)\.pth on", printed)] == [*used]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["style", "make"], "are required: --ink, --name"),
        (["style", "make", "--ink", "my.inkml", "--name", "a/b"], "letters, digits"),
        (["style", "make", "--ink", "no.inkml", "--name", "a"], "no.inkml: cannot be read"),
        (["style", "make", "--ink", "my.inkml", "--name", "a", "--text", " "], "no text for"),
        (["style", "make", "--ink", "my.inkml", "--name", "a", "-r", "x"], "'x' \\(choose from"),
        (["style", "make", "--ink", "far.json", "--name", "a"], "far too wide for 'hello'"),
        (["write", "--style", "x"], "x: no such file or folder, nor a style"),
    ],
)
def test_bad_options_are_refused(place, words, message):
    strokes = [[[0, 0], [1e6, 0]], [[1e6, 0], [1e6, 1]]]
    (place / "far.json").write_text(json.dumps({"text": "hello", "strokes": strokes}))
    with pytest.raises(UserError, match=message):
        run(*words)
    assert not (place / "saved/styles").exists()


def told_network(place):
    """Save a style, one of another hand vector, and a network to which the hand matters."""
    make("mine")
    values = json.loads((place / "saved/styles/mine.json").read_text())
    values["hand"] = [-number for number in values["hand"]]
    (place / "saved/styles/other.json").write_text(json.dumps(values))
    network = save(place / "writer.pth", "SynthesisNetwork", hand_size=4)
    content = torch.load(network, weights_only=True)
    content["state_dict"]["hand_gates.weight"].normal_(std=3.0)
    torch.save(content, network)
    return network


def test_a_network_with_hand_vectors_writes_by_the_hand_vector_of_a_style(place):
    network = told_network(place)
    words = ("write", "-r", network, "-d", "cpu", "--text", "ab", "--steps", 30)
    for style in ("mine", "other"):
        assert run(*words, "--style", style, "--output", f"{style}.svg") == 0
    assert (place / "mine.svg").read_text() != (place / "other.svg").read_text()
    read = ("-r", network, "-d", "cpu", "--text", "ab", "--steps", 30, "--output", "found")
    read += ("--reader", save(place / "reader.pth", "CTCNetwork"), "--style", "mine")
    scripts.run("legibility", *read)
    assert json.loads((place / "found/read_back.json").read_text())["style"].endswith("mine.json")


def test_a_mix_of_styles_is_written_by_its_hand_vector(place):
    network, mix = told_network(place), "mine:0.3,other:0.7"
    words = ("-r", network, "-d", "cpu", "--text", "ab", "--steps", 30, "--output", "a.inkml")
    assert run("write", *words, "--style", mix) == 0
    sampling = Sampling(JOINED_BIAS, extras=extras_of_style(mix), max_steps=30)  # Both join.
    line = load(network, "cpu").write("ab", sampling)
    (written,) = read_ink(place / "a.inkml")
    np.testing.assert_array_equal(written.ink, line.ink)


def test_the_usual_style_is_that_of_the_network(place):
    network = told_network(place)
    (place / "saved/styles/mine.json").rename(place / "writer.json")  # as beside a learned hand
    words = ("write", "-r", network, "-d", "cpu", "--text", "ab", "--steps", 30, "--style")
    for name in ("usual", "writer.json", "own"):
        assert run(*words, name, "--output", f"{name}.svg") == 0
    usual, named, own = (
        (place / f"{name}.svg").read_text() for name in ("usual", "writer.json", "own")
    )
    assert usual == named != own
