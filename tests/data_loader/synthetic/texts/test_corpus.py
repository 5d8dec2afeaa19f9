"""The texts of synthetic lines."""

import hashlib
import re

import numpy as np

from data_loader.synthetic.texts import corpus


def sentences(text):
    """Whole sentences within a line: what stands between two ends of sentences."""
    return re.split(r"(?<=[.!?]) ", text)[1:-1]


def test_splits_share_no_line_and_no_sentence(monkeypatch):
    # A word of each kind: so few that the same sentences come up in every split by chance.
    for kind in ("thing", "person", "quality", "doing", "going", "first_name", "last_name"):
        monkeypatch.setitem(corpus.FIELDS, kind, corpus.CORPUS_LISTS[kind][:1])
    lines, whole = [], []
    for split in range(3):
        draws = corpus.Draws(np.random.default_rng(split))
        short = [corpus.running_text(draws, split, low=4, high=14, symbols=0.1) for _ in range(200)]
        long = [corpus.running_text(draws, split, low=60, high=110, symbols=0) for _ in range(200)]
        lines.append(set(short + long))
        whole.append([sentence for line in long for sentence in sentences(line)])
        assert len(short) - len(set(short)) > 50
        assert len(whole[split]) - len(set(whole[split])) > 20
    for first, other in ((0, 1), (0, 2), (1, 2)):
        assert not lines[first] & lines[other]
        assert not set(whole[first]) & set(whole[other])


def test_texts_by_which_legibility_is_judged_stay_the_same_in_every_version():
    # Lines, and for each visible ASCII character a word or two that carry it.
    judged = (corpus.held_out(200), corpus.CARRIERS.values())
    assert [hashlib.sha256("\n".join(texts).encode()).hexdigest() for texts in judged] == [
        "cbf5548641b3aa2ea86d926f04f857bf82a49babad53b00c7e73d42f4fff3826",
        "3486e5013d10604fadc9a25408da6d35755b36aa516c5100d4e2c24e685a0484",
    ]
