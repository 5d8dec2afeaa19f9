"""Formulas in the lines of a text, found by their dollars.

A line's formulas become placeholders, one character each, so that nobody but this module reads
their LaTeX.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from apps.pages.formula_parse import FormulaFault, Group, Sign, parse, written_nodes
from utils.checks import UserError

FIRST = 0xF0000  # the placeholder of a line's first formula: a private character (Unicode)
PLACEHOLDERS = f"{chr(FIRST)}-{chr(0xFFFFD)}"
"""The characters that stand for formulas, for a class of a regular expression."""
WITH_SIGNS = rf"([(\[]*)([{PLACEHOLDERS}])([.,;:!?)\]]*)"
"""The placeholder of a formula with the signs beside it, which a network does not write alone."""
FOREIGN = "\N{REPLACEMENT CHARACTER}"  # stands for a placeholder that a text has itself
DOLLARS = re.compile(
    r"\\\$|\$\$(?P<display>(?:\\.|[^$\\])+)\$\$"
    r"|(?<!\$)\$(?=\S)(?P<inline>(?:\\.|[^$\\])+)(?<=\S)\$(?!\d)"
)
"""A dollar that is escaped, and formulas, as pandoc tells them (its manual: `tex_math_dollars`)."""

UNFINISHED = {
    r"\$\$": r"$$ without its end in this line; \$\$ is two dollars",
    r"\$([A-Za-z][^$]*\$|[^$]*(\\[A-Za-z]|\^|_\{))": (
        "a formula lacks its second dollar, has a blank behind the first or before the second, or "
        r"a digit behind it; \$ is a dollar"
    ),
    r"\\[(\[]": "a formula stands between dollars, as in $x^2$",
}
"""What is left of LaTeX in a line without its formulas, and what is wrong there."""
DISPLAY_ROW = re.compile(r"\s*(\S{1,6}\s+)?\$\$(\\.|[^$\\])+\$\$\s*")
"""A row of a formula, which may have a number such as `(12)` before it."""


@dataclass(frozen=True)
class Formula:
    """A formula of a text.

    Attributes:
        source: its LaTeX with the dollars around it.
        tree: the parsed LaTeX.
        start: the index in `source` at which the LaTeX begins.
        is_display: whether the formula stands on a row of its own.
        location: its place in the text, for messages.
    """

    source: str
    tree: Group
    start: int
    is_display: bool
    location: str

    @property
    def words(self) -> list[str]:
        """The words that the hand writes as such, each by itself."""
        return [node.text for node in written_nodes(self.tree) if node.is_word]

    @property
    def characters(self) -> set[str]:
        """The characters of the letters, numbers and names that are set letter by letter."""
        texts = (node.text for node in written_nodes(self.tree) if not node.is_word)
        return {*chain.from_iterable(texts)}


def with_placeholders(text: str, number: int) -> tuple[str, tuple[Formula, ...]]:
    """Return a line of a text with placeholders for its formulas, and the formulas; `number` is
    that of the line, from 1.

    Raises:
        UserError: if a formula has a fault; names its column.
    """
    foreign = re.sub(f"[{PLACEHOLDERS}]", FOREIGN, text)
    formulas: list[Formula] = []

    def placeholder(match: re.Match[str]) -> str:
        kind = match.lastgroup
        if kind is None:
            return "$"
        start = match.start(kind)
        where = f"line {number}, column"
        if kind == "display" and not DISPLAY_ROW.fullmatch(text):
            problem = "$$...$$ stands on a row of its own, or behind its number; $...$ in a text"
            raise UserError(f"{where} {match.start() + 1}: {problem}")
        try:
            tree = parse(match[kind])
        except FormulaFault as fault:
            raise UserError(f"{where} {start + fault.place + 1}: {fault}") from None
        dollars = start - match.start()
        location = f"{where} {match.start() + 1}"
        formulas.append(Formula(match[0], tree, dollars, kind == "display", location))
        return chr(FIRST + len(formulas) - 1)

    replaced = DOLLARS.sub(placeholder, foreign)
    others = DOLLARS.sub(lambda match: " " * len(match[0]), foreign)
    for rest, problem in UNFINISHED.items():
        if match := re.search(rest, others):
            raise UserError(f"line {number}, column {match.start() + 1}: {problem}")
    return replaced, tuple(formulas)


def has_formula(text: str) -> bool:
    """Return whether a text has a formula with a command, a raised or a lowered part."""
    formulas = (match[0] for match in DOLLARS.finditer(text) if match.lastgroup)
    return any(re.search(r"\\[A-Za-z]|[\^_]", formula) for formula in formulas)


def with_sources(text: str, formulas: Sequence[Formula]) -> str:
    """Return a text with the source of each formula in the place of its placeholder."""
    return text.translate({FIRST + k: formula.source for k, formula in enumerate(formulas)})


def formulas_in(text: str, formulas: Sequence[Formula]) -> list[Formula]:
    """Return the formulas whose placeholders a text has, in order, with the signs beside them that
    are drawn like theirs."""
    return [
        _with_signs(match[1], formulas[ord(match[2]) - FIRST], match[3])
        for match in re.finditer(WITH_SIGNS, text)
    ]


def _with_signs(before: str, formula: Formula, behind: str) -> Formula:
    """Return a formula with signs before and behind it, which need no more space than letters."""
    end = len(formula.source)
    left, right = (
        [Group(end + k, (Sign(end + k, sign),)) for k, sign in enumerate(signs)]
        for signs in (before, behind)
    )
    return replace(
        formula,
        source=before + formula.source + behind,
        tree=replace(formula.tree, nodes=(*left, *formula.tree.nodes, *right)),
        start=len(before) + formula.start,
    )
