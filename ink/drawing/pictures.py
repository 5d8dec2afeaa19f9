"""Grey pictures of ink, of a fixed height, that show nothing of the pen's movement."""

import math

import numpy as np

from ink.geometry import path_along, to_points, x_height
from ink.measures import levelled

ROWS = 32
"""Height of a picture in pixels (assumed: a word with ascenders and descenders has an x-height of
ten or more)."""
FRAME_SIZE = 4
"""Columns that a network merges into a frame; a picture has a multiple of `FRAME_SIZE` columns."""
PICTURE_MARGIN = 2
"""Pixels between ink and the edge of a picture (assumed)."""
PICTURE_PEN_WIDTH = 0.14
"""Width of the pen in x-heights (assumed: a pen of 0.4 mm and small letters of 2.2 mm; `x_height`
returns 1.25 times the height of small letters for running text)."""
MIN_PEN_WIDTH = 1.0
"""Minimum width of the pen in pixels; a thinner pen would fade (assumed)."""
MIN_HEIGHT = 1.6
"""Minimum height in x-heights of ink that fills a picture; lower ink is drawn no larger, so that
`ran` looks like `rant` (assumed)."""
MAX_PATH_LENGTH = 50_000
"""Maximum length in pixels of the path, with jumps; longer ink is drawn smaller (assumed: that of
thirty lines of IAM-OnDB)."""
MAX_SEGMENT = 2.0
"""Maximum length of a segment in pixels; longer segments are divided (assumed)."""


def ink_picture(
    ink: np.ndarray,
    height: float | None = None,
    *,
    pen: float = PICTURE_PEN_WIDTH,
    blur: float = 1.0,
    zoom: float = 1.0,
) -> np.ndarray:
    """Return ink of any unit as a grey picture.

    The ink fills the picture's height, unless it is lower than `MIN_HEIGHT`. The picture does not
    show the order, direction and time of the movement, or where the pen was lifted.

    Args:
        ink: `(points, 3)`.
        height: the x-height in the ink's unit if the ink is level; None to turn the ink level and
            measure its x-height.
        pen: width of the pen in x-heights.
        blur: see `raster`.
        zoom: factor on the size, at most 1.

    Returns:
        `(columns, ROWS)` float32, 0 for paper and 1 for ink; columns is a multiple of `FRAME_SIZE`.

    Raises:
        DataError: if the ink is empty or contains a number that is not finite.
    """
    if height is None:
        ink, _ = levelled(ink)
        height = x_height(ink)
    points = to_points(ink)
    low = points.min(0)
    high = points.max(0)
    drawn_height = max(high[1] - low[1], MIN_HEIGHT * height)
    length = max(path_along(points)[-1], height)  # that of a dot is 0
    scale = min(zoom * (ROWS - 2 * PICTURE_MARGIN) / drawn_height, MAX_PATH_LENGTH / length)
    num_columns = int((high[0] - low[0]) * scale + 2 * PICTURE_MARGIN + 1)
    columns = math.ceil(num_columns / FRAME_SIZE) * FRAME_SIZE
    middle = (low + high) / 2  # comes to the middle of the picture
    points = (points - middle) * scale + np.array([columns, ROWS]) / 2
    width = max(pen * height * scale, MIN_PEN_WIDTH)
    return raster(points, np.asarray(ink)[:, 2] > 0.5, (columns, ROWS), width, blur)


def likely_columns(ink: np.ndarray) -> int:
    """Estimate the number of columns of the picture of ink, without measuring the x-height."""
    width, height = np.ptp(to_points(ink), axis=0)
    return int(min((ROWS - 2 * PICTURE_MARGIN) * width / max(height, 1e-9), MAX_PATH_LENGTH))


def raster(
    points: np.ndarray, lifted: np.ndarray, shape: tuple[int, int], width: float, blur: float = 1.0
) -> np.ndarray:
    """Return the picture that a round pen draws, `shape` float32 from 0 to 1.

    The nearer the middle of a pixel is to a segment, the darker is the pixel. A pixel whose middle
    is half the pen's width from a segment is half grey: the edge of the ink runs through it.

    Args:
        points: `(n, 2)`, x and y in pixels, within the picture; the first pixel is from 0 to 1.
        lifted: whether the pen is lifted after each point, `(n,)` bool.
        shape: columns and rows.
        width: width of the pen in pixels.
        blur: width in pixels of the transition from ink to paper; 1 is sharp.
    """
    # A segment after each point; it has no length after the last point of a stroke.
    step = np.diff(points, axis=0, append=points[-1:])
    step[lifted] = 0.0
    counts = np.maximum(np.ceil(np.hypot(*step.T) / MAX_SEGMENT), 1).astype(np.int64)
    step = np.repeat(step / counts[:, None], counts, axis=0)
    # Of each part of a divided segment, from 0.
    number = np.arange(len(step)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = np.repeat(points, counts, axis=0) + number[:, None] * step

    reach = (width + blur) / 2
    # The side of a square that holds all pixels within reach of a segment.
    size = int(np.ceil(2 * reach + MAX_SEGMENT)) + 1
    padded = np.full((shape[0] + 2 * size, shape[1] + 2 * size), np.inf, dtype=np.float32)
    # The columns and the rows of the square's pixels, (segments, 2, size).
    first_pixels = np.floor(start + step / 2 - size / 2).astype(np.int32)
    pixels = first_pixels[..., None] + np.arange(size)
    offset = (pixels + 0.5 - start[..., None]).astype(np.float32)  # (segments, 2, size)
    step = step.astype(np.float32)[..., None]
    squared_length = np.maximum((step * step).sum(1, keepdims=True), np.float32(1e-12))
    along = offset * step / squared_length
    # Where a segment is nearest to a pixel, from 0 to 1 along it, (segments, size, size).
    fraction = (along[:, 0, :, None] + along[:, 1, None]).clip(0, 1)
    x = offset[:, 0, :, None] - fraction * step[:, 0, None]
    y = offset[:, 1, None] - fraction * step[:, 1, None]
    # Of the pixels in the flat picture, which has `size` pixels more on each side.
    indices = (pixels[:, 0, :, None] + size) * padded.shape[1] + pixels[:, 1, None] + size
    np.minimum.at(padded.reshape(-1), indices.reshape(-1), (x * x + y * y).reshape(-1))
    distance = np.sqrt(padded[size:-size, size:-size])
    return ((reach - distance) / blur).clip(0, 1).astype(np.float32)
