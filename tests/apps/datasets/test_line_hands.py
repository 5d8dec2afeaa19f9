"""The hands in which lines are written that a writer learns from."""

from types import SimpleNamespace

import numpy as np
import pytest

from apps.datasets import line_hands
from apps.datasets.line_hands import legible_primers, named_hands
from data_loader import EmbeddedDataset, ToldHandsDataset
from ink.geometry import from_strokes
from ink.measures import NUM_HAND_LINES
from ink.sample import Sample
from model.generation.hand_encoder import DESCRIPTOR


def test_lines_that_are_read_right_become_primers_of_each_hand_in_turn():
    def sample(hand, text, size):
        return Sample(np.full((size, 3), 1.0, np.float32), text, f"{hand}-{size}", group=hand)

    samples = [sample("a", "first line", 2), sample("a", "second line", 3)]
    samples += [sample("a", "third line", 4), sample("b", "fourth line", 5)]
    samples += [sample("b", "misread line", 6), sample("b", "short", 7), sample("b", "12345678", 8)]
    texts = {len(each.ink): each.text.replace("misread", "mistead") for each in samples}
    reader = SimpleNamespace(read_lines=lambda inks, **_: [texts[len(ink)] for ink in inks])
    primers = [*legible_primers(samples, reader, np.random.default_rng(0))]
    assert {text for _, text in primers[:2]} >= {"fourth line"}
    assert {text for _, text in primers} == {each.text for each in samples[:4]}


def line_of(strokes):
    """Ink of some strokes."""
    return SimpleNamespace(written=from_strokes([np.eye(2)] * strokes))


@pytest.fixture
def told(tmp_path):
    """Twelve hands of five lines, with a table of their descriptors."""
    source = EmbeddedDataset(size=60, valid_size=4, test_size=4, writers=12, max_characters=20)
    names = [*source.load().used.strings("name")]
    values = np.random.default_rng(0).normal(size=(len(names), DESCRIPTOR + 1)).astype(np.float32)
    np.savez(tmp_path / "hands.npz", names=np.array(names), values=values)
    return ToldHandsDataset(dataset=source, descriptors=str(tmp_path / "hands.npz"))


def test_half_of_the_hands_are_joined_and_none_is_there_twice(told, monkeypatch):
    monkeypatch.setattr(line_hands, "OWN_SEEDS", range(1, 11))

    def write_lines(texts, seeds, sampling):
        """Every third hand is joined: it has fewer strokes than letters."""
        assert len(texts) == len(sampling.extras["hand"])
        return [line_of(2 if seed % 3 == 0 else 12) for seed in seeds]

    encoder = SimpleNamespace(draw=lambda seed: np.full(DESCRIPTOR, float(seed)))
    model = SimpleNamespace(hand_encoder=encoder)
    writer = SimpleNamespace(model=model, reference_text="ten letter", write_lines=write_lines)
    hands = named_hands(writer, told, ["joined"], 0)
    names = [hand.name for hand in hands]
    kinds = {name.split("-")[0] for name in names}
    assert len({*names}) == len(names) == 20 and {"own", "person"} <= kinds
    assert "joined" not in names and not any(name.startswith("open_") for name in names)
    assert {hand.extras["hand"].shape for hand in hands} == {(NUM_HAND_LINES, DESCRIPTOR + 1)}
    assert [hand.name for hand in named_hands(writer, told, ["joined"], 0)] == names
    own = next(hand for hand in hands if hand.name.startswith("own"))
    weighted = own.extras["hand"][0]
    np.testing.assert_allclose(weighted[:-1] / weighted[-1], float(own.name.split("-")[1]))
