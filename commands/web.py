"""Open a page in the browser that writes, reads, and records a hand."""

import argparse
import re
import sys
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
from tempfile import TemporaryDirectory

from commands.options import Parser, number
from commands.writing_options import ink_of
from handwriting import page_networks
from utils.checks import UserError

PORT = 8753
"""Default port. It must stay the same, because browsers keep recorded lines by address and port."""
FOLDER = Path(__file__).resolve().parents[1] / "web"
NETWORKS = [FOLDER / "networks" / f"{name}.bin" for name in ("writer", "reader", "descriptor")]
MAX_CONNECTIONS = 32
"""Limit on open connections, each with a thread and at most two files (assumed: a browser opens six
at a time, and systems allow a process at least 128 files)."""
TIMEOUT = 10.0
"""Seconds after which a connection is closed if it neither asks nor takes anything (assumed)."""
TYPES = {".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm"}
"""Media types by suffix; the system's table may lack these types."""
POLICY = re.compile('"Content-Security-Policy" content="([^"]+)"')


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


def _listen(port: int, files: Mapping[str, Path]) -> ThreadingHTTPServer:
    """Return a server on a port; `files` are the page's files by address."""
    try:
        return _Server(("127.0.0.1", port), partial(_Page, files))
    except OSError as error:
        reason = f"{error.strerror}; choose another one with --port"
        raise UserError(f"--port {port}: cannot be served ({reason})") from None


class _Server(ThreadingHTTPServer):
    """Serves the newest `MAX_CONNECTIONS`: a new connection ends the oldest one, so that idle ones
    keep nobody from the page."""

    request_queue_size = MAX_CONNECTIONS  # With 5, connections that come together wait for seconds.

    def __init__(self, *settings: object) -> None:
        super().__init__(*settings)
        self._connections: dict[socket, None] = {}  # open, from the oldest to the newest

    def process_request(self, connection: socket, address: object) -> None:
        """Answer a connection in a thread of its own."""
        self._connections[connection] = None
        for oldest in [*self._connections][:-MAX_CONNECTIONS]:
            self._connections.pop(oldest, None)
            with suppress(OSError):  # Its thread may be closing it.
                oldest.shutdown(SHUT_RDWR)  # Its thread reads the end, and closes it.
        super().process_request(connection, address)

    def shutdown_request(self, connection: socket) -> None:
        """Close a connection."""
        self._connections.pop(connection, None)
        super().shutdown_request(connection)

    def handle_error(self, *request: object) -> None:
        """Ignore the error of a browser that closes its connection before the answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)


class _Page(SimpleHTTPRequestHandler):
    """Answers requests with the page's files."""

    extensions_map = TYPES
    timeout = TIMEOUT

    def __init__(self, files: Mapping[str, Path], *connection: object) -> None:
        self.files = files
        super().__init__(*connection)

    def translate_path(self, path: str) -> str:
        return str(self.files.get(path.partition("?")[0], ""))  # "" gives "file not found".

    def send_head(self) -> object:
        """Refuse requests with another host name, which a hostile page may send (DNS rebinding)."""
        port, host = self.server.server_port, self.headers.get("Host", "")
        host = host if ":" in host else f"{host}:80"
        if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        del self.headers["If-Modified-Since"]  # The browser may keep another hand's network.
        return super().send_head()

    def end_headers(self) -> None:
        policy = POLICY.search((FOLDER / "index.html").read_text(encoding="utf-8"))[1]
        policy = f"{' '.join(policy.split())}; frame-ancestors 'none'"
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")  # A file may have changed.
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Do not log requests."""
