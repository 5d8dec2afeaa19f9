"""What docs/python.md shows, typed in another folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.networks import ROOT

PAGE = ROOT / "docs" / "python.md"


@pytest.mark.slow
def test_every_example_of_the_page_runs_in_another_folder(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    script = "\n".join(blocks).replace("/path/to/online-handwriting", str(ROOT))
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("True\nHello\nhello.inkml Hello\n"), done.stdout
    names = {path.name for path in Path(tmp_path).iterdir()}
    assert {"letter.pdf", "card.png", "hello.svg", "hello.inkml"} <= names
