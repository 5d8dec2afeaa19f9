"""Decoding against sums over all paths, all texts, and a plain second implementation."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ink.alphabet import Alphabet
from model.recognition import beam
from model.recognition.decoding import GREEDY, Search, attention_texts, ctc_beam, ctc_texts
from model.recognition.language_model import CharacterLanguageModel, WordLanguageModel
from utils.checks import NotFinite

LANGUAGE = CharacterLanguageModel(["ab", "abba", "aab", "b"], Alphabet("abc"), order=3)


def random_log_probs(*shape, sharpness=1.0):
    return (sharpness * torch.randn(*shape, dtype=torch.float64)).log_softmax(-1)


def plain_beam(log_probs, width, weight):
    """Prefix beam search on dictionaries of prefixes, written from Hannun et al. 2014."""
    blank = log_probs.shape[1] - 1
    beams, language = {(): (1.0, 0.0)}, {(): 0.0}
    for frame in np.exp(log_probs):
        grown = {}
        for prefix, (in_blank, in_character) in beams.items():
            unchanged = grown.setdefault(prefix, [0.0, 0.0])
            unchanged[0] += (in_blank + in_character) * frame[blank]
            for c in range(blank):
                longer = grown.setdefault((*prefix, c), [0.0, 0.0])
                language[(*prefix, c)] = language[prefix] + LANGUAGE.log_probs(prefix)[c]
                if prefix and prefix[-1] == c:
                    unchanged[1] += in_character * frame[c]
                    longer[1] += in_blank * frame[c]
                else:
                    longer[1] += (in_blank + in_character) * frame[c]
        scores = {p: math.log(sum(v)) + weight * language[p] for p, v in grown.items() if sum(v)}
        best = sorted(scores, key=scores.get, reverse=True)[:width]
        beams = {prefix: tuple(grown[prefix]) for prefix in best}
    scores = {p: scores[p] + weight * LANGUAGE.log_probs(p)[blank] for p in beams}
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def scores_of(hypotheses):
    return {tuple(hypothesis.indices): hypothesis.score for hypothesis in hypotheses}


def test_greedy_decoding_merges_repeats_of_the_likeliest_path_and_leaves_out_blanks():
    log_probs = torch.full((2, 6, 3), math.nan)  # also behind a line's end
    log_probs[0] = torch.eye(3)[[0, 0, 2, 0, 1, 2]].log_softmax(-1)
    log_probs[1, :2] = torch.eye(3)[[2, 1]].log_softmax(-1)
    assert ctc_texts(log_probs, torch.tensor([6, 2])) == [[0, 0, 1], [1]]


def test_text_of_a_beam_is_its_best_hypothesis():
    torch.manual_seed(0)
    log_probs, lengths = random_log_probs(20, 9, 4), torch.randint(0, 10, (20,))
    lines = zip(log_probs.numpy(), lengths, strict=True)
    expected = [ctc_beam(line[:length], Search(4))[0].indices for line, length in lines]
    assert ctc_texts(log_probs, lengths, Search(4)) == expected


@pytest.mark.parametrize("width", [1, 2, 3, 5, 10_000])
@pytest.mark.parametrize("weight", [0.0, 1.3])
def test_beam_equals_a_plain_implementation(width, weight, monkeypatch):
    """Prefixes leave a narrow beam and come back, while longer ones of theirs stay."""
    monkeypatch.setattr(beam, "PRUNING", 99.0)
    torch.manual_seed(width)
    for _ in range(20 if width < 10 else 1):
        log_probs = random_log_probs(12 if width < 10 else 5, 4).numpy()
        hypotheses = scores_of(ctc_beam(log_probs, Search(width, LANGUAGE, weight)))
        expected = plain_beam(log_probs, width, weight)
        assert [*hypotheses] == [*expected] and hypotheses == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pruning", "expected"),
    [
        (1.0, {(): 0.01, (0,): 0.29, (1,): 0.29, (0, 1): 0.25, (1, 0): 0.16}),
        # The best class alone is followed: a, then b.
        (0.0, {(): 0.01, (0,): 0.25, (1,): 0.05, (0, 1): 0.25}),
    ],
)
def test_pruned_characters_are_not_followed(monkeypatch, pruning, expected):
    monkeypatch.setattr(beam, "PRUNING", pruning)
    log_probs = np.log([[0.5, 0.4, 0.1], [0.4, 0.5, 0.1]])
    scores = scores_of(ctc_beam(log_probs, Search(16)))
    assert {text: math.exp(score) for text, score in scores.items()} == pytest.approx(expected)


FRENCH = Alphabet("eënol é")
WORDS = WordLanguageModel(["noël", "noël nnn"], {"noël": 900.0, "nnn": 100.0}, FRENCH)


def seen(text, frames=3):
    """Return the log-probabilities of a text that is seen for some frames a letter without doubt,
    but for the first frame of each, which is CTC's blank."""
    probs = np.full((len(text) * (frames + 1), len(FRENCH) + 1), 1e-9)
    for place, code in enumerate(FRENCH.encode(text)):
        start = place * (frames + 1)
        probs[start, -1] = probs[start + 1 : start + frames + 1, code] = 1.0
    return np.log(probs / probs.sum(1, keepdims=True))


@pytest.mark.parametrize(
    ("text", "weight", "expected"),
    [
        ("noel", 0.5, "noël"),  # as often as the letter is seen, its mark is paid once
        ("noel", 0.0, "noel"),
        ("noél", 0.5, "noël"),  # a mark that looks like another
        ("noën", 0.5, "noën"),  # no mark is taken away: that is no cheaper than another letter
        ("nol", 0.5, "nol"),
    ],
)
def test_a_language_brings_back_the_mark_of_a_letter_and_nothing_else(text, weight, expected):
    search = Search(16, WORDS, weight, mark_cost=0.7)
    assert FRENCH.decode(ctc_beam(seen(text), search)[0].indices) == expected


def test_a_line_is_searched_as_its_greedy_text_asks():
    texts = []

    def by_text(text):
        texts.append(text)
        return Search(16, WORDS, 0.5, mark_cost=0.7)

    search = Search(16, WORDS, 0.5)
    log_probs = seen("noel")
    assert FRENCH.decode(ctc_beam(log_probs, search)[0].indices) == "noel"
    search = replace(search, by_text=by_text)
    (codes,) = ctc_texts(torch.from_numpy(log_probs)[None], torch.tensor([len(log_probs)]), search)
    assert FRENCH.decode(codes) == "noël"
    assert texts == ["noel"]


def test_a_mark_that_the_language_model_adds_is_as_likely_as_its_bare_letter():
    plain, marked = FRENCH.encode("eë").tolist()
    log_probs = seen("noel")
    by_text = Search(16, WORDS, 0.5, mark_cost=0.7)
    search = Search(16, WORDS, 0.5, by_text=lambda _: by_text)
    added = search.with_added_marks(log_probs, FRENCH.encode("noël"))
    assert (added[:, marked] == log_probs[:, [plain, marked]].max(1)).all()
    assert (np.delete(added, marked, 1) == np.delete(log_probs, marked, 1)).all()
    # Another text has no mark, and another search adds none.
    assert (search.with_added_marks(log_probs, FRENCH.encode("noel")) == log_probs).all()
    assert (GREEDY.with_added_marks(log_probs, FRENCH.encode("noël")) == log_probs).all()


def test_a_letter_without_its_mark_is_read_as_one_with_it_at_its_cost():
    plain, marked = FRENCH.encode("eë").tolist()
    scores = scores_of(ctc_beam(seen("e"), Search(9, WORDS, mark_cost=2.0)))
    assert scores[(plain,)] - scores[(marked,)] == pytest.approx(2.0, abs=1e-4)
    unmarked = scores_of(ctc_beam(seen("e"), Search(9, WORDS)))
    assert unmarked[(plain,)] == pytest.approx(scores[(plain,)]) and (marked,) not in unmarked


@pytest.mark.parametrize(
    ("faintness", "mark_cost", "expected"),
    [(7.0, 0.7, "n'ai"), (7.0, math.inf, "nai"), (15.0, 0.7, "nai")],
)
def test_a_faint_apostrophe_is_read_where_words_have_it(faintness, mark_cost, expected):
    alphabet = Alphabet("nai' ")
    probs = np.full((8, len(alphabet) + 1), 1e-9)
    probs[::2, -1] = 1.0
    probs[[1, 3, 5], alphabet.encode("nai")] = 1.0
    probs[2, alphabet.encode("'")] = math.exp(-faintness)
    log_probs = np.log(probs / probs.sum(1, keepdims=True))
    words = WordLanguageModel(["ai a ni", "n'ai"], {"n'": 900.0, "ai": 900.0, "in": 2.0}, alphabet)
    search = Search(16, words, 0.5, mark_cost=mark_cost)
    assert alphabet.decode(ctc_beam(log_probs, search)[0].indices) == expected


@pytest.mark.parametrize("search", [GREEDY, Search(2)])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_frame_without_a_distribution_is_refused(value, search):
    log_probs = random_log_probs(2, 4, 3)
    log_probs[1, 2] = value
    with pytest.raises(NotFinite, match="no distribution"):
        ctc_texts(log_probs, torch.tensor([4, 4]), search)


@pytest.mark.parametrize("search", [GREEDY, Search(2)])
def test_step_without_a_distribution_is_refused(search):
    decoder = Decoder(2)
    decoder.table[1] = math.nan
    with pytest.raises(NotFinite, match="no distribution"):
        decoder.texts([3, 3], search)


class Decoder:
    """A decoder whose distributions are looked up by line and by all tokens so far.

    Classes 0 to 2, the end is 3 and the start 4. It checks what it is given.
    """

    def __init__(self, lines, sharpness=1.0):
        self.table = random_log_probs(lines, 4099, 4, sharpness=sharpness)

    def start(self, lines=None):
        numbers = torch.arange(len(self.table)) if lines is None else torch.tensor(lines)
        ink = numbers[:, None].expand(-1, 5) * 10
        return {"line": numbers, "hash": torch.zeros_like(numbers), "ink": ink}

    def step(self, tokens, state):
        assert tokens.dtype == torch.long and tokens.shape == state["line"].shape
        assert (state["ink"] == state["line"][:, None] * 10).all()
        assert ((tokens == 4) == (state["hash"] == 0)).all()
        state = state | {"hash": (state["hash"] * 5 + tokens + 1) % self.table.shape[1]}
        return self.table[state["line"], state["hash"]], state

    def texts(self, limits, search=GREEDY, lines=None, **options):
        options = {"max_lengths": limits, "end": 3} | options
        return attention_texts(self.step, self.start(lines), search, **options)

    def log_prob(self, line, text, weight=0.0):
        """Return that of a text, with the language's chances of each class brought to 1."""
        state, total = self.start([line]), 0.0
        for place, (token, following) in enumerate(zip((4, *text), (*text, 3), strict=True)):
            log_probs, state = self.step(torch.tensor([token]), state)
            language = weight * LANGUAGE.log_probs(tuple(text[:place]))
            total += (log_probs[0] + torch.tensor(language)).log_softmax(0)[following].item()
        return total


@pytest.mark.parametrize("weight", [0.0, 0.8])
def test_wide_attention_beam_finds_the_best_of_all_texts(weight):
    torch.manual_seed(5)
    decoder, expected = Decoder(12, sharpness=1.5), []
    texts = [text for size in range(4) for text in itertools.product(range(3), repeat=size)]
    for line in range(12):
        scores = {text: decoder.log_prob(line, text, weight) for text in texts}
        expected.append([*max(scores, key=scores.get)])
    assert decoder.texts([3] * 12, Search(100, LANGUAGE, weight)) == expected
    assert len(set(map(len, expected))) > 1


def test_greedy_attention_takes_the_likeliest_class_each_time():
    torch.manual_seed(7)
    decoder = Decoder(40)
    expected = []
    limits = torch.randint(0, 9, (40,)).tolist()
    for line, limit in enumerate(limits):
        text = []
        token = 4
        state = decoder.start([line])
        while len(text) < limit:
            log_probs, state = decoder.step(torch.tensor([token]), state)
            token = int(log_probs.argmax())
            if token == 3:
                break
            text.append(token)
        expected.append(text)
    assert decoder.texts(limits) == expected


@pytest.mark.parametrize("search", [GREEDY, Search(4, LANGUAGE, 0.3)])
@pytest.mark.parametrize("per_line", [(), ("ink", "line")])
def test_text_of_a_line_does_not_depend_on_other_lines_of_its_batch(per_line, search):
    torch.manual_seed(9)
    decoder, limits = Decoder(10, 0.7), [3, 9, 1, 0, 12, 5, 5, 2, 7, 20]
    together = decoder.texts(limits, search, per_line=per_line)
    for line, limit in enumerate(limits):
        alone = decoder.texts([limit], search, [line], per_line=per_line)
        assert alone == [together[line]] and len(alone[0]) <= limit
