"""Draws the picture at the top of the README, and that of the open styles: `python -m
docs.make_picture` takes a minute.

Pretrained networks write all of it. The first picture has a page, lines in several hands, and the
window over a text; the other a sentence in each style of `open_writer`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from handwriting import PageOptions, Paper, hand_of, write_page
from handwriting.styles import style_file, styles
from ink.drawing.plots import CAPTION, GREY, INCH, lines_figure, to_pixels, write_png
from model import load, step_figures

FOLDER = Path(__file__).parent
HANDS = (
    *("flowing", "plain", "rolling", "backward", "linked", "wide", "joined"),
    *("narrow", "tall", "round", "quick", "slanted"),
)
SENTENCE = "Send my love to all of them"
"""What the picture of the open styles shows in each of them."""
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
LEFT_WIDTH = 122.0
"""Width of the left part in millimetres (by eye)."""
TOP_HEIGHT = 122.0
"""Height of the upper right part in millimetres (by eye)."""


def picture_parts() -> dict[str, tuple[tuple[float, float, float, float], np.ndarray]]:
    """Return, for each part's caption, the part's box and its pixels; a box is
    `(left, top, width, height)` in millimetres."""
    left, right_width = LEFT_WIDTH + 2 * GAP, WIDTH - LEFT_WIDTH - 3 * GAP
    page_box = GAP, GAP, LEFT_WIDTH, HEIGHT - 2 * GAP
    hands_box = left, GAP, right_width, TOP_HEIGHT
    window_box = left, TOP_HEIGHT + 2 * GAP, right_width, HEIGHT - TOP_HEIGHT - 3 * GAP
    paragraphs = (FOLDER / "letter.txt").read_text(encoding="utf-8").split("\n\n")
    letter = "\n\n".join([*paragraphs[:3], paragraphs[-1]])  # as much as fits
    wishes = "\n".join(f"---\nstyle: {name}\n---\nBest wishes from {name}" for name in HANDS)
    network = load("conditional")
    line = network.write("the pen moves", bias=1.0, seed=1)
    figure = step_figures(network, line, ["window"])["window"]
    page = page_pixels(letter, page_box, style="flowing", size=2.2, seed=203)
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


def styles_picture(names: Sequence[str]) -> Figure:
    """Return a picture of a sentence that `open_writer` writes in each of its styles."""
    writer, lines = load("open_writer"), []
    for name in names:
        lines += hand_of(writer, style_file(name)).write_texts([SENTENCE], [0])
    return lines_figure([line.visible for line in lines], names)


if __name__ == "__main__":
    write_png(FOLDER / "written.png", picture(), DPI)
    open_styles = [name for name in styles() if name.startswith("open_")]
    write_png(FOLDER / "open-styles.png", styles_picture(open_styles))
