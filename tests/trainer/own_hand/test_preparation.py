"""What is made of which lines before a hand is learned."""

from types import SimpleNamespace

import numpy as np
import pytest

from trainer.own_hand import preparation
from utils.alphabet import Alphabet

INK = np.zeros((3, 3), dtype=np.float32)


@pytest.fixture
def prepared(monkeypatch):
    """Prepares three lines, of which the second is held out; returns what was found, and the texts
    of the lines that lent letters. The network writes one line, and `composed` says what is new."""

    def prepare(composed):
        samples = [SimpleNamespace(name=text, ink=INK, text=text) for text in "abc"]
        lending = []
        for name, value in {
            "usable": lambda *_: samples,
            "to_network_units": lambda lines, *_: [ink for ink, _ in lines],
            "written": lambda writer, reader, primers, *_: lending.extend(primers) or [(INK, "d")],
            "cut": lambda writer, reader, lines: lending.extend(lines) or [],
            "composed": lambda *_: composed,
        }.items():
            monkeypatch.setattr(preparation, name, value)
        source = SimpleNamespace(
            **dict(notes=[], height=100.0, step=20.0, lent=1, composed=1, seed=0),
            divided=lambda: (np.array([0, 2]), np.array([1])),
        )
        model = SimpleNamespace(alphabet=Alphabet("abcd"))
        writer = SimpleNamespace(own_hand=lambda: [], model=model)
        found = preparation.prepared(source, None, writer, None)
        return found, {text for _, text in lending}

    return prepare


def test_what_is_held_out_lends_no_letter(prepared):
    found, lending = prepared([(INK, "new")])
    assert found.names == ("a", "b", "c") and lending == {"a", "c", "d"}
    assert [text for _, text in found.more] == ["new"]


def test_where_nothing_can_be_composed_the_networks_lines_take_its_place(prepared):
    found, _ = prepared([])
    assert [text for _, text in found.more] == ["d"]
