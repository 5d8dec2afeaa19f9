"""Continue the beginnings of recorded lines, in one picture."""

import argparse

from commands import options
from commands.options import Parser, number
from utils.checks import Range, UserError

LINES, POINTS, STEPS = 6, 50, 200
"""Defaults of --num-samples, --primer-points and --steps: lines, points of each beginning, and
points written after it."""


def add_options(parser: Parser) -> None:
    options.add_network(parser)
    options.add_split(parser, "split whose lines are continued: ")
    parser.add_argument(
        "--primer-points",
        type=number(int, Range(1)),
        default=POINTS,
        metavar="N",
        help=f"points of each beginning (default: {POINTS}), e.g. --primer-points 100",
    )
    steps = f"after the beginning; default: {STEPS}"
    options.add_sampling(parser, samples=f"lines (default: {LINES})", steps=steps)
    options.add_seed(parser, "chooses the lines; seed of the first, incremented for each further")
    options.add_output(parser, (".png",))


def run(arguments: argparse.Namespace) -> None:
    writer = options.load(arguments.resume, arguments, to="write")
    arguments.steps = arguments.steps or STEPS
    sampling = options.sampling_of(arguments, writer)
    import numpy as np

    from parse_config import data_of
    from utils.plots import draw_lines

    options.make_output(arguments.output, (".png",))
    count, points, split = arguments.num_samples or LINES, arguments.primer_points, arguments.split
    loader, needs_text = data_of(writer, arguments.overrides), writer.model.needs_text
    loader.split(split)
    source = loader.source
    fitting = [
        index
        for index in source.indices(split).tolist()
        if source.lengths[index] > points and (source.text(index) or not needs_text)
    ]
    if len(fitting) < count:
        raise UserError(
            f"the split {split!r} has {len(fitting)} lines of more than {points} points, {count} "
            "are needed: reduce --num-samples or --primer-points"
        )
    chosen = np.random.default_rng(arguments.seed).choice(fitting, count, replace=False).tolist()
    lines, captions = [], []
    for seed, index in enumerate(chosen, arguments.seed):
        # The whole text from the start: the window finds its own way along the primer.
        (line,) = writer.write_lines(
            [source.text(index)] if needs_text else None,
            [seed],
            sampling,
            primer=(source.ink(index)[:points], ""),
        )
        lines.append(line)
        name = source.name(index) + ("" if line.text is None else f" · {line.text}")
        captions.append(f"{name}{writer.sharpening(sampling)} · seed {seed}")
        print(f"{name}: {len(line.ink) - line.primed} points after the first {line.primed}")
    path = options.picture(arguments.output, f"{writer.name}-continued.png")
    draw_lines(
        path, [line.ink for line in lines], captions, primers=[line.primed for line in lines]
    )
    print(f"{path}  ({count} lines)")
