"""The notebooks run from top to bottom, with outputs of the kinds that they store."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests import forked_script

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
        '["backward", "wide"]': '["wide"]',
        "steps_per_epoch=120": "steps_per_epoch=2 -o trainer.args.samples=0",
        "{args}.size=24": "{args}.size=4 -o trainer.args.precision=float32",
        "range(12)": "range(3)",
        "the pears are ripe, and the ladder stands in the garden.\\nYours, Martha": "pears",
    },
    "results": {
        "[0.0, 0.5, 1.0, 2.0], [1, 2, 3]": "[0.5, 2.0], [1, 2]",
        "[text] * 3": "[text] * 2",
        "range(3)": "range(2)",
        "max_steps=160": "max_steps=80",
        '["narrow", "slanted", "round"]': '["narrow"]',
    },
}
"""What is written in a notebook, and what takes less time."""
HERE = """
import contextlib, io, shlex

from apps.pages import hands

hands.NUM_LINES = 1

def run_here(command):
    from data_loader.synthetic.texts import corpus
    from apps.hand import exam
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


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_notebooks_run_and_give_outputs_of_the_kinds_that_they_store(tmp_path, monkeypatch):
    for variable in ("TMPDIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    with open(tmp_path / "out", "w+") as out:
        streams = {"stdout": out.fileno(), "stderr": out.fileno()}
        assert forked_script.run(__file__, **streams) == 0, (tmp_path / "out").read_text()


class Shell(InteractiveShell):
    """Runs cells, without windows."""

    def enable_gui(self, gui=None):
        pass


def main() -> None:
    """Run the notebooks in this process, as Jupyter runs them in one of its own."""
    shell = Shell.instance()
    outputs: list[dict[str, str]] = []
    shell.display_pub.publish = lambda data, *_, **__: outputs.append(data)
    shell.displayhook.write_format_data = lambda data, _: outputs.append(data)
    shell.displayhook.write_output_prompt = bool
    shell.run_cell("%matplotlib inline").raise_error()
    for path in NOTEBOOKS:
        cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        for long in SHORTER[path.stem]:
            assert any(long in cell.source for cell in cells), long
        shell.run_cell(f"%reset -f\nimport os\nos.chdir({str(path.parent)!r})").raise_error()
        shown = ""
        for number, cell in enumerate(cells):
            source = cell.source
            for long, short in SHORTER[path.stem].items():
                source = source.replace(long, short)
            outputs.clear()
            with redirect_stdout(io.StringIO()) as printed:
                shell.run_cell(source + HERE * (number == 0)).raise_error()
            stored = {kind for output in cell.outputs for kind in output.get("data", ["text"])}
            texts = ["text"] if printed.getvalue() else []
            kinds = {*texts, *(kind for data in outputs for kind in data)}
            assert kinds == stored, (source, kinds, stored)
            shown += f"{printed.getvalue()}{outputs}"
        assert all(text in shown for text in SHOWN[path.stem]), shown


if __name__ == "__main__":
    main()
