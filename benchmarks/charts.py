"""Draws charts of a hand's letters for people to read, and scores what they read.

A chart has strings without meaning, so nobody guesses a letter from its word. The strings are
written as a page writes words, but are not proofread, and stand on faint guides: the baseline and
the x-height.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice, zip_longest
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

import numpy as np
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apps.pages.hands import Hand
from apps.pages.marks import plain
from apps.pages.page_hands import Hands
from apps.pages.page_options import OWN, PageOptions
from apps.pages.proofreading import MISSING_WORD
from apps.pages.styles import styles
from apps.pages.text_lines import Passage, seeded, write_texts
from apps.pages.written_word import WrittenWord
from commands.shared import network_options
from commands.shared.options import Parser
from commands.shared.scripts import main
from ink.alphabet import nfc
from ink.drawing.layers import Pen, Row
from model.drawing.page import Page
from model.drawing.plots import write_png
from utils import strict_json
from utils.checks import UserError, number
from utils.files import read_text, write_json

SMALL = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
ACCENTS = {
    "Czech": "áčďéěíňóřšťúůýž",
    "Danish": "æøå",
    "French": "àâçèêëîïôùû",
    "German": "äöüß",
    "Hungarian": "őű",
    "Italian": "ìò",
    "Polish": "ąćęłńśźż",
    "Portuguese": "ãõ",
    "Spanish": "ñ",
}
"""Letters with marks, each named with one of the languages that have it."""
CAPITAL_ACCENTS = "ÁÄÅÆÇČÉÈÍŁÑÓÖØŘŚŠÚÜŻŽ"
PATTERNS = {
    **{sign: (f"aaa{sign}", f"aaaa{sign}", f"Aaa{sign}", f"00{sign}") for sign in ".,;:!?"},
    **{sign: (f"aa{sign}aa", f"A{sign}aa", f"00{sign}0", f"a{sign}a") for sign in "'-/&@+=*_"},
    **{sign: (f"{sign}00", f"000{sign}", f"{sign}0", f"00{sign}") for sign in "€£$#%§"},
    **{
        left: (f"{left}aaa{right}", f"{left}Aaa{right}") for left, right in ("()", "[]", "«»", "¿?")
    },
    **dict.fromkeys('"', ('"aaa"', '"Aaaa"')),
    **dict.fromkeys("–", ("00–00", "0–00", "00–0", "000–00")),
    **dict.fromkeys("¡", ("¡aaa!", "¡Aaa!")),
    **dict.fromkeys("°µ", ("00°", "0µa", "000°", "00µa")),
}
"""For each sign, strings that show it: `a`, `A` and `0` stand for any letter, capital and digit."""
ALIKE = ("oO0", "lI|1", "-–—", "'’‘`´", '"“”„', ",‚")
"""Signs that only a word tells apart, or a hand does not; they are not counted as misread."""
# Each alike sign becomes the first one of its group; capitals that look like small letters do, too.
FOLDED = str.maketrans(
    {sign: group[0] for group in ALIKE for sign in group}
    | {c.upper(): c for c in "ckpsuvwxz"}
    | {c: c.lower() for c in CAPITAL_ACCENTS if normalize("NFD", c)[0] in "CSUZ"}
)
SIGN_KINDS = ("small", "capitals", "digits", "signs", "accents")

PAGE_WIDTH = 260.0  # millimetres
PAGE_HEIGHT = 200.0  # millimetres
CHART_X_HEIGHT = 4.2  # millimetres
PAGE_MARGIN = 14.0  # millimetres around a page
STRING_GAP = 3.0  # x-heights between two strings
PITCH = 4.0  # x-heights from row to row
PER_ROW = 4  # strings that the network writes as one line
CHART_DPI = 150
MAX_KEY_BYTES = 2**24  # of a key, or of readings (assumed: 27 hands have a megabyte)


@dataclass(frozen=True)
class Cell:
    """A string on a chart: its hand, its text, the seed of its line, and its row, from 1."""

    hand: str
    text: str
    seed: int
    row: int


class Misread(NamedTuple):
    """A misread sign: the hand, the sign, what was read in its place, the line's seed, the string.

    Nothing may be read in its place, and an added sign has an empty `sign`."""

    hand: str
    sign: str
    read_as: str
    seed: int
    text: str


def shuffled(signs: Sequence[str], random: np.random.Generator) -> list[str]:
    """Return signs in a random order."""
    return [signs[k] for k in random.permutation(len(signs))]


def mixed_strings(signs: str, random: np.random.Generator) -> Iterator[str]:
    """Yield strings of five signs.

    Each sign is once the first, once the last, and three times in the middle. In half of the
    strings one sign is doubled, so that a reader cannot expect it.
    """
    first, double, middle, last = (shuffled(signs, random) for _ in range(4))
    for k in range(len(signs)):
        partner = min(k ^ 1, len(signs) - 1)  # Two strings share two signs, or double one each.
        is_doubled = (k // 2) % 2 or partner == k
        pair = double[k] * 2 if is_doubled else double[min(k, partner)] + double[max(k, partner)]
        parts = (pair, middle[k]) if random.random() < 0.5 else (middle[k], pair)
        yield first[k] + "".join(parts) + last[k]


def filled(pattern: str, random: np.random.Generator) -> str:
    """Return a pattern with random letters and digits, see `PATTERNS`."""
    pools = {"a": SMALL, "A": SMALL.upper(), "0": DIGITS}
    return "".join(str(random.choice([*pools[c]])) if c in pools else c for c in pattern)


def strings_with(sign: str, instances: int, random: np.random.Generator) -> Iterator[str]:
    """Yield a string for each instance of a sign: at the start, in the middle and at the end."""
    filler = "0" if sign.isdigit() else "A" if sign.isupper() else "a"
    anywhere = (f"\0{filler * 3}", f"{filler * 2}\0{filler}", f"{filler * 3}\0")
    as_in_words = "\0aaa" if filler == "A" else f"{filler}\0{filler}"  # as a capital begins words
    patterns = PATTERNS.get(sign) or (*anywhere, as_in_words)
    for k in range(instances):
        yield filled(patterns[k % len(patterns)], random).replace("\0", sign)


def strings_of(kind: str, instances: int, random: np.random.Generator) -> Iterator[str]:
    """Yield the strings of one of `SIGN_KINDS`, with `instances` or more of each sign."""
    if kind == "signs":
        for sign in PATTERNS:
            yield from strings_with(sign, instances, random)
    elif kind == "accents":
        letters = [*"".join(ACCENTS.values()), *CAPITAL_ACCENTS]
        for k in range(-(-instances // 2)):
            pairs = zip(shuffled(letters, random), shuffled(letters, random), strict=True)
            for first, second in pairs:
                pattern = filled(("\0aa\1a", "a\0a\1")[k % 2], random)
                yield pattern.replace("\0", first).replace("\1", second)
    else:
        signs = {"small": SMALL, "capitals": SMALL.upper(), "digits": DIGITS}[kind]
        for _ in range(-(-instances // 5)):
            yield from mixed_strings(signs, random)
        if kind == "capitals":
            yield from (filled(f"{capital}aaa", random) for capital in signs)


def texts_of(
    kinds: Iterable[str], signs: str | None, instances: int, random: np.random.Generator
) -> list[str]:
    """Return the strings of a chart in a random order, of `kinds` of signs or of some `signs`."""
    if signs:
        strings = (strings_with(sign, instances, random) for sign in nfc(signs))
    else:
        strings = (strings_of(kind, instances, random) for kind in kinds)
    return shuffled([nfc(text) for text in chain.from_iterable(strings)], random)


def hand_named(name: str) -> Hand:
    """Return the hand of a style, or of `own:SEED`, without readers to proofread it.

    A reader helps to choose the hand of a seed, as for a page.
    """
    style, _, seed = name.partition(":")
    options = PageOptions(style=style, seed=int(seed or 0))
    hand = Hands(None, options, "cpu", progress=False).of(options.look)
    return replace(hand, reader=None, second_reader=None)


def written_strings(
    hand: Hand, name: str, texts: Sequence[str], seed: int
) -> Iterator[tuple[Cell, WrittenWord]]:
    """Write strings as a page writes words, and yield each with its cell, whose row is 0.

    Several strings through which a stroke runs are one. Strings that could not be written are left
    out.
    """
    lines = [" ".join(texts[k : k + PER_ROW]) for k in range(0, len(texts), PER_ROW)]
    passages = seeded([Passage(hand, line) for line in lines], seed)
    (written,) = write_texts([passages], progress=True)
    for line_seed, (words, checked) in enumerate(written, seed):
        for word, reading in zip(words, checked, strict=True):
            if MISSING_WORD not in reading.faults:
                yield Cell(name, word.text, line_seed, 0), word


def row_baseline(row_number: int) -> float:
    """Return the y of the baseline of a row, from 1, in millimetres."""
    return PAGE_MARGIN + (0.5 + (row_number - 1) * PITCH) * CHART_X_HEIGHT


def chart_pages(strings: Iterable[tuple[Cell, WrittenWord]]) -> Iterator[tuple[Page, list[Cell]]]:
    """Yield pages of strings with their cells. Rows fill the width of the page."""
    rows: list[list[tuple[Cell, WrittenWord, float]]] = [[]]
    x = 0.0
    for cell, word in strings:
        if rows[-1] and (x + word.width) * CHART_X_HEIGHT > PAGE_WIDTH - 2.5 * PAGE_MARGIN:
            rows.append([])
        x = x + STRING_GAP if rows[-1] else 0.0
        rows[-1].append((cell, word, x))
        x += word.width
    per_page = int((PAGE_HEIGHT - 2 * PAGE_MARGIN) / (PITCH * CHART_X_HEIGHT)) + 1
    remaining = iter(rows)
    while page_rows := [*islice(remaining, per_page)]:
        placed = []
        rules = []
        cells = []
        for row_number, row in enumerate(page_rows, 1):
            baseline = row_baseline(row_number)
            strokes = []
            for cell, word, left in row:
                origin = np.array([1.5 * PAGE_MARGIN + left * CHART_X_HEIGHT, baseline])
                strokes += [stroke * CHART_X_HEIGHT + origin for stroke in word.strokes]
                ends = np.array([[-0.3, 0.0], [word.width + 0.3, 0.0]]) * CHART_X_HEIGHT + origin
                rules += [ends, ends - (0.0, CHART_X_HEIGHT)]
                cells.append(Cell(cell.hand, cell.text, cell.seed, row_number))
            placed.append(Row(tuple(strokes), pen=Pen(0.18 * CHART_X_HEIGHT), size=CHART_X_HEIGHT))
        yield Page(PAGE_WIDTH, PAGE_HEIGHT, tuple(placed), np.array(rules)), cells


def save_chart(path: Path, page: Page) -> None:
    """Save a page as a picture, with the number of each row."""
    figure = page.figure()
    for row_number in range(1, len(page.rows) + 1):
        place = 0.4 * PAGE_MARGIN / PAGE_WIDTH, 1 - row_baseline(row_number) / PAGE_HEIGHT
        figure.text(*place, str(row_number), fontsize=9, color="#777777")
    write_png(path, figure, dpi=CHART_DPI)


def misread(
    key: Mapping[str, Sequence[Cell]], readings: Mapping[str, Sequence[str]]
) -> Iterator[Misread]:
    """Yield each sign that a reader misread. Signs in `ALIKE` count as equal, and so do a small
    letter and its capital of the same shape; blanks do not count.

    Args:
        key: the cells of each page.
        readings: for each page that was read, the text of each row, with a blank between two
            strings.

    Raises:
        UserError: if a page is unknown, or has another number of strings.
    """
    for page, rows in readings.items():
        if page not in key:
            raise UserError(f"{page}: no chart of this key")
        strings = [row.split() for row in rows]
        counts = [len([*cells]) for _, cells in groupby(key[page], lambda cell: cell.row)]
        for row_number, (count, row) in enumerate(zip_longest(counts, strings, fillvalue=()), 1):
            if count != len(row):
                raise UserError(f"{page}, row {row_number}: {count or 0} strings, not {len(row)}")
        for cell, string in zip(key[page], chain.from_iterable(strings), strict=True):
            text = nfc(cell.text).replace(" ", "")
            read_text = nfc(string).replace(" ", "")
            edits = Levenshtein.editops(text.translate(FOLDED), read_text.translate(FOLDED))
            for kind, k, other in edits:
                sign = "" if kind == "insert" else text[k]
                read_as = "" if kind == "delete" else read_text[other]
                yield Misread(cell.hand, sign, read_as, cell.seed, cell.text)


def load_key(path: Path) -> dict[str, list[Cell]]:
    """Return the cells of each page of a key."""
    return {page: [Cell(**cell) for cell in cells] for page, cells in read(path).items()}


def read(path: Path) -> dict:
    """Return the values of a key or of readings."""
    return strict_json.loads(read_text(path, MAX_KEY_BYTES), MAX_KEY_BYTES, MAX_KEY_BYTES // 10)


def draw(arguments: argparse.Namespace) -> None:
    """Draw the charts of hands, and save their key."""
    arguments.output.make()
    folder = arguments.output.folder
    key = {}
    for name in arguments.hands or styles():
        hand = hand_named(name)
        # Each hand has strings of its own, so that a reader does not learn them.
        random = np.random.default_rng([arguments.seed, *name.encode()])
        texts = texts_of(arguments.kinds, arguments.signs, arguments.instances, random)
        alphabet = hand.writer.model.alphabet
        writable = [text for text in texts if not alphabet.unknown(plain(text, alphabet))]
        strings = written_strings(hand, name, writable, arguments.seed)
        pages = [*chart_pages(strings)]
        for page_number, (page, cells) in enumerate(pages, 1):
            path = folder / f"{name.replace(':', '-')}-{page_number}.png"
            save_chart(path, page)
            key[path.name] = [vars(cell) for cell in cells]
        left_out = f", {len(texts) - len(writable)} that it cannot write left out"
        print(f"{name}: {len(writable)} strings on {len(pages)} pages{left_out}")
    write_json(folder / "key.json", key, indent=None)
    print(folder / "key.json")


def show(arguments: argparse.Namespace) -> None:
    """Print the misread signs of readings, and the number of misread instances of each sign."""
    key_path, readings_path = arguments.score
    key, readings = load_key(key_path), read(readings_path)
    faults = [*misread(key, readings)]
    shown = Counter[tuple[str, str]]()
    for cell in chain(*(key[page] for page in readings)):
        shown.update((cell.hand, sign) for sign in cell.text.replace(" ", ""))
    wrong = Counter((fault.hand, fault.sign) for fault in faults)
    rows = ("hand", "sign", "read as", "seed", "string"), *faults
    print(*("\t".join(map(str, row)) for row in rows), sep="\n")
    print("\nhand\tsign\tmisread\tinstances")
    for (hand, sign), count in sorted(wrong.items(), key=lambda item: (item[0][0], -item[1])):
        print(f"{hand}\t{sign}\t{count}\t{shown[hand, sign]}")
    print(f"{len(faults)} misread of {sum(shown.values())} signs")


def run(arguments: argparse.Namespace) -> None:
    """Draw charts, or score a reading of them."""
    (show if arguments.score else draw)(arguments)


if __name__ == "__main__":
    parser = Parser(description=__doc__)
    add = parser.add_argument
    hands = f"styles, or {OWN}:SEED for a hand that the network invents (default: all styles)"
    add("--hands", nargs="+", metavar="HAND", help=hands)
    add(
        "--kinds",
        nargs="+",
        choices=SIGN_KINDS,
        default=SIGN_KINDS,
        help="kinds of signs (default: all)",
    )
    add("--signs", metavar="SIGNS", help="only strings with these signs, e.g. --signs wI€")
    instances = "least instances of each sign in each hand (default: %(default)s)"
    add("--instances", type=number(int, 1, 1000), default=4, metavar="N", help=instances)
    network_options.add_seed(parser, "seed of the strings and of their first line")
    score = (
        "key.json of charts, and a JSON file with the text of each row that a reader read on each "
    )
    score += 'page, {"slanted-1.png": ["abcde x-y", ...]}: print what is misread'
    add("--score", nargs=2, type=Path, metavar=("KEY", "READINGS"), help=score)
    network_options.add_output(parser)
    main(run, parser)
