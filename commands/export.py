"""Writes a trained network into a small file to share."""

import argparse
from pathlib import Path

from base.pretrained import located
from commands import options
from commands.options import Parser
from utils.checks import CheckpointError, UserError


def add_options(parser: Parser) -> None:
    options.add_network(parser)
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="the file, with what it takes to use the network, and to start another training from "
        "it: weights in half precision, without the state of the training; -o changes what its "
        "config says, such as where the data lie",
    )
    options.add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    located(arguments.resume)
    from base.checkpoint import load_checkpoint, save_checkpoint, to_share

    network, target = options.load(arguments.resume, arguments), arguments.file
    if target.exists():
        if target.samefile(network.path):
            raise UserError(f"{target}: that is the checkpoint itself; name another file")
        try:
            holds_training = "training" in load_checkpoint(target)
        except CheckpointError:
            holds_training = False
        if holds_training:
            raise UserError(
                f"{target}: that checkpoint holds the state of a training, which would be lost; "
                "name another file"
            )
    checkpoint = load_checkpoint(network.path)
    if arguments.overrides:
        from parse_config import config_of

        checkpoint["config"] = config_of(network, arguments.overrides).stored
    save_checkpoint(target, to_share(checkpoint))
    before, after = network.path.stat().st_size, target.stat().st_size
    print(f"{target}  ({after / 2**20:.1f} MiB of {before / 2**20:.1f})")
