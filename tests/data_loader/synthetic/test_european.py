"""Texts of European languages."""

import unicodedata
from collections import Counter

import numpy as np
import pytest

from data_loader.synthetic import european as module
from data_loader.synthetic.european import LETTERS, SIGNS, VOCABULARY, european
from data_loader.synthetic.templates import Draws, split_of

# The letters beyond ASCII of each language's alphabet and accents, then those of foreign words.
ALPHABETS = {
    "French": ("àâæçéèêëîïôœùûüÿ", ""),
    "German": ("äöüß", ""),
    "Spanish": ("áéíñóúü", ""),
    "Portuguese": ("áàâãçéêíóôõú", ""),
    "Italian": ("àèéìòù", ""),
    "Catalan": ("àçèéíïòóúü", ""),
    "Dutch": ("éëïóöü", "çèî"),
    "Danish": ("æøå", "é"),
    "Norwegian": ("æøå", "àéô"),
    "Swedish": ("åäö", "é"),
    "Finnish": ("äöšž", ""),
    "Icelandic": ("áðéíóúýþæö", ""),
    "Polish": ("ąćęłńóśźż", ""),
    "Czech": ("áčďéěíňóřšťúůýž", ""),
    "Slovak": ("áäčďéíĺľňóôŕšťúýž", ""),
    "Hungarian": ("áéíóöőúüű", ""),
    "Slovenian": ("čšž", ""),
    "Croatian": ("čćđšž", ""),
    "Romanian": ("ăâîșț", ""),
    "Estonian": ("äõöüšž", ""),
    "Latvian": ("āčēģīķļņšūž", ""),
    "Lithuanian": ("ąčęėįšųūž", ""),
    "Turkish": ("âçğıöşü", "İ"),
    "Albanian": ("çë", ""),
    "Maltese": ("ċġħż", ""),
}


def test_the_letters_are_those_of_the_languages_in_both_cases():
    small = set("".join(own for own, _ in ALPHABETS.values()))
    small |= set("ñòìãõ")  # accents of several of them
    assert {one for one in LETTERS if one.islower()} == small
    assert {one for one in LETTERS if one.isupper()} == {
        one.upper() for one in small - set("ßı")
    } | {"İ"}
    assert len(set(LETTERS)) == len(LETTERS)
    assert all(unicodedata.is_normalized("NFC", one) and len(one) == 1 for one in LETTERS + SIGNS)


@pytest.mark.parametrize("language", VOCABULARY)
def test_a_vocabulary_has_the_letters_of_its_language_and_no_others(language):
    vocabulary = VOCABULARY[language]
    used = {one for one in "".join(vocabulary) if one > "~"} - set(SIGNS)
    own, foreign = ALPHABETS[language]
    assert {one if one == "İ" else one.lower() for one in used} == set(own + foreign)
    assert 25 <= len(set(vocabulary)) == len(vocabulary)


def test_every_letter_and_sign_is_drawn_often_in_texts_of_the_training():
    draws = Draws(np.random.default_rng(3))
    texts = [european(draws) for _ in range(5000)]
    count = Counter("".join(texts))
    assert {one: count[one] for one in LETTERS + SIGNS if count[one] < 20} == {}
    assert {one for one in count if one > "~"} <= set(LETTERS + SIGNS)
    assert all(3 <= len(text) <= 40 and text == text.strip() for text in texts)
    assert all(unicodedata.is_normalized("NFC", text) for text in texts)
    assert {split_of(text) for text in texts} == {0}


def test_capitals_follow_the_language():
    assert module.upper("çiçek ılık", "Turkish") == "ÇİÇEK ILIK"
    assert module.upper("Straße", "German") == "STRASSE"
    assert module.title("ilaç", "Turkish") == "İlaç"
    assert module.title("île", "French") == "Île"
