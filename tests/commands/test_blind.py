"""Pairs of lines to choose between by eye, and the votes."""

import json

import numpy as np
import pytest
from PIL import Image

from model import load
from model.generation.options import Sampling
from tests.commands.networks import names, save, use
from utils.checks import UserError
from utils.plots import pairs_figure, to_pixels


def blind(output, *words):
    use("blind", *words, "--output", output)


@pytest.fixture
def two(checkpoints, tmp_path):
    other = save(tmp_path / "other.pth", "SynthesisNetwork", "other", hidden_size=8)
    return checkpoints["SynthesisNetwork"], other


def test_pages_show_both_and_only_the_key_tells_which(two, tmp_path, capsys):
    output = tmp_path / "out"
    words = ("--num-samples", 12, "--steps", 30, "--biases", 0.5, 1, "--seed", 4)
    blind(output, *two, *words)
    assert names(output) == ["blind-01.png", "blind-02.png", "key.json"]
    key = json.loads((output / "key.json").read_text())
    assert key["networks"] == [str(path) for path in two] and key["biases"] == [0.5, 1.0]
    assert len(key["first_is_left"]) == 12 and sum(key["first_is_left"]) == 6
    assert "not to be looked at" in capsys.readouterr().out
    texts = key["texts"]
    first = load(two[0], "cpu").write_lines(texts, range(4, 16), Sampling(bias=0.5, max_steps=30))
    second = load(two[1], "cpu").write_lines(texts, range(16, 28), Sampling(bias=1.0, max_steps=30))
    pairs = [
        (one.ink, other.ink) if left else (other.ink, one.ink)
        for one, other, left in zip(first, second, key["first_is_left"], strict=True)
    ]
    for part, name in ((slice(0, 10), "blind-01.png"), (slice(10, 12), "blind-02.png")):
        with Image.open(output / name) as page:
            assert page.width == 1500
            figure = pairs_figure(pairs[part], texts[part], first=part.start + 1)
            assert (np.asarray(page.convert("RGB")) == to_pixels(figure, 100)).all()
            told = " ".join(map(str, page.info.values()))
        assert "conditional" not in told and "other" not in told


def test_sides_are_by_chance_and_by_the_seed(two, tmp_path):
    found = []
    for seed in (0, 0, 1):
        blind(tmp_path, *two, "--num-samples", 20, "--steps", 2, "--seed", seed)
        found.append(json.loads((tmp_path / "key.json").read_text())["first_is_left"])
    assert found[0] == found[1] != found[2]  # equal with a chance of 1 in 184,756


def test_votes_are_counted_with_their_interval(two, tmp_path, capsys):
    texts, votes = tmp_path / "texts.txt", [tmp_path / "a.txt", tmp_path / "b.txt"]
    texts.write_text("one\ntwo\nthree\nfour\n")
    blind(tmp_path, *two, "--text-file", texts, "--steps", 5)
    key = json.loads((tmp_path / "key.json").read_text())
    assert key["texts"] == ["one", "two", "three", "four"]
    first = ["left" if left else "right" for left in key["first_is_left"]]
    other = ["right" if left else "left" for left in key["first_is_left"]]
    votes[0].write_text(f"1 {first[0]}\n2 {first[1]}\n\n3 equal\n4 {other[3]}\n")
    votes[1].write_text(f"4   {first[3].upper()}\n")
    capsys.readouterr()
    blind(tmp_path, "--votes", *votes)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"     3  {two[0]} at bias 0.5"
    assert printed[1] == f"     1  {two[1]} at bias 0.5"
    assert printed[2] == "     1  equal"
    # By hand: (0.75 + 3.8415 / 6 -+ 1.96 sqrt(0.1875 / 3 + 3.8415 / 36)) / (1 + 3.8415 / 3)
    assert printed[3] == (
        "the first is preferred in 75.0% of 4 votes for one of them (95 % interval over 3 pairs, "
        "Wilson: 25.6% to 96.3%)"
    )


def test_what_does_not_fit_is_refused(two, checkpoints, tmp_path):
    file = tmp_path / "votes.txt"
    file.write_text("1 left\n")
    for words, told in (
        ((two[0],), "two networks are compared, 1 are given"),
        ((*two, "--votes", file), "--votes takes no networks, 2 are given"),
        ((*two, "--text-file", file, "--num-samples", 3), "leave out --num-samples"),
        ((*two, "--skip-unknown"), "--skip-unknown is for a --text-file"),
        ((*two, "--biases", 1, 2, 3), "one for both networks, or one for each"),
        ((two[0], checkpoints["PredictionNetwork"]), "a network that writes texts is needed"),
        (("--votes", file), "key.json: no such file; --output is where `blind` wrote it"),
    ):
        with pytest.raises(UserError, match=told):
            blind(tmp_path, *words)
    (tmp_path / "key.json").write_text("[1]")
    with pytest.raises(UserError, match="not a key that `blind` wrote"):
        blind(tmp_path, "--votes", file)
