"""A run of the real scripts small enough to last a fraction of a second."""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PIL import Image

from base.checkpoint import BEST, checkpoints, load_checkpoint
from data_loader import EmbeddedDataset
from tests import tiny_config
from tests.campaign.disk import count
from tests.campaign.frame import Done, Failed, Process, demand, once, run
from tests.same_run import differences, rows_of
from tests.tiny_config import changed

CONFIG = changed(
    tiny_config.CONFIG,
    {"trainer.args.monitor": "min valid_log_loss", "trainer.args.save_minutes": 0.0},
)
WRITER = {"arch.type": "SynthesisNetwork"}
"""Makes the network one that writes texts,"""
REGRESSION = {
    "arch.args": {"hidden_size": 6, "num_layers": 1, "head": "regression"},
    "loss": {"type": "SquaredError"},
    "trainer.args.monitor": "min valid_squared_error",
}
"""one that predicts points,"""
_READS = {
    "metrics": [{"type": "ErrorRates"}],
    "trainer.type": "RecognitionTrainer",
    "trainer.args.monitor": "min valid_cer",
}
READER = {
    "arch": {"type": "CTCNetwork", "args": {"hidden_size": 6, "channels": 6, "num_layers": 1}},
    "loss": {"type": "CTCLoss"},
    **_READS,
}
"""one that reads,"""
ATTENTIVE = {
    "arch": {
        "type": "AttentionNetwork",
        "args": {
            **{"hidden_size": 6, "channels": 6, "num_layers": 2, "dropout": 0.2},
            **{"decoder_size": 6, "attention_size": 6, "embedding_size": 4},
        },
    },
    "loss": {"type": "TranscriptionLoss"},
    **_READS,
}
"""and one that reads with attention."""
RUN = Path("saved/models/tiny/a")
TRAIN = ("train.py", "-c", "config.json", "--run-id", "a", "-d", "cpu")


def write(path: Path, config: dict[str, Any]) -> None:
    """Write a config file."""
    path.write_text(json.dumps(config), encoding="utf-8")


def warm_up(folder: Path) -> list[list[str]]:
    """Return runs of the program that need all that it ever imports; their files go to `folder`.

    What the embedded data keeps of its fonts is made here, for all processes forked from this one.
    """
    EmbeddedDataset(**tiny_config.DATASET).load()
    writer = changed(CONFIG, WRITER | {"trainer.args.tensorboard": True, "trainer.args.samples": 1})
    write(folder / "config.json", writer)
    use = ["-r", str(RUN), "-d", "cpu"]
    picture = ("--show", "window", "--set", "inkml=yes")
    return [
        list(TRAIN),
        ["experiments.py", "write", *use, "--text", "ab", "--steps", "9", *picture],
        ["experiments.py", "evaluate", *use],
    ]


@dataclass(frozen=True)
class Whole:
    """What nobody disturbed came to.

    Attributes:
        folder: that it ran in.
        calls: on files, in their order: `KIND PATH`.
        seconds: of processor time.
    """

    folder: Path
    calls: list[str]
    seconds: float


def undisturbed(name: str, words: Sequence[str], prepare: Callable[[], object]) -> Whole:
    """Return what a run of the program comes to, made once for all trials that name it.

    Args:
        name: of the run.
        words: of the program.
        prepare: puts the files that it needs into the working directory.
    """

    def make() -> tuple[list[str], float]:
        calls = Path.cwd().with_name("calls")  # beside the folder that is watched
        calls.unlink(missing_ok=True)
        prepare()
        process = Process(words, hook=count(calls))
        seconds = seconds_of(process)
        check_went_well(process.wait(), "undisturbed")
        return calls.read_text().splitlines(), seconds

    folder, (calls, seconds) = once(name, make)
    return Whole(folder, calls, seconds)


def trained(config: dict[str, Any]) -> Whole:
    """Return an uninterrupted run of a config; the config file is written here as well."""
    write(Path("config.json"), config)
    key = hashlib.sha256(json.dumps(config).encode()).hexdigest()[:16]
    return undisturbed(f"run-{key}", TRAIN, lambda: write(Path("config.json"), config))


def seconds_of(process: Process) -> float:
    """Wait for the end of a program, and return the processor time that it took."""
    used = 0.0

    def grown() -> bool:
        nonlocal used
        used = max(used, process.seconds())
        return False

    process.wait_for(grown)
    return used


def start_up(script: str = "train.py") -> float:
    """Return the processor time that a new interpreter takes to import all that a script needs."""
    name = f"start-up-{script}"
    return once(name, lambda: seconds_of(Process([script, "--help"], fresh=True)))[1]


def last_line(done: Done) -> str:
    """Return the last line that a program printed, or its error."""
    lines = [line for line in re.split(r"[\r\n]+", done.output) if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or ["nothing was printed"])[-1][:300]


# What is promised.


def check_whole(folder: Path) -> None:
    """Demand that all files under a final name are whole."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name.startswith("."):
            continue
        try:
            match path.suffix:
                case ".pth":
                    load_checkpoint(path)
                case ".json":
                    json.loads(path.read_text(encoding="utf-8"))
                case ".csv":
                    with open(path, encoding="utf-8", newline="") as file:
                        read = list(csv.reader(file))
                    assert len({len(row) for row in read}) == 1, "rows of several lengths"
                case ".png":
                    with Image.open(path) as picture:
                        picture.load()
                case ".svg" | ".inkml":
                    ElementTree.parse(path)
        except Exception as error:
            raise Failed(f"{path} is not whole: {error}") from None


def check_told(done: Done) -> None:
    """Demand that what a run said it had saved, or something newer, is there."""
    said = re.findall(r"saved \S+/checkpoint-epoch(\d+)(?:-step(\d+))?\.pth", done.output)
    if said:
        epoch, step = (int(number or 0) for number in said[-1])
        complete = epoch - bool(said[-1][1])  # a name with a step is of the epoch under way
        there = checkpoints(RUN)
        demand(there, "something was saved, and no checkpoint is there")
        newest = load_checkpoint(there[0])
        kept = newest["epoch"] >= complete and newest["step"] >= step
        demand(kept, f"epoch {epoch}, step {step} was saved, and {there[0].name} is the newest")


def check_no_traceback(done: Done) -> None:
    """Demand that a person can read what was printed."""
    demand("Traceback" not in done.output, f"a traceback: {done.output.strip()[-200:]}")


def check_went_well(done: Done, what: str) -> None:
    """Demand that a program did what it was asked for."""
    check_no_traceback(done)
    demand(done.status == 0, f"{what}: it ended with {done.status}: {last_line(done)}")


def check_tidy(folder: Path) -> None:
    """Demand that no temporary file is left."""
    left = [str(path.relative_to(folder)) for path in folder.rglob("*.tmp")]
    demand(not left, f"temporary files are left: {', '.join(left)}")


def check_same(whole: Whole, run: Path = RUN) -> None:
    """Demand that a run came to what the uninterrupted one came to, bit for bit."""
    other = whole.folder / RUN
    (first, *_), there = checkpoints(other), checkpoints(run)
    demand(there and there[0].name == first.name, f"{first.name} is not the newest checkpoint")
    for name in (first.name, *([BEST] if (other / BEST).exists() else [])):
        demand((run / name).exists(), f"{name} is missing")
        places = differences(load_checkpoint(other / name), load_checkpoint(run / name))
        # What a run may have been stopped by stands in its config.
        places = [place for place in places if not place.endswith(".time_limit_minutes")]
        demand(not places, f"{name} differs from the uninterrupted run's in {places[:3]}")
    same = rows_of(other / "metrics.csv") == rows_of(run / "metrics.csv")
    demand(same, "metrics.csv differs from the uninterrupted run's")


def next_words() -> list[str]:
    """Return the command that resumes a run, or starts it if nothing of it exists."""
    return ["train.py", "-r", str(RUN), "-d", "cpu"] if RUN.exists() else list(TRAIN)


def go_on(*more: str) -> Done:
    """Go on with a run as a person would, to its end, and return how it ended.

    Args:
        more: options.

    Raises:
        Failed: if there is no way to.
    """
    done = run([*next_words(), *more])
    if done.status == 2 and f"-c CONFIG --run-id {RUN.name}" in done.output:  # as it says
        done = run([*TRAIN, *more])
    check_went_well(done, "resumed")
    return done


def check_finished(whole: Whole, run: Path = RUN) -> None:
    """Demand that a run came to what the uninterrupted one came to, and left nothing else."""
    check_same(whole, run)
    check_whole(Path("saved"))
    check_tidy(Path.cwd())


def check_resumes(whole: Whole) -> None:
    """Demand that a run resumes, with the result of an undisturbed one."""
    go_on()
    check_finished(whole)
