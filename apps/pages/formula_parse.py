"""Parses formulas: from LaTeX to a tree, each node of which knows its place in the source.

The parser is the project's own. It must name the column of each fault, and refuse what cannot be
set; latex2mathml, with which its tests compare it, knows no columns and passes unknown commands
through as letters.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from utils.checks import hint, short

_TABLES = json.loads(Path(__file__).with_name("formula_commands.json").read_text("utf-8"))
Shape = Sequence[Sequence[tuple[float, float]]]
"""Strokes of a sign, upright, in x-heights, y downwards from the baseline. A point that is repeated
is a corner; a stroke of one point is a dot."""
_SIGNS = Path(__file__).with_name("formula_signs.json")
SIGNS: Mapping[str, Shape] = json.loads(_SIGNS.read_text("utf-8"))
"""The shape of each sign that can be drawn; the shapes are this project's own."""
CLASSES: Mapping[str, str] = _TABLES["classes"]
"""The signs of each class, which decides on the space around them."""
COMMANDS: Mapping[str, str] = _TABLES["commands"]
"""The sign that each command stands for."""
CHARACTERS: Mapping[str, str] = _TABLES["characters"]
"""Characters that stand for a sign of another name."""
FUNCTIONS = frozenset(_TABLES["functions"])
"""Names of functions, which are commands, such as `sin`."""
LIMIT_FUNCTIONS = frozenset(_TABLES["limit_functions"])
"""Names of functions whose limits stand below them on a row of its own."""
LIMIT_SIGNS = frozenset(_TABLES["limits"])
"""Signs whose limits stand below and above them on a row of its own."""
SPACES: Mapping[str, float] = _TABLES["spaces"]
"""The width of each space in x-heights (assumed: TeX's, with an x-height of 0.43 em)."""
DOUBLE_STRUCK: Mapping[str, str] = _TABLES["double_struck"]
ACCENTS: Mapping[str, str] = _TABLES["accents"]
"""For each command of an accent, the accent."""
ENVIRONMENTS: Mapping[str, tuple[str, str, str, int]] = _TABLES["environments"]
"""For each environment its brackets, the alignments of its columns, which come again, and whether
its cells are set as on a row of their own."""
DELIMITERS = frozenset(_TABLES["delimiters"])
"""Signs that may grow, behind `\\left` and `\\right`."""
FRACTIONS = ("\\frac", "\\dfrac", "\\tfrac", "\\cfrac", "\\binom")
ROMAN = ("\\mathrm", "\\operatorname")
LIMITS = ("\\limits", "\\nolimits")
OTHERS = ("\\sqrt", "\\text", "\\mathbb", "\\left", "\\right", "\\begin", "\\end")
OTHER_COMMANDS = (*FRACTIONS, *ROMAN, *LIMITS, *OTHERS)
"""Commands that this module knows itself."""
ENDS = ("}", "&", "\\\\", "\\right", "\\end")
"""Tokens that end a group, whatever began it."""
ALL_COMMANDS = (*COMMANDS, *SPACES, *ACCENTS, *OTHER_COMMANDS, *(f"\\{name}" for name in FUNCTIONS))
MAX_DEPTH = 20  # levels of braces and arguments (assumed: scripts of scripts are three)
MIN_WORD = 4  # letters of a word that people read as a whole (assumed)
MAX_SOURCE = 1000  # characters of a formula, as of a line that is written
TOKEN = re.compile(r"\\([A-Za-z]+|.)|\d+(\.\d+)*|\s+|.")
ENVIRONMENT = re.compile(r"\{([A-Za-z]+\*?)\}")

Limits = Literal["display", "always", "never"]
"""When scripts are limits, which stand below and above their base."""


class FormulaFault(Exception):
    """A fault of a formula: the index in its source, and the message."""

    def __init__(self, place: int, problem: str) -> None:
        super().__init__(problem)
        self.place = place


@dataclass(frozen=True)
class Node:
    """A part of a formula; `place` is its index in the source."""

    place: int


@dataclass(frozen=True)
class Written(Node):
    """A letter, a number, a word or the name of a function, which the hand writes."""

    text: str
    is_function: bool = False

    @property
    def is_word(self) -> bool:
        """Whether the hand writes the text as a word; shorter ones and names are set letter by
        letter, in the letters of the formula."""
        return len(self.text) >= MIN_WORD and self.text.isalpha() and not self.is_function


@dataclass(frozen=True)
class Sign(Node):
    """A sign that is drawn, one of `SIGNS`."""

    name: str


@dataclass(frozen=True)
class Space(Node):
    """A space, `width` x-heights wide."""

    width: float


@dataclass(frozen=True)
class Group(Node):
    """Nodes side by side."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Fraction(Node):
    """A fraction, or, without a bar, what stands in the brackets of a binomial. `style` is that of
    the fraction's own command."""

    above: Node
    below: Node
    has_bar: bool = True
    style: Literal["inherited", "display", "text"] = "inherited"


@dataclass(frozen=True)
class Root(Node):
    """A root; None is a root without a degree."""

    body: Node
    degree: Node | None


@dataclass(frozen=True)
class Scripts(Node):
    """A base with a subscript, a superscript, or both; None for the one that it lacks."""

    base: Node
    below: Node | None
    above: Node | None
    limits: Limits = "never"


@dataclass(frozen=True)
class Accent(Node):
    """A node with an accent; an accent that `is_wide` is as wide as the node."""

    mark: str
    body: Node
    is_wide: bool


@dataclass(frozen=True)
class Fence(Node):
    """A node between brackets that grow with it; "" for a bracket that is not there."""

    left: str
    right: str
    body: Node


@dataclass(frozen=True)
class Table(Node):
    """Rows of cells. `alignments` of the columns come again: `l`, `r` or `c`."""

    rows: tuple[tuple[Node, ...], ...]
    alignments: str
    is_display: bool


def parse(source: str) -> Group:
    """Return the tree of a formula; `source` is its LaTeX, without dollars.

    Raises:
        FormulaFault: if the formula has a fault, or something that cannot be set.
    """
    if len(source) > MAX_SOURCE:
        raise FormulaFault(0, f"a formula of {len(source):,} characters; at most {MAX_SOURCE:,} "
                              "are accepted")  # fmt: skip
    return _Parser(source).parse()


def children(node: Node) -> Iterator[Node]:
    """Yield the parts of a node."""
    for value in vars(node).values():
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            for part in value:
                yield from part if isinstance(part, tuple) else (part,)


def nodes_of(node: Node) -> Iterator[Node]:
    """Yield a node, its parts, and theirs."""
    yield node
    for child in children(node):
        yield from nodes_of(child)


def written_nodes(node: Node) -> Iterator[Written]:
    """Yield what the hand writes of a formula."""
    return (each for each in nodes_of(node) if isinstance(each, Written))


def _is_drawn(node: Node) -> bool:
    """Return whether a node is drawn itself, besides its parts, which may be empty."""
    if isinstance(node, Fence):
        return bool(node.left or node.right)
    return not isinstance(node, Group | Space | Table | Scripts)


class _Parser:
    """Parses one formula from left to right; a method stops behind what it returns."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._place = 0
        self._depth = 0
        self._is_roman = False

    def parse(self) -> Group:
        group = self._group(())
        if self._place < len(self._source):
            self._refuse_end(self._peek())
        if not any(map(_is_drawn, nodes_of(group))):
            raise FormulaFault(0, "an empty formula")
        return group

    def _peek(self) -> str:
        """Return the next token that is no blank, without moving behind it; "" at the end."""
        match = TOKEN.match(self._source, self._place)
        if match and match[0].isspace():
            self._place = match.end()
            match = TOKEN.match(self._source, self._place)
        return match[0] if match else ""

    def _take(self) -> tuple[int, str]:
        """Return the place and the text of the next token, and move behind it."""
        token = self._peek()
        place = self._place
        self._place += len(token)
        return place, token

    def _group(self, ends: Sequence[str]) -> Group:
        """Return the nodes up to one of the tokens that end groups, which is left."""
        start = self._place
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FormulaFault(start, f"more than {MAX_DEPTH} levels of braces")
        nodes: list[Node] = []
        while (token := self._peek()) and token not in (
            "}",
            "&",
            "\\\\",
            "\\right",
            "\\end",
            *ends,
        ):
            if token in ("^", "_", "'", "\\limits", "\\nolimits"):
                nodes.append(self._scripts(nodes.pop() if nodes else Group(self._place, ())))
            else:
                nodes.append(self._node())
        self._depth -= 1
        return Group(start, tuple(nodes))

    def _refuse_end(self, token: str) -> NoReturn:
        """Raise a fault for a token that ends something which has not begun."""
        problem = {
            "}": "a } without its {",
            "\\right": "\\right without \\left",
            "\\end": "\\end without \\begin",
        }.get(token, f"{token} stands within \\begin{{...}} and \\end{{...}} alone")
        raise FormulaFault(self._place, problem)

    def _node(self) -> Node:
        """Return the next node, without scripts."""
        place, token = self._take()
        if token == "{":
            return self._braced(place)
        if token in FRACTIONS:
            return self._fraction(place, token)
        if token in ACCENTS:
            is_wide = token.startswith(("\\over", "\\under", "\\wide", "\\vec"))
            return Accent(place, ACCENTS[token], self._argument(token), is_wide)
        if token in SPACES:
            return Space(place, SPACES[token])
        if token[1:] in FUNCTIONS and token[0] == "\\":
            return Written(place, token[1:], True)
        special = {
            "\\sqrt": self._root,
            "\\left": self._fence,
            "\\begin": self._environment,
            "\\text": self._text,
            "\\mathrm": self._roman,
            "\\operatorname": self._operator,
            "\\mathbb": self._double_struck,
        }.get(token)
        return special(place) if special else self._plain(place, token)

    def _plain(self, place: int, token: str) -> Node:
        """Return what a token stands for by itself: a letter, a number or a sign."""
        if token[0] == "\\":
            if token not in COMMANDS:
                raise FormulaFault(place, f"{token} cannot be set{hint(token, ALL_COMMANDS)}")
            return Sign(place, COMMANDS[token])
        if re.fullmatch(r"[A-Za-z]|[\d.]*\d", token):
            if self._is_roman and token.isalpha():
                rest = re.match("[A-Za-z]*", self._source[self._place :])
                self._place += len(rest[0]) if rest else 0
                token = self._source[place : self._place]
            return Written(place, token)
        name = CHARACTERS.get(token, token)
        if name not in SIGNS:
            raise FormulaFault(place, f"{short(token)} cannot be set in a formula")
        return Sign(place, name)

    def _braced(self, place: int) -> Group:
        """Return the group whose opening brace, at `place`, was read."""
        group = self._group(())
        if self._peek() != "}":
            raise FormulaFault(place, "a { without its }")
        self._take()
        return Group(place, group.nodes)

    def _argument(self, command: str) -> Node:
        """Return the argument of a command: a group, a letter, a digit or a sign."""
        token = self._peek()
        if token in ("", "}", "&", "^", "_", "\\\\", "\\right", "\\end"):
            raise FormulaFault(self._place, f"{command} lacks what it needs: {{...}} behind it")
        if token[0].isdigit():  # \frac12 is a half
            self._place += 1
            return Written(self._place - 1, token[0])
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FormulaFault(self._place, f"more than {MAX_DEPTH} levels of braces")
        node = self._node()
        self._depth -= 1
        return node

    def _fraction(self, place: int, command: str) -> Node:
        above = self._argument(command)
        below = self._argument(command)
        if command == "\\binom":
            return Fence(place, "(", ")", Fraction(place, above, below, False))
        if command == "\\tfrac":
            return Fraction(place, above, below, style="text")
        style = "inherited" if command == "\\frac" else "display"
        return Fraction(place, above, below, style=style)

    def _root(self, place: int) -> Root:
        degree = None
        if self._peek() == "[":
            start, _ = self._take()
            degree = self._group(("]",))
            if self._peek() != "]":
                raise FormulaFault(start, "a [ without its ]")
            self._take()
        return Root(place, self._argument("\\sqrt"), degree)

    def _scripts(self, base: Node) -> Scripts:
        """Return a base with the scripts, primes and places of limits behind it."""
        below: Node | None = None
        above: list[Node] = []
        has_superscript = False
        limits = _usual_limits(base)
        while (token := self._peek()) in ("^", "_", "'", "\\limits", "\\nolimits"):
            place, _ = self._take()
            if token == "'":
                above.append(Sign(place, "′"))
            elif token in ("^", "_"):
                if below if token == "_" else has_superscript:
                    problem = f"a second {token} on one base: put braces around one of them"
                    raise FormulaFault(place, problem)
                script = self._argument(token)
                if token == "_":
                    below = script
                else:
                    above.append(script)
                    has_superscript = True
            else:
                limits = "always" if token == "\\limits" else "never"
        raised = Group(above[0].place, tuple(above)) if above else None
        return Scripts(base.place, base, below, raised, limits)

    def _delimiter(self, command: str) -> str:
        """Return the sign of the bracket behind \\left or \\right; "" for a full stop."""
        place, token = self._take()
        name = COMMANDS.get(token, token)
        name = {"<": "⟨", ">": "⟩"}.get(name, name)
        if token == ".":
            return ""
        if name not in DELIMITERS:
            raise FormulaFault(place, f"{command} needs a bracket behind it, such as {command}(")
        return name

    def _fence(self, place: int) -> Fence:
        left = self._delimiter("\\left")
        body = self._group(())
        if self._peek() != "\\right":
            raise FormulaFault(place, "\\left without \\right")
        self._take()
        return Fence(place, left, self._delimiter("\\right"), body)

    def _name(self, command: str, place: int) -> str:
        """Return the name of the environment behind \\begin or \\end."""
        match = ENVIRONMENT.match(self._source, self._place)
        if not match:
            raise FormulaFault(place, f"{command} needs a name in braces, as {command}{{cases}}")
        self._place = match.end()
        return match[1]

    def _environment(self, place: int) -> Node:
        name = self._name("\\begin", place)
        if name not in ENVIRONMENTS:
            raise FormulaFault(place, f"{short(name)} cannot be set{hint(name, ENVIRONMENTS)}")
        rows: list[list[Node]] = [[]]
        while True:
            rows[-1].append(self._group(()))
            end, token = self._take()
            if token == "\\\\":
                rows.append([])
                if self._peek() == "[":
                    raise FormulaFault(self._place, "a distance behind \\\\ cannot be set")
            elif token != "&":
                break
        if token != "\\end":
            raise FormulaFault(place, f"\\begin{{{name}}} without \\end{{{name}}}")
        if self._name("\\end", end) != name:
            raise FormulaFault(end, f"\\end{{{name}}} comes first, as it ends what began last")
        if len(rows) > 1 and rows[-1] == [Group(rows[-1][0].place, ())]:
            rows.pop()  # \\ may stand behind the last row.
        left, right, alignments, is_display = ENVIRONMENTS[name]
        table = Table(place, tuple(map(tuple, rows)), alignments, bool(is_display))
        return Fence(place, left, right, table) if left or right else table

    def _text(self, place: int) -> Group:
        """Return the words of a text in braces."""
        match = re.compile(r"\s*\{([^{}]*)\}").match(self._source, self._place)
        if not match:
            raise FormulaFault(place, "\\text needs a text in braces, without braces in it")
        self._place = match.end()
        nodes: list[Node] = []
        for part in re.finditer(r"\s+|\S+", match[1]):
            at = match.start(1) + part.start()
            nodes.append(Space(at, SPACES["\\ "]) if part[0].isspace() else Written(at, part[0]))
        return Group(place, tuple(nodes))

    def _roman(self, place: int) -> Node:
        """Return an argument in which neighbouring letters are one word."""
        before = self._is_roman
        self._is_roman = True
        node = self._argument("\\mathrm")
        self._is_roman = before
        return node

    def _operator(self, place: int) -> Written:
        match = re.compile(r"\s*\{\s*([A-Za-z]+)\s*\}").match(self._source, self._place)
        if not match:
            raise FormulaFault(place, "\\operatorname needs a name of letters in braces")
        self._place = match.end()
        return Written(place, match[1], True)

    def _double_struck(self, place: int) -> Sign:
        match = re.compile(r"\s*(?:\{\s*([A-Z])\s*\}|([A-Z]))").match(self._source, self._place)
        letter = (match[1] or match[2]) if match else ""
        if match is None or letter not in DOUBLE_STRUCK:
            raise FormulaFault(place, f"\\mathbb has the letters {' '.join(DOUBLE_STRUCK)} alone")
        self._place = match.end()
        return Sign(place, DOUBLE_STRUCK[letter])


def _usual_limits(base: Node) -> Limits:
    """Return when scripts of a base are limits, unless the source says it."""
    is_sign = isinstance(base, Sign) and base.name in LIMIT_SIGNS
    is_function = isinstance(base, Written) and base.is_function and base.text in LIMIT_FUNCTIONS
    return "display" if is_sign or is_function else "never"
