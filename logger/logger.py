"""Sends log messages to the console, above progress bars, and to a file."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import MemoryHandler
from pathlib import Path

from tqdm import tqdm

from utils.checks import for_terminal

_FILE_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_QUIET = ("matplotlib", "PIL", "fontTools", "tensorboard", "urllib3")
"""Loggers of libraries whose messages below a warning are not for users."""


class _Formatter(logging.Formatter):
    """Makes each message printable, as its quotations may come from files."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return a message in printable lines; that of a warning or an error is one line, and the
        indented lines of a list."""
        message = super().formatMessage(record)
        if record.levelno >= logging.WARNING:
            return for_terminal(message)
        return "\n".join(map(for_terminal, message.split("\n")))


class ConsoleHandler(logging.Handler):
    """Prints messages above the progress bars; warnings and errors have a prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record: a warning or an error to standard error, others to standard output."""
        try:
            is_warning = record.levelno >= logging.WARNING
            prefix = f"{record.levelname.lower()}: " if is_warning else ""
            stream = sys.stderr if is_warning else sys.stdout
            tqdm.write(prefix + self.format(record), file=stream)
            stream.flush()
        except Exception:
            self.handleError(record)


class LogFile(logging.FileHandler):
    """Appends messages to a file; ignores a full disk, which saving a checkpoint reports."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore an OSError, as the message is also on the console."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def setup_logging(level: int = logging.INFO) -> None:
    """Send messages of all loggers to the console. A second call changes only the level.

    Messages of the warnings module go to the console too. An OSError in a thread is ignored: only
    TensorBoard's thread writes, and TensorBoard raises the error again at its next call.
    """
    root = logging.getLogger()
    root.setLevel(level)
    logging.captureWarnings(True)
    threading.excepthook = _thread_error
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    if not any(isinstance(handler, ConsoleHandler) for handler in root.handlers):
        root.addHandler(ConsoleHandler())
        # Keeps all messages until `log_file` gives it a file; then each goes there at once.
        root.addHandler(MemoryHandler(capacity=1))


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """A block whose messages are also appended to `path`. First, all earlier messages since
    `setup_logging` that are in no file yet are appended."""
    handler = LogFile(path, encoding="utf-8", errors="backslashreplace")
    root = logging.getLogger()
    handler.setFormatter(_Formatter(_FILE_FORMAT))
    keepers = [keeper for keeper in root.handlers if isinstance(keeper, MemoryHandler)]
    for keeper in keepers:
        keeper.setTarget(handler)  # which gets what is kept with the next message
    if not keepers:
        root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for keeper in keepers:
            keeper.setTarget(None)
        with suppress(OSError):
            handler.close()


def _thread_error(args: threading.ExceptHookArgs) -> None:
    if not isinstance(args.exc_value, OSError):
        threading.__excepthook__(args)
