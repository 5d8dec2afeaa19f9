"""The letters of stroke fonts, and the other shapes of signs."""

import string

import numpy as np
import pytest

from data_loader.synthetic.embedded import write
from data_loader.synthetic.stroke_fonts import CHARACTERS, FONTS, SIGN_LEAN, glyph
from tests.data_loader.synthetic.hands import Still, hand
from utils.ink import strokes

PRINTABLE = string.ascii_letters + string.digits + string.punctuation


@pytest.mark.parametrize("name", FONTS)
def test_every_font_draws_every_character_at_its_height(name):
    assert [ord(character) for character in CHARACTERS] == list(range(32, 127))
    tops, bottoms, forms = {}, {}, set()
    for character in PRINTABLE:
        line = glyph(name, 0.6, character).path
        assert len(line) >= 3 and line[-1, 2], character
        steps = np.diff(line[:, :2], axis=0)[line[:-1, 2] == 0]
        assert np.hypot(*steps.T).max() < 0.7, character
        tops[character], bottoms[character] = line[:, 1].min(), line[:, 1].max()
        forms.add(line.round(2).tobytes())
    assert len(forms) == 94  # no two characters look the same
    assert glyph(name, 0.6, " ").path.size == 0
    x_height = -tops["x"]
    assert 10 < x_height < 15
    for character in "acemnorsuvwxz":
        assert tops[character] == pytest.approx(-x_height, abs=2.2), character
    for character in "bdfhkl" + string.digits + string.ascii_uppercase:
        assert -24 < tops[character] < -19, character
    for character in "abcdehiklmnorstuvwx" + string.digits + "ABCDEFGHIKLMNOPRSTUVWX":
        assert bottoms[character] == pytest.approx(0, abs=1.5), character
    assert min(bottoms[one] for one in "gjpqy,;") > 2 and min(tops[one] for one in "._") > -2
    assert max(bottoms[one] for one in "'\"`^") < -10


@pytest.mark.parametrize("rounding", [0.6, 1.5])
@pytest.mark.parametrize("slant", [-0.15, 0.0, 0.5])  # the bounds of invented hands
def test_signs_are_told_apart_in_every_hand(slant, rounding):
    def sign(character):
        (stroke,) = strokes(write(character, hand(slant=slant, rounding=rounding), Still(), 300))
        return stroke / hand().size  # from top to bottom, in font units

    back, quote, slash = sign("\\"), sign("`"), sign("/")
    assert back[-1, 0] - back[0, 0] > 10 and quote[-1, 0] - quote[0, 0] > 3.5
    assert slash[-1, 0] - slash[0, 0] < -10
    for opening, closing in ("{}", "[]", "()"):
        for character, side in ((opening, -1), (closing, 1)):
            line = sign(character)
            upright = line[:, 0] + SIGN_LEAN * slant * (line[:, 1] - line[0, 1])
            out = side * (upright - upright[0])
            middle, quarter = (
                out[np.argmin(abs(line[:, 1] - np.quantile(line[[0, -1], 1], part)))]
                for part in (0.5, 0.25)
            )
            if opening == "{":  # the tip stands out from the stem as far as the ends do
                assert middle - quarter > 4 and quarter > 3.5
            elif opening == "[":  # a long straight stem
                assert abs(middle - quarter) < 0.2 and quarter > 5.5
            else:
                assert 0.5 < middle - quarter < 2.5
