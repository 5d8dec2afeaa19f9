"""Draw pairs of lines of two networks to choose between by eye, or count the votes."""

import argparse
from dataclasses import replace
from pathlib import Path

from base.pretrained import resolve_checkpoint
from commands import options
from commands.options import Parser, number
from utils.checks import ConfigFault, Range, UserError
from utils.files import write_json

PAIRS = 100
"""Pairs without --text-file and --num-samples."""

ON_PAGE = 10
"""Pairs in one picture."""

KEY = "key.json"
"""The file that tells which network wrote which line."""


def add_options(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "networks",
        nargs="*",
        metavar="CHECKPOINT",
        help="two checkpoint files, run folders, or names of pretrained networks, which write "
        "texts; none with --votes",
    )
    options.add_common(parser)
    add(
        "--text-file",
        type=Path,
        metavar="FILE",
        help="texts to write, one in each line (default: --num-samples sentences that no network "
        "was trained on)",
    )
    options.add_skip_unknown(parser)
    steps = "default: enough for its text"
    options.add_sampling(parser, samples=f"pairs (default: {PAIRS})", steps=steps, bias=False)
    add(
        "--biases",
        type=number(float, Range(0, 100)),
        nargs="+",
        metavar="B",
        help="bias of both networks, or of each (default: 0.5), e.g. --biases 0.5 0.75",
    )
    options.add_seed(
        parser,
        "chooses the sides; seed of the first line of the first network, incremented for each "
        "further line, those of the second network last",
    )
    add(
        "--votes",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="count votes instead: of each judge a file with lines such as `3 left`, `4 right` or "
        f"`5 equal`; --output is the folder of {KEY}",
    )
    options.add_output(parser)


def check(arguments: argparse.Namespace) -> None:
    if len(arguments.networks) != (0 if arguments.votes else 2):
        needed = "--votes takes no networks" if arguments.votes else "two networks are compared"
        raise UserError(f"{needed}, {len(arguments.networks)} are given")
    if arguments.text_file and arguments.num_samples:
        raise UserError("each line of --text-file is written once: leave out --num-samples")
    if arguments.skip_unknown and not arguments.text_file:
        raise UserError("--skip-unknown is for a --text-file")
    if len(arguments.biases or ()) > 2:
        raise UserError("--biases: one for both networks, or one for each")


def run(arguments: argparse.Namespace) -> None:
    if arguments.votes:
        count_votes(arguments)
    else:
        draw(arguments)


def draw(arguments: argparse.Namespace) -> None:
    """Let both networks write, and draw the pairs and their key."""
    for name in arguments.networks:
        resolve_checkpoint(name)
    texts = None if arguments.text_file is None else options.lines_of(arguments.text_file)
    writers = [options.load(name, arguments, to="write texts") for name in arguments.networks]
    from data_loader.synthetic.corpus import held_out
    from model.generation.options import Sampling
    from utils.plots import draw_pairs
    from utils.preference import first_is_left

    options.make_output(arguments.output)
    skip = arguments.skip_unknown or texts is None
    texts = texts or held_out(arguments.num_samples or PAIRS)
    for writer in writers:
        texts = options.known(writer.model.alphabet, texts, skip)
    count, biases = len(texts), arguments.biases or [Sampling.bias]
    biases = [biases[0], biases[-1]]
    sampling = options.sampling_of(arguments)
    written = []
    for which, (writer, bias) in enumerate(zip(writers, biases, strict=True)):
        start = arguments.seed + which * count
        seeds = range(start, start + count)
        lines = writer.write_lines(texts, seeds, replace(sampling, bias=bias), progress=True)
        written.append([line.ink for line in lines])
    left = first_is_left(count, arguments.seed).tolist()
    pairs = [
        (one, other) if is_left else (other, one)
        for one, other, is_left in zip(*written, left, strict=True)
    ]
    for start in range(0, count, ON_PAGE):
        part = slice(start, start + ON_PAGE)
        path = arguments.output / f"blind-{start // ON_PAGE + 1:02d}.png"
        draw_pairs(path, pairs[part], texts[part], first=start + 1)
        print(path)
    path = arguments.output / KEY
    write_json(
        path,
        {
            "networks": [str(writer.path) for writer in writers],
            "biases": biases,
            "seed": arguments.seed,
            "first_is_left": left,
            "texts": texts,
        },
    )
    print(f"{path}  (tells which is which: not to be looked at before the votes)")


def count_votes(arguments: argparse.Namespace) -> None:
    """Print how often each network was preferred."""
    from utils.preference import Tally, votes_of
    from utils.strict_json import read

    path = arguments.output / KEY
    try:
        key = read(path)
        left, names, biases = key["first_is_left"], key["networks"], key["biases"]
    except ConfigFault as fault:
        raise UserError(f"{path}: {fault.expected}; --output is where `blind` wrote it") from None
    except (KeyError, TypeError):
        raise UserError(f"{path}: not a key that `blind` wrote") from None
    votes = [votes_of(options.lines_of(file), len(left), str(file)) for file in arguments.votes]
    tally = Tally.count(votes, left)
    low, high = tally.interval
    for name, bias, count in zip(names, biases, (tally.first, tally.second), strict=True):
        print(f"{count:>6}  {name} at bias {bias:g}")
    print(f"{tally.equal:>6}  equal")
    print(
        f"the first is preferred in {tally.share:.1%} of {tally.first + tally.second} votes for "
        f"one of them (95 % interval over {tally.pairs} pairs, Wilson: {low:.1%} to {high:.1%})"
    )
