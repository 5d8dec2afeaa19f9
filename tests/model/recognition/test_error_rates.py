"""Error rates, and what was read where: counts worked by hand."""

import math

import numpy as np
import pytest
import torch

from ink.alphabet import Alphabet
from model.recognition.encoder import Transcript
from model.recognition.error_rates import (
    ErrorRates,
    error_counts,
    is_read,
    missing_words,
    rates,
    read_in_place,
)
from tests.model.builders import batch


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("the cat", "thecat", (1, 7, 2, 2)),  # 1 error of 7 characters, 2 of 2 words
        (" the cat", "the cat ", (0, 7, 0, 2)),  # blanks around a text do not count
        ("The cat.", "the cat", (2, 8, 2, 2)),  # case and punctuation count
        ("café", "cafe\u0301", (0, 4, 0, 1)),  # an accent typed in two ways
    ],
)
def test_errors_of_a_line_are_counted_in_characters_and_words(reference, hypothesis, expected):
    assert error_counts(reference, hypothesis) == expected


def test_rates_divide_all_errors_by_all_characters():
    """1 error in 1 character and 1 in 9: 2 of 10, not the mean of 1 and 1/9."""
    counts = {"sequences": 3, "characters": 10, "words": 3}
    expected = counts | {"cer": 2 / 10, "wer": 2 / 3, "line_accuracy": 1 / 3}
    assert rates([("a", "b"), ("aaaa bbbb", "aaaa bbbc"), ("", "")]) == expected


def test_rates_are_nan_when_all_references_are_empty():
    result = rates([("", "abc")])
    assert math.isnan(result["cer"]) and math.isnan(result["wer"]) and result["sequences"] == 1
    assert all(map(math.isnan, ErrorRates().compute().values()))


def test_metric_skips_batches_without_hypotheses():
    pairs = [("ab é.", "ab e"), ("", "a"), ("a b", "ab"), ("é", "é")]
    alphabet, metric = Alphabet("ab é."), ErrorRates()
    references, hypotheses = zip(*pairs, strict=True)
    texts = batch(texts=list(map(alphabet.encode, references)))
    for decoded in (hypotheses, None):
        metric.update(Transcript(alphabet, torch.zeros(4, 1, 6), None, hypotheses=decoded), texts)
    expected = rates(pairs)
    assert metric.compute() == {"cer": expected["cer"], "wer": expected["wer"]}


@pytest.mark.parametrize(
    ("character", "hypothesis", "expected"),
    [
        ("=", "six = six", True),
        ("=", "Sit = sir", True),
        ("=", "six - six", False),
        ("s", "Six = six", False),  # at one of its two places
        ("s", " six == six ", True),
    ],
)
def test_character_is_read_only_if_right_at_each_of_its_places(character, hypothesis, expected):
    assert is_read(character, "six = six", hypothesis) is expected


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("cat", "cut", [1, 0, 1]),  # replaced
        ("cat", "ct", [1, 0, 1]),  # left out
        ("cat", "caat", [1, 1, 1]),  # inserted: all of them were read
        ("a cat", "acat", [1, 0, 1, 1, 1]),  # a blank between words
        (" cat ", "cat", [0, 1, 1, 1, 0]),  # blanks around a text do not show
        ("   ", "a", [0, 0, 0]),
        ("été", "e\u0301te\u0301", [1, 1, 1]),  # however it was typed
    ],
)
def test_characters_read_right_are_marked_in_place(reference, hypothesis, expected):
    np.testing.assert_array_equal(
        read_in_place(reference, hypothesis), np.bool_(expected), strict=True
    )


@pytest.mark.parametrize(
    ("reference", "hypothesis", "missing"),
    [
        ("the cat sat", "the cat sat", []),
        ("the cat sat", "the cat", ["sat"]),
        ("the cat sat", "cat sat", ["the"]),
        ("the cat sat", "the sat", ["cat"]),
        ("the cat sat", "the dog sat", []),  # read wrongly, but there
        ("the cat sat", "thecatsat", []),
        ("the cat sat", "", ["the", "cat", "sat"]),
        ("the cat sat", "the cat sat on it", []),
        ("", "a", []),
    ],
)
def test_word_is_missing_when_nothing_was_read_in_its_place(reference, hypothesis, missing):
    assert missing_words(reference, hypothesis) == missing
