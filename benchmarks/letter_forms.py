"""Counts the forms of letters in hands: which forms the hands have, and how constant each hand is.

Letters are cut out of lines (`data_loader.composed.cutting`), and simple rules on their strokes
name their forms, such as a two-storey `a` or a crossed `7`. The hands are the styles of a network
and hands that it draws, or with --recorded CONFIG hands of the config's recorded lines.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measures import dataset_within, main
from commands import network_options, options
from data_loader import ComposedDataset
from data_loader.composed.alignment import AlignedLine, Alignment
from data_loader.composed.bank import BankHand
from data_loader.composed.cutting import CutLine, measured, measured_lines
from data_loader.paths import slanted, to_strokes
from handwriting.primers import extras_of_style
from handwriting.repairs import LetterStrokes
from handwriting.styles import network_of, styles
from model.generation.hand_encoder import hand_extra
from model.generation.line import Line, Sampling
from parse_config import plan_from_file
from utils.checks import UserError
from utils.ink import path_along

LETTERS = "agrstfkz147"
"""The characters whose forms `form` names."""
TEXTS = (
    "a great frog asks for a lazy tiger at 4:17",
    "grey foxes, zebras and kings gaze at stars",
    "1 raft, 4 kegs of zest, 7 forks, 14 figs",
    "after a frank talk, zigzag tracks start far away",
    "77 keys, 41 rafts and 44 stags at the fork",
    "strange freaks kept a fuzzy gift for 17 years",
)
"""What the network writes in each hand: each of `LETTERS` at least six times."""
MIN_LETTERS = 3
"""Least number of letters of a hand whose form counts (assumed)."""
MIN_STROKE = 0.3
"""Length in x-heights below which a stroke is a dot, and no part of a letter here (by eye)."""


class Letter(NamedTuple):
    """The strokes `(n, 2)` of an upright letter, in x-heights below the baseline."""

    strokes: list[np.ndarray]  # all that are no dots
    stem: np.ndarray  # the longest that is not flat
    corner: np.ndarray  # x and y of the upper left corner
    size: np.ndarray  # width and height
    bars: list[float]  # where the flat strokes are, from 0 (top) to 1 (bottom)

    @classmethod
    def of(cls, path: np.ndarray) -> "Letter | None":
        """Return the letter of a path; None if nothing stands upright in it."""
        strokes = [s for s in to_strokes(path) if path_along(s)[-1] >= MIN_STROKE]
        sizes = [np.ptp(stroke, axis=0) for stroke in strokes]
        is_flat = [high < min(0.45, 0.6 * wide) for wide, high in sizes]
        stems = [s for s, flat in zip(strokes, is_flat, strict=True) if not flat]
        if not stems:
            return None
        points = np.concatenate(strokes)
        corner, size = points.min(0), np.maximum(np.ptp(points, axis=0), 1e-6)
        bars = [s for s, flat in zip(strokes, is_flat, strict=True) if flat]
        heights = [float((bar[:, 1].mean() - corner[1]) / size[1]) for bar in bars]
        return cls(strokes, max(stems, key=lambda s: path_along(s)[-1]), corner, size, heights)

    def crossings(self, axis: int, fraction: float) -> np.ndarray:
        """Return where the pen crosses a fraction of the width (axis 0) or height (axis 1): sorted
        fractions of the other."""
        found = []
        for stroke in self.strokes:
            along, across = ((stroke - self.corner) / self.size).T[:: 1 - 2 * axis]
            side = along <= fraction
            hits = np.flatnonzero(side[1:] != side[:-1])
            part = (fraction - along[hits]) / (along[hits + 1] - along[hits])
            found.append(across[hits] + part * (across[hits + 1] - across[hits]))
        return np.sort(np.concatenate(found))

    def has_bar(self, top: float, bottom: float) -> bool:
        """Return whether a bar lies between two fractions of the height."""
        return any(top < height < bottom for height in self.bars)

    @property
    def tail(self) -> str:
        """Whether the stem stands on the baseline, hangs below it, or comes back in a loop."""
        lowest = int(self.stem[:, 1].argmax())
        if self.stem[lowest, 1] < 0.35:
            return "standing"
        end, down = self.stem[lowest:], self.stem[lowest::-1]  # the last way down, backwards
        back = end[int(end[:, 0].argmin()) :, 0].max()
        stem_x = down[np.abs(down[:, 1] - 0.15).argmin(), 0]
        return "looped" if back - end[:, 0].min() > 0.25 and back > stem_x - 0.1 else "hanging"


def form(character: str, letter: Letter) -> str | None:
    """Return the name of a letter's form; None if the letter is unclear, as a `t` without a bar."""
    (x, y), (wide, high) = ((letter.stem - letter.corner) / letter.size).T, letter.size
    stem, lowest, highest = letter.stem, int(y.argmax()), int(y.argmin())
    is_small = high < 0.5 or wide < 0.2
    match character:
        case "a" if not is_small:
            crossed = [letter.crossings(0, place) for place in (0.25, 0.33, 0.41, 0.5, 0.58)]
            levels = [np.sum(np.diff(level) > 0.16) + 1 for level in crossed]
            # The pen draws an arch before the bowl.
            right, bowl = (x > 0.55) & (y > 0.25) & (y < 0.7), (x < 0.35) & (y > 0.45)
            first = right.any() and (not bowl.any() or right.argmax() < bowl.argmax())
            is_two = np.median(levels) >= 3 and first and wide > 0.55 * high
            return "two-storey" if is_two else "one-storey"
        case "f":
            return letter.tail
        case "g" if letter.tail != "standing":
            return letter.tail
        case "k":
            return "one stroke" if len(letter.strokes) == 1 else "two strokes"
        case "r" if not is_small and wide < 1.5:
            if y[-1] > 0.6 and x[-1] > 0.55:
                return "shoulder"
            is_v = 0.2 < x[lowest] < 0.75 and x[0] < x[lowest] - 0.15 and y[0] < 0.5
            return "v" if is_v else "stem"
        case "s" if not is_small:
            return "upstroke" if y[0] > 0.55 else "plain"
        case "t" if letter.bars:
            return "curved" if stem[lowest:, 0].max() - stem[lowest, 0] > 0.25 else "straight"
        case "t" if stem[lowest, 1] - stem[lowest:, 1].min() > 0.5:
            return "one stroke"
        case "z":
            is_hanging = letter.corner[1] + high > 0.4
            return "hanging" if is_hanging else "barred" if letter.has_bar(0.2, 0.8) else "plain"
        case "1":
            is_flag = y[0] - y[highest] > 0.12 and (x[highest] - x[0]) * wide > 0.1
            foot = [*x[y > 0.85], x[lowest]]  # the stem may end above a longer stroke
            has_foot = letter.has_bar(0.75, 2) or np.ptp(foot) * wide > 0.4
            return ("flag" if is_flag else "bare") + (", foot" if has_foot else "")
        case "4":  # open: where both uprights have begun, they stand apart
            places = [letter.crossings(1, place) for place in np.linspace(0.05, 0.6, 12)]
            both = [found for found in places if len(found) > 1]
            return "open" if both and both[0][-1] - both[0][0] > 0.25 else "closed"
        case "7":
            sides = [letter.crossings(0, place) for place in (0.15, 0.8)]  # a bar without a lift
            on_both = all(((side > 0.35) & (side < 0.8)).any() for side in sides)
            return "crossed" if letter.has_bar(0.3, 0.85) or on_both else "bare"
    return None


def counts_of(lines: Sequence[CutLine]) -> dict[str, Counter[str]]:
    """Return how often a hand's lines have each form of each letter."""
    slant, counts = BankHand([*lines]).slant, defaultdict(Counter)
    for line in lines:
        for index, character in enumerate(line.text):
            if character in LETTERS and line.is_usable[index] and line.edges(index, index):
                letter = Letter.of(slanted(line.piece(index, index).path, -slant))
                if letter and (name := form(character, letter)):
                    counts[character][name] += 1
    return counts


def cut(line: Line) -> CutLine | None:
    """Return a written line, cut where the network's window moves on to the next character."""
    text = line.written_text
    characters = np.concatenate(LetterStrokes.of(line).indices) - (len(line.text) - len(text))
    characters = np.maximum.accumulate(np.clip(characters, 0, len(text) - 1))
    all_read = np.ones(len(text), bool)
    counts = np.bincount(characters, minlength=len(text))
    return measured(line.written, text, AlignedLine(counts, all_read, ~all_read, 0))


def recorded_hands(arguments: argparse.Namespace) -> dict[str, list[CutLine]]:
    """Return the lines of random hands of a config with a `ComposedDataset`, by hand."""
    config = plan_from_file(arguments.recorded, arguments.overrides)
    dataset = dataset_within(config.build("data_loader").dataset, ComposedDataset)
    samples = defaultdict(list)
    for sample in dataset.dataset.load().used:
        samples[sample.hand].append(sample)
    names = np.random.default_rng(arguments.seed).permutation(sorted(samples))
    chosen = [sample for name in names[: arguments.hands] for sample in samples[name]]
    hands = defaultdict(list)
    for sample, line in measured_lines(chosen, Alignment.load(dataset.alignment)):
        hands[sample.hand].append(line)
    return hands


def written_hands(arguments: argparse.Namespace) -> dict[str, list[CutLine]]:
    """Return lines of all styles of a network, and of hands that it draws, by hand."""
    writer = network_options.Networks.of(arguments).writer(arguments.resume)
    if not writer.is_told:
        raise UserError(f"{writer.path} is told no hand: name a network that is, such as writer")
    extras = {
        name: extras_of_style(path)
        for name, path in styles().items()
        if network_of(path).resolve() == writer.path.resolve()
    }
    for seed in range(arguments.seed, arguments.seed + arguments.hands):
        extras[f"drawn {seed}"] = {"hand": hand_extra(writer.model.hand_encoder.draw(seed))}
    hands, seeds = {}, range(arguments.seed, arguments.seed + len(TEXTS))
    for name, hand in extras.items():
        lines = writer.write_lines(TEXTS, seeds, Sampling(arguments.bias, extras=hand))
        hands[name] = [line for line in map(cut, lines) if line]
    return hands


def print_forms(hands: Sequence[dict[str, Counter[str]]]) -> None:
    """Print for each letter how many hands have it, the mean share of a hand's commonest form, and
    how many hands have each form as their commonest."""
    print("letter  hands  constant  forms")
    for letter in LETTERS:
        counts = [hand[letter] for hand in hands if hand[letter].total() >= MIN_LETTERS]
        shares = [hand.most_common(1)[0][1] / hand.total() for hand in counts]
        forms = Counter(hand.most_common(1)[0][0] for hand in counts).most_common()
        named = ", ".join(f"{form} {count}" for form, count in forms)
        constant = float(np.mean(shares)) if shares else np.nan
        print(f"{letter:<8}{len(counts):<7}{constant:<10.2f}{len(forms)}: {named}")


def run(arguments: argparse.Namespace) -> None:
    """Print the forms of the hands."""
    hands = recorded_hands(arguments) if arguments.recorded else written_hands(arguments)
    print_forms([*map(counts_of, hands.values())])


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    network_options.add_network(parser, default="writer")
    options.add_overrides(parser)
    network_options.add_seed(
        parser, "seed of the first drawn hand, or of the choice of recorded ones"
    )
    parser.add_argument(
        "--bias", type=float, default=Sampling.bias, help="see experiments.py write"
    )
    parser.add_argument("--recorded", type=Path, metavar="CONFIG", help="config of recorded lines")
    hands_help = "number of drawn or recorded hands (default: 8)"
    parser.add_argument("--hands", type=int, default=8, metavar="N", help=hands_help)
    main(run, parser)
