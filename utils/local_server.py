"""Serves the fixed files of a page to the browser of this machine."""

import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any, BinaryIO

MAX_CONNECTIONS = 32
"""Limit on open connections, each with a thread and at most two files (assumed: a browser opens six
at a time, and systems allow a process at least 128 files)."""
IDLE_TIMEOUT = 10.0
"""Seconds after which a connection is closed if it neither asks nor takes anything (assumed)."""
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm"}
"""Media types by suffix; the system's table may lack these types."""
POLICY = re.compile('"Content-Security-Policy" content="([^"]+)"')
"""The policy in a page's HTML."""


class LocalServer(ThreadingHTTPServer):
    """Serves the newest `MAX_CONNECTIONS`: a new connection ends the oldest one, so that idle ones
    keep nobody from the page."""

    request_queue_size = MAX_CONNECTIONS  # With 5, connections that come together wait for seconds.

    def __init__(self, *settings: Any) -> None:
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

    def handle_error(self, *request: Any) -> None:
        """Ignore the error of a browser that closes its connection before the answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)


class LocalPage(SimpleHTTPRequestHandler):
    """Answers requests with the files of a page by their addresses; `/` is its HTML, whose policy
    goes with every answer."""

    extensions_map = MEDIA_TYPES
    timeout = IDLE_TIMEOUT
    server: LocalServer

    def __init__(self, files: Mapping[str, Path], *connection: Any) -> None:
        self.files = files
        super().__init__(*connection)

    def translate_path(self, path: str) -> str:
        return str(self.files.get(path.partition("?")[0], ""))  # "" gives "file not found".

    def parse_request(self) -> bool:
        """Refuse requests with several `Host` headers, which RFC 9112 wants to be refused."""
        if not super().parse_request():
            return False
        is_single = len(self.headers.get_all("Host", [])) <= 1
        if not is_single:
            self.send_error(HTTPStatus.BAD_REQUEST)
        return is_single

    @property
    def is_local(self) -> bool:
        """Whether the request names this host; that of a hostile page may name another one (DNS
        rebinding)."""
        port = self.server.server_port
        host = self.headers.get("Host", "")
        host = host if ":" in host else f"{host}:80"  # browsers leave out the usual port
        return host in (f"127.0.0.1:{port}", f"localhost:{port}")

    def send_head(self) -> BytesIO | BinaryIO | None:
        """Refuse requests with another host name."""
        if not self.is_local:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        del self.headers["If-Modified-Since"]  # The browser may keep another hand's network.
        return super().send_head()

    def end_headers(self) -> None:
        policy = POLICY.findall(self.files["/"].read_text(encoding="utf-8"))[0]
        policy = f"{' '.join(policy.split())}; frame-ancestors 'none'"
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")  # A file may have changed.
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Do not log requests."""
