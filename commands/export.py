"""Export a network to a small file to share, for other programs or for a browser."""

import argparse
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import model
from apps.hand.run_files import sample_of
from apps.web.page_networks import is_flat_file
from commands.shared import network_options, options
from commands.shared.network_options import Networks, Output, print_visible
from commands.shared.options import Parser
from utils.checks import CheckpointError, UserError
from utils.files import atomic_write, prepare_output, read_bytes, write_text

FLAT = ".bin"
"""Suffix of a flat file, see `apps.web.flat_file`; it is no archive, nor are the next two."""
SAFETENSORS = ".safetensors"
ONNX = ".onnx"


def add_options(parser: Parser) -> None:
    network_options.add_network(parser)
    file = "output file, enough to use and to fine-tune the network: in half precision, without "
    file += "training state, and without the config's paths, except paths that -o sets; its suffix "
    file += "is its format: .safetensors has a model card beside it; .onnx is the network of a "
    file += "reader, in single precision, for programs without PyTorch; .bin is for `web`, with "
    file += "weights of 8 bits; any other is a checkpoint"
    parser.add_argument("file", type=Path, metavar="FILE", nargs="?", help=file)
    output = "the same as FILE; with --format it may be a folder"
    parser.add_argument("--output", type=Path, metavar="PATH", help=output)
    form = "safetensors or onnx: the format of the file, or of a file `model` in a folder, whose "
    form += "card is README.md (default: by the suffix)"
    formats = [suffix[1:] for suffix in (SAFETENSORS, ONNX)]
    parser.add_argument("--format", choices=formats, help=form)
    ink = "for a network that learned a hand: also save a line that the person wrote; FILE.bin "
    ink += "contains the line, any other FILE has it in a .json file beside it, for `write "
    ink += "--style` (default: no ink leaves the run's folder)"
    parser.add_argument("--with-ink", action="store_true", help=ink)
    options.add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    networks = Networks.of(arguments)
    target = target_of(arguments)
    network = networks.load(arguments.resume)
    from base.run.checkpoint import file_content, load_checkpoint, to_share

    prepare_output(target, "FILE", is_checked_only=True)
    if target.exists() and (target.samefile(network.path) or not is_export(target)):
        problem = "exists, and is the checkpoint itself or no export; name another file"
        raise UserError(f"{target}: {problem}")
    ink = sample_of(network.path, "--with-ink") if arguments.with_ink else None
    if target.suffix == FLAT:
        if arguments.overrides:
            raise UserError(f"{target}: a {FLAT} file has no config; leave out -o and --data")
        from apps.web import flat_file

        flat_file.check_computable(network)
        prepare_output(target, "FILE")
        flat_file.save(target, network, ink)
        print_visible(f"{target}  ({target.stat().st_size / 2**20:.1f} MiB)")
        return
    checkpoint = to_share(load_checkpoint(network.path))
    if arguments.overrides:
        from parse_config import config_of

        shared = replace(network, path=target, record=checkpoint)
        checkpoint["config"] = config_of(shared, arguments.overrides).given_config
    shared = replace(network, record=checkpoint)
    texts = texts_beside(shared, target, ink)
    content = onnx_content(shared) if target.suffix == ONNX else file_content(target, checkpoint)
    prepare_output(target, "FILE")
    atomic_write(target, lambda file: file.write(content))
    old_size = network.path.stat().st_size
    new_size = target.stat().st_size
    print_visible(f"{target}  ({new_size / 2**20:.1f} MiB of {old_size / 2**20:.1f})")
    for path, text in texts.items():
        write_text(path, text)
        print_visible(path)


def target_of(arguments: argparse.Namespace) -> Path:
    """Return the file to write; its suffix is its format."""
    paths = [path for path in (arguments.file, arguments.output) if path]
    if len(paths) != 1:
        raise UserError("name one output: FILE or --output")
    if arguments.format is None:
        return paths[0]
    suffix = f".{arguments.format}"
    return Output(str(paths[0]), [suffix]).named(f"model{suffix}")


def is_export(path: Path) -> bool:
    """Return whether a file is a flat file, a graph, or a checkpoint without training state."""
    from base.run.checkpoint import load_checkpoint

    if path.suffix == FLAT:
        return is_flat_file(path)
    if path.suffix == ONNX:
        from model.recognition.onnx_graph import is_graph

        return is_graph(path)
    with suppress(CheckpointError):
        return "training" not in load_checkpoint(path)
    return False


def texts_beside(
    network: "model.TrainedNetwork", target: Path, ink: Path | None
) -> dict[Path, str]:
    """Return the texts to write beside a network's file: its card, and the line of a hand.

    Raises:
        UserError: if one of them would replace another file.
    """
    from model.model_card import CARD_NAME, MARK, model_card

    texts = {}
    if ink:
        texts[target.with_suffix(".json")] = read_bytes(ink).decode()
    if target.suffix == SAFETENSORS:
        card = CARD_NAME if target.stem == "model" else f"{target.stem}.md"
        texts[target.with_name(card)] = model_card(network, target.name)
    for path, text in texts.items():
        prepare_output(path, "FILE", is_checked_only=True)
        new = text.encode(errors="backslashreplace")
        old = read_bytes(path) if path.exists() else new
        is_card = path.suffix == ".md" and MARK.encode() in old
        if old != new and not is_card:
            raise UserError(f"{path} exists; name another file")
    return texts


def onnx_content(network: "model.TrainedNetwork") -> bytes:
    """Return the content of the file of a reader as an ONNX graph."""
    from base.run.checkpoint_safetensors import metadata_of
    from model.recognition.encoder import Recogniser
    from model.recognition.onnx_graph import to_onnx

    if not isinstance(network.model, Recogniser):
        kind = type(network.model).__name__
        problem = "does not read; what draws each point from those before is no ONNX graph"
        raise UserError(f"{network.path}: {kind} {problem}")
    return to_onnx(network.model, metadata_of(network.record))
