"""The commands that pages show have the options that they name."""

import re
import shlex
from itertools import takewhile

import pytest

from commands import train_options
from experiments import parser_of
from tests.docs.test_links import PAGES, ROOT


def commands(page):
    """Return the script and the words behind it, of each command line in a page's blocks."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    # A style that is there once a hand has been learned.
    text = text.replace("saved/models/own_hand/RUN_ID/hand.json", "flowing")
    result = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in re.finditer(r"^.*?\b(experiments|train)\.py\b", block, re.MULTILINE):
            words = shlex.shlex(block[line.end() :], posix=True, punctuation_chars="\n|&;>()")
            words.whitespace, words.whitespace_split, words.commenters = " \t", True, ""
            words = [*takewhile(lambda word: word[0] not in "\n|&;>()#", words)]
            if not language and "..." not in words:
                result.append((line[1], words))
    return result


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_line_that_a_page_shows_is_accepted(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for script, words in commands(page):
        if script == "train":
            arguments = train_options.parse(words)
            assert arguments.config or arguments.resume
        else:
            parser_of(words[0])[1].parse(words[1:])
