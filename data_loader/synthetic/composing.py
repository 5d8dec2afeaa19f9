"""New texts in recorded hands: pieces of a bank, set side by side as their writer would.

Lengths are in x-heights of the hand, y downwards from the baseline.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np

from data_loader.synthetic.accents import MADE, accented
from data_loader.synthetic.bank import LONGEST as LONGEST_PIECE
from data_loader.synthetic.bank import BankHand, Place
from data_loader.synthetic.cutting import SMALL, Piece, at_speed, overlap

# What a piece costs, in pieces, so that a word is written with as few and as fit ones as there are
# (assumed, checked by eye).
CUT_COST = 0.35
"""If it was cut out of a stroke, at one end or both."""
UNJOINED_COST = 0.6
"""If such an end will not meet another one: a stub of a stroke would be left."""
BORROWED_COST = 1.5
"""If another hand wrote it."""
RANDOM_COST = 0.5
"""The most that chance adds."""

NUM_DONORS = 12
"""Hands among which the lender of a character is chosen, the nearest in style that wrote it."""
GAP_QUANTILES = (0.1, 0.9)
"""Quantiles of a hand's gaps between which new ones are drawn: some measured ones are mistakes."""
BORROWED_GAP_QUANTILES = (0.25, 0.75)
"""The same for gaps beside a character that another hand wrote."""
LEAST_BLANK = 0.75
"""The least gap between words (assumed): hands that leave less are misread where words are new."""
BESIDE_MARK = (0.05, 0.6)
"""The same for gaps beside a mark within a word: the widest are of sentences, and would be read as
blanks in numbers and addresses."""
BLEND = 0.5
"""Length of path, in x-heights, over which a join is bent to meet."""
MAX_OVERLAP = {True: 0.1, False: 0.45}
"""How far letters may reach over each other, in x-heights, and less if one is a digit (assumed)."""
LEAST_GAP = 0.06
"""The least gap between pieces that do not join."""

Maker = Callable[[str, BankHand, int, np.random.Generator], Piece | None]
"""Draws a character that nobody wrote, see `drawn.Drawer`."""
Lender = Callable[[str], Callable[[], Piece | None]]
"""Returns, of a character, what gives a piece of it each time, or None."""


class Bank:
    """Hands, and which of them wrote what.

    Args:
        hands: by name.
        scarce: characters of which fewer were written are drawn by the maker as well, the more the
            fewer there are.
        maker: of what no hand wrote.
    """

    def __init__(self, hands: Mapping[str, BankHand], maker: Maker, scarce: int = 60) -> None:
        self.hands, self.maker, self.scarce = dict(hands), maker, scarce
        self.names = list(self.hands)
        styles = np.stack([hand.style for hand in self.hands.values()])
        self._styles = (styles - styles.mean(0)) / (styles.std(0) + 1e-6)
        self.owners: dict[str, list[int]] = defaultdict(list)
        self.counts: dict[str, int] = Counter()
        for number, hand in enumerate(self.hands.values()):
            for text, places in hand.pieces.items():
                if len(text) == 1:
                    self.owners[text].append(number)
                    self.counts[text] += len(places)

    def write(
        self, text: str, name: str, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Write a text in a hand.

        Returns:
            points `(points, 2)` in x-heights of the hand, and `(points,)` whether the pen is lifted
            after each; None if the text is empty, or has a character that nobody wrote and that
            cannot be drawn.
        """
        hand, lender = self.hands[name], self._lenders(name, generator)
        placed: list[tuple[np.ndarray, np.ndarray]] = []
        right = 0.0  # the right edge of the words so far
        for word in text.split(" "):
            blank = max(_random_between(hand.word_gaps, GAP_QUANTILES, generator), LEAST_BLANK)
            if not word:
                right += blank
                continue
            pieces = self._pieces(word, hand, lender, generator)
            if pieces is None:
                return None
            points, end = _set(pieces, hand, generator)
            shift = right + (blank if placed else 0.0) - points[:, 0].min()
            placed.append((points + np.array([shift, 0.0]), end))
            right = float(placed[-1][0][:, 0].max())
        if not placed:
            return None
        points, ends = zip(*placed, strict=True)
        return np.concatenate(points), np.concatenate(ends)

    def _pieces(
        self, word: str, hand: BankHand, lender: Lender, generator: np.random.Generator
    ) -> list[tuple[Piece, bool]] | None:
        """Return the cheapest pieces that make up a word, and whether each is the hand's own."""
        # By characters, and whether the last piece is cut off behind: cost, where that piece
        # starts, its place (None if lent), and whether the one before it is cut off behind.
        best: list[dict[bool, tuple[float, int, Place | None, bool]]]
        best = [{False: (0.0, 0, None, False)}]
        for stop in range(1, len(word) + 1):
            best.append(found := {})
            for start in range(max(0, stop - LONGEST_PIECE), stop):
                places = [*_some(hand.pieces.get(word[start:stop], ()), generator)]
                for place in [*places, None] if start == stop - 1 else places:
                    opens, closes = hand.edges(place) if place else (False, False)
                    own = 1 + CUT_COST * (opens or closes) + RANDOM_COST * generator.random()
                    own += 0 if place else BORROWED_COST
                    own += UNJOINED_COST * (closes and stop == len(word))
                    for before, (cost, *_) in best[start].items():
                        cost += own + UNJOINED_COST * (opens != before)
                        if closes not in found or cost < found[closes][0]:
                            found[bool(closes)] = cost, start, place, before
        pieces: list[tuple[Piece, bool]] = []
        stop, closes = len(word), min(best[-1], key=lambda closes: best[-1][closes][0])
        while stop:
            _, start, place, closes = best[stop][closes]
            piece = hand.piece(place) if place else lender(word[start])()
            if piece is None:
                return None
            pieces.append((piece, place is not None))
            stop = start
        return pieces[::-1]

    def _lenders(self, name: str, generator: np.random.Generator) -> Lender:
        """Return what gives characters that a hand did not write, each always in the same way."""
        return cache(lambda one: self._lender(one, name, generator))

    def _lender(
        self, one: str, name: str, generator: np.random.Generator
    ) -> Callable[[], Piece | None]:
        """Return what gives a character that a hand did not write."""
        if one in MADE:
            return self._accented(one, name, generator)
        hand, number = self.hands[name], self.names.index(name)
        owners = [owner for owner in self.owners.get(one, ()) if owner != number]
        if owners and generator.random() * self.scarce < self.counts[one]:
            distance = ((self._styles[owners] - self._styles[number]) ** 2).sum(1)
            near = np.argsort(distance)[:NUM_DONORS]
            # The nearer the likelier.
            chosen = owners[int(near[int(len(near) * generator.random() ** 2)])]
            lender = self.hands[self.names[chosen]]
            places = _whole(lender, one)
            return lambda: adapted(lender.piece(_one_of(places, generator)), lender, hand)
        style_seed = int(generator.integers(2**32))
        return lambda: self.maker(one, hand, style_seed, generator)

    def _accented(
        self, one: str, name: str, generator: np.random.Generator
    ) -> Callable[[], Piece | None]:
        """Return what makes a character that nobody wrote of the hand's own or borrowed letters."""
        hand, lender = self.hands[name], self._lenders(name, generator)

        def lent(letter: str) -> Piece | None:
            return lender(letter)()

        def own(letter: str) -> Piece | None:
            # A mark comes after the letter, so that nothing continues where it was cut off.
            places = _whole(hand, letter)
            return hand.piece(_one_of(places, generator)) if places else lent(letter)

        def make() -> Piece | None:
            for base in [own] * 3 + [lent] * 6:
                if (piece := accented(one, base, hand, generator)) is not None:
                    return piece
                lender.cache_clear()
            return None

        return make


def _one_of(places: Sequence[Place], generator: np.random.Generator) -> Place:
    return places[int(generator.integers(len(places)))]


def _whole(hand: BankHand, one: str) -> list[Place]:
    """Return the places of a character that are not cut off, or not behind, or else all."""
    places = hand.pieces.get(one, [])
    for ends in ([(False, False)], [(False, False), (True, False)]):
        if found := [place for place in places if hand.edges(place) in ends]:
            return found
    return places


def _some(places: Sequence, generator: np.random.Generator, most: int = 12) -> Sequence:
    """Return some of the places of a piece."""
    if len(places) <= most:
        return places
    return [places[n] for n in generator.choice(len(places), most, replace=False)]


def _random_between(
    values: np.ndarray, within: tuple[float, float], generator: np.random.Generator
) -> float:
    """Return a value between two quantiles of sorted ones."""
    return float(np.quantile(values, generator.uniform(*within)))


def adapted(piece: Piece, lender: BankHand, hand: BankHand) -> Piece:
    """Return a piece of one hand in the proportions, slant and speed of another."""
    x, y = piece.points.T
    high = 1.0
    if not all(one in SMALL for one in piece.text):
        high = float(np.clip(hand.tall / lender.tall, 0.75, 1.35))
    wide = float(np.clip(hand.width / lender.width, 0.75, 1.35))
    x = x + lender.slant * y  # upright
    y = y * high
    x = x * wide - hand.slant * y
    points = np.stack([x - x.min(), y], axis=1)
    points, end = at_speed(points, piece.end, hand.speed / lender.speed)
    return piece._replace(points=points, end=end)


def _set(
    pieces: list[tuple[Piece, bool]], hand: BankHand, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a word whose pieces are set side by side, and where the pen lifts."""
    (first, before), *others = pieces
    points, end = first.points.copy(), first.end.copy()
    closes, text = first.closes, first.text
    for piece, own in others:
        if closes and piece.opens:
            points, end = _joined(points, end, piece)
        else:
            within = GAP_QUANTILES if own and before else BORROWED_GAP_QUANTILES
            box = points[:, 0].max() - piece.points[:, 0].min()
            beside = text[-1] + piece.text[0]
            if beside.isalnum():
                gap = max(_random_between(hand.gaps, within, generator), LEAST_GAP)
                near = points[points[:, 0] > points[:, 0].max() - 3]
                reach = MAX_OVERLAP[any(map(str.isdigit, beside))]
                shift = overlap(near, piece.points) + gap
                shift = float(np.clip(shift, box - reach, box + gap))
            else:  # A mark that another character reaches over would be lost.
                shift = box + _random_between(hand.mark_gaps, BESIDE_MARK, generator)
            points = np.concatenate([points, piece.points + np.array([shift, 0.0])])
            end = np.concatenate([end, piece.end])
        closes, before, text = piece.closes, own, piece.text
    return points, end


def _joined(points: np.ndarray, end: np.ndarray, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Return points continued by a piece where a stroke was cut off, both bent to meet half way."""
    # The cut is the end of the last stroke that does not belong to a mark set later.
    stroke = points[np.flatnonzero(end[:-1])[-1] + 1 :] if end[:-1].any() else points
    step = float(np.hypot(*np.diff(stroke, axis=0).T).mean()) if len(stroke) > 1 else 0.1
    start, stop = piece.points[0], points[-1]
    fall = start[1] - stop[1]
    moved = piece.points + np.array([stop[0] + step - start[0], 0.0])
    left, right = points.copy(), moved
    own = slice(len(points) - len(stroke), None)
    to_end = np.hypot(*np.diff(stroke, axis=0, append=stroke[-1:]).T)[::-1].cumsum()[::-1]
    left[own, 1] += 0.5 * fall * np.clip(1 - to_end / BLEND, 0, 1)
    stop_of_first = int(np.flatnonzero(piece.end)[0]) + 1
    from_start = np.hypot(*np.diff(moved[:stop_of_first], axis=0, prepend=moved[:1]).T).cumsum()
    right[:stop_of_first, 1] -= 0.5 * fall * np.clip(1 - from_start / BLEND, 0, 1)
    end = np.concatenate([end, piece.end])
    end[len(points) - 1] = False
    return np.concatenate([left, right]), end


def side_by_side(
    lines: Iterable[tuple[np.ndarray, np.ndarray]], gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return lines as one: points `(points, 2)` from its left edge, and where the pen is lifted.

    Args:
        lines: points and lifts of each.
        gap: between them.
    """
    parts, ends, right = [], [], 0.0
    for points, end in lines:
        parts.append(points + np.array([right - points[:, 0].min(), 0.0]))
        ends.append(end)
        right = parts[-1][:, 0].max() + gap
    return np.concatenate(parts), np.concatenate(ends)


def to_ink(points: np.ndarray, end: np.ndarray, grid: float | None = None) -> np.ndarray:
    """Return ink `(points, 3)` float32 of positions, rounded to a grid if there is one.

    Args:
        points: `(points, 2)`.
        end: whether the pen is lifted after each, `(points,)`.
        grid: its spacing.
    """
    if grid is not None:
        points = np.rint(points / grid) * grid
    ink = np.zeros((len(points), 3), dtype=np.float32)
    ink[1:, :2] = np.diff(points, axis=0)
    ink[:, 2] = end
    return ink
