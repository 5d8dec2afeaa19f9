"""The order in which a plotter draws strokes, so that its lifted pen goes less far."""

import numpy as np

from utils.page.layers import curves, layers
from utils.page.page import Page

TOUCH = 0.01
"""Millimetres between two ends that touch (assumed: a step of a plotter)."""
REACH, ROUNDS = 3000, 6
"""How many strokes are turned around at once, and how often all are tried, at most: 3,000 strokes
then take about a second (assumed; 30 rounds are 1 to 2 % better)."""


def pen_up_travel(page: Page) -> tuple[float, float]:
    """Return how far in millimetres the lifted pen moves: in writing order, and `shortened`.

    The ways from and to the plotter's corner, and from one layer to the next, are left out.

    Raises:
        DataError: if the page is not valid.
    """
    found = [[curves(stroke) for stroke in one.strokes] for one in layers(page)]
    return sum(map(travel, found)), sum(travel(shortened(ways)) for ways in found)


def travel(ways: list[np.ndarray]) -> float:
    """Return the length of the jumps from the end of each curve `(segments, 4, 2)` to the next."""
    starts, ends = _ends(ways)
    return float(np.abs(starts[1:] - ends[:-1]).sum())


def shortened(ways: list[np.ndarray]) -> list[np.ndarray]:
    """Return the same curves `(segments, 4, 2)` in an order of less travel, some of them backwards,
    and such as touch joined. The order does not depend on chance.

    The better of two is taken: the present order and that of always going to the nearest end, both
    with stretches turned around as long as that saves travel.
    """
    if len(ways) < 2:
        return ways
    starts, ends = _ends(ways)
    present = np.arange(len(ways)), np.zeros(len(ways), dtype=bool)
    plans = [_untangled(starts, ends, *plan) for plan in (present, _nearest(starts, ends))]
    order, backwards, _ = min(plans, key=lambda plan: plan[2])
    found: list[np.ndarray] = []
    pieces: list[np.ndarray] = []
    for number, back in zip(order.tolist(), backwards.tolist(), strict=True):
        curve = ways[number][::-1, ::-1] if back else ways[number]
        if pieces and np.hypot(*(curve[0, 0] - pieces[-1][-1, 3])) > TOUCH:
            found.append(np.concatenate(pieces))
            pieces = []
        pieces.append(curve)
    return [*found, np.concatenate(pieces)]


def _ends(ways: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return where each curve starts and ends, `(n,)` complex."""
    ends = np.array([[curve[0, 0], curve[-1, 3]] for curve in ways]).reshape(-1, 2, 2)
    return ends[:, 0] @ (1, 1j), ends[:, 1] @ (1, 1j)


def _nearest(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of going from the corner of the sheet to the nearest end, from the other end
    of that curve to the nearest again and so on, and whether each is drawn backwards, both `(n,)`.
    """
    count = len(starts)
    places, others = np.concatenate([starts, ends]), np.concatenate([ends, starts])
    order, at = np.empty(count, dtype=int), 0j
    for step in range(count):
        chosen = int(np.abs(places - at).argmin())
        order[step], at = chosen, others[chosen]
        places[[chosen % count, chosen % count + count]] = np.inf
    return order % count, order >= count


def _untangled(
    starts: np.ndarray, ends: np.ndarray, order: np.ndarray, backwards: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a better order, whether each of it is drawn backwards, and its travel (2-opt).

    A stretch is turned around as a whole where that shortens the jumps at its two ends together.
    """
    first = np.where(backwards, ends[order], starts[order])
    last = np.where(backwards, starts[order], ends[order])
    for _ in range(ROUNDS):
        improved = False
        for begin in range(len(order)):
            stop = min(begin + REACH, len(order))
            # Of turning begin..end around, for each end: what both jumps are, and what they become.
            gain = np.zeros(stop - begin)
            if begin:
                gain += abs(first[begin] - last[begin - 1])
                gain -= np.abs(last[begin:stop] - last[begin - 1])
            inner = min(stop, len(order) - 1)
            after = first[begin + 1 : inner + 1]
            gain[: inner - begin] += np.abs(after - last[begin:inner])
            gain[: inner - begin] -= np.abs(after - first[begin])
            end = begin + int(gain.argmax())
            if gain[end - begin] > TOUCH:
                part = slice(begin, end + 1)
                first[part], last[part] = last[part][::-1].copy(), first[part][::-1].copy()
                order[part], backwards[part] = order[part][::-1].copy(), ~backwards[part][::-1]
                improved = True
        if not improved:
            break
    return order, backwards, float(np.abs(first[1:] - last[:-1]).sum())
