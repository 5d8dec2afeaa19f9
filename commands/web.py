"""Write, read and record a hand in the browser, or save the page as a static site."""

import argparse
import webbrowser
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from apps.hand.run_files import sample_of
from apps.web import site
from commands.shared.options import Parser
from utils.checks import UserError, number
from utils.local_server import LocalPage, LocalServer

PORT = 8753
"""Default port. It must stay the same, because browsers keep recorded lines by address and port."""
HEADERS = """Let the host send these headers, which a page cannot set:
  Content-Security-Policy: frame-ancestors 'none'
  X-Content-Type-Options: nosniff
  Cache-Control: no-cache"""


def add_options(parser: Parser) -> None:
    port = "port of the page; a browser keeps recorded lines by port (default: %(default)s)"
    parser.add_argument("--port", type=number(int, 1, 65535), default=PORT, metavar="N", help=port)
    hand = "folder of a run that learned a person's hand: the page writes with the run's network "
    hand += "(default: with the network writer)"
    parser.add_argument("--hand", metavar="RUN_FOLDER", help=hand)
    networks = "open: open_writer and open_reader, whose weights anyone may publish; research: "
    networks += "writer and reader, for non-commercial research (default: %(default)s)"
    choices = ("open", "research")
    parser.add_argument("--networks", choices=choices, default="research", help=networks)
    output = "do not serve the page, but save it as static files in this folder, for any host"
    parser.add_argument("--output", type=Path, metavar="SITE", help=output)


def run(arguments: argparse.Namespace) -> None:
    with TemporaryDirectory() as folder:
        is_open = arguments.networks == "open" or not site.has_research_networks()
        networks = site.OPEN_NETWORKS if is_open else site.NETWORKS
        files = site.page_files(networks)
        if arguments.output:
            site.check_replaceable(arguments.output)
        if not is_open:
            site.make_networks()
        if arguments.hand:
            print(f"measuring the hand of {arguments.hand}", flush=True)
            from apps.web import flat_file
            from model.loading import load_writer

            writer = load_writer(arguments.hand, "cpu")
            hand = Path(folder, "hand.bin")
            flat_file.save(hand, writer, sample_of(writer.path, "--hand"))
            files["/networks/writer.bin"] = hand
        if arguments.output:
            site.write_site(arguments.output, files)
            print(f"{arguments.output}\n{HEADERS}")
            return
        with _listen(arguments.port, files) as server:
            address = f"http://127.0.0.1:{server.server_port}/"
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:  # The usual end of the command.
                print()


def _listen(port: int, files: Mapping[str, Path]) -> LocalServer:
    """Return a server on a port; `files` are the page's files by address."""
    try:
        return LocalServer(("127.0.0.1", port), partial(LocalPage, files))
    except OSError as error:
        reason = f"{error.strerror}; choose another one with --port"
        raise UserError(f"--port {port}: cannot be served ({reason})") from None
