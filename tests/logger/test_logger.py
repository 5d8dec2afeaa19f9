"""Messages reach the console and the file, each once."""

import logging

import pytest
from tqdm import tqdm

from logger.logger import log_file, setup_logging

pytestmark = pytest.mark.usefixtures("logging_restored")


def test_console_and_file(tmp_path, capsys):
    setup_logging()
    setup_logging()
    log = logging.getLogger("some.module")
    with log_file(tmp_path / "train.log"):
        log.debug("not shown")
        log.info("a message")
    with log_file(tmp_path / "train.log"):
        log.warning("take care")
    log.info("later")
    printed = capsys.readouterr()
    assert printed.out == "a message\nlater\n" and printed.err == "warning: take care\n"
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "INFO some.module: a message",
        "WARNING some.module: take care",
    ]


def test_what_was_said_before_a_file_is_in_the_next_one(tmp_path):
    setup_logging()
    log = logging.getLogger("some.module")
    for name in ("first", "second"):
        log.info("before the %s", name)
        with log_file(tmp_path / name):
            log.info("inside")
        lines = (tmp_path / name).read_text().splitlines()
        said = [line.partition("module: ")[2] for line in lines]
        assert said == [f"before the {name}", "inside"]


def test_messages_stand_above_the_bar(capsys):
    setup_logging()
    with tqdm(total=3, disable=False) as bar:
        bar.update(1)
        logging.getLogger("x").info("between")
        bar.update(1)
    printed = capsys.readouterr()
    assert printed.out == "between\n" and "2/3" in printed.err


def test_what_a_message_quotes_is_printable_on_the_console_and_in_the_file(tmp_path, capsys):
    setup_logging()
    hostile = "\x1b]0;title\x07" + "x" * 10**6
    with log_file(tmp_path / "train.log"):
        logging.getLogger("x").info("read %s", hostile)
        logging.getLogger("x").warning("left out: %s", f"{hostile}\nerror: faked")
    printed = capsys.readouterr()
    for text in (printed.out, printed.err, (tmp_path / "train.log").read_text()):
        lines = text.splitlines()
        assert "\x1b" not in text and not any(line.startswith("error: ") for line in lines)
        assert max(map(len, lines)) < 1020
