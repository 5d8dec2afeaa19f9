"""The notebooks run from top to bottom, with outputs of the kinds that they store."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHOWN = {
    "examples": ("Line('The ink is still wet'", "Page(148 x 105 mm", "['the pen moves']"),
    "results": ("| conditional, log-loss | -1128.2 | -1081.2 | -1132.6 |", "IAM-OnDB is not in"),
}
"""What the outputs of each notebook contain."""
SHORTENED_PYTHON = f"""#!{sys.executable}
import runpy, sys

sys.argv, sys.path[0] = sys.argv[1:], {str(ROOT)!r}

from data_loader.texts import corpus
from trainer.own_hand import exam

corpus.CARRIERS = dict(list(corpus.CARRIERS.items())[::48])
exam.TEXTS_PER_PRIMER = exam.NUM_PRIMERS_TRIED = exam.NUM_SEEDS = 1
exam.NUM_EXAM_LINES, exam.TRIED_FRACTIONS, exam.DISCARDED_CER_INCREASE = 2, (1.0,), 1
size = "embedded_size=200" if "three" in sys.argv else "size=12"
sys.argv += ["-o", f"data_loader.args.dataset.args.{{size}}"]
sys.argv += ["-o", "trainer.args.steps_per_epoch=2", "-o", "trainer.args.precision=float32"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Stands in for Python: runs train.py for a few steps, and examines a hand by a few lines."""


def kinds(notebook):
    """Return the kinds of the outputs of each cell of code."""
    return [
        sorted({kind for output in cell.outputs for kind in output.get("data", ["text"])})
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_gives_outputs_of_the_kinds_that_it_stores(path, tmp_path, monkeypatch):
    for variable in ("TMPDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    stored = kinds(notebook)
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    setup.source += "\nDATA = Path('no database')"  # scores on IAM-OnDB take minutes
    (tmp_path / "python").write_text(SHORTENED_PYTHON)
    (tmp_path / "python").chmod(0o755)
    setup.source += f"\nsys.executable = {str(tmp_path / 'python')!r}"
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert kinds(notebook) == stored
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [str(output.get("text") or output["data"]) for output in outputs]
    for shown in SHOWN[path.stem]:
        assert any(shown in text for text in texts), shown
