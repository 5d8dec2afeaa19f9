"""A signal while what was learned of a hand is saved: the program finishes as it says."""

import random
import shlex
from pathlib import Path

from base.checkpoint import load_checkpoint
from data_loader import EmbeddedDataset
from model import load
from tests import tiny_config
from tests.campaign import use
from tests.campaign.frame import Family, demand, run
from tests.campaign.interruptions import signalled_late
from tests.campaign.tiny import (
    CONFIG,
    RUN,
    TRAIN,
    WRITER,
    changed,
    check_tidy,
    check_went_well,
    check_whole,
    undisturbed,
    write,
)
from tests.data_loader import ink_formats
from tests.same_run import differences
from trainer.own_hand import HandDataset, dataset, exam
from utils.ink import strokes

LEARN = [*TRAIN, "-r", "writer.pth"]


def give_hand() -> None:
    """Put a network, and lines of a hand for it, into the working directory."""
    use.give()
    loaded = EmbeddedDataset(**tiny_config.DATASET).load(["train"])
    lines = [(line.text, strokes(line.ink)) for line in loaded.split("train")]
    Path("hand.json").write_bytes(ink_formats.own(lines))
    hand = {"type": "HandDataset", "args": {"root": "hand.json", "size": 4}}
    learning = {"data_loader.args.dataset": hand, "trainer.type": "OwnHandTrainer"}
    write(Path("config.json"), changed(CONFIG, WRITER | learning))


def without_reader() -> None:
    """Let a tiny network, which nobody can read, learn a hand in the programs of this trial."""
    exam.load_pair = dataset.load_pair = lambda path, device: (load(path, str(device)), None)
    HandDataset._adapt = lambda _, lines, *__: ([line.name for line in lines], [], False, 10.0, 2.0)
    exam.best_primer = lambda *_: 0
    exam.Exam.score = lambda *_: (set(), [], 0.0)


def in_exam(rng: random.Random, folder: Path) -> None:
    """Send a signal while what was learned of a hand is saved, and finish as the program says."""
    without_reader()
    whole = undisturbed("hand", LEARN, give_hand)
    give_hand()
    done = signalled_late(LEARN, rng, whole, ".hand.")
    check_whole(RUN)
    said = [line for line in done.output.splitlines() if line.startswith("to ")]
    demand(said == [f"to finish: python train.py -r {RUN}"], f"instead of how to finish: {said}")
    check_went_well(run(shlex.split(said[0])[3:]), "finished")
    first, second = whole.folder / RUN, RUN
    places = differences(*(load_checkpoint(one / exam.HAND_FILE) for one in (first, second)))
    demand(not places, f"{exam.HAND_FILE} differs from the undisturbed one in {places[:3]}")
    same = (first / exam.SAMPLE_FILE).read_bytes() == (second / exam.SAMPLE_FILE).read_bytes()
    demand(same, f"{exam.SAMPLE_FILE} is another than undisturbed")
    check_tidy(folder)


FAMILIES = [Family("late signals in the exam of a hand", 15, in_exam)]
