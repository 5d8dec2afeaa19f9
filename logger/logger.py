"""Log messages to the console, between progress bars, and to a file."""

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


class ConsoleHandler(logging.Handler):
    """Prints messages above the progress bars; warnings and errors have a prefix."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record: to standard output, from warnings on to standard error."""
        try:
            warning = record.levelno >= logging.WARNING
            prefix = f"{record.levelname.lower()}: " if warning else ""
            stream = sys.stderr if warning else sys.stdout
            shown = for_terminal if warning and not record.exc_info else str
            tqdm.write(prefix + shown(self.format(record)), file=stream)
            stream.flush()
        except Exception:
            self.handleError(record)


class LogFile(logging.FileHandler):
    """Appends messages to a file, ignoring a full disk: checkpoints will report that."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore an OSError; the message is on the console."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def setup_logging(level: int = logging.INFO) -> None:
    """Send messages of all loggers to the console. Calling it again changes nothing but the level.

    The warnings module logs there as well. An OSError in a thread is ignored: the only thread that
    writes is TensorBoard's, which raises its error again at the next call.
    """
    root = logging.getLogger()
    root.setLevel(level)
    logging.captureWarnings(True)
    threading.excepthook = _thread_error
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    if not any(isinstance(handler, ConsoleHandler) for handler in root.handlers):
        root.addHandler(ConsoleHandler())
        root.addHandler(MemoryHandler(1))  # Keeps all until there is a file.


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Inside, all messages are appended to `path` as well, also earlier ones since `setup_logging`
    that are in no file yet."""
    handler, root = LogFile(path, encoding="utf-8", errors="backslashreplace"), logging.getLogger()
    handler.setFormatter(logging.Formatter(_FILE_FORMAT))
    keepers = [keeper for keeper in root.handlers if isinstance(keeper, MemoryHandler)]
    for keeper in keepers:
        keeper.setTarget(handler)
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
