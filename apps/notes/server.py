"""Serves the viewer of notes: its page, and the answers of a `Viewer` as JSON."""

import hmac
import json
import secrets
import threading
import webbrowser
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from apps.notes.viewing import Chosen, Viewer
from utils.checks import ABSENT, UserError, described
from utils.local_server import LocalPage, LocalServer

FOLDER = Path(__file__).resolve().parents[1] / "web"
NAMES = ("view.js", "dom.js", "style.css", "view.css", "icon.svg")
FILES = {"/": FOLDER / "view.html"} | {f"/{name}": FOLDER / name for name in NAMES}
"""The files of the page by their addresses."""
MAX_BYTES = 10_000  # of a correction (assumed: a word has some 10 letters)
MAX_DIGITS = len(str(MAX_BYTES))
MAX_COUNT = 2_000  # hits in an answer (assumed)


def serve(viewer: Viewer, query: str = "") -> None:
    """Serve the viewer on a free port, and open it in the browser with a query, until Ctrl-C."""
    with ViewServer(viewer) as server:
        address = f"http://127.0.0.1:{server.server_port}/?{server.token}"
        address += f"#q={quote(query)}" if query else ""
        print(f"{address}  (Ctrl-C ends it)", flush=True)
        threading.Thread(target=viewer.follow, daemon=True).start()
        webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # The usual end of the command.
            print()


class ViewServer(LocalServer):
    """Serves a viewer on a free port; only who knows its `token` may see or correct notes."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(("127.0.0.1", 0), partial(ViewPage, FILES))
        self.viewer, self.token = viewer, secrets.token_urlsafe(16)


class ViewPage(LocalPage):
    """Answers requests with the files of the viewer, and with what the viewer finds."""

    server: ViewServer

    def do_GET(self) -> None:
        """Send a file, or the answer of a method of the viewer."""
        path, query = urlsplit(self.path)[2:4]
        if not path.startswith("/api/"):
            super().do_GET()
        elif self._is_allowed():
            values = {key: value for key, (value, *_) in parse_qs(query).items()}
            self._answer(lambda: _found(self.server.viewer, path.removeprefix("/api/"), values))

    def do_POST(self) -> None:
        """Correct a word."""
        size = self.headers.get("Content-Length", "")
        if self.path != "/api/correct":
            self.send_error(HTTPStatus.NOT_FOUND)
        elif self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            self.send_error(HTTPStatus.FORBIDDEN)
        elif not size.isdecimal() or len(size) > MAX_DIGITS or int(size) > MAX_BYTES:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._is_allowed():
            content = self.rfile.read(int(size))
            self._answer(lambda: _correct(self.server.viewer, content))

    def _is_allowed(self) -> bool:
        """Return whether the request is of this host's page; if not, refuse it."""
        token = self.headers.get("X-Token", "")
        if not self.is_local:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self.send_error(HTTPStatus.FORBIDDEN)
        else:
            return True
        return False

    def _answer(self, answer: Any) -> None:
        """Send what a function returns as JSON, or its error."""
        status = HTTPStatus.OK
        try:
            values = answer()
        except (UserError, OSError) as error:
            status, values = HTTPStatus.CONFLICT, {"error": str(error)}
        except (KeyError, ValueError, IndexError, TypeError, RecursionError):
            status, values = HTTPStatus.BAD_REQUEST, {"error": "a wrong request"}
        except Exception as error:
            status, values = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": described(error)}
        content = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _found(viewer: Viewer, what: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the viewer's answer to a request; raise a ValueError or a KeyError if it is wrong."""
    chosen = Chosen(**{f.name: values.get(f.name, "") for f in fields(Chosen)})
    count = min(int(values.get("count", 10)), MAX_COUNT)
    if what == "state":
        return viewer.state()
    if what == "search":
        return viewer.search(values.get("q", ""), chosen, count)
    if what == "unread":
        return viewer.unread(chosen, count)
    if what == "page":
        parts = {name: int(values[name]) for name in ("row", "place") if name in values}
        return viewer.page(values["name"], int(values["number"]), **parts)
    if what == "doubtful":
        address = tuple(map(int, values["address"].split(":")))
        return viewer.doubtful(values.get("name", ""), address, int(values["step"]), chosen)
    raise KeyError(what)


def _correct(viewer: Viewer, content: bytes) -> dict[str, Any]:
    """Correct a word as JSON says; raise a ValueError or a KeyError if it is wrong."""
    values = json.loads(content)
    name, address, ink, text = (values[key] for key in ("name", "address", "ink", "text"))
    undone = values.get("undone", ABSENT)
    if not (isinstance(name, str) and isinstance(ink, str) and isinstance(text, str | None)):
        raise TypeError
    if not (undone is ABSENT or isinstance(undone, str | None)):
        raise TypeError
    if len(address) != 3 or not all(type(number) is int and number > 0 for number in address):
        raise ValueError
    return viewer.correct(name, tuple(address), ink, text, undone)
