"""What the options of a page say."""

import pytest

from commands import command_line
from commands.page_options import BIAS, sheet
from experiments import COMMANDS


@pytest.mark.parametrize(
    ("words", "spacing"),
    [((), 0.0), (("ruled",), 8.5), (("squared",), 5.0), (("ruled", "--ruling-spacing", "7"), 7.0)],
)
def test_lines_of_the_paper_are_as_far_apart_as_is_said(words, spacing):
    words = ("--ruling", *words) if words else ()
    _, arguments = command_line.parse(["page", "--text", "a", "--paper", "a5", *words], COMMANDS)
    assert sheet(arguments).spacing == spacing


def test_a_page_has_a_bias_of_its_own():
    """That of `write` is the network's."""
    for command, bias in (("page", BIAS), ("write", None)):
        _, arguments = command_line.parse([command, "--text", "a"], COMMANDS)
        assert arguments.bias == bias
