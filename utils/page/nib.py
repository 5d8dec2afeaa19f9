"""The width of a pen's line by its speed: outlines of strokes, thinner where the pen is fast."""

import numpy as np

from utils.page.layers import curves, sampled, segment_periods
from utils.page.page import Row

EXPONENT = 0.3
"""The line's width goes with the speed to the power of minus this (assumed, by eye)."""
NARROWEST, WIDEST = 0.55, 1.3
"""Bounds of the width in widths of the pen (assumed, by eye)."""
STEPS = 3
"""Corners of the outline on each side for a segment of the curve (assumed, by eye)."""
ROUND = np.pi / 8
"""Largest angle at a corner of the outline that still looks round (assumed, by eye)."""


def outlines(row: Row) -> list[np.ndarray]:
    """Return for each stroke of a row a closed polygon `(corners, 2)` around it, in millimetres.

    The line is as wide as the pen where that moves at the row's median speed; its ends are round.
    A polygon overlaps itself where its stroke does: it is to be filled by the non-zero rule.
    """
    segments = [curves(stroke) for stroke in row.strokes]
    speeds = [
        np.linalg.norm(curve[:, 3] - curve[:, 0], axis=1) / segment_periods(stroke)
        for curve, stroke in zip(segments, row.strokes, strict=True)
    ]
    usual = np.median(np.concatenate(speeds)) if speeds else 1.0
    found = []
    for curve, speed in zip(segments, speeds, strict=True):
        points = sampled(curve, STEPS)
        widths = row.pen.width * _widths(speed / usual)
        places = np.linspace(0, len(widths) - 1, len(points))
        found.append(around(points, np.interp(places, np.arange(len(widths)), widths) / 2))
    return found


def _widths(speeds: np.ndarray) -> np.ndarray:
    """Return the widths at the points of a stroke, `(segments + 1,)`, in widths of the pen.

    Args:
        speeds: between the points, in usual ones, `(segments,)`.
    """
    logs = np.pad(np.log(speeds), 2, mode="edge")
    # Mean of the two speeds around a point, smoothed by the binomial filter 1, 2, 1.
    smooth = np.convolve(logs, [0.125, 0.375, 0.375, 0.125], mode="valid")
    return np.clip(np.exp(-EXPONENT * smooth), NARROWEST, WIDEST)


def around(points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return a polygon that by the non-zero rule fills what discs leave that move along a line.

    The polygon is walked along the line and back, always at its left. At an outer corner it goes
    around the point; at an inner one by way of the point itself, so that the parts of the polygon
    beside each step and at each corner all turn the same way and never cancel out.

    Args:
        points: of the line, `(n, 2)`, two or more.
        radii: of the disc at each point, `(n,)`, between which it changes evenly.
    """
    apart = np.concatenate([[True], (np.diff(points, axis=0) != 0).any(axis=1)])
    points, radii = points[apart], radii[apart]
    steps = np.diff(points, axis=0)
    direction = np.arctan2(steps[:, 1], steps[:, 0])
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    # There and back: the corner after each step, up to the one where the walk began.
    corner = np.concatenate([np.arange(1, len(points)), np.arange(len(points) - 2, -1, -1)])
    arrive = np.concatenate([direction, direction[::-1] + np.pi])
    turn = np.pi - (np.pi - np.roll(arrive, -1) + arrive) % (2 * np.pi)  # in (-pi, pi]
    turn[[len(direction) - 1, -1]] = np.pi  # around the two ends
    longest = np.concatenate([lengths, lengths[::-1]])
    room = np.minimum(longest, np.roll(longest, -1)) / 2
    radius = radii[corner]
    even = (np.abs(turn) < ROUND) & (radius * np.abs(np.tan(turn / 2)) < room)
    inner = (turn < 0) & ~even
    count = np.ceil(np.abs(turn) / ROUND).astype(int) + 1
    count[inner], count[even] = 3, 1
    at = np.repeat(np.arange(len(corner)), count)
    nth = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    share = np.where(even[at], 0.5, nth / np.maximum(count[at] - 1, 1))
    angle = arrive[at] + turn[at] * share - np.pi / 2
    reach = np.where(inner[at] & (nth == 1), 0.0, radius[at])
    return points[corner[at]] + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
