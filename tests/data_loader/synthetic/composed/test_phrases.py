import numpy as np
import pytest

from data_loader import PhrasesDataset
from data_loader.sources.own_ink import OwnInk
from ink.geometry import strokes
from utils.checks import DataError

HEIGHT = 40.0


def zigzag(letters):
    """Return a stroke of so many letters, each two movements of the same height."""
    return [(15.0 * n, HEIGHT * (n % 2)) for n in range(2 * letters + 1)]


class Pieces(OwnInk):
    """Words, digits and signs of ten people, who differ in the number of their strokes."""

    def lines(self):
        for person in range(10):
            dots = [[(5.0 * n, -30.0)] for n in range(person)]
            for word in ("to", "be", "or", "not", "that", "is", "the", "question"):
                yield word, [zigzag(len(word)), *dots], f"person {person}"
            for digit in "0123456789":
                bar = [[(0.0, 0.0), (10.0, 2 * HEIGHT)]]
                yield digit, [*bar, *dots], f"person {person}"
            yield "-", [[(0.0, 7.0), (20.0, 7.0)]], f"person {person}"


def phrases(**options):
    return PhrasesDataset(dataset=Pieces(), seed=3, **options)


def phrase_lines(dataset):
    """Return the lines that join the training."""
    return [line for line in dataset.load().split("train") if line.name.startswith("phrase")]


def test_lines_of_words_are_of_the_same_person_with_gaps_of_words():
    for line in phrase_lines(phrases(size=30, characters_share=0.0)):
        words, parts = line.text.split(), strokes(line.ink)
        person = int(line.writer.split()[-1])
        assert len(words) > 1 and len(parts) == len(words) * (1 + person)
        long = [part for part in parts if len(part) > 1]
        for left, right, word in zip(long, long[1:], words, strict=False):
            gap = right[:, 0].min() - max(left[:, 0].max(), 5.0 * (person - 1) + left[0, 0])
            assert 0.49 * HEIGHT < gap < 2.51 * HEIGHT and len(left) == 2 * len(word) + 1
            assert abs(right[0, 1] - left[0, 1]) <= HEIGHT


def test_single_characters_are_combined_into_lines_and_never_used_alone():
    dataset = phrases(size=60, characters_share=1.0)
    for line in phrase_lines(dataset):
        text, ink = line.text, line.ink
        long = [s for s in strokes(ink) if np.ptp(s[:, 1]) > HEIGHT]
        assert 2 <= len(text) <= 8 and len(long) == sum(map(str.isdigit, text))
        assert np.ptp([s[:, 1].max() for s in long]) < 1e-3  # all digits stand on one line
        dashes = [s for s in strokes(ink) if len(s) == 2 and np.ptp(s[:, 1]) < 1]
        tall = 2 * HEIGHT + 30.0 * (line.writer != "person 0")  # with the dots above
        middle = long[0][:, 1].max() - 0.3 * tall
        assert all(abs(s[0, 1] - middle) < 1e-3 for s in dashes if np.ptp(s[:, 0]) > 19)
    assert {"-" in line.text for line in phrase_lines(dataset)} == {True, False}
    for split in ("train", "valid", "test"):
        for loaded in (dataset.load(), dataset.load([split])):
            assert all(len(sample.text) > 1 for sample in loaded.split(split))


def test_lines_follow_from_the_seed_whatever_their_number():
    few, many = (phrase_lines(phrases(size=size)) for size in (9, 20))
    for line, other in zip(few, many, strict=False):
        assert line.text == other.text and np.array_equal(line.ink, other.ink)


class Sentences(OwnInk):
    def lines(self):
        yield from ((f"a line of more than twenty, {n}", [zigzag(3)]) for n in range(20))


def test_a_dataset_without_single_words_is_refused():
    with pytest.raises(DataError, match="no writer has 5 words, the least number for a line"):
        PhrasesDataset(dataset=Sentences(), size=3, characters_share=0.0).load()
