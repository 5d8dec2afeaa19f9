"""Messages reach the console and the file, each once."""

import logging

import pytest
from tqdm import tqdm

from logger.logger import log_file, setup_logging

pytestmark = pytest.mark.usefixtures("logging_restored")
LOG = logging.getLogger("some.module")


def logged(path):
    """Return the lines of a file without their times."""
    return [line.split(" ", 2)[2] for line in path.read_text().splitlines()]


def test_console_shows_each_message_once_and_warnings_on_standard_error(capsys):
    setup_logging()
    setup_logging()
    LOG.debug("not shown")
    LOG.info("a message")
    LOG.warning("take care")
    assert capsys.readouterr() == ("a message\n", "warning: take care\n")


def test_a_log_file_also_gets_the_messages_since_the_former_log_file_was_closed(tmp_path):
    setup_logging()
    for number in range(2):
        LOG.info("before %s", number)
        with log_file(tmp_path / "train.log"):
            LOG.warning("inside %s", number)
    lines = [f"{text} {n}" for n in range(2) for text in ("INFO before", "WARNING inside")]
    assert [line.replace("some.module: ", "") for line in logged(tmp_path / "train.log")] == lines


def test_messages_stand_above_the_bar(capsys):
    setup_logging()
    with tqdm(total=3, disable=False) as bar:
        bar.update(1)
        LOG.info("between")
        bar.update(1)
    printed = capsys.readouterr()
    assert printed.out == "between\n" and "2/3" in printed.err


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_text_quoted_in_messages_cannot_control_a_terminal_or_fake_errors(tmp_path, capsys, level):
    setup_logging()
    with log_file(tmp_path / "train.log"):
        LOG.log(level, "%s\x1b]0;title\x07\nerror: faked", "x" * 10**6)
    for text in ("".join(capsys.readouterr()), (tmp_path / "train.log").read_text()):
        assert text.replace("\n", "").isprintable() and len(text) < 1100
        assert level == logging.INFO or text.count("\n") == 1
