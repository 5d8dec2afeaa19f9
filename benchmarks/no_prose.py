"""Measures what is found on pages of notes that is no prose, in the hands of several styles.

The pages are written by the network of a style; what a pen draws on them (lists, headings, tables,
drawings, crossed-out words) is drawn here, with the jitter of a hand. Lengths are in x-heights.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measures import main
from benchmarks.pages import NotesPage, forms, words_of
from commands import network_options
from commands.options import Parser
from handwriting.page_options import PageOptions
from handwriting.pages import write_page
from handwriting.paper import Paper
from model.reader import Reader
from model.recognition.error_rates import rates
from notes.ink_page import InkPage, PageStroke
from notes.page_text import BULLET, CELL, HEADING, NUMBER
from notes.reading import read_page
from notes.structure import find_structure, quarter_turns
from utils.ink import at_equal_steps, path_along, turned_back

STYLES = ("slanted", "joined", "round")  # of the measure; developed on narrow, flowing, plain
PITCH = 4.2  # x-heights from baseline to baseline (assumed)
WAVE = 0.02  # x-heights, standard deviation of a drawn line's direction, a step (assumed, by eye)
STEP = 0.15  # x-heights between the points of a drawn line (measured: IAM-OnDB)
MISS = 0.12  # x-heights, standard deviation of the ends of a drawn line (assumed, by eye)

PROSE = (
    "The garden was quiet after the rain had gone",
    "and nobody came to the door until the evening",
    "when a letter arrived from the other side of",
    "the river with the news that we had wanted",
)
CROSSINGS = ("line", "two lines", "zigzag", "loops", "cross", "diagonal", "hatching", "scribble")
CROSSED = (  # row of prose, with the crossed-out word behind its n-th word
    ("We met them at the old station", 2, "of"),
    ("before the train left for the coast", 3, "yesterday"),
    ("and talked about the summer of that", 4, "year"),
    ("house in which they had spent so", 3, "where"),
    ("many weeks without a single letter", 2, "days"),
    ("from home until the money was gone", 4, "the"),
    ("nobody knew who had paid for all", 2, "then"),
    ("those dinners in the large hotel", 1, "meals"),
)
LISTS = {  # rows by their mark
    "dot": ("Bread and milk for the week", "Ten red apples", "Paper for the printer"),
    "dash": ("call the plumber today", "write to the bank", "water the plants"),
    "box": ("Pay the rent", "Send the parcel to Anna", "Book a table for four"),
    "ticked box": ("Clean the kitchen", "Return the books", "Buy new shoes"),
    "number": ("Heat the oven first", "Mix flour with butter", "Bake it for an hour"),
}
TABLE = (("Day", "Place", "Cost"), ("Monday", "Bern", "40"), ("Friday", "Rome", "75"))
LABELS = ("roof", "door", "tree")


@dataclass
class Sheet:
    """A page in the making; strokes are in the order of writing.

    Attributes:
        strokes: `(n, 2)` each, in x-heights.
        what: what each stroke is: the kind of a mark, or `row N`, or `crossed N`.
        rows: text and mark of each row that is to be found.
    """

    generator: np.random.Generator
    strokes: list[np.ndarray] = field(default_factory=list)
    what: list[str] = field(default_factory=list)
    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, strokes: Sequence[np.ndarray], what: str) -> None:
        self.strokes += strokes
        self.what += [what] * len(strokes)

    def add_row(
        self, words: Sequence[Sequence[np.ndarray]], text: str, mark: str, x: float, y: float
    ) -> None:
        """Add a row of words whose baseline begins at (x, y)."""
        for word in words:
            self.add(moved(word, x, y), f"row {len(self.rows)}")
        self.rows.append((text, mark))

    def draw(self, what: str, *corners: tuple[float, float]) -> None:
        """Add a line through corners, as a hand draws it."""
        self.add([drawn(np.array(corners, float), self.generator)], what)


def drawn(corners: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a stroke `(n, 2)` through corners, with the jitter of a hand."""
    corners = corners + generator.normal(0, MISS, corners.shape)
    path = path_along(corners)
    points = at_equal_steps(corners, path, max(2, round(path[-1] / STEP)))
    wave = np.cumsum(generator.normal(0, WAVE, points.shape), axis=0)
    return points + wave - np.linspace(0, 1, len(wave))[:, None] * wave[-1]


def moved(strokes: Sequence[np.ndarray], x: float, y: float) -> list[np.ndarray]:
    """Return strokes, moved by (x, y)."""
    return [stroke + np.array([x, y]) for stroke in strokes]


def ring(centre: Sequence[float], radii: Sequence[float], turns: float = 1.06) -> np.ndarray:
    """Return the corners `(n, 2)` of an ellipse that is drawn in so many turns."""
    angle = np.linspace(-1.2, 2 * np.pi * turns - 1.2, round(24 * turns))
    return np.array(centre) + np.array(radii) * np.column_stack([np.cos(angle), np.sin(angle)])


class Hand:
    """Words of a style, in x-heights with the baseline at y = 0; each text is written once."""

    def __init__(self, style: str, texts: Sequence[str]) -> None:
        paper = Paper.of((900.0, 2000.0))  # millimetres, so that each text is a row
        look = PageOptions(style=style, proofread=False, paper=paper, seed=len(style))
        rows = [row for page in write_page("\n".join(texts), options=look) for row in page.rows]
        self.words = {}
        for text, row in zip(texts, rows, strict=True):
            strokes = [(s - (0, row.baseline)) / row.size for s in row.strokes]
            left = min(stroke[:, 0].min() for stroke in strokes)
            ends = np.cumsum([word.strokes for word in row.words])
            shifted = [stroke - (left, 0) for stroke in strokes]
            starts = [0, *ends[:-1]]
            self.words[text] = [shifted[a:b] for a, b in zip(starts, ends, strict=True)]


def box_of(strokes: Sequence[np.ndarray]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of strokes."""
    points = np.concatenate(strokes)
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def prose_page(hand: Hand, sheet: Sheet) -> None:
    for number, text in enumerate(PROSE):
        sheet.add_row(hand.words[text], text, "", 0, PITCH * number)


def crossed_page(hand: Hand, sheet: Sheet) -> None:
    """A page with a crossed-out word in each row, each crossed out in another way."""
    for number, (text, place, word) in enumerate(CROSSED):
        y = PITCH * number
        words = hand.words[text]
        front = box_of([s for w in words[:place] for s in w])[2] + 0.9
        wrong, rest = moved(hand.words[word][0], front, y), [s for w in words[place:] for s in w]
        shift = box_of(wrong)[2] + 1.0 - box_of(rest)[0]
        sheet.add(moved([s for w in words[:place] for s in w], 0, y), f"row {number}")
        sheet.add(wrong, f"crossed {number}")
        cross_out(sheet, f"crossed {number}", CROSSINGS[number], box_of(wrong), y)
        sheet.add(moved(rest, shift, y), f"row {number}")
        sheet.rows.append((text, ""))


def cross_out(sheet: Sheet, what: str, way: str, box: Sequence[float], baseline: float) -> None:
    """Cross out a word with this box in one of the `CROSSINGS`."""
    left, top, right, bottom = box[0] - 0.2, baseline - 1.3, box[2] + 0.2, baseline + 0.3
    middle = baseline - 0.5
    swings = max(3, round((right - left) / 0.7))
    xs = np.linspace(left, right, swings)
    if way in ("line", "two lines"):
        sheet.draw(what, (left, middle), (right, middle - 0.1))
    if way == "two lines":
        sheet.draw(what, (left, middle + 0.35), (right, middle + 0.3))
    if way == "zigzag":
        sheet.draw(what, *((x, (top, bottom)[n % 2]) for n, x in enumerate(xs)))
    if way == "loops":
        angle = np.linspace(0, 2 * np.pi * swings, 12 * swings)
        x = np.linspace(left, right, len(angle)) + 0.45 * np.cos(angle)
        sheet.draw(what, *zip(x, middle + 0.7 * np.sin(angle), strict=True))
    if way in ("cross", "diagonal"):
        sheet.draw(what, (left, bottom), (right, top))
    if way == "cross":
        sheet.draw(what, (left, top), (right, bottom))
    if way == "hatching":
        for x in np.linspace(left, right - 0.8, max(3, swings - 1)):
            sheet.draw(what, (x, bottom), (x + 0.8, top))
    if way == "scribble":
        ys = np.linspace(top, bottom, 7)
        sheet.draw(what, *(((left, right)[n % 2], y) for n, y in enumerate(ys)))


def list_page(hand: Hand, sheet: Sheet) -> None:
    """A page with a larger heading and a list of each kind."""
    heading = [[1.7 * stroke for stroke in word] for word in hand.words["Things to do"]]
    sheet.add_row(heading, "Things to do", HEADING, 0, 0)
    y, jitter = 1.4 * PITCH, sheet.generator.normal
    for kind, texts in LISTS.items():
        for number, text in enumerate(texts, 1):
            x, middle = jitter(0, 0.15), y - 0.5 + jitter(0, 0.08)
            if kind == "dot":
                sheet.draw("mark", *(ring((x, middle), (0.17, 0.17), 2.3)))
            if kind == "dash":
                sheet.draw("mark", (x - 0.4, middle), (x + 0.5, middle))
            if "box" in kind:
                draw_box(sheet, x - 0.7, middle - 0.8, 1.5)
            if kind == "ticked box" and number == 1:
                sheet.draw("mark", (x - 0.4, middle), (x, middle + 0.5), (x + 1.1, middle - 1.3))
            elif kind == "ticked box":
                sheet.draw("mark", (x - 0.5, middle - 0.6), (x + 0.6, middle + 0.5))
                sheet.draw("mark", (x + 0.6, middle - 0.6), (x - 0.5, middle + 0.5))
            digit = hand.words[f"{number}."][0] if kind == "number" else []
            sheet.add(moved(digit, 0, y), f"row {len(sheet.rows)}")
            said = f"{number}. {text}" if digit else text
            marks = {"box": "- [ ]", "ticked box": "- [x]", "number": NUMBER}
            sheet.add_row(hand.words[text], said, marks.get(kind, BULLET), 2.6, y)
            y += PITCH


def draw_box(sheet: Sheet, left: float, top: float, size: float) -> None:
    """Draw a box in one stroke, or in two."""
    right, bottom = left + size, top + size
    corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
    if sheet.generator.random() < 0.5:
        sheet.draw("mark", *corners)
    else:
        sheet.draw("mark", *corners[:3])
        sheet.draw("mark", *corners[:1], *corners[:1:-1][1:])


def table_page(hand: Hand, sheet: Sheet) -> None:
    """A page with an underlined heading, a ruled table, and prose below it."""
    sheet.add_row(hand.words["Our journey"], "Our journey", HEADING, 0, 0)
    width = box_of([s for word in hand.words["Our journey"] for s in word])[2]
    sheet.draw("underline", (-0.2, 0.9), (width + 0.2, 0.8))
    sheet.draw("underline", (0, 1.25), (width, 1.2))
    tops, lefts = 2.5 + PITCH * np.arange(4), 11.0 * np.arange(4)
    for y in tops:
        sheet.draw("rule", (lefts[0], y), (lefts[-1], y))
    for x in lefts:
        sheet.draw("rule", (x, tops[0]), (x, tops[-1]))
    for top, cells in zip(tops, TABLE, strict=False):
        for column, (left, text) in enumerate(zip(lefts, cells, strict=False)):
            sheet.add_row(hand.words[text], text, CELL * (column + 1), left + 1, top + 3)
    for number, text in enumerate(PROSE[:2], 1):
        sheet.add_row(hand.words[text], text, "", 0, tops[-1] + 0.5 + PITCH * number)


def drawing_page(hand: Hand, sheet: Sheet) -> None:
    """A page with a circled word, arrows, and a house with labels below the prose."""
    for number, text in enumerate(PROSE):
        sheet.add_row(hand.words[text], text, "", 0, PITCH * number)
    left, top, right, bottom = box_of(hand.words[PROSE[0]][3])
    centre = np.array([left + right, top + bottom]) / 2
    sheet.draw("circle", *ring(centre, ((right - left) / 2 + 0.8, (bottom - top) / 2 + 0.5)))
    draw_house(hand, sheet, 4 * PITCH + 2)


def draw_house(hand: Hand, sheet: Sheet, y: float) -> None:
    """Draw a house below y, with two windows and three labels, and two arrows."""
    walls = [(0, y + 5), (0, y + 14), (14, y + 14), (14, y + 5), (0, y + 5)]
    sheet.draw("drawing", *walls)
    sheet.draw("drawing", (0, y + 5), (7, y), (14, y + 5))
    for x in (2, 9.5):
        draw_window(sheet, x, y + 7)
    for number, text in enumerate(LABELS):
        place = (5, y + 4.6) if not number else (6.0, y + 12.5) if number == 1 else (21, y + 9.5)
        sheet.add(moved(hand.words[text][0], *place), f"label {text}")
    sheet.draw("arrow", (20.5, y + 9), (15, y + 9.4))
    sheet.draw("arrow", (15.8, y + 8.7), (15, y + 9.4), (16, y + 10))
    sheet.draw("arrow", (22, y + 1), (17, y + 3), (17.9, y + 2.1), (17, y + 3), (18.2, y + 3.1))


def draw_window(sheet: Sheet, x: float, y: float) -> None:
    sheet.draw("window", (x, y), (x, y + 2.4), (x + 2.4, y + 2.4), (x + 2.4, y), (x, y))
    sheet.draw("window", (x + 1.2, y), (x + 1.2, y + 2.4))
    sheet.draw("window", (x, y + 1.2), (x + 2.4, y + 1.2))


def margin_page(hand: Hand, sheet: Sheet) -> None:
    """A page with a note at 90 degrees in its margin."""
    prose_page(hand, sheet)
    text = "ask Peter about the key"
    right = max(stroke[:, 0].max() for stroke in sheet.strokes)
    turned = [[turned_back(s, -np.pi / 2) for s in word] for word in hand.words[text]]
    sheet.add_row(turned, text, "", right + 3, -1)


def doodle_page(hand: Hand, sheet: Sheet) -> None:
    """A page with prose, and with small doodles below it."""
    for number, text in enumerate(PROSE):
        sheet.add_row(hand.words[text], text, "", 0, PITCH * number)
    only_doodles(hand, sheet)


def only_doodles(_: Hand, sheet: Sheet) -> None:
    """A page of small doodles: a spiral, a star, a wave, loops, a face, rings and a tree."""
    y, angle = 5 * PITCH, np.linspace(0, 6 * np.pi, 90)
    growing = angle / angle[-1]
    circling = np.column_stack([np.cos(angle), np.sin(angle)])
    sheet.draw("doodle 1", *(2.5 * growing[:, None] * circling + (3, y)))
    sheet.draw("doodle 2", *(2 * circling[::12] * (1, -1) + (12, y)))
    sheet.draw("doodle 3", *np.column_stack([20 + 9 * growing, y + np.sin(angle)]))
    sheet.draw("doodle 4", *(circling + np.column_stack([34 + 9 * growing, 0 * angle + y])))
    for place, radius in (((4.0, 9.0), 2.0), ((3.3, 8.3), 0.2), ((4.7, 8.3), 0.2)):
        sheet.draw("doodle 5", *ring(np.add(place, (0, y)), (radius, radius)))
    sheet.draw("doodle 5", (3, y + 9.6), (4, y + 10.2), (5, y + 9.6))
    for place, radius in (((14.0, 9.0), 2.0), ((16.0, 9.5), 1.5), ((15.0, 11.0), 1.0)):
        sheet.draw("doodle 6", *ring(np.add(place, (0, y)), (radius, radius)))
    sheet.draw("doodle 7", *ring((26, y + 8), (2, 1.7)))
    sheet.draw("doodle 7", (26, y + 9.7), (26.1, y + 12))


PAGES = {
    "crossed out": crossed_page,
    "lists": list_page,
    "table": table_page,
    "drawing": drawing_page,
    "margin": margin_page,
    "doodles": doodle_page,
    "only doodles": only_doodles,
}


def texts() -> list[str]:
    """Return all texts of the pages."""
    marks = [text for rows in LISTS.values() for text in rows]
    crossed = [text for row, _, word in CROSSED for text in (row, word)]
    cells = [cell for row in TABLE for cell in row]
    own = ["1.", "2.", "3.", "Things to do", "Our journey", "ask Peter about the key"]
    return [*dict.fromkeys([*PROSE, *crossed, *marks, *cells, *LABELS, *own])]


def sheets(style: str) -> Iterator[tuple[str, Sheet]]:
    """Yield the pages in a style, each with its name."""
    hand = Hand(style, texts())
    for number, (name, compose) in enumerate(PAGES.items()):
        sheet = Sheet(np.random.default_rng([number, *style.encode()]))
        compose(hand, sheet)
        yield name, sheet
    for degrees in (90, 180, 270):
        sheet = Sheet(np.random.default_rng(degrees))
        prose_page(hand, sheet)
        turn = -np.radians(degrees)
        sheet.strokes = [turned_back(stroke, turn) for stroke in sheet.strokes]
        yield f"turned {degrees}", sheet


def measure(sheet: Sheet, reader: Reader, counts: Counter[str]) -> tuple[str, str]:
    """Return the text of a page as read and as written. Count by kind how much there is (`... of`)
    and how much was found: rows whole and with their mark, strokes of other kinds in no row."""
    text = read_page(InkPage(1, 1, (*map(PageStroke, sheet.strokes),)), reader)
    found = {stroke: row for row in text.rows for stroke in row.strokes}
    for what in dict.fromkeys(sheet.what):
        numbers = [number for number, other in enumerate(sheet.what) if other == what]
        in_rows = [found[number] for number in numbers if number in found]
        kind, _, index = what.partition(" ")
        is_found = not in_rows
        if kind == "row":
            mark = sheet.rows[int(index)][1]
            kind = "cells" if mark.startswith(CELL) else f"rows {mark}"
            is_found = bool(in_rows) and {*in_rows[0].strokes} == {*numbers}
            is_found &= bool(in_rows) and in_rows[0].mark == mark
        elif kind == "crossed":
            kind = f"crossed out: {CROSSINGS[int(index)]}"
        counts[f"{kind} of"] += 1
        counts[kind] += is_found
    return text.text, " ".join(said for said, _ in sheet.rows)


def false_words(page: NotesPage) -> Counter[str]:
    """Return how many words of a page of prose are in a row with a mark or in no row, by kind."""
    turns = quarter_turns(page.strokes)
    rows, kinds = find_structure(page.strokes, np.zeros(len(page.strokes), int))
    kinds |= {stroke: f"row {row.mark}" for row in rows if row.mark for stroke in row.strokes}
    counts = Counter(words=0, seemingly_turned_pages=int(turns.any()))
    for row, text in zip(page.rows, page.texts, strict=True):
        for word in words_of([page.strokes[stroke] for stroke in row], text):
            counts["words"] += 1
            counts.update({kinds[row[number]] for number in word if row[number] in kinds})
    return counts


def run(arguments: argparse.Namespace) -> None:
    """Print what was found on the composed pages, and what is false on forms of prose."""
    reader = network_options.Networks.of(arguments).reader(arguments.resume)
    counts: Counter[str] = Counter()
    pairs = defaultdict(list)
    for style in arguments.styles:
        for name, sheet in sheets(style):
            pairs[name].append(measure(sheet, reader, counts))
    for kind in [kind for kind in counts if not kind.endswith(" of")]:
        print(f"{kind:<30}{counts[kind]:>5} of {counts[f'{kind} of']}")
    for name, texts_of_pages in pairs.items():
        if name != "only doodles":  # which have no characters
            print(f"characters misread, {name}: {rates(texts_of_pages)['cer']:.2%}")
    if arguments.data:
        print(dict(sum(map(false_words, forms(arguments.data).values()), Counter())))


if __name__ == "__main__":
    parser = Parser(description=" ".join(__doc__.split()))
    network_options.add_network(parser, default="reader")
    parser.add_argument("--styles", nargs="+", default=STYLES, help="styles of the composed pages")
    parser.add_argument("--data", help="folder of IAM-OnDB, whose forms are prose")
    main(run, parser)
