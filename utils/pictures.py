"""Grey pictures of ink, of a fixed height, in which the pen's movement leaves no trace."""

import numpy as np

from utils.hand_measures import levelled
from utils.ink import path_along, to_points, x_height

ROWS = 32
"""Height of a picture in pixels (assumed: a word with ascenders and descenders has an x-height of
ten or more)."""
FRAME = 4
"""Columns that a network merges into a frame; a picture has a multiple of so many."""
MARGIN = 2
"""Pixels between ink and the edge of a picture (assumed)."""
PEN = 0.14
"""X-heights of the pen's width (assumed: 0.4 mm beside small letters of 2.2 mm; `x_height` measures
1.25 times as much in running text)."""
LEAST_PEN = 1.0
"""Pixels of the pen's width, at least: a thinner pen fades (assumed)."""
SHORT = 1.6
"""X-heights of the least ink that fills a picture, so that `ran` is drawn like `rant` (assumed)."""
MAX_PATH = 50_000
"""Pixels of the path in a picture, jumps included, at most; longer ink is drawn smaller (assumed:
thirty lines of IAM-OnDB)."""
STEP = 2.0
"""Pixels of a segment, at most; longer segments are divided (assumed)."""


def ink_picture(
    ink: np.ndarray,
    height: float | None = None,
    *,
    pen: float = PEN,
    blur: float = 1.0,
    zoom: float = 1.0,
) -> np.ndarray:
    """Return ink of any unit as a grey picture.

    The ink fills the picture's height, unless it is `SHORT`. Order, direction and time of the
    movement, and places where the pen was lifted, leave no trace.

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
    points = to_points(ink)
    low, high = points.min(0), points.max(0)
    scale = min(
        zoom * (ROWS - 2 * MARGIN) / max(high[1] - low[1], SHORT * height),
        MAX_PATH / max(path_along(points)[-1], height),
    )
    columns = -(-int((high[0] - low[0]) * scale + 2 * MARGIN + 1) // FRAME) * FRAME
    points = (points - (low + high) / 2) * scale + np.array([columns, ROWS]) / 2
    width = max(pen * height * scale, LEAST_PEN)
    return raster(points, np.asarray(ink)[:, 2] > 0.5, (columns, ROWS), width, blur)


def likely_columns(ink: np.ndarray) -> int:
    """Estimate the number of columns of a picture of ink, without measuring the x-height."""
    width, height = np.ptp(to_points(ink), axis=0)
    return int(min((ROWS - 2 * MARGIN) * width / max(height, 1e-9), MAX_PATH))


def raster(
    points: np.ndarray, lifted: np.ndarray, shape: tuple[int, int], width: float, blur: float = 1.0
) -> np.ndarray:
    """Return the picture that a round pen draws, `shape` float32 from 0 to 1.

    A pixel is the darker, the nearer its middle is to a segment; half grey at half the pen's width,
    where an upright or level edge covers half the pixel.

    Args:
        points: `(n, 2)`, x and y in pixels within the picture; the first pixel is from 0 to 1.
        lifted: whether the pen is lifted after each point, `(n,)` bool.
        shape: columns and rows.
        width: of the pen in pixels.
        blur: pixels from ink to paper at an edge; 1 is sharp.
    """
    # A segment after each point; it has no length after the last point of a stroke.
    step = np.diff(points, axis=0, append=points[-1:])
    step[lifted] = 0.0
    counts = np.maximum(np.ceil(np.hypot(*step.T) / STEP), 1).astype(np.int64)
    step = np.repeat(step / counts[:, None], counts, axis=0)
    number = np.arange(len(step)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = np.repeat(points, counts, axis=0) + number[:, None] * step

    reach = (width + blur) / 2
    size = int(np.ceil(2 * reach + STEP)) + 1  # of a square of all pixels that a segment reaches
    padded = np.full((shape[0] + 2 * size, shape[1] + 2 * size), np.inf, dtype=np.float32)
    pixels = np.floor(start + step / 2 - size / 2).astype(np.int32)[..., None] + np.arange(size)
    away = (pixels + 0.5 - start[..., None]).astype(np.float32)  # (segments, 2, size)
    step = step.astype(np.float32)[..., None]
    along = away * step / np.maximum((step * step).sum(1, keepdims=True), np.float32(1e-12))
    fraction = (along[:, 0, :, None] + along[:, 1, None]).clip(0, 1)  # (segments, size, size)
    x = away[:, 0, :, None] - fraction * step[:, 0, None]
    y = away[:, 1, None] - fraction * step[:, 1, None]
    places = (pixels[:, 0, :, None] + size) * padded.shape[1] + pixels[:, 1, None] + size
    np.minimum.at(padded.reshape(-1), places.reshape(-1), (x * x + y * y).reshape(-1))
    distance = np.sqrt(padded[size:-size, size:-size])
    return ((reach - distance) / blur).clip(0, 1).astype(np.float32)
