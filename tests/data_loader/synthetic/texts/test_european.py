"""Texts of European languages."""

import unicodedata
from collections import Counter

import numpy as np

from data_loader.synthetic.texts import european as module
from data_loader.synthetic.texts.european import ACCENTED_LETTERS, SIGNS, european
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


def test_capitals_follow_the_language():
    assert module.upper("çiçek ılık", "Turkish") == "ÇİÇEK ILIK"
    assert module.upper("Straße", "German") == "STRASSE"
    assert module.title("ilaç", "Turkish") == "İlaç"
    assert module.title("île", "French") == "Île"
