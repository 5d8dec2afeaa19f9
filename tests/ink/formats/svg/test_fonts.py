"""Single-line SVG fonts: as other programs parse their paths; what is refused; round trips."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from ink import guard
from ink.formats.svg.fonts import MAX_PAIRS, parse, to_svg
from ink.geometry import at_equal_steps, path_along
from ink.pen_font import PenFont, PenGlyph
from ink.sample import Fault
from tests.ink.formats.svg.small_font import GLYPHS, svg_font

DOCTYPE = (
    '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
    '"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" >'
)
BOMB = '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.fixture
def parsed(tmp_path):
    def parse_content(content):
        path = tmp_path / "font.svg"
        path.write_text(content, encoding="utf-8")
        return guard.call(parse, path)

    return parse_content


def test_strokes_are_those_of_another_parser_of_paths_in_x_heights(parsed):
    """Small letters are 400 units high, whatever the font says of its x-height."""
    svgelements = pytest.importorskip("svgelements", reason="vpype brings it")
    font = parsed(svg_font(head=DOCTYPE))
    assert font.name == "Small" and set(font.glyphs) == set(GLYPHS)
    for text, (data, advance) in GLYPHS.items():
        glyph = font.glyphs[text]
        assert glyph.advance == pytest.approx(advance / 400)
        parts = [svgelements.Path(part) for part in svgelements.Path(data).as_subpaths()]
        assert len(glyph.strokes) == len(parts)
        for stroke, part in zip(glyph.strokes, parts, strict=True):
            drawn = np.array([tuple(part.point(t)) for t in np.linspace(0, 1, 401)]) / 400
            line = at_equal_steps(stroke * (1, -1), path_along(stroke), 400)
            distances = np.linalg.norm(line[:, None] - drawn[None], axis=2)
            assert max(distances.min(axis=0).max(), distances.min(axis=1).max()) < 0.01
            np.testing.assert_allclose(line[[0, -1]], drawn[[0, -1]], atol=1e-6)


def test_kerning_of_characters_ranges_and_glyph_names(parsed):
    names = {text: f"g{number}" for number, text in enumerate(GLYPHS)}
    font = parsed(
        svg_font(
            kerning='<hkern u1="A" u2="V,." k="80"/><hkern u1="U+41-56" u2="x" k="20"/>'
            f'<hkern g1="{names["o"]},{names["n"]}" g2="{names["fi"]}" k="-40"/>'
            '<hkern u1="A" u2="V" k="999"/>'
        )
    )
    assert font.kerning == pytest.approx({
        ("A", "V"): 0.2, ("A", "."): 0.2, ("A", "x"): 0.05, ("V", "x"): 0.05,
        ("o", "fi"): -0.1, ("n", "fi"): -0.1,
    })  # fmt: skip


def test_a_text_is_set_with_kerning_and_ligatures(parsed):
    font = parsed(svg_font(kerning='<hkern u1="A" u2="V" k="80"/>'))
    assert [*font.parts("AV fix")] == ["A", "V", " ", "fi", "x"]
    starts = dict(font.starts(font.parts("AV fix")))
    assert starts == pytest.approx({"A": 0, "V": 0.8, " ": 1.8, "fi": 2.425, "x": 3.325})
    with pytest.raises(KeyError, match="q"):
        [*font.parts("xq")]


def test_a_font_without_small_letters_has_its_x_height_from_its_face_or_its_size(parsed):
    capitals = {text: GLYPHS[text] for text in "AV"}
    assert parsed(svg_font(capitals)).glyphs["A"].advance == pytest.approx(400 / 300)
    content = svg_font(capitals).replace('x-height="300"', "")
    assert parsed(content).glyphs["A"].advance == pytest.approx(400 / 500)
    assert parsed(content).glyphs[" "].advance == pytest.approx(300 / 500)  # assumed


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no SVG font"),
        ("OTTO", "no SVG font"),
        ('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9"/></svg>', "no SVG font"),
        (svg_font(head=BOMB), "a document type"),
        (svg_font({"x": ("M0 0h1e999", 10), "o": ("M0 0h9", 10)}), "glyph of 'x' (U+0078): a path"),
        (svg_font({"x": ("M0 0 L ?", 10)}), "glyph of 'x' (U+0078): a path that is not valid"),
        (svg_font({"x": ("M0 0H90000V400", 10)}), "glyph of 'x' (U+0078) reaches further than 50"),
        (svg_font({"x": ("M0 0H9V400", "1e300")}), "glyph of 'x' (U+0078) reaches further than 50"),
        (svg_font({"x": ("M0 0H9", "wide")}), "glyph of 'x' (U+0078): horiz-adv-x that is not"),
        (svg_font({"x": ("M0 0v400" + "h9h-9" * 30_000, 9)}), "(U+0078) leads further than 1000"),
        (svg_font({"x": ("M0 0h9v1e-310", 9)}), "reaches further than 50 heights of an x"),
        (svg_font(kerning='<hkern u1="A" u2="V" k="-1e9"/>'), "kerning of more than 50"),
        (svg_font(units_per_em="0"), "units-per-em that is not above 0"),
        (svg_font(units_per_em="nan"), "units-per-em that is not a number"),
        (svg_font({"x": ("", 10)}), "a font in which no character has a line"),
        (
            svg_font({"l": ("M0 0V700H50V0Z", 90), "o": ("M0 0V400H300V0ZM50 50V300H250V50Z", 90)}),
            "a font of outlines",
        ),
        (
            svg_font(kerning='<hkern u1="U+????" u2="U+????" k="1"/>' * (MAX_PAIRS // 144 + 1)),
            "kerning of more than",
        ),
    ],
)
def test_what_is_no_single_line_font_is_refused(parsed, content, reason):
    with pytest.raises(Fault) as raised:
        parsed(content)
    assert reason in str(raised.value)


def test_a_deeply_nested_file_ends_no_more_than_its_child(parsed):
    """Each part of the file is sound: its depth alone could end a process."""
    with pytest.raises(Fault):
        parsed("<svg>" + "<g>" * 1_000_000 + "</g>" * 1_000_000 + "</svg>")


def test_a_font_that_is_written_is_read_with_the_same_strokes(tmp_path, parsed):
    """Small letters are an x-height high, as those of the parser are by definition."""
    generator = np.random.default_rng(1)
    t = np.linspace(0, 2 * np.pi, 30)
    ring = np.stack([0.5 + 0.4 * np.cos(t), -0.5 - 0.5 * np.sin(t)], axis=1)
    bend = np.cumsum(generator.uniform(-0.1, 0.2, (12, 2)), axis=0)
    bend[:, 1] -= bend[:, 1].max()
    bend[:, 1] /= -bend[:, 1].min()
    dot = np.array([[0.2, -1.5], [0.2, -1.42]])
    stem = np.array([[0.2, -1.0], [0.2, -0.5], [0.2, 0.0]])
    glyphs = {
        " ": PenGlyph((), 0.9), "o": PenGlyph((ring,), 1.0), "s": PenGlyph((bend, ring), 1.4),
        "ı": PenGlyph((stem,), 0.4), "i": PenGlyph((stem, dot), 0.4), ",": PenGlyph((dot,), 0.3),
        "<": PenGlyph((stem,), 0.5), '"': PenGlyph((dot, dot + np.array([0.2, 0])), 0.5),
    }  # fmt: skip
    kerning = {("o", ","): 0.25, ("o", '"'): 0.25, (",", "<"): -0.1, ("s", "o"): 0.1}
    written = PenFont('Plain & "simple"', glyphs, kerning)
    content = to_svg(written, "for research <only>")
    font = parsed(content)
    assert font.name == written.name and {*font.glyphs} == {*glyphs}
    assert font.kerning == pytest.approx(kerning, abs=5.01 / 450)  # rounded to 10 units
    for text, glyph in glyphs.items():
        assert font.glyphs[text].advance == pytest.approx(glyph.advance, abs=0.5 / 450)
        for stroke, expected in zip(font.glyphs[text].strokes, glyph.strokes, strict=True):
            distances = np.linalg.norm(stroke[:, None] - expected[None], axis=2)
            assert distances.min(axis=0).max() < 0.001  # Each point is on the curve that is read.
            np.testing.assert_allclose(stroke[[0, -1]], expected[[0, -1]], atol=0.001)
    face = ElementTree.fromstring(content).find(".//{*}font-face")
    names = ("units-per-em", "ascent", "descent", "x-height")
    assert [face.get(name) for name in names] == ["1000", "675", "0", "450"]


def test_a_plotters_program_draws_the_paths_of_a_font_that_is_written(parsed):
    """svgelements parses them for vpype."""
    svgelements = pytest.importorskip("svgelements", reason="vpype brings it")
    stem = np.array([[0.2, -1.0], [0.3, -0.5], [0.2, 0.0]])
    lower = stem + np.array([0.1, 0.4])
    font = PenFont("Plain", {" ": PenGlyph((), 1.0), "l": PenGlyph((stem, lower), 0.5)})
    (glyph,) = ElementTree.fromstring(to_svg(font)).findall(".//{*}glyph[@d]")
    parts = svgelements.Path(glyph.get("d")).as_subpaths()
    ends = [[tuple(svgelements.Path(part).point(t)) for t in (0, 1)] for part in parts]
    assert ends == [[(90, 450), (90, 0)], [(135, 270), (135, -180)]]
