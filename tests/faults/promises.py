"""What must hold after a fault: of a task, and of how its program ended."""

import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from base.checkpoint import BEST, checkpoints, load_checkpoint
from tests.faults.runs import OUT, RESUME, RUN, TRAIN, Whole, products
from tests.faults.trials import Done, Task, run
from tests.same_run import differences, rows_of


def no_traceback(task: Task, done: Done) -> None:
    """A person can read what was printed."""
    assert "Traceback (most" not in done.output, f"a traceback: {done.output[-200:].strip()!a}"


def ends_well(task: Task, done: Done) -> None:
    """It did what it was asked for."""
    no_traceback(task, done)
    assert done.status == 0, f"it ended with {done.status}: {last_line(done)}"


def last_line(done: Done) -> str:
    """Return the last line that a program printed, or its error."""
    lines = [line for line in re.split(r"[\r\n]+", done.output) if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or ["nothing was printed"])[-1][:300]


def tidy(task: Task, done: Done) -> None:
    """No temporary file is left."""
    left = sorted(str(path) for path in Path().rglob("*.tmp"))
    assert not left, f"temporary files are left: {', '.join(left)}"


def check_table(path: Path) -> None:
    rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert len({len(row) for row in rows}) == 1, "rows of several lengths"


READERS = {
    ".pth": load_checkpoint,
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    ".csv": check_table,
    ".png": lambda path: Image.open(path).load(),
    ".svg": ElementTree.parse,
    ".inkml": ElementTree.parse,
}


def whole(task: Task, done: Done) -> None:
    """All files under a final name are whole."""
    for path in sorted(Path().rglob("[!.]*.*")):
        try:
            READERS.get(path.suffix, bool)(path)
        except Exception as error:
            raise AssertionError(f"{path} is not whole: {error}") from None


# Of a training.


def saved(task: Task, done: Done) -> None:
    """What it said it had saved, or something newer, is there."""
    said = re.findall(r"saved \S+/checkpoint-epoch(\d+)(?:-step(\d+))?\.pth", done.output)
    if said:
        epoch, step = (int(number or 0) for number in said[-1])
        newest = load_checkpoint(next(iter(checkpoints(RUN))))
        complete = epoch - bool(step)  # a name with a step is of the epoch under way
        kept = newest["epoch"] >= complete and newest["step"] >= step
        assert kept, f"epoch {epoch}, step {step} was saved, and epoch {newest['epoch']} is there"


def check_same(undisturbed: Whole, run: Path = RUN) -> None:
    """Check that a run came to what the undisturbed one came to, bit for bit."""
    other = undisturbed.folder / RUN
    newest = checkpoints(other)[0].name
    assert [path.name for path in checkpoints(run)[:1]] == [newest], f"{newest} is not the newest"
    for name in (newest, BEST):
        if (other / name).exists():
            assert (run / name).exists(), f"{name} is missing"
            places = differences(load_checkpoint(other / name), load_checkpoint(run / name))
            assert not places, f"{name} differs from the undisturbed run's in {places[:3]}"
    same = rows_of(other / "metrics.csv") == rows_of(run / "metrics.csv")
    assert same, "metrics.csv differs from the undisturbed run's"


def resumes(task: Task, done: Done) -> None:
    """It goes on, as a person would, with the result of an undisturbed run."""
    if done.status == 0:
        check_same(task.whole)
    done = run(RESUME if RUN.exists() else TRAIN)
    if done.status == 2 and f"-c CONFIG --run-id {RUN.name}" in done.output:  # as it says
        done = run(TRAIN)
    ends_well(task, done)
    check_same(task.whole)
    whole(task, done)
    tidy(task, done)


RESUMES = (whole, saved, resumes)


# Of a command.


def old_or_new(task: Task, done: Done) -> None:
    """Each file is what it was before, or what it becomes; all are new if it ended well."""
    now, after = products(OUT), products(task.whole.folder / OUT)
    gone = task.before.keys() - now.keys()
    assert not gone, f"{gone} was there before and is gone"
    odd = [name for name in now if now[name] not in (task.before.get(name), after.get(name))]
    assert not odd, f"{odd} is neither what was there nor what was to be written"
    if done.status == 0:
        all_new(task, done)


def all_new(task: Task, done: Done) -> None:
    """All is there that comes of it undisturbed."""
    now, after = products(OUT), products(task.whole.folder / OUT)
    different = [name for name in after if now.get(name) != after[name]]
    assert not different, f"{different} is another than undisturbed"


def repeats(task: Task, done: Done) -> None:
    """The same in peace comes to the same."""
    Path("out/a.json").unlink(missing_ok=True)  # A style is not overwritten.
    done = run(task.words)
    ends_well(task, done)
    all_new(task, done)


REPEATS = (whole, old_or_new, repeats)
