"""Charts of letters: what is on them, and the score of a reading."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.charts import ACCENTS, PATTERNS, SIGN_KINDS, SMALL, Cell, Misread, misread, texts_of
from tests.benchmarks.scripts import run
from utils.checks import UserError


def test_a_chart_has_four_instances_of_each_sign_at_the_start_in_the_middle_and_at_the_end():

    def strings(seed):
        return texts_of(SIGN_KINDS, None, 4, np.random.default_rng(seed))

    texts = strings(0)
    counts = Counter("".join(texts))
    signs = {*SMALL, *SMALL.upper(), *"0123456789", *PATTERNS, *"".join(ACCENTS.values())}
    assert min(counts[sign] for sign in signs) >= 4
    for place in (lambda text: text[0], lambda text: text[1:-1], lambda text: text[-1]):
        assert {*SMALL, *SMALL.upper(), *"0123456789"} <= {*"".join(map(place, texts))}
    assert sum(any(a == b for a, b in pairwise(text)) for text in texts) > 30
    assert texts == strings(0) != strings(1)


def test_some_signs_are_shown_as_often_as_is_wanted():
    texts = texts_of(SIGN_KINDS, "w€", 12, np.random.default_rng(0))
    assert [sum(sign in text for text in texts) for sign in "w€"] == [pytest.approx(12, abs=3), 12]


def test_what_a_reader_misread_is_listed_by_hand_sign_and_seed():
    key = {
        "a.png": [Cell("tall", "wnGl", 3, 1), Cell("tall", "O5–v", 3, 1), Cell("tall", "řaŚ", 4, 2)]
    }
    readings = {"a.png": ["wrGI 05-V", "raś!"]}
    assert [*misread(key, readings)] == [
        Misread("tall", "n", "r", 3, "wnGl"),
        Misread("tall", "ř", "r", 4, "řaŚ"),
        Misread("tall", "", "!", 4, "řaŚ"),
    ]
    for wrong, message in (
        ({"b.png": []}, "b.png: no chart"),
        ({"a.png": ["wrGI", "raś!"]}, "a.png, row 1: 2 strings, not 1"),
        ({"a.png": ["a b"]}, "a.png, row 2: 1 strings, not 0"),
    ):
        with pytest.raises(UserError, match=message):
            [*misread(key, wrong)]


@pytest.mark.slow
def test_a_chart_is_drawn_and_its_reading_scored(tmp_path, capsys):
    run("charts", "--hands", "open_round", "--signs", "w3", "--instances", 3, "--output", tmp_path)
    (picture,) = tmp_path.glob("*.png")
    key = json.loads((tmp_path / "key.json").read_text())
    texts = [cell["text"] for cell in key[picture.name]]
    assert len(" ".join(texts).split()) == 6 and {cell["row"] for cell in key[picture.name]} == {1}
    texts[0] = texts[0][:-1] + "?"
    (tmp_path / "readings.json").write_text(json.dumps({picture.name: [" ".join(texts)]}))
    run("charts", "--score", tmp_path / "key.json", tmp_path / "readings.json")
    assert "\n1 misread of " in capsys.readouterr().out
