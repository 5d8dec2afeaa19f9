"""Decoding against sums over all paths, all texts, and a plain second implementation."""

import itertools
import math

import numpy as np
import pytest
import torch

from model.recognition import decoding
from model.recognition.decoding import GREEDY, Search, attention_texts, ctc_beam, ctc_texts
from model.recognition.language_model import CharacterLanguageModel
from utils.alphabet import Alphabet
from utils.checks import NotFinite

MODEL = CharacterLanguageModel(["ab", "abba", "aab", "b"], Alphabet("abc"), order=3)


def random_log_probs(*shape: int, sharpness: float = 1.0) -> torch.Tensor:
    return (sharpness * torch.randn(*shape, dtype=torch.float64)).log_softmax(-1)


def collapsed(path, blank: int) -> tuple[int, ...]:
    """What a path of classes spells."""
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


def plain_beam(log_probs: np.ndarray, width: int, weight: float):
    """Prefix beam search on dictionaries of prefixes, written from Hannun et al. 2014."""
    blank = log_probs.shape[1] - 1

    def added(prefix) -> float:
        grown = sum(MODEL.log_probs(prefix[:n])[c] for n, c in enumerate(prefix))
        return weight * grown

    beams = {(): (1.0, 0.0)}
    for frame in np.exp(log_probs):
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (in_blank, in_character) in beams.items():
            unchanged = grown.setdefault(prefix, [0.0, 0.0])
            unchanged[0] += (in_blank + in_character) * frame[blank]
            for c in range(blank):
                longer = grown.setdefault((*prefix, c), [0.0, 0.0])
                if prefix and prefix[-1] == c:
                    unchanged[1] += in_character * frame[c]
                    longer[1] += in_blank * frame[c]
                else:
                    longer[1] += (in_blank + in_character) * frame[c]
        ranked = sorted(
            (one for one in grown if sum(grown[one]) > 0),
            key=lambda one: -math.log(sum(grown[one])) - added(one),
        )
        beams = {prefix: tuple(grown[prefix]) for prefix in ranked[:width]}
    ends = {p: weight * MODEL.log_probs(p)[blank] for p in beams}
    result = {p: math.log(sum(beams[p])) + added(p) + ends[p] for p in beams}
    return sorted(result.items(), key=lambda item: -item[1])


def scores_of(found):
    assert found == sorted(found, key=lambda one: -one.score)
    return {tuple(one.indices): one.score for one in found}


def test_greedy_collapses_the_best_path():
    torch.manual_seed(0)
    log_probs = random_log_probs(20, 9, 4)
    lengths = torch.randint(0, 10, (20,))
    log_probs[torch.arange(9) >= lengths[:, None]] = math.nan  # what pads a line
    lines = [line[:length] for line, length in zip(log_probs, lengths, strict=True)]
    expected = [list(collapsed(line.argmax(-1).tolist(), 3)) for line in lines]
    assert ctc_texts(log_probs, lengths) == expected
    beams = [ctc_beam(line.numpy(), Search(4))[0].indices for line in lines]
    assert ctc_texts(log_probs, lengths, Search(4)) == beams


@pytest.mark.parametrize("width", [1, 2, 3, 5, 10_000])
@pytest.mark.parametrize("weight", [0.0, 1.3])
def test_a_beam_equals_a_plain_implementation(width, weight, monkeypatch):
    """Prefixes leave a narrow beam and come back, while longer ones of theirs stay."""
    monkeypatch.setattr(decoding, "PRUNING", 99.0)
    torch.manual_seed(width)
    for _ in range(20 if width < 10 else 1):
        log_probs = random_log_probs(12 if width < 10 else 5, 4).numpy()
        found = scores_of(ctc_beam(log_probs, Search(width, MODEL, weight)))
        expected = dict(plain_beam(log_probs, width, weight))
        assert list(found) == list(expected)
        assert found == pytest.approx(expected)


def test_pruning_leaves_out_what_is_unlikely(monkeypatch):
    search, log_probs = Search(16), torch.tensor([[0.5, 0.4, 0.1], [0.4, 0.5, 0.1]]).log().numpy()
    monkeypatch.setattr(decoding, "PRUNING", 1.0)
    pruned = scores_of(ctc_beam(log_probs, search))
    expected = {(): 0.01, (0,): 0.2 + 0.05 + 0.04, (1,): 0.2 + 0.04 + 0.05}
    expected |= {(0, 1): 0.25, (1, 0): 0.16}
    assert {text: math.exp(score) for text, score in pruned.items()} == pytest.approx(expected)
    # The best class alone is followed: a, then b.
    monkeypatch.setattr(decoding, "PRUNING", 0.0)
    assert {*scores_of(ctc_beam(log_probs, search))} == {(), (0,), (1,), (0, 1)}


@pytest.mark.parametrize("search", [GREEDY, Search(2)])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_what_is_no_distribution_is_refused(value, search):
    log_probs = random_log_probs(2, 4, 3)
    log_probs[1, 2] = value
    with pytest.raises(NotFinite, match="no distribution"):
        ctc_texts(log_probs, torch.tensor([4, 4]), search)

    def step(tokens, state):
        return torch.full((len(tokens), 4), math.nan), state

    with pytest.raises(NotFinite, match="no distribution"):
        attention_texts(step, {"x": torch.zeros(2)}, search, max_lengths=[3, 3], end=3)


class Decoder:
    """A decoder whose distributions are looked up by line and by all tokens so far.

    Classes 0 to 2, the end is 3 and the start 4. It checks what it is given.
    """

    END = 3

    def __init__(self, lines: int, sharpness: float = 1.0) -> None:
        self.table = random_log_probs(lines, 4099, 4, sharpness=sharpness)

    def start_state(self, lines=None) -> dict[str, torch.Tensor]:
        numbers = torch.arange(len(self.table)) if lines is None else torch.tensor(lines)
        return {
            "line": numbers,
            "hash": torch.zeros(len(numbers), dtype=torch.long),
            "ink": numbers[:, None].expand(-1, 5) * 10,
        }

    def step(self, tokens, state):
        assert tokens.dtype == torch.long and tokens.shape == state["line"].shape
        assert (state["ink"] == state["line"][:, None] * 10).all()
        first = state["hash"] == 0
        assert ((tokens == 4) == first).all()
        state = state | {"hash": (state["hash"] * 5 + tokens + 1) % self.table.shape[1]}
        return self.table[state["line"], state["hash"]], state

    def log_probability(self, line: int, text, weight: float = 0.0) -> float:
        """Of a text, each class weighed by the language model's and the classes brought to 1."""
        state, total = self.start_state([line]), 0.0
        for place, (token, following) in enumerate(zip((4, *text), (*text, 3), strict=True)):
            log_probs, state = self.step(torch.tensor([token]), state)
            chances = np.exp(log_probs[0].double().numpy())
            chances *= np.exp(MODEL.log_probs(tuple(text[:place]))) ** weight
            total += math.log(chances[following] / chances.sum())
        return total


TEXTS = [text for size in range(4) for text in itertools.product(range(3), repeat=size)]


@pytest.mark.parametrize("weight", [0.0, 0.8])
def test_wide_attention_beam_finds_the_best_of_all_texts(weight):
    torch.manual_seed(5)
    decoder = Decoder(12, sharpness=1.5)
    expected = []
    for line in range(12):
        score = {text: decoder.log_probability(line, text, weight) for text in TEXTS}
        expected.append(list(max(score, key=score.get)))
    search = Search(100, MODEL, weight)
    found = attention_texts(
        decoder.step, decoder.start_state(), search, max_lengths=[3] * 12, end=3
    )
    assert found == expected
    assert len({len(text) for text in expected}) > 1


def test_attention_greedy_takes_the_likeliest_each_time():
    torch.manual_seed(7)
    decoder, expected = Decoder(40), []
    limits = torch.randint(0, 9, (40,)).tolist()
    for line, limit in enumerate(limits):
        text, token, state = [], 4, decoder.start_state([line])
        while len(text) < limit:
            log_probs, state = decoder.step(torch.tensor([token]), state)
            token = int(log_probs.argmax())
            if token == 3:
                break
            text.append(token)
        expected.append(text)
    assert (
        attention_texts(decoder.step, decoder.start_state(), max_lengths=limits, end=3) == expected
    )


@pytest.mark.parametrize("search", [GREEDY, Search(4, MODEL, 0.3)])
@pytest.mark.parametrize("per_line", [(), ("ink", "line")])
def test_attention_line_does_not_depend_on_what_else_is_in_the_batch(per_line, search):
    torch.manual_seed(9)
    decoder = Decoder(10, 0.7)
    limits = [3, 9, 1, 0, 12, 5, 5, 2, 7, 20]
    settings = {"end": 3, "per_line": per_line}
    state = decoder.start_state()
    together = attention_texts(decoder.step, state, search, max_lengths=limits, **settings)
    for line, limit in enumerate(limits):
        state = decoder.start_state([line])
        alone = attention_texts(decoder.step, state, search, max_lengths=[limit], **settings)
        assert alone == [together[line]]
        assert len(alone[0]) <= limit
