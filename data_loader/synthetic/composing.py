"""New texts in recorded hands: pieces of a bank, set side by side with the hand's spacing.

Lengths are in x-heights of the hand, y downwards from the baseline.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data_loader.synthetic.accents import MADE, accented
from data_loader.synthetic.bank import LONGEST, BankHand, Place
from data_loader.synthetic.cutting import SMALL, Piece
from data_loader.synthetic.paths import at_speed, from_left, moved, overlap

# Costs of a piece, in units of one piece: a word is written with few, fitting pieces (assumed,
# checked by eye).
CUT_COST = 0.35
"""Cost of a piece that was cut out of a stroke, at one end or both."""
UNJOINED_COST = 0.6
"""Cost of a cut end that meets no other cut end, and so leaves a stub of a stroke."""
BORROWED_COST = 1.5
"""Cost of a piece that another hand wrote."""
RANDOM_COST = 0.5
"""Largest random cost."""

NUM_DONORS = 12
"""Number of hands, nearest in style, from which the lender of a character is chosen."""
GAP_QUANTILES = (0.1, 0.9)
"""Quantiles of a hand's gaps between which gaps are drawn: some measured gaps are mistakes."""
BORROWED_GAP_QUANTILES = (0.25, 0.75)
"""Quantiles of gaps beside a character that another hand wrote."""
LEAST_BLANK = 0.75
"""Least gap between words (assumed): with narrower gaps, new words would be misread."""
BESIDE_MARK = (0.05, 0.6)
"""Quantiles of gaps beside a mark within a word: the widest gaps come from sentences, and would be
read as blanks in numbers and addresses."""
MAX_CHOICES = 12
"""Largest number of a piece's places that are compared, drawn at random."""
BLEND = 0.5
"""Length of path, in x-heights, over which both sides of a join are bent to meet."""
MAX_OVERLAP = 0.45
"""Largest overlap of two characters that are no digits, in x-heights (assumed)."""
MAX_DIGIT_OVERLAP = 0.1
"""Largest overlap of two characters of which at least one is a digit, in x-heights (assumed)."""
LEAST_GAP = 0.06
"""Least gap between pieces that are not joined, in x-heights."""

DrawGlyph = Callable[[str, BankHand, int, np.random.Generator], Piece | None]
"""Draws a character that nobody wrote, see `drawn.Drawer`."""


class Bank:
    """Hands, and the number of copies of each character in each hand.

    Args:
        hands: hands by name.
        draw_glyph: draws characters that no hand wrote.
        scarce: characters with fewer copies than this are drawn as well, the fewer the more often.

    Attributes:
        written: for each character, the number of copies by the number of the hand.
    """

    def __init__(
        self, hands: Mapping[str, BankHand], draw_glyph: DrawGlyph, scarce: int = 60
    ) -> None:
        self.hands, self.draw_glyph, self.scarce = dict(hands), draw_glyph, scarce
        self.names = list(self.hands)
        styles = np.stack([hand.style for hand in self.hands.values()])
        self.styles = (styles - styles.mean(0)) / (styles.std(0) + 1e-6)
        self.written: dict[str, dict[int, int]] = defaultdict(dict)
        for number, hand in enumerate(self.hands.values()):
            for text, places in hand.pieces.items():
                if len(text) == 1:
                    self.written[text][number] = len(places)

    def write(self, text: str, name: str, generator: np.random.Generator) -> np.ndarray | None:
        """Write a text in a hand.

        Returns:
            the text's path in x-heights of the hand; None if the text is empty, or has a character
            that nobody wrote and that cannot be drawn.
        """
        return Composer(self, name, generator).write(text)


class _Step(NamedTuple):
    """The last piece of the cheapest way to write the beginning of a word."""

    cost: float  # cost of the word up to the end of the piece
    start: int  # index of the piece's first character in the word
    place: Place | None  # None if the piece is borrowed
    previous_closes: bool  # whether the previous piece is cut off behind


class Composer:
    """Writes in one hand; a character that the hand never wrote always has the same lender."""

    def __init__(self, bank: Bank, name: str, generator: np.random.Generator) -> None:
        self.bank, self.name, self.generator = bank, name, generator
        self.hand = bank.hands[name]
        self._lenders: dict[str, Callable[[], Piece | None]] = {}

    def write(self, text: str) -> np.ndarray | None:
        """Return the path of a text, see `Bank.write`."""
        words: list[np.ndarray] = []
        right = 0.0  # the right edge of the words so far
        for word in text.split(" "):
            blank = max(self._random_gap(self.hand.word_gaps, GAP_QUANTILES), LEAST_BLANK)
            if not word:
                right += blank
                continue
            pieces = self.pieces(word)
            if pieces is None:
                return None
            path = self._word_path(pieces)
            shift = right + (blank if words else 0.0) - path[:, 0].min()
            words.append(moved(path, shift))
            right = float(words[-1][:, 0].max())
        return np.concatenate(words) if words else None

    def pieces(self, word: str) -> list[tuple[Piece, bool]] | None:
        """Return the cheapest pieces that make up a word, each with whether the hand wrote it; None
        if a character can be neither borrowed nor drawn."""
        # Steps by the number of characters so far, and by whether the piece is cut off behind.
        best: list[dict[bool, _Step]] = [{False: _Step(0.0, 0, None, False)}]
        for stop in range(1, len(word) + 1):
            endings: dict[bool, _Step] = {}
            best.append(endings)
            for start in range(max(0, stop - LONGEST), stop):
                for place, cost in self._choices(word[start:stop]):
                    opens, closes = (place.opens, place.closes) if place else (False, False)
                    if closes and stop == len(word):
                        cost += UNJOINED_COST
                    for previous_closes, step in best[start].items():
                        joint = 0.0 if opens == previous_closes else UNJOINED_COST
                        total = step.cost + (cost + joint)
                        if closes not in endings or total < endings[closes].cost:
                            endings[closes] = _Step(total, start, place, previous_closes)
        pieces: list[tuple[Piece, bool]] = []
        stop = len(word)
        closes = min(best[-1], key=lambda closes: best[-1][closes].cost)
        while stop:
            _, start, place, closes = best[stop][closes]
            piece = self.hand.piece(place) if place else self.borrowed(word[start])
            if piece is None:
                return None
            pieces.append((piece, place is not None))
            stop = start
        return pieces[::-1]

    def _choices(self, text: str) -> Iterator[tuple[Place | None, float]]:
        """Yield the hand's places of a piece with their costs; the place None stands for a borrowed
        character."""
        places: list[Place | None] = list(self.hand.pieces.get(text, ()))
        if len(places) > MAX_CHOICES:
            chosen = self.generator.choice(len(places), MAX_CHOICES, replace=False)
            places = [places[n] for n in chosen]
        if len(text) == 1:
            places.append(None)
        for place in places:
            is_cut = place is not None and (place.opens or place.closes)
            cost = 1 + (CUT_COST if is_cut else 0) + RANDOM_COST * self.generator.random()
            yield place, cost + (0 if place else BORROWED_COST)

    def borrowed(self, character: str) -> Piece | None:
        """Return a character in the hand; None if nobody wrote it and it cannot be drawn."""
        if character not in self._lenders:
            lender = self._accented if character in MADE else self._lender
            self._lenders[character] = lender(character)
        return self._lenders[character]()

    def _lender(self, character: str) -> Callable[[], Piece | None]:
        """Return a function that gives a character, from another hand or from `draw_glyph`."""
        bank = self.bank
        number, counts = bank.names.index(self.name), bank.written.get(character, {})
        owners = [owner for owner in counts if owner != number]
        if owners and self.generator.random() * bank.scarce < sum(counts.values()):
            distance = ((bank.styles[owners] - bank.styles[number]) ** 2).sum(1)
            near = np.argsort(distance)[:NUM_DONORS]
            rank = int(len(near) * self.generator.random() ** 2)  # Near hands are likelier.
            donor = bank.hands[bank.names[owners[int(near[rank])]]]
            return lambda: adapted(self._letter(character, donor), donor, self.hand)
        style_seed = int(self.generator.integers(2**32))
        return lambda: bank.draw_glyph(character, self.hand, style_seed, self.generator)

    def _accented(self, character: str) -> Callable[[], Piece | None]:
        """Return a function that makes a character from the hand's letters, or borrowed letters."""
        borrowing = Composer(self.bank, self.name, self.generator)

        def base_letter(letter: str) -> Piece | None:
            # The letter's end must not be cut: a mark follows the letter, not a joined letter.
            if letter in self.hand.pieces:
                return self._letter(letter, self.hand)
            return borrowing.borrowed(letter)

        def make() -> Piece | None:
            for base in [base_letter] * 3 + [borrowing.borrowed] * 6:
                if (piece := accented(character, base, self.hand, self.generator)) is not None:
                    return piece
                borrowing._lenders.clear()
            return None

        return make

    def _letter(self, character: str, hand: BankHand) -> Piece:
        """Return a random copy of a character: an uncut copy, or else a copy not cut off behind, or
        else any copy."""
        places = hand.pieces[character]
        places = [place for place in places if not place.closes] or places
        places = [place for place in places if not (place.opens or place.closes)] or places
        return hand.piece(places[int(self.generator.integers(len(places)))])

    def _random_gap(self, values: np.ndarray, within: tuple[float, float]) -> float:
        """Return a random value between two quantiles of sorted values."""
        return float(np.quantile(values, self.generator.uniform(*within)))

    def _word_path(self, pieces: list[tuple[Piece, bool]]) -> np.ndarray:
        """Return the path of a word whose pieces are set side by side."""
        path = pieces[0][0].path
        for (last, last_is_own), (piece, is_own) in pairwise(pieces):
            if last.closes and piece.opens:
                path = _joined(path, piece.path)
                continue
            right = path[:, 0].max()
            shift = right - piece.path[:, 0].min()
            neighbours = last.text[-1] + piece.text[0]
            if neighbours.isalnum():
                within = GAP_QUANTILES if is_own and last_is_own else BORROWED_GAP_QUANTILES
                gap = max(self._random_gap(self.hand.gaps, within), LEAST_GAP)
                reach = MAX_DIGIT_OVERLAP if any(map(str.isdigit, neighbours)) else MAX_OVERLAP
                touching = overlap(path[path[:, 0] > right - 3], piece.path)
                shift = float(np.clip(touching + gap, shift - reach, shift + gap))
            else:  # Marks may not lie under a neighbour, where a reader would miss them.
                shift += self._random_gap(self.hand.mark_gaps, BESIDE_MARK)
            path = np.concatenate([path, moved(piece.path, shift)])
        return path


def adapted(piece: Piece, lender: BankHand, hand: BankHand) -> Piece:
    """Return a piece of one hand in the proportions, slant and speed of another."""
    x, y, lift = piece.path.T
    high = 1.0
    if not SMALL.issuperset(piece.text):
        high = float(np.clip(hand.tall / lender.tall, 0.75, 1.35))
    wide = float(np.clip(hand.width / lender.width, 0.75, 1.35))
    x = x + lender.slant * y  # Make the piece upright.
    y = y * high
    x = x * wide - hand.slant * y
    path = from_left(np.column_stack([x, y, lift]))
    return piece._replace(path=at_speed(path, hand.speed / lender.speed))


def _joined(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return two paths joined where strokes were cut off, both bent to meet half way."""
    # The cut is at the end of the last stroke: `_places` has no pieces with a later mark there.
    lifts = np.flatnonzero(left[:-1, 2])
    stroke = slice(lifts[-1] + 1 if len(lifts) else 0, None)
    steps = np.hypot(*np.diff(left[stroke, :2], axis=0).T)
    step = float(steps.mean()) if len(steps) else 0.1
    fall = right[0, 1] - left[-1, 1]
    left, right = left.copy(), moved(right, left[-1, 0] + step - right[0, 0])
    left[-1, 2] = 0
    to_end = np.append(steps, 0.0)[::-1].cumsum()[::-1]
    left[stroke, 1] += 0.5 * fall * np.clip(1 - to_end / BLEND, 0, 1)
    stroke = slice(int(np.flatnonzero(right[:, 2])[0]) + 1)
    steps = np.hypot(*np.diff(right[stroke, :2], axis=0, prepend=right[:1, :2]).T)
    right[stroke, 1] -= 0.5 * fall * np.clip(1 - steps.cumsum() / BLEND, 0, 1)
    return np.concatenate([left, right])
