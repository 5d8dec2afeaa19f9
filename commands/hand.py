"""Show how a network learned a person's hand, and measure how like it is."""

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from base.pretrained import HAND_SPACE, styles
from commands import options
from commands.options import Parser, number
from commands.page_options import BIAS
from utils.checks import DataError, Range, UserError

SHOWN = 3
"""Lines of the person in the picture."""
LINES = 20
"""Default of --num-samples."""


def add_options(parser: Parser) -> None:
    options.add_network(parser)
    add = parser.add_argument
    add(
        "--text",
        action="append",
        help="what the network writes at the end of the picture; may be given several times "
        "(default: a sentence)",
    )
    options.add_bias(parser, BIAS)
    add(
        "--num-samples",
        type=number(int, Range(1, 1000)),
        default=LINES,
        metavar="N",
        help=f"sentences by which the likeness is measured (default: {LINES})",
    )
    add(
        "--reader",
        default="judge",
        help="recogniser that says how legible they are (default: judge)",
    )
    options.add_seed(parser, "seed of the first line")
    options.add_output(parser, (".png",))
    options.add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    learned = options.load(arguments.resume, arguments, to="write")
    from base.run_folder import RunFolder
    from trainer import own_hand

    folder = RunFolder.of(learned.path)
    before = None if folder is None else folder.first_weights()
    if before is None or not (folder.models / own_hand.FILE).exists():
        raise UserError(
            f"{learned.path}: no run that learned a hand, such as saved/models/own_hand/RUN_ID"
        )
    former = options.load(str(before), arguments, to="write")
    reader = options.load(arguments.reader, arguments, to="read")
    texts = options.known(learned.model.alphabet, arguments.text or [SENTENCE], None)
    source, primer = lines_of(learned, folder.models, arguments)
    options.make_output(arguments.output, (".png",))
    path = options.picture(arguments.output, f"{folder.run_id}-hand.png")
    draw(path, arguments, source, {"before": former, "now": learned}, primer, texts)
    print(path)
    measure(arguments, source, {"before": former, "now": learned}, primer, reader)


SENTENCE = "This is what the network writes in that hand"


def lines_of(network: Any, folder: Path, arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Return the lines that a network learned from, in its units, and the one to prime it with."""
    from parse_config import data_of
    from trainer import own_hand

    source = data_of(network, arguments.overrides).source
    own_hand.use(source, own_hand.Prepared.load(folder / own_hand.FILE))
    source.prepare()
    return source, options.samples_of([folder / own_hand.SAMPLE], network)[0]


def draw(
    path: Path,
    arguments: argparse.Namespace,
    source: Any,
    networks: dict[str, Any],
    primer: tuple[Any, str],
    texts: list[str],
) -> None:
    """Draw lines of the person, each as the networks write it, and texts in the hand."""
    from utils.plots import draw_lines

    sampling = options.sampling_of(arguments)
    inks, captions = [], []
    own = [k for k in source.indices("valid").tolist() if source.text(k) != primer[1]][:SHOWN]
    said = [source.text(k) for k in own]
    seeds = range(arguments.seed, arguments.seed + len(said) + len(texts))
    written = {
        name: network.write_lines([*said, *texts], list(seeds), sampling, primer=primer)
        for name, network in networks.items()
    }
    for row, index in enumerate(own):
        inks.append(source.ink(index))
        captions.append(f"the person: {said[row]}")
        for name, lines in written.items():
            inks.append(lines[row].visible)
            captions.append(f"the network {name}")
    for line in written["now"][len(own) :]:
        inks.append(line.visible)
        captions.append("the network now")
    draw_lines(path, inks, captions)


def measure(
    arguments: argparse.Namespace,
    source: Any,
    networks: dict[str, Any],
    primer: tuple[Any, str],
    reader: Any,
) -> None:
    """Print how far lines are from the hand, and how they are read."""
    import numpy as np

    from data_loader.sources.ink_files import read_ink
    from data_loader.synthetic.corpus import held_out
    from model.recognition.error_rates import rates
    from utils import hand_likeness

    space = hand_likeness.load(HAND_SPACE)
    own = space.embed([source.ink(k) for k in source.own])

    def distance(places: Any, middle: Any = None) -> float:
        away = places - (own.mean(axis=0) if middle is None else middle)
        return float(np.sqrt((away**2).mean(axis=1)).mean())

    others = [np.delete(own, k, axis=0).mean(axis=0) for k in range(len(own))]
    each = [distance(own[k : k + 1], middle) for k, middle in enumerate(others)]
    samples = [read_ink(file)[0].ink for file in styles().values()]
    print("distance from this hand, where lines of one hand spread by 1 about their mean:")
    print(f"  {np.mean(each):.2f}  each of the person's {len(own)} lines, from the others")
    if samples:
        print(f"  {distance(space.embed(samples)):.2f}  the samples of {len(samples)} styles")
    texts = held_out(arguments.num_samples)
    seeds = list(range(arguments.seed, arguments.seed + len(texts)))
    for name, network in networks.items():
        for how, given in (("alone", None), ("primed", primer)):
            sampling = options.sampling_of(arguments)
            lines = network.write_lines(texts, seeds, sampling, primer=given)
            misread = rates(zip(texts, reader.read_lines(lines), strict=True))["cer"]
            places = []
            for line in lines:
                with suppress(DataError):  # Of a dot no hand can be told.
                    places.append(space.embed([line.visible]))
            good = np.concatenate(places) if places else np.full((1, own.shape[1]), np.nan)
            print(
                f"  {distance(good):.2f}  {len(texts)} sentences, by the network {name}, {how}; "
                f"{misread:.1%} of the characters misread"
            )
