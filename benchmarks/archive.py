"""Measures how fast a viewer searches an archive of notes, and its memory.

The notes are written by a network in the hands of shipped styles, with drawings. They are read, and
so are copies that lack one row in ten. The pages of the archive are made of what was read: new rows
of words drawn at random, with their frames, and pages of rows drawn at random.
"""

import argparse
import resource
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import model
from apps.notes.index import IndexedPage
from apps.notes.page_text import PageRow, PageText, PageWord, normalised_word
from apps.notes.reading import read_page
from apps.notes.reading_cache import Library
from apps.notes.viewing import NoteFilter, Viewer
from apps.pages import PageOptions, Paper, write_page
from apps.pages.styles import styles
from commands.shared import network_options
from commands.shared.options import Parser
from commands.shared.scripts import main
from data_loader.synthetic.texts.corpus import running_text
from data_loader.synthetic.texts.templates import Draws
from ink.formats.files import file_state
from ink.ink_page import InkPage, PageStroke
from model.drawing.page import save_ink_pages

PAPER_WIDTH = 150
MARGINS = (12, 10, 62, 12)
"""Width of the paper and its margins in millimetres; a drawing is in the lower margin."""
WRITING_SIZE = 2.6  # x-height in millimetres
ROW_HEIGHT = 10.3  # millimetres, of rows of this size
LENGTHS = (20, 32)  # bounds on the characters of a row
WORDS_OF_A_ROW = 6  # of the archive
ROWS_OF_A_PAGE = 10  # of the archive
PAGES_OF_A_NOTE = 10  # of the archive
NUM_ROWS = 20_000  # different rows of the archive
NUM_QUERIES = 20  # words that are searched, drawn from the notes
FIRST_HITS = 10  # hits that a viewer shows first
FIRST_KINDS = 20  # kinds of doubtful words that it shows first
STYLES = sorted(name for name in styles() if not name.startswith("open_"))


def written_notes(
    count: int, num_rows: int = 10, num_styles: int = 6, seed: int = 0
) -> Iterator[InkPage]:
    """Yield notes of a page each: invented sentences in the hands of styles, and a drawing."""
    generator = np.random.default_rng(seed)
    height = num_rows * ROW_HEIGHT
    paper = Paper.of((PAPER_WIDTH, MARGINS[0] + height + MARGINS[2]), margins=MARGINS)
    draws = Draws(generator)
    notes_per_style = -(-count // num_styles)
    for style in STYLES[:num_styles]:
        num_lines = num_rows * notes_per_style
        lines = [running_text(draws, 0, *LENGTHS, 0.05) for _ in range(num_lines)]
        options = PageOptions(
            paper=paper, style=style, proofread=False, seed=seed, size=WRITING_SIZE
        )
        for page in write_page("\n".join(lines), options=options)[:notes_per_style]:
            ink = page.to_ink_page()
            drawing = _drawing(generator, MARGINS[0] + height + MARGINS[2] / 2)
            yield replace(ink, strokes=(*ink.strokes, *drawing))


def _drawing(generator: np.random.Generator, y: float) -> Iterator[PageStroke]:
    """Yield the strokes of boxes, rings and arrows side by side, at a height of the page."""
    for number in range(4):
        centre = np.array([30.0 + 30 * number, y])
        size = generator.uniform(8, 13)
        angles = np.linspace(0, 2 * np.pi, generator.choice([4, 5, 40]) + 1)
        yield PageStroke(centre + size * np.column_stack([np.cos(angles), np.sin(angles)]))
        edge = centre + np.array([size, 0.0])
        tip = centre + np.array([size + 8, 0.0])
        yield PageStroke(np.array([edge, tip]))
        yield PageStroke(np.array([tip - [2, 2], tip, tip - [2, -2]]))


def write_archive(folder: Path, pages: Iterable[InkPage]) -> None:
    """Save each page as a note of Xournal++, in subfolders."""
    for number, page in enumerate(pages):
        path = folder / f"20{24 + number % 3}" / f"note {number + 1}.xopp"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_ink_pages([page], path)


def read_copies(pages: list[InkPage], count: int, reader: "model.Reader") -> list[PageWord]:
    """Return the words of `count` pages: of `pages`, and of copies that lack one row in ten."""
    generator = np.random.default_rng(1)
    words = []
    texts = []
    begin = process_time()
    for number in range(count):
        page = pages[number % len(pages)]
        if number >= len(pages):
            left_out = set[int]()
            for row in texts[number % len(pages)].rows:
                if generator.random() < 0.1:
                    left_out.update(row.strokes)
            strokes = (stroke for n, stroke in enumerate(page.strokes) if n not in left_out)
            page = replace(page, strokes=tuple(strokes))
        texts.append(read_page(page, reader))
        words += (word for row in texts[-1].rows for word in row.words if word.frames)
    seconds = (process_time() - begin) / count
    print(f"read: {count} pages, {len(words)} words, {seconds:.2f} s of CPU a page", flush=True)
    return words


def archive_pages(words: list[PageWord], count: int) -> Iterator[IndexedPage]:
    """Yield pages of rows of words that were read."""
    generator = np.random.default_rng(2)
    empty = InkPage(1.0, 1.0, ())
    rows = []
    for _ in range(NUM_ROWS // ROWS_OF_A_PAGE):
        page_rows = []
        for _ in range(ROWS_OF_A_PAGE):
            chosen = generator.integers(len(words), size=WORDS_OF_A_ROW)
            page_rows.append(PageRow(tuple(words[n] for n in chosen)))
        page = IndexedPage.of(empty, PageText(tuple(page_rows)))
        rows += zip(page.words, page.frames, page.pairs, strict=True)
    for number in range(count):
        chosen = generator.integers(len(rows), size=ROWS_OF_A_PAGE)
        words, frames, pairs = zip(*(rows[n] for n in chosen), strict=True)
        yield page._replace(name=b"%d" % number, words=words, frames=frames, pairs=pairs)


def fill(library: Library, folder: Path, pages: Iterable[IndexedPage]) -> None:
    """Add notes of pages to the index of a library, as if their files had been read."""
    pages = iter(pages)
    while of_note := [*islice(pages, PAGES_OF_A_NOTE)]:
        path = folder / f"{of_note[0].name.decode()}.xopp"
        path.touch()
        library._index.add(path, f"{file_state(path)} {library.any_pdf}", of_note)


def report_search(viewer: Viewer, queries: Iterable[str]) -> None:
    """Print the seconds until the first hits of queries."""
    seconds = []
    for query in queries:
        begin = perf_counter()
        answer = viewer.search(query, NoteFilter(), FIRST_HITS)
        seconds.append(perf_counter() - begin)
        print(f"  {seconds[-1]:.3f} s, {len(answer['hits'])} hits{'+' * answer['more']}: {query}")
    print(f"median {np.median(seconds):.3f} s, longest {max(seconds):.3f} s")


def run(arguments: argparse.Namespace) -> None:
    reader = model.load(arguments.resume, arguments.device)
    words = read_copies([*written_notes(arguments.notes)], arguments.read, reader)
    generator = np.random.default_rng(3)
    drawn = [words[n].text for n in generator.integers(len(words), size=2 * NUM_QUERIES)]
    texts = [*dict.fromkeys(filter(str.isalpha, map(normalised_word, drawn)))][:NUM_QUERIES]
    with TemporaryDirectory() as name:
        folder = Path(name, "notes")
        folder.mkdir()

        def make_library() -> Library:
            return Library(lambda page: read_page(page, reader), "reader", Path(name, "library"))

        begin = process_time()
        fill(make_library(), folder, archive_pages(words, arguments.pages))
        print(f"index: {(process_time() - begin) / arguments.pages:.4f} s of CPU a page")
        size = sum(file.stat().st_size for file in Path(name, "library").rglob("*.sqlite"))
        print(f"index: {size / arguments.pages:,.0f} bytes a page")
        viewer = Viewer(folder, make_library)
        for title in ("first", "later"):
            begin = perf_counter()
            viewer.scan()
            print(f"{title} look at the folder: {perf_counter() - begin:.2f} s")
        requests = {
            "the list of notes": viewer.notes,
            "doubtful words by kind": lambda: viewer.kinds(NoteFilter(), FIRST_KINDS),
        }
        for title, request in requests.items():
            seconds = []
            for _ in range(2):
                begin = perf_counter()
                request()
                seconds.append(perf_counter() - begin)
            print(f"{title}: {seconds[0]:.3f} s, again {seconds[1]:.3f} s")
        print("the first search, and the same again")
        report_search(viewer, ["the", "the"])
        print("words of the notes")
        report_search(viewer, texts)
        pairs = [*pairwise(texts)]
        print("two words of the notes, and in succession")
        report_search(viewer, [f"{first} {second}" for first, second in pairs])
        report_search(viewer, [f'"{first} {second}"' for first, second in pairs])
        print("all of these words, and in succession")
        report_search(viewer, [" ".join(texts), f'"{" ".join(texts)}"'])
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    parser = Parser(description=" ".join(__doc__.split()))
    network_options.add_network(parser, default="reader")
    counts = (
        ("notes", 60, "notes that are written"),
        ("read", 60, "pages that are read: the notes, then copies"),
        ("pages", 20_000, "pages of the archive"),
    )
    for option, default, items in counts:
        count_help = f"number of {items} (default: %(default)s)"
        parser.add_argument(f"--{option}", type=int, default=default, metavar="N", help=count_help)
    main(run, parser)
