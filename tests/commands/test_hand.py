"""How a network learned a hand: what is measured, worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from commands import hand
from utils import hand_likeness

FAR = {("before", False): 8.0, ("before", True): 7.0, ("now", False): 5.0, ("now", True): 4.0}
"""Where the lines of a network lie, without and with a primer; those of the person about 3."""


@pytest.fixture
def measured(monkeypatch, capsys):
    """What is printed of lines of a person at 0, 3 and 6, in a space of one dimension."""
    space = SimpleNamespace(embed=lambda inks: np.array([[ink] for ink in inks]))
    monkeypatch.setattr(hand_likeness, "load", lambda _: space)
    monkeypatch.setattr(hand, "styles", dict)
    said = {}

    def network(name):
        def write_lines(texts, seeds, sampling, *, primer):
            said[name, primer is not None] = texts
            place = FAR[name, primer is not None]
            return [SimpleNamespace(visible=place, primed=primer) for _ in texts]

        return SimpleNamespace(write_lines=write_lines)

    def read_lines(lines):  # what continues a primer is misread
        texts = next(iter(said.values()))
        return ["" if line.primed else text for line, text in zip(lines, texts, strict=True)]

    source = SimpleNamespace(own=[0, 1, 2], ink=[0.0, 3.0, 6.0].__getitem__)
    hand.measure(
        SimpleNamespace(num_samples=2, seed=0, bias=0.5),
        source,
        {name: network(name) for name in ("before", "now")},
        ("ink", "text"),
        SimpleNamespace(read_lines=read_lines),
    )
    return capsys.readouterr().out.splitlines()[1:]


def test_a_line_of_the_person_is_compared_with_the_others(measured):
    """0 with 4.5, 3 with 3 and 6 with 1.5: no line is part of what it is compared with."""
    assert measured[0] == "  3.00  each of the person's 3 lines, from the others"


def test_lines_of_the_networks_are_compared_with_all_of_the_person(measured):
    assert measured[1:] == [
        "  5.00  2 sentences, by the network before, alone; 0.0% of the characters misread",
        "  4.00  2 sentences, by the network before, primed; 100.0% of the characters misread",
        "  2.00  2 sentences, by the network now, alone; 0.0% of the characters misread",
        "  1.00  2 sentences, by the network now, primed; 100.0% of the characters misread",
    ]
