"""Pages written with a single-line font from elsewhere."""

import math
from dataclasses import replace

import numpy as np
import pytest

from apps.pages import (
    PageOptions,
    PrimerFile,
    load_report,
    page_hands,
    pen_hand,
    rewrite,
    save_report,
    write_page,
)
from apps.pages.pen_hand import PenHands
from apps.pages.written_word import divided_at
from ink.geometry import path_along
from tests.ink.formats.svg.small_font import GLYPHS, svg_font
from utils.checks import UserError

JOINED = {
    "n": ("M0 100C40 300 60 400 100 400S140 0 200 100", 200),
    "u": ("M0 100Q20 400 60 400T200 100", 200),
}
"""Letters that begin where the letter before ends."""


@pytest.fixture
def options(tmp_path, monkeypatch):
    """Options of a page with a small font; no network may be loaded."""
    for name in ("load_writer", "load_reader"):
        monkeypatch.setattr(page_hands, name, lambda *_: pytest.fail("a network was loaded"))

    def make(content=None, **values):
        path = tmp_path / "small.svg"
        path.write_text(content or svg_font(), encoding="utf-8")
        return PageOptions(pen_font=path, **values)

    return make


def words_of(options, text, seed=0):
    """Return the words of a line."""
    hand = PenHands(options).of(options.look)
    (line,) = hand.write_words([text], [seed])
    return [word for checked in line for word in checked.words]


def test_letters_differ_and_the_same_seed_gives_the_same_page(options):
    text = "oooooo nnn\nжж αα\n- A\nnol\t2.\n".replace("2", "o")
    first, again, other = (
        write_page(text, options=options(seed=seed, size=3.0)) for seed in (4, 4, 5)
    )
    assert first[0].to_svg() == again[0].to_svg() != other[0].to_svg()
    assert [row.text for row in first[0].rows] == ["oooooo nnn", "жж αα", "- A", "nol o."]
    assert first.doubts == [] and not any(word.faults for word in first.proofread)
    rings = [stroke - stroke.mean(axis=0) for stroke in words_of(options(), "o" * 30)[0].strokes]
    assert len({len(ring) for ring in rings}) == 1
    shapes = np.stack(rings)
    spread = np.linalg.norm(shapes - shapes.mean(axis=0), axis=2)
    assert 0.01 < spread.mean() < 0.1 and spread.max() < 0.3  # x-heights
    tops = np.array([stroke[:, 1].min() for stroke in words_of(options(), "o" * 30)[0].strokes])
    assert 0.01 < tops.std() < 0.15


def test_words_without_sway_stand_as_the_font_sets_them(options, monkeypatch):
    """The font has 400 units to the x-height; `.` is the fifth character of the second word."""
    monkeypatch.setattr(pen_hand, "SWAY", 0.0)
    kerning = '<hkern u1="A" u2="V" k="80"/>'
    first, second = words_of(options(svg_font(kerning=kerning)), "AV nfil.")
    assert (first.text, second.text) == ("AV", "nfil.")
    assert first.width == pytest.approx((400 - 80 + 380 - 20) / 400)
    assert first.gap == pytest.approx((20 + 250 + 40) / 400)
    lefts = [stroke[:, 0].min() for stroke in first.strokes]
    assert lefts == pytest.approx([0, 70 / 400, 320 / 400])
    assert [set(each) for each in second.indices[:2]] == [{0}, {0}]
    assert set(np.concatenate(second.indices[2:4]).tolist()) == {1, 2}  # a ligature
    assert [set(each) for each in second.indices[4:]] == [{3}, {4}]
    assert second.strokes[4][:, 1].min() == pytest.approx(-700 / 400)
    assert divided_at(replace(second, breaks=(2,)), 2, 1.0) is None  # within the ligature
    parts = divided_at(second, 3, 1.0)
    assert [part.text for part in parts] == ["nfi-", "l."]


def test_letters_that_touch_are_one_stroke(options):
    (word,) = words_of(options(svg_font(JOINED)), "nunun")
    assert len(word.strokes) == 1 and word.width == pytest.approx(1000 / 400, rel=0.1)
    assert np.diff(path_along(word.strokes[0])).max() < 0.25
    first, second = words_of(options(svg_font(JOINED | {" ": ("", 0)})), "nu nu")
    assert len(first.strokes) == len(second.strokes) == 1 and first.gap == pen_hand.MIN_GAP


def test_a_slant_replaces_the_slant_of_the_font(options, monkeypatch):
    monkeypatch.setattr(pen_hand, "SWAY", 0.0)
    leaning = {text: GLYPHS[text] for text in "on"} | {"l": ("M200 700L60 0", 250)}
    for slant in (0.0, 20.0):
        (word,) = words_of(options(svg_font(leaning), slant=slant), "l")
        width, height = np.ptp(word.strokes[0], axis=0)
        hand = PenHands(options(svg_font(leaning))).of(options().look)
        lean = math.tan(math.radians(slant)) - hand.shape.lean
        assert width / height == pytest.approx(140 / 700 + lean)
    upright = PenHands(options(svg_font({"l": ("M200 700L60 0", 250)})))
    assert upright.of(options().look).shape.lean == pytest.approx(140 / 700)


def test_accents_are_drawn_on_the_letters_of_the_font_unless_it_has_them(options):
    plain, marked = (words_of(options(), text)[0] for text in ("on", "ón"))
    assert len(marked.strokes) == len(plain.strokes) + 1 and marked.text == "ón"
    assert min(stroke[:, 1].min() for stroke in marked.strokes) < -1.2
    with_accent = GLYPHS | {"ó": ("M0 0H100M0 300H100M0 900H100", 200)}
    assert len(words_of(options(svg_font(with_accent)), "ón")[0].strokes) == 5


def test_characters_that_the_font_lacks_are_named_before_anything_is_written(options):
    text = "---\nsize: 3\n---\nno öl\nxqx שלום"
    with pytest.raises(UserError) as raised:
        write_page(text, options=options(), source="letter.txt")
    message = str(raised.value)
    assert message.startswith("letter.txt: the font small.svg does not know 'q' (U+0071) in line 5")
    assert "'ש' (U+05E9) in line 5, column 5" in message and "--skip-unknown" in message
    pages = write_page(text, options=options(skip_unknown=True))
    assert [row.text for row in pages[0].rows] == ["no öl", "xx"]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"style": "flowing", "bias": 1.0}, "style, bias"),
        ({"reader": "reader", "tries": 3}, "reader, tries"),
        ({"primer": PrimerFile("a.inkml"), "extras": {"mood": [1.0]}}, "primer, extras"),
    ],
)
def test_options_of_networks_are_refused(options, values, named):
    with pytest.raises(UserError, match=f"without networks: leave out {named}$"):
        options(**values)


def test_front_matter_has_no_style(options):
    text = "on\n---\nstyle: flowing\n---\nno"
    with pytest.raises(UserError, match=r"letter.txt, line 2: a pen font .* leave out style"):
        write_page(text, options=options(), source="letter.txt")


def test_a_writer_is_refused(options, writer):
    with pytest.raises(UserError, match=r"leave out .*writer.pth"):
        write_page("on", writer, options())


def test_words_are_written_again(options, tmp_path):
    pages = write_page("on no on no", options=options())
    save_report(tmp_path / "report.json", pages)
    loaded = load_report(tmp_path / "report.json")
    again = rewrite(loaded, [(1, 1, 2)])
    rows = [page.rows[0].strokes for page in (pages[0], again[0])]
    changed = [not np.array_equal(*pair) for pair in zip(*rows, strict=True)]
    count = len(rows[0]) // 4
    assert changed == [False] * count + [True] * count + [False] * 2 * count
