"""Texts of European languages."""

import unicodedata
from collections import Counter

import numpy as np

from data_loader.synthetic.texts import european as module
from data_loader.synthetic.texts.european import (
    ACCENTED_LETTERS,
    SIGNS,
    Languages,
    european,
    marked_sentence,
)
from data_loader.synthetic.texts.templates import Draws, split_of


def test_every_letter_and_sign_is_drawn_often_in_texts_of_the_training():
    draws = Draws(np.random.default_rng(3))
    texts = [european(draws) for _ in range(5000)]
    count = Counter("".join(texts))
    beyond = set(ACCENTED_LETTERS + SIGNS)
    assert [character for character in beyond if count[character] < 20] == []
    assert {character for character in count if character > "~"} <= beyond
    assert all(3 <= len(text) <= 40 and text == text.strip() for text in texts)
    assert all(unicodedata.is_normalized("NFC", text) for text in texts)
    assert {split_of(text) for text in texts} == {0}


def test_texts_of_chosen_languages_have_their_letters_alone():
    draws, chosen = Draws(np.random.default_rng(3)), Languages(["Czech", "Italian"])
    letters = "".join(european(draws, chosen) + marked_sentence(draws, chosen) for _ in range(900))
    assert {c for c in letters if c > "~" and c not in SIGNS} == set(chosen.letters)
    assert set("àèěŘ") <= set(chosen.letters) and not set("ñäł") & set(chosen.letters)


def test_a_marked_sentence_is_english_with_marks_of_one_language():
    draws, chosen = Draws(np.random.default_rng(5)), Languages(["Czech", "Italian"])
    texts = [marked_sentence(draws, chosen) for _ in range(300)]
    for text in texts:
        plain = "".join(unicodedata.normalize("NFD", c)[0] for c in text)
        assert plain.isascii() and not (set(text) & set("ěšřž") and set(text) & set("èòì"))
    assert 0.04 < np.mean([c > "~" for c in "".join(texts)]) < 0.15


def test_capitals_follow_the_language():
    assert module.upper("çiçek ılık", "Turkish") == "ÇİÇEK ILIK"
    assert module.upper("Straße", "German") == "STRASSE"
    assert module.title("ilaç", "Turkish") == "İlaç"
    assert module.title("île", "French") == "Île"
