"""Formulas are laid out as TeX would, in x-heights: positions are worked by hand."""

import numpy as np
import pytest

from apps.pages.formula_layout import FormulaSetter, Style, TooWide, set_formula
from apps.pages.formula_parse import (
    ACCENTS,
    COMMANDS,
    ENVIRONMENTS,
    FUNCTIONS,
    SIGNS,
    SPACES,
    parse,
    written_nodes,
)
from apps.pages.formula_signs import SignPen
from apps.pages.formulas import with_placeholders
from apps.pages.written_word import WrittenWord
from utils.checks import UserError

AXIS = 0.6
DISPLAY = Style(is_display=True)


class Steady:
    """A generator of random numbers that are all zero."""

    def standard_normal(self, shape=None):
        return np.zeros(shape) if shape else 0.0

    def normal(self, mean, deviation, shape):
        return np.zeros(shape)

    def uniform(self, low, high, size=None):
        return np.full(size, high) if size else high

    def choice(self, values):
        return values[0]


def written(text):
    """Return a text as rectangles 0.6 wide and 0.2 apart: 1 high, or 1.8 for capitals and
    digits."""
    strokes = []
    for k, character in enumerate(text):
        height = 1.8 if character.isdigit() or character.isupper() else 1.0
        corners = [(0, 0), (0.6, 0), (0.6, -height), (0, -height)]
        strokes.append(np.array(corners) + np.array([0.8 * k, 0.0]))
    return WrittenWord(tuple(strokes), 0.8 * len(text) - 0.2, 1.0, text)


def set_source(source, style=DISPLAY, lean=0.0, generator=None):
    tree = parse(source)
    words = {node.text: written(node.text) for node in written_nodes(tree)}
    return FormulaSetter(words, SignPen(lean, generator or Steady())).set(tree, style)


def extents(stroke):
    return (*stroke.min(0), *stroke.max(0))


def test_a_fraction_has_its_parts_in_the_middle_of_its_bar_at_the_axis():
    box = set_source(r"\frac{1}{23}")
    numerator, *denominator, bar = box.strokes
    # The wider part is 1.4 wide, and the bar 0.2 wider on each side.
    assert extents(bar) == pytest.approx((0, -AXIS, 1.8, -AXIS), abs=0.01)
    assert extents(numerator) == pytest.approx((0.6, -1.16 - 1.8, 1.2, -1.16))
    assert extents(denominator[0]) == pytest.approx((0.2, -0.04, 0.8, 1.76))
    assert (box.width, box.ascent, box.descent) == pytest.approx((1.8, 2.96, 1.76))


def test_fractions_within_a_text_are_smaller_and_scripts_not_below_the_least_size():
    numerator, *_ = set_source(r"\frac{1}{2}", Style()).strokes
    assert np.ptp(numerator[:, 1]) == pytest.approx(0.8 * 1.8)
    heights = [np.ptp(stroke[:, 1]) for stroke in set_source("1^{1^{1^1}}").strokes]
    assert heights == pytest.approx([1.8, 0.66 * 1.8, 0.58 * 1.8, 0.58 * 1.8])


def test_scripts_stand_above_and_below_the_baseline():
    base, below, above = set_source("x_a^b").strokes
    assert extents(base) == pytest.approx((0, -1, 0.6, 0))
    assert above[:, 1].max() == pytest.approx(-1.1)  # the superscript's own baseline
    assert below[:, 1].max() == pytest.approx(0.58)
    assert above[:, 1].min() == pytest.approx(-1.76)
    assert below[:, 0].min() >= 0.6 and above[:, 0].min() >= 0.6
    for source in ("A^b", "1^b", ")^b"):  # All superscripts of signs stand at one height.
        assert set_source(source).strokes[-1][:, 1].max() == pytest.approx(-1.1), source
    assert set_source(r"\frac{1}{2}^b").strokes[-1][:, 1].max() == pytest.approx(-2.96 + 0.55)


@pytest.mark.parametrize(
    ("source", "num_inside"), [(r"\sqrt{A}", 1), (r"\sqrt{ab1}", 3), (r"\sqrt[3]{ab}", 2)]
)
def test_a_root_covers_its_radicand(source, num_inside):
    root, *others = set_source(source).strokes
    radicand = np.concatenate(others[:num_inside])
    assert root[:, 0].max() > radicand[:, 0].max() + 0.1
    assert root[-1, 1] == pytest.approx(radicand[:, 1].min() - 0.5, abs=0.03)
    assert root[:, 1].max() == pytest.approx(0.25, abs=0.01)
    above_bar = root[root[:, 1] < radicand[:, 1].min()]
    assert above_bar[:, 0].min() < radicand[:, 0].min()
    for degree in others[num_inside:]:
        assert degree[:, 0].min() == pytest.approx(0, abs=0.1) and degree[:, 1].max() < -0.5


def test_limits_stand_below_and_above_on_a_row_of_its_own_and_beside_within_a_text():
    sign, below, above = set_source(r"\sum_a^b").strokes
    assert above[:, 1].max() < sign[:, 1].min() - 0.2 < sign[:, 1].max() + 0.2 < below[:, 1].min()
    middles = [stroke[:, 0].min() + stroke[:, 0].max() for stroke in (sign, below, above)]
    assert middles == pytest.approx([middles[0]] * 3, abs=0.1)
    for source, style in ((r"\sum_a^b", Style()), (r"\int_a^b", DISPLAY)):
        sign, below, above = set_source(source, style).strokes
        assert min(below[:, 0].min(), above[:, 0].min()) > sign[:, 0].mean()
    sign, below = set_source(r"\sum\limits_a", Style()).strokes
    assert below[:, 1].min() > sign[:, 1].max()


def test_brackets_grow_with_what_they_hold_around_the_axis():
    small = set_source(r"\left(a\right)").strokes[0]
    left, *_, right = set_source(r"\left(\frac{1}{2}\right)").strokes
    assert np.ptp(small[:, 1]) == pytest.approx(2.2, abs=0.01)
    assert left[:, 1].min() == pytest.approx(-2.96 - 0.15, abs=0.01)
    assert left[:, 1].min() + left[:, 1].max() == pytest.approx(-2 * AXIS, abs=0.01)
    assert extents(left)[1::2] == pytest.approx(extents(right)[1::2])
    assert set_source(r"\left. a \right|").strokes[0][:, 0].max() == pytest.approx(0.6)


def test_rows_of_a_table_are_centred_at_the_axis_and_aligned():
    box = set_source(r"\begin{aligned} aaa &= b \\ c &= dd \end{aligned}")
    assert box.ascent - box.descent == pytest.approx(2 * AXIS)
    bars = [stroke for stroke in box.strokes if np.ptp(stroke[:, 1]) < 0.1]
    lefts = [bar[:, 0].min() for bar in bars]
    assert len(bars) == 4 and lefts == pytest.approx([lefts[0]] * 4)
    ends = [stroke[:, 0].max() for stroke in box.strokes if stroke[:, 0].max() < lefts[0]]
    assert sorted(ends)[-2:] == pytest.approx([max(ends)] * 2)  # the left sides end together
    cells = set_source(r"\begin{matrix} a & 1 \\ b & 2 \end{matrix}").strokes
    a, one, b, two = (stroke[:, 1].max() for stroke in cells)
    assert (a, b) == pytest.approx((one, two)) and b - a == pytest.approx(3.1)


@pytest.mark.parametrize(
    ("tight", "wide"),
    [("a!", "a=b"), ("-a", "b-a"), ("(a", "a+a"), ("ab", r"a\,b"), (r"a{,}b", "a,b")],
)
def test_relations_and_operations_have_room_and_signs_of_numbers_have_not(tight, wide):
    """The gap before the last letter, or the sign, is wider."""

    def gap(source):
        *_, before, last = set_source(source).strokes
        return last[:, 0].min() - before[:, 0].max()

    assert gap(wide) > gap(tight) + 0.15


def test_every_listed_command_sets():
    sources = [f"a {command} b" for command in (*COMMANDS, *SPACES)]
    sources += [f"{accent}{{ab}}" for accent in ACCENTS]
    sources += [f"\\{name} x" for name in FUNCTIONS]
    sources += [f"\\begin{{{name}}} a & b \\\\ c & d \\end{{{name}}}" for name in ENVIRONMENTS]
    sources += [rf"\left{sign} a \right{sign}" for sign in "()[]|.<>"]
    sources += [r"\dfrac12", r"\tfrac12", r"\cfrac{1}{2}", r"\binom{n}{k}", r"\mathrm{kg}"]
    sources += [r"\frac{}{}", r"\sqrt{}", r"\hat{}", "{}_a^b", r"\left.a\right."]
    sources += [r"\operatorname{ggT}", r"\text{if so}", r"\mathbb{R}", r"\sqrt[n]{x}", "f''"]
    generator = np.random.default_rng(3)
    for source in sources:
        box = set_source(source, lean=0.4, generator=generator)
        points = np.concatenate(box.strokes)
        assert np.isfinite(points).all(), source
        assert points[:, 0].min() >= -1e-9 and points[:, 0].max() <= box.width + 1e-9, source


def test_every_sign_is_drawn_near_its_shape_and_never_twice_the_same():
    pen = SignPen(0.0, np.random.default_rng(0))
    for name, shape in SIGNS.items():
        first, second = pen.sign(name, 1.0), pen.sign(name, 1.0)
        corners = np.concatenate([np.array(stroke) for stroke in shape])
        drawn = np.concatenate(first)
        assert np.abs(drawn.min(0) - corners.min(0)).max() < 0.35, name
        assert np.abs(drawn.max(0) - corners.max(0)).max() < 0.35, name
        assert len(first) == len(shape)
        assert any(a.shape != b.shape or (a != b).any() for a, b in zip(first, second, strict=True))


def test_the_hand_leans_and_the_bars_of_fractions_do_not():
    straight, leaning = (set_source(r"\frac{l}{|}", lean=lean).strokes for lean in (0.0, 0.5))
    assert np.ptp(straight[1][:, 0]) == pytest.approx(0, abs=1e-6)
    # A bar leans half as much as letters, 2.2 x-heights of it.
    assert np.ptp(leaning[1][:, 0]) == pytest.approx(0.5 * 0.5 * 2.2, abs=0.01)
    assert np.ptp(leaning[2][:, 1]) < 0.01


def test_a_text_without_a_word_is_set_in_its_letters_each_in_one_form():
    """Here `x` is by hand, `y` is drawn."""
    tree = parse(r"x\operatorname{xyx}y")
    pen = SignPen(0.3, np.random.default_rng(0))
    form = np.array([[0.0, -1.0], [0.3, 0.1], [0.7, 0.0]])
    word = WrittenWord((form,), 0.7, 1.0, "x")
    strokes = FormulaSetter({"x": word}, pen).set(tree, Style()).strokes
    first, second, drawn, _, third, again, _ = strokes
    for stroke in (first, second, third):
        assert stroke - stroke.min(0) == pytest.approx(form - form.min(0), abs=0.12)
        assert stroke[-1, 1] == pytest.approx(0.0, abs=0.1)
    assert np.abs(first - first.min(0) - (second - second.min(0))).max() > 1e-4
    assert np.ptp(drawn, axis=0) == pytest.approx(np.ptp(again, axis=0), abs=0.2)
    lefts = [stroke[:, 0].min() for stroke in (first, second, drawn, third, again)]
    assert lefts == sorted(lefts)


PEN = 0.18  # x-heights: the usual width of the pen at the usual size


@pytest.mark.parametrize("source", [r"\frac{d}{b}", r"\sqrt{b}", r"\overline{b}", r"\vec{b}"])
def test_bars_and_arrows_are_clear_of_letters(source):
    """Letters are the rectangles of four points here."""
    strokes = set_source(source, generator=np.random.default_rng(1)).strokes
    signs = np.concatenate([stroke for stroke in strokes if len(stroke) != 4])
    for letter in (stroke for stroke in strokes if len(stroke) == 4):
        left, top, right, foot = extents(letter)
        y = signs[(signs[:, 0] > left) & (signs[:, 0] < right), 1]
        assert len(y) and np.maximum(top - y, y - foot).min() >= PEN + 0.12


def test_arrows_stand_at_one_height_and_brackets_and_bars_apart():
    tops = [set_source(rf"\vec{{{each}}}").strokes[1][:, 1].max() for each in "abv"]
    assert np.ptp(tops) < 0.05
    left, *inside, right = set_source(
        r"\begin{vmatrix} a & 1 \\ c & d \end{vmatrix}", lean=0.4
    ).strokes
    x = np.concatenate(inside)[:, 0]
    assert left[:, 0].max() + PEN < x.min() and x.max() + PEN < right[:, 0].min()
    for source in (r"\sum", r"\prod"):  # In heights of capitals.
        assert 1.6 * 1.8 < set_source(source).height < 2.0 * 1.8


def pieces(text, max_width):
    _, (formula,) = with_placeholders(text, 3)
    words = {node.text: written(node.text) for node in written_nodes(formula.tree)}
    return [*set_formula(formula, words, 0.0, max_width, 0)]


def test_a_wide_formula_is_broken_at_relations_then_at_operations_or_shrunk_or_refused():
    text = r"$a + b =\, (\,c + d) = e$"
    whole = pieces(text, 99)[0].width
    texts = [[word.text for word in pieces(text, width)] for width in (99, 0.8 * whole, 7)]
    assert texts == [
        [text],
        ["$a + b", r"=\, (\,c + d)", "= e$"],
        ["$a", "+ b", r"=\, (\,c + d)", "= e$"],
    ]
    bracket = pieces("$(a + b)$", 99)[0].width
    (shrunk,) = pieces("$(a + b)$", 0.9 * bracket)
    assert shrunk.width == pytest.approx(0.9 * bracket, abs=0.05)
    with pytest.raises(
        UserError, match=r"line 3, column 1: '\$\(a \+ b\)\$' is 2\.\d times as wide"
    ):
        pieces("$(a + b)$", 0.5 * bracket)


def test_a_formula_says_what_room_it_needs_beyond_a_line():
    (low,) = pieces("$a + b$", 99)
    assert (low.rise, low.drop) == (0, 0)
    (high,) = pieces(r"$\dfrac{1}{2}$", 99)
    assert (high.rise, high.drop) == pytest.approx((2.8 - 2.2, 1.6 - 1.3), abs=0.2)
    (display,) = pieces("$$a + b$$", 99)
    assert (display.rise, display.drop) == pytest.approx((0.7, 0.7))
    assert high.scaled(2.0).rise == pytest.approx(2 * high.rise)


def test_a_part_that_is_too_wide_is_an_error_of_its_own():
    setter = FormulaSetter({"a": written("a")}, SignPen(0.0, Steady()))
    with pytest.raises(TooWide, match=r"2\.0"):
        setter.pieces(parse("a"), False, 0.3)
