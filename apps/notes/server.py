"""Serves the viewer of notes: its page, and the answers of a `Viewer` as JSON."""

import hmac
import json
import secrets
import threading
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from apps.notes.viewing import Change, Chosen, Viewer
from utils.checks import ABSENT, UserError, described
from utils.local_server import LocalPage, LocalServer

FOLDER = Path(__file__).resolve().parents[1] / "web"
SCRIPTS = ("address", "folder", "hits", "ink", "kinds", "list")
NAMES = (
    *("view.js", "dom.js", "style.css", "view.css", "icon.svg"),
    *(f"view_{name}.js" for name in SCRIPTS),
)
FILES = {"/": FOLDER / "view.html"} | {f"/{name}": FOLDER / name for name in NAMES}
"""The files of the page by their addresses."""
MAX_BYTES = 200_000  # of corrections (assumed: a word has some 10 letters, and 200 bytes beside)
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
        """Correct or confirm words, or open a note in its program."""
        size, what = self.headers.get("Content-Length", ""), self.path.removeprefix("/api/")
        if what not in ("correct", "confirm", "open"):
            self.send_error(HTTPStatus.NOT_FOUND)
        elif self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            self.send_error(HTTPStatus.FORBIDDEN)
        elif not size.isdecimal() or len(size) > MAX_DIGITS or int(size) > MAX_BYTES:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self._is_allowed():
            content = self.rfile.read(int(size))
            self._answer(lambda: _done(self.server.viewer, what, content))

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

    def _answer(self, answer: Callable[[], dict[str, Any] | bytes]) -> None:
        """Send a PDF that a function returns, or else what it returns as JSON, or its error."""
        status = HTTPStatus.OK
        try:
            values = answer()
        except (UserError, OSError) as error:
            status, values = HTTPStatus.CONFLICT, {"error": str(error)}
        except (KeyError, ValueError, IndexError, TypeError, RecursionError):
            status, values = HTTPStatus.BAD_REQUEST, {"error": "a wrong request"}
        except Exception as error:
            status, values = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": described(error)}
        is_pdf = isinstance(values, bytes)
        content = values if is_pdf else json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/pdf" if is_pdf else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _found(viewer: Viewer, what: str, values: Mapping[str, str]) -> dict[str, Any] | bytes:
    """Return the viewer's answer to a request; raise a ValueError or a KeyError if it is wrong."""
    chosen = Chosen(**{f.name: values.get(f.name, "") for f in fields(Chosen)})
    count = min(int(values.get("count", 10)), MAX_COUNT)
    if what in ("state", "notes"):
        return getattr(viewer, what)()
    if what in ("thumbnail", "pdf"):
        return getattr(viewer, what)(values["name"])
    if what == "kinds":
        return viewer.kinds(chosen, count, values.get("kind", ""))
    if what == "search":
        return viewer.search(values.get("q", ""), chosen, count)
    if what == "unread":
        return viewer.unread(chosen, count)
    if what == "page":
        parts = {name: int(values[name]) for name in ("row", "place") if name in values}
        return viewer.page(values["name"], int(values["number"]), **parts)
    if what == "doubtful":
        address = tuple(map(int, values["address"].split(":")))
        kind = values.get("kind", "")
        return viewer.doubtful(values.get("name", ""), address, int(values["step"]), chosen, kind)
    raise KeyError(what)


def _done(viewer: Viewer, what: str, content: bytes) -> dict[str, Any]:
    """Do what JSON says; raise a ValueError, a KeyError or a TypeError if it is wrong."""
    values = json.loads(content)
    if what == "correct":
        return viewer.correct([_change(**each) for each in _checked(values["changes"], list)])
    if what == "open":
        return viewer.open(_checked(values["name"], str))
    limits = (_checked(values.get(f.name, ""), str) for f in fields(Chosen))
    kind, count = _checked(values["kind"], str), _checked(values["count"], int)
    return viewer.confirm(kind, count, Chosen(*limits))


def _change(
    name: object, address: Any, ink: object, text: object, undone: object = ABSENT
) -> Change:
    """Return a change with checked values."""
    if len(address) != 3 or not all(type(number) is int and number > 0 for number in address):
        raise ValueError
    _checked(None if undone is ABSENT else undone, str | None)
    checked = _checked(ink, str), _checked(text, str | None), undone
    return Change(_checked(name, str), tuple(address), *checked)


def _checked(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value
