"""Texts as people write them."""

import hashlib
import re
import string
from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest

from data_loader.synthetic import everyday as module
from data_loader.synthetic.everyday import KINDS, TEMPLATES, everyday, held_out_everyday
from data_loader.synthetic.templates import Draws, split_of
from utils.checks import DataError

# RFC 2606 and 6761, and the first addresses of RFC 5737.
RESERVED = re.compile(
    r"(?:[\w-]+\.)*(?:example\.(?:com|org|net)|example|test)|localhost|192\.0\.2\.\d{1,3}", re.I
)


def drawn(kind, count, seed=1):
    draws = Draws(np.random.default_rng(seed))
    return [everyday(draws, kind)[1] for _ in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_short_and_printable_ascii(kind):
    texts = drawn(kind, 2000)
    assert all(4 <= len(text) <= 60 and text == text.strip() for text in texts)
    assert all(" " <= one <= "~" for one in "".join(texts))
    assert np.mean([len(text) <= 40 for text in texts]) > 0.8
    assert len(set(TEMPLATES[kind])) >= 25
    assert len(set(texts)) > 1700


def test_eight_kinds_and_one_for_training_are_drawn_alike():
    draws = Draws(np.random.default_rng(0))
    counts = Counter(everyday(draws)[0] for _ in range(9000))
    assert set(counts) == {*KINDS, "characters"} and len(KINDS) == 8
    # 1,000 expected each; a deviation of 5 standard ones (30) has a chance of 5e-6.
    assert all(850 < count < 1150 for count in counts.values())
    with pytest.raises(DataError, match="no kind 'poem' of texts: there are e-mail, address,"):
        everyday(draws, "poem")


def test_addresses_are_under_reserved_names():
    for text in drawn("e-mail", 3000) + drawn("address", 3000):
        hosts = re.findall(r"(?:@|\[at\] |://|www\.)([\w.-]*\w)", text)
        assert all(RESERVED.fullmatch(host) for host in hosts), text
        # Nothing else looks like a name on the web either.
        named = re.findall(
            r"[\w.-]+\.(?:com|org|net|edu|gov|info|io|de|fr|uk)(?![\w.-])", text, re.I
        )
        assert all(RESERVED.fullmatch(name) for name in named), text
    assert all("@" in text or "[at]" in text for text in drawn("e-mail", 500))


def test_what_the_kinds_hold():
    signs = {one for text in drawn("marks", 3000) for one in text if one in string.punctuation}
    assert signs >= set(string.punctuation) - {"$"}
    amounts, dates = drawn("amount", 3000), drawn("date", 3000)
    for pattern in (
        r"\$\d",
        r"\d%",
        r"EUR",
        r"\d,\d\d\b",
        r"\d'\d{3}",
        r" = ",
        r"kg",
        r"\d \d{3} ",
    ):
        assert any(re.search(pattern, text) for text in amounts), pattern
    for pattern in (
        r"\d{4}-\d\d-\d\d",
        r"\d+/\d+/\d",
        r"\d\.\d+\.",
        r"\d:\d\d",
        r"p\.?m",
        r"[a-z]-",
    ):
        assert any(re.search(pattern, text) for text in dates), pattern
    names = drawn("name", 3000)
    for pattern in (
        "O'",
        "Mc[A-Z]",
        "van ",
        "-",
        "&",
        r"^[A-Z]\. ",
        " [IVX]+$",
        "Dr",
        "[a-z], [A-Z]",
    ):
        assert any(re.search(pattern, text) for text in names), pattern
    assert all(any(map(str.isalnum, text)) for text in drawn("number", 1000))


def test_calculations_are_right():
    draws = Draws(np.random.default_rng(2))
    for _ in range(300):
        left, right = module.calculation(draws).replace("x", "*").replace(":", "/").split("=")
        assert eval(left) == int(right)


def test_capitals_are_long_and_short_and_stand_among_small_letters():
    texts = drawn("capitals", 4000)
    shouted = [text for text in texts if text == text.upper()]
    mixed = [text for text in texts if text != text.upper()]
    assert min(len(shouted), len(mixed)) > 800
    assert all(
        re.search(r"\b[A-Z]+h?[A-Z]", text) and re.search("[a-z]{2}", text) for text in mixed
    )
    long = [text for text in shouted if 25 <= len(text) <= 40]
    assert len(long) > 200
    count = Counter("".join(long))
    assert min(count[letter] for letter in string.ascii_uppercase) >= 10


def test_classes_of_characters_follow_each_other_in_every_order():
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)
    of = {one: number for number, some in enumerate(classes) for one in some}
    texts = drawn("characters", 4000)
    assert all(2 <= len(text) <= 20 and text == text.strip() for text in texts)
    pairs = Counter(pair for text in texts for pair in pairwise(text) if " " not in pair)
    by_class = Counter((of[one], of[other]) for (one, other), n in pairs.items() for _ in range(n))
    assert min(by_class[pair] for pair in product(range(4), repeat=2)) > 200
    beside = {letter: {a for a, b in pairs if b == letter} for letter in of}
    assert min(len({of[one] for one in others}) for others in beside.values()) == 4


def test_only_texts_of_the_training_are_drawn(monkeypatch):
    """Of so few texts that each would come up by chance."""
    monkeypatch.setitem(TEMPLATES, "number", ["room {100-399}"])
    rooms = {f"room {number}" for number in range(100, 400)}
    assert {*drawn("number", 2000)} == {room for room in rooms if split_of(room) == 0}


@pytest.mark.parametrize(
    ("split", "number", "count", "digest"),
    [
        ("test", 2, 200, "7dd5b0c543ce13bb524fd1a5b8d59c6335a56d8c5c342efd09ff3585bcefa32e"),
        ("valid", 1, 400, "34a24fcfaee2a6e422b98026717174c18bcfa4ebd6fb1af5e8d0538b4f50b851"),
    ],
)
def test_held_out_texts_are_the_same_for_ever(split, number, count, digest):
    texts = held_out_everyday(split)
    lines = "".join(f"{kind}\t{text}\n" for kind, text in texts)
    assert hashlib.sha256(lines.encode()).hexdigest() == digest
    assert len({text for _, text in texts}) == count
    assert Counter(kind for kind, _ in texts) == dict.fromkeys(KINDS, count // len(KINDS))
    assert all(split_of(text) == number for _, text in texts)
