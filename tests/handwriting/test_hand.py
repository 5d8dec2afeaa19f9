"""Text in one hand, as words for a page."""

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from handwriting.hand import LONGEST, TRY_SEED_STRIDE, Hand, Passage, divided, write
from handwriting.layout import Word, break_rows
from handwriting.proofreading import Proofread
from model import Line, Writer, load
from model.generation.options import Sampling
from tests.commands.networks import save
from utils.ink import from_strokes, to_points


@pytest.mark.parametrize(
    ("word", "characters", "parts"),
    [
        ("abcdefghi", 4, ["abc-", "def-", "ghi"]),
        ("www.ab.example", 8, ["www.ab.", "example"]),
        ("department@mail.example", 8, ["departme", "nt@mail.", "example"]),
        ("(don't-believe)", 8, ["(don't-", "believe)"]),
        ("“Straßenbahn!”", 8, ["“Straße-", "nbahn!”"]),
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

    def make(ink=None, height=10.0, **options):
        wave = from_strokes([np.stack([400 * t, height * np.sin(80 * t)], axis=1)])
        return Hand(writer, (wave, "abc") if ink is None else (ink, "zzzzzzzz"), **options)

    return make


def same(one, other):
    assert [word.text for word in one] == [word.text for word in other]
    for first, second in zip(one, other, strict=True):
        assert (first.width, first.gap) == pytest.approx((second.width, second.gap), rel=1e-3)
    return True


def test_paragraphs_come_in_their_order_whatever_is_written_together(hand, monkeypatch):
    one = hand()
    passages = [Passage(one, text) for text in ("ab ba", "", "  b  ", "aa " * 30)]
    found = list(write(passages, 3))
    assert len(found) == 4 and found[1] == ([], [])
    monkeypatch.setattr("handwriting.hand.BATCH_SIZE", 1)
    again = list(write(passages, 3))
    assert all(same(one, other) for (one, _), (other, _) in zip(found, again, strict=True))


@pytest.fixture
def asked(monkeypatch):
    """What was written: texts, seeds, and the bias."""
    calls, real = [], Writer.write_lines

    def write_lines(self, texts, seeds, sampling, **options):
        calls.append((list(texts), list(seeds), sampling.bias))
        return real(self, texts, seeds, sampling, **options)

    monkeypatch.setattr(Writer, "write_lines", write_lines)
    return calls


def test_a_line_does_not_depend_on_the_hands_and_the_widths_of_the_others(hand, asked):
    one, other = hand(), hand(height=25.0, sampling=Sampling(bias=2.0))
    texts = ["ab ba", "b" * 20, "ab ba ab"]
    plain = list(write([Passage(one, text) for text in texts], 7))
    asked.clear()
    mixed = list(write([
        Passage(replace(other, slant=30.0), texts[0]), Passage(other, texts[1], width=1.0),
        Passage(one, texts[2]),
    ], 7))  # fmt: skip
    assert plain[2][0] and same(plain[2][0], mixed[2][0])
    assert ([texts[0]], [7], 2.0) in asked and ([texts[2]], [9], Sampling().bias) in asked
    parts = [seed for some, seeds, _ in asked if some[0].endswith("b-") for seed in seeds]
    assert len(parts) > 1 and len({7, 8, 9, *parts}) == 3 + len(parts)


def test_words_that_are_misread_are_written_again_without_the_others(hand):
    """Up to three times, each with the seed of the next try, those of a line together."""
    answers = {"one": ["one", "one"], "two": ["tmm", "tw", "two"], "six": ["s", "six"]}

    def read(inks, texts, *_):
        return [(answers[text].pop(0), 0.0) for (text,) in texts]

    t = np.linspace(0, 1, 50)

    def written(texts, *_, **__):
        """A network that leaves blanks, and a stroke for each word."""
        found = []
        for text in texts:
            words = text.split()
            strokes = [
                np.stack([40 * (t + 2 * k), 5 * np.sin(20 * t)], 1) for k in range(len(words))
            ]
            starts = np.cumsum([0, *(len(word) + 1 for word in words)])
            peaks = np.repeat(starts[:-1], 50)[1:]
            ink = from_strokes(strokes)
            found.append(Line(ink, 0, peaks, text, True, np.zeros(len(ink) - 1), title=text))
        return found

    one = hand(reader=SimpleNamespace(proofread=read), tries=3)
    calls = []
    one.writer = SimpleNamespace(
        write_lines=lambda texts, seeds, *_, **__: calls.append((texts, seeds)) or written(texts)
    )
    first, second = one.write(["one two six", "one"], [7, 8])
    again = [7 + TRY_SEED_STRIDE, 7 + 2 * TRY_SEED_STRIDE]
    tried = [(["two six"], again[:1]), (["two"], again[1:])]
    assert calls == [(["one two six", "one"], [7, 8]), *tried]
    assert [(each.text, each.tries) for each in first] == [("one", 1), ("two", 3), ("six", 2)]
    assert [each.tries for each in second] == [1] and all(
        each.accepted for each in [*first, *second]
    )


def zigzag(lean):
    """Straight down, then up to the right: 16 strokes of the pen down, which lean."""
    corners = np.array([[12.0 * (k // 2), 10.0 * (k % 2)] for k in range(32)])
    steps = np.linspace(0, 1, 10, endpoint=False)[:, None]
    ink = np.concatenate([a + steps * (b - a) for a, b in pairwise(corners)])
    return from_strokes([ink - lean * ink[:, 1:] * [1.0, 0.0]])


@pytest.mark.parametrize("own", [-20.0, 0.0, 25.0])
def test_words_lean_as_asked_whatever_the_hand(hand, own):
    """Of 8 characters, 8 / (8 + 2) of what they lean more than the primer is believed."""
    lean = math.tan(math.radians(own))
    ink = zigzag(lean)
    peaks, bias = np.ones(len(ink) - 1, int), np.zeros(len(ink) - 1)
    line = Line(ink, 0, peaks, "zzzzzzzz", True, bias, title="zzzzzzzz")
    for primer, left in ((zigzag(0.0), 0.2 * lean), (ink, 0.0)):
        one = hand(primer)
        (plain,), (leaning,) = one.words(line), replace(one, slant=15.0).words(line)
        (before,), (after,) = plain.strokes, leaning.strokes
        np.testing.assert_allclose(after[:, 1], before[:, 1])
        down = after[9::20] - after[:-9:20]
        np.testing.assert_allclose(
            -down[:, 0] / down[:, 1], math.tan(math.radians(15.0)) + left, atol=2e-3
        )


def test_lines_fill_batches_each_in_the_hands_of_its_lines(hand, monkeypatch):
    monkeypatch.setattr("handwriting.hand.BATCH_SIZE", 3)
    one, other, batches = hand(), hand(), []
    real = Hand.write
    monkeypatch.setattr(Hand, "write", lambda *of: batches.append((of[0], of[2])) or real(*of))
    texts = [" ".join(["b" * LONGEST] * lines) for lines in (2, 2, 1)]
    list(write([Passage(*pair) for pair in zip((one, other, one), texts, strict=True)], 10))
    assert batches == [(one, (10, 11)), (other, (12,)), (other, (13,)), (one, (14,))]


def test_half_of_what_a_line_of_eight_letters_stands_lower_than_its_primer_is_believed(hand):
    """It stands 0.8 x-heights lower: 0.8 * 8 / (8 + 8) of that is taken for its baseline."""
    lead, lower = from_strokes([np.array([[0.0, 0.0], [9.0, 0.0]])]), zigzag(0.0)
    lower[0, :2] = 5.0, 8.0
    ink = np.concatenate([lead, lower])
    peaks = np.full(len(ink) - 1, 4)
    line = Line(ink, 2, peaks, "- zzzzzzzz", True, np.zeros(len(ink) - 1), title="zzzzzzzz")
    (word,) = hand(zigzag(0.0)).words(line)
    assert word.strokes[0][:, 1].max() == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize(("apart", "gap"), [(0.1, 0.7 * 1.2), (1.5, 1.5), (50.0, 1.7 * 1.2)])
def test_blanks_are_neither_too_narrow_nor_too_wide(hand, apart, gap):
    """Of a primer of one word: a blank is usually 1.2 x-heights, and from 0.7 to 1.7 of that."""
    word = to_points(zigzag(0.0))
    shift = np.array([np.ptp(word[:, 0]) + 10.0 * apart, 0.0])
    ink = from_strokes([word, word + shift])
    peaks, text = np.where(np.arange(len(ink) - 1) < len(word) - 1, 1, 10), "zzzzzzzz zzzzzzzz"
    line = Line(ink, 0, peaks, text, True, np.zeros(len(ink) - 1), title=text)
    first, _ = hand(zigzag(0.0)).words(line)
    assert first.gap == pytest.approx(gap, rel=1e-3)


@pytest.mark.parametrize(("stretch", "left"), [(1.2, 1.2 ** (6 / 14)), (3.0, 3.0 / 1.33), (1, 1)])
def test_letters_are_as_wide_as_the_primers(hand, stretch, left):
    """Of 8 characters, 8 / (8 + 6) of how much wider they are is believed; they lean as before."""
    ink = zigzag(0.3 / stretch) * np.array([stretch, 1.0, 1.0])
    peaks, bias = np.ones(len(ink) - 1, int), np.zeros(len(ink) - 1)
    line, one = Line(ink, 0, peaks, "z" * 8, True, bias, title="z" * 8), hand(zigzag(0.3))
    (word,) = one.words(line)
    assert word.width == pytest.approx(
        left * np.ptp(to_points(zigzag(0.3))[:, 0]) / one.letter, 0.01
    )
    down = word.strokes[0][9::20] - word.strokes[0][:-9:20]
    np.testing.assert_allclose(-down[:, 0] / down[:, 1], 0.3, atol=0.02)


def test_what_is_raised_is_small_and_stands_close(hand, monkeypatch):
    """A square of side 1 becomes one of 0.6, 0.9 above, 0.15 from what is beside it."""
    square = np.array([[0.0, -1.0], [1.0, 0.0]])

    def written(_, texts, seeds):
        words = [[Word((square,), 1.0, 2.0, one) for one in text.split()] for text in texts]
        return [[Proofread((one,), one.text) for one in line] for line in words]

    monkeypatch.setattr(Hand, "write", written)
    ((words, _),) = write([Passage(hand(), "15 m², 10⁶ x")])
    assert [word.text for word in words] == ["15", "m", "²", ",", "10", "⁶", "x"]
    assert [word.gap for word in words] == [2.0, 0.0, 0.0, 2.0, 0.0, 2.0, 2.0]
    assert (words[1].width, words[2].width) == (1.0, pytest.approx(0.9))
    np.testing.assert_allclose(words[2].strokes[0], [[0.15, -1.5], [0.75, -0.9]])
    assert [len(row) for row in break_rows(words, 9)] == [4, 3]
