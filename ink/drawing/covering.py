"""Finds the invisible ink of a page: ink that is mostly covered by later opaque strokes or fills,
and ink in the colour of the paper."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np

from ink.geometry import at_equal_steps, path_along
from ink.ink_page import DEFAULT_PEN_WIDTH, InkPage

COVERED = "covered ink"
PAPER_COLOUR = "ink in the colour of the paper"
"""Kinds of invisible strokes."""

MIN_COVERED = 0.5  # fraction of a stroke's length from which it is covered
MIN_OPACITY = 0.9  # of a stroke that covers others (assumed; highlighters have 0.5)
MAX_COLOUR_STEP = 32  # of 255, between shades that are taken for one colour (assumed)
MIN_WIDTH_RATIO = 2.0
"""Least ratio of the width of a stroke to that of ink of its colour that it covers: a narrower one
writes letters again (assumed)."""
NUM_PLACES = 32  # of a stroke that are looked at, at equal steps along it (assumed)
PART_LENGTH = 0.5
"""Length of the parts of a covering line, in half widths, unless its points are fewer (assumed)."""
MAX_PARTS = 1_000  # of a covering line, and sides of an area (assumed)
MAX_COMPARED = 500_000  # places and parts that are compared at once (assumed: 30 MB)
MAX_PAIRS = 200_000_000  # places and parts of a page that are compared (assumed: some seconds)

Measure: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""A function that measures places relative to lines, see `_distances`."""


@lru_cache(1)  # Reading a page asks what the key of its cached text has asked.
def unseen(page: InkPage) -> dict[int, str]:
    """Return the kind of each stroke of a pen that cannot be seen, by the stroke's number."""
    if not page.strokes:
        return {}
    looks = _Looks(page)
    kinds = dict.fromkeys(looks.covered(), COVERED)
    if page.background is None:  # A PDF has any colour.
        kinds |= {n: PAPER_COLOUR for n in looks.in_paper_colour() if n not in kinds}
    return dict(sorted(kinds.items()))


@dataclass(frozen=True, eq=False)
class _Looks:
    """The visible properties of a page's strokes."""

    page: InkPage

    def covered(self) -> list[int]:
        """Return the strokes of pens that later strokes cover for the greater part."""
        is_seen = self._is_pen.copy()
        num_pairs = 0
        under = np.zeros((len(is_seen), NUM_PLACES), bool)
        for cover in np.flatnonzero(self._can_hide).tolist():
            below = np.flatnonzero(is_seen[:cover] & self._meets(cover))
            below = below[self._hides(cover, below)]
            if len(below) and num_pairs < MAX_PAIRS:
                places = self._places[below].reshape(-1, 2)
                is_under, count = self._are_under(places, cover)
                under[below] |= is_under.reshape(-1, NUM_PLACES)
                is_seen[below] = under[below].mean(axis=1) <= MIN_COVERED
                num_pairs += count
        return np.flatnonzero(self._is_pen & ~is_seen).tolist()

    def in_paper_colour(self) -> Iterator[int]:
        """Yield the strokes of pens that have the colour of the paper and mostly lie on it, not on
        images, nor on areas or wide lines of another colour."""
        paper = np.array([*bytes.fromhex(self.page.paper[1:])])
        is_like_paper = np.abs(self._colours - paper).max(axis=1) <= MAX_COLOUR_STEP
        for number in np.flatnonzero(is_like_paper & self._is_pen).tolist():
            places = self._places[number]
            layer = self.page.strokes[number].layer
            is_on = np.zeros(NUM_PLACES, bool)
            for image in (image for image in self.page.images if image.layer <= layer):
                low, high = np.reshape(image.box, (2, 2))
                is_on |= ((places >= low) & (places <= high)).all(axis=1)
            is_wide = self._radii[:number] >= MIN_WIDTH_RATIO * self._radii[number]
            is_wide_line = is_wide & self._has_line[:number] & ~is_like_paper[:number]
            is_ground = is_wide_line | self._has_fill[:number]
            for ground in np.flatnonzero(is_ground & self._meets(number)).tolist():
                is_under, _ = self._are_under(places, ground)
                is_on |= is_under
            if is_on.mean() <= MIN_COVERED:
                yield number

    @cached_property
    def _is_pen(self) -> np.ndarray:
        return np.array([stroke.tool == "pen" for stroke in self.page.strokes])

    @cached_property
    def _colours(self) -> np.ndarray:
        """Red, green and blue of each line, `(strokes, 3)`."""
        return np.array([[*bytes.fromhex(stroke.colour[1:])] for stroke in self.page.strokes])

    @cached_property
    def _radii(self) -> np.ndarray:
        """Half of the width of each line, `(strokes,)`."""
        default = DEFAULT_PEN_WIDTH / self.page.millimetres
        widths = []
        for stroke in self.page.strokes:
            if stroke.width is None:
                widths.append(default)
            else:
                widths.append(np.mean(stroke.width if stroke.widths is None else stroke.widths))
        return np.array(widths) / 2

    @cached_property
    def _has_line(self) -> np.ndarray:
        """Whether each line hides the ink below it, `(strokes,)`."""
        strokes = self.page.strokes
        is_opaque = [s.tool != "highlighter" and s.opacity >= MIN_OPACITY for s in strokes]
        is_solid = [not any(s.dash) for s in strokes]
        return np.logical_and(is_opaque, is_solid) & (self._radii > 0)

    @cached_property
    def _has_fill(self) -> np.ndarray:
        """Whether each stroke encloses an area that hides the ink below it, `(strokes,)`."""
        strokes = self.page.strokes
        return np.array([s.fill is not None and s.fill_opacity >= MIN_OPACITY for s in strokes])

    @cached_property
    def _is_blank(self) -> np.ndarray:
        """Whether each stroke hides ink of any colour: fills and erasers do, `(strokes,)`."""
        return self._has_fill | [stroke.tool == "eraser" for stroke in self.page.strokes]

    @cached_property
    def _can_hide(self) -> np.ndarray:
        """Whether there may be ink that each stroke hides, `(strokes,)`."""
        is_one_colour = (np.ptp(self._colours, axis=0) <= MAX_COLOUR_STEP).all()
        is_wide = self._radii >= MIN_WIDTH_RATIO * self._radii.min()
        is_line = self._has_line & (is_wide | (not is_one_colour))
        return is_line | self._is_blank

    @cached_property
    def _boxes(self) -> np.ndarray:
        """Left, top, right and bottom of each line, `(4, strokes)`."""
        low = np.array([stroke.points.min(axis=0) for stroke in self.page.strokes]).T
        high = np.array([stroke.points.max(axis=0) for stroke in self.page.strokes]).T
        return np.concatenate([low - self._radii, high + self._radii])

    @cached_property
    def _places(self) -> np.ndarray:
        """Places of each stroke at equal steps, `(strokes, NUM_PLACES, 2)`."""
        all_points = [stroke.points for stroke in self.page.strokes]
        return np.array([at_equal_steps(p, path_along(p), NUM_PLACES - 1) for p in all_points])

    def _meets(self, number: int) -> np.ndarray:
        """Return whether the box of each stroke before meets that of a stroke, `(number,)`."""
        left, top, right, bottom = self._boxes[:, :number]
        own_left, own_top, own_right, own_bottom = self._boxes[:, number]
        is_beside = (left <= own_right) & (right >= own_left)
        return is_beside & (top <= own_bottom) & (bottom >= own_top)

    def _hides(self, cover: int, numbers: np.ndarray) -> np.ndarray:
        """Return whether a stroke looks different from each of others, `(numbers,)`."""
        is_wider = self._radii[cover] >= MIN_WIDTH_RATIO * self._radii[numbers]
        steps = np.abs(self._colours[numbers] - self._colours[cover]).max(axis=1, initial=0)
        return is_wider | (steps > MAX_COLOUR_STEP) | self._is_blank[cover]

    def _are_under(self, places: np.ndarray, cover: int) -> tuple[np.ndarray, int]:
        """Return which `places`, `(n, 2)`, a stroke covers, `(n,)`, and how many pairs of a place
        and a part of the stroke were compared."""
        points = self.page.strokes[cover].points
        radius = self._radii[cover]
        low, high = self._boxes[:, cover].reshape(2, 2)
        near = np.all((places >= low) & (places <= high), axis=1)
        num_pairs = 0
        is_under = np.zeros(near.sum(), bool)
        inside = places[near]
        if self._has_line[cover]:
            along = path_along(points)
            count = min(1 + int(along[-1] / (PART_LENGTH * radius)), MAX_PARTS)
            path = at_equal_steps(points, along, count) if count < len(points) else points
            is_under |= _in_chunks(_distances, inside, path) <= radius
            num_pairs += len(inside) * len(path)
        if self._has_fill[cover]:
            corners = points[:: 1 + len(points) // MAX_PARTS]  # every n-th point of many
            outline = np.concatenate([corners, corners[:1]])
            is_under |= _in_chunks(_windings, inside, outline) != 0
            num_pairs += len(inside) * len(outline)
        near[near] = is_under  # of the places near the stroke, those under it remain
        return near, num_pairs


def _in_chunks(measure: Measure, places: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Return a measure of places `(n, 2)` relative to the lines of a path, `(n,)`."""
    path = path if len(path) > 1 else np.repeat(path, 2, axis=0)  # a dot is a line without length
    x, y = path[:-1].T
    step = np.diff(path, axis=0).T
    parts = np.array_split(places, 1 + len(places) * len(path) // MAX_COMPARED)
    offsets = ((part[:, :1] - x, part[:, 1:] - y) for part in parts)
    return np.concatenate([measure(*offset, *step) for offset in offsets])


def _distances(x: np.ndarray, y: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return the distance of each place from the nearest line, `(n,)`. Places are given from the
    start of each line, `(n, lines)`; lines by the offset of their end, `(lines,)`."""
    # The nearest point of a line, as a fraction of the way to its end.
    part = np.clip((x * dx + y * dy) / np.maximum(dx**2 + dy**2, 1e-12), 0, 1)
    squares = (x - part * dx) ** 2 + (y - part * dy) ** 2
    return np.sqrt(squares.min(axis=1))


def _windings(x: np.ndarray, y: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return how many times lines around an area wind around each place, `(n,)`; see
    `_distances`."""
    # Lines count that cross the ray from a place to the right.
    side = dx * y - dy * x
    rises = (y >= 0) & (y < dy)
    falls = (y < 0) & (y >= dy)
    return (rises & (side > 0)).sum(axis=1) - (falls & (side < 0)).sum(axis=1)
