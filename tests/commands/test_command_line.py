"""What is typed: the commands that pages show."""

import re
import shlex

import pytest

import train
from base.pretrained import PRETRAINED
from commands import command_line
from experiments import COMMANDS
from tests.commands.networks import ROOT


def parse(*words):
    return command_line.parse([str(word) for word in words], COMMANDS)


def shown():
    """Commands of the pages as they are, but for the notebook, whose are of their day."""
    pages = {ROOT / "README.md", *(ROOT / "docs").glob("*.md"), PRETRAINED / "README.md"}
    for page in sorted(pages - {ROOT / "docs" / "lab-notebook.md"}):
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^ *python ((?:train|experiments)\.py .*)$", text, re.MULTILINE):
            yield pytest.param(line, id=f"{page.name}: {line[:60]}")


@pytest.mark.parametrize("line", list(shown()))
def test_what_the_pages_show_is_understood(line):
    # A style that is there once a hand has been learned.
    line = line.replace("saved/models/own_hand/RUN_ID/hand.json", "flowing")
    script, *words = shlex.split(line, comments=True)
    if script == "train.py":
        arguments = train.parse(words)
        assert arguments.config or arguments.resume
    else:
        command, _ = parse(*words)
        assert command.__name__ == COMMANDS[words[0]]
