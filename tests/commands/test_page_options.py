"""What the options of a page say."""

import pytest

from commands import command_line
from commands.page_options import sheet
from experiments import COMMANDS


@pytest.mark.parametrize(
    ("words", "spacing"),
    [((), 0.0), (("ruled",), 8.5), (("squared",), 5.0), (("ruled", "--ruling-spacing", "7"), 7.0)],
)
def test_lines_of_the_paper_are_as_far_apart_as_is_said(words, spacing):
    words = ("--ruling", *words) if words else ()
    _, arguments = command_line.parse(["write", "--text", "a", "--paper", "a5", *words], COMMANDS)
    assert sheet(arguments).spacing == spacing
