"""Texts of lines that a writer learns from."""

import re
import string
from itertools import islice

import numpy as np

from apps.datasets.line_texts import MAX_LENGTH, PLACES, new_texts, rare_words, words_by_place
from data_loader.synthetic.texts.european import ACCENTED_LETTERS, SIGNS
from data_loader.synthetic.texts.templates import Draws
from ink.alphabet import Alphabet


def draws(seed=0):
    return Draws(np.random.default_rng(seed))


def test_texts_with_a_sign_have_2_to_7_characters():
    known = Alphabet(string.ascii_lowercase + string.digits + "/+")
    texts = [*islice(new_texts(draws(), [known], 1.0), 100)]
    assert all(re.fullmatch("([a-z]+|[0-9]+)[/+]([a-z]*|[0-9]*)", text) for text in texts)
    assert {len(text) for text in texts} == {2, 3, 4, 5, 6, 7}


def test_every_rare_place_has_words():
    words = words_by_place()
    assert all(words[place] for place in PLACES)
    assert all(re.search(r"r\b", word) for word in words[r"r\b"])


def test_rare_texts_have_all_capitals_signs_and_letters_of_the_alphabet():
    alphabet = Alphabet(string.printable[:95] + ACCENTED_LETTERS + SIGNS)
    generator = draws()
    texts = [*islice(new_texts(generator, [alphabet], 0.0, rare=1.0), 1500)]
    assert max(map(len, texts)) <= MAX_LENGTH
    # A letter or sign is missing by chance less often than once in 1,000 runs.
    assert {*string.ascii_letters, *ACCENTED_LETTERS, *SIGNS} <= {*"".join(texts)}


def test_rare_words_have_most_places_more_often_than_sentences():
    generator = draws()
    rare = " ".join(rare_words(generator) for _ in range(200))
    plain = " ".join(islice(new_texts(generator, [], 0.0), 200))
    for place in ("z", "te", "ere", r"t\b", "[ßłæ]"):
        counts = [len(re.findall(place, text)) / len(text) for text in (rare, plain)]
        assert counts[0] > counts[1]
