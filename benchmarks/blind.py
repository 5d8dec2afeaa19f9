"""Pairs of lines of two networks to choose between by eye, and what the votes say.

Nothing in the pictures tells which network wrote which line; the file key.json does.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measures import main
from commands import options
from data_loader.synthetic.corpus import held_out
from model.generation.options import Sampling
from utils.checks import UserError
from utils.files import write_json
from utils.ink import x_height
from utils.plots import grid_figure, write_png

ON_PAGE, KEY = 10, "key.json"
"""Pairs in one picture, and the file that tells which network wrote which line."""
VOTES = ("left", "right", "equal")


def run(arguments: argparse.Namespace) -> None:
    """Draw pairs, or count votes."""
    if arguments.votes:
        count_votes(arguments)
    elif len(arguments.networks) == 2:
        draw(arguments)
    else:
        raise UserError("two networks are compared")


def draw(arguments: argparse.Namespace) -> None:
    """Let both networks write, and draw the pairs and their key."""
    writers = [options.load_writer(name, arguments, of_texts=True) for name in arguments.networks]
    texts = options.lines_of(arguments.text_file) if arguments.text_file else held_out(100)
    for writer in writers:
        texts = options.without_unknown(writer.model.alphabet, texts, skip=True)
    arguments.output.make()
    count, biases = len(texts), [arguments.biases[0], arguments.biases[-1]]
    inks = []
    for which, (writer, bias) in enumerate(zip(writers, biases, strict=True)):
        start = arguments.seed + which * count
        lines = writer.write_lines(
            texts, range(start, start + count), Sampling(bias), progress=True
        )
        inks.append([line.ink / [*[x_height(line.ink)] * 2, 1.0] for line in lines])
    chance = np.random.default_rng(arguments.seed)
    left = chance.permutation(np.arange(count) < count // 2).tolist()
    pairs = [pair if first else pair[::-1] for *pair, first in zip(*inks, left, strict=True)]
    for start in range(0, count, ON_PAGE):
        part = slice(start, start + ON_PAGE)
        path = arguments.output.folder / f"blind-{start + 1:03d}.png"
        names = [f"{start + number}" for number, _ in enumerate(pairs[part], 1)]
        write_png(path, grid_figure(pairs[part], names, VOTES[:2], " · ".join(texts[part])))
        print(path)
    key = {"networks": [str(writer.path) for writer in writers], "biases": biases, "texts": texts}
    path = arguments.output.folder / KEY
    write_json(path, key | {"first_is_left": left})
    print(f"{path}  (tells which is which: not to be looked at before the votes)")


def count_votes(arguments: argparse.Namespace) -> None:
    """Print how often each network was preferred, and the interval of the first one's share."""
    key = json.loads((arguments.output.folder / KEY).read_text())
    left = key["first_is_left"]
    votes = [votes_of(options.lines_of(file), len(left), str(file)) for file in arguments.votes]
    first, second, equal, pairs = tally(votes, left)
    for name, bias, number in zip(key["networks"], key["biases"], (first, second), strict=True):
        print(f"{number:>6}  {name} at bias {bias:g}")
    print(f"{equal:>6}  equal")
    if not pairs:
        return
    share = first / (first + second)
    # Judges see the same two lines, so that their votes on a pair are not independent.
    low, high = binomtest(round(share * pairs), pairs).proportion_ci(method="wilson")
    print(
        f"the first is preferred in {share:.1%} of {first + second} votes for one of them (95 % "
        f"interval over {pairs} pairs, Wilson: {low:.1%} to {high:.1%})"
    )


def votes_of(lines: Sequence[str], pairs: int, source: str) -> dict[int, str]:
    """Return the vote on each pair, numbered from 1, that lines such as "3 left" contain.

    Raises:
        UserError: naming the line that is something else, or votes on a pair again.
    """
    votes: dict[int, str] = {}
    for line in lines:
        number, _, vote = line.lower().partition(" ")
        pair = int(number) if number.isdecimal() else 0
        if not 1 <= pair <= pairs or vote.strip() not in VOTES or pair in votes:
            raise UserError(
                f"{source}: {line!r}: a pair from 1 to {pairs}, each once, and left, right or "
                "equal is expected, such as '3 left'"
            )
        votes[pair] = vote.strip()
    return votes


def tally(votes: Sequence[Mapping[int, str]], left: Sequence[bool]) -> tuple[int, int, int, int]:
    """Return how often the first hand was preferred, the second and neither, and on how many pairs
    one was, by any judge.

    Args:
        votes: of each judge, by the number of the pair.
        left: for each pair whether the first hand is left.
    """
    counts, decided = [0, 0, 0], set()
    for pair, vote in (item for one in votes for item in one.items()):
        side = VOTES.index(vote)
        counts[side if side == 2 else side ^ (not left[pair - 1])] += 1
        decided |= {pair} if side < 2 else set()
    return *counts, len(decided)


if __name__ == "__main__":
    parser = options.Parser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("networks", nargs="*", metavar="CHECKPOINT", help="two; none with --votes")
    options.add_common(parser)
    options.add_seed(parser, "chooses the sides; seed of the first line")
    options.add_output(parser)
    add("--text-file", type=Path, help="a text in each line (default: 100 sentences)")
    add("--biases", type=float, nargs="+", default=[0.5], help="of both, or of each (default: 0.5)")
    add("--votes", type=Path, nargs="+", help="of each judge a file of lines such as `3 left`")
    main(run, parser)
