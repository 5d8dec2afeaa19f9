"""Writing many lines, and long ones in parts."""

import numpy as np
import pytest
import torch

from handwriting.repairs import LetterStrokes
from handwriting.word_cutting import cut_words
from model import Line, SynthesisNetwork, sample
from model.generation.sampling_options import Sampling
from model.generation.writing import (
    MAX_PRIMER_CHARACTERS,
    MAX_PRIMER_POINTS,
    MAX_TEXT_CHARACTERS,
    PART_SEED_STRIDE,
    _merged,
    _parts,
    check_lengths,
    wrapped,
    write,
)
from utils.alphabet import Alphabet
from utils.checks import UserError
from utils.ink import from_strokes, to_points
from utils.normalisation import Normalisation

PRIMER = (np.float32([[0, 0, 0], [9, 3, 0], [8, -2, 1]]), "c ")


@pytest.fixture(scope="module")
def network() -> SynthesisNetwork:
    torch.manual_seed(0)
    normalisation = Normalisation((8.0, 0.5), (40.0, 30.0))
    sizes = {"hidden_size": 16, "num_mixtures": 3, "window_advance": 0.3, "longest": 8}
    return SynthesisNetwork(normalisation, Alphabet("abc "), **sizes).eval()


def test_texts_are_cut_at_blanks_into_lines_of_about_equal_lengths():
    spoken = ["word"] * 20  # 99 characters: three lines
    lines = wrapped(spoken, 40)
    assert " ".join(lines).split() == spoken
    assert [len(line) for line in lines] == [34, 34, 29]
    assert wrapped([], 40) == [] and wrapped(["a" * 50, "b"], 40) == ["a" * 50, "b"]


@pytest.mark.parametrize(
    "text",
    [
        "word " * 40,
        "  ab " + "cd  e " * 40,
        "a" * 300,
        "a " + "b" * 150,
        " " * 150,
        "one" + " " * 99,
    ],
)
def test_the_parts_of_a_text_are_the_whole_text(text):
    parts = _parts(text, 100)
    assert "".join(parts) == text and _parts(text, None) == [text]
    assert len(parts) == 1 or all(part.strip() for part in parts)
    assert all(part.startswith(" ") for part in parts[1:])


@pytest.mark.parametrize("primer", [None, PRIMER])
def test_parts_continue_one_hand(network, primer):
    text, options = "abc ab bca", {"sampling": Sampling(1.0, stretch=(1.1, 0.9))}
    (line,) = write(network, [text], [5], primer=primer, **options)
    said, primed = ("", 0) if primer is None else (primer[1], len(primer[0]))
    (first,) = sample(network, [5], ["abc"], primer=primer, **options)
    hand = primer or (first.written, "abc")
    seeds = [5 + PART_SEED_STRIDE, 5 + 2 * PART_SEED_STRIDE]
    second, third = sample(network, seeds, [" ab", " bca"], primer=hand, **options)
    followed = [one.ink[one.primed :] for one in (second, third)]
    assert (line.text, line.primed, line.ended) == (said + text, primed, True)
    whole = np.concatenate((first.ink, *followed))
    starts = len(first.ink) + np.array([0, len(followed[0])])
    alike = np.delete(np.arange(len(whole)), starts)
    np.testing.assert_array_equal(line.ink[alike], whole[alike])
    np.testing.assert_array_equal(line.ink[starts, 2], whole[starts, 2])
    steps = len(line.ink) - 1
    assert line.peaks.shape == line.bias.shape == (steps,)
    # At the steps of a part the window is over its own characters, and the end.
    peaks = second.peaks[second.primed - 1 :] - len(hand[1])
    part = line.peaks[starts[0] - 1 : starts[1] - 1]
    np.testing.assert_array_equal(part, len(said) + 3 + np.maximum(peaks, 0))
    assert [word.text for word in cut_words(LetterStrokes.of(line), text)] == text.split()


def test_a_primer_whose_text_is_part_of_the_text_is_no_hand_of_its_own(network):
    text, options = "abc ab bca", {"sampling": Sampling(1.0, max_steps=500)}
    (line,) = write(network, [text], [5], primer=(PRIMER[0], ""), **options)
    (first,) = sample(network, [5], ["abc"], primer=(PRIMER[0], ""), **options)
    (part,) = sample(network, [5 + PART_SEED_STRIDE], [" ab"], primer=(first.ink, "abc"), **options)
    start = len(first.ink)
    assert line.text == text and line.primed == 3
    np.testing.assert_array_equal(line.ink[:start], first.ink)
    own = part.ink[part.primed + 1 :]
    np.testing.assert_array_equal(line.ink[start + 1 : start + 1 + len(own)], own)


def test_a_part_lies_behind_what_was_written_as_behind_the_hand():
    """By hand: boxes of which the hand's last point is 5 left of its right edge."""
    box = from_strokes([np.array([[0, 0], [0, -10], [20, -10], [20, 0], [15, 0]], float)])
    step = np.float32([[30.0, -4.0, 0.0]])  # 25 behind the right edge, and 4 higher
    part = Line(np.concatenate((box, step, box[1:])), len(box), np.zeros(9, int), "a b", True,
                np.zeros(9))  # fmt: skip
    before = from_strokes([np.array([[0, 0], [0, -10], [40, -10], [40, 0], [10, 0]], float)])
    line = Line(before, 0, np.zeros(4, int), "a", True, np.zeros(4))
    joined = _merged(line, [part, part], [" b", " b"], box)
    ways = to_points(joined.ink)[[4, 5, 9, 10]]
    # 30 right of the last point is the edge, and 25 on begins a part; 15 on it ends.
    np.testing.assert_allclose(ways, [[10, 0], [65, 0], [80, 0], [110, 0]], atol=1e-4)
    assert joined.text == "a b b" and joined.ended


def test_a_part_that_does_not_end_is_the_last(network):
    text = "abc ab bca"
    (line,) = write(network, [text], [5], Sampling(bias=1.0, max_steps=4))
    assert len(line.ink) == 5 and not line.ended and line.text == text
    assert line.peaks.shape == (4,) and line.ink[-1, 2] == 1.0
    (whole,) = write(network, [text], [5], Sampling(bias=1.0))
    limit = len(whole.ink) - 2
    (cut,) = write(network, [text], [5], Sampling(bias=1.0, max_steps=limit))
    assert len(cut.peaks) == len(cut.bias) == limit and not cut.ended and cut.ink[-1, 2] == 1.0
    np.testing.assert_array_equal(cut.ink[:-1], whole.ink[:limit])


def test_long_and_short_texts_are_written_as_if_alone(network, monkeypatch):
    texts = ["ab", "abc ab bca", "c", "cab", "bb cc ab a"]
    together = write(network, texts, range(5), Sampling(bias=1.0))
    monkeypatch.setattr("model.generation.writing.BATCH_SIZE", 2)
    for number, one in enumerate(write(network, texts, range(5), Sampling(bias=1.0))):
        (alone,) = write(network, [texts[number]], [number], Sampling(bias=1.0))
        for other in (alone, together[number]):
            np.testing.assert_allclose(one.ink, other.ink, atol=1e-2)
            assert (one.text, one.ended) == (other.text, other.ended)


def test_what_is_too_long_is_refused():
    ink = np.zeros((MAX_PRIMER_POINTS + 1, 3), np.float32)
    check_lengths(["a" * MAX_TEXT_CHARACTERS] * 2, (ink[1:], "a" * MAX_PRIMER_CHARACTERS))
    with pytest.raises(UserError, match="1,001 characters; a line, and a word on a page, has at m"):
        check_lengths(["a", "a" * (MAX_TEXT_CHARACTERS + 1)])
    for primer in ((ink, "a"), (ink[:9], "a" * (MAX_PRIMER_CHARACTERS + 1))):
        with pytest.raises(UserError, match="at most 3,000 points and 200 characters can be"):
            check_lengths(["a"], primer)
