"""Pages by a network that is told the hand: of a style, of a person's lines, of its own."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from base.pretrained import pretrained
from handwriting import PageOptions, Paper, PrimerFile
from handwriting.hands import Hands
from handwriting.primers import hand_of
from model import load
from model.generation.hand_encoder import DESCRIPTOR, LINES
from model.recognition.hand_descriptor import HandDescriptor
from tests.commands.networks import save
from utils.checks import DataError
from utils.ink import from_strokes
from utils.page.inkml import write_inkml
from utils.style_file import write_style

PAPER = Paper(5000.0, 5000.0, (1000.0,) * 4)
T = np.linspace(0, 1, 200)


def wave(height=10.0, lean=0.0):
    y = height * np.sin(80 * T)
    return from_strokes([np.stack([400 * T - lean * y, y], axis=1)])


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """An untrained network, to which the hand matters."""
    path = tmp_path_factory.mktemp("told") / "writer.pth"
    content = torch.load(save(path, "SynthesisNetwork", hand_size=4), weights_only=True)
    torch.manual_seed(0)
    content["state_dict"]["hand_gates.weight"].normal_(std=3.0)
    torch.save(content, path)
    return load(path, "cpu")


def style(folder, name, seed, ink=None):
    numbers = np.random.default_rng(seed).normal(size=DESCRIPTOR).tolist()
    ink = wave() if ink is None else ink
    write_style(folder / f"{name}.json", ink, "abc", name, numbers)
    return folder / f"{name}.json"


def lines(writer, **options):
    """Return the points of two lines on a page."""
    options = PageOptions(paper=PAPER, proofread=False, **options)
    hands = Hands(writer, options, "cpu", progress=False)
    return [line.ink for line in hands.of(options.look).write_lines(["ab", "ba"], [3, 4])]


def same(first, second):
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_style_is_told_and_not_continued(writer, tmp_path):
    first = lines(writer, style=style(tmp_path, "a", 1))
    assert not same(first, lines(writer, style=style(tmp_path, "b", 2)))
    # What the line of the style looks like is for the words, not for the network.
    assert same(first, lines(writer, style=style(tmp_path, "c", 1, wave(height=20.0))))
    assert all(not ink[0].any() for ink in first)


def test_ink_that_is_to_be_continued_is(writer, tmp_path):
    write_inkml(tmp_path / "mine.inkml", wave(), "abc")
    primer = PrimerFile(tmp_path / "mine.inkml", scale=1.0)
    options = PageOptions(paper=PAPER, proofread=False, primer=primer)
    usual = replace(writer, path=pretrained()["writer"])  # which has a usual hand
    hand = Hands(usual, options, "cpu", progress=False).of(options.look)
    (line,) = hand.write_lines(["ab"], [3])
    assert line.primed == len(wave())
    assert "hand" not in hand.sampling.extras


def test_the_hand_of_some_lines_is_what_all_of_them_look_like(tmp_path):
    inks = [wave(), wave(lean=0.5), wave(height=14.0, lean=-0.3)]
    for number, ink in enumerate(inks):
        write_inkml(tmp_path / f"{number}.inkml", ink, "abc")
    told, rows = hand_of(tmp_path), HandDescriptor.load().describe(inks)
    assert told.shape == (LINES, DESCRIPTOR + 1)
    np.testing.assert_allclose(told.sum(0), rows.sum(0), rtol=1e-4, atol=1e-4)
    assert np.ptp(rows[:, :-1] / rows[:, -1:], axis=0).max() > 0.3  # they differ


def test_each_seed_has_a_hand_of_its_own(writer):
    first = lines(writer, style="own", seed=0)
    assert same(first, lines(writer, style="own", seed=0))
    hands = [
        Hands(writer, PageOptions(style="own", seed=seed, proofread=False), "cpu", progress=False)
        for seed in range(2)
    ]
    told = [one.of(replace(PageOptions().look, style="own")).sampling.extras for one in hands]
    assert not np.allclose(told[0]["hand"], told[1]["hand"])


@pytest.mark.parametrize("numbers", [[1.0, 2.0], ["a"] * DESCRIPTOR, {}])
def test_a_style_whose_hand_is_something_else_is_refused(writer, tmp_path, numbers):
    path = style(tmp_path, "a", 1)
    values = json.loads(path.read_text()) | {"hand": numbers}
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match=rf"a\.json: hand = .*{DESCRIPTOR} numbers"):
        hand_of(path)
