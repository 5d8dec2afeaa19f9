"""Error rates, and what was read where: counts worked by hand."""

import math
from types import SimpleNamespace

import pytest

from base.base_data_loader import padded
from model.recognition.error_rates import (
    ErrorRates,
    error_counts,
    is_read,
    missing_words,
    rates,
    read_in_place,
)
from utils.alphabet import Alphabet


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("the cat", "thecat", (1, 7, 2, 2)),  # a blank within counts
        (" the cat", "the cat ", (0, 7, 0, 2)),  # those outside do not
        ("The cat.", "the cat", (2, 8, 2, 2)),  # case and punctuation do
        ("café", "cafe\u0301", (0, 4, 0, 1)),  # an accent typed in two ways
    ],
)
def test_what_counts_as_an_error(reference, hypothesis, expected):
    assert error_counts(reference, hypothesis) == expected


def test_rates_divide_all_errors_by_all_characters():
    """1 error in 1 character and 1 in 9: 2 of 10, not the mean of 1 and 1/9."""
    got = rates([("a", "b"), ("aaaa bbbb", "aaaa bbbc"), ("", "")])
    counts = {"sequences": 3, "characters": 10, "words": 3}
    assert got == counts | {"cer": 2 / 10, "wer": 2 / 3, "line_accuracy": 1 / 3}


def test_rates_are_nan_where_there_is_no_truth():
    got = rates([("", "abc")])
    assert math.isnan(got["cer"]) and math.isnan(got["wer"]) and got["sequences"] == 1
    assert all(math.isnan(value) for value in ErrorRates().compute().values())


def test_the_metric_adds_what_was_read_of_batches():
    pairs = [("ab é.", "ab e"), ("", "a"), ("a b", "ab"), ("é", "é")]
    alphabet, metric = Alphabet("ab é."), ErrorRates()
    codes, lengths = padded([alphabet.encode(reference) for reference, _ in pairs])
    for read in ([hypothesis for _, hypothesis in pairs], None):  # where nothing is read
        output = SimpleNamespace(hypotheses=read, alphabet=alphabet)
        metric.update(output, SimpleNamespace(text=codes, text_lengths=lengths))
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
def test_a_character_is_read_if_it_agrees_wherever_it_stands(character, hypothesis, expected):
    assert is_read(character, "six = six", hypothesis) is expected


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("cat", "cut", "101"),  # replaced
        ("cat", "ct", "101"),  # left out
        ("cat", "caat", "111"),  # inserted: all of them were read
        ("a cat", "acat", "10111"),  # a blank within
        (" cat ", "cat", "01110"),  # those around it do not show
        ("   ", "a", "000"),
        ("été", "e\u0301te\u0301", "111"),  # however it was typed
    ],
)
def test_what_was_read_where_it_stands(reference, hypothesis, expected):
    found = read_in_place(reference, hypothesis)
    assert found.dtype == bool and "".join(str(int(one)) for one in found) == expected


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        ("the cat sat", []),
        ("the cat", ["sat"]),
        ("cat sat", ["the"]),
        ("the sat", ["cat"]),
        ("the dog sat", []),  # read wrongly, but there
        ("thecatsat", []),
        ("", ["the", "cat", "sat"]),
        ("the cat sat on it", []),
    ],
)
def test_a_word_is_missing_if_nothing_was_read_in_its_place(hypothesis, expected):
    assert missing_words("the cat sat", hypothesis) == expected
    assert missing_words("", hypothesis) == []
