"""Pairs of lines to choose between by eye, and the votes."""

import json

import pytest

from benchmarks.blind import tally, votes_of
from tests.benchmarks.scripts import run
from tests.commands.networks import names, save
from utils.checks import UserError


@pytest.fixture
def two(checkpoints, tmp_path):
    other = save(tmp_path / "other.pth", "SynthesisNetwork", "other", hidden_size=8)
    return checkpoints["SynthesisNetwork"], other


def test_only_the_key_tells_which_and_votes_are_counted_by_it(two, tmp_path, capsys):
    texts, votes = tmp_path / "texts.txt", [tmp_path / "a.txt", tmp_path / "b.txt"]
    texts.write_text("\n".join(f"number {n}" for n in range(11)))
    output = ("--output", tmp_path / "out")
    run("blind", *two, "--text-file", texts, "--biases", 0.5, 1, *output)
    assert names(tmp_path / "out") == ["blind-001.png", "blind-011.png", "key.json"]
    key = json.loads((tmp_path / "out" / "key.json").read_text())
    assert key["networks"] == [str(path) for path in two] and key["biases"] == [0.5, 1.0]
    assert sum(key["first_is_left"]) == 5 and key["first_is_left"] != sorted(key["first_is_left"])
    first = ["left" if left else "right" for left in key["first_is_left"]]
    other = ["right" if left else "left" for left in key["first_is_left"]]
    votes[0].write_text(f"1 {first[0]}\n2 {first[1]}\n\n3 equal\n4 {other[3]}\n")
    votes[1].write_text(f"4   {first[3].upper()}\n")
    capsys.readouterr()
    run("blind", "--votes", *votes, *output)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"     3  {two[0]} at bias 0.5"
    assert printed[1:3] == [f"     1  {two[1]} at bias 1", "     1  equal"]
    # By hand, of 2 of 3: (0.667 + 3.8415 / 6 -+ 1.96 sqrt(0.222 / 3 + 3.8415 / 36)) / 2.2805
    assert printed[3] == (
        "the first is preferred in 75.0% of 4 votes for one of them (95 % interval over 3 pairs, "
        "Wilson: 20.8% to 93.9%)"
    )


def test_a_tally_by_hand():
    votes = [{1: "left", 2: "left", 3: "equal"}, {2: "right", 3: "right"}, {}]
    assert tally(votes, [True, False, True]) == (2, 2, 1, 3)
    assert tally([{1: "equal"}], [True]) == (0, 0, 1, 0)


@pytest.mark.parametrize("line", ["3 left", "0 left", "1", "1 up", "left 1", "1 left\n1 left"])
def test_votes_that_are_none_are_refused(line):
    with pytest.raises(UserError, match="a pair from 1 to 2, each once"):
        votes_of(line.split("\n"), 2, "v")
