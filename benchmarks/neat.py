"""Measures how much neater the ink of a page becomes, and whether it is read as well as before.

The pages are forms of IAM-OnDB. The words are those that were read; their slopes, x-heights and
gaps are measured by `utils.hand_measures`, which takes no part in making them even.

With --fair, a form of each person of `benchmarks/persons.txt` is written anew where its words are
sure: how many words are wrong then, how well `judge.pth` reads the pages, and whether they are
nearer to their person, whom `hand_likeness` knows by lines of other forms, than to any other.
"""

import argparse
import math
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import hand_likeness
from benchmarks.legibility import JUDGE
from benchmarks.measures import main
from benchmarks.own_hand import NUM_ENROLLED, recorded_hands
from benchmarks.pages import NotesPage, forms, right_words
from commands import network_options
from commands.fair import FairCopies
from commands.options import Parser
from model import load
from model.recognition.error_rates import rates
from notes.ink_page import InkPage, PageStroke, page_around
from notes.neat import levelled
from notes.page_text import PageText, PageWord
from notes.reading import read_page
from notes.word_shapes import row_shapes
from utils.hand_measures import baseline_angle, gaps, median_lean, x_heights
from utils.ink import from_strokes, x_height

EVERYWHERE = np.array([-np.inf, np.inf])
MEASURES = {
    "row": "slope of the rows, absolute degrees",
    "slope": "slope of words against their row, absolute degrees",
    "x-height": "spread of the words' x-heights on a page, as a fraction of the median",
    "slant": "spread of the words' slants on a page, degrees",
    "gap": "spread of the gaps between words on a page, in x-heights",
}


def neatness(page: InkPage, text: PageText) -> dict[str, float]:
    """Return the measures of a page: medians of slopes; spreads are the distance of the quartiles,
    scaled to the standard deviation of a normal distribution."""
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    for shape in row_shapes(page, text.rows):
        words = [
            part for part, sign in zip(shape.strokes, shape.are_signs, strict=True) if not sign
        ]
        if not words:
            continue
        row = from_strokes([*chain(*words)])
        angle, lean = baseline_angle(row), np.nan_to_num(median_lean(row))
        values["row"].append(abs(math.degrees(shape.angle - shape.row.turn * math.pi / 2)))
        for ink in map(from_strokes, words):
            values["slope"].append(abs(math.degrees(baseline_angle(ink) - angle)))
            values["x-height"].append(float(x_heights(ink, EVERYWHERE)[0]))
            values["slant"].append(math.degrees(math.atan(median_lean(ink))))
        values["gap"] += (gaps([*map(np.concatenate, words)], lean)[0] / x_height(row)).tolist()
    measured = {name: np.array(v)[~np.isnan(v)] for name, v in values.items()}
    medians = {name: float(np.median(v)) for name, v in measured.items()}
    low, high = ({n: np.quantile(v, q) for n, v in measured.items()} for q in (0.25, 0.75))
    spreads = {name: float(high[name] - low[name]) / 1.349 for name in measured}
    spreads["x-height"] /= medians["x-height"]
    return spreads | {name: medians[name] for name in ("row", "slope")}


def corrected(page: NotesPage, text: PageText) -> PageText:
    """Return the text of a page as if a person had confirmed what was read right, and corrected
    each word that was read as another."""
    right, misread = right_words(page, text)
    numbers = iter(range(len(right)))

    def checked(word: PageWord) -> PageWord:
        number = next(numbers)
        is_known = right[number] or number in misread
        return replace(word, text=misread.get(number, word.text), confidence=float(is_known))

    rows = (replace(row, words=tuple(map(checked, row.words))) for row in text.rows)
    return replace(text, rows=tuple(rows))


def rows_of(page: InkPage, text: PageText) -> list[np.ndarray]:
    """Return the ink of each row."""
    parts = ([page.strokes[number].points for number in row.strokes] for row in text.rows)
    return [from_strokes(part) for part in parts if part]


def print_fair(arguments: argparse.Namespace) -> None:
    """Print how fair copies are written, for a form of each person: the originals and the level
    pages beside them."""
    reader, judge = network_options.Networks.of(arguments).reader(arguments.resume), load(JUDGE)
    hands, copies = recorded_hands(arguments.data), FairCopies(arguments.device)
    pages, space = forms(arguments.data, "valid"), hand_likeness.load()
    between = space.between.astype(np.float64)
    lines = ([ink for ink, _ in chain(*hand[1:])] for hand in hands.values())
    enrolled = [space.embed(inks[-NUM_ENROLLED:]) for inks in lines]
    counts, nearest, read = Counter[str](), Counter[str](), defaultdict(list)
    for person, name in enumerate(tqdm([*hands][: arguments.pages], unit="page")):
        ink = page_around(map(PageStroke, pages[name].strokes))
        text = read_page(ink, reader)
        text = corrected(pages[name], text) if arguments.corrected else text
        level = levelled(ink, text)
        new_ink, new_text, words = copies.rewritten(*level)
        right, _ = right_words(pages[name], text)
        starts = np.cumsum([0, *(len(row.words) for row in text.rows)])
        wrong = [word for row, word, _ in words if not right[starts[row - 1] + word - 1]]
        counts.update(words=len(right), anew=len(words), wrong=len(wrong))
        for form, page in dict(original=(ink, text), level=level, fair=(new_ink, new_text)).items():
            inks = rows_of(*page)
            read[form].append((" ".join(pages[name].texts), " ".join(judge.read_lines(inks))))
            likely = hand_likeness.likelihoods(space.embed(inks), enrolled, between)
            nearest[form] += likely.sum(axis=0).argmax() == person
    print("{words} words, {anew} written anew, {wrong} of these wrong".format_map(counts))
    for form, pairs in read.items():
        misread = f"{rates(pairs)['cer']:.1%} misread by the judge"
        print(f"{form:<10}{misread}, {nearest[form]} of {len(pairs)} pages nearest to their person")


def run(arguments: argparse.Namespace) -> None:
    """Print the mean of each measure over the pages, and the character error rate, by strength."""
    if arguments.fair or arguments.corrected:
        return print_fair(arguments)
    reader = network_options.Networks.of(arguments).reader(arguments.resume)
    pages = [*forms(arguments.data).values()]
    pages = pages[:: max(1, len(pages) // arguments.pages)][: arguments.pages]
    inks = [page_around(map(PageStroke, page.strokes)) for page in pages]
    texts = [read_page(ink, reader) for ink in inks]
    truths = [" ".join(page.texts) for page in pages]
    print(f"{len(pages)} pages\nstrength  " + "".join(f"{name:>10}" for name in (*MEASURES, "CER")))
    for strength in (0.0, *arguments.strength):
        new = [levelled(*page, strength) for page in zip(inks, texts, strict=True)]
        measured = [neatness(*page) for page in new]
        means = [np.mean([page[name] for page in measured]) for name in MEASURES]
        read = [read_page(ink, reader).text for ink, _ in new]
        means.append(100 * rates(zip(truths, read, strict=True))["cer"])
        print(f"{strength:<10g}" + "".join(f"{mean:>10.3f}" for mean in means), flush=True)


if __name__ == "__main__":
    parser = Parser(description=" ".join(__doc__.split()))
    network_options.add_network(parser, default="reader")
    parser.add_argument("--data", default="data/iam_ondb", help="folder of IAM-OnDB")
    parser.add_argument("--pages", type=int, default=25, help="number of forms, evenly chosen")
    strength = "strengths that are measured, beside 0 (default: 1)"
    parser.add_argument("--strength", type=float, nargs="+", default=[1.0], help=strength)
    copies = "measure fair copies instead, of the first --pages forms of persons (17)"
    parser.add_argument("--fair", action="store_true", help=copies)
    checked = "like --fair, with words that a person has confirmed or corrected"
    parser.add_argument("--corrected", action="store_true", help=checked)
    main(run, parser)
