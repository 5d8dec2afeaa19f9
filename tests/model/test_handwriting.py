"""Text in one hand, as words for a page."""

import numpy as np
import pytest

from model import load
from model.handwriting import LONGEST, Hand, cut, divided
from tests.commands.networks import save
from utils.ink import from_strokes


def test_texts_are_cut_at_blanks_into_lines_of_about_equal_lengths():
    spoken = ["word"] * 20  # 99 characters: three lines
    lines = cut(spoken, 40)
    assert " ".join(lines).split() == spoken
    assert [len(line) for line in lines] == [34, 34, 29]
    assert cut([], 40) == [] and cut(["a" * 50, "b"], 40) == ["a" * 50, "b"]


def test_lines_are_never_longer_than_their_limit():
    generator = np.random.default_rng(1)
    for _ in range(200):
        spoken = ["x" * n for n in generator.integers(1, LONGEST, generator.integers(1, 40))]
        lines = cut(spoken, LONGEST)
        assert " ".join(lines).split() == spoken
        assert max(map(len, lines)) <= LONGEST


@pytest.mark.parametrize(
    ("word", "characters", "parts"),
    [
        ("abcdefgh", 4, ["abcd-", "efgh"]),
        ("abcdefghi", 4, ["abcd-", "ef-", "ghi"]),
        ("www.ab.example", 8, ["www.ab.e-", "xample"]),
        ("ab.cd/ef", 3, ["ab.", "cd", "/ef"]),
        ("a1b2c3d4", 4, ["a1b2", "c3d4"]),
    ],
)
def test_words_are_divided_with_hyphens_between_letters_only(word, characters, parts):
    assert divided(word, characters, "-") == parts
    assert "".join(divided(word, characters, "")) == word


@pytest.fixture
def hand(tmp_path):
    """An untrained network that writes in the hand of a wave."""
    writer = load(save(tmp_path / "writer", "SynthesisNetwork"))
    t = np.linspace(0, 1, 200)
    ink = from_strokes([np.stack([400 * t, 10 * np.sin(80 * t)], axis=1)])
    return lambda **options: Hand(writer, (ink, "abc"), **options)


def test_paragraphs_come_in_their_order_whatever_is_written_together(hand, monkeypatch):
    texts = ["ab ba", "", "  b  ", "aa " * 30]
    words = list(hand(seed=3).write(texts))
    assert len(words) == 4 and words[1] == []
    monkeypatch.setattr("model.handwriting.TOGETHER", 1)
    again = list(hand(seed=3).write(texts))
    for one, other in zip(words, again, strict=True):
        assert [word.text for word in one] == [word.text for word in other]
        for first, second in zip(one, other, strict=True):
            assert (first.width, first.gap) == pytest.approx((second.width, second.gap), rel=1e-3)


def test_lines_have_the_seeds_after_the_first(hand):
    one = hand(seed=5)
    list(one.write(["ab", "ba"]))
    assert [line.line.description.split()[-1] for line in one.lines] == ["5", "6"]


def test_words_begin_at_their_left_edge(hand):
    for words in hand(seed=3).write(["ab ba ab"]):
        for word in words:
            x = np.concatenate([stroke[:, 0] for stroke in word.strokes])
            assert x.min() == pytest.approx(0, abs=1e-9)
            assert np.ptp(x) == pytest.approx(word.width)
