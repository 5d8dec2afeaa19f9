"""Lines of typed text as glyphs."""

import pytest

from apps.notes.corrections import Corrections
from apps.notes.page_text import PageText
from apps.notes.page_view import page_values
from ink.alphabet import MAX_MARKS
from ink.drawing import fonts
from ink.drawing.fonts import advance, glyphs
from ink.formats.svg.drawing import to_picture
from ink.ink_page import InkPage, TypedText

MARKS = "a" + 49_000 * "\N{COMBINING CEDILLA}" + "b"


def test_marks_above_the_first_32_of_a_letter_are_not_drawn(tmp_path):
    drawn = MARKS[: 1 + MAX_MARKS] + "b"
    assert glyphs(MARKS) == glyphs(drawn) and advance(MARKS) == advance(drawn)
    page = InkPage(100, 100, (), 1.0, (TypedText(MARKS, 9, 9, 9),))
    (viewed,) = page_values(page, PageText(()), Corrections(tmp_path))["typed"]
    assert viewed["text"] == drawn
    assert f">{drawn}</text>" in to_picture(page)


@pytest.mark.parametrize("characters", ["fi", "AV", "\u05d0\u05d1", "\N{ZERO WIDTH JOINER}"])
def test_a_long_line_is_laid_out_in_short_pieces(monkeypatch, characters):
    """As the memory for joined characters grows with the square of their number."""
    lay_out = fonts.text_to_path.get_glyphs_with_font
    lengths = []
    piece = 10 * characters
    monkeypatch.setattr(fonts, "MAX_PIECE", len(piece))

    def counted(font, text, outlines):
        lengths.append(len(text))
        return lay_out(font, text, outlines)

    monkeypatch.setattr(fonts.text_to_path, "get_glyphs_with_font", counted)
    width, placed = advance(piece), glyphs(piece)
    long = glyphs(12 * piece)
    assert advance(12 * piece) == pytest.approx(12 * width)
    expected = [glyph.x + number * width for number in range(12) for glyph in placed]
    assert [glyph.x for glyph in long] == pytest.approx(expected)
    assert max(lengths) == len(piece) + 2  # between bars that show how wide the piece is
