"""Languages of lines, against Bayes' rule worked by hand."""

import pytest

from model.recognition.language_detection import MIN_FREQUENCY, LanguageDetector

FREQUENCIES = {
    "en": {"the": 0.05, "menage": 0.0001, "ménage": 0.0002},
    "fr": {"le": 0.03, "ménage": 0.01},
}
DETECTOR = LanguageDetector(FREQUENCIES, {"en": 0.4, "fr": 0.1, "de": 0.5})


@pytest.mark.parametrize(
    ("text", "english", "french"),
    [
        ("", 0.8, 0.2),
        ("X? Y 12 Vauxhall's", 0.8, 0.2),  # letters alone and unknown words do not count
        ("The", 0.8 * (0.05 + MIN_FREQUENCY), 0.2 * MIN_FREQUENCY),
        # Spellings that differ by marks are one word.
        ("menage", 0.8 * (0.0003 + MIN_FREQUENCY), 0.2 * (0.01 + MIN_FREQUENCY)),
        (
            "(le ménagé)",
            0.8 * MIN_FREQUENCY * (0.0003 + MIN_FREQUENCY),
            0.2 * (0.03 + MIN_FREQUENCY) * (0.01 + MIN_FREQUENCY),
        ),
    ],
)
def test_the_probability_of_a_language_is_that_of_bayes(text, english, french):
    probabilities = DETECTOR.probabilities(text)
    total = english + french
    assert probabilities == pytest.approx({"en": english / total, "fr": french / total}, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "expected"), [("the", "en"), ("le", "fr"), ("menage", ""), ("Vauxhall", "")]
)
def test_a_language_is_named_if_it_is_likely_enough(text, expected):
    assert DETECTOR.language_of(text) == expected
