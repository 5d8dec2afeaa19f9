"""The notebooks run from top to bottom, with outputs of the kinds that they store."""

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
SHORTER = {
    "examples": {
        "size=10, ": "size=4, max_characters=16, ",
        "embedded_size=2000": "embedded_size=200",
        "steps_per_epoch=120": "steps_per_epoch=2 -o trainer.args.precision=float32",
        "{args}.size=24": "{args}.size=4 -o trainer.args.precision=float32",
        "range(12)": "range(3)",
        "the pears are ripe, and the ladder stands in the garden.": "the pears are ripe.",
    },
    "results": {
        "[0.0, 0.5, 1.0, 2.0], [1, 2, 3]": "[0.5, 2.0], [1, 2]",
        "[text] * 3": "[text] * 2",
        "range(3)": "range(2)",
        "max_steps=160": "max_steps=80",
        '["narrow", "slanted", "round"]': '["narrow", "slanted"]',
    },
}
"""What is written in a notebook, and what takes less time."""
HERE = """
import contextlib, io, shlex

from handwriting import hands

hands.NUM_LINES = 1

def run_here(command):
    from data_loader.texts import corpus
    from trainer.own_hand import exam
    import train

    corpus.CARRIERS = dict(list(corpus.CARRIERS.items())[:2])
    exam.TEXTS_PER_PRIMER = exam.NUM_PRIMERS_TRIED = exam.NUM_SEEDS = exam.NUM_EXAM_LINES = 1
    exam.TRIED_FRACTIONS, exam.DISCARDED_CER_INCREASE = (1.0,), 1
    command = get_ipython().var_expand(command, depth=1)
    command, _, shown = command.partition(" 2>&1 | grep ")
    python, script, *words = shlex.split(command)
    assert (python, script) == (sys.executable, train.__file__)
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        assert train.main(words) == 0, said.getvalue()
    print(*(line for line in said.getvalue().splitlines() if shown.strip('"^') in line), sep="\\n")

get_ipython().system = run_here
DATA = Path("no database")  # scores on IAM-OnDB take minutes
"""
"""Stands behind a notebook's first cell of code: a training is one in the notebook's own process,
which has imported everything already, and a hand is measured and examined by a few lines."""


def kinds(notebook):
    """Return the kinds of the outputs of each cell of code."""
    return [
        sorted({kind for output in cell.outputs for kind in output.get("data", ["text"])})
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
def test_the_notebooks_run_and_give_outputs_of_the_kinds_that_they_store(tmp_path, monkeypatch):
    for variable in ("TMPDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    notebooks = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
    stored = {name: kinds(notebook) for name, notebook in notebooks.items()}
    for name, notebook in notebooks.items():
        setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
        folder = str(NOTEBOOKS[0].parent)
        setup.source = f"%reset -f\nimport os\nos.chdir({folder!r})\n{setup.source}\n{HERE}"
        for long, short in SHORTER[name].items():
            assert any(long in cell.source for cell in notebook.cells), long
            for cell in notebook.cells:
                cell.source = cell.source.replace(long, short)
    # One process runs both: it imports everything once.
    cells = [cell for notebook in notebooks.values() for cell in notebook.cells]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    both = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(both, startup_timeout=600).execute()
    assert {name: kinds(notebook) for name, notebook in notebooks.items()} == stored
    for name, notebook in notebooks.items():
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        texts = [str(output.get("text") or output["data"]) for output in outputs]
        for shown in SHOWN[name]:
            assert any(shown in text for text in texts), shown
