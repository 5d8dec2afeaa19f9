"""Formulas are found by their dollars, and parsed; their faults have columns."""

import re

import pytest
from latex2mathml.converter import convert_to_element

from apps.pages.formula_parse import (
    ALL_COMMANDS,
    ENVIRONMENTS,
    Accent,
    FormulaFault,
    Fraction,
    Root,
    Scripts,
    Sign,
    Table,
    nodes_of,
    parse,
    written_nodes,
)
from apps.pages.formulas import with_placeholders, with_sources
from tests.docs.test_links import ROOT
from utils.checks import UserError

FORMULAS = (
    r"\frac{3}{4} + \frac{1}{6} = \frac{11}{12}",
    r"x_{1,2} = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}",
    r"\sqrt[3]{27} = \sqrt{a \cdot b}",
    r"\int_0^1 x^2 \, dx = F(b) - F(a)",
    r"\sum_{k=1}^{n} k = \frac{n(n+1)}{2}",
    r"\left(1 + \frac{1}{n}\right)^n",
    r"\begin{cases} 2x + y = 7 \\ x - 3y = 0 \end{cases}",
    r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}",
    r"\hat{x} + \overline{AB} + \dot{y}",
    r"\frac12 x^{2^n} a_i^2 {}_a b",
    r"P(A \mid B) = 3.14 \cdot \alpha_{ij}",
)
COUNTED = {
    Fraction: ("mfrac",),
    Root: ("msqrt", "mroot"),
    Scripts: ("msub", "msup", "msubsup", "munderover"),
    Accent: ("mover",),
    Table: ("mtable",),
}


@pytest.mark.parametrize("source", FORMULAS)
def test_a_formula_has_the_parts_that_latex2mathml_finds(source):
    """What is written, in order, and the numbers of fractions, roots, scripts, accents, tables."""
    tree = parse(source)
    (math,) = convert_to_element(source, display="block")
    elements = [*math.iter()]
    texts = [each.text for each in elements if each.tag in ("mi", "mn")]
    texts = [text for text in texts if re.fullmatch(r"[A-Za-z]+|[\d.]+", text or "")]
    written = [node.text for node in written_nodes(tree)]
    if r"\sqrt[" in source:  # MathML has the degree behind the radicand.
        written, texts = sorted(written), sorted(texts)
    assert written == texts
    for kind, tags in COUNTED.items():
        num_elements = sum(each.tag in tags for each in elements)
        assert sum(isinstance(node, kind) for node in nodes_of(tree)) == num_elements, kind


def test_each_node_knows_its_place_in_the_source():
    source = r"ab + \frac{12}{x_k} \text{if no} \beta"
    for node in nodes_of(parse(source)):
        rest = source[node.place :]
        if isinstance(node, Sign):
            assert rest.startswith({"+": "+", "β": r"\beta"}[node.name])
    assert [source[n.place :][: len(n.text)] for n in written_nodes(parse(source))] == [
        *("a", "b", "12", "x", "k", "if", "no")
    ]


@pytest.mark.parametrize(
    ("source", "column", "message"),
    [
        (r"a + \foo", 5, r"\\foo cannot be set"),
        (r"\alpa", 1, r"\\alpa cannot be set; did you mean .*\\alpha"),
        (r"\frac{a}", 9, r"\\frac lacks what it needs: {...} behind it"),
        (r"x^", 3, r"\^ lacks what it needs"),
        (r"x^2^3", 4, r"a second \^ on one base: put braces around one of them"),
        ("x_a_b", 4, "a second _ on one base"),
        ("{a", 1, "a { without its }"),
        ("a}", 2, "a } without its {"),
        (r"\sqrt[3 x", 6, r"a \[ without its \]"),
        (r"\left( a", 1, r"\\left without \\right"),
        (r"a \right)", 3, r"\\right without \\left"),
        (r"\left a \right)", 7, r"\\left needs a bracket behind it, such as \\left\("),
        (r"\begin{cases} a", 1, r"\\begin{cases} without \\end{cases}"),
        (r"\begin{case} a \end{case}", 1, "'case' cannot be set; did you mean cases"),
        (r"\begin{cases} a \end{matrix}", 17, r"\\end{cases} comes first"),
        (r"\begin{matrix} a \\[2pt] b \end{matrix}", 20, r"a distance behind .* cannot be set"),
        ("a & b", 3, r"& stands within \\begin{...} and \\end{...} alone"),
        (r"a \end{cases}", 3, r"\\end without \\begin"),
        ("a + ж", 5, "'ж' cannot be set in a formula"),
        (r"\mathbb{X}", 1, r"\\mathbb has the letters N Z Q R C alone"),
        (r"\text x", 1, r"\\text needs a text in braces"),
        ("{" * 30 + "a" + "}" * 30, 21, "more than 20 levels of braces"),
        (r"\hat" * 30 + "a", 81, "more than 20 levels of braces"),
        ("a" * 1001, 1, "a formula of 1,001 characters; at most 1,000 are accepted"),
        (" ", 1, "an empty formula"),
        (r"{ \quad {} }", 1, "an empty formula"),
        (r"\left.\right.", 1, "an empty formula"),
        (r"\left. {}^{ } \right.", 1, "an empty formula"),
    ],
)
def test_what_cannot_be_set_is_named_with_its_column(source, column, message):
    with pytest.raises(FormulaFault, match=message) as error:
        parse(source)
    assert error.value.place + 1 == column


@pytest.mark.parametrize(
    ("text", "sources", "left"),
    [
        # pandoc's manual, tex_math_dollars: no blank behind the first dollar or before the last
        # one, and no digit behind the last one; a backslash makes a dollar a sign.
        ("if $x$, then $y^2$.", ["$x$", "$y^2$"], "if @, then @."),
        ("$20,000 and $30,000", [], "$20,000 and $30,000"),
        ("it costs $5 and $10", [], "it costs $5 and $10"),
        ("a$x$b", ["$x$"], "a@b"),
        (r"\$x$ and \$5", [], "$x$ and $5"),
        ("pay $5 for $x$", ["$x$"], "pay $5 for @"),
        ("one $ alone", [], "one $ alone"),
        (" $$ x = 1 $$ ", ["$$ x = 1 $$"], " @ "),
        ("(1) $$x$$", ["$$x$$"], "(1) @"),
    ],
)
def test_dollars_are_told_as_pandoc_tells_them(text, sources, left):
    replaced, formulas = with_placeholders(text, 1)
    assert [formula.source for formula in formulas] == sources
    assert re.sub("[\U000f0000-\U000ffffd]", "@", replaced) == left
    assert with_sources(replaced, formulas) == text.replace(r"\$", "$")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r"so $a + \foo$", r"line 7, column 9: \\foo cannot be set"),
        (r"$$a + \foo$$", r"line 7, column 7: \\foo cannot be set"),
        ("see $$x$$ here", r"line 7, column 5: \$\$\.\.\.\$\$ stands on a row of its own"),
        ("so we see $$x$$", r"line 7, column 11: \$\$\.\.\.\$\$ stands on a row of its own"),
        ("$$x = 1", r"line 7, column 1: \$\$ without its end in this line"),
        (
            r"add $\frac{1}{2} = $ ____",
            "line 7, column 5: a formula .* has a blank behind the first",
        ),
        ("so $x = $ ____", "line 7, column 4: a formula .* a blank .* before the second"),
        ("$x$: $ x^2 $", "line 7, column 6: a formula .* has a blank behind the first"),
        ("$ x$ and $y $", "line 7, column 10: a formula .* a blank behind the first or before"),
        ("see $x$1", "line 7, column 5: a formula .* or a digit behind it"),
        ("solve $x^2 = 4", "line 7, column 7: a formula lacks its second dollar"),
        (r"so \(x\)", r"line 7, column 4: a formula stands between dollars"),
    ],
)
def test_the_column_of_a_fault_is_that_of_the_line(text, message):
    with pytest.raises(UserError, match=message):
        with_placeholders(text, 7)


def test_texts_with_dollars_and_signs_are_no_formulas():
    for text in ("$5 and $10", r"a \$\$ b", "$5 for file_name", r"C:\new: $5", "5 $ and 6 $"):
        assert with_placeholders(text, 1) == (text.replace(r"\$", "$"), ())


def test_what_the_page_on_writing_lists_can_be_set():
    page = (ROOT / "docs" / "write.md").read_text("utf-8")
    table = page.partition("### Formulas")[2].partition("\n###")[0]
    listed = re.findall(r"\\[A-Za-z]+|\\[,;{]", table)
    assert len(listed) > 80
    assert {*listed} <= {*ALL_COMMANDS}
    environments = re.findall("`(matrix|cases|aligned|gathered)`", table)
    assert {*environments} < {*ENVIRONMENTS} and len(environments) == 4


def test_the_worksheet_has_ten_exercises_that_can_be_set():
    lines = (ROOT / "docs" / "exercises.txt").read_text("utf-8").split("\n")
    formulas = [with_placeholders(line, 1)[1] for line in lines]
    assert sum(map(len, formulas)) > 10
    numbers = [number for line in lines for number in re.findall(r"^(\d+)\.", line)]
    assert numbers == [*map(str, range(1, 11))]


def test_a_placeholder_in_a_text_stands_for_no_formula():
    text, formulas = with_placeholders("\U000f0000 $x$", 1)
    assert text == "\ufffd \U000f0000" and len(formulas) == 1
