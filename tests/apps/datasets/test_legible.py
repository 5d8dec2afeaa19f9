"""Lines of words that can be read, for a writer to learn from."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from apps.datasets.dataset import LegibleDataset
from apps.datasets.legible import LineMaker, breaks, clear_words, is_clear, lines_of
from apps.datasets.line_hands import NamedHand
from apps.pages.proofreading import CheckedWord
from apps.pages.written_word import WrittenWord
from data_loader.sources.cache import CacheKey, columns_in
from ink.geometry import to_points
from model.generation.hand_encoder import hand_extra
from model.generation.line import Sampling
from model.loading import load_reader, load_writer


def word(text, right=True):
    """A square as high as small letters."""
    square = np.array([(0, 0), (1, 0), (1, -1), (0, -1), (0, 0)], dtype=np.float64)
    written = WrittenWord((square,), 1.0, 0.5, text, (np.zeros(5, int),))
    return CheckedWord((written,), text, errors=int(not right))


@pytest.mark.parametrize("seed", range(3))
def test_words_that_are_accepted_become_lines(monkeypatch, seed):
    lines = [[word("ab"), word("cd", right=False), word("ef")], [word("gh")], [word("jk", False)]]
    lines += [[word("lm"), word("no" * 25)], [word("pq" * 10)]]
    monkeypatch.setattr("apps.datasets.legible.write_words", lambda *_: lines)
    words = clear_words(SimpleNamespace(draws_letters=True), ["x"] * 5, 0)
    made = [*lines_of(words, 0.25, np.random.default_rng(seed))]
    assert " ".join(line.text for line in made) == f"ab ef gh lm {'no' * 25} {'pq' * 10}"
    assert len(made) > 1 and max(len(line.text) for line in made) <= 60
    for line in made:
        count = len(line.words)
        # Each side of a square is longer than a step of the pen, and gets points on it.
        extent = np.ptp(to_points(line.ink), axis=0)
        np.testing.assert_allclose(extent, (count + 0.5 * (count - 1), 1.0), atol=0.1)


@pytest.mark.parametrize(
    ("text", "draws_letters", "doubt", "clear"),
    [
        ("zoo", True, 0.5, True),
        ("zoo", True, 0.7, False),
        ("zoo", False, 0.5, False),  # The network wrote a letter that pages draw.
        ("zoo", False, 0.05, True),
        ("moo", False, 0.5, True),
        ("m" * 16, True, 0.7, True),  # long
    ],
)
def test_words_that_are_doubted_are_left_out(text, draws_letters, doubt, clear):
    checked = replace(word(text), second=doubt)
    assert is_clear(checked, draws_letters) == clear
    assert not is_clear(replace(checked, faults=("a dot too many or too few",)), draws_letters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abcd", 1 / 4), ("bi", 0.0), ("tin", -1 / 3), ("DE", np.nan), ("2", np.nan), ("é", np.nan)],
)
def test_only_words_of_small_letters_show_how_a_hand_joins_them(text, expected):
    np.testing.assert_equal(breaks(word(text)), expected)


@pytest.mark.slow
def test_lines_of_a_hand_are_saved_with_the_hand(tmp_path):
    writer = load_writer("writer", "cpu")
    readers = load_reader("reader", "cpu"), load_reader("eye", "cpu")
    maker = LineMaker(writer, *readers, Sampling(bias=0.75), lines=12, signs=0.0, rare=0.3, seed=0)
    vector = hand_extra(writer.model.hand_encoder.draw(5))
    extras = {"hand": vector, "composed": np.zeros(1, np.float32)}
    hands = [(0, NamedHand("own-5", extras=extras))]
    key = CacheKey("legible", {}, (), licences=(writer.licence,))
    columns_in(tmp_path / "set", key, hands, maker.samples)
    fractions = {"train": 0.5, "valid": 0.25, "test": 0.25}
    loaded = LegibleDataset(root=str(tmp_path / "set"), fractions=fractions).load()
    lines = [*loaded.used]
    assert lines and {line.hand for line in lines} == {"own-5"}
    for line in lines:
        np.testing.assert_array_equal(line.extras["hand"], vector)
        assert line.extras["composed"] == 0.0
    # The lines are in the writer's units, and say their texts.
    readings = readers[0].read_lines([line.ink for line in lines])
    plain = [
        (line.text, text) for line, text in zip(lines, readings, strict=True) if line.text.isascii()
    ]
    assert sum(text == read for text, read in plain) >= len(plain) / 2
    steps = [np.median(np.hypot(*line.ink[1:, :2].T)) for line in lines]
    assert 10 < np.median(steps) < 40
