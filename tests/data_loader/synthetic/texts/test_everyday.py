"""Texts as people write them."""

import hashlib
import re
from collections import Counter

import numpy as np
import pytest

from data_loader.synthetic.texts import everyday as module
from data_loader.synthetic.texts.everyday import (
    TEMPLATE_KINDS,
    TEMPLATES,
    everyday,
    held_out_everyday,
)
from data_loader.synthetic.texts.templates import Draws, fill, split_of

# RFC 2606 and 6761, and the first addresses of RFC 5737.
RESERVED = re.compile(
    r"(?:[\w-]+\.)*(?:example\.(?:com|org|net)|example|test)|localhost|192\.0\.2\.\d{1,3}", re.I
)


def drawn(kind, count, seed=1):
    """The texts of a kind, before those are left out that are too long or of another split."""
    draws = Draws(np.random.default_rng(seed))
    return [fill(draws.pick(TEMPLATES[kind]), module.FIELDS, draws) for _ in range(count)]


def test_mail_and_web_addresses_are_under_reserved_names():
    for text in drawn("e-mail", 3000) + drawn("address", 3000):
        hosts = re.findall(r"(?:@|\[at\] |://|www\.)([\w.-]*\w)", text)
        # Nothing else looks like a name on the web either.
        hosts += re.findall(
            r"[\w.-]+\.(?:com|org|net|edu|gov|info|io|de|fr|uk)(?![\w.-])", text, re.I
        )
        assert all(RESERVED.fullmatch(host) for host in hosts), text
    assert all("@" in text or "[at]" in text for text in drawn("e-mail", 500))


def test_calculations_are_right():
    draws = Draws(np.random.default_rng(2))
    for _ in range(300):
        left, right = module.calculation(draws).replace("x", "*").replace(":", "/").split("=")
        assert eval(left) == int(right)


def test_only_texts_of_the_training_split_are_drawn(monkeypatch):
    """Of texts so few that each is drawn sooner or later; split 0 is the training."""
    monkeypatch.setattr(module, "TEMPLATES", {kind: ["room {100-399}"] for kind in TEMPLATE_KINDS})
    draws = Draws(np.random.default_rng(1))
    rooms = {text for text in (everyday(draws) for _ in range(3000)) if text.startswith("room ")}
    assert rooms == {room for room in (f"room {n}" for n in range(100, 400)) if split_of(room) == 0}


@pytest.mark.parametrize(
    ("split", "number", "count", "digest"),
    [
        ("test", 2, 200, "7dd5b0c543ce13bb524fd1a5b8d59c6335a56d8c5c342efd09ff3585bcefa32e"),
        ("valid", 1, 400, "34a24fcfaee2a6e422b98026717174c18bcfa4ebd6fb1af5e8d0538b4f50b851"),
    ],
)
def test_held_out_texts_stay_the_same_in_every_version(split, number, count, digest):
    texts = held_out_everyday(split)
    lines = "".join(f"{kind}\t{text}\n" for kind, text in texts)
    assert hashlib.sha256(lines.encode()).hexdigest() == digest
    assert len({text for _, text in texts}) == count
    assert Counter(kind for kind, _ in texts) == dict.fromkeys(
        TEMPLATE_KINDS, count // len(TEMPLATE_KINDS)
    )
    assert all(split_of(text) == number for _, text in texts)
