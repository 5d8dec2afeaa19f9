"""What is typed: the commands that pages show, and the calls of before."""

import re
import shlex
from pathlib import Path

import pytest

import train
from base.pretrained import PRETRAINED
from commands import command_line
from commands.command_line import FORMER, translated
from experiments import COMMANDS
from tests.commands.networks import ROOT

SHOWN_BEFORE = Path(__file__).with_name("shown_before.txt").read_text(encoding="utf-8")


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


@pytest.mark.parametrize("line", SHOWN_BEFORE.splitlines())
def test_what_was_shown_before_is_understood(line):
    """Every command of earlier pages: to the right command, with no fault. Nothing is run."""
    words = shlex.split(line)
    if words[1] == "train.py":
        arguments = train.parse(words[2:])
        assert arguments.config or arguments.resume
        return
    command, arguments = parse(*words[2:])
    named = [word for word in words if word in FORMER]
    assert len(named) <= 1
    expected = FORMER[named[0]][0] if named else "write"
    assert command.__name__ == COMMANDS[expected]
    assert not hasattr(arguments, "resume") or arguments.resume == words[words.index("-r") + 1]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("-r R --text a", "write -r R --text a"),
        ("--text a", "write --text a"),
        ("-r R --evaluate --beam 16", "evaluate -r R --beam 16"),
        ("-r R --beam 16 --language-model --evaluate test", "evaluate test -r R --beam 16 "
         "--language-model"),
        ("-r R --evaluate=test", "evaluate test -r R"),
        ("-r R --input a --beam 2 --input b", "read a b -r R --beam 2"),
        ("-r W --read-back R --biases 0 1", "legibility --reader R -r W --biases 0 1"),
        ("-r W --continue valid --steps 9", "continue valid -r W --steps 9"),
        ("--sheet a b c --num-samples 3", "compare a b c --num-samples 3"),
        ("-r W --export mine.pth -o a=b", "export mine.pth -r W -o a=b"),
        ("read a -r R", "read a -r R"),
        ("-r R --text a --window", "write -r R --text a --show window"),
        ("write --density --text a --window --bias 1", "write --show density --text a "
         "--show window --bias 1"),
        ("read a --window", "read a --window"),
    ],
)  # fmt: skip
def test_calls_of_before_mean_the_commands_of_now(before, now):
    assert translated(before.split()) == now.split()


def test_an_earlier_call_gives_the_values_of_the_new_one():
    for before, now in (
        ("-r R --evaluate test --length-bonus -0.5 --beam 2", "evaluate test -r R --length-bonus "
         "-0.5 --beam 2"),
        ("-r R --evaluate --data x", "evaluate -r R --data x"),
        ("-r W --read-back R --characters --num-samples 1", "legibility -r W --reader R "
         "--characters --num-samples 1"),
    ):  # fmt: skip
        (one, first), (other, second) = parse(*before.split()), parse(*now.split())
        assert one is other and vars(first) == vars(second)
