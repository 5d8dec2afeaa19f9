"""The command that makes fonts of hands."""

import numpy as np
import pytest

import experiments
from apps.pages import fonts
from apps.pages.font_forms import Form, HandForms
from ink import guard
from ink.formats.svg.fonts import parse
from utils.checks import UserError

STEM = np.array([[0.0, -1.0], [0.1, -0.5], [0.0, 0.0]])


@pytest.fixture
def forms(monkeypatch):
    """The forms of every hand: three letters, which are enough here."""
    two = (Form("l", (STEM * (1.0, 2.0),), 0.1), Form("ı", (STEM,), 0.1), Form("n", (STEM,), 0.1))
    forms = HandForms(two, {}, {}, {"low": 0.4}, 0.3, {}, 1.0, 0.0)
    monkeypatch.setattr(fonts, "written_forms", lambda *_, **__: forms)
    monkeypatch.setattr(fonts, "check_complete", lambda *_: None)


@pytest.mark.slow
def test_a_font_of_single_lines_is_written_and_a_page_is_written_with_it(forms, tmp_path, capsys):
    path = tmp_path / "Plain.svg"
    assert experiments.main(["font", "--style", "plain", "--output", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    assert [file.name for file in tmp_path.iterdir()] == ["Plain.svg"]
    assert (
        "Written by the network writer in the hand plain" in path.read_text()
        and "Licence: " in path.read_text()
    )
    font = guard.call(parse, path)
    assert (font.name, font.characters) == ("Plain", ["l", "n", "ı"])
    (stroke,) = font.glyphs["l"].strokes
    assert np.ptp(stroke[:, 1]) == pytest.approx(2.0, abs=0.01)
    page = ["page", "--text", "nil".replace("i", "ı"), "--pen-font", str(path)]
    assert experiments.main([*page, "--output", str(tmp_path / "page.svg")]) == 0


def test_single_lines_have_no_width(tmp_path):
    with pytest.raises(UserError, match=r"pen is for \.otf"):
        experiments.main(["font", "--set", "pen=1", "--output", str(tmp_path / "a.svg")])


@pytest.mark.parametrize("name", ["hand.otf", "hand.woff2"])
def test_a_font_that_cannot_be_saved_is_refused_before_it_is_written(tmp_path, monkeypatch, name):
    monkeypatch.setattr(fonts, "written_forms", lambda *_, **__: pytest.fail("it was written"))
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=r"--output .*: this is a folder; name a file"):
        experiments.main(["font", "--output", str(tmp_path)])
