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

from apps.notes.doubtful import UnsureWord, WordAddress
from apps.notes.viewing import Change, NoteFilter, Viewer
from utils.checks import ABSENT, UserError, described
from utils.local_server import LocalPage, LocalServer

WEB_FOLDER = Path(__file__).resolve().parents[1] / "web"
VIEW_SCRIPTS = ("address", "alike", "folder", "hits", "ink", "kinds", "learning", "list")
FILE_NAMES = (
    "view.js",
    "dom.js",
    "style.css",
    "view.css",
    "icon.svg",
    *(f"view_{name}.js" for name in VIEW_SCRIPTS),
)
FILES = {"/": WEB_FOLDER / "view.html"} | {f"/{name}": WEB_FOLDER / name for name in FILE_NAMES}
"""The files of the page by their addresses."""
LEARNING_ACTIONS = ("learn", "stop_learning", "forget")
"""Actions of the viewer that need no values."""
ACTIONS = ("accept", "correct", "confirm", "open", *LEARNING_ACTIONS)
"""Actions of the viewer."""
MAX_CORRECTION_BYTES = 200_000
"""Most bytes of corrections in a request (assumed: a word has some 10 letters and 200 other
bytes)."""
MAX_LENGTH_DIGITS = len(str(MAX_CORRECTION_BYTES))
MAX_HITS = 2_000
"""Most hits in an answer (assumed)."""
UNKNOWN_TOKEN = "This address is of another viewer. Open the address that the command printed."
USED_CODE = (
    "This address opens the viewer only once, and was used already. Open the address that the "
    "command printed. If you had not opened this one, somebody else on this machine did: end the "
    "command with Ctrl-C, and start it again."
)


def serve(viewer: Viewer, query: str = "") -> None:
    """Serve the viewer on a free port, and open it in the browser with a query, until Ctrl-C."""
    with ViewServer(viewer) as server:
        page = f"http://127.0.0.1:{server.server_port}/"
        place = f"#q={quote(query)}" if query else ""
        print(f"{page}?{server.token}{place}  (Ctrl-C ends it)", flush=True)
        threading.Thread(target=viewer.follow, daemon=True).start()
        # All users of the machine see the browser's command line.
        webbrowser.open(f"{page}?code={server.make_code()}{place}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # The usual end of the command.
            print()
        finally:
            viewer.close()


class ViewServer(LocalServer):
    """Serves a viewer on a free port; only who knows its `token` may see or correct notes.

    A code is exchanged for the token once.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(("127.0.0.1", 0), partial(ViewPage, FILES))
        self.viewer = viewer
        self.token = secrets.token_urlsafe(16)
        self._codes: set[str] = set()  # That were not used.

    def make_code(self) -> str:
        """Return a new code for `token_for`."""
        code = secrets.token_urlsafe(16)
        self._codes.add(code)
        return code

    def token_for(self, code: str) -> str:
        """Return the token for a code, which is then used up.

        Raises:
            UserError: if it is no code, or was used.
        """
        try:
            self._codes.remove(code)  # One of several threads removes it.
        except KeyError:
            raise UserError(USED_CODE) from None
        return self.token


class ViewPage(LocalPage):
    """Answers requests with the files of the viewer, and with the viewer's answers."""

    server: ViewServer

    def do_GET(self) -> None:
        """Send a file, or the answer of a method of the viewer."""
        address = urlsplit(self.path)
        if not address.path.startswith("/api/"):
            super().do_GET()
        elif self._is_allowed():
            values = {key: value for key, (value, *_) in parse_qs(address.query).items()}
            name = address.path.removeprefix("/api/")
            self._answer(lambda: _looked_up(self.server.viewer, name, values))

    def do_POST(self) -> None:
        """Take an action of the viewer, see `ACTIONS`."""
        size = self.headers.get("Content-Length", "")
        action = self.path.removeprefix("/api/")
        is_number = size.isdecimal() and len(size) <= MAX_LENGTH_DIGITS
        if action not in (*ACTIONS, "enter"):
            self.send_error(HTTPStatus.NOT_FOUND)
        elif self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            self.send_error(HTTPStatus.FORBIDDEN)
        elif not is_number or int(size) > MAX_CORRECTION_BYTES:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif action == "enter" and self.is_local:
            content = self.rfile.read(int(size))
            self._answer(lambda: self._entered(content))
        elif self._is_allowed():
            content = self.rfile.read(int(size))
            self._answer(lambda: _acted(self.server.viewer, action, content))

    def _entered(self, content: bytes) -> dict[str, str]:
        """Return the token for a code, see `ViewServer.token_for`."""
        return {"token": self.server.token_for(_checked(json.loads(content)["code"], str))}

    def _is_allowed(self) -> bool:
        """Return whether the request is of this host's page; if not, refuse it."""
        token = self.headers.get("X-Token", "")
        if not self.is_local:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._send(HTTPStatus.FORBIDDEN, {"error": UNKNOWN_TOKEN})
        else:
            return True
        return False

    def _answer(self, answer: Callable[[], dict[str, Any] | bytes]) -> None:
        """Send the result of a function: bytes as a PDF, values as JSON, an error as JSON."""
        status = HTTPStatus.OK
        try:
            values = answer()
        except (UserError, OSError) as error:
            status = HTTPStatus.CONFLICT
            values = {"error": str(error)}
        except (KeyError, ValueError, IndexError, TypeError, RecursionError):
            status = HTTPStatus.BAD_REQUEST
            values = {"error": "a wrong request"}
        except Exception as error:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            values = {"error": described(error)}
        self._send(status, values)

    def _send(self, status: HTTPStatus, values: dict[str, Any] | bytes) -> None:
        """Send bytes as a PDF, values as JSON."""
        if isinstance(values, bytes):
            content, kind = values, "application/pdf"
        else:
            content, kind = json.dumps(values).encode(), "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _looked_up(viewer: Viewer, name: str, values: Mapping[str, str]) -> dict[str, Any] | bytes:
    """Return the viewer's answer to the request with a name and these values.

    Raises:
        KeyError, ValueError: if the request is wrong.
    """
    chosen = NoteFilter(**{f.name: values.get(f.name, "") for f in fields(NoteFilter)})
    count = min(int(values.get("count", 10)), MAX_HITS)
    if name in ("state", "notes"):
        return getattr(viewer, name)()
    if name in ("thumbnail", "pdf"):
        return getattr(viewer, name)(values["name"])
    if name == "kinds":
        return viewer.kinds(chosen, count, values.get("kind", ""))
    if name == "search":
        return viewer.search(values.get("q", ""), chosen, count)
    if name == "unread":
        return viewer.unread(chosen, count)
    if name == "page":
        parts = {part: int(values[part]) for part in ("row", "place") if part in values}
        return viewer.page(values["name"], int(values["number"]), **parts)
    if name == "alike":
        return viewer.alike(values["name"], _address(values))
    if name == "doubtful":
        address = _address(values)
        kind = values.get("kind", "")
        return viewer.doubtful(values.get("name", ""), address, int(values["step"]), chosen, kind)
    raise KeyError(name)


def _address(values: Mapping[str, str]) -> WordAddress:
    page, row, word = map(int, values["address"].split(":"))
    return page, row, word


def _acted(viewer: Viewer, action: str, content: bytes) -> dict[str, Any]:
    """Take an action of the viewer with JSON values, and return its answer.

    Raises:
        KeyError, TypeError, ValueError: if the values are wrong.
    """
    values = json.loads(content)
    if action in LEARNING_ACTIONS:
        return getattr(viewer, action)()
    if action == "correct":
        changes = _checked(values["changes"], list)
        return viewer.correct([_change(**change) for change in changes])
    if action == "open":
        return viewer.open(_checked(values["name"], str))
    if action == "accept":
        return viewer.accept([_accepted(**word) for word in _checked(values["words"], list)])
    # The last action: to confirm.
    limits = {f.name: _checked(values.get(f.name, ""), str) for f in fields(NoteFilter)}
    kind = _checked(values["kind"], str)
    count = _checked(values["count"], int)
    return viewer.confirm(kind, count, NoteFilter(**limits))


def _change(
    name: object, address: Any, ink: object, text: object, undone: object = ABSENT
) -> Change:
    """Return a change with checked values."""
    if undone is not ABSENT:
        _checked(undone, str | None)
    checked_text = _checked(text, str | None)
    place = _checked_address(address)
    return Change(_checked(name, str), place, _checked(ink, str), checked_text, undone)


def _accepted(name: object, address: Any, read: object, text: object) -> tuple[UnsureWord, str]:
    """Return a word that was read as `read`, and its right text, with checked values."""
    place = _checked_address(address)
    word = UnsureWord(_checked(name, str), place, _checked(read, str), 0.0)
    return word, _checked(text, str)


def _checked_address(address: Any) -> WordAddress:
    if len(address) != 3 or not all(type(number) is int and number > 0 for number in address):
        raise ValueError
    return tuple(address)


def _checked(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value
