"""A page that is written and what it says, without a network."""

import numpy as np

from apps.notes.page_text import Note, PageRow, PageText, PageWord, box_of
from apps.notes.reading_cache import Library
from apps.notes.searching import CTC_BLANK, SEPARATOR
from apps.notes.viewing import Viewer
from ink.ink_page import InkPage, PageStroke, TypedText
from tests.ink.formats.note_files import xopp


def written_page(shift=0.0, **others):
    """A page with two words, a highlighter over the first and a typed heading."""
    wave = np.column_stack([np.linspace(0, 40, 30), 8 * np.sin(np.arange(30))])
    strokes = (
        PageStroke(wave + np.array([50 + shift, 100.0]), colour="#aa0000", width=1.5),
        PageStroke((1, 0.9) * wave + np.array([120 + shift, 100.0]), width=2.0),
        PageStroke(np.array([[50.0, 100], [90, 100]]), "highlighter", "#ffff00", 16.0),
    )
    typed = (TypedText("Łódź 7", 50, 20, 12),)
    return InkPage(595.28, 841.89, strokes, 1.0, typed, **others)


def text_of(page, words=("Kennedy", "said"), confidences=(0.5, 0.99)):
    """What the page says, as `read_page` would return it."""
    boxes = [
        (*stroke.points.min(axis=0).tolist(), *stroke.points.max(axis=0).tolist())
        for stroke in page.strokes[:2]
    ]
    alternatives = (("Renuedy",), ())
    read = tuple(map(PageWord, words, boxes, confidences, alternatives, ((), ()), ((0,), (1,))))
    typed = PageWord("Łódź", (50, 20, 74, 32)), PageWord("7", (80, 20, 86, 32))
    return PageText((PageRow(typed), PageRow(read, (0, 1), "ab12")), {"highlighter": 1})


def note(**others):
    page = written_page(**others)
    return Note("diary", [(page, text_of(page))])


def alike_viewer(folder, texts, costs, **options):
    """A viewer of a folder with a note for each of `texts`, a doubtful word each; where they were
    read as `o`, other letters cost so many nats. `options` are those of the viewer."""
    (folder / "notes").mkdir()
    for number in range(len(texts)):
        points = " ".join(f"{n} {n * number % 7}" for n in range(9))
        body = f'<stroke tool="pen" color="black" width="1">{points}</stroke>'
        (folder / "notes" / f"{number}.xopp").write_bytes(xopp(body))

    def read_page(page):
        (stroke,) = page.strokes
        text = texts[round(stroke.points[1, 1])]
        frames = []
        for letter in text.lower():
            symbol = letter if letter.isalpha() else SEPARATOR
            frames += [{symbol: 0.0} | (costs if letter == "o" else {}), {CTC_BLANK: 0.0}]
        word = PageWord(text, box_of(stroke.points), 0.5, (), tuple(frames), (0,))
        return PageText((PageRow((word,), (0,), "ab"),))

    library = Library(read_page, "reader", folder / "library")
    viewer = Viewer(folder / "notes", lambda: library, **options)
    viewer.scan()
    return viewer
