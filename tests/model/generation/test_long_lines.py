"""Writing many lines, and long ones in parts."""

import numpy as np
import pytest

from apps.pages.letter_strokes import LetterStrokes
from apps.pages.word_cutting import cut_words
from ink.geometry import from_strokes, to_points
from model import Line, sample
from model.generation import long_lines
from model.generation.line import Sampling, check_lengths
from model.generation.long_lines import PART_SEED_STRIDE
from tests.model.builders import PRIMER, generator, write
from utils.checks import UserError

TEXT = "abc ab bca"
"""The network writes it in three parts."""


@pytest.fixture(scope="module")
def network():
    return generator(hidden_size=16, num_windows=10, window_advance=0.3, longest=8)


@pytest.mark.parametrize(
    ("words", "lengths"), [(["word"] * 20, [34, 34, 29]), ([], []), (["a" * 50, "b"], [50, 1])]
)
def test_words_are_wrapped_to_lines_of_about_equal_lengths(words, lengths):
    lines = long_lines.wrapped(words, 40)
    assert " ".join(lines).split() == words and [len(line) for line in lines] == lengths


@pytest.mark.parametrize(
    "text",
    ["word " * 40, "  ab " + "cd  e " * 40, "a" * 300, "a " + "b" * 150, " " * 150, "a" + " " * 99],
)
def test_parts_of_a_text_add_up_to_the_text_and_are_never_blank(text):
    parts = long_lines.text_parts(text, 100)
    assert "".join(parts) == text
    assert len(parts) == 1 or all(part.strip() for part in parts)
    assert all(part.startswith(" ") for part in parts[1:])


@pytest.fixture(params=[None, (PRIMER[0], "c")], ids=["no primer", "primer"])
def parts(request, network):
    """A long line, its first part, and the others, which follow the primer or the first part."""
    options = {"sampling": Sampling(1.0, stretch=(1.1, 0.9))}
    (line,) = write(network, [TEXT], [5], primer=request.param, **options)
    hand, blank = request.param, " " if request.param else ""
    (first,) = sample(network, [5], [f"{blank}abc"], primer=hand, **options)
    seeds = [5 + PART_SEED_STRIDE, 5 + 2 * PART_SEED_STRIDE]
    others = sample(network, seeds, [" ab", " bca"], primer=hand or (first.ink, "abc"), **options)
    return line, first, others, hand[1] + blank if hand else ""


def test_long_line_consists_of_its_parts_placed_behind_each_other(parts):
    line, first, others, primer_text = parts
    assert (line.text, line.primed, line.ended) == (primer_text + TEXT, first.primed, True)
    whole = np.concatenate([first.ink, *(part.ink[part.primed :] for part in others)])
    starts = len(first.ink) + np.array([0, len(others[0].ink) - others[0].primed])
    rest = np.delete(np.arange(len(whole)), starts)
    np.testing.assert_array_equal(line.ink[rest], whole[rest])
    np.testing.assert_array_equal(line.ink[starts, 2], whole[starts, 2])
    assert [word.text for word in cut_words(LetterStrokes.of(line), TEXT)] == TEXT.split()


def test_peaks_of_a_part_are_at_the_characters_of_the_part_in_the_whole_text(parts):
    line, first, (second, _), primer_text = parts
    assert line.peaks.shape == line.bias.shape == (len(line.ink) - 1,)
    start, steps = len(first.ink) - 1, len(second.ink) - second.primed
    own = second.peaks[second.primed - 1 :] - len(second.text) + len(" ab")
    expected = len(primer_text + "abc") + np.maximum(own, 0)
    np.testing.assert_array_equal(line.peaks[start : start + steps], expected)


def test_later_parts_are_primed_by_the_first_part_when_the_primer_begins_the_text(network):
    options = {"sampling": Sampling(1.0, max_steps=500)}
    (line,) = write(network, [TEXT], [5], primer=(PRIMER[0], ""), **options)
    (first,) = sample(network, [5], ["abc"], primer=(PRIMER[0], ""), **options)
    (part,) = sample(network, [5 + PART_SEED_STRIDE], [" ab"], primer=(first.ink, "abc"), **options)
    start, rest = len(first.ink), part.ink[part.primed + 1 :]
    assert line.text == TEXT and line.primed == 3
    np.testing.assert_array_equal(line.ink[:start], first.ink)
    np.testing.assert_array_equal(line.ink[start + 1 : start + 1 + len(rest)], rest)


def box(width, end):
    """Return ink around a box 10 high, whose last point is at `end`."""
    return from_strokes([np.array([[0, 0], [0, -10], [width, -10], [width, 0], [end, 0]], float)])


def test_part_is_placed_as_far_behind_the_line_as_it_was_written_behind_its_primer():
    """By hand: the hand's last point is 5 left of its edge, the line's 30 left of its own."""
    hand, before = box(20, 15), box(40, 10)
    step = np.float32([[30.0, -4.0, 0.0]])  # 25 behind the right edge, and 4 higher
    ink = np.concatenate((hand, step, hand[1:]))
    part = Line(ink, len(hand), np.zeros(9, int), "a b", True, np.zeros(9))
    line = Line(before, 0, np.zeros(4, int), "a", True, np.zeros(4))
    merged = long_lines._merged(line, [part, part], [" b", " b"], hand)
    points = to_points(merged.ink)[[4, 5, 9, 10]]
    # 25 behind the edge at 40 begins a part; it ends 15 on, 5 left of an edge.
    np.testing.assert_allclose(points, [[10, 0], [65, 0], [80, 0], [110, 0]], atol=1e-4)
    assert merged.text == "a b b" and merged.ended


@pytest.mark.parametrize("missing", [0, 2])
def test_limit_of_steps_cuts_a_line_within_any_of_its_parts(network, missing):
    (whole,) = write(network, [TEXT], [5], Sampling(bias=1.0))
    limit = len(whole.ink) - missing if missing else 4
    (line,) = write(network, [TEXT], [5], Sampling(bias=1.0, max_steps=limit))
    assert line.text == TEXT and not line.ended and line.ink[-1, 2] == 1.0
    assert len(line.peaks) == len(line.bias) == limit
    np.testing.assert_array_equal(line.ink[:-1], whole.ink[:limit])


@pytest.mark.parametrize("size", [2, 64])
def test_lines_of_a_batch_are_written_as_if_alone(network, monkeypatch, size):
    monkeypatch.setattr("model.batches.BATCH_SIZE", size)
    texts = ["ab", TEXT, "c", "cab", "bb cc ab a"]
    for seed, line in enumerate(write(network, texts, range(5), Sampling(bias=1.0))):
        (alone,) = write(network, [texts[seed]], [seed], Sampling(bias=1.0))
        np.testing.assert_allclose(line.ink, alone.ink, atol=1e-2)
        assert (line.text, line.ended) == (alone.text, alone.ended)


LONGEST = np.zeros((3_000, 3), np.float32), "a" * 200
"""The longest primer that is continued."""


def test_longest_texts_and_primers_are_accepted():
    check_lengths(["a" * 1_000] * 2, LONGEST)


@pytest.mark.parametrize(
    ("text", "primer", "message"),
    [
        ("a" * 1_001, None, "1,001 characters; a line has at most 1,000"),
        ("a", (np.zeros((3_001, 3)), "a"), "at most 3,000 points and 200 characters can be cont"),
        ("a", (LONGEST[0], "a" * 201), "at most 3,000 points and 200 characters can be continued"),
    ],
)
def test_longer_texts_and_primers_are_refused(text, primer, message):
    with pytest.raises(UserError, match=message):
        check_lengths(["a", text], primer)
