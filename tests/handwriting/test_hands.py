"""A hand, and what it writes until it is read as it should be."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from handwriting.hand_shape import Calibration
from handwriting.hands import TRY_SEED_STRIDE
from handwriting.page_hands import OWN_TEXT, OWN_TRIES, own_hand
from handwriting.proofreading import write_words
from model import Line
from model.generation.sampling_options import Sampling
from utils.alphabet import Alphabet
from utils.ink import from_strokes


def test_words_that_are_misread_are_written_again_without_the_others(hand):
    """Up to three times, each with the seed of the next try, those of a line together."""
    answers = {"one": ["one", "one"], "two": ["tmm", "tw", "two"], "ten": ["t", "ten"]}

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
    first, second = write_words(one, ["one two ten", "one"], [7, 8])
    again = [7 + TRY_SEED_STRIDE, 7 + 2 * TRY_SEED_STRIDE]
    tried = [(["two ten"], again[:1]), (["two"], again[1:])]
    assert calls == [(["one two ten", "one"], [7, 8]), *tried]
    assert [(each.text, each.tries) for each in first] == [("one", 1), ("two", 3), ("ten", 2)]
    assert [each.tries for each in second] == [1] and all(
        each.accepted for each in [*first, *second]
    )


def test_a_hand_is_measured_once_and_what_is_left_is_scaled_behind_the_primer(hand, monkeypatch):
    found, measured = Calibration((1.01, 1.0), (1.2, 0.9)), []
    monkeypatch.setattr("handwriting.hands.calibrated", lambda *how: measured.append(how) or found)
    one = hand()
    lines = [*one.write_lines(["ab"], [5]), *one.write_lines(["ab"], [5])]
    replace(one, slant=3.0).write_lines(["ab"], [5])
    assert len(measured) == 1 and measured[0][1][1] == "abc"
    sampling = Sampling(stretch=found.stretch)
    plain = one.writer.write("ab", sampling, seed=5, primer=one.primer)
    for line in lines:
        start = plain.primed
        np.testing.assert_array_equal(line.ink[:start], plain.ink[:start])
        np.testing.assert_allclose(
            line.ink[start:, :2], plain.ink[start:, :2] * found.rest, rtol=1e-5
        )
        np.testing.assert_array_equal(line.ink[:, 2], plain.ink[:, 2])


@pytest.mark.parametrize("sampling", [Sampling(0.0), Sampling(stretch=(1.0, 1.0))])
def test_without_a_bias_or_with_a_stretch_of_its_own_a_hand_is_not_measured(hand, sampling):
    one = hand(sampling=sampling)
    assert one.calibration is None
    (line,) = one.write_lines(["ab"], [5])
    np.testing.assert_array_equal(
        line.ink, one.writer.write("ab", sampling, seed=5, primer=one.primer).ink
    )


def test_a_hand_of_its_own_is_drawn_without_a_bias_and_chosen_by_the_reader():
    """The least doubtful line of those that have an end; without a reader the first, as asked."""
    asked = []

    def write_lines(texts, seeds, sampling):
        asked.append((len(texts), sampling.bias))
        inks = [np.full((2, 3), float(number)) for number in range(len(seeds))]
        return [Line(ink, 0, None, "a", ink[0, 0] != 3, np.zeros(1)) for ink in inks]

    model = SimpleNamespace(alphabet=Alphabet("".join(sorted({*OWN_TEXT}))))
    writer = SimpleNamespace(write_lines=write_lines, model=model)
    doubts = SimpleNamespace(
        proofread=lambda *_: [("", d) for d in (5, 4, 2, 1, *range(3, OWN_TRIES - 1))]
    )
    ink, text = own_hand(writer, doubts, 7, Sampling(0.75))
    assert ink[0, 0] == 2.0 and text == OWN_TEXT
    assert own_hand(writer, None, 7, Sampling(0.75))[0][0, 0] == 0.0
    assert asked == [(OWN_TRIES, 0.0), (1, 0.75)]
