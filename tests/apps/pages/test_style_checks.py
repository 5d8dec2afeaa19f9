"""A hand that is given by lines is the same whatever pen recorded them."""

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from apps.pages import PageOptions
from apps.pages.page_hands import Hands
from apps.pages.style_checks import check_lines
from data_loader.transforms.shaping import ResampleTime
from ink.formats.inkml.lines import write_inkml
from ink.geometry import strokes
from ink.reading import read_ink
from model import load
from tests.commands.networks import save
from utils.checks import UserError

ROOT = Path(__file__).parents[3]
DEVICES = {
    **{f"{scale} times as large": (scale, 1.0, 0.0) for scale in (0.04, 0.08, 0.3, 7.0, 40.0)},
    "twice the points": (1.0, 0.5, 0.0),
    "half the points": (1.0, 2.0, 0.0),
    "rises": (1.0, 1.0, -10.0),
    "falls": (1.0, 1.0, 8.0),
}
"""By what is different, a unit, a sampling period, and the degrees by which lines fall."""


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """An untrained network that is told the hand."""
    folder = tmp_path_factory.mktemp("primers")
    return load(save(folder / "writer.pth", "SynthesisNetwork", hand_size=4), "cpu")


def recorded(folder, lines, unit=1.0, period=1.0, degrees=0.0):
    """Save lines as another device records them; return the file."""
    cosine, sine = unit * np.cos(np.radians(degrees)), unit * np.sin(np.radians(degrees))
    rows = []
    for line in lines:
        none = np.zeros(len(line.ink), dtype=np.uint8)
        ink, _ = ResampleTime(period=period)(line.ink, none, None)
        turned = [stroke @ [[cosine, sine], [-sine, cosine]] for stroke in strokes(ink)]
        rows.append({"text": line.text, "strokes": [stroke.tolist() for stroke in turned]})
    folder.mkdir(exist_ok=True)
    (folder / "lines.json").write_text(json.dumps(rows))
    return folder / "lines.json"


def hand_of(writer, style):
    """Return the hand of a page in a style."""
    options = PageOptions(style=style, proofread=False)
    return Hands(writer, options, "cpu", progress=False).of(options.look)


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_a_hand_is_the_same_whatever_unit_rate_and_slope_its_lines_have(writer, tmp_path, device):
    lines = read_ink(ROOT / "docs/sample-lines")[:4]
    expected = hand_of(writer, recorded(tmp_path / "as_they_are", lines))
    hand = hand_of(writer, recorded(tmp_path / "other", lines, *device))
    for name in ("x_height", "lean", "gap", "character_width", "letter_width"):
        usual = getattr(expected.shape, name)
        assert getattr(hand.shape, name) == pytest.approx(usual, rel=0.03, abs=0.01)
    assert hand.shape.angle == pytest.approx(expected.shape.angle, abs=0.01)
    rows, usual = (each.sampling.extras["hand"].sum(0) for each in (hand, expected))
    # The descriptors of two persons are some 8 apart.
    assert np.linalg.norm(rows[:-1] / rows[-1] - usual[:-1] / usual[-1]) < 1.5


@pytest.mark.parametrize(
    ("readings", "message"),
    [
        ([["abc"] * 4, ["abc"] * 4], ""),
        ([["abc", "abc", "xyz", "xyz"], ["abc"] * 4], ""),
        ([["abc", *["xyz"] * 3], ["abc"] * 4], r"b\.inkml and 2 more .* texts: upside down\?"),
        ([["xyz"] * 4, ["xyz"] * 4], r"a\.inkml and 3 more lines do not look like their texts$"),
    ],
)
def test_lines_that_are_read_as_other_texts_are_refused(tmp_path, readings, message):
    for name in "abcd":
        write_inkml(tmp_path / f"{name}.inkml", np.float32([[0, 0, 0], [4, 9, 1]]), "abc")
    seen, answers = [], iter(readings)
    reader = SimpleNamespace(read_lines=lambda inks: seen.append(inks[0][1, 1]) or next(answers))
    refused = pytest.raises(UserError, match=message) if message else nullcontext()
    with refused:
        check_lines(tmp_path, reader)
    assert seen == ([9, -9] if message else [9])
