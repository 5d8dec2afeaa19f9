"""Writes new texts in recorded hands: sets pieces of the hands side by side with a hand's gaps.

Lengths are in x-heights of the hand, y downwards from the baseline.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from data_loader.pen_paths import (
    at_left_edge,
    at_speed,
    from_strokes,
    moved,
    to_strokes,
    touching_shift,
)
from data_loader.synthetic.composed.accents import NON_ASCII, accented
from data_loader.synthetic.composed.cutting import X_HIGH_LETTERS, Piece
from data_loader.synthetic.composed.recorded_hands import MAX_PIECE_LENGTH, Place, RecordedHand

# Costs of a piece, relative to the cost 1 of every piece. A word is made of the pieces whose sum of
# costs is lowest, so of few pieces that fit each other (assumed, checked by eye).
CUT_COST = 0.35
"""Cost of a piece that was cut out of a stroke, at one end or both."""
UNJOINED_COST = 0.6
"""Cost of a cut end that meets no other cut end, and so leaves a stub of a stroke."""
BORROWED_COST = 1.5
"""Cost of a piece that another hand wrote."""
RANDOM_COST = 0.5
"""Largest random cost of a piece, so that the same word varies."""

NUM_LENDERS = 12
"""Number of hands, nearest in style, from which the lender of a character is drawn."""
GAP_QUANTILES = (0.1, 0.9)
"""Quantiles of a hand's gaps between which gaps are drawn: some measured gaps are mistakes."""
BORROWED_GAP_QUANTILES = (0.25, 0.75)
"""Quantiles between which gaps next to a character of another hand are drawn."""
MIN_COMPOSED_WORD_GAP = 0.75
"""Minimum gap between words, in x-heights (assumed): a reader would miss narrower gaps."""
SIGN_GAP_QUANTILES = (0.05, 0.6)
"""Quantiles between which gaps next to a sign within a word are drawn: the widest gaps come from
sentences, and would be read as blanks in numbers and addresses."""
MAX_CHOICES = 12
"""Largest number of copies of a text to compare; of more copies, this many are drawn at random."""
BLEND_LENGTH = 0.5
"""Length of path on either side of a join that is bent so that both sides meet, in x-heights."""
MAX_PIECE_OVERLAP = 0.45
"""Largest overlap of two characters that are no digits, in x-heights (assumed)."""
MAX_DIGIT_OVERLAP = 0.1
"""Largest overlap of two characters of which at least one is a digit, in x-heights (assumed)."""
MIN_PIECE_GAP = 0.06
"""Minimum gap between letters or digits of pieces that are not joined, in x-heights."""

SIZE_FACTORS = (0.75, 1.35)
"""Bounds on the factors by which a borrowed character becomes higher and wider (assumed)."""

MARK_BOTTOM = -0.9
"""Height above which the whole of a dot or an accent lies, in x-heights (assumed)."""
MAX_ACCENT_SIZE = 0.9
"""Largest width and height of a dot or an accent, in x-heights (assumed)."""

DrawGlyph = Callable[[str, RecordedHand, int, np.random.Generator], Piece | None]
"""Draws a character that nobody wrote, see `drawn_characters.Drawer`."""


class Bank:
    """Hands, and the number of copies of each character in each hand.

    Args:
        hands: hands by name.
        draw_glyph: draws characters that no hand wrote.
        scarce: characters with fewer copies are also drawn, the fewer copies the more often.

    Attributes:
        names: names of the hands; the index in this list is the number of a hand.
        scaled_measures: standardised `measures` of the hands, `(hands, 5)`.
        num_copies: for each character, the number of copies in each hand, by the hand's number.
    """

    def __init__(
        self, hands: Mapping[str, RecordedHand], draw_glyph: DrawGlyph, scarce: int = 60
    ) -> None:
        self.hands = dict(hands)
        self.draw_glyph = draw_glyph
        self.scarce = scarce
        self.names = list(self.hands)
        measures = np.stack([hand.measures for hand in self.hands.values()])
        deviations = measures.std(0) + 1e-6  # not 0, as of a single hand
        self.scaled_measures = (measures - measures.mean(0)) / deviations
        self.num_copies: dict[str, dict[int, int]] = defaultdict(dict)
        for number, hand in enumerate(self.hands.values()):
            for text, places in hand.places.items():
                if len(text) == 1:
                    self.num_copies[text][number] = len(places)


class _Step(NamedTuple):
    """The last piece of the cheapest pieces that make up the beginning of a word."""

    cost: float  # cost of all pieces up to this piece
    start: int  # index of the piece's first character in the word
    place: Place | None  # None if the piece is borrowed
    previous_cut_after: bool  # `cut_after` of the previous piece


class Composer:
    """Writes in one hand; a character that the hand never wrote always has the same source.

    Args:
        bank: the hands.
        name: the name of the hand.
        generator: generator for all choices.
        hasty: whether accents are made in haste, see `accents.accented`.
        late: whether dots and accents come after their words.
    """

    def __init__(
        self,
        bank: Bank,
        name: str,
        generator: np.random.Generator,
        hasty: bool = False,
        late: bool = False,
    ) -> None:
        self.bank = bank
        self.name = name
        self.generator = generator
        self.hasty = hasty
        self.late = late
        self.hand = bank.hands[name]
        self._sources: dict[str, Callable[[], Piece | None]] = {}

    def write(self, text: str) -> np.ndarray | None:
        """Return the path of a text in x-heights of the hand; None if the text has no visible
        character, or has a character that nobody wrote and that cannot be drawn."""
        paths: list[np.ndarray] = []
        right = 0.0  # the right edge of the words so far
        for word in text.split(" "):
            gap = max(self._random_gap(self.hand.word_gaps, GAP_QUANTILES), MIN_COMPOSED_WORD_GAP)
            if not word:
                right += gap
                continue
            pieces = self.pieces(word)
            if pieces is None:
                return None
            path = self._word_path(pieces)
            if self.late:
                path = marks_last(path)
            shift = right + (gap if paths else 0.0) - path[:, 0].min()
            paths.append(moved(path, shift))
            right = float(paths[-1][:, 0].max())
        return np.concatenate(paths) if paths else None

    def pieces(self, word: str) -> list[tuple[Piece, bool]] | None:
        """Return the cheapest pieces of a word, each with whether the hand wrote the piece; None if
        a character can be neither borrowed nor drawn."""
        # best[n][cut_after] is the cheapest last step for the first n characters of the word.
        start_of_word = _Step(cost=0.0, start=0, place=None, previous_cut_after=False)
        best: list[dict[bool, _Step]] = [{False: start_of_word}]
        for stop in range(1, len(word) + 1):
            endings: dict[bool, _Step] = {}
            best.append(endings)
            for start in range(max(0, stop - MAX_PIECE_LENGTH), stop):
                for place, cost in self._choices(word[start:stop]):
                    cut_before = place is not None and place.cut_before
                    cut_after = place is not None and place.cut_after
                    if cut_after and stop == len(word):
                        cost += UNJOINED_COST
                    for previous_cut_after, step in best[start].items():
                        # A cut end is joined to a cut end, and a whole end to a whole end.
                        join_cost = 0.0 if cut_before == previous_cut_after else UNJOINED_COST
                        total = step.cost + (cost + join_cost)
                        if cut_after not in endings or total < endings[cut_after].cost:
                            endings[cut_after] = _Step(total, start, place, previous_cut_after)
        # From the cheapest last step back to the first.
        pieces: list[tuple[Piece, bool]] = []
        stop = len(word)
        last_steps = best[stop]
        step = min(last_steps.values(), key=lambda step: step.cost)
        while stop:
            place = step.place
            stop = step.start
            piece = self.hand.piece(place) if place else self.borrowed(word[stop])
            if piece is None:
                return None
            pieces.append((piece, place is not None))
            step = best[stop][step.previous_cut_after]
        return pieces[::-1]

    def _choices(self, text: str) -> Iterator[tuple[Place | None, float]]:
        """Yield the hand's places of `text` with their costs; the place None means borrowing."""
        copies = self.hand.places.get(text, ())
        if len(copies) > MAX_CHOICES:
            chosen = self.generator.choice(len(copies), MAX_CHOICES, replace=False)
            copies = [copies[n] for n in chosen]
        choices = [*copies, None] if len(text) == 1 else copies  # Words are not borrowed.
        for place in choices:
            is_cut = place is not None and (place.cut_before or place.cut_after)
            cost = 1 + (CUT_COST if is_cut else 0) + RANDOM_COST * self.generator.random()
            if place is None:
                cost += BORROWED_COST
            yield place, cost

    def borrowed(self, character: str) -> Piece | None:
        """Return a copy that another hand wrote or that is drawn; None if neither is possible."""
        if character not in self._sources:
            find_source = self._accented if character in NON_ASCII else self._glyph_source
            self._sources[character] = find_source(character)
        return self._sources[character]()

    def _glyph_source(self, character: str) -> Callable[[], Piece | None]:
        """Return a function that returns a lender's copy of a character, or draws the character."""
        bank = self.bank
        number = bank.names.index(self.name)
        counts = bank.num_copies.get(character, {})
        lenders = [lender for lender in counts if lender != number]
        # A character with fewer copies than `scarce` is drawn the more often, the fewer these are.
        if lenders and self.generator.random() * bank.scarce < sum(counts.values()):
            differences = bank.scaled_measures[lenders] - bank.scaled_measures[number]
            nearest = np.argsort((differences**2).sum(1))[:NUM_LENDERS]
            rank = int(len(nearest) * self.generator.random() ** 2)  # Nearer hands are likelier.
            lender_number = lenders[int(nearest[rank])]
            lender = bank.hands[bank.names[lender_number]]
            return lambda: adapted(self._random_copy(character, lender), lender, self.hand)
        habit_seed = int(self.generator.integers(2**32))
        return lambda: bank.draw_glyph(character, self.hand, habit_seed, self.generator)

    def _accented(self, character: str) -> Callable[[], Piece | None]:
        """Return a function that makes a character of `NON_ASCII` from own or borrowed letters."""
        # Its own, since the hands that it borrows from change with each try.
        borrower = Composer(self.bank, self.name, self.generator)

        def letter_of_hand(letter: str) -> Piece | None:
            if letter in self.hand.places:
                return self._random_copy(letter, self.hand)
            return borrower.borrowed(letter)

        def make() -> Piece | None:  # an accented letter, or None
            # Copies differ, so that another one may be usable (number of tries assumed).
            for get_piece in [letter_of_hand] * 3 + [borrower.borrowed] * 6:
                piece = accented(character, get_piece, self.hand, self.generator, self.hasty)
                if piece is not None:
                    return piece
                borrower._sources.clear()  # The next try borrows from other hands.
            return None

        return make

    def _random_copy(self, character: str, hand: RecordedHand) -> Piece:
        """Return a random copy of a character: of the copies without cuts, or else of the copies
        without a cut after them, or else of all copies."""
        copies = hand.places[character]
        without_cut_after = [place for place in copies if not place.cut_after]
        without_cuts = [place for place in without_cut_after if not place.cut_before]
        choices = without_cuts or without_cut_after or copies
        return hand.piece(choices[int(self.generator.integers(len(choices)))])

    def _random_gap(self, gaps: np.ndarray, quantiles: tuple[float, float]) -> float:
        """Return a random gap between two quantiles of `gaps`."""
        return float(np.quantile(gaps, self.generator.uniform(*quantiles)))

    def _word_path(self, pieces: list[tuple[Piece, bool]]) -> np.ndarray:
        """Return the path of a word: its pieces joined at cuts, or else side by side."""
        (first, _), *_ = pieces
        path = first.path
        for (left, is_left_written), (right, is_right_written) in pairwise(pieces):
            if left.cut_after and right.cut_before:
                path = _join_at_cut(path, right.path)
                continue
            right_edge = path[:, 0].max()
            shift = right_edge - right.path[:, 0].min()
            neighbours = left.text[-1] + right.text[0]
            if neighbours.isalnum():
                is_borrowed = not (is_left_written and is_right_written)
                quantiles = BORROWED_GAP_QUANTILES if is_borrowed else GAP_QUANTILES
                gap = max(self._random_gap(self.hand.gaps, quantiles), MIN_PIECE_GAP)
                has_digit = any(map(str.isdigit, neighbours))
                max_overlap = MAX_DIGIT_OVERLAP if has_digit else MAX_PIECE_OVERLAP
                # Only ink within 3 x-heights of the right edge can be touched.
                touching = touching_shift(path[path[:, 0] > right_edge - 3], right.path)
                shift = float(np.clip(touching + gap, shift - max_overlap, shift + gap))
            else:  # A sign does not overlap its neighbour: a reader would miss the sign.
                shift += self._random_gap(self.hand.sign_gaps, SIGN_GAP_QUANTILES)
            path = np.concatenate([path, moved(right.path, shift)])
        return path


def adapted(piece: Piece, lender: RecordedHand, hand: RecordedHand) -> Piece:
    """Return a piece of `lender` in the proportions, slant and speed of `hand`."""
    x, y, lift = piece.path.T
    height_factor = 1.0
    if not X_HIGH_LETTERS.issuperset(piece.text):
        height_factor = float(np.clip(hand.tall_height / lender.tall_height, *SIZE_FACTORS))
    width_factor = float(np.clip(hand.width / lender.width, *SIZE_FACTORS))
    x = x + lender.slant * y  # Make the piece upright.
    y = y * height_factor
    x = x * width_factor - hand.slant * y
    path = at_left_edge(np.column_stack([x, y, lift]))
    return piece._replace(path=at_speed(path, hand.mean_step / lender.mean_step))


def marks_last(path: np.ndarray) -> np.ndarray:
    """Return the path of a word whose dots and accents come after the other strokes."""

    def is_mark(stroke: np.ndarray) -> bool:
        is_small = np.ptp(stroke, axis=0).max() < MAX_ACCENT_SIZE
        return bool(stroke[:, 1].max() < MARK_BOTTOM and is_small)

    return from_strokes(sorted(to_strokes(path), key=is_mark))


def _join_at_cut(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return two paths as one path, joined at a cut.

    The last stroke of `left` ends in a cut, and the first stroke of `right` begins with one. Both
    are bent to meet half way.
    """
    lifts = np.flatnonzero(left[:-1, 2])
    last_stroke = slice(lifts[-1] + 1 if len(lifts) else 0, None)
    steps = np.hypot(*np.diff(left[last_stroke, :2], axis=0).T)
    step = float(steps.mean()) if len(steps) else 0.1  # of a dot
    fall = right[0, 1] - left[-1, 1]
    right = moved(right, left[-1, 0] + step - right[0, 0])  # a step behind the end of `left`
    left = left.copy()
    left[-1, 2] = 0
    distance_to_join = np.append(steps, 0.0)[::-1].cumsum()[::-1]  # summed from the end
    left[last_stroke, 1] += 0.5 * fall * np.clip(1 - distance_to_join / BLEND_LENGTH, 0, 1)
    first_stroke = slice(int(np.flatnonzero(right[:, 2])[0]) + 1)
    steps = np.hypot(*np.diff(right[first_stroke, :2], axis=0, prepend=right[:1, :2]).T)
    right[first_stroke, 1] -= 0.5 * fall * np.clip(1 - steps.cumsum() / BLEND_LENGTH, 0, 1)
    return np.concatenate([left, right])
