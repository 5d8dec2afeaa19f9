"""Lays out formulas: from a tree to strokes on a baseline, after the rules of TeX, in short.

The hand writes letters, numbers and names, each by itself; signs are drawn.

Lengths are in x-heights of the hand; y is downwards from the baseline. Boxes are measured by their
ink, not by advance widths, because the letters are written.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, pairwise
from typing import Literal

import numpy as np

from apps.pages.formula_parse import (
    CLASSES,
    Accent,
    Fence,
    Fraction,
    Group,
    Node,
    Root,
    Scripts,
    Sign,
    Space,
    Table,
    Written,
)
from apps.pages.formula_signs import AXIS, SignPen
from apps.pages.formulas import Formula
from apps.pages.written_word import WrittenWord, span
from data_loader.pen_paths import from_strokes, touching_shift
from utils.checks import UserError, short

# Sizes, as factors (TeX: 0.7 and 0.5; below 0.58 letters of a pen fill up, by eye).
SCRIPT = 0.66
LEAST = 0.58
FRACTION = 0.8  # of the parts of a fraction within a text (by eye)
DISPLAY_SIGN = 1.4  # of large signs such as sums on a row of their own (TeX)

# Distances in x-heights, times the size (TeX's, with an x-height of 0.43 em, or by eye).
SIDE = 0.36  # between neighbours
LETTER_SIDE = 0.28  # between the letters of a name, and the digits of a number
THIN = 0.6  # more around functions, and behind commas
INNER = 0.3  # more around fractions and brackets that grow
MEDIUM = 0.42  # more around operations
THICK = 0.6  # more around relations
SUPERSCRIPT_RISE = 1.1  # from the baseline up to the baseline of a superscript
SUPERSCRIPT_DROP = 0.55  # from the top of a high base down to the baseline of its superscript
SUBSCRIPT_DROP = 0.58  # from the baseline down to the baseline of a subscript
LOW_DROP = 0.25  # from the foot of a low base down to the baseline of its subscript
MAX_TAIL = 0.2  # of the tail of a letter that counts as its foot
SCRIPTS_GAP = 0.25  # least between a subscript and a superscript
SCRIPT_SIDE = 0.3  # between a base and its scripts
MAX_KERN = 0.3  # by which neighbours may stand one under the other
MAX_LARGE_UNDERCUT = 1.2  # by which a subscript may stand under an integral
LIMIT_GAP = 0.5  # between a large sign and its limits
FRACTION_GAP = 0.56  # between the bar of a fraction and its parts
FRACTION_OVERHANG = 0.2  # of the bar beyond the wider part
ROOT_GAP = 0.5  # from the radicand up to the bar of its root
ROOT_WIDTH = 0.85  # of the sign before the bar
DEGREE_OVERLAP = 0.45  # of a root's degree and its sign
ACCENT_GAP = 0.36
ARROW_FOOT = 1.85  # least y of an arrow above letters, so that all stand at one height
ARROW_HEAD = (0.45, 0.28)  # its length, and half of its width
FENCE_OVERHANG = 0.15  # of a bracket above and below what it holds
FENCE_SIDE = 0.6  # between a bracket and what it holds
LEAST_FENCE = (-1.75, 0.45)  # y of the ends of the smallest bracket that grows
COLUMN_GAP = 1.6
ROW_GAP = 0.65  # least between the ink of two rows of a table
ROW_DISTANCE = 3.1  # least between their baselines
INSET = 0.12  # x-heights from each edge of a formula's word to its ink (by eye)
DISPLAY_ROOM = 0.7  # x-heights of more room above and below a formula on a row of its own (by eye)

LEAST_SHRINKING = 0.85  # least factor by which a wide formula is made smaller (assumed)
USUAL_RISE = 2.2  # x-heights above the baseline that a line has room for
USUAL_DROP = 1.3  # x-heights below the baseline that a line has room for

AtomClass = Literal[
    "ordinary", "inner", "function", "operation", "relation", "open", "close", "mark"
]
"""What decides on the space between two neighbours, as in TeX; fractions are inner."""
_CLASS_OF: Mapping[str, AtomClass] = {
    sign: name for name, signs in CLASSES.items() for sign in signs
}
NO_OPERAND = frozenset(("operation", "relation", "open", "mark", "function"))
"""Classes behind which an operation has no left operand."""
LARGE = frozenset(CLASSES["large"])
APART = frozenset(("relation", "operation", "inner", "function"))
"""Classes that do not stand under or above their neighbours."""


@dataclass(frozen=True)
class Style:
    """The size of a part of a formula, and whether it is set as on a row of its own."""

    size: float = 1.0
    is_display: bool = False

    def script(self) -> "Style":
        """Return the style of scripts."""
        return Style(max(SCRIPT * self.size, min(LEAST, self.size)))

    def part_of_fraction(self) -> "Style":
        """Return the style of the parts of a fraction."""
        if self.is_display:
            return replace(self, is_display=False)
        return Style(max(FRACTION * self.size, min(LEAST, self.size)))


@dataclass(frozen=True)
class Box:
    """Ink on a baseline: from x = 0 to `width`, `ascent` above and `descent` below the baseline."""

    strokes: tuple[np.ndarray, ...] = ()
    width: float = 0.0
    ascent: float = 0.0
    descent: float = 0.0

    @classmethod
    def of(cls, strokes: Iterable[np.ndarray]) -> "Box":
        """Return the box of strokes, moved to x = 0."""
        strokes = tuple(strokes)
        left, right = span(strokes)
        y = np.concatenate(strokes)[:, 1]
        moved = tuple(stroke - (left, 0.0) for stroke in strokes)
        return cls(moved, right - left, -float(y.min()), float(y.max()))

    @property
    def height(self) -> float:
        """From the foot up to the top."""
        return self.ascent + self.descent

    def at(self, x: float, y: float = 0.0) -> "Box":
        """Return the box with its ink moved; its left edge stays x = 0."""
        shift = np.array([x, y])
        strokes = tuple(stroke + shift for stroke in self.strokes)
        return Box(strokes, x + self.width, self.ascent - y, self.descent + y)


class TooWide(Exception):
    """Raised for a formula of which a part is wider than a row; says how many times as wide."""


def united(boxes: Sequence[Box]) -> Box:
    """Return boxes that have their places as one box."""
    inked = [box for box in boxes if box.strokes] or [Box()]
    return Box(
        tuple(stroke for box in boxes for stroke in box.strokes),
        max((box.width for box in boxes), default=0.0),
        max(box.ascent for box in inked),
        max(box.descent for box in inked),
    )


def room_of(box: Box) -> tuple[float, float]:
    """Return the x-heights that a box needs above and below, beyond the height of a line."""
    return max(box.ascent - USUAL_RISE, 0.0), max(box.descent - USUAL_DROP, 0.0)


def class_of(node: Node) -> AtomClass:
    """Return the class of a node; scripts and accents have that of their base."""
    match node:
        case Written(is_function=True):
            return "function"
        case Sign(name=name) if name in LARGE:
            return "function"
        case Sign(name=name):
            return _CLASS_OF.get(name, "ordinary")
        case Scripts(base=base):
            return class_of(base)
        case Fraction() | Fence():
            return "inner"
    return "ordinary"


def classes_of(nodes: Sequence[Node]) -> list[AtomClass]:
    """Return the class of each node in a row; an operation without a left or right operand, such as
    the sign of a number, is ordinary."""
    classes: list[AtomClass] = []
    for node in nodes:
        kind = class_of(node)
        before = classes[-1] if classes else "open"
        if isinstance(node, Space):
            kind = before  # TeX's spaces change no classes.
        elif kind == "operation" and before in NO_OPERAND:
            kind = "ordinary"
        elif kind in ("relation", "close", "mark") and before == "operation":
            classes[-1] = "ordinary"
        classes.append(kind)
    if classes and classes[-1] == "operation":
        classes[-1] = "ordinary"
    return classes


def _breaks(
    nodes: Sequence[Node], kinds: Sequence[AtomClass], ends: Collection[AtomClass]
) -> Iterator[int]:
    """Yield the index of each node of one of the classes `ends`, outside brackets."""
    depth = 0
    for index, (node, kind) in enumerate(zip(nodes, kinds, strict=True)):
        if isinstance(node, Space):
            continue
        depth += (kind == "open") - (kind == "close")
        if index and depth <= 0 and kind in ends:
            yield index


def space_between(left: AtomClass, right: AtomClass) -> float:
    """Return the x-heights between two neighbours beyond `SIDE` (TeX's table, in short)."""
    pair = {left, right}
    if "relation" in pair:
        return 0.0 if pair == {"relation"} or right == "mark" else THICK
    if "operation" in pair:
        return MEDIUM
    if left == "mark":
        return THIN
    if left == "function":
        return 0.0 if right in ("open", "close", "mark") else THIN
    if right == "function":
        return THIN if left != "open" else 0.0
    return INNER if "inner" in pair and not pair & {"open", "close", "mark"} else 0.0


def set_formula(
    formula: Formula, written: Mapping[str, WrittenWord], lean: float, max_width: float, seed: int
) -> Iterator[WrittenWord]:
    """Yield a formula as words in x-heights, without gaps behind them: as one word, or as several
    that may stand in several rows if it is wider than a row.

    Args:
        formula: the formula.
        written: what the hand wrote, by its text: words, and single letters; others are drawn.
        lean: how far downstrokes of the hand lean to the right, x over y.
        max_width: the width of a row.
        seed: seed of the variation of signs.

    Raises:
        UserError: if a part of the formula is wider than a row.
    """
    setter = FormulaSetter(written, SignPen(lean, np.random.default_rng(seed)))
    try:
        pieces = setter.pieces(formula.tree, formula.is_display, max_width - 2 * INSET)
    except TooWide as error:
        problem = f"{short(formula.source)} is {error} times as wide as its row"
        advice = "a smaller size, larger paper, or a formula of several rows (aligned) is needed"
        raise UserError(f"{formula.location}: {problem}; {advice}") from None
    places = [place + formula.start for place, _ in pieces]
    starts = [0, *places[1:]]
    ends = [*places[1:], len(formula.source)]
    extra = DISPLAY_ROOM if formula.is_display else 0.0
    for (_, box), start, end in zip(pieces, starts, ends, strict=True):
        rise, drop = room_of(box)
        yield WrittenWord(
            box.at(INSET).strokes,
            box.width + 2 * INSET,
            0.0,
            " ".join(formula.source[start:end].split()),
            rise=rise + extra,
            drop=drop + extra,
            is_formula=True,
        )


class FormulaSetter:
    """Sets the nodes of one formula.

    Args:
        words: what the hand wrote, by its text: words, and single letters; others are drawn.
        pen: draws the signs.
    """

    def __init__(self, words: Mapping[str, WrittenWord], pen: SignPen) -> None:
        self._words = words
        self._pen = pen

    def set(self, node: Node, style: Style) -> Box:
        """Return a node as a box."""
        match node:
            case Written():
                return self._written(node.text, style)
            case Sign():
                return self._sign(node.name, style)
            case Space():
                return Box(width=node.width * style.size)
            case Group():
                return self.row(node.nodes, style)
            case Fraction():
                return self._fraction(node, style)
            case Root():
                return self._root(node, style)
            case Scripts():
                return self._scripts(node, style)
            case Accent():
                return self._accent(node, style)
            case Fence():
                return self._fence(node, style)
            case Table():
                return self._table(node, style)
        raise TypeError(f"no layout of {type(node).__name__}")

    def pieces(self, tree: Group, is_display: bool, max_width: float) -> list[tuple[int, Box]]:
        """Return a formula as boxes, each with the place of its first node: as one; or as one for
        each part that begins at a relation, or else at a relation or operation, outside brackets,
        if the formula is wider than `max_width`.

        Raises:
            TooWide: if a part is still wider, and cannot be made a little smaller.
        """
        style = Style(is_display=is_display)
        kinds = classes_of(tree.nodes)
        widest = 0.0
        for ends in ((), ("relation",), ("relation", "operation")):
            starts = [0, *_breaks(tree.nodes, kinds, ends), len(kinds)]
            parts = [slice(*pair) for pair in pairwise(starts)]
            boxes = [self.row(tree.nodes[part], style, kinds[part]) for part in parts]
            widest = max(box.width for box in boxes)
            if widest <= max_width:
                break
        factor = min(max_width / widest, 1.0)
        if factor < LEAST_SHRINKING:
            raise TooWide(f"{1 / factor:.1f}")
        if factor < 1.0:
            boxes = [Box.of(factor * stroke for stroke in box.strokes) for box in boxes]
        return [(tree.nodes[part.start].place, box) for part, box in zip(parts, boxes, strict=True)]

    def row(
        self, nodes: Sequence[Node], style: Style, kinds: Sequence[AtomClass] | None = None
    ) -> Box:
        """Return nodes side by side; `kinds` are their classes, None for the usual ones."""
        placed: list[Box] = []
        x = 0.0
        before: Box | None = None
        space = 0.0  # of Space nodes since the last ink
        previous: AtomClass = "open"
        last: Node | None = None
        for node, kind in zip(nodes, kinds or classes_of(nodes), strict=True):
            box = self.set(node, style)
            if isinstance(node, Space):
                space += box.width
                continue
            if before is not None:
                extra = space_between(previous, kind) * (1.0 if style.size == 1.0 else 0.5)
                is_apart = kind == "mark" or not APART.isdisjoint((previous, kind))
                is_apart |= isinstance(node, Accent) or isinstance(last, Accent)
                # A letter's tail may reach under what stands before it.
                tail = max(box.descent, 0.0) if kind == "ordinary" else 0.0
                kern = self._pen.lean * tail if is_apart else MAX_KERN
                x += _offset(before, box, kern)
                x += (SIDE + extra) * style.size
            x += space
            placed.append(box.at(x))
            if box.strokes:
                before = box
            last = node
            previous = kind
            space = 0.0
        row = united(placed)
        return replace(row, width=row.width + space)

    def _written(self, text: str, style: Style) -> Box:
        """Return a word that the hand wrote, or else a text in single letters."""
        if word := self._words.get(text):
            return Box.of(self._pen.again(word.strokes, style.size))
        if len(text) == 1:
            return self._sign(text, style)
        letters = [self._written(letter, style) for letter in text]
        placed = letters[:1]
        x = 0.0
        for before, box in pairwise(letters):
            x += _offset(before, box) + LETTER_SIDE * style.size
            placed.append(box.at(x))
        return united(placed)

    def _sign(self, name: str, style: Style) -> Box:
        if name not in LARGE:
            return Box.of(self._pen.sign(name, style.size))
        size = style.size * (DISPLAY_SIGN if style.is_display else 1.0)
        return Box.of(self._pen.sign(name, size, -AXIS * style.size))

    def _fraction(self, node: Fraction, style: Style) -> Box:
        if node.style != "inherited":
            style = replace(style, is_display=node.style == "display")
        part = style.part_of_fraction()
        above = self.set(node.above, part)
        below = self.set(node.below, part)
        size = style.size
        overhang = FRACTION_OVERHANG * size if node.has_bar else 0.0
        width = max(above.width, below.width) + 2 * overhang
        axis = -AXIS * size
        gap = FRACTION_GAP * size
        placed = [
            above.at((width - above.width) / 2, axis - gap - above.descent),
            below.at((width - below.width) / 2, axis + gap + below.ascent),
        ]
        if node.has_bar:
            placed.append(Box.of([self._pen.bar((0.0, axis), (width, axis))]))
        return united(placed)

    def _root(self, node: Root, style: Style) -> Box:
        body = self.set(node.body, replace(style, is_display=False))
        size = style.size
        gap = ROOT_GAP * size
        top = -max(body.ascent, size) - gap
        bottom = max(body.descent, 0.0) + 0.5 * gap
        height = bottom - top
        left = ROOT_WIDTH * size * max(height / 2, 1.0) ** 0.3
        end = left + SIDE * size + body.width + 0.5 * SIDE * size
        shape = np.array([
            (0.0, bottom - 0.42 * height), (0.2 * left, bottom - 0.52 * height),
            (0.2 * left, bottom - 0.52 * height), (0.5 * left, bottom), (0.5 * left, bottom),
            (left, top), (left, top), (end, top - 0.02),
        ])  # fmt: skip
        # The sign is upright, as its bar must cover the radicand.
        root = Box.of(self._pen.draw([shape]))
        placed = [root, body.at(left + SIDE * size)]
        if node.degree is not None:
            degree = self.set(node.degree, style.script().script())
            y = bottom - 0.52 * height - gap - degree.descent
            shift = max(degree.width - DEGREE_OVERLAP * left, 0.0)
            placed = [box.at(shift) for box in placed]
            placed.append(degree.at(max(DEGREE_OVERLAP * left - degree.width, 0.0), y))
        return united(placed)

    def _scripts(self, node: Scripts, style: Style) -> Box:
        base = self.set(node.base, style)
        above, below = (
            None if script is None else self.set(script, style.script())
            for script in (node.above, node.below)
        )
        if node.limits == "always" or (node.limits == "display" and style.is_display):
            return _with_limits(base, above, below, style.size)
        size = style.size
        is_letter = isinstance(node.base, Written | Sign) and not _is_large(node.base)
        foot = min(base.descent, MAX_TAIL) if is_letter else base.descent
        rise = SUPERSCRIPT_RISE * size
        if not is_letter:
            rise = max(rise, base.ascent - SUPERSCRIPT_DROP * size)
        drop = max(SUBSCRIPT_DROP * size, foot + LOW_DROP * size)
        if above:
            # A superscript stays clear of the line that its base stands on.
            rise = max(rise, above.descent + 0.6 * size)
        if above and below:
            drop = max(drop, below.ascent + above.descent - rise + SCRIPTS_GAP * size)
        placed = [base]
        for script, y in ((below, drop), (above, -rise)):
            if script:
                undercut = 0.0
                if script is below:
                    # It stands as near to a leaning letter as to an upright one.
                    is_large = _is_large(node.base)
                    leaning = self._pen.lean * max(base.ascent, 0.0)
                    undercut = MAX_LARGE_UNDERCUT * size if is_large else leaning
                x = _offset(base, script.at(0.0, y), undercut) + SCRIPT_SIDE * size
                placed.append(script.at(x if base.strokes else 0.0, y))
        return united(placed)

    def _accent(self, node: Accent, style: Style) -> Box:
        body = self.set(node.body, style)
        size = style.size
        gap = ACCENT_GAP * size
        middle = body.width / 2 + 0.5 * self._pen.lean * body.ascent
        half = body.width / 2 if node.is_wide else min(body.width / 2, 0.4 * size)
        half = max(half, 0.35 * size)
        y = -max(body.ascent, (ARROW_FOOT if node.mark == "→" else 1.0) * size) - gap
        left, right = middle - half, middle + half
        if node.is_wide:
            left, right = min(left, 0.0), max(right, body.width)
        strokes = self._mark(node.mark, left, right, y, body.descent + gap, size)
        x = min(0.0, span(strokes)[0])
        mark = Box(
            tuple(stroke - (x, 0.0) for stroke in strokes),
            span(strokes)[1] - x,
            -min(float(stroke[:, 1].min()) for stroke in strokes),
            max(float(stroke[:, 1].max()) for stroke in strokes),
        )
        return united([body.at(-x), mark])

    def _mark(
        self, mark: str, left: float, right: float, y: float, foot: float, size: float
    ) -> list[np.ndarray]:
        """Return the strokes of an accent from `left` to `right` above a `y`, or, for a line below,
        at `foot`."""
        pen = self._pen
        middle = (left + right) / 2
        rise = 0.28 * size
        match mark:
            case "¯":
                return [pen.bar((left, y), (right, y))]
            case "_":
                return [pen.bar((left, foot), (right, foot))]
            case "→":
                length, half = size * np.array(ARROW_HEAD)
                head = [(right - length, y - half), (right, y), (right, y),
                        (right - length, y + half)]  # fmt: skip
                return [pen.bar((left, y), (right, y)), *pen.draw([np.array(head)])]
            case "^":
                shape = [(left, y), (middle, y - rise), (middle, y - rise), (right, y)]
                return pen.draw([np.array(shape)])
            case "~":
                quarter = (right - left) / 4
                shape = [(left, y), (left + quarter, y - rise * 0.7), (right - quarter, y),
                         (right, y - rise * 0.7)]  # fmt: skip
                return pen.draw([np.array(shape)])
        places = [middle] if mark == "˙" else [middle - 0.2 * size, middle + 0.2 * size]
        return pen.draw([np.array([(x, y)]) for x in places])

    def _fence(self, node: Fence, style: Style) -> Box:
        body = self.set(node.body, style)
        size = style.size
        axis = -AXIS * size
        half = max(body.ascent + axis, body.descent - axis) + FENCE_OVERHANG * size
        least_top, least_bottom = (y * size for y in LEAST_FENCE)
        top = min(axis - half, least_top)
        bottom = max(axis + half, least_bottom)
        parts = []
        if node.left:
            parts.append(Box.of(self._pen.stretched(node.left, top, bottom)))
        parts.append(body)
        if node.right:
            parts.append(Box.of(self._pen.stretched(node.right, top, bottom)))
        placed = [parts[0]]
        x = 0.0
        for left, right in pairwise(parts):
            x += left.width + FENCE_SIDE * size
            placed.append(right.at(x))
        return united(placed)

    def _table(self, node: Table, style: Style) -> Box:
        style = replace(style, is_display=node.is_display)
        size = style.size
        rows = [[self.set(cell, style) for cell in row] for row in node.rows]
        num_columns = max(map(len, rows))
        widths = [max((row[k].width for row in rows if k < len(row)), default=0.0)
                  for k in range(num_columns)]  # fmt: skip
        alignments = [kind for kind, _ in zip(cycle(node.alignments), widths, strict=False)]
        lefts = [0.0]
        for k in range(1, num_columns):
            is_pair = node.alignments == "rl" and k % 2
            gap = (SIDE + THICK if is_pair else COLUMN_GAP) * size
            lefts.append(lefts[-1] + widths[k - 1] + gap)
        placed = []
        y = 0.0
        for number, row in enumerate(map(united, rows)):
            if number:
                previous = united(rows[number - 1])
                least = previous.descent + ROW_GAP * size + row.ascent
                y += max(least, ROW_DISTANCE * size)
            for box, left, width, kind in zip(
                rows[number], lefts, widths, alignments, strict=False
            ):
                room = width - box.width
                shift = {"l": 0.0, "c": room / 2, "r": room}[kind]
                placed.append(box.at(left + shift, y))
        table = united(placed)
        return table.at(0.0, (table.ascent - table.descent) / 2 - AXIS * size)


def _is_large(node: Node) -> bool:
    return isinstance(node, Sign) and node.name in LARGE


def _offset(left: Box, right: Box, max_undercut: float = MAX_KERN) -> float:
    """Return the x at which a box just touches the one before it, both on one baseline; at most
    `max_undercut` x-heights before the right edge of the other."""
    if not left.strokes or not right.strokes:
        return left.width
    x = touching_shift(from_strokes(left.strokes), from_strokes(right.strokes))
    return max(x, left.width - max_undercut)


def _with_limits(base: Box, above: Box | None, below: Box | None, size: float) -> Box:
    """Return a base with its limits above and below its middle."""
    width = max(box.width for box in (base, above, below) if box)
    gap = LIMIT_GAP * size
    placed = [base.at((width - base.width) / 2)]
    if below:
        placed.append(below.at((width - below.width) / 2, base.descent + gap + below.ascent))
    if above:
        y = -base.ascent - gap - above.descent
        placed.append(above.at((width - above.width) / 2, y))
    return united(placed)
