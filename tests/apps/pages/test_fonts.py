"""Tests fonts: letters cut from words, outlines, substitutions and spacing, the file."""

import itertools
import math
import random
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

pathops = pytest.importorskip("pathops", reason="needs skia-pathops")
hb = pytest.importorskip("uharfbuzz", reason="needs uharfbuzz")
pytest.importorskip("brotli", reason="needs brotli")

from fontTools.pens.areaPen import AreaPen  # noqa: E402
from fontTools.ttLib import TTFont  # noqa: E402

from apps.pages import font_forms  # noqa: E402
from apps.pages.font_cutting import LOW_JOIN, cut_letters  # noqa: E402
from apps.pages.font_file import SCALE, FontNames, font_bytes, font_of  # noqa: E402
from apps.pages.font_forms import Form, HandForms  # noqa: E402
from apps.pages.font_outlines import draw, outline  # noqa: E402
from apps.pages.fonts import check_complete  # noqa: E402
from apps.pages.page_hands import Hands  # noqa: E402
from apps.pages.page_options import PageOptions, parse_style  # noqa: E402
from apps.pages.written_word import WrittenWord  # noqa: E402
from commands import font as font_command  # noqa: E402
from commands.shared.options import Parser  # noqa: E402
from utils.checks import UserError  # noqa: E402
from utils.licences import OPEN, RESEARCH_ONLY  # noqa: E402

NUM_FORMS = {"a": 4, "n": 3, "o": 2}
"""Forms of each kind of a letter."""
ENTERED = dict.fromkeys(("low", "high"), frozenset("ano"))
PEN = 0.2


def arch(height, width, entry=None, end=None):
    """Return a stroke: up to a height and down again, with joins at its ends."""
    points = [(0.0, -0.0), (width / 2, -height), (width, 0.0)]
    points[:0] = [] if entry is None else [(0.0, -entry)]
    points += [] if end is None else [(width + 0.4, -end)]
    return np.array(points)


@pytest.fixture(scope="module")
def joined():
    """The forms of a hand that joins a, n and o, and whose t, L, T and é stand alone."""
    rises = {"": None, "low": 0.4, "high": 0.7}
    exits = {"a": "low", "n": "low", "o": "high"}
    forms = []
    for letter, leaving in exits.items():
        for entry, end in itertools.product(("", "low", "high"), ("", leaving)):
            for number in range(NUM_FORMS[letter]):
                width = 0.8 + 0.1 * number
                stroke = arch(1.0, width, rises[entry], rises[end])
                forms.append(Form(letter, (stroke,), width + 0.4 * bool(end), entry, end))
    pair = np.concatenate([arch(1.0, 0.8, None, 0.4), arch(1.0, 0.8) + np.array([1.2, 0.0])])
    forms.append(Form("an", (pair,), 2.0, "", ""))
    forms.append(Form("t", (arch(1.8, 0.5),), 0.5))
    down, across = np.array([(0.0, -2.0), (0.0, 0.0)]), np.array([(0.0, 0.0), (1.0, 0.0)])
    forms.append(Form("L", (down, across), 1.0))
    bar = across * 1.2 - np.array([0.0, 2.0])
    forms.append(Form("T", (bar, down + np.array([0.6, 0.0])), 1.2))
    e = Form("e", (arch(1.0, 0.9),), 0.9)
    accent = np.array([(0.4, -1.3), (0.7, -1.7)])
    forms += [e, Form("é", (*e.strokes, accent), 0.9), Form(".", (np.array([(0.0, 0.0)]),), 0.01)]
    return HandForms(tuple(forms), exits, ENTERED, {"low": 0.4, "high": 0.7}, 0.3, {}, 1.5, 0.0)


@pytest.fixture(scope="module")
def font(joined):
    return font_of(joined, FontNames("My Hand", RESEARCH_ONLY, "made by a test", PEN))


@pytest.fixture(scope="module")
def shape(font):
    return shaper(font)


def shaper(font):
    """Return a function that sets a text as browsers do: name, advance, offsets of each glyph."""
    face = hb.Font(hb.Face(font_bytes(font)))
    order = font.getGlyphOrder()

    def shape(text):
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        hb.shape(face, buffer)
        pairs = zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
        return [(order[i.codepoint], p.x_advance, (p.x_offset, p.y_offset)) for i, p in pairs]

    return shape


def names(glyphs):
    return [name for name, _, _ in glyphs]


def area_of(path):
    pen = AreaPen()
    draw(path, pen)
    return abs(pen.value)


def test_the_outline_of_a_straight_stroke_is_a_stadium():
    path = outline([np.array([(0.0, 0.0), (2.0, 0.0)])], 0.2, 450)
    assert path.bounds == pytest.approx((-45, -45, 945, 45), abs=1)
    assert area_of(path) == pytest.approx(900 * 90 + math.pi * 45**2, rel=0.005)


def test_strokes_that_cross_are_united():
    cross = [np.array([(-1.0, 0.0), (1.0, 0.0)]), np.array([(0.0, -1.0), (0.0, 1.0)])]
    path = outline(cross, 0.2, 450)
    one = 900 * 90 + math.pi * 45**2
    assert area_of(path) == pytest.approx(2 * one - 90**2, rel=0.005)
    assert len([*path.contours]) == 1


def test_a_joined_word_is_cut_on_the_upstroke():
    # Two arches with an upstroke between them, as in "nn": from (2, 0) up to (3, -1).
    points = np.array([(0, 0), (0, -1), (1, -1), (1, 0), (2, 0), (3, -1), (4, -1), (4, 0)], float)
    dense = np.concatenate([np.linspace(a, b, 5)[:-1] for a, b in itertools.pairwise(points)])
    indices = (np.arange(len(dense)) >= 17).astype(int)
    first, second = cut_letters(WrittenWord((dense,), 4.0, 1.0, "nn", (indices,)))
    assert first.joins == ("", "low") and second.joins == ("low", "")
    assert first.exit == pytest.approx((2 + LOW_JOIN, -LOW_JOIN), abs=0.15)
    assert (first.exit == second.entry).all()
    (pair,) = cut_letters(WrittenWord((dense,), 4.0, 1.0, "nn", (indices,)), 2)
    assert pair.text == "nn" and len(pair.strokes) == 1 and pair.joins == ("", "")


def test_a_letter_that_the_window_leaves_early_keeps_its_last_arch():
    # The window leaves an "m" at its second arch, whose upstroke is the nearest join.
    arches = [arch(1.0, 0.8) + np.array([0.9 * k, 0.0]) for k in range(4)]
    joints = np.concatenate(arches)
    dense = np.concatenate([np.linspace(a, b, 5)[:-1] for a, b in itertools.pairwise(joints)])
    indices = (np.arange(len(dense)) >= 12).astype(int)
    word = WrittenWord((dense,), 3.5, 1.0, "mn", (indices,))
    ends = [cut_letters(word, 1, {"m": shift})[0].exit[0] for shift in (0, 1)]
    assert ends[1] - ends[0] == pytest.approx(0.9, abs=0.1)


def test_the_end_of_a_lifted_stroke_is_not_of_the_next_letter():
    bow = np.linspace((0.0, -2.0), (1.0, 0.0), 14)
    letter = np.linspace((1.5, -1.0), (2.0, 0.0), 10)
    indices = np.repeat([0, 1], [9, 5]), np.ones(10, int)
    first, second = cut_letters(WrittenWord((bow, letter), 2.0, 1.0, "Bo", indices))
    assert [len(stroke) for stroke in first.strokes + second.strokes] == [14, 10]
    assert first.joins == second.joins == ("", "")


def test_the_bar_of_a_letter_is_no_part_of_a_sign_behind_it():
    stem, bar = np.linspace((0.5, -1.8), (0.5, 0.0), 10), np.linspace((0.2, -0.9), (0.8, -0.9), 5)
    word = WrittenWord((stem, bar), 1.0, 1.0, "t;", (np.zeros(10, int), np.ones(5, int)))
    sign = cut_letters(word)[1]
    assert sign.text == ";" and font_forms._may_have_others(sign, "t;")
    assert not font_forms._may_have_others(sign, "n;")


def test_letters_with_too_few_joined_forms_stand_alone():
    stroke = arch(1.0, 0.8)
    forms = {
        ("a", ("low", "low")): [Form("a", (stroke,), 0.8, "low", "low")] * 3,
        ("z", ("low", "low")): [Form("z", (stroke,), 0.8, "low", "low")],
        ("z", ("", "low")): [Form("z", (stroke,), 0.8, "", "low")] * 2,
    }
    entered = dict.fromkeys(("low", "high"), frozenset("az"))
    exits = {"a": "low", "z": "low", "b": "high"}
    joins = font_forms._Joins(exits, entered, {"low": 0.4, "high": 0.8})
    forms["a", ("high", "")] = [Form("a", (stroke,), 0.8, "high", "")] * 3
    forms["a", ("high", "low")] = [Form("a", (stroke,), 0.8, "high", "low")] * 2
    forms["b", ("low", "high")] = [Form("b", (stroke,), 0.8, "low", "high")] * 5
    kept = font_forms._kept_joins(joins, forms)
    assert kept.exits == {"a": "low", "z": "low"}
    assert kept.entered == {"low": {"a"}, "high": set()}
    assert kept.kinds_of("a") == [("", ""), ("", "low"), ("low", ""), ("low", "low")]


@pytest.mark.parametrize(("lean", "slope"), [(0.0, 0.0), (0.4, 0.1), (0.2, -0.15)])
def test_a_letter_that_is_joined_to_none_has_no_long_stroke_in_front_of_it(lean, slope):
    body = np.array([(0.0, -0.9), (0.0, -0.45), (0.0, 0.0), (0.6, 0.0), (0.6, -0.9)])
    body[:, 0] -= lean * body[:, 1]
    xs = np.linspace(-0.7, -0.1, 7)
    lead = body[0] + np.stack([xs, slope * xs], axis=1)
    dot = np.array([(0.4, -1.6), (0.4, -1.5)])
    form = Form("u", (np.concatenate([lead, body]), dot), 1.5, "", "low")
    changed = font_forms.without_lead(form, lean)
    cut, moved_dot = changed.strokes
    assert cut[:, 0].min() == pytest.approx(0.0)
    shift = body[-1, 0] - cut[-1, 0]
    assert cut[-5:] + np.array([shift, 0.0]) == pytest.approx(body)
    assert moved_dot + np.array([shift, 0.0]) == pytest.approx(dot)
    assert changed.advance + shift == pytest.approx(1.5)
    upright = cut[:, 0] + lean * cut[:, 1]
    assert 0.05 < upright[-5] - upright[0] < 0.25
    entered = replace(form, entry="high")
    assert font_forms.without_lead(entered, lean) is entered
    bar = np.array([(0.0, -1.0), (0.3, -1.0), (0.6, -1.0), (0.0, 0.0), (0.6, 0.0)])
    z = Form("z", (bar,), 0.6)
    assert font_forms.without_lead(z, 0.0) is z


def test_a_letter_that_stands_on_the_one_before_is_no_form():
    bowl = np.array([(0.0, -0.8), (-0.6, -0.8), (-0.6, 0.0), (0.0, 0.0)])
    clear = np.array([(0.0, -0.8), (0.9, -0.8), (0.3, -0.8), (0.3, 0.0), (0.0, 1.0), (-0.6, 1.0)])
    for stroke, expected in ((bowl, True), (clear, False)):
        form = Form("a", (stroke,), 1.0, "high")
        assert font_forms.overlaps(form, 0.0) == expected
        leaning = stroke - np.outer(0.4 * (stroke[:, 1] + 0.8), (1.0, 0.0))
        assert font_forms.overlaps(replace(form, strokes=(leaning,)), 0.4) == expected
        assert not font_forms.overlaps(replace(form, entry="low"), 0.0)


def test_a_letter_is_joined_high_or_low_as_the_next_allows(joined):
    entered = {"low": frozenset("ano"), "high": frozenset("no")}
    kinds = [form for form in joined.forms if (form.text, form.entry) != ("a", "high")]
    hand = replace(joined, forms=tuple(kinds), entered=entered)
    set_text = shaper(font_of(hand, FontNames("My Hand", OPEN, "made by a test", PEN)))
    assert names(set_text("oan")) == ["o", "a.nl0", "n.ln0"]
    assert names(set_text("ona")) == ["o.nh0", "n.hl0", "a.ln0"]


def test_a_letter_without_a_form_is_an_error_and_a_sign_a_remark(joined, caplog):
    written = "".join({form.text for form in joined.forms if len(form.text) == 1})
    with pytest.raises(UserError, match="no legible 7 x"):
        check_complete(written + " x7", joined)
    check_complete(written + " §", joined)
    assert "§" in caplog.text


def test_a_sign_does_not_take_the_tail_of_the_letter_before():
    tail = np.linspace((0.0, -1.0), (1.0, 0.0), 10)
    dot = np.array([(1.4, 0.0), (1.4, 0.05)])
    indices = np.repeat([0, 1], 5), np.array([1, 1])
    letters = {x.text: x for x in cut_letters(WrittenWord((tail, dot), 1.4, 1.0, "a.", indices))}
    assert [len(stroke) for stroke in letters["a"].strokes] == [10]
    assert [len(stroke) for stroke in letters["."].strokes] == [2]


def test_forms_follow_each_other_in_a_circle_whatever_stands_between(shape):
    generator = random.Random(1)
    text = "".join(generator.choice("aont L") for _ in range(400)).replace("an", "a n")
    seen = {}
    for name in names(shape(text)):
        letter, _, form = name.partition(".")
        if letter in NUM_FORMS:
            kind, number = form[:2] or "nn", int(form[2:] or 0)
            seen.setdefault((letter, kind), []).append(number)
    assert len(seen) == 3 * 3 * 2
    for (letter, _), numbers in seen.items():
        assert numbers == [k % NUM_FORMS[letter] for k in range(len(numbers))]


def test_equal_letters_in_a_row_differ(shape):
    glyphs = names(shape("taaaaaat"))[1:-1]
    assert glyphs[0].startswith("a.nl") and glyphs[-1].startswith("a.ln")
    middle = glyphs[1:-1]
    assert middle == ["a.ll0", "a.ll1", "a.ll2", "a.ll3"]


def test_letters_are_joined_by_their_neighbours(shape):
    assert names(shape("nao")) == ["n.nl0", "a.ll0", "o.ln0"]
    assert names(shape("ona")) == ["o.nh0", "n.hl0", "a.ln0"]
    assert names(shape("a"))[0] == "a"
    assert names(shape("ta")) == ["t", "a"]


def test_the_exit_of_a_letter_is_the_entry_of_the_next(shape, font):
    glyphs = shape("nona")
    outlines = font.getGlyphSet()
    x = 0
    for (name, advance, _), (following, _, _) in itertools.pairwise(glyphs):
        x += advance
        rise = 0.7 if name[2:4].endswith("h") else 0.4
        ends = []
        for glyph, start in ((name, x - advance), (following, x)):
            path = pathops.Path()
            outlines[glyph].draw(path.getPen(glyphSet=outlines))
            ends.append(path.contains((x - start, rise * SCALE)))
        assert ends == [True, True]


def test_every_second_common_pair_is_a_glyph_of_its_own(shape):
    glyphs = names(shape("an an an an"))
    assert glyphs.count("a_n.nn0") == 2
    assert [name for name in glyphs if name.startswith("a.nl")] == ["a.nl0", "a.nl2"]


def test_an_accent_stands_above_each_form(shape):
    for text in ("é", "e\u0301"):
        (base, _, _), (mark, advance, (x, y)) = shape(text)
        assert base == "e" and mark == "acutecomb" and advance == 0
        assert y > SCALE and x < 0


def test_characters_are_kerned_by_their_shapes(shape, font):
    # The foot of L reaches under the bar of T: 0.3 is between the foot and the stem at x = 0.6.
    (_, advance, _), _ = shape("LT")
    stem = advance + font["hmtx"]["T"][1] + (0.6 + PEN / 2) * SCALE
    foot = font["hmtx"]["L"][1] + (1.0 + PEN / 2) * SCALE
    assert stem - foot == pytest.approx(0.3 * SCALE, abs=3)


def test_the_file_tells_of_its_licence_and_is_the_same_each_time(joined, font):
    read = TTFont(BytesIO(font_bytes(font)))
    assert read["name"].getDebugName(1) == "My Hand"
    assert RESEARCH_ONLY in read["name"].getDebugName(13)
    assert read["OS/2"].fsType == 4
    assert {ord("a"), ord("é"), ord(" "), 0xA0, 0x301} <= read.getBestCmap().keys()
    open_font = font_of(joined, FontNames("My Hand", OPEN, "made by a test", PEN))
    assert open_font["OS/2"].fsType == 0
    again = font_of(joined, FontNames("My Hand", RESEARCH_ONLY, "made by a test", PEN))
    assert font_bytes(again) == font_bytes(font)
    assert TTFont(BytesIO(font_bytes(font, "woff2"))).getGlyphOrder()


def test_a_line_is_as_large_as_in_usual_fonts(font):
    assert 430 <= font["OS/2"].sxHeight <= 500
    head = font["hhea"]
    assert 900 <= head.ascent - head.descent <= 1800
    assert (head.ascent, head.descent) == (
        font["OS/2"].sTypoAscender,
        font["OS/2"].sTypoDescender,
    )


def test_chromium_sets_the_font_as_harfbuzz_does(start, tmp_path, font, shape):
    text = "nona aaaa an an LT été."
    (tmp_path / "font.woff2").write_bytes(font_bytes(font, "woff2"))
    style = "@font-face {font-family: H; src: url(font.woff2)} "
    style += "span {font: 100px H; white-space: nowrap}"
    page_text = f"<meta charset=utf-8><style>{style}</style><span>{text}</span>"
    (tmp_path / "page.html").write_text(page_text, encoding="utf-8")
    context = start(tmp_path / "profile")
    try:
        page = context.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        page.evaluate("document.fonts.load('100px H').then(fonts => fonts.length)")
        width = page.evaluate("document.querySelector('span').getBoundingClientRect().width")
    finally:
        context.close()
    advances = sum(advance for _, advance, _ in shape(text))
    assert width == pytest.approx(advances / 10, abs=0.5)


@pytest.mark.slow
def test_letters_of_a_joined_hand_begin_and_end_at_its_joins(monkeypatch):
    lines = ["minimum onion moon in on no", "anna nano mina noon", "1907 2358 inn mono"]
    lines += ["minion mimic amino immune", "main mini nominee aim", "animal mining domino omit"]
    lines += ["nimble common million mind", "ammonia monk lemon aiming", "mimosa mission tin mint"]
    monkeypatch.setattr(font_forms, "form_texts", lambda *_: lines)
    options = PageOptions(style=parse_style("flowing"))
    hand = Hands(None, options, "cpu", False).of(options.look)
    forms = font_forms.written_forms(hand, 1)
    assert forms.exits["n"] == "low" and forms.exits["o"] == "high"
    joined = [form for form in forms.forms if form.entry and form.exit]
    assert {form.text for form in joined} >= {*"mnio"}
    for form in joined:
        starts = np.array([stroke[0] for stroke in form.strokes])
        ends = np.array([stroke[-1] for stroke in form.strokes])
        entry = 0.0, -forms.rises[form.entry]
        leaving = form.advance, -forms.rises[form.exit]
        assert np.hypot(*(starts - entry).T).min() < 0.01
        assert np.hypot(*(ends - leaving).T).min() < 0.01


def test_packages_that_are_missing_are_named(monkeypatch):
    monkeypatch.setattr(font_command, "find_spec", lambda name: name == "fontTools" or None)
    parser = Parser()
    font_command.add_options(parser)
    with pytest.raises(UserError, match="pip install skia-pathops brotli"):
        font_command.run(parser.parse(["--style", "flowing"]))
