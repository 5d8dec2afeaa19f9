"""Weights between those of two networks, with the hands of the first."""

import pytest
import torch

from model import load
from tests.benchmarks.scripts import refused, run
from tests.commands.networks import network, save

HAND = {"hidden_size": 6, "num_mixtures": 2, "num_windows": 2, "hand_size": 3}


@pytest.fixture
def networks(tmp_path):
    """Two writers of one architecture that take a hand, with other weights and stored hands."""
    files = [tmp_path / f"{name}.pth" for name in ("old", "new")]
    state = network("SynthesisNetwork", **HAND).state_dict()
    for seed, file in enumerate(files):
        chance = torch.Generator().manual_seed(seed)
        weights = {
            name: torch.randn(w.shape, generator=chance) if w.is_floating_point() else w
            for name, w in state.items()
        }
        save(file, "SynthesisNetwork", changes={"state_dict": weights}, **HAND)
    return files


def weights_of(path):
    return load(path, "cpu").model.state_dict()


def test_weights_lie_between_and_stored_hands_stay(networks, tmp_path):
    result = tmp_path / "between.pth"
    run("between", networks[0], "-r", networks[1], "--fraction", 0.25, "--output", result)
    old, new, between = map(weights_of, (*networks, result))
    for name, weight in between.items():
        expected = old[name] if "hands" in name else 0.75 * old[name] + 0.25 * new[name]
        torch.testing.assert_close(
            weight, expected, atol=2e-3, rtol=2e-3
        )  # saved in half precision


def test_a_hand_acts_more_by_its_factor(networks, tmp_path):
    result = tmp_path / "more.pth"
    run("between", networks[0], "-r", networks[1], "--hand-factor", 1.5, "--output", result)
    new, more = weights_of(networks[1]), weights_of(result)
    changed = {name for name in new if not torch.allclose(new[name], more[name], atol=2e-3)}
    assert changed == {"hand_gates.weight", "hand_encoder.hands"}
    torch.testing.assert_close(
        more["hand_gates.weight"], 1.5 * new["hand_gates.weight"], atol=2e-3, rtol=2e-3
    )


def test_networks_of_other_sizes_are_refused(networks, tmp_path, capsys):
    save(tmp_path / "small.pth", "SynthesisNetwork", **HAND | {"hidden_size": 5})
    said = refused(
        *(capsys, "between", networks[0], "-r", tmp_path / "small.pth"),
        *("--output", tmp_path / "none.pth"),
    )
    assert "weights of different shapes" in said and not (tmp_path / "none.pth").exists()
