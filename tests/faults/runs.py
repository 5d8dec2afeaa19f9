"""What is run in a trial: trainings and uses of networks that last a fraction of a second, and what
they come to when nobody disturbs them."""

import hashlib
import json
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from data_loader import EmbeddedDataset
from ink.formats.inkml.lines import write_inkml
from tests import tiny_config
from tests.faults.disk import kill_at, note_calls
from tests.faults.trials import Task, once, run
from tests.tiny_config import changed

Config = dict[str, Any]

OFTEN_SAVED = {"trainer.args.monitor": "min valid_log_loss", "trainer.args.save_minutes": 0.0}
CONFIG = changed(tiny_config.CONFIG, OFTEN_SAVED)
TENSORBOARD = {"trainer.args.tensorboard": True}
WRITER: Config = {"arch.type": "SynthesisNetwork"}
READER: Config = {
    "arch": {"type": "CTCNetwork", "args": {"hidden_size": 6, "num_layers": 1, "channels": 6}},
    "loss.type": "CTCLoss",
    "metrics.0.type": "ErrorRates",
    "trainer.type": "RecognitionTrainer",
    "trainer.args.monitor": "min valid_cer",
}
KINDS: list[Config] = [
    {},
    TENSORBOARD,
    {"trainer.args.ema_decay": 0.8, "trainer.args.weight_noise": "fixed"},
    {"trainer.args.truncate": 5, "lr_scheduler": None, "trainer.args.keep_last": 1},
    {"trainer.args.save_minutes": 10.0},
    {"data_loader.args.num_workers": 2},
    {**WRITER, "trainer.args.samples": 1, **TENSORBOARD},
]
"""Of runs: what differs from the plain one."""
RUN, OUT = Path("saved/models/tiny/a"), Path("out")
TRAIN = ("train.py", "-c", "config.json", "--run-id", "a", "-d", "cpu")
RESUME = ("train.py", "-r", str(RUN), "-d", "cpu")
PICTURES = "--num-samples 2 --steps 9 --set inkml=yes --set show=window --output out"
COMMANDS = (
    f"write -r writer.pth --text ab {PICTURES} -d cpu",
    "write -r writer.pth --texts texts.txt --num-samples 3 --output out -d cpu",
    "export -r writer.pth out/mine.pth -d cpu",
    "evaluate -r writer.pth --output out -d cpu",
    "read -r reader.pth ink.inkml --output out -d cpu",
    "evaluate -r reader.pth --output out -d cpu",
    "style make --ink ink.inkml --name a --output out",
)
"""Uses of networks that write files."""
OVERWRITES_NONE = (COMMANDS[1], COMMANDS[-1])


def give_networks(epoch: int = 2) -> None:
    """Put networks after an epoch, ink, and an empty folder into the working directory."""
    for name, kind in {"writer": WRITER, "reader": READER}.items():
        whole = trained(changed(CONFIG, kind | {"trainer.args.keep_last": None}))
        shutil.copy(whole.folder / RUN / f"checkpoint-epoch{epoch}.pth", f"{name}.pth")
    line = EmbeddedDataset(**tiny_config.DATASET).load().used[0]
    write_inkml("ink.inkml", line.ink, line.text)
    Path("texts.txt").write_text("ab\na b\n", encoding="utf-8")
    OUT.mkdir(exist_ok=True)


def products(folder: Path) -> dict[str, bytes]:
    """Return the files under a final name, by path."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    final = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    return {str(path): (folder / path).read_bytes() for path in final}


class Whole(NamedTuple):
    """What nobody disturbed came to."""

    folder: Path  # that it ran in
    calls: list[str]  # on files, in their order: `KIND PATH`


def undisturbed(name: str, words: Sequence[str], prepare: Callable[[], object]) -> Whole:
    """Return what a program comes to, run once for all trials that name it; `prepare` puts the
    files that it needs into the working directory."""

    def make() -> list[str]:
        calls = Path.cwd().with_name("calls")  # beside the folder that is watched
        calls.unlink(missing_ok=True)
        prepare()
        status, output = run(words, note_calls(calls))
        assert status == 0 and "Traceback" not in output, f"undisturbed: {output}"
        return calls.read_text().splitlines()

    return Whole(*once(hashlib.sha256(name.encode()).hexdigest()[:16], make))


def trained(config: Config) -> Whole:
    """Return an uninterrupted run of a config; the config file is written here as well."""
    text = json.dumps(config)
    Path("config.json").write_text(text)
    return undisturbed(text, TRAIN, lambda: Path("config.json").write_text(text))


def training(rng: random.Random) -> Task:
    """A training by one of some configs."""
    return Task(TRAIN, trained(changed(CONFIG, rng.choice(KINDS))))


def resuming(rng: random.Random) -> Task:
    """A run that was stopped halfway goes on."""
    whole = trained(changed(CONFIG, rng.choice(KINDS)))
    config = Path("config.json").read_text()

    def stop() -> None:
        Path("config.json").write_text(config)
        hook = kill_at(len(whole.calls) // 2, signal.SIGTERM)
        assert run(TRAIN, hook).status == 143 and RUN.exists(), "it did not begin, or go on"

    halfway = once(f"stopped-{whole.folder.parent.name}", stop)[0] / "saved"
    give = partial(shutil.copytree, halfway, "saved")
    resumed = undisturbed(f"resumed {config}", RESUME, give)
    give()
    return Task(RESUME, Whole(whole.folder, resumed.calls))


def using(rng: random.Random) -> Task:
    """A command writes files, maybe over others."""
    command = rng.choice(COMMANDS)
    words = ("experiments.py", *command.split())
    whole = undisturbed(f"{command} 2", words, give_networks)
    give_networks()
    if rng.random() < 0.5 and command not in OVERWRITES_NONE:
        older = undisturbed(f"{command} 1", words, lambda: give_networks(1))
        shutil.copytree(older.folder / OUT, OUT, dirs_exist_ok=True)
    return Task(words, whole, products(OUT))
