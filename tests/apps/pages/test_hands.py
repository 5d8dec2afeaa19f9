"""A hand, continued as large as it is, and what it writes until it is read as it should be."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from apps.pages.hands import Calibration, Hand, calibrated
from apps.pages.page_hands import NEW_HAND_TRIES, new_hand_primer
from apps.pages.proofreading import TRY_SEED_STRIDE, write_words
from base.run.pretrained import pretrained
from ink.alphabet import Alphabet
from ink.geometry import bounds, from_strokes, x_height
from model import Line
from model.generation.line import Sampling

TEXT = "a line of a hand"


def spaced_line(text):
    """A line of a network that leaves blanks, with a stroke for each word."""
    words, t = text.split(), np.linspace(0, 1, 50)
    strokes = [np.stack([40 * (t + 2 * k), 5 * np.sin(20 * t)], 1) for k in range(len(words))]
    starts, ink = np.cumsum([0, *(len(word) + 1 for word in words)]), from_strokes(strokes)
    peaks = np.repeat(starts[:-1], 50)[1:]
    return Line(ink, 0, peaks, text, True, np.zeros(len(ink) - 1), written_text=text)


def test_only_words_that_their_reader_does_not_accept_are_written_again(hand):
    """Up to three times, each with the seed of the next try, those of a line together."""
    answers = {"one": ["one", "one"], "mow": ["mmm", "mw", "mow"], "hen": ["h", "hen"]}
    reader, writer = mock.Mock(), mock.Mock()
    reader.proofread = lambda inks, texts, *_: [(answers[word].pop(0), 0.0) for (word,) in texts]
    writer.write_lines.side_effect = lambda texts, *_, **__: [*map(spaced_line, texts)]
    careful = hand(reader=reader, tries=3)
    careful.writer = writer
    first, second = write_words(careful, ["one mow hen", "one"], [7, 8])
    again = [7 + TRY_SEED_STRIDE, 7 + 2 * TRY_SEED_STRIDE]
    calls = [call.args[:2] for call in writer.write_lines.call_args_list]
    tried = [(["mow hen"], again[:1]), (["mow"], again[1:])]
    assert calls == [(["one mow hen", "one"], [7, 8]), *tried]
    assert [(each.text, each.tries) for each in first] == [("one", 1), ("mow", 3), ("hen", 2)]
    assert [each.tries for each in second] == [1]
    assert all(each.accepted for each in [*first, *second])


def test_a_hand_is_measured_once_and_lines_are_scaled_by_the_residual(hand, monkeypatch):
    calibration = Calibration((1.01, 1.0), (1.2, 0.9))
    measure = mock.Mock(return_value=calibration)
    monkeypatch.setattr("apps.pages.hands.calibrated", measure)
    usual = hand()
    lines = [*usual.write_texts(["ab"], [5]), *usual.write_texts(["ab"], [5])]
    replace(usual, slant=3.0).write_texts(["ab"], [5])
    measure.assert_called_once()
    assert measure.call_args.args[1][1] == "abc"
    sampling = Sampling(stretch=calibration.stretch)
    plain = usual.writer.write("ab", sampling, seed=5, primer=usual.primer)
    for line in lines:
        start = plain.primed
        np.testing.assert_array_equal(line.ink[:start], plain.ink[:start])
        np.testing.assert_allclose(
            line.ink[start:, :2], plain.ink[start:, :2] * calibration.residual, rtol=1e-5
        )
        np.testing.assert_array_equal(line.ink[:, 2], plain.ink[:, 2])


@pytest.mark.parametrize(
    ("network", "written"),
    [(pretrained()["open_writer"], "Blt Glm"), (Path("own_hand/mine/hand.pth"), "Ilt Glm")],
)
def test_only_a_pretrained_network_writes_other_letters_than_those_of_the_text(
    network, written, hand
):
    """The letters that it misforms are drawn; one that learned a hand has learned them."""
    written_hand = hand()
    written_hand.writer = mock.Mock(path=network)
    written_hand.writer.model.alphabet = Alphabet("BEGIlmt ")
    written_hand.writer.write_lines.side_effect = lambda texts, *_, **__: [*map(spaced_line, texts)]
    (words,) = written_hand.write_words(["Ilt Glm"], [3])
    assert written_hand.writer.write_lines.call_args.args[0] == [written]
    assert [word.text for word in words] == ["Ilt", "Glm"]


@pytest.mark.parametrize("sampling", [Sampling(0.0), Sampling(stretch=(1.0, 1.0))])
def test_a_hand_is_not_measured_when_the_bias_is_0_or_a_stretch_is_given(hand, sampling):
    usual = hand(sampling=sampling)
    assert usual.calibration is None
    (line,) = usual.write_texts(["ab"], [5])
    np.testing.assert_array_equal(
        line.ink, usual.writer.write("ab", sampling, seed=5, primer=usual.primer).ink
    )


def test_a_reader_chooses_a_new_hand_among_lines_that_are_drawn_without_a_bias():
    """The least doubtful line of those that have an end; without a reader the first, as asked."""
    asked = []

    def write_lines(texts, seeds, sampling):
        asked.append((len(texts), sampling.bias))
        inks = [np.full((2, 3), float(number)) for number in range(len(seeds))]
        return [Line(ink, 0, None, "a", ink[0, 0] != 3, np.zeros(1)) for ink in inks]

    writer = SimpleNamespace(write_lines=write_lines, reference_text=TEXT)
    doubts = SimpleNamespace(
        proofread=lambda *_: [("", d) for d in (5, 4, 2, 1, *range(3, NEW_HAND_TRIES - 1))]
    )
    ink, text = new_hand_primer(writer, doubts, 7, Sampling(0.75))
    assert ink[0, 0] == 2.0 and text == TEXT
    assert new_hand_primer(writer, None, 7, Sampling(0.75))[0][0, 0] == 0.0
    assert asked == [(NEW_HAND_TRIES, 0.0), (1, 0.75)]


class Shrinking:
    """A writer whose lines are smaller than its primer, and grow with a power of the stretch."""

    def __init__(self, sample, shrunk, powers):
        self.sample = sample
        self.shrunk = np.array(shrunk)
        self.powers = np.array(powers)
        self.stretches, self.bars = [], []
        self.model = SimpleNamespace(stretch_at=lambda bias: (1.0 + 0.01 * bias, 1.0))

    def write_lines(self, texts, seeds, sampling, *, primer, progress):
        self.stretches.append(sampling.stretch)
        self.bars.append(progress)
        ink = self.sample.copy()
        ink[:, :2] *= self.shrunk * np.array(sampling.stretch) ** self.powers
        return [Line(ink, 0, None, text, True, np.zeros(len(ink) - 1)) for text in texts]


@pytest.fixture(scope="module")
def sample(writer):
    return writer.write_lines([TEXT], [3], Sampling(bias=0.75))[0].written


def test_the_stretch_makes_up_for_a_part_of_what_lines_lack_and_the_rest_is_scaled(sample):
    writer = Shrinking(sample, (0.4, 0.9), (12.0, 8.0))
    calibration = calibrated(writer, (sample, TEXT), Sampling(0.5))
    grown = writer.shrunk * np.array(calibration.stretch) ** writer.powers
    # In x the bound; in y the 30th root of 1 / 0.9.
    assert calibration.stretch == pytest.approx((1.03, 1.003518), abs=1e-6)
    np.testing.assert_allclose(grown * calibration.residual, 1.0, rtol=1e-4)
    assert writer.stretches == [(1.005, 1.0), calibration.stretch]


def test_a_hand_is_measured_with_a_bar_only_if_asked(sample):
    writer = Shrinking(sample, (0.5, 0.9), (12.0, 8.0))
    calibrated(writer, (sample, TEXT), Sampling(0.5))
    calibrated(writer, (sample, TEXT), Sampling(0.5), progress=True)
    assert writer.bars == [False, False, True, True]


@pytest.mark.parametrize(
    ("points", "text"),
    [([[0, 0], [9, 0], [20, 0]], "minus"), ([[0, 0], [3, 40]], "I"), ([[0, 0]], "dot")],
)
def test_a_hand_is_not_measured_when_its_primer_is_flat_or_a_letter(sample, points, text):
    primer = from_strokes([np.array(points)]), text
    calibration = calibrated(Shrinking(sample, (0.5, 0.5), (12.0, 8.0)), primer, Sampling(0.5))
    assert calibration == ((1.005, 1.0), (1.0, 1.0), None)


@pytest.mark.slow
def test_lines_in_a_wide_hand_become_as_wide_as_its_primer(writer, sample):
    wide = sample * np.float32([1.4, 1.0, 1.0])
    primer = (wide, TEXT)

    def size(stretch):
        hand = Hand(writer, primer, sampling=Sampling(bias=1.5, stretch=stretch))
        lines = hand.write_texts([TEXT] * 8, range(20, 28))
        return np.median([np.ptp(bounds(line.written)[::2]) for line in lines])

    plain, measured = size((1.0, 1.0)), size(None)
    wanted = np.ptp(bounds(wide)[::2])
    assert plain < 0.9 * wanted
    assert measured == pytest.approx(wanted, rel=0.12)
    assert x_height(wide) == pytest.approx(x_height(sample))
