"""Saves weights between those of two networks of one architecture, with the hands of the first.

A training stores the hands of its last batches in the place of those from which new hands are
drawn (`HandEncoder`), whether or not they are legible; the first network's were chosen. The noise
on hand vectors makes a network in training heed the hand less than a network in use should, which
a factor of the weights from hand to gates makes good (notebook: hands, conditioning a writer).
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from apps.hand.exam import interpolated
from apps.hand.fine_tuning import save
from commands.shared import network_options, options
from commands.shared.scripts import main
from model.loading import Writer
from utils.checks import UserError, number
from utils.files import prepare_output

STORED_HANDS = "hand_encoder.hands"
"""The name in a writer's weights of the hands from which new ones are drawn."""
HAND_GATES = "hand_gates.weight"
"""The name of those by which a hand vector acts on the gates of a writer's layers."""


def run(arguments: argparse.Namespace) -> None:
    """Save the weights."""
    networks = network_options.Networks.of(arguments)
    before: Writer = networks.writer(arguments.before, of_texts=True)
    after: Writer = networks.writer(arguments.resume, of_texts=True)
    prepare_output(arguments.output, "--output")
    old, new = before.model.state_dict(), after.model.state_dict()
    shapes = [{name: weight.shape for name, weight in each.items()} for each in (old, new)]
    if shapes[0] != shapes[1]:
        raise UserError(f"{before.path} and {after.path} have weights of different shapes")
    weights = interpolated(old, new, arguments.fraction)
    if STORED_HANDS in old:
        weights[STORED_HANDS] = old[STORED_HANDS]
        weights[HAND_GATES] = arguments.hand_factor * weights[HAND_GATES]
    elif arguments.hand_factor != 1.0:
        raise UserError(f"--hand-factor: {before.path} takes no hand vector")
    after.model.load_state_dict(weights)
    save(arguments.output, after)
    print(arguments.output)


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    parser.add_argument("before", help="name or checkpoint of the network before")
    network_options.add_network(parser, default="writer")
    add = parser.add_argument
    fraction = "of the way to the network -r (default: 1)"
    add("--fraction", type=number(float, 0, 1), default=1.0, help=fraction)
    factor = "factor of the influence of a hand (default: 1)"
    add("--hand-factor", type=number(float, 0, 10), default=1.0, help=factor)
    add("--output", type=Path, required=True, help="file for the weights")
    main(run, parser)
