"""Lines of words that can be read, for a writer to learn from."""

import re
import string
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest

from apps.datasets.legible import legible_primers, lines_of, new_texts, save_lines
from apps.pages.proofreading import CheckedWord
from apps.pages.written_word import WrittenWord
from data_loader.synthetic.texts.templates import Draws
from ink.alphabet import Alphabet
from ink.geometry import to_points
from ink.reading import read_ink
from ink.sample import Sample


def test_lines_that_are_read_right_become_primers_of_each_hand_in_turn():
    def sample(hand, text, size):
        return Sample(np.full((size, 3), 1.0, np.float32), text, f"{hand}-{size}", group=hand)

    samples = [sample("a", "first line", 2), sample("a", "second line", 3)]
    samples += [sample("a", "third line", 4), sample("b", "fourth line", 5)]
    samples += [sample("b", "misread line", 6), sample("b", "short", 7), sample("b", "12345678", 8)]
    texts = {len(each.ink): each.text.replace("misread", "mistead") for each in samples}
    reader = SimpleNamespace(read_lines=lambda inks, **_: [texts[len(ink)] for ink in inks])
    primers = [*legible_primers(samples, reader, np.random.default_rng(0))]
    assert {text for _, text in primers[:2]} >= {"fourth line"}
    assert {text for _, text in primers} == {each.text for each in samples[:4]}


def test_texts_with_a_sign_have_2_to_7_characters():
    known = Alphabet(string.ascii_lowercase + string.digits + "/+")
    texts = [*islice(new_texts(Draws(np.random.default_rng(0)), [known], 1.0), 100)]
    assert all(re.fullmatch("([a-z]+|[0-9]+)[/+]([a-z]*|[0-9]*)", text) for text in texts)
    assert {len(text) for text in texts} == {2, 3, 4, 5, 6, 7}


def word(text, right=True):
    """A square as high as small letters."""
    square = np.array([(0, 0), (1, 0), (1, -1), (0, -1), (0, 0)], dtype=np.float64)
    return CheckedWord((WrittenWord((square,), 1.0, 0.5, text),), text, errors=int(not right))


@pytest.mark.parametrize("seed", range(3))
def test_words_that_are_accepted_are_saved_in_the_units_of_the_hand(tmp_path, monkeypatch, seed):
    lines = [[word("ab"), word("cd", right=False), word("ef")], [word("gh")], [word("jk", False)]]
    lines += [[word("lm"), word("no")]]
    monkeypatch.setattr("apps.datasets.legible.write_words", lambda *_: lines)
    hand = SimpleNamespace(shape=SimpleNamespace(x_height=20.0))
    save_lines([*lines_of(hand, ["x"] * 4, 0, np.random.default_rng(seed))], tmp_path)
    samples = read_ink(tmp_path)
    texts = [each.text for each in samples]
    assert " ".join(texts) == "ab ef gh lm no" and 1 < len(texts) < 4
    for each in samples:
        words = len(each.text.split())
        extent = np.ptp(to_points(each.ink), axis=0)
        np.testing.assert_allclose(extent, (20.0 * words + 10.0 * (words - 1), 20.0), rtol=1e-5)
