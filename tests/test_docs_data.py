"""What docs/data.md shows works."""

import json
import re
import shlex
from pathlib import Path

import pytest

import train
from base.config.values import read_config
from data_loader import EmbeddedDataset
from ink.geometry import strokes
from parse_config import plan_of
from tests.data_loader import ink_formats

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def my_ink(tmp_path, monkeypatch, logging_restored, no_modules):
    """The module of the page, in the place and with the data that it speaks of."""
    (source,) = [block for block in blocks("python") if "class MyInk" in block]
    assert len([line for line in source.split("\n") if line.strip()]) <= 10
    embedded = EmbeddedDataset(size=30, valid_size=1, test_size=1, max_characters=16)
    lines = [(line.text, strokes(line.ink)) for line in embedded.load().split("train")]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "my_ink.json").write_bytes(ink_formats.own(lines))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_ink.py").write_text(source)


def test_ten_lines_of_own_ink_train_a_network_by_the_command_of_the_page(my_ink, tmp_path):
    command = re.search(r"python train.py (--module my_ink.py -c .*\n.*)", PAGE)[1]
    words = shlex.split(command.replace("\\\n", ""))
    words[3] = str(ROOT / words[3])  # the config
    for key in ("arch.args.hidden_size=8", "trainer.args.steps_per_epoch=1"):
        words += ["-o", key]
    words += ["-o", "trainer.args.samples=0", "--epochs", "1", "--run-id", "mine", "-d", "cpu"]
    assert train.main(words) == 0
    assert list((tmp_path / "saved" / "models" / "conditional" / "mine").glob("*.pth"))


@pytest.mark.parametrize("block", blocks("json"))
def test_a_recipe_of_the_page_can_be_built(block):
    """In the place of a config's own."""
    config, _ = read_config(ROOT / "configs" / "unipen_digits.json")
    given = json.loads("{" + block + "}")
    config["data_loader"]["args"] |= {"dataset": None} | given
    dataset = plan_of(config, "page").build("data_loader").dataset
    assert dataset.sources.keys() == given["sources"].keys()
