"""Words are found in what was read, and in what the ink may say instead."""

from itertools import product

import numpy as np
import pytest

from apps.notes.page_text import Note, PageRow, PageText, PageWord
from apps.notes.searching import (
    HIT_LOGIT_OFFSET,
    HIT_LOGIT_PER_CHARACTER,
    HIT_LOGIT_PER_NAT,
    likely_frames,
    search,
)

CHARACTERS = [" ", ",", "-", *"Ivaekmorty"]


def planted(*frames):
    """Log-probabilities of frames, each what is likely in it; "" is the blank."""
    classes, rows = [*CHARACTERS, ""], np.full((len(frames), len(CHARACTERS) + 1), 1e-9)
    for row, frame in zip(rows, frames, strict=True):
        for character, probability in frame.items():
            row[classes.index(character)] = probability
    return np.log(rows / rows.sum(axis=1, keepdims=True))


def word(text, *doubts, confidence=0.9):
    """A word of which a frame is read for each letter and for the blank behind it, in some of which
    another letter is likely."""
    frames = [{}] + [frame for letter in f"{text} " for frame in ({letter: 0.9}, {"": 1.0})]
    for number, letter, probability in doubts:
        frames[2 * number + 1] |= {letter: probability}
    kept = likely_frames(planted(*(f or {"": 1.0} for f in frames[:-1])), CHARACTERS)
    return PageWord(text, (0, 0, 1, 1), confidence, (), kept)


def places_of(query, *words):
    note = Note("", [((), PageText((PageRow(words, (0,), "a"), PageRow(words[-1:], (1,), "b"))))])
    return [(hit.row_number, hit.word_number) for hit in search(query, note)]


KEY = (word("I"), word("take,"), word("ramor", (4, "e", 0.5), confidence=0.3))


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("ramor", [(1, 3), (2, 1)]),
        ("RAMOE", [(1, 3), (2, 1)]),  # as likely as not
        ("take", [(1, 2)]),
        ("(take, ramoe)", [(1, 2)]),
        ("i", [(1, 1)]),
        ("tak", []),
        ("ram", []),
        ("amor", []),
        ("ramot", []),
        ("ramor take", []),
        ("\N{SNOWMAN}", []),
        (",", []),
        ("-----", []),
    ],
)
def test_words_are_hits_as_they_were_read_and_as_their_ink_may_be_read(query, places):
    assert places_of(query, *KEY) == places


def test_words_are_hits_when_a_blank_was_missed_or_read_within_them():
    assert places_of("memory", word("me"), word("mory")) == []
    divided = word("me", (2, "", 0.3)), word("mory")
    assert places_of("memory", *divided) == [(1, 1)]
    joined = word("I-tamory", (1, " ", 0.2))
    assert places_of("tamory", joined) == [(1, 1), (2, 1)]


def test_a_word_that_a_person_corrected_is_a_hit_as_it_was_corrected():
    corrected = PageWord("Kymera", (0, 0, 1, 1))
    assert places_of("kymera", word("I"), corrected) == [(1, 2), (2, 1)]


def best_path(log_probs, query):
    """The likeliest labelling of any frames by marks and a query, over the likeliest of all: by
    trying every one."""
    below = log_probs - log_probs.max(axis=1, keepdims=True)
    classes, best = [*CHARACTERS, ""], -np.inf
    for labels in product(range(len(classes)), repeat=len(below)):
        collapsed = [c for n, c in enumerate(labels) if n == 0 or labels[n - 1] != c]
        if "".join(classes[c] for c in collapsed) == query:
            best = max(best, sum(below[n, c] for n, c in enumerate(labels)))
    return best


def test_the_confidence_of_a_hit_follows_from_its_best_labelling(monkeypatch):
    generator = np.random.default_rng(0)
    monkeypatch.setattr("apps.notes.searching.MAX_SYMBOL_NATS", 99.0)
    monkeypatch.setattr("apps.notes.searching.MIN_HIT_CONFIDENCE", 0.0)
    for query in ("aa", "to"):
        log_probs = np.log(generator.dirichlet(np.full(len(CHARACTERS) + 1, 0.5), size=4))
        log_probs[:, :3] = -50.0  # marks, at which a word might begin or end
        frames = likely_frames(log_probs, CHARACTERS)
        row = PageRow((PageWord("", (0, 0, 1, 1), 0.5, (), frames),), (0,), "a")
        (hit,) = search(query, Note("", [((), PageText((row,)))]))
        logit = (
            HIT_LOGIT_OFFSET
            + HIT_LOGIT_PER_NAT * best_path(log_probs, query)
            + HIT_LOGIT_PER_CHARACTER * 2
        )
        assert hit.confidence == pytest.approx(1 / (1 + np.exp(-logit)), abs=0.02)
