"""Files of format 1, with their old names, are read as format 2 has them."""

import copy

import pytest
import torch

from base import checkpoint as module
from base.checkpoint import load_checkpoint
from base.migration import migrate, migrated_config, migrated_key
from base.pretrained import pretrained
from utils.checks import CheckpointError

OLD = {
    "format": 1,
    "config": {
        "name": "old",
        "arch": {"type": "CTCNetwork", "args": {"halvings": 1, "hidden_size": 4, "masked": 0.1}},
        "trainer": {"type": "RecognitionTrainer", "args": {"teacher_forcing": [1.0, 0.8]}},
    },
    "state_dict": {
        "layers.0.onward.layer.weight": torch.ones(2),
        "layers.0.backward.layer.weight": torch.zeros(2),
        "onward.bias": torch.ones(1),
    },
    "dataset": {"canonical": None, "lattice": 2.0},
    "training": {"update": {"model": {"layers.1.onward.bias": torch.ones(1)}, "averaged": 3}},
}


def test_old_names_become_new_ones_and_all_else_stays():
    before = copy.deepcopy(OLD)
    new, config = migrate(OLD), migrated_config(OLD["config"])
    assert str(before) == str(OLD)  # what is given is left as it is
    arch = config["arch"]["args"]
    assert list(arch.items()) == [("time_reductions", 1), ("hidden_size", 4), ("mask_ratio", 0.1)]
    assert config["trainer"]["args"] == {"teacher_forcing_ratio": [1.0, 0.8]}
    assert config["name"] == "old"
    assert list(new["state_dict"]) == [
        "layers.0.forward_rnn.layer.weight",
        "layers.0.backward_rnn.layer.weight",
        "onward.bias",
    ]
    assert new["state_dict"]["layers.0.forward_rnn.layer.weight"].tolist() == [1, 1]
    assert new["dataset"] == {"canonical": None, "quantisation_step": 2.0}
    update = new["training"]["update"]
    assert list(update["model"]) == ["layers.1.forward_rnn.bias"] and update["averaged"] == 3


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"config": 1, "state_dict": 2, "dataset": 3, "training": 4},
        {"config": {"arch": [1]}, "state_dict": {7: 8}, "training": {"update": None}},
        {"config": {"arch": {"args": None}, "trainer": {"args": "teacher_forcing"}}},
    ],
)
def test_what_is_not_as_it_should_be_stays_to_be_refused(content):
    new = migrate(content)
    assert migrated_config(content.get("config")) == content.get("config")
    assert all(new[name] == value for name, value in content.items() if name != "training")


def test_the_new_name_wins_and_keys_of_the_command_line_follow():
    both = {"arch": {"args": {"halvings": 1, "time_reductions": 2}}}
    assert migrated_config(both) == both  # the unknown key is then named by the config's check
    assert migrated_key("arch.args.halvings") == "arch.args.time_reductions"
    assert migrated_key("arch.args.hidden_size") == "arch.args.hidden_size"


@pytest.mark.parametrize("written", [1, module.FORMAT])
def test_a_key_that_was_removed_is_left_out_of_every_file(tmp_path, written):
    arch = {"type": "SynthesisNetwork", "args": {"sink": 0.6, "longest": 64}}
    content = {"format": written, "config": {"arch": arch}, "state_dict": {}}
    torch.save(content, tmp_path / "old.pth")
    config = load_checkpoint(tmp_path / "old.pth")["config"]
    assert config["arch"]["args"] == {"longest": 64}


def test_a_config_that_is_nested_too_deeply_is_refused_in_every_format(tmp_path):
    deep = []
    for _ in range(400):
        deep = [deep]
    for written in range(1, module.FORMAT + 1):
        content = {"format": written, "config": {"arch": deep}, "state_dict": {}}
        torch.save(content, tmp_path / "deep.pth")
        with pytest.raises(CheckpointError, match="nested more than 32 deep"):
            load_checkpoint(tmp_path / "deep.pth")


def test_a_file_of_format_1_loads_and_a_newer_one_is_refused_in_one_line(tmp_path):
    torch.save(OLD, tmp_path / "old.pth")
    assert "quantisation_step" in load_checkpoint(tmp_path / "old.pth")["dataset"]
    torch.save(OLD | {"format": module.FORMAT + 1}, tmp_path / "new.pth")
    with pytest.raises(CheckpointError, match=r"new\.pth: made by a newer version") as caught:
        load_checkpoint(tmp_path / "new.pth")
    assert "\n" not in str(caught.value)
    for wrong in (0, -1, True, 1.0, None, "2"):
        torch.save(OLD | {"format": wrong}, tmp_path / "wrong.pth")
        with pytest.raises(CheckpointError, match="a number from 1 to"):
            load_checkpoint(tmp_path / "wrong.pth")


def test_the_pretrained_recogniser_is_read_by_the_names_of_today():
    checkpoint = load_checkpoint(pretrained()["recognition"])
    assert any(".forward_rnn." in name for name in checkpoint["state_dict"])
    assert "time_reductions" in checkpoint["config"]["arch"]["args"]
