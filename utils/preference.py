"""Blind comparison of two hands by eye: which is on which side, and what the votes say."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from utils.checks import UserError

SIDES = ("left", "right")
VOTES = (*SIDES, "equal")

QUANTILE = 1.959964
"""Of the normal distribution at 0.975, for intervals of 95 %."""


def first_is_left(count: int, seed: int) -> np.ndarray:
    """Return by chance on which pairs the first of two is left, `(count,)` bool: on half of them,
    rounded down."""
    return np.random.default_rng(seed).permutation(np.arange(count) < count // 2)


def votes_of(lines: Sequence[str], pairs: int, source: str) -> dict[int, str]:
    """Return the vote on each pair that lines such as "3 left" contain.

    Args:
        lines: each the number of a pair and one of `VOTES`, apart by blanks.
        pairs: how many there are, numbered from 1.
        source: the file, for the error.

    Raises:
        UserError: naming the line that is something else, or votes on a pair again.
    """
    votes: dict[int, str] = {}
    for line in lines:
        parts = line.lower().split()
        number, vote = parts if len(parts) == 2 else ("", "")
        pair = int(number) if number.isdecimal() else 0
        if not 1 <= pair <= pairs or vote not in VOTES:
            raise UserError(
                f"{source}: {line!r}: a pair from 1 to {pairs} and {', '.join(SIDES)} or equal is "
                "expected, such as '3 left'"
            )
        if pair in votes:
            raise UserError(f"{source}: pair {pair} has two votes")
        votes[pair] = vote
    return votes


@dataclass(frozen=True)
class Tally:
    """The votes on two hands.

    Attributes:
        first, second: how often each was preferred.
        equal: how often neither.
        pairs: on how many pairs one was preferred, by any judge.
    """

    first: int = 0
    second: int = 0
    equal: int = 0
    pairs: int = 0

    @classmethod
    def count(cls, votes: Sequence[Mapping[int, str]], left: Sequence[bool]) -> "Tally":
        """Count votes.

        Args:
            votes: of each judge, by the number of the pair.
            left: for each pair whether the first hand is left.
        """
        counts = [0, 0, 0]
        for one in votes:
            for pair, vote in one.items():
                side = VOTES.index(vote)
                counts[side if side == 2 else side ^ (not left[pair - 1])] += 1
        decided = {pair for one in votes for pair, vote in one.items() if vote in SIDES}
        return cls(*counts, len(decided))

    @property
    def share(self) -> float:
        """The first one's share of the votes that prefer one; NaN without any."""
        decided = self.first + self.second
        return self.first / decided if decided else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `share`, see `wilson`, over pairs: judges see the same two lines, so
        that their votes on a pair are not independent."""
        return wilson(self.share * self.pairs, self.pairs)


def wilson(successes: float, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a binomial probability (Wilson 1927); (0, 1) without a trial."""
    if not trials:
        return 0.0, 1.0
    share, square = successes / trials, QUANTILE**2 / trials
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return max(middle - half, 0.0), min(middle + half, 1.0)
