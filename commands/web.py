"""Open the page that writes, reads and records a hand, in the browser."""

import argparse
import re
import sys
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from commands.options import Parser, ink_of, number
from utils.checks import UserError

PORT = 8753
"""Always the same one, as a browser keeps what one recorded by address and port."""
FOLDER = Path(__file__).resolve().parents[1] / "web"
NETWORKS = FOLDER / "networks"
HAND = NETWORKS / "hand.bin"
POLICY = re.compile('"Content-Security-Policy" content="([^"]+)"')


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--port",
        type=number(int, 1, 65535),
        default=PORT,
        metavar="N",
        help="where the page is; what was recorded stays with its port (default: %(default)s)",
    )
    parser.add_argument(
        "--hand",
        metavar="RUN_FOLDER",
        help="the page writes as the network of this run, which learned a person's hand (default: "
        "as the network writer)",
    )


def run(arguments: argparse.Namespace) -> None:
    with _listen(arguments.port, bool(arguments.hand)) as server:
        from handwriting import flat_file

        print("getting the networks and styles of the page ready", flush=True)
        for path in flat_file.make_missing(NETWORKS):
            print(f"{path}  ({path.stat().st_size / 2**20:.1f} MiB)")
        if arguments.hand:
            from handwriting.networks import load_writer

            writer = load_writer(arguments.hand, "cpu")
            flat_file.save(HAND, writer, ink_of(writer, "--hand"))
            print(f"{HAND}  (the hand of {writer.path})")
        address = f"http://127.0.0.1:{server.server_port}/"
        print(f"{address}  (Ctrl-C ends it)", flush=True)
        webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # which is how it ends
            print()


def _listen(port: int, learned: bool) -> ThreadingHTTPServer:
    """Return what serves the page; `learned` says whether it writes as a learned hand."""
    try:
        return _Server(("127.0.0.1", port), partial(_Page, learned=learned))
    except OSError as error:
        reason = f"{error.strerror}; choose another one with --port"
        raise UserError(f"--port {port}: cannot be served ({reason})") from None


class _Server(ThreadingHTTPServer):
    def handle_error(self, *request: object) -> None:
        """Say nothing of a browser that leaves before it has its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)


class _Page(SimpleHTTPRequestHandler):
    """Answers with the files of the page; the hand that was learned stands for the writer."""

    def __init__(self, *connection: object, learned: bool) -> None:
        self.learned = learned
        super().__init__(*connection, directory=str(FOLDER))

    def translate_path(self, path: str) -> str:
        file = super().translate_path(path)
        return str(HAND) if self.learned and Path(file) == NETWORKS / "writer.bin" else file

    def end_headers(self) -> None:
        policy = POLICY.search((FOLDER / "index.html").read_text(encoding="utf-8"))[1]
        self.send_header("Content-Security-Policy", " ".join(policy.split()))
        self.send_header("Cache-Control", "no-cache")  # ask whether a file has changed
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""
