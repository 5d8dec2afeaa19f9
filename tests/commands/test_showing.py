"""What `write --show` draws, and for which networks."""

import json

import numpy as np
import pytest
from PIL import Image

import base.pretrained
from handwriting import inspection
from handwriting.hand import write_lines
from handwriting.inspection import BIASES, style_primers
from model import load
from model.generation.options import Sampling
from tests.commands.networks import names, of_colour, save, write
from utils.checks import UserError
from utils.page.page import INK


@pytest.fixture
def styles(tmp_path, monkeypatch):
    """A folder of styles, empty at first."""
    folder = tmp_path / "styles"
    folder.mkdir()
    monkeypatch.setattr(base.pretrained, "STYLES", folder)
    return folder


def add_style(folder, name, text):
    """A zigzag as large as what the small networks write."""
    stroke = [[40.0 * n, 60.0 * (n % 2)] for n in range(30)]
    (folder / f"{name}.json").write_text(
        json.dumps({"name": name, "text": text, "strokes": [stroke]})
    )


@pytest.mark.slow
def test_pictures_are_drawn_on_request(conditional, unconditional, tmp_path):
    shown = ("--show", "window", "--show", "density", "--show", "weights")
    write(conditional, tmp_path / "a", "--text", "ab", "--steps", 40, *shown)
    kinds = ("-density.png", "-weights.png", "-window.png", ".png", ".svg")
    assert names(tmp_path / "a") == [f"conditional-ab-seed0{kind}" for kind in kinds]
    write(unconditional, tmp_path / "b", "--num-samples", 1, "--steps", 30, *shown[2:])
    assert names(tmp_path / "b")[:2] == [f"unconditional-seed0{kind}" for kind in kinds[:2]]
    for path in tmp_path.glob("?/*-[dw]*.png"):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5, path.name


def grid_of(monkeypatch):
    """What was drawn as a grid: lines, rows, columns and caption of each."""
    drawn, real = [], inspection.grid_figure
    fake = lambda *words: drawn.append(words) or real(*words)  # noqa: E731
    monkeypatch.setattr(inspection, "grid_figure", fake)
    return drawn


def test_the_sheet_shows_each_bias_in_each_hand(conditional, styles, tmp_path, monkeypatch):
    """The own hand and those styles whose text the network knows; a bias is what a writer does."""
    add_style(styles, "mine", "zig zag")
    add_style(styles, "other", "z\u0142g")
    drawn = grid_of(monkeypatch)
    words = ("--text", "ab", "--seed", 3, "--steps", 30, "--pen-sharpness", 0, "--bias", 7)
    write(conditional, tmp_path / "out", *words, "--show", "bias")
    assert "conditional-ab-seed3-bias.png" in names(tmp_path / "out")
    ((inks, rows, columns, caption),) = drawn
    assert rows == ["no style", "mine"] and caption == "ab \u00b7 seed 3"
    assert columns == ["bias 0", "bias 0.5", "bias 1", "bias 2"]
    writer = load(conditional, "cpu")
    for row, hand in ((0, None), (1, style_primers(writer)["mine"])):
        for ink, bias in zip(inks[row], BIASES, strict=True):
            sampling = Sampling(bias, 0.0, max_steps=30)
            (line,) = write_lines(writer, ["ab"], [3], sampling, primer=hand)
            np.testing.assert_allclose(ink, line.written, atol=1e-2)
    assert of_colour(tmp_path / "out" / "conditional-ab-seed3-bias.png", INK) > 100


def test_one_hand_has_its_biases_under_each_other(
    conditional, unconditional, styles, tmp_path, monkeypatch
):
    """With a primer, without a style, and without a text."""
    drawn = grid_of(monkeypatch)
    write(conditional, tmp_path / "a", "--text", "ab", "--steps", 20, "--show", "bias")
    add_style(styles, "mine", "zig zag")
    style = ("--style", styles / "mine.json", "--show", "bias")
    write(conditional, tmp_path / "b", "--text", "ab", "--steps", 20, *style)
    write(unconditional, tmp_path / "c.svg", "--steps", 20, "--show", "bias")
    for inks, rows, columns, _ in drawn:
        assert columns == [""] and rows[0] == "bias 0" and [len(row) for row in inks] == [1] * 4
    assert len(drawn) == 3
    assert names(tmp_path) == ["a", "b", "c-bias.png", "c.svg", "styles"]


def test_a_picture_that_a_network_has_not_is_refused(unconditional, tmp_path):
    with pytest.raises(UserError, match="no window over a text: leave out --show window"):
        write(unconditional, tmp_path / "out", "--show", "window")
    writer = load(unconditional, "cpu")
    with pytest.raises(UserError, match="no window over a text"):
        inspection.step_figures(writer, writer.write(max_steps=5), ["window"])
    path = save(tmp_path / "c.pth", "SynthesisNetwork", head="regression")
    for kind in ("density", "weights", "bias"):
        with pytest.raises(UserError, match=f"regression head.*leave out --show {kind}"):
            write(path, tmp_path / "out", "--show", kind)
    assert not (tmp_path / "out").exists()
    write(path, tmp_path / "out", "--steps", 20, "--show", "window")
    assert len(list((tmp_path / "out").glob("*-window.png"))) == 1
