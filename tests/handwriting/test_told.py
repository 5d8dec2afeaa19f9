"""Pages by a network that is told the hand: of a style, of a person's lines, of its own."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from base.pretrained import pretrained
from handwriting import PageOptions, Paper, PrimerFile, styles
from handwriting.page_hands import Hands
from handwriting.primers import extras_of_style, load_primer
from handwriting.styles import network_of, write_style
from model import load
from model.generation.hand_encoder import DESCRIPTOR
from model.recognition.hand_descriptor import HandDescriptor
from tests.commands.networks import save
from utils.checks import DataError, UserError
from utils.hand_measures import TOLD_LINES, levelled
from utils.ink import from_strokes
from utils.page.inkml import write_inkml

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
    return [line.ink for line in hands.of(options.look).write_texts(["ab", "ba"], [3, 4])]


def same(first, second):
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_style_is_told_and_not_continued(writer, tmp_path):
    first = lines(writer, style=style(tmp_path, "a", 1))
    assert not same(first, lines(writer, style=style(tmp_path, "b", 2)))
    # What the line of the style looks like is for the words, not for the network.
    assert same(first, lines(writer, style=style(tmp_path, "c", 1, wave(height=20.0))))
    assert all(not ink[0].any() for ink in first)


def test_styles_are_mixed(writer, tmp_path):
    paths = [style(tmp_path, name, seed) for seed, name in enumerate("ab")]
    mix = f"{paths[0]}:1,{paths[1]}:3"
    values = json.loads(paths[1].read_text()) | {"composed": 0.8}
    paths[1].write_text(json.dumps(values))
    first, second = (extras_of_style(path) for path in paths)
    for name in ("hand", "composed"):
        np.testing.assert_allclose(
            extras_of_style(mix)[name], 0.25 * first[name] + 0.75 * second[name]
        )
    assert extras_of_style(mix)["composed"] == pytest.approx(0.6)
    hands = Hands(writer, PageOptions(style=mix, proofread=False), "cpu", progress=False)
    hand = hands.of(hands._options.look)
    np.testing.assert_allclose(hand.sampling.extras["hand"], extras_of_style(mix)["hand"])
    np.testing.assert_allclose(hand.sampling.extras["composed"], extras_of_style(mix)["composed"])
    assert len(hand.primer[0]) > 1  # a line that the network wrote in it, to shape words by


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ("{a}:0.3,{b}", "styles with their shares, such as"),
        ("{a}:0.3,{b}:0", "styles with their shares"),
        ("{a}:1,{a}:2", "styles with their shares"),
        ("{a}:nan", "styles with their shares"),
        ("{a}:1,absent:1", "absent"),
        ("{a}:1,open:1", "different networks, open_writer and writer, cannot"),
    ],
)
def test_a_mix_that_is_none_is_refused(tmp_path, monkeypatch, mix, message):
    names = {name: style(tmp_path, name, 0) for name in "ab"}
    monkeypatch.chdir(tmp_path)
    write_style(tmp_path / "open", wave(), "abc", "open", [0.0] * DESCRIPTOR, "open_writer")
    (tmp_path / "open").rename(tmp_path / "open.json")
    monkeypatch.setattr(styles, "STYLES", tmp_path)
    with pytest.raises(UserError, match=message):
        network_of(mix.format(**names))


def test_a_network_that_is_told_no_hand_mixes_none(tmp_path):
    untold = load(save(tmp_path / "untold.pth", "SynthesisNetwork"), "cpu")
    mix = ",".join(f"{style(tmp_path, name, 0)}:1" for name in "ab")
    with pytest.raises(UserError, match="cannot be told a hand, so it mixes no styles"):
        lines(untold, style=mix)


def test_ink_that_is_to_be_continued_is(writer, tmp_path):
    write_inkml(tmp_path / "mine.inkml", wave(), "abc")
    primer = PrimerFile(tmp_path / "mine.inkml", scale=1.0)
    options = PageOptions(paper=PAPER, proofread=False, primer=primer)
    usual = replace(writer, path=pretrained()["writer"])  # which has a usual hand
    hand = Hands(usual, options, "cpu", progress=False).of(options.look)
    (line,) = hand.write_texts(["ab"], [3])
    assert line.primed == len(wave())
    assert "hand" not in hand.sampling.extras


def test_the_hand_of_some_lines_is_what_all_of_them_look_like(tmp_path):
    inks = [wave(), wave(lean=0.5), wave(height=14.0, lean=-0.3)]
    for number, ink in enumerate(inks):
        write_inkml(tmp_path / f"{number}.inkml", ink, "abc")
    rows = HandDescriptor.load().describe([levelled(ink)[0] for ink in inks])
    told = extras_of_style(tmp_path)["hand"]
    assert told.shape == (TOLD_LINES, DESCRIPTOR + 1)
    np.testing.assert_allclose(told.sum(0), rows.sum(0), rtol=1e-4, atol=1e-4)
    assert np.ptp(rows[:, :-1] / rows[:, -1:], axis=0).max() > 0.3  # they differ


@pytest.mark.parametrize(
    ("is_style", "said"), [(True, "0.inkml and 2 more, 'abc'"), (False, "0.inkml, one of 3 in the")]
)
def test_all_lines_are_counted_where_they_are_the_hand(writer, tmp_path, is_style, said):
    for number in range(3):
        write_inkml(tmp_path / f"{number}.inkml", wave(), "abc")
    _, described = load_primer(PrimerFile(tmp_path), writer, is_style=is_style)
    assert described.startswith(said)


def test_each_seed_has_a_hand_of_its_own(writer):
    first = lines(writer, style="own", seed=0)
    assert same(first, lines(writer, style="own", seed=0))
    hands = [
        Hands(writer, PageOptions(style="own", seed=seed, proofread=False), "cpu", progress=False)
        for seed in range(2)
    ]
    told = [one.of(replace(PageOptions().look, style="own")).sampling.extras for one in hands]
    assert not np.allclose(told[0]["hand"], told[1]["hand"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        *(
            ({"hand": bad}, f"hand = .*{DESCRIPTOR} numbers")
            for bad in ([1.0, 2.0], ["a"] * 64, {})
        ),
        *(({"composed": bad}, "composed = .*from 0 to 1") for bad in (1.5, "1", None)),
    ],
)
def test_a_style_whose_hand_is_something_else_is_refused(tmp_path, changed, message):
    path = style(tmp_path, "a", 1)
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(DataError, match=rf"a\.json: {message}"):
        extras_of_style(path)
