"""What docs/extend.md shows is one file, which trains, resumes, evaluates, writes and reads."""

import json
import re
import shlex
from pathlib import Path

import pytest

import experiments
import train
from base.checkpoint import load_checkpoint
from tests.test_extending import forget

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_s_file_does_all_that_its_commands_say(tmp_path, monkeypatch, logging_restored):
    monkeypatch.chdir(tmp_path)
    forget(monkeypatch)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    Path("my_parts.py").write_text("\n".join(blocks("python")))
    Path("letter.txt").write_text("zig zag")
    configs = [json.loads(block) for block in blocks("json")]
    for config in configs:
        Path(f"{config['name']}.json").write_text(json.dumps(config))
    for line in re.findall(r"^python .*", PAGE, re.MULTILINE):
        _, script, *words = shlex.split(line)
        main = {"train.py": train.main, "experiments.py": experiments.main}[script]
        device = ["-d", "cpu"] if "runs" not in words else []
        assert main([*words, *device]) == 0, line
    assert Path("samples.png").stat().st_size > 10_000
    run = Path("saved/models/my/first")
    checkpoint = load_checkpoint(run / "checkpoint-epoch3.pth")
    assert set(checkpoint) <= set(re.findall(r"`(\w+)`", PAGE.partition("in a checkpoint")[2]))
    assert {"valid_pace", "valid_jumps_first", "pen_accuracy"} <= checkpoint["metrics"].keys()
    assert (run / "my_parts.py").read_text() == Path("my_parts.py").read_text()

    words = ["--module", "my_parts.py", "-d", "cpu"]
    assert train.main([*words, "-c", "my_reader.json", "--run-id", "a"]) == 0
    reader = ["-r", "saved/models/my_reader/a", *words]
    assert experiments.main(["evaluate", *reader]) == 0


def test_every_class_of_the_page_is_used_and_is_short():
    for block in blocks("python"):
        assert len(block.split("\n")) < 50
    names = re.findall(r"^class (\w+)", "\n".join(blocks("python")), re.MULTILINE)
    for name in names:
        assert f'"{name}"' in "".join(blocks("json")), name


@pytest.mark.parametrize("path", re.findall(r"`((?:base|model|utils)/[\w/]+\.py)`", PAGE))
def test_the_files_that_the_page_names_exist(path):
    assert (ROOT / path).exists()
