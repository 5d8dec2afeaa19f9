"""Pages by a network that is conditioned on a hand: of a style, of a person's lines, its own."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from apps.pages import PageOptions, Paper, PrimerFile, own_hand, page_hands, styles, write_page
from apps.pages.hands import extras_of_style, hand_of
from apps.pages.page_hands import Hands
from apps.pages.styles import network_of, write_style
from base.run.pretrained import pretrained
from ink.formats.inkml.lines import write_inkml
from ink.geometry import from_strokes
from ink.measures import NUM_HAND_LINES, levelled
from model import Writer, load
from model.generation.hand_encoder import DESCRIPTOR
from model.recognition.hand_descriptor import HandDescriptor
from tests.commands.networks import save
from utils.checks import DataError, UserError

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


def hand_of_page(writer, **options):
    """Return the hand of a page."""
    options = PageOptions(**options)
    return Hands(writer, options, "cpu", progress=False).of(options.look)


def lines(writer, **options):
    """Return the points of two lines on a page."""
    hand = hand_of_page(writer, paper=PAPER, proofread=False, **options)
    return [line.ink for line in hand.write_texts(["ab", "ba"], [3, 4])]


@pytest.mark.parametrize(
    ("seed", "height", "is_same"), [(1, 10.0, True), (2, 10.0, False), (1, 20.0, True)]
)
def test_lines_depend_on_the_hand_vector_of_a_style_and_not_on_its_ink(
    writer, tmp_path, seed, height, is_same
):
    expected = lines(writer, style=style(tmp_path, "a", 1))
    inks = lines(writer, style=style(tmp_path, "b", seed, wave(height)))
    assert [*map(np.array_equal, inks, expected)] == [is_same] * 2
    assert all(not ink[0].any() for ink in inks)


def test_no_line_is_measured_where_only_the_hand_vector_matters(writer, tmp_path, monkeypatch):
    """A page measures a line, whose shape its words are given; lines are the same without."""
    file = style(tmp_path, "a", 1)
    expected, measured = lines(writer, style=file), []
    usual = Writer.reference_lines
    monkeypatch.setattr(
        Writer, "reference_lines", lambda *given: measured.append(given) or usual(*given)
    )
    hand = hand_of(writer, file)
    inks = [line.ink for line in hand.write_texts(["ab", "ba"], [3, 4])]
    assert [*map(np.array_equal, inks, expected)] == [True, True]
    assert hand.primer is None and hand.description == "a.json, 'abc'" and not measured
    assert hand_of(writer, file, of_page=True).primer[1] == "abc" and len(measured) == 1


@pytest.mark.parametrize(
    ("strokes", "bias", "expected"), [(2, None, 1.0), (3, None, 0.75), (2, 0.5, 0.5)]
)
def test_joined_letters_have_a_higher_bias_unless_another_is_chosen(
    writer, tmp_path, strokes, bias, expected
):
    ink = wave()
    ink[[*range(60, 60 * strokes, 60)], 2] = 1  # The text has three letters.
    file = style(tmp_path, "a", 1, ink)
    mixed = f"{file}:1,{style(tmp_path, 'b', 2, ink)}:3"
    for source in (file, mixed):
        hands = (
            hand_of_page(writer, proofread=False, style=source, bias=bias),
            hand_of(writer, source, bias=bias),  # of `write`
        )
        assert [hand.sampling.bias for hand in hands] == [expected] * 2


def test_a_primer_is_continued_also_if_a_style_would_give_a_hand_vector(writer, tmp_path):
    file = style(tmp_path, "a", 1)
    (line,) = hand_of(writer, PrimerFile(file, scale=1.0)).write_texts(["ab"], [3])
    assert line.primed == len(wave())


@pytest.fixture
def mix(tmp_path):
    """A part of a style and three parts of another, of which four in five lines are composed."""
    first, second = (style(tmp_path, name, seed) for seed, name in enumerate("ab"))
    second.write_text(json.dumps(json.loads(second.read_text()) | {"composed": 0.8}))
    return first, second, f"{first}:1,{second}:3"


@pytest.mark.parametrize("name", ["hand", "composed"])
def test_a_mix_of_styles_is_their_weighted_mean(mix, name):
    first, second, mixed = (extras_of_style(part)[name] for part in mix)
    np.testing.assert_allclose(mixed, 0.25 * first + 0.75 * second)
    assert name == "hand" or mixed == pytest.approx(0.6)


def test_a_mix_of_styles_has_its_hand_vector_and_a_written_line_as_the_primer(writer, mix):
    *_, mixed = mix
    hand = hand_of_page(writer, style=mixed, proofread=False)
    for name, value in extras_of_style(mixed).items():
        np.testing.assert_allclose(hand.sampling.extras[name], value)
    assert len(hand.primer[0]) > 1


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ("{a}:0.3,{b}", "styles with their shares, such as"),
        ("{a}:0.3,{b}:0", "styles with their shares"),
        ("{a}:1,{a}:2", "styles with their shares"),
        ("{a}:nan", "styles with their shares"),
        ("{a}:1,absent:1", "absent"),
        (",".join(f"name{number}:1" for number in range(500)), "name0: no such file"),
        ("{a}:1,open:1", "different networks, open_writer and writer, cannot"),
    ],
)
def test_a_broken_mix_is_refused(tmp_path, monkeypatch, mix, message):
    names = {name: style(tmp_path, name, 0) for name in "ab"}
    monkeypatch.chdir(tmp_path)
    write_style(tmp_path / "open", wave(), "abc", "open", [0.0] * DESCRIPTOR, "open_writer")
    (tmp_path / "open").rename(tmp_path / "open.json")
    monkeypatch.setattr(styles, "OWN_STYLES", tmp_path)
    with pytest.raises(UserError, match=message):
        network_of(mix.format(**names))


def test_a_network_without_hand_vectors_mixes_no_styles(tmp_path):
    network = load(save(tmp_path / "plain.pth", "SynthesisNetwork"), "cpu")
    mix = ",".join(f"{style(tmp_path, name, 0)}:1" for name in "ab")
    for use in (lambda: lines(network, style=mix), lambda: hand_of(network, mix)):
        with pytest.raises(UserError, match="takes no hand vector, so it mixes no styles"):
            use()


def test_a_primer_is_continued_instead_of_the_usual_hand_of_a_writer(writer, tmp_path):
    write_inkml(tmp_path / "mine.inkml", wave(), "abc")
    primer = PrimerFile(tmp_path / "mine.inkml", scale=1.0)
    usual = replace(writer, path=pretrained()["writer"])  # which has a usual hand
    hand = hand_of_page(usual, paper=PAPER, proofread=False, primer=primer)
    (line,) = hand.write_texts(["ab"], [3])
    assert line.primed == len(wave())
    assert "hand" not in hand.sampling.extras


def test_the_hand_vector_of_a_folder_of_lines_describes_all_its_lines(tmp_path):
    inks = [wave(), wave(lean=0.5), wave(height=14.0, lean=-0.3)]
    for number, ink in enumerate(inks):
        write_inkml(tmp_path / f"{number}.inkml", ink, "abc")
    rows = HandDescriptor.load().describe([levelled(ink)[0] for ink in inks])
    hand = extras_of_style(tmp_path)["hand"]
    assert hand.shape == (NUM_HAND_LINES, DESCRIPTOR + 1)
    np.testing.assert_allclose(hand.sum(0), rows.sum(0), rtol=1e-4, atol=1e-4)
    assert np.ptp(rows[:, :-1] / rows[:, -1:], axis=0).max() > 0.3  # they differ


def test_each_seed_has_a_hand_of_its_own(writer):
    options = dict(style="own", proofread=False)
    first, again, other = (
        hand_of_page(writer, seed=seed, **options).sampling.extras["hand"] for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again) and not np.allclose(first, other)


def test_a_line_in_the_hand_of_a_seed_is_that_of_a_page_and_needs_no_primer(writer):
    expected = lines(writer, style="own", seed=5)
    hand = own_hand(writer, 5)
    inks = [line.ink for line in hand.write_texts(["ab", "ba"], [3, 4])]
    assert [*map(np.array_equal, inks, expected)] == [True, True] and hand.primer is None


def test_a_joined_hand_of_a_seed_has_the_bias_of_joined_hands(writer, monkeypatch):
    monkeypatch.setattr(page_hands, "new_hand_primer", lambda *_: (wave(), "abc"))
    page = hand_of_page(writer, style="own", seed=5, proofread=False)
    assert page.sampling.bias == own_hand(writer, 5).sampling.bias == 1.0
    assert own_hand(writer, 5, bias=0.5).sampling.bias == 0.5


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("hand", [1.0, 2.0], f"{DESCRIPTOR} numbers"),
        ("hand", ["a"] * 64, f"{DESCRIPTOR} numbers"),
        ("hand", {}, f"{DESCRIPTOR} numbers"),
        ("composed", 1.5, "from 0 to 1"),
        ("composed", "1", "from 0 to 1"),
        ("composed", None, "from 0 to 1"),
    ],
)
def test_a_style_with_a_broken_value_is_refused(tmp_path, name, value, expected):
    path = style(tmp_path, "a", 1)
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(DataError, match=rf"a\.json: {name} = .*{expected}"):
        extras_of_style(path)


@pytest.mark.parametrize("version", [None, 0, "1"])
def test_a_style_of_another_version_is_refused(tmp_path, version):
    path = style(tmp_path, "a", 1)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": version}))
    for use in (extras_of_style, network_of):
        with pytest.raises(DataError, match=r"a\.json: written by another version .* anew$"):
            use(path)


def test_a_style_whose_first_line_has_no_text_is_refused_before_a_network_is_loaded(
    tmp_path, monkeypatch
):
    for name, text in (("a", ""), ("b", "abc")):
        write_inkml(tmp_path / f"{name}.inkml", wave(), text)
    monkeypatch.setattr(page_hands, "load_writer", lambda *_: pytest.fail("loaded"))
    named = f"---\nstyle: {tmp_path}\n---\nab"
    for text, options in (("ab", PageOptions(style=tmp_path)), (named, PageOptions())):
        with pytest.raises(UserError, match=r"a\.inkml: the first line of the style has no text"):
            write_page(text, None, options)
