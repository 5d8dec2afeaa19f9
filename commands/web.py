"""Open in the browser the page that writes, reads and records a hand."""

import argparse
import re
import sys
import webbrowser
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from commands.options import Parser, ink_of, number
from utils.checks import UserError

PORT = 8753
"""Default port, which never changes, as a browser keeps recorded lines by address and port."""
FOLDER = Path(__file__).resolve().parents[1] / "web"
NETWORKS = [FOLDER / "networks" / f"{name}.bin" for name in ("writer", "reader", "descriptor")]
TYPES = {".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm"}
"""Media types by the endings of files; the system's table may lack these types."""
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
    with TemporaryDirectory() as folder:
        from handwriting import flat_file

        files = page_files()
        for path in flat_file.make_missing(NETWORKS):
            print(f"{path}  ({path.stat().st_size / 2**20:.1f} MiB)")
        if arguments.hand:
            from model.loading import load_writer

            writer = load_writer(arguments.hand, "cpu")
            files["/networks/writer.bin"] = hand = Path(folder, "hand.bin")
            print(f"measuring the hand of {writer.path}", flush=True)
            flat_file.save(hand, writer, ink_of(writer, "--hand"))
        with _listen(arguments.port, files) as server:
            address = f"http://127.0.0.1:{server.server_port}/"
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:  # The usual end of the command.
                print()


def page_files() -> dict[str, Path]:
    """Return the page's files by their addresses."""
    paths = [*filter(Path.is_file, FOLDER.iterdir()), *NETWORKS]
    addresses = {f"/{path.relative_to(FOLDER).as_posix()}": path for path in paths}
    return addresses | {"/": FOLDER / "index.html"}


def _listen(port: int, files: Mapping[str, Path]) -> ThreadingHTTPServer:
    """Return the server of files by their addresses."""
    try:
        return _Server(("127.0.0.1", port), partial(_Page, files))
    except OSError as error:
        reason = f"{error.strerror}; choose another one with --port"
        raise UserError(f"--port {port}: cannot be served ({reason})") from None


class _Server(ThreadingHTTPServer):
    def handle_error(self, *request: object) -> None:
        """Ignore a browser that closes the connection before the answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)


class _Page(SimpleHTTPRequestHandler):
    """Answers requests with the page's files."""

    extensions_map = TYPES

    def __init__(self, files: Mapping[str, Path], *connection: object) -> None:
        self.files = files
        super().__init__(*connection)

    def translate_path(self, path: str) -> str:
        return str(self.files.get(path.partition("?")[0], ""))  # No file has the path "".

    def send_head(self) -> object:
        """Refuse requests to another host name, which may lead here as well (DNS rebinding)."""
        port, host = self.server.server_port, self.headers.get("Host", "")
        host = host if ":" in host else f"{host}:80"
        if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        del self.headers["If-Modified-Since"]  # The cached network may be another hand's.
        return super().send_head()

    def end_headers(self) -> None:
        policy = POLICY.search((FOLDER / "index.html").read_text(encoding="utf-8"))[1]
        policy = f"{' '.join(policy.split())}; frame-ancestors 'none'"
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cache-Control", "no-cache")  # A file may have changed.
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Do not log requests."""
