"""What docs/data.md shows works, and the classes of all pages."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import train
from base.config.values import read_config
from data_loader import EmbeddedDataset
from ink.geometry import strokes
from parse_config import plan_of
from tests.data_loader import ink_formats
from tests.docs.test_links import PAGES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
CLASS = re.compile(r"^class (\w+)\(.*:$", re.MULTILINE)
FEW_STEPS = [
    *("-o", "arch.args.hidden_size=8", "-o", "trainer.args.steps_per_epoch=1"),
    *("-o", "trainer.args.samples=0", "--epochs", "1", "--run-id", "mine", "-d", "cpu"),
]


def blocks(kind, page=PAGE):
    return re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)


def block_with(name, page):
    """Return the block of a page that defines a class."""
    (source,) = [
        block
        for block in blocks("(?:python)?", (ROOT / "docs" / page).read_text(encoding="utf-8"))
        if f"class {name}(" in block
    ]
    return source


def samples():
    embedded = EmbeddedDataset(size=30, valid_size=1, test_size=1, max_characters=16)
    return embedded.load().split("train")


@pytest.fixture
def my_ink(tmp_path, monkeypatch, logging_restored, no_modules):
    """The module of the page, in the place and with the data that it speaks of."""
    source = block_with("MyInk", "data.md")
    assert len([line for line in source.split("\n") if line.strip()]) <= 10
    lines = [(line.text, strokes(line.ink)) for line in samples()]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "my_ink.json").write_bytes(ink_formats.own(lines))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_ink.py").write_text(source)


def test_ten_lines_of_own_ink_train_a_network_by_the_command_of_the_page(my_ink, tmp_path):
    command = re.search(r"python train.py (--module my_ink.py -c .*\n.*)", PAGE)[1]
    words = shlex.split(command.replace("\\\n", ""))
    words[3] = str(ROOT / words[3])  # the config
    words += FEW_STEPS
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


@pytest.mark.parametrize("ink", ["ink", "ink * np.float32([2, 2, 1])"])
def test_a_memory_map_of_ones_own_trains(ink, tmp_path, monkeypatch, logging_restored, no_modules):
    """With the schedule of another page; with ink that is made when it is asked for, too."""
    monkeypatch.chdir(tmp_path)
    Path("data/mine").mkdir(parents=True)
    np.save("data/mine/points.npy", np.concatenate([line.ink for line in samples()]))
    np.save("data/mine/stops.npy", np.cumsum([len(line.ink) for line in samples()]))
    Path("data/mine/texts.txt").write_text("\n".join(line.text for line in samples()))
    source = block_with("MyLines", "large-data.md").replace("Sample(ink,", f"Sample({ink},")
    assert f"return Sample({ink}," in source
    source += "import torch\n" + block_with("Halfway", "config.md")
    Path("mapped.py").write_text(source)
    words = ["--module", "mapped.py", "-c", str(ROOT / "configs" / "conditional.json"), *FEW_STEPS]
    parts = ["data_loader.args.dataset", "MyLines"], ["lr_scheduler", "Halfway"]
    words += [f'-o{key}={{"type": "{name}", "args": {{}}}}' for key, name in parts]
    assert train.main([*words, "-o", "trainer.args.sample_text=null"]) == 0


def test_every_class_of_a_page_is_run():
    """Those of extend.md by the commands and configs of the page, see tests/docs/test_extend.py."""
    tested = {ROOT / "docs/data.md": ["MyInk"], ROOT / "docs/config.md": ["Halfway"]}
    tested[ROOT / "docs/large-data.md"] = ["Mapped", "MyLines"]
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        names = CLASS.findall(text)
        if page.name == "extend.md":
            rest = re.sub(r"```python.*?```", "", text, flags=re.DOTALL)
            # by others, in a call or an annotation
            used = {name for name in names if re.search(rf"= {name}\(|: {name}\b", text)}
            named = {name for name in names if re.search(rf'(=|"){name}\b', rest)}
            assert {*names} == used | named
        else:
            assert names == tested.get(page, []), page
