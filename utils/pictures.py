"""Pictures of ink as a page shows it: grey, of a fixed height; nothing tells how the pen moved."""

from collections.abc import Sequence

import numpy as np

from utils.hand_measures import levelled
from utils.ink import path_along, strokes, x_height

ROWS = 32
"""Height of a picture in pixels (assumed: a word with ascenders and descenders has an x-height of
ten or more)."""
FRAME = 4
"""The number of columns of a picture is a multiple of it: what a network merges into one."""
PEN = 0.14
"""Width of the pen in x-heights as `x_height` measures them (assumed: 0.4 mm beside small letters
of 2.2 mm, which are 0.8 of it in running text)."""
LEAST_PEN = 1.0
"""The least width of the pen in pixels: a thinner one fades."""
MARGIN = 2
"""Pixels between ink and the edge of a picture (assumed)."""
SHORT = 1.6
"""Ink of less height, in x-heights, is not drawn larger than ink of this one: `ran` like `rant`."""
MAX_COLUMNS, MAX_PATH = 16_384, 200_000
"""Limits on the width of a picture and on the path in it, in pixels, for which ink is drawn smaller
(assumed: fifty lines of IAM-OnDB)."""

CLOSE, STEP = 0.75, 2.0
"""Points closer along the path are left out; longer segments are divided; in pixels (assumed)."""
CHUNK = 8192
"""Segments that are drawn at once."""


def ink_picture(
    ink: np.ndarray,
    height: float | None = None,
    *,
    pen: float = PEN,
    blur: float = 1.0,
    zoom: float = 1.0,
) -> np.ndarray:
    """Return ink of any unit as a grey picture.

    It fills the picture's height, unless it is `SHORT`. Order, direction and time of the movement,
    and where the pen was lifted, leave no trace.

    Args:
        ink: `(points, 3)`, y downwards.
        height: the x-height of a level line in the ink's unit; None: the ink is brought level, and
            its x-height is measured.
        pen: width of the line in x-heights.
        blur: see `raster`.
        zoom: factor on the size, at most 1.

    Returns:
        `(columns, ROWS)` float32 from 0, paper, to 1, ink; columns is a multiple of `FRAME`.

    Raises:
        DataError: if the ink is empty or contains anything but finite numbers.
    """
    if height is None:
        ink, _ = levelled(ink)
        height = x_height(ink)
    parts = strokes(ink)
    points = np.concatenate(parts)
    low, high = points.min(0), points.max(0)
    wide, tall = high - low
    scale = min(
        zoom * (ROWS - 2 * MARGIN) / max(tall, SHORT * height),
        MAX_COLUMNS / max(wide, height),
        MAX_PATH / max(path_along(points)[-1], height),
    )
    columns = -(-int(wide * scale + 2 * MARGIN + 1) // FRAME) * FRAME
    shift = np.array([columns, ROWS]) / 2 - (low + high) / 2 * scale
    width = max(pen * height * scale, LEAST_PEN)
    return raster([part * scale + shift for part in parts], (columns, ROWS), width, blur)


def raster(
    parts: Sequence[np.ndarray], shape: tuple[int, int], width: float, blur: float = 1.0
) -> np.ndarray:
    """Return strokes drawn by a round pen, `shape` float32 from 0 to 1.

    A pixel is as dark as its middle is near to the nearest segment: half grey at half the pen's
    width, as by a renderer that measures the covered area where the edge is straight and upright.

    Args:
        parts: strokes `(n, 2)`, x and y in pixels; a pixel has its middle at 0.5, 0.5.
        shape: columns and rows.
        width: of the pen in pixels.
        blur: over how many pixels an edge goes from ink to paper; 1 is sharp.
    """
    reach = (width + blur) / 2
    starts, steps = _segments(parts)
    size = int(np.ceil(2 * reach + STEP + CLOSE)) + 1  # of the square that a segment can reach
    columns, rows = shape
    # Surrounded by what no square leaves.
    padded = np.full((columns + 2 * size, rows + 2 * size), np.inf, dtype=np.float32)
    corners = np.floor(starts + steps / 2 - size / 2).astype(np.int32)
    inside = ((corners > -size) & (corners < shape)).all(1)
    starts, steps, corners = starts[inside], steps[inside], corners[inside]
    span = np.arange(size, dtype=np.int32)
    for first in range(0, len(starts), CHUNK):
        rows_of = slice(first, first + CHUNK)
        start, step, corner = starts[rows_of], steps[rows_of], corners[rows_of]
        away = (corner[..., None] + span + np.float32(0.5)) - start[..., None]  # (n, 2, size)
        square = np.maximum((step * step).sum(1), np.float32(1e-12))
        along = away * (step / square[:, None])[..., None]
        share = (along[:, 0, :, None] + along[:, 1, None]).clip(0, 1)  # (n, size, size)
        x = away[:, 0, :, None] - share * step[:, 0, None, None]
        y = away[:, 1, None] - share * step[:, 1, None, None]
        at = (corner + size)[..., None] + span
        places = at[:, 0, :, None] * padded.shape[1] + at[:, 1, None]
        np.minimum.at(padded.reshape(-1), places.reshape(-1), (x * x + y * y).reshape(-1))
    distance = np.sqrt(padded[size:-size, size:-size])
    return ((reach - distance) / blur).clip(0, 1).astype(np.float32)


def _segments(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return where short segments of strokes `(n, 2)` begin, and where each leads, `(segments, 2)`
    float32 each; a dot leads nowhere."""
    starts, steps = [], []
    for part in parts:
        kept = np.diff(path_along(part) // CLOSE, prepend=-1.0) > 0
        kept[-1] = True
        points = part[kept]
        if len(points) == 1:
            points = np.repeat(points, 2, axis=0)
        starts.append(points[:-1])
        steps.append(np.diff(points, axis=0))
    start, step = np.concatenate(starts), np.concatenate(steps)
    counts = np.maximum(np.ceil(np.hypot(*step.T) / STEP), 1).astype(np.int64)
    step = np.repeat(step / counts[:, None], counts, axis=0)
    number = np.arange(len(step)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = np.repeat(start, counts, axis=0) + number[:, None] * step
    return start.astype(np.float32), step.astype(np.float32)
