"""How whole pages are divided into rows and read.

The pages are forms of IAM-OnDB, with the places of their lines on the whiteboard, unchanged and
changed, and single lines of IAM-OnDB and UNIPEN. Measured are the strokes in their row, pages whose
rows are all whole and in order, and the character error rate, of found rows and of true rows.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import Sample
from benchmarks.measures import main
from benchmarks.pens import HELD_OUT
from commands import options
from commands.options import Parser
from commands.search_options import LANGUAGE_WEIGHT
from data_loader import IAMOnDBDataset, UnipenDataset
from data_loader.sources.parsing import memory
from data_loader.sources.untrusted_files import parse_contents
from model.reader import Reader
from model.recognition.decoding import GREEDY, Search
from model.recognition.error_rates import rates
from model.recognition.language_model import CharacterLanguageModel
from notes import searching
from notes.ink_page import InkPage, PageStroke
from notes.page_text import Note, PageText, normalised_word
from notes.reading import read_page
from notes.rows import find_rows
from utils.delayed_strokes import are_marks
from utils.files import read_lines
from utils.hand_measures import baseline_of, gaps
from utils.ink import from_strokes, strokes, turned_back, x_height

SHAPES = 4
"""Shapes of a drawing (assumed)."""
SHAPE_HEIGHTS = (7.0, 14.0)
"""X-heights of the lowest and the highest shape (assumed)."""
DRAWING_GAP = 3.0
"""X-heights between the text and a drawing or a note in the margin (assumed)."""
COLUMN_GAP = 4.0
"""X-heights between columns, and between the cells of a table (assumed)."""
COLUMNS = 3
"""Columns of a table, a word each (assumed)."""
NUMBER_HEIGHT = 1.5
"""X-heights of a list's numbers, and of the gap behind a number (assumed)."""
_LINE_FILE = re.compile(r"[a-z]\d\d-\d{3}[a-z]?-\d+\.xml")
EVERY = 5
"""Of the sorted words, every fifth is looked for."""
_FIRST_POINT = re.compile(rb'<Point x="(-?\d+)" y="(-?\d+)"')


class NotesPage(NamedTuple):
    """A page with its rows."""

    strokes: list[np.ndarray]
    """`(n, 2)` each, in the order in which they were written."""
    rows: list[list[int]]
    """The strokes of each row, in the order of writing; strokes in no row are no prose."""
    texts: list[str]

    def written_in(self, order: Sequence[int]) -> "NotesPage":
        """Return the page as if its strokes had been written in `order`."""
        new_number = {number: n for n, number in enumerate(order)}
        rows = [[new_number[number] for number in row] for row in self.rows]
        return NotesPage([self.strokes[number] for number in order], rows, self.texts)

    def written_last(self, late: Sequence[int]) -> "NotesPage":
        """Return the page as if the strokes `late` had been written after all other strokes."""
        return self.written_in([*sorted({*range(len(self.strokes))} - {*late}), *late])

    def row(self, number: int) -> list[np.ndarray]:
        """Return the strokes of a row."""
        return [self.strokes[stroke] for stroke in self.rows[number]]


Change = Callable[[NotesPage, np.random.Generator], NotesPage]


def page_of(rows: Iterable[tuple[list[np.ndarray], str]]) -> NotesPage:
    """Return the page of rows, pairs of strokes and text, written one after the other."""
    page = NotesPage([], [], [])
    for parts, text in rows:
        page.rows.append([*range(len(page.strokes), len(page.strokes) + len(parts))])
        page.strokes.extend(parts)
        page.texts.append(text)
    return page


def forms(root: str) -> list[NotesPage]:
    """Return the forms of testset_f of IAM-OnDB as pages; forms with a scribble are left out."""
    splits = {"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_f"]}
    dataset = IAMOnDBDataset(root=root, splits=splits, strict=False)
    files = [file for file in dataset.find() if "ascii" not in str(file)]

    def start(name: str, content: bytes) -> np.ndarray:
        return np.array(_FIRST_POINT.search(content).groups(), np.float64)

    starts, _ = parse_contents(start, files, _LINE_FILE, "reading places", memory(files[0]))
    rows = defaultdict(list)
    for sample in dataset.load(["test"]).split("test"):
        parts = [part + starts[f"{sample.name}.xml"] for part in strokes(sample.ink)]
        rows[sample.group].append((parts, sample.text))
    return [page_of(page) for page in rows.values() if not any("#" in text for _, text in page)]


def turned(degrees: float) -> Change:
    """Return the change that turns a page clockwise."""
    angle = -np.radians(degrees)
    return lambda page, _: page._replace(strokes=[turned_back(p, angle) for p in page.strokes])


def shuffled(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page whose rows were written in random order."""
    rows = [page.rows[number] for number in generator.permutation(len(page.rows))]
    return page.written_in([number for row in rows for number in row])


def late_marks(page: NotesPage, _: np.random.Generator) -> NotesPage:
    """Return a page whose dots and bars were written last."""
    late = []
    for number, row in enumerate(page.rows):
        ink = from_strokes(page.row(number))
        late += np.array(row)[are_marks(ink, x_height(ink))].tolist()
    return page.written_last(late)


def added_words(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page with a word in every second row that was written last."""
    late = []
    for number, row in enumerate(page.rows):
        words = words_of(page.row(number), page.texts[number])
        if number % 2 and len(words) > 2:
            late += [row[place] for place in words[generator.integers(1, len(words) - 1)]]
    return page.written_last(late)


def words_of(parts: Sequence[np.ndarray], text: str) -> list[list[int]]:
    """Return the strokes of each word of a row, divided at the row's widest gaps."""
    between, order = gaps(parts, 0.0)
    count = len(text.split()) - 1
    cuts = np.sort(np.argsort(between)[len(between) - count :]) + 1
    return [sorted(word.tolist()) for word in np.split(order, cuts)]


def pitched(sizes: Callable[[int, np.random.Generator], np.ndarray], distance: float) -> Change:
    """Return the change that scales each row by `sizes`, and the distances between rows."""

    def change(page: NotesPage, generator: np.random.Generator) -> NotesPage:
        scales, moved, y = sizes(len(page.rows), generator), list(page.strokes), 0.0
        baselines = [baseline_of(page.row(number)) for number in range(len(page.rows))]
        for number, row in enumerate(page.rows):
            if number:
                scale = (scales[number] + scales[number - 1]) / 2
                y += distance * scale * (baselines[number] - baselines[number - 1])
            origin = np.array([corner(page.row(number))[0], baselines[number]])
            for stroke in row:
                scaled = (page.strokes[stroke] - origin) * scales[number]
                moved[stroke] = scaled + np.array([origin[0], baselines[0] + y])
        return page._replace(strokes=moved)

    return change


def beside(page: NotesPage, other: NotesPage, gap: float) -> NotesPage:
    """Return a page with `other`, written next, to its right, `gap` x-heights away."""
    height = x_height(from_strokes(page.strokes))
    points, other_points = np.concatenate(page.strokes), np.concatenate(other.strokes)
    shift = points[:, 0].max() - other_points[:, 0].min() + gap * height
    move = np.array([shift, points[:, 1].min() - other_points[:, 1].min()])
    rows = [[len(page.strokes) + number for number in row] for row in other.rows]
    strokes_of_both = [*page.strokes, *(part + move for part in other.strokes)]
    return NotesPage(strokes_of_both, [*page.rows, *rows], [*page.texts, *other.texts])


def with_drawing(shapes: Sequence[Sample]) -> Change:
    """Return the change that adds a drawing beside the text: large digits below each other."""

    def change(page: NotesPage, generator: np.random.Generator) -> NotesPage:
        height, drawn, y = x_height(from_strokes(page.strokes)), [], 0.0
        for number in generator.integers(len(shapes), size=SHAPES):
            size = height * generator.uniform(*SHAPE_HEIGHTS)
            drawn += scaled_to(strokes(shapes[number].ink), size, np.array([0.0, y + size]))
            y += 0.9 * size
        return beside(page, NotesPage(drawn, [], []), DRAWING_GAP)

    return change


def listed(digits: Sequence[Sample]) -> Change:
    """Return the change that adds a recorded digit before each row."""

    def change(page: NotesPage, generator: np.random.Generator) -> NotesPage:
        rows = []
        for number, text in enumerate(page.texts):
            row, digit = page.row(number), digits[generator.integers(len(digits))]
            size, left = NUMBER_HEIGHT * x_height(from_strokes(row)), corner(row)[0]
            shape = scaled_to(strokes(digit.ink), size, np.array([left, baseline_of(row)]))
            width = np.ptp(np.concatenate(shape)[:, 0]) + size
            moved = [part - np.array([width, 0.0]) for part in shape]
            rows.append((moved + row, f"{digit.text} {text}"))
        return page_of(rows)

    return change


def scaled_to(parts: Sequence[np.ndarray], size: float, foot: np.ndarray) -> list[np.ndarray]:
    """Return strokes scaled to the height `size`, with the lower left corner at `foot`."""
    points = np.concatenate(parts)
    lower_left = np.array([points[:, 0].min(), points[:, 1].max()])
    return [(part - lower_left) * size / np.ptp(points[:, 1]) + foot for part in parts]


def corner(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the upper left corner of strokes."""
    return np.concatenate(parts).min(axis=0)


def tabled(page: NotesPage, _: np.random.Generator) -> NotesPage:
    """Return a page whose first words are the cells of a table, written row by row."""
    gap, rows = COLUMN_GAP * x_height(from_strokes(page.strokes)), []
    for number, text in enumerate(page.texts):
        row = page.row(number)
        words = words_of(row, text)[:COLUMNS]
        rows.append([[row[stroke] for stroke in word] for word in words])
    widths = np.zeros(COLUMNS)
    for cells in rows:
        for column, cell in enumerate(cells):
            widths[column] = max(widths[column], np.ptp(np.concatenate(cell)[:, 0]))
    lefts = np.cumsum(widths + gap) - widths
    moved = []
    for cells, text in zip(rows, page.texts, strict=True):
        shifts = [lefts[column] - corner(cell)[0] for column, cell in enumerate(cells)]
        pairs = zip(cells, shifts, strict=True)
        parts = [part + np.array([shift, 0.0]) for cell, shift in pairs for part in cell]
        moved.append((parts, " ".join(text.split()[:COLUMNS])))
    return page_of(moved)


def with_margin_note(page: NotesPage, _: np.random.Generator) -> NotesPage:
    """Return a page whose last row stands in the margin, half as large, written last."""
    rows = [page.row(number) for number in range(len(page.rows))]
    *text, note = zip(rows, page.texts, strict=True)
    small = page_of([([part / 2 for part in note[0]], note[1])])
    return beside(page_of(text), small, DRAWING_GAP)


def underlined(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page with a line under a word of every second row, written after the word's row."""
    return _with_lines(page, generator, -0.6)


def crossed_out(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page with a further word, crossed out, at the end of every second row."""
    return _with_lines(page, generator, 0.5)


def _with_lines(page: NotesPage, generator: np.random.Generator, above: float) -> NotesPage:
    """Return a page with a line, `above` x-heights over the baseline, at a word of every second
    row: through a copy of the word behind the row, or, if `above` is negative, under the word."""
    parts, rows = [], []
    for number, texts in enumerate(page.texts):
        row = page.row(number)
        rows.append([*range(len(parts), len(parts) + len(row))])
        parts += row
        words = words_of(row, texts)
        word = max(words, key=lambda word: np.ptp(np.concatenate([row[n] for n in word])[:, 0]))
        if number % 2 == 0:
            height = x_height(from_strokes(row))
            ink = [row[place] for place in word]
            if above > 0:
                end = max(part[:, 0].max() for part in row)
                move = end + 1.5 * height - min(part[:, 0].min() for part in ink)
                ink = [part + np.array([move, 0]) for part in ink]
                parts += ink
            points, line = np.concatenate(ink), baseline_of(ink)
            x = np.linspace(points[:, 0].min() - height, points[:, 0].max() + height, 40)
            wave = np.cumsum(generator.normal(0, 0.02 * height, len(x)))
            parts.append(np.column_stack([x, line - above * height + wave]))
    return NotesPage(parts, rows, page.texts)


def measured(
    pages: Sequence[NotesPage], read: Callable[[list[np.ndarray]], list[str]]
) -> dict[str, float]:
    """Return in per cent: strokes in their row, whole pages, CER, and CER of the true rows."""
    right = total = whole_pages = 0
    pairs: dict[str, list[tuple[str, str]]] = {"cer": [], "given": []}
    for page in pages:
        rows, _ = find_rows(page.strokes)
        read_rows, true = [{*row} for row in rows], [{*row} for row in page.rows]
        for row in true:
            best_match = max(read_rows, key=lambda other: len(other & row), default=set())
            if max(true, key=lambda other: len(other & best_match)) is row:
                right += len(row & best_match)
        total += sum(map(len, true))
        whole_pages += read_rows == true
        for name, orders in (("cer", rows), ("given", page.rows)):
            inks = [from_strokes([page.strokes[number] for number in row]) for row in orders]
            pairs[name].append((" ".join(page.texts), " ".join(read(inks))))
    errors = {name: 100 * rates(both)["cer"] for name, both in pairs.items()}
    return {"strokes": 100 * right / total, "pages": 100 * whole_pages / len(pages)} | errors


def remembered(reader: Reader) -> Callable[[list[np.ndarray]], list[str]]:
    """Return a function that reads ink, and remembers the texts."""
    texts: dict[bytes, str] = {}

    def read(inks: list[np.ndarray]) -> list[str]:
        new = {ink.tobytes(): ink for ink in inks if ink.tobytes() not in texts}
        texts.update(zip(new, reader.read_lines([*new.values()]), strict=True))
        return [texts[ink.tobytes()] for ink in inks]

    return read


def whole(samples: Sequence[Sample]) -> str:
    """Return, as text, how many lines stay a single row with all of their strokes."""
    kept = 0
    for sample in samples:
        parts = strokes(sample.ink)
        rows, _ = find_rows(parts)
        kept += len(rows) == 1 and len(rows[0]) == len(parts)
    return f"{kept:,} of {len(samples):,} ({kept / len(samples):.2%})"


def plain_words(text: str) -> list[str]:
    """Return the words of a transcription, without the blanks that some have before a mark."""
    text = re.sub(r"\s+([,.;:!?)\]]+)", r"\1", text)
    text = re.sub(r"(\w) ?' ?(s|ll|t|re|ve|d|m)\b", r"\1'\2", text)
    return re.sub(r"([(\[])\s+", r"\1", text).split()


def sure_words(pages: Sequence[tuple[NotesPage, PageText]]) -> dict[str, float]:
    """Return percentages: sure words among all, right words among the sure, and among all."""
    sure, right = [], []
    for page, text in pages:
        words = [word for row in text.rows for word in row.words]
        is_right = np.zeros(len(words), bool)
        true = plain_words(" ".join(page.texts))
        for block in Levenshtein.opcodes([word.text for word in words], true):
            is_right[block.src_start : block.src_end] = block.tag == "equal"
        sure += [word.is_sure for word in words]
        right += is_right.tolist()
    of_sure = np.array(right)[np.array(sure)].mean()
    return {
        "sure": 100 * np.mean(sure),
        "of these right": 100 * of_sure,
        "right": 100 * np.mean(right),
    }


def words_with_parts(text: str) -> set[str]:
    """Return the words of a transcription, without marks around them, and the parts between marks
    within words, such as a hyphen or an apostrophe."""
    return {*map(normalised_word, plain_words(text)), *re.findall(r"[^\W_]+", text.lower())}


def found_words(pages: Sequence[tuple[NotesPage, PageText]], every: int = 1) -> dict[str, float]:
    """Return percentages of a search for each word of three letters and more, or for each `every`
    words: pages found among the pages with a word, and pages without the word among the found."""
    true = [words_with_parts(" ".join(page.texts)) for page, _ in pages]
    notes = [Note("", [(InkPage(1, 1, ()), text)]) for _, text in pages]
    wanted = {word for words in true for word in words if word.isalpha() and len(word) > 2}
    hits = total = false = 0
    for word in sorted(wanted)[::every]:
        for words, note in zip(true, notes, strict=True):
            is_found = any(searching.search(word, note))
            total += word in words
            hits += is_found and word in words
            false += is_found and word not in words
    return {"found": 100 * hits / total, "false": 100 * false / (hits + false)}


def report_words(pages: Sequence[NotesPage], reader: Reader, search: Search) -> None:
    """Print the percentages of `sure_words` and `found_words`."""
    inks = [InkPage(1, 1, (*map(PageStroke, page.strokes),)) for page in pages]
    read = [(page, read_page(ink, reader, search)) for page, ink in zip(pages, inks, strict=True)]
    for name, share in {**sure_words(read), **found_words(read, EVERY)}.items():
        print(f"words, {name}: {share:.1f} %", flush=True)


def run(arguments: argparse.Namespace) -> None:
    """Print the table of pages, and how many single lines stay whole."""
    reader = options.taken(options.Networks, arguments).reader(arguments.resume)
    read, only = remembered(reader), arguments.only
    pages = forms(arguments.data)
    pages = pages[:: max(1, len(pages) // arguments.pages)][: arguments.pages]
    print(f"{len(pages)} pages, {sum(len(p.rows) for p in pages)} rows")
    if only in "words":
        search = GREEDY
        if arguments.language_model:
            texts = read_lines(arguments.language_model)
            model = CharacterLanguageModel(texts, reader.model.alphabet)
            search = Search(16, model, LANGUAGE_WEIGHT)
        report_words(pages, reader, search)
    changes = dict(CHANGES)
    if arguments.digits:
        digits = UnipenDataset(root=arguments.digits)
        shapes = digits.load(["test"]).split("test")
        changes["a drawing beside the text"] = with_drawing(shapes)
        changes["numbered lists"] = listed(shapes)
    print(f"{'':<34}{'strokes':>9}{'pages':>8}{'CER':>8}{'given':>8}")
    for name, change in changes.items():
        if only in name:
            changed = [change(page, np.random.default_rng(n)) for n, page in enumerate(pages)]
            report(name, measured(changed, read))
    if only in "two forms as columns":
        columns = [beside(page, pages[n - 1], COLUMN_GAP) for n, page in enumerate(pages)]
        report("two forms as columns", measured(columns, read))
    if only in "single lines":
        lines = [Sample(from_strokes(page.row(n))) for page in pages for n in range(len(page.rows))]
        print(f"single lines kept whole: {whole(lines)}")
    if arguments.unipen:
        people = {"held_out": list(HELD_OUT), "leave_out": "unipen_misfits"}
        source = UnipenDataset(root=arguments.unipen, **people)
        samples = [s for s in source.load(["test"]).split("test") if len(s.text) > 1]
        print(f"single samples of UNIPEN kept whole: {whole(samples)}")


def report(name: str, measures: dict[str, float]) -> None:
    """Print a row of the table."""
    print(f"{name:<34}{measures['strokes']:>9.2f}{measures['pages']:>8.1f}", end="")
    print(f"{measures['cer']:>8.2f}{measures['given']:>8.2f}", flush=True)


CHANGES: dict[str, Change] = {
    "as they are": lambda page, _: page,
    "turned 5 degrees": turned(5),
    "turned 15 degrees": turned(15),
    "rows written in another order": shuffled,
    "dots and bars written last": late_marks,
    "rows a quarter closer": pitched(lambda count, _: np.ones(count), 0.75),
    "rows at half the distance": pitched(lambda count, _: np.ones(count), 0.5),
    "rows of sizes 0.6 to 1.6": pitched(lambda count, gen: gen.uniform(0.6, 1.6, count), 1),
    "words added when the page was full": added_words,
    "underlined words": underlined,
    "crossed-out words": crossed_out,
    "a heading": pitched(lambda count, _: np.r_[1.8, np.ones(count - 1)], 1),
    "a note in the margin": with_margin_note,
    "tables": tabled,
}

if __name__ == "__main__":
    parser = Parser(description=" ".join(__doc__.split()))
    options.add_network(parser, default="reader")
    parser.add_argument("--data", default="data/iam_ondb", help="folder of IAM-OnDB")
    parser.add_argument("--pages", type=int, default=100, help="forms, evenly chosen")
    only = "measure alone what has this in its name, as in the table; `words`; `single lines`"
    parser.add_argument("--only", default="", metavar="TEXT", help=only)
    lines = "text whose lines make a language model for the words: beam search"
    parser.add_argument("--language-model", metavar="FILE", help=lines)
    parser.add_argument("--unipen", help="folder or archive of UNIPEN: its lines")
    parser.add_argument("--digits", help="folder of pen digits: drawings and lists")
    main(run, parser)
