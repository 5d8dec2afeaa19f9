"""Open a page in the browser that writes, reads, and records a hand."""

import argparse
import webbrowser
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from commands.options import Parser, number
from commands.writing_options import ink_of
from handwriting import page_networks
from utils.checks import UserError
from utils.local_server import LocalPage, LocalServer

PORT = 8753
"""Default port. It must stay the same, because browsers keep recorded lines by address and port."""
FOLDER = Path(__file__).resolve().parents[1] / "web"
NETWORKS = [FOLDER / "networks" / f"{name}.bin" for name in ("writer", "reader", "descriptor")]


def add_options(parser: Parser) -> None:
    port = "port of the page; a browser keeps recorded lines by port (default: %(default)s)"
    parser.add_argument("--port", type=number(int, 1, 65535), default=PORT, metavar="N", help=port)
    hand = "folder of a run that learned a person's hand: the page writes with the run's network "
    hand += "(default: with the network writer)"
    parser.add_argument("--hand", metavar="RUN_FOLDER", help=hand)


def run(arguments: argparse.Namespace) -> None:
    with TemporaryDirectory() as folder:
        files = page_files()
        make_networks()
        if arguments.hand:
            print(f"measuring the hand of {arguments.hand}", flush=True)
            from handwriting import flat_file
            from model.loading import load_writer

            writer = load_writer(arguments.hand, "cpu")
            files["/networks/writer.bin"] = hand = Path(folder, "hand.bin")
            flat_file.save(hand, writer, ink_of(writer, "--hand"))
        with _listen(arguments.port, files) as server:
            address = f"http://127.0.0.1:{server.server_port}/"
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:  # The usual end of the command.
                print()


def make_networks() -> None:
    """Make the networks of the page that are missing, or older than their checkpoints."""
    paths = page_networks.missing(NETWORKS)
    if paths:
        names = ", ".join(path.stem for path in paths)
        print(f"making networks of the page, which takes half a minute: {names}", flush=True)
        from handwriting import flat_file

        flat_file.make(paths)
    for path in paths:
        print(f"{path}  ({path.stat().st_size / 2**20:.1f} MiB)")


def page_files() -> dict[str, Path]:
    """Return the files of the page by their addresses on the server."""
    paths = [*filter(Path.is_file, FOLDER.iterdir()), *NETWORKS]
    addresses = {f"/{path.relative_to(FOLDER).as_posix()}": path for path in paths}
    return addresses | {"/": FOLDER / "index.html"}


def _listen(port: int, files: Mapping[str, Path]) -> LocalServer:
    """Return a server on a port; `files` are the page's files by address."""
    try:
        return LocalServer(("127.0.0.1", port), partial(LocalPage, files))
    except OSError as error:
        reason = f"{error.strerror}; choose another one with --port"
        raise UserError(f"--port {port}: cannot be served ({reason})") from None
