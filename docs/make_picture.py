"""Draw the picture at the top of the README: `python -m docs.make_picture`, half a minute.

The picture has a page, hands and a window, all written by the pretrained networks.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from handwriting import PageOptions, Paper, write_page
from model import load, step_figures
from utils.plots import CAPTION, GREY, INCH, to_pixels, write_png

FOLDER = Path(__file__).parent
HANDS = (
    *("flowing", "plain", "rolling", "backward", "linked", "wide", "joined"),
    *("narrow", "tall", "round", "quick", "slanted"),
)
DESK = "#f3f0e9"
"""Colour behind the parts, light enough for ink and seen on white and on black (by eye)."""
DPI = 144
"""Pixels per inch (by eye)."""
WIDTH = 260.0
"""Width of the picture in millimetres (by eye)."""
HEIGHT = 236.0
"""Height of the picture in millimetres (by eye)."""
GAP = 6.0
"""Millimetres between the parts of the picture (by eye)."""
LEFT = 122.0
"""Width of the left part in millimetres (by eye)."""
TOP = 122.0
"""Height of the upper right part in millimetres (by eye)."""


def parts() -> dict[str, tuple[tuple[float, float, float, float], np.ndarray]]:
    """Return by caption each part's place `(left, top, width, height)` in millimetres, and its
    pixels."""
    right = WIDTH - LEFT - 3 * GAP
    page = GAP, GAP, LEFT, HEIGHT - 2 * GAP
    hands = LEFT + 2 * GAP, GAP, right, TOP
    window = LEFT + 2 * GAP, TOP + 2 * GAP, right, HEIGHT - TOP - 3 * GAP
    paragraphs = (FOLDER / "letter.txt").read_text(encoding="utf-8").split("\n\n")
    letter = "\n\n".join([*paragraphs[:3], paragraphs[-1]])  # as much as fits
    each = "\n".join(f"---\nstyle: {name}\n---\nBest wishes from {name}" for name in HANDS)
    network = load("conditional")
    line = network.write("the pen moves", bias=1.0, seed=1)
    slides = step_figures(network, line, ["window"])["window"]
    return {
        "a page": (page, written(letter, page, style="flowing", size=2.2, seed=203)),
        "hands": (hands, written(each, hands, size=2.4, line_height=8.4, seed=1)),
        "the window over the text": (window, to_pixels(slides, DPI)),
    }


def written(text: str, place: tuple[float, float, float, float], **look: object) -> np.ndarray:
    """Return the pixels of a text's first sheet, of the size of a place."""
    paper = Paper(*place[2:], margins=(10.0, 8.0, 4.0, 10.0))
    return to_pixels(write_page(text, options=PageOptions(paper=paper, **look))[0].figure(), DPI)


def picture() -> Figure:
    """Return the picture."""
    figure = Figure((WIDTH / INCH, HEIGHT / INCH), dpi=DPI, facecolor=DESK)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    for caption, ((left, top, width, height), pixels) in parts().items():
        corners = FancyBboxPatch((left, top), width, height, boxstyle="round,pad=0,rounding_size=2")
        corners.set(facecolor="white", linewidth=0)
        axes.add_patch(corners)
        x, y = left + width / 2, top + height / 2
        wide, high = (side / DPI * INCH / 2 for side in (pixels.shape[1], pixels.shape[0]))
        drawn = axes.imshow(pixels, extent=(x - wide, x + wide, y + high, y - high), zorder=2)
        drawn.set_clip_path(corners)
        axes.text(left + 4, top + 5.5, caption, size=CAPTION + 2, color=GREY)
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0), aspect="auto")
    return figure


if __name__ == "__main__":
    write_png(FOLDER / "written.png", picture(), DPI)
