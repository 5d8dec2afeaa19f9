"""Draws the pictures of the pages that no other command draws.

python -m docs.make_picture              (all of them, into saved/figures/docs; two minutes)
python -m docs.make_picture tour.svg     (this one)
python -m docs.make_picture --update     (in place of those in docs/)

Pretrained networks write all ink. The notes of docs/sample-notes were written by

python experiments.py page docs/diary.txt --paper a6 --style flowing --set size=1.8 --seed 4 \\
    --output docs/sample-notes/diary.xopp
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from apps import notes
from apps.pages import PageOptions, Paper, hand_of, write_page
from apps.pages.styles import style_file, styles
from ink.drawing.layers import INK_COLOUR
from ink.ink_page import InkPage
from model import Sampling, load, step_figures
from model.drawing.plots import (
    CAPTION,
    FRAME_COLOUR,
    GREY,
    INCH,
    LIGHT_INK,
    sheet_figure,
    to_pixels,
    write_png,
)
from utils.files import atomic_write

FOLDER = Path(__file__).parent
OTHER_FOLDER = Path("saved/figures/docs")
"""Folder of the pictures that replace none of those in `docs/`."""
HANDS = (
    "flowing",
    "plain",
    "rolling",
    "backward",
    "linked",
    "wide",
    "joined",
    "narrow",
    "tall",
    "round",
    "quick",
    "slanted",
)
SENTENCE = "Send my love to all of them"
"""The text that the picture of the open styles shows in each of them."""
DESK = "#f3f0e9"
"""Colour behind the parts: light, but visible on a white and on a black page (by eye)."""
DPI = 144
"""Pixels per inch (by eye)."""
WIDTH = 260.0
"""Width of the picture in millimetres (by eye)."""
HEIGHT = 236.0
"""Height of the picture in millimetres (by eye)."""
GAP = 6.0
"""Millimetres between the parts of the picture (by eye)."""
SHEET_WIDTH = 800
"""Width in pixels of a sheet on a desk (by eye)."""
LEFT_WIDTH = 122.0
"""Width of the left part in millimetres (by eye)."""
TOP_HEIGHT = 122.0
"""Height of the upper right part in millimetres (by eye)."""


def picture_parts() -> dict[str, tuple[tuple[float, float, float, float], np.ndarray]]:
    """Return, for each part's caption, the part's box and its pixels; a box is
    `(left, top, width, height)` in millimetres."""
    left = LEFT_WIDTH + 2 * GAP
    right_width = WIDTH - LEFT_WIDTH - 3 * GAP
    page_box = GAP, GAP, LEFT_WIDTH, HEIGHT - 2 * GAP
    hands_box = left, GAP, right_width, TOP_HEIGHT
    window_box = left, TOP_HEIGHT + 2 * GAP, right_width, HEIGHT - TOP_HEIGHT - 3 * GAP
    paragraphs = (FOLDER / "letter.txt").read_text(encoding="utf-8").split("\n\n")
    letter = "\n\n".join([*paragraphs[:3], paragraphs[-1]])  # as much as fits
    wishes = "\n".join(f"---\nstyle: {name}\n---\nBest wishes from {name}" for name in HANDS)
    network = load("conditional")
    line = network.write("the pen moves", bias=1.0, seed=1)
    figure = step_figures(network, line, ["window"])["window"]
    page = page_pixels(letter, page_box, style="flowing", size=2.2, seed=2)
    hands = page_pixels(wishes, hands_box, size=2.4, line_height=8.4, seed=1)
    window = to_pixels(figure, DPI)
    return {
        "a page": (page_box, page),
        "hands": (hands_box, hands),
        "the window over the text": (window_box, window),
    }


def page_pixels(text: str, box: tuple[float, float, float, float], **options: object) -> np.ndarray:
    """Return the pixels of a text's first sheet, whose paper has the size of a box."""
    paper = Paper(*box[2:], margins=(10.0, 8.0, 4.0, 10.0))
    sheets = write_page(text, options=PageOptions(paper=paper, **options))
    return to_pixels(sheets[0].figure(), DPI)


def picture() -> Figure:
    """Return the picture."""
    figure = Figure((WIDTH / INCH, HEIGHT / INCH), dpi=DPI, facecolor=DESK)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    for caption, ((left, top, width, height), pixels) in picture_parts().items():
        background = FancyBboxPatch(
            (left, top), width, height, boxstyle="round,pad=0,rounding_size=2"
        )
        background.set(facecolor="white", linewidth=0)
        axes.add_patch(background)
        x, y = left + width / 2, top + height / 2
        half_width, half_height = (side / DPI * INCH / 2 for side in pixels.shape[1::-1])
        extent = (x - half_width, x + half_width, y + half_height, y - half_height)
        image = axes.imshow(pixels, extent=extent, zorder=2)
        image.set_clip_path(background)
        axes.text(left + 4, top + 5.5, caption, size=CAPTION + 2, color=GREY)
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0), aspect="auto")
    return figure


def letter_picture() -> Figure:
    """Return the letter on a desk, without the paper below it."""
    return sheet_picture("letter.txt", Paper.of("a4"))


def envelope_picture() -> Figure:
    """Return the envelope on a desk."""
    return sheet_picture("envelope.txt", Paper.of("envelope"))


def sheet_picture(name: str, paper: Paper) -> Figure:
    """Return the sheet that `page` writes of a text in `docs/`, cut below its writing."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    (sheet,) = write_page(text, options=PageOptions(paper=paper, style="slanted"))
    bottom = max(stroke[:, 1].max() for row in sheet.rows for stroke in row.strokes)
    dpi = SHEET_WIDTH / sheet.width * INCH
    pixels = to_pixels(sheet.figure(), dpi)
    pixels = pixels[: round((bottom + 2 * GAP) / INCH * dpi)]
    height, width = pixels.shape[:2]
    edge = round(GAP / INCH * DPI / 2)
    figure = Figure(((width + 2 * edge) / DPI, (height + 2 * edge) / DPI), dpi=DPI, facecolor=DESK)
    figure.figimage(pixels, edge, edge)
    return figure


def styles_picture(network: str, names: Sequence[str]) -> Figure:
    """Return a picture of a sentence that a network writes in each of its styles."""
    writer = load(network)
    lines = []
    for name in names:
        hand = hand_of(writer, style_file(name), bias=Sampling.bias)
        lines += hand.write_texts([SENTENCE], [0])
    return sheet_figure([line.visible for line in lines], names, [""] * len(names))


def open_styles_picture() -> Figure:
    """Return the picture of the styles of `open_writer`."""
    return styles_picture("open_writer", [name for name in styles() if name.startswith("open_")])


def neat_picture() -> Figure:
    """Return a picture of a page of the diary whose words were moved, and of the level page."""
    reader = load("reader")
    (page, *_) = notes.read_pages(FOLDER / "sample-notes" / "diary.xopp")
    uneven = with_moved_words(page, notes.read_page(page, reader))
    level, _ = notes.InkForm("level").apply(uneven, notes.read_page(uneven, reader))
    figure = Figure((2 * 5.2, 5.2 * page.height / page.width), dpi=DPI)
    for number, (caption, sheet) in enumerate({"as it is": uneven, "level": level}.items()):
        axes = figure.add_axes((number / 2, 0, 0.5, 1))
        axes.axis("off")
        axes.set(xlim=(0, page.width), ylim=(page.height, 0))
        axes.text(page.width / 40, page.height / 30, caption, size=CAPTION + 2, color=GREY)
        for stroke in sheet.strokes:
            axes.plot(*stroke.points.T, color=INK_COLOUR, linewidth=1.3, solid_capstyle="round")
    return figure


def with_moved_words(page: InkPage, text: notes.PageText) -> InkPage:
    """Return a page whose words are moved, turned and scaled by chance."""
    draws = np.random.default_rng(1)
    moved = [*page.strokes]
    for word in chain(*(row.words for row in text.rows)):
        left, top, right, bottom = bounds_of(page, word.strokes)
        middle = np.array([(left + right) / 2, (top + bottom) / 2])
        angle = math.radians(draws.normal(0, 4))  # by eye, as the others
        scale = math.exp(draws.normal(0, 0.1))
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        shift = middle + draws.normal(0, (0.006, 0.004), 2) * (page.width, page.height)
        for number in word.strokes:
            points = (page.strokes[number].points - middle) @ [[cosine, sine], [-sine, cosine]]
            moved[number] = replace(page.strokes[number], points=points + shift)
    return replace(page, strokes=tuple(moved))


def bounds_of(page: InkPage, strokes: Sequence[int]) -> tuple[float, float, float, float]:
    """Return the box around some strokes of a page, by their numbers."""
    points = np.concatenate([page.strokes[number].points for number in strokes])
    return *points.min(0), *points.max(0)


ROOMS = (
    ("train.py, commands/", "options become one call"),
    ("apps/", "pages, notes, hands, the browser"),
    ("trainer/", "one file a task"),
    ("model/", "networks, densities, kernels"),
    ("data_loader/", "files to batches"),
    ("base/", "the loop, runs, checkpoints"),
    ("ink/", "points, strokes, formats"),
    ("logger/, utils/", "console, metrics, files"),
)
"""The rooms in the order of imports: each knows only those below it."""
WAY = (
    (0, 0, "load_data", "a plan makes the data"),
    (0.9, 6, "parse", "a file becomes strokes,\nin a child process"),
    (1.9, 4, "SourceDataset", "parsed once, cached,\ndivided into splits"),
    (2.9, 5, "KeySampler", "which samples,\nin which order"),
    (3.9, 4, "BatchDataset", "augmented, normalised,\npadded: a Batch"),
    (4.9, 5, "BatchStream", "to the device, by\nposition, or in chunks"),
    (5.6, 2, "forward_batch", "what the network sees"),
    (6.6, 3, "SynthesisNetwork", "a window over the text,\na Mixture for each point"),
    (8.6, 3, "NegativeLogLikelihood", "nats of each sequence,\nwithout its padding"),
    (8.2, 5, "OptimizerStep", "mean gradient, clipped;\nupdate of the weights"),
    (10.2, 5, "RunCheckpoints", "all that a step changes,\nin one file"),
)
"""The way of a batch: for each stop its column, its room, a name in the code, what happens."""


def tour_drawing() -> Figure:
    """Return the drawing of the rooms, and of the way of a batch through them."""
    # In tenths of an inch (by eye):
    lane = 8.6  # height of a room
    first = 27.0  # x of the middle of the first stop
    column = 7.0  # from a stop to the next
    half = (6.7, 3.4)  # half of a stop's width and height
    width = first + WAY[-1][0] * column + half[0] + 1.6
    height = len(ROOMS) * lane + 5.5
    figure = Figure((width / 10, height / 10), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    axes.text(2.2, 3, "imports go down", size=9, color=GREY)
    axes.text(first - half[0] + 0.6, 3, "the way of a batch", size=9, color=LIGHT_INK)
    for number, (room, content) in enumerate(ROOMS):
        top = 4.5 + number * lane
        box(axes, (1, top + 0.4, width - 2, lane - 0.8), DESK, DESK)
        axes.text(2.2, top + 3.7, room, size=10, weight="bold", color=INK_COLOUR)
        axes.text(2.2, top + 6.2, content, size=8.5, color=GREY)
    middles = [(first + stop * column, 4.5 + (room + 0.5) * lane) for stop, room, *_ in WAY]
    for (left, start), (right, end) in pairwise(middles):
        # An arrow goes from edge to edge of the boxes.
        away = (half[0], 0.0) if start == end else (2.5, math.copysign(half[1], end - start))
        ends = (right - away[0], end - away[1]), (left + away[0], start + away[1])
        style = {"arrowstyle": "->", "color": LIGHT_INK, "linewidth": 1.4}
        axes.annotate("", *ends, arrowprops=style | {"shrinkA": 0, "shrinkB": 0})
    for (x, y), (_, _, name, event) in zip(middles, WAY, strict=True):
        box(axes, (x - half[0], y - half[1], 2 * half[0], 2 * half[1]), "white", FRAME_COLOUR)
        axes.text(x, y - 1.6, name, size=8.2, color=INK_COLOUR, ha="center", va="center")
        axes.text(x, y + 1.1, event, size=7.4, color=GREY, ha="center", va="center")
    return figure


def box(axes: Axes, place: tuple[float, float, float, float], face: str, edge: str) -> None:
    """Draw a box with round corners; `place` is `(left, top, width, height)`."""
    patch = FancyBboxPatch(place[:2], *place[2:], boxstyle="round,pad=0,rounding_size=0.8")
    patch.set(facecolor=face, edgecolor=edge, linewidth=0.8)
    axes.add_patch(patch)


PICTURES: dict[str, Callable[[], Figure]] = {
    "written.png": picture,
    "letter.png": letter_picture,
    "envelope.png": envelope_picture,
    "styles.png": lambda: styles_picture("writer", HANDS),
    "open-styles.png": open_styles_picture,
    "neat.png": neat_picture,
    "tour.svg": tour_drawing,
}
"""The function that draws each picture, by the name of its file."""


def write_svg(path: Path, figure: Figure) -> None:
    """Write a figure as an SVG whose texts are texts; the same figure gives the same bytes."""
    fixed = {"svg.hashsalt": "docs", "svg.fonttype": "none", "font.family": "sans-serif"}
    with matplotlib.rc_context(fixed):
        metadata = {"Date": None, "Creator": None}
        atomic_write(path, lambda file: figure.savefig(file, format="svg", metadata=metadata))


def main(words: Sequence[str] | None = None) -> None:
    """Draw the pictures that a command line names."""
    parser = argparse.ArgumentParser("docs.make_picture", description="Draw pictures of the pages.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(PICTURES)}; or all")
    parser.add_argument("--update", action="store_true", help="replace the pictures in docs/")
    arguments = parser.parse_args(words)
    if unknown := {*arguments.names} - PICTURES.keys():
        parser.error(f"no picture {', '.join(sorted(unknown))}: {', '.join(PICTURES)}")
    folder = FOLDER if arguments.update else OTHER_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or PICTURES:
        figure = PICTURES[name]()
        if name.endswith(".svg"):
            write_svg(folder / name, figure)
        else:
            write_png(folder / name, figure, DPI)
        print(folder / name)


if __name__ == "__main__":
    main()
