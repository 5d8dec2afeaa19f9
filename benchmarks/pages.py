"""Measures how well whole pages are divided into rows and read.

The pages are forms of IAM-OnDB as recorded and changed, with the lines at their places on the
whiteboard, and single lines of IAM-OnDB and UNIPEN. The measures are the strokes in the right row,
the pages with exactly the true rows, and the character error rates of detected and of true rows.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apps.notes import searching
from apps.notes.alike import Reading
from apps.notes.exporting import save
from apps.notes.index import Index, IndexedPage
from apps.notes.page_text import Note, PageRow, PageText, normalised_word
from apps.notes.reading import read_page
from apps.notes.rows import find_rows
from benchmarks.pens import HELD_OUT
from commands.shared import network_options
from commands.shared.options import Parser
from commands.shared.scripts import main
from commands.shared.search_options import LANGUAGE_WEIGHT
from data_loader import IAMOnDBDataset, UnipenDataset
from ink.delayed_strokes import are_marks
from ink.formats.archives import parse_contents
from ink.geometry import from_strokes, strokes, turned_back, x_height
from ink.ink_page import InkPage, PageStroke, page_around
from ink.measures import baseline_of, gaps
from ink.sample import Sample
from model.loading import Reader
from model.recognition.decoding import GREEDY, Search
from model.recognition.error_rates import rates
from model.recognition.language_model import CharacterLanguageModel
from utils.files import read_lines

NUM_SHAPES = 4
"""Number of shapes of a drawing (assumed)."""
SHAPE_HEIGHTS = (7.0, 14.0)
"""Bounds on the height of a shape, in x-heights (assumed)."""
DRAWING_GAP = 3.0
"""Gap between the text and a drawing or a note in the margin, in x-heights (assumed)."""
TEXT_COLUMN_GAP = 4.0
"""Gap between columns of text, and between the columns of a table, in x-heights (assumed)."""
NUM_TABLE_COLUMNS = 3
"""Number of columns of a table, whose cells have a word each (assumed)."""
DIGIT_HEIGHT = 1.5
"""Height of a list's digits, and width of the gap after a digit, in x-heights (assumed)."""
SEARCH_STRIDE = 5
"""Step between the words that are searched for, in alphabetic order (assumed)."""
SIZES = (0.33, 1.0, 2.5)
"""Factors on the size of the rows of a page of three sizes (assumed)."""
NUM_SIZED_ROWS = 13
"""Number of rows of a page of three sizes (assumed)."""
MAX_WORSE = 0.01
"""Largest difference of a row's character error rate on such a page from that of the row alone."""
OCCURRENCES = (3, 6)
"""Bounds on the rows with a word whose places are counted (assumed)."""
NUM_COUNTED = 30
"""Number of words whose places are counted (assumed)."""
PERSONS_FILE = Path(__file__).with_name("persons_to_read.txt")
"""File of forms of testset_f; a row has one person's forms, as `own_hand.LEARNED_PERSONS_FILE`."""
NUM_QUERIES = 25
"""Number of words that are looked up in the index, evenly chosen in alphabetic order (assumed)."""
PAGES_OF_A_NOTE = 10
"""Pages of each note of the index (assumed)."""
MAX_COMPARED_PAGES = 1_000
"""Most pages on which an index is compared with the search of every row (assumed)."""
_LINE_FILE = re.compile(r"[a-z]\d\d-\d{3}[a-z]?-\d+\.xml")  # of IAM-OnDB, a01-000u-01.xml
_FIRST_POINT = re.compile(rb'<Point x="(-?\d+)" y="(-?\d+)"')


class NotesPage(NamedTuple):
    """A page with its rows; strokes of a drawing, for example, are in no row."""

    strokes: list[np.ndarray]  # `(n, 2)` each, in the order of writing
    rows: list[list[int]]  # indices of each row's strokes, in the order of writing
    texts: list[str]  # text of each row

    @property
    def ink(self) -> InkPage:
        """The page as notes have it, of any size."""
        return InkPage(1, 1, (*map(PageStroke, self.strokes),))

    def written_in(self, order: Sequence[int]) -> "NotesPage":
        """Return the page as if its strokes had been written in `order`."""
        new_index = {old: new for new, old in enumerate(order)}
        rows = [[new_index[stroke] for stroke in row] for row in self.rows]
        return NotesPage([self.strokes[stroke] for stroke in order], rows, self.texts)

    def written_last(self, late: Sequence[int]) -> "NotesPage":
        """Return the page as if the strokes `late` had been written after all other strokes."""
        return self.written_in([*sorted({*range(len(self.strokes))} - {*late}), *late])

    def row(self, number: int) -> list[np.ndarray]:
        """Return the strokes of row `number`."""
        return [self.strokes[stroke] for stroke in self.rows[number]]


Change = Callable[[NotesPage, np.random.Generator], NotesPage]


def page_of(rows: Iterable[tuple[list[np.ndarray], str]]) -> NotesPage:
    """Return the page on which `rows` (strokes, text) were written one after another."""
    page = NotesPage([], [], [])
    for row, text in rows:
        page.rows.append([*range(len(page.strokes), len(page.strokes) + len(row))])
        page.strokes.extend(row)
        page.texts.append(text)
    return page


def forms(root: str, split: str = "test") -> dict[str, NotesPage]:
    """Return the forms of IAM-OnDB's testset_f, or of testset_v ("valid"), as pages by their names,
    without the forms that have a scribble."""
    splits = {"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_f"]}
    dataset = IAMOnDBDataset(root=root, splits=splits, strict=False)
    # Without the texts.
    files = [file for file in dataset.find() if "ascii" not in str(file)]

    def start(name: str, content: bytes) -> np.ndarray:
        return np.array(_FIRST_POINT.search(content).groups(), np.float64)

    starts, _ = parse_contents(start, files, _LINE_FILE, "reading places")
    rows_by_form = defaultdict(list)
    for sample in dataset.load([split]).split(split):
        row = [stroke + starts[f"{sample.name}.xml"] for stroke in strokes(sample.ink)]
        rows_by_form[sample.group].append((row, sample.text))
    pages = {}
    for name, rows in rows_by_form.items():
        if not any("#" in text for _, text in rows):  # "#" stands for a scribble.
            pages[name] = page_of(rows)
    return pages


def turned(degrees: float) -> Change:
    """Return the change that turns a page clockwise by an angle in degrees."""
    angle = -np.radians(degrees)
    return lambda page, _: page._replace(strokes=[turned_back(p, angle) for p in page.strokes])


def shuffled(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page whose rows were written in random order."""
    rows = [page.rows[number] for number in generator.permutation(len(page.rows))]
    return page.written_in([*chain(*rows)])


def late_marks(page: NotesPage, _: np.random.Generator) -> NotesPage:
    """Return a page whose dots and bars were written last."""
    late = []
    for number, row in enumerate(page.rows):
        ink = from_strokes(page.row(number))
        late += np.array(row)[are_marks(ink, x_height(ink))].tolist()
    return page.written_last(late)


def added_words(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page with an inner word of every second row written after all other strokes."""
    late = []
    for number, row in enumerate(page.rows):
        words = words_of(page.row(number), page.texts[number])
        if number % 2 and len(words) > 2:
            late += [row[k] for k in words[generator.integers(1, len(words) - 1)]]
    return page.written_last(late)


def words_of(row: Sequence[np.ndarray], text: str) -> list[list[int]]:
    """Cut a row into words at the widest gaps; return the indices of each word's strokes."""
    row_gaps, order = gaps(row, 0.0)
    num_cuts = len(text.split()) - 1
    cuts = np.sort(np.argsort(row_gaps)[len(row_gaps) - num_cuts :]) + 1
    return [sorted(word.tolist()) for word in np.split(order, cuts)]


def pitched(sizes: Callable[[int, np.random.Generator], np.ndarray], distance: float) -> Change:
    """Return the change that scales each row, and the distances of rows.

    Args:
        sizes: returns the factor of each row, from the number of rows and a generator.
        distance: factor on the distance of two rows, besides the mean factor of the two rows.
    """

    def change(page: NotesPage, generator: np.random.Generator) -> NotesPage:
        scales = sizes(len(page.rows), generator)
        moved = list(page.strokes)
        y = 0.0
        baselines = [baseline_of(page.row(number)) for number in range(len(page.rows))]
        for number, row in enumerate(page.rows):
            if number:
                scale = (scales[number] + scales[number - 1]) / 2
                y += distance * scale * (baselines[number] - baselines[number - 1])
            origin = np.array([upper_left(page.row(number))[0], baselines[number]])
            for stroke in row:
                scaled = (page.strokes[stroke] - origin) * scales[number]
                moved[stroke] = scaled + np.array([origin[0], baselines[0] + y])
        return page._replace(strokes=moved)

    return change


def of_three_sizes(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page of `NUM_SIZED_ROWS` rows of the sizes in `SIZES`, size by size or mixed; the
    page's rows are repeated below if they are too few."""
    heights = [baseline_of(page.row(number)) for number in range(len(page.rows))]
    height = heights[-1] - heights[0] + float(np.median(np.diff(heights)))
    rows = []
    for number in range(NUM_SIZED_ROWS):
        repeat, row = divmod(number, len(page.rows))
        strokes_below = [stroke + np.array([0.0, repeat * height]) for stroke in page.row(row)]
        rows.append((strokes_below, page.texts[row]))
    repeated = np.repeat(generator.permutation(SIZES), NUM_SIZED_ROWS // len(SIZES) + 1)
    sizes = repeated[:NUM_SIZED_ROWS]
    if generator.random() >= 0.5:  # mixed, not size by size
        sizes = generator.permutation(sizes)
    return pitched(lambda *_: sizes, 1)(page_of(rows), generator)


def side_by_side(page: NotesPage, other: NotesPage, gap: float) -> NotesPage:
    """Return a page with `other` at the right of `page`, `gap` x-heights away, written later."""
    height = x_height(from_strokes(page.strokes))
    points, other_points = np.concatenate(page.strokes), np.concatenate(other.strokes)
    shift_x = points[:, 0].max() - other_points[:, 0].min() + gap * height
    shift = np.array([shift_x, points[:, 1].min() - other_points[:, 1].min()])
    rows = [[len(page.strokes) + stroke for stroke in row] for row in other.rows]
    all_strokes = [*page.strokes, *(stroke + shift for stroke in other.strokes)]
    return NotesPage(all_strokes, [*page.rows, *rows], [*page.texts, *other.texts])


def with_drawing(shapes: Sequence[Sample]) -> Change:
    """Return the change that adds a drawing of large `shapes` at the right of the text."""

    def change(page: NotesPage, generator: np.random.Generator) -> NotesPage:
        height = x_height(from_strokes(page.strokes))
        drawn = []
        y = 0.0
        for number in generator.integers(len(shapes), size=NUM_SHAPES):
            size = height * generator.uniform(*SHAPE_HEIGHTS)
            drawn += scaled_to(strokes(shapes[number].ink), size, np.array([0.0, y + size]))
            y += 0.9 * size
        return side_by_side(page, NotesPage(drawn, [], []), DRAWING_GAP)

    return change


def listed(digits: Sequence[Sample]) -> Change:
    """Return the change that adds one of `digits` at the left of each row."""

    def change(page: NotesPage, generator: np.random.Generator) -> NotesPage:
        rows = []
        for number, text in enumerate(page.texts):
            row = page.row(number)
            digit = digits[generator.integers(len(digits))]
            size = DIGIT_HEIGHT * x_height(from_strokes(row))
            left = upper_left(row)[0]
            shape = scaled_to(strokes(digit.ink), size, np.array([left, baseline_of(row)]))
            width = np.ptp(np.concatenate(shape)[:, 0]) + size
            moved = [stroke - np.array([width, 0.0]) for stroke in shape]
            rows.append((moved + row, f"{digit.text} {text}"))
        return page_of(rows)

    return change


def scaled_to(shape: Sequence[np.ndarray], height: float, origin: np.ndarray) -> list[np.ndarray]:
    """Return the strokes of a shape scaled to `height`, their lower left corner at `origin`."""
    points = np.concatenate(shape)
    lower_left = np.array([points[:, 0].min(), points[:, 1].max()])
    return [(stroke - lower_left) * height / np.ptp(points[:, 1]) + origin for stroke in shape]


def upper_left(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the upper left corner of strokes."""
    return np.concatenate(strokes).min(axis=0)


def tabled(page: NotesPage, _: np.random.Generator) -> NotesPage:
    """Return a table whose cells are the first words of each row, written row by row."""
    gap = TEXT_COLUMN_GAP * x_height(from_strokes(page.strokes))
    rows = []
    widths = np.zeros(NUM_TABLE_COLUMNS)
    for number, text in enumerate(page.texts):
        row = page.row(number)
        cells = []
        for column, indices in enumerate(words_of(row, text)[:NUM_TABLE_COLUMNS]):
            cell = [row[index] for index in indices]
            widths[column] = max(widths[column], np.ptp(np.concatenate(cell)[:, 0]))
            cells.append(cell)
        rows.append(cells)
    lefts = np.cumsum(widths + gap) - widths
    moved_rows = []
    for cells, text in zip(rows, page.texts, strict=True):
        moved = []
        for column, cell in enumerate(cells):
            shift = np.array([lefts[column] - upper_left(cell)[0], 0.0])
            moved += [stroke + shift for stroke in cell]
        moved_rows.append((moved, " ".join(text.split()[:NUM_TABLE_COLUMNS])))
    return page_of(moved_rows)


def with_margin_note(page: NotesPage, _: np.random.Generator) -> NotesPage:
    """Return a page whose last row is at half its size in the right margin."""
    rows = [page.row(number) for number in range(len(page.rows))]
    *other_rows, (last_row, last_text) = zip(rows, page.texts, strict=True)
    note = page_of([([stroke / 2 for stroke in last_row], last_text)])
    return side_by_side(page_of(other_rows), note, DRAWING_GAP)


def underlined(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page with a line under a word of every second row, written after the row."""
    return _with_lines(page, generator, -0.6)


def crossed_out(page: NotesPage, generator: np.random.Generator) -> NotesPage:
    """Return a page with a crossed-out word, which is in no row, after every second row."""
    return _with_lines(page, generator, 0.5)


def _with_lines(page: NotesPage, generator: np.random.Generator, above: float) -> NotesPage:
    """Return a page with a line at the widest word of every second row.

    The line is `above` x-heights above the baseline. If `above` is positive, it goes through a copy
    of the word after the row.
    """
    all_strokes, rows = [], []
    for number, text in enumerate(page.texts):
        row = page.row(number)
        rows.append([*range(len(all_strokes), len(all_strokes) + len(row))])
        all_strokes += row
        words = []
        for indices in words_of(row, text):
            words.append([row[index] for index in indices])
        word = max(words, key=lambda word: np.ptp(np.concatenate(word)[:, 0]))
        if number % 2 == 0:
            height = x_height(from_strokes(row))
            if above > 0:
                right = max(stroke[:, 0].max() for stroke in row)
                shift = right + 1.5 * height - min(stroke[:, 0].min() for stroke in word)
                word = [stroke + np.array([shift, 0]) for stroke in word]
                all_strokes += word
            points = np.concatenate(word)
            baseline = baseline_of(word)
            x = np.linspace(points[:, 0].min() - height, points[:, 0].max() + height, 40)
            wave = np.cumsum(generator.normal(0, 0.02 * height, len(x)))
            all_strokes.append(np.column_stack([x, baseline - above * height + wave]))
    return NotesPage(all_strokes, rows, page.texts)


def measure_pages(
    pages: Sequence[NotesPage], read: Callable[[list[np.ndarray]], list[str]]
) -> dict[str, float]:
    """Return in per cent: strokes in the right row, pages with exactly the true rows, and character
    error rates of the detected rows (`cer`) and of the true rows (`given`)."""
    num_right = 0
    num_strokes = 0
    num_whole = 0
    pairs: dict[str, list[tuple[str, str]]] = {"cer": [], "given": []}
    for page in pages:
        rows, _ = find_rows(page.strokes)
        detected_rows = [{*row} for row in rows]
        true_rows = [{*row} for row in page.rows]
        for row in true_rows:
            best_match = max(detected_rows, key=lambda other: len(other & row), default=set())
            # A detected row counts for the true row of which it has the most strokes.
            if max(true_rows, key=lambda other: len(other & best_match)) is row:
                num_right += len(row & best_match)
        num_strokes += sum(map(len, true_rows))
        num_whole += detected_rows == true_rows
        for name, orders in (("cer", rows), ("given", page.rows)):
            inks = [from_strokes([page.strokes[stroke] for stroke in row]) for row in orders]
            pairs[name].append((" ".join(page.texts), " ".join(read(inks))))
    errors = {name: 100 * rates(texts)["cer"] for name, texts in pairs.items()}
    percentages = {"strokes": 100 * num_right / num_strokes, "pages": 100 * num_whole / len(pages)}
    return percentages | errors


def cached_reading(reader: Reader) -> Callable[[list[np.ndarray]], list[str]]:
    """Return a function that returns the texts of lines of ink, and reads equal ink only once."""
    texts: dict[bytes, str] = {}

    def read(inks: list[np.ndarray]) -> list[str]:
        new = {ink.tobytes(): ink for ink in inks if ink.tobytes() not in texts}
        texts.update(zip(new, reader.read_lines([*new.values()]), strict=True))
        return [texts[ink.tobytes()] for ink in inks]

    return read


def whole_lines(samples: Sequence[Sample]) -> str:
    """Return the number and the percentage of lines that are detected as one row, as a text."""
    num_whole = 0
    for sample in samples:
        line = strokes(sample.ink)
        rows, _ = find_rows(line)
        num_whole += len(rows) == 1 and len(rows[0]) == len(line)
    return f"{num_whole:,} of {len(samples):,} ({num_whole / len(samples):.2%})"


def plain_words(text: str) -> list[str]:
    """Return the words of a transcription, without blanks between a word and a sign beside it."""
    text = re.sub(r"\s+([,.;:!?)\]]+)", r"\1", text)
    text = re.sub(r"(\w) ?' ?(s|ll|t|re|ve|d|m)\b", r"\1'\2", text)
    return re.sub(r"([(\[])\s+", r"\1", text).split()


def right_words(page: NotesPage, text: PageText) -> np.ndarray:
    """Return whether each word of a page was read right, `(words,)`."""
    words = [word.text for row in text.rows for word in row.words]
    is_right = np.zeros(len(words), bool)
    for block in Levenshtein.opcodes(words, plain_words(" ".join(page.texts))):
        is_right[block.src_start : block.src_end] = block.tag == "equal"
    return is_right


def sure_words(pages: Sequence[tuple[NotesPage, PageText]]) -> dict[str, float]:
    """Return in per cent: sure words of all, right words of the sure words, right words of all."""
    sure, right = [], []
    for page, text in pages:
        sure += [word.is_sure for row in text.rows for word in row.words]
        right += right_words(page, text).tolist()
    right_among_sure = np.array(right)[np.array(sure)].mean()
    fractions = {"sure": np.mean(sure), "of these right": right_among_sure, "right": np.mean(right)}
    return {name: 100 * fraction for name, fraction in fractions.items()}


def words_with_parts(text: str) -> set[str]:
    """Return the words of a transcription without the signs around them, and the parts into which
    signs such as a hyphen or an apostrophe divide words."""
    return {*map(normalised_word, plain_words(text)), *re.findall(r"[^\W_]+", text.lower())}


def searched_words(
    pages: Sequence[tuple[NotesPage, PageText]], stride: int = 1
) -> dict[str, float]:
    """Search all pages for every `stride`-th word of at least three letters.

    Return the percentages of pages found among the pages with the word, and of wrong pages among
    the pages found.
    """
    true_words = [words_with_parts(" ".join(page.texts)) for page, _ in pages]
    notes = [Note("", [(InkPage(1, 1, ()), text)]) for _, text in pages]
    searched = {word for word in chain(*true_words) if word.isalpha() and len(word) > 2}
    num_hits = 0
    num_true = 0
    num_false = 0
    for word in sorted(searched)[::stride]:
        for words, note in zip(true_words, notes, strict=True):
            is_hit = any(searching.search(word, note))
            num_true += word in words
            num_hits += is_hit and word in words
            num_false += is_hit and word not in words
    false = num_false / (num_hits + num_false)
    return {"found": 100 * num_hits / num_true, "false": 100 * false}


def searched_occurrences(
    pages: Sequence[tuple[NotesPage, PageText]], queries: Sequence[str]
) -> Counter[str]:
    """Look each word up in an index of pages; return the numbers of places, by what they are.

    These are the true rows that have the word (`all`), those of them with a hit (`found`), and rows
    with a hit that lack it (`false`); and the same of similar places in rows without a hit.
    """
    counts = Counter[str]()
    with TemporaryDirectory() as folder:
        index = Index(Path(folder, "index"))
        files = {str(n): Path(folder, str(n)) for n in range(len(pages))}
        true_rows = {}
        for name, (page, text) in zip(files, pages, strict=True):
            index.add(files[name], "", [IndexedPage.of(page.ink, text)])
            for true_number, rows in enumerate(rows_read(page, text)):
                true_rows |= {(name, number): (name, true_number) for number, _ in rows}
        words_of_row = {}
        for name, (page, _) in zip(files, pages, strict=True):
            for number, text in enumerate(page.texts):
                words_of_row[name, number] = searching.tokens(text)
        for query in queries:
            with_word = {row for row, words in words_of_row.items() if query in words}
            counts["all"] += len(with_word)
            hits, similar = index.search(searching.Query.of(query), files)
            rows_found = {true_rows[hit.name, hit.row_number] for hit in hits}
            rows_similar = {true_rows[hit.name, hit.row_number] for hit in similar} - rows_found
            for title, rows in (("", rows_found), ("perhaps ", rows_similar)):
                counts[f"{title}found"] += len(rows & with_word)
                counts[f"{title}false"] += len(rows - with_word)
    return counts


def searched_often(pages: Sequence[NotesPage], count: int) -> list[str]:
    """Return `count` words, evenly chosen in alphabetic order, of those of four letters or more
    that stand in a number of rows within `OCCURRENCES`."""
    rows_with = Counter(w for page in pages for t in page.texts for w in {*searching.tokens(t)})
    least, most = OCCURRENCES
    words = [w for w, n in sorted(rows_with.items()) if least <= n <= most and len(w) > 3]
    return [word for word in words if word.isalpha()][:: max(1, len(words) // count)][:count]


def indexed_words(texts: Sequence[PageText], num_pages: int, queries: Sequence[str]) -> None:
    """Print the costs of an index, and the number of hits in common with a search of every row.

    The `num_pages` pages of the index repeat the pages that were read.
    """
    page = InkPage(1, 1, ())
    typed = [PageText(tuple(replace(row, strokes=()) for row in text.rows)) for text in texts]
    pages = [IndexedPage.of(page, text) for text in typed]
    with TemporaryDirectory() as folder:
        files = {str(n): Path(folder, str(n)) for n in range(-(-num_pages // PAGES_OF_A_NOTE))}
        index = Index(Path(folder, "index"))
        begin = process_time()
        numbers = count()
        for path in files.values():
            added = [(n, pages[n % len(pages)]) for n in islice(numbers, PAGES_OF_A_NOTE)]
            index.add(path, "", [page._replace(name=b"%d" % n) for n, page in added])
        print(f"index: {(process_time() - begin) / num_pages:.4f} s of CPU a page")
        print(f"index: {Path(folder, 'index').stat().st_size / num_pages:,.0f} bytes a page")
        begin = process_time()
        hits_of = [index.search(searching.Query.of(query), files)[0] for query in queries]
        print(f"index: {(process_time() - begin) / len(queries):.2f} s of CPU a query")
    print(f"index: {sum(map(len, hits_of)):,} hits of {len(queries)} queries")
    if num_pages <= MAX_COMPARED_PAGES:
        repeated = [typed[n % len(typed)] for n in range(len(files) * PAGES_OF_A_NOTE)]
        note = Note("", [(page, text) for text in repeated])
        num_same = 0
        num_all = 0
        for query, hits in zip(queries, hits_of, strict=True):
            places = {(int(h.name) * PAGES_OF_A_NOTE + h.page_number, *h[2:]) for h in hits}
            places_of_search = {hit[1:] for hit in searching.search(query, note)}
            num_same += len(places & places_of_search)
            num_all += len(places | places_of_search)
        print(f"index: {num_same:,} of {num_all:,} hits as by the search of every row")


def report_words(
    pages: Sequence[NotesPage], reader: Reader, search: Search, num_indexed: int
) -> None:
    """Print the percentages of `sure_words` and `searched_words`, and `indexed_words`."""
    read = [(page, read_page(page.ink, reader, search)) for page in pages]
    for name, percentage in {**sure_words(read), **searched_words(read, SEARCH_STRIDE)}.items():
        print(f"words, {name}: {percentage:.1f} %", flush=True)
    counts = searched_occurrences(read, searched_often(pages, NUM_COUNTED))
    print("places of words:", ", ".join(f"{title} {n}" for title, n in counts.items()), flush=True)
    words = sorted({normalised_word(word) for page in pages for word in plain_words(page.texts[0])})
    queries = [word for word in words if word.isalpha()][:: max(1, len(words) // NUM_QUERIES)]
    indexed_words([text for _, text in read], num_indexed, queries)


def report_sizes(pages: Sequence[NotesPage], reader: Reader) -> None:
    """Print a comparison of rows on pages of three sizes with the same rows alone.

    These are the number of rows that are read at most `MAX_WORSE` worse on the page, the number of
    pages on which all rows but one are, and the character error rates of rows alone and on pages.
    """
    num_right = 0
    num_whole = 0
    pairs = defaultdict(list)
    for number, page in enumerate(pages):
        page = of_three_sizes(page, np.random.default_rng(number))
        text = read_page(page.ink, reader)
        alone = reader.read_lines([from_strokes(page.row(n)) for n in range(len(page.rows))])
        on_page = texts_of_rows(page, text)
        num_right_here = 0
        for true, alone_text, page_text in zip(page.texts, alone, on_page, strict=True):
            alone_cer = rates([(true, alone_text)])["cer"]
            num_right_here += rates([(true, page_text)])["cer"] - alone_cer <= MAX_WORSE
        num_right += num_right_here
        num_whole += num_right_here >= len(alone) - 1
        pairs["alone"] += zip(page.texts, alone, strict=True)
        pairs["on pages"] += zip(page.texts, on_page, strict=True)
    rows = f"{num_right} of {len(pages) * NUM_SIZED_ROWS} rows"
    errors = ", ".join(f"{name} {100 * rates(texts)['cer']:.2f} %" for name, texts in pairs.items())
    print(f"three sizes: {rows}, {num_whole} of {len(pages)} pages, {errors}", flush=True)


def rows_read(page: NotesPage, text: PageText) -> list[list[tuple[int, PageRow]]]:
    """Return the rows as which each true row of a page was read, from the left, with their numbers
    from 1."""
    parts: list[list[tuple[int, PageRow]]] = [[] for _ in page.rows]
    for number, row in enumerate(text.rows, 1):
        num_common = [len({*row.strokes} & {*strokes}) for strokes in page.rows]
        parts[int(np.argmax(num_common))].append((number, row))
    return [sorted(rows, key=lambda part: (part[1].box[0], part[0])) for rows in parts]


def texts_of_rows(page: NotesPage, text: PageText) -> list[str]:
    """Return the text of each true row of a page, read as one or several rows from the left."""
    return [" ".join(row.text for _, row in rows) for rows in rows_read(page, text)]


def true_words(page: NotesPage, text: PageText) -> dict[tuple[int, int], tuple[str, str]]:
    """Return what was read of words of a page, and the true word with which that has the most
    characters in common, by the numbers of row and word from 1."""
    pairs = {}
    for rows, true_text in zip(rows_read(page, text), page.texts, strict=True):
        words = {(n, k): word.text for n, row in rows for k, word in enumerate(row.words, 1)}
        true = plain_words(true_text)
        read_text, read_numbers = _numbered(words.values())
        plain_text, true_numbers = _numbered(true)
        common = np.zeros((len(words), len(true)), int)
        for block in Levenshtein.opcodes(read_text, plain_text):
            if block.tag == "equal":
                of_read = read_numbers[block.src_start : block.src_end]
                of_true = true_numbers[block.dest_start : block.dest_end]
                np.add.at(common, (of_read, of_true), 1)
        for index, (address, read) in enumerate(words.items()):
            best = int(np.argmax(common[index]))
            # Of the parts of a word the largest counts.
            if common[index, best] and np.argmax(common[:, best]) == index:
                pairs[address] = read, true[best]
    return pairs


def _numbered(words: Iterable[str]) -> tuple[str, np.ndarray]:
    """Return words as a text without blanks, and the index of each character's word."""
    listed = [*words]
    return "".join(listed), np.repeat(np.arange(len(listed)), [*map(len, listed)])


def report_alike(pages: Mapping[str, NotesPage], reader: Reader) -> None:
    """Print how many words of a person's pages look like a corrected one, and how many of these are
    that word: every misread word is corrected by itself."""
    counts = Counter[str]()
    for line in read_lines(PERSONS_FILE):
        names = [name for name in line.split() if name in pages]
        read = {name: (pages[name], read_page(pages[name].ink, reader)) for name in names}
        counts += alike_words(read)
    print(f"words alike: {', '.join(f'{title} {n}' for title, n in counts.items())}", flush=True)


def alike_words(read: Mapping[str, tuple[NotesPage, PageText]]) -> Counter[str]:
    """Return the number of misread words of pages (`corrected`); of misread words that are the same
    as one of these (`alike`); of words that are proposed when one of them is corrected; and of
    these, how many are that word (`right`), also as it is written (`exact`)."""
    counts = Counter[str]()
    texts = {}  # what was read of each word, and the true word
    with TemporaryDirectory() as folder:
        index = Index(Path(folder, "index"))
        files = {name: Path(folder, name) for name in read}
        for name, (page, text) in read.items():
            index.add(files[name], "", [IndexedPage.of(page.ink, text)])
            for address, pair in true_words(page, text).items():
                texts[name, (1, *address)] = pair
        misread = {
            place: Reading(*pair)
            for place, pair in texts.items()
            if len({*map(normalised_word, pair)}) > 1
        }
        for place, reading in misread.items():
            right = normalised_word(reading.text)
            same = {p for p, r in misread.items() if normalised_word(r.text) == right} - {place}
            alike = index.alike(reading, files, {place})
            counts["corrected"] += 1
            counts["alike"] += len(same)
            counts["proposed"] += len(alike)
            for name, address, read_text, _ in alike:
                counts["right"] += (name, address) in same
                true = texts.get((name, address), ("", ""))[1]
                counts["exact"] += reading.corrected(read_text) == true
    return counts


def texts_of_pdf(path: Path) -> dict[str, str]:
    """Return the text of a PDF as each program extracts it."""
    import pypdfium2

    texts = {}
    for options in ((), ("-raw",)):
        command = ["pdftotext", *options, str(path), "-"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        texts[" ".join(command[:-2])] = done.stdout
    with pypdfium2.PdfDocument(path) as document:
        texts["PDFium"] = document[0].get_textpage().get_text_range()
    return texts


def report_pdfs(name: str, pages: Sequence[NotesPage], reader: Reader) -> None:
    """Print the number of PDFs of pages that have all words in the order of the rows, the number of
    words in these that lost a blank, and the mean size of a PDF.

    Hyphens do not count, as some programs join words that are divided at the end of a row.
    """
    num_right = Counter()
    num_changed = Counter()
    num_words = 0
    num_bytes = 0
    for page in pages:
        ink = page_around(map(PageStroke, page.strokes))
        text = read_page(ink, reader)
        words = text.text.replace("-", "").split()
        num_words += len(words)
        with TemporaryDirectory() as folder:
            (path,) = save([Note("", [(ink, text)])], Path(folder) / "page.pdf")
            num_bytes += path.stat().st_size
            for program, content in texts_of_pdf(path).items():
                extracted = re.sub(r"[-\xad\ufffe\x02]", "", content).split()
                is_right = "".join(extracted) == "".join(words)
                num_right[program] += is_right
                num_changed[program] += is_right * (Counter(words) - Counter(extracted)).total()
    size = f"{num_bytes / len(pages) / 1000:.1f} kB a page"
    print(f"PDFs, {name}: {len(pages)} of {num_words} words, {size}")
    for program, right in num_right.items():
        print(f"  {program:<16}{right} in order, {num_changed[program]} words changed", flush=True)


def run(arguments: argparse.Namespace) -> None:
    """Print the table of pages, and the number of single lines that are detected as one row."""
    reader = network_options.Networks.of(arguments).reader(arguments.resume)
    read = cached_reading(reader)
    only = arguments.only  # a part of the name of a row of the table; "" for all
    forms_by_name = forms(arguments.data)
    if only and only in "alike":
        report_alike(forms_by_name, reader)
    pages = [*forms_by_name.values()]
    pages = pages[:: max(1, len(pages) // arguments.pages)][: arguments.pages]
    print(f"{len(pages)} pages, {sum(len(p.rows) for p in pages)} rows")
    if only in "words":
        search = GREEDY
        if arguments.language_model:
            texts = read_lines(arguments.language_model)
            model = CharacterLanguageModel(texts, reader.model.alphabet)
            search = Search(16, model, LANGUAGE_WEIGHT)
        report_words(pages, reader, search, arguments.index)
    if only and only in "three sizes":
        report_sizes(pages, reader)
    if only and only in "PDFs":
        report_pdfs("as they are", pages, reader)
        report_pdfs("turned 7 degrees", [turned(7)(page, None) for page in pages], reader)
        pairs = zip(pages[::2], pages[1::2], strict=False)
        columns = [side_by_side(*pair, TEXT_COLUMN_GAP) for pair in pairs]
        report_pdfs("two forms as columns", columns, reader)
    report_changes(pages, read, only, arguments.digits)
    if only in "single lines":
        rows = chain(*([page.row(n) for n in range(len(page.rows))] for page in pages))
        lines = [Sample(from_strokes(row)) for row in rows]
        print(f"single lines kept whole: {whole_lines(lines)}")
    if arguments.unipen:
        people = {"held_out": list(HELD_OUT), "leave_out": "unipen_misfits"}
        source = UnipenDataset(root=arguments.unipen, **people)
        samples = [s for s in source.load(["test"]).split("test") if len(s.text) > 1]
        print(f"single samples of UNIPEN kept whole: {whole_lines(samples)}")


def report_changes(
    pages: Sequence[NotesPage],
    read: Callable[[list[np.ndarray]], list[str]],
    only: str,
    digits: str | None,
) -> None:
    """Print the table of the changes with `only` in their names; `digits` is the folder of pen
    digits, for further changes."""
    changes = dict(CHANGES)
    if digits:
        shapes = UnipenDataset(root=digits).load(["test"]).split("test")
        changes["a drawing beside the text"] = with_drawing(shapes)
        changes["numbered lists"] = listed(shapes)
    print(f"{'':<34}{'strokes':>9}{'pages':>8}{'CER':>8}{'given':>8}")
    for name, change in changes.items():
        if only in name:
            changed = [change(page, np.random.default_rng(n)) for n, page in enumerate(pages)]
            report(name, measure_pages(changed, read))
    if only in "two forms as columns":
        columns = [
            side_by_side(page, pages[n - 1], TEXT_COLUMN_GAP) for n, page in enumerate(pages)
        ]
        report("two forms as columns", measure_pages(columns, read))


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
    network_options.add_network(parser, default="reader")
    parser.add_argument("--data", default="data/iam_ondb", help="folder of IAM-OnDB")
    parser.add_argument("--pages", type=int, default=100, help="number of forms, evenly chosen")
    only_help = "measure only what has TEXT in its name: a row, `words`, `single lines`, `PDFs` "
    only_help += (
        "(the order of words in PDFs, with pdftotext and pypdfium2), `three sizes`, or `alike` "
    )
    only_help += "(the words that look like a corrected one)"
    parser.add_argument("--only", default="", metavar="TEXT", help=only_help)
    language_model_help = "read words by beam search with a language model made of FILE's lines"
    parser.add_argument("--language-model", metavar="FILE", help=language_model_help)
    index_help = "number of pages of the index, which repeat what was read (default: %(default)s)"
    parser.add_argument("--index", type=int, default=1_000, metavar="N", help=index_help)
    parser.add_argument("--unipen", help="folder or archive of UNIPEN, for single samples")
    parser.add_argument("--digits", help="folder of pen digits, for drawings and numbered lists")
    main(run, parser)
