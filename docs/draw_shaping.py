"""Draws docs/shaping.png: what each option for shaping the ink does.

python -m docs.draw_shaping            (from the root of the project)
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from data_loader.synthetic.embedded import FontWriter, write
from data_loader.transforms.shaping import (
    LevelBaseline,
    ResampleDistance,
    ResampleTime,
    ScaleHeight,
    Simplify,
    UndoSlant,
    pieces,
)
from data_loader.transforms.slips import RemoveSlips
from data_loader.transforms.smoothing import Smooth
from utils.ink import bounds, from_strokes, strokes

TEXT = "quick minds"
PLAIN = FontWriter(
    font="mixed",
    rounding=1.0,
    connected=True,
    size=7.0,
    slant=0.05,
    aspect=1.0,
    ascender=1.0,
    descender=1.0,
    letter_space=0.0,
    word_space=13.0,
    drift=0.0,
    wave=0.2,
    wobble=0.3,
    variation=0.6,
    speed=226.0,
)
COLOURS = ("#1b2a4e", "#c0562f")


def ink_of(text: str = TEXT, **hand: float) -> np.ndarray:
    """Return the line in a hand that differs from `PLAIN` in some numbers."""
    return write(text, FontWriter(**vars(PLAIN) | hand), np.random.default_rng(4), 75.0)


def rows() -> list[tuple[str, list[np.ndarray], list[np.ndarray], bool]]:
    """Return of each option its caption, the ink before, the ink after, and whether to dot it."""

    def shaped(transform, ink: np.ndarray) -> np.ndarray:
        return transform(ink, np.zeros(len(ink), np.uint8), np.random.default_rng(0))[0]

    plain, rising, leaning = ink_of(), ink_of(drift=0.1), ink_of(slant=0.55)
    sizes = [ink_of("quick", size=9.0), ink_of("minds", size=4.5)]
    scaled = [shaped(ScaleHeight(height=70.0), ink) for ink in sizes]
    time, distance = ResampleTime(period=2.0), ResampleDistance(spacing=18.0)
    generator = np.random.default_rng(0)
    jittery = from_strokes([s + generator.normal(0, 3, s.shape) for s in strokes(plain)])
    slipped = strokes(plain)
    slipped[0][12] += (60, -150)
    slipped = from_strokes([*slipped[:2], slipped[2][:1] + 4, *slipped[2:]])
    parts = [plain[part] for part in pieces(len(plain), 90)]
    return [
        ("LevelBaseline", [rising], [shaped(LevelBaseline(), rising)], False),
        ("UndoSlant", [leaning], [shaped(UndoSlant(), leaning)], False),
        ("ScaleHeight(height=70)", sizes, scaled, False),
        ("ResampleTime(period=2)", [plain], [shaped(time, plain)], True),
        ("ResampleDistance(spacing=18)", [plain], [shaped(distance, plain)], True),
        ("Simplify(tolerance=4)", [plain], [shaped(Simplify(tolerance=4.0), plain)], True),
        ("Smooth(window=7)", [jittery], [shaped(Smooth(window=7), jittery)], False),
        ("RemoveSlips()", [slipped], [shaped(RemoveSlips(), slipped)], False),
        ("split_length 90", [plain], parts, False),
    ]


def figure() -> Figure:
    """Return the picture: options from top to bottom, before on the left, after on the right."""
    table = rows()
    drawn = Figure(figsize=(10, 1.35 * len(table)), facecolor="white")
    grid = drawn.subplots(len(table), 2)
    for axes, (caption, before, after, dotted) in zip(grid, table, strict=True):
        place(axes[0], before, dotted)
        place(axes[1], after, dotted)
        if caption.startswith("split"):
            axes[1].clear()
            pieces_of_a_line(axes[1], after, -bounds(before[0])[0])
        count = f"{sum(map(len, before))} to {sum(map(len, after))} points" if dotted else ""
        axes[0].set_title(caption, loc="left", fontsize=9, color="#333842")
        axes[1].set_title(count, loc="left", fontsize=9, color="#7d818c")
        for ax in axes:
            ax.set(aspect="equal", xlim=(-20, 1400), ylim=(165, -190))
            ax.axis("off")
    drawn.tight_layout(pad=0.4)
    return drawn


def place(axes, inks: list[np.ndarray], dotted: bool) -> None:
    """Draw lines of ink beside each other, with their points as dots if wanted."""
    left = 0.0
    for ink in inks:
        box = bounds(ink)
        for stroke in strokes(ink):
            axes.plot(
                *(stroke - (box[0] - left, 0)).T,
                color=COLOURS[0],
                linewidth=0.8 if dotted else 1.2,
                marker="o" if dotted else None,
                markersize=2.2,
                markerfacecolor=COLOURS[1],
                markeredgewidth=0,
            )
        left += box[2] - box[0] + 60


def pieces_of_a_line(axes, parts: list[np.ndarray], left: float) -> None:
    """Draw the pieces of a line where they stood, in turning colours."""
    at = np.array([left, 0.0])
    for number, part in enumerate(parts):
        own = part.copy()
        own[0, :2] = 0
        for stroke in strokes(own):
            axes.plot(*(stroke + at).T, color=COLOURS[number % 2], linewidth=1.2)
        at = at + own[:, :2].sum(axis=0, dtype=np.float64)


if __name__ == "__main__":
    path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("shaping.png"))
    figure().savefig(path, dpi=110)
    print(path)
