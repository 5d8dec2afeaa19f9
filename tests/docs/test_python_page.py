"""What docs/python.md shows, typed in another folder."""

import re
import shutil
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from tests.commands.networks import ROOT, use

PAGE = ROOT / "docs" / "python.md"


@pytest.mark.slow
@pytest.mark.usefixtures("few_lines")
def test_every_example_of_the_page_runs_in_another_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(ROOT)])
    shutil.copy(ROOT / "tests/fixtures/notes/zipped.xopp", "diary.xopp")
    for form in ("safetensors", "onnx"):
        use("export", "-r", "open_reader", "--format", form, "--output", "hub")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    script = "\n".join(blocks).replace("/path/to/online-handwriting", str(ROOT))
    exec(compile(script, PAGE, "exec"), {"__name__": "__main__"})
    plt.close("all")
    assert sys.path[0] == str(ROOT)
    said = capsys.readouterr().out
    assert said.endswith("True\nHello\nHello\nhello.inkml Hello\n595.275591 841.889764 5\n"), said
    names = {path.name for path in Path().iterdir()}
    assert {"letter.pdf", "card.png", "hello.svg", "hello.inkml"} <= names
