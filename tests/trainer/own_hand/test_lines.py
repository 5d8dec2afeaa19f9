"""Which lines a hand is learned from."""

from types import SimpleNamespace

import numpy as np

from trainer.own_hand import lines
from utils.alphabet import Alphabet


def test_a_line_that_the_reader_cannot_know_is_not_judged_by_it(monkeypatch):
    """It would be misread whatever it is; of the others one is left out that is not its text."""
    texts = ["a cab", "bacca", "abba", "фата", "a bab"]
    read = [*texts[:3], "b", "ccc c"]
    samples = [
        SimpleNamespace(name=text, text=text, ink=np.full((2, 3), number, dtype=np.float32))
        for number, text in enumerate(texts)
    ]
    reader = SimpleNamespace(
        model=SimpleNamespace(alphabet=Alphabet("abc ")),
        read_lines=lambda inks, **_: [read[abs(int(ink[0, 2]))] for ink in inks],
    )
    monkeypatch.setattr(lines, "_of_one_hand", lambda *_: None)
    found, (note,) = lines.usable("hand", samples, None, reader)
    assert [one.text for one in found] == texts[:4]
    assert "do not fit: a bab ('a bab' is read as 'ccc c')" in note
