"""Export a trained network to a small file to share, or for the page in a browser."""

import argparse
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from apps.hand.run_files import sample_of
from apps.web.page_networks import is_flat_file
from commands.shared import network_options, options
from commands.shared.network_options import Networks
from commands.shared.options import Parser
from utils.checks import CheckpointError, UserError
from utils.files import prepare_output, read_bytes, write_text

FLAT = ".bin"  # suffix of flat files, see `apps.web.flat_file`


def add_options(parser: Parser) -> None:
    network_options.add_network(parser)
    file = "output file, enough to use and to fine-tune the network: in half precision, without "
    file += "training state, and without the config's paths, except paths that -o sets; FILE.bin "
    file += "is for `web`, with weights of 8 bits"
    parser.add_argument("file", type=Path, metavar="FILE", help=file)
    ink = "for a network that learned a hand: also save a line that the person wrote; FILE.bin "
    ink += "contains the line, any other FILE has it in a .json file beside it, for `write "
    ink += "--style` (default: no ink leaves the run's folder)"
    parser.add_argument("--with-ink", action="store_true", help=ink)
    options.add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    networks, target = Networks.of(arguments), arguments.file
    network = networks.load(arguments.resume)
    from base.run.checkpoint import load_checkpoint, save_checkpoint, to_share

    prepare_output(target, "FILE", is_checked_only=True)
    if target.exists() and (target.samefile(network.path) or not is_export(target)):
        problem = "exists, and is the checkpoint itself or no export; name another file"
        raise UserError(f"{target}: {problem}")
    ink = sample_of(network.path, "--with-ink") if arguments.with_ink else None
    ink_copy = target.with_suffix(".json")
    if target.suffix == FLAT:
        if arguments.overrides:
            raise UserError(f"{target}: a {FLAT} file has no config; leave out -o and --data")
        from apps.web import flat_file

        flat_file.check_known(network)
        prepare_output(target, "FILE")
        flat_file.save(target, network, ink)
        print(f"{target}  ({target.stat().st_size / 2**20:.1f} MiB)")
        return
    if ink:
        prepare_output(ink_copy, "--with-ink", is_checked_only=True)
        if ink_copy.exists() and read_bytes(ink_copy) != read_bytes(ink):
            raise UserError(f"--with-ink: {ink_copy} exists; name another file")
    checkpoint = to_share(load_checkpoint(network.path))
    if arguments.overrides:
        from parse_config import config_of

        shared = replace(network, path=target, record=checkpoint)
        checkpoint["config"] = config_of(shared, arguments.overrides).given_config
    prepare_output(target, "FILE")
    save_checkpoint(target, checkpoint)
    old_size, new_size = network.path.stat().st_size, target.stat().st_size
    print(f"{target}  ({new_size / 2**20:.1f} MiB of {old_size / 2**20:.1f})")
    if ink:
        write_text(ink_copy, read_bytes(ink).decode())
        print(ink_copy)


def is_export(path: Path) -> bool:
    """Return whether a file is a flat file, or a checkpoint without training state."""
    from base.run.checkpoint import load_checkpoint

    if path.suffix == FLAT:
        return is_flat_file(path)
    with suppress(CheckpointError):
        return "training" not in load_checkpoint(path)
    return False
