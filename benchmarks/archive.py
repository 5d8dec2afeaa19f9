"""Measures the search of an archive of notes: its time by steps, and its memory.

The notes are written by a network in the hands of shipped styles, with drawings. They are read as
they are, and as copies that lack one row in ten. For an archive of more pages than are read, words
of these pages are drawn at random, with the frames that were read, into new rows.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_loader.texts.corpus import running_text
from data_loader.texts.templates import Draws
from handwriting import PageOptions, Paper, write_page
from handwriting.styles import styles
from ink.drawing.page import save_ink_pages
from ink.ink_page import InkPage, PageStroke

PAPER = Paper.of((150, 150), margins=(12, 10, 62, 12))
"""Paper of a note: eight rows or nine, and room for a drawing below them."""
ROWS_OF_A_NOTE = 9
STYLES = sorted(name for name in styles() if not name.startswith("open_"))


def written_notes(count: int, seed: int = 0, num_styles: int = 6) -> Iterator[InkPage]:
    """Yield notes of a page each: invented sentences in the hands of styles, and a drawing."""
    generator = np.random.default_rng(seed)
    draws, each = Draws(generator), -(-count // num_styles)
    for style in STYLES[:num_styles][:count]:
        lines = [running_text(draws, 0, 30, 44, 0.05) for _ in range(ROWS_OF_A_NOTE * each)]
        options = PageOptions(paper=PAPER, style=style, proofread=False, seed=seed, size=2.6)
        for page in write_page("\n".join(lines), options=options)[: min(each, count)]:
            ink = page.to_ink_page()
            yield replace(ink, strokes=(*ink.strokes, *_drawing(generator)))
            count -= 1


def _drawing(generator: np.random.Generator) -> Iterator[PageStroke]:
    """Yield the strokes of boxes, rings and arrows side by side."""
    for number in range(4):
        centre, size = np.array([30.0 + 30 * number, 120.0]), generator.uniform(8, 13)
        angles = np.linspace(0, 2 * np.pi, generator.choice([4, 5, 40]) + 1)
        yield PageStroke(centre + size * np.column_stack([np.cos(angles), np.sin(angles)]))
        tip = centre + [size + 8, 0]
        yield PageStroke(np.array([centre + [size, 0], tip]))
        yield PageStroke(np.array([tip - [2, 2], tip, tip - [2, -2]]))


def write_archive(folder: Path, count: int, seed: int = 0) -> None:
    """Save notes as files of Xournal++ in subfolders."""
    for number, page in enumerate(written_notes(count, seed)):
        path = folder / f"20{24 + number % 3}" / f"note {number + 1}.xopp"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_ink_pages([page], path)
