"""What is run in a trial: trainings and uses of networks that last a fraction of a second, and what
they come to when nobody disturbs them."""

import hashlib
import json
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_loader import EmbeddedDataset
from tests import tiny_config
from tests.faults.disk import kill_at, note_calls
from tests.faults.trials import Program, Task, once, run
from tests.tiny_config import changed
from utils.page.inkml import write_inkml

Config = dict[str, Any]

CONFIG = changed(
    tiny_config.CONFIG,
    {"trainer.args.monitor": "min valid_log_loss", "trainer.args.save_minutes": 0.0},
)
SMALL = {"hidden_size": 6, "num_layers": 1}
READS = {
    "metrics.0.type": "ErrorRates",
    "trainer.type": "RecognitionTrainer",
    "trainer.args.monitor": "min valid_cer",
}
ATTENTION = {"dropout": 0.2, "decoder_size": 6, "attention_size": 6, "embedding_size": 4}
NETWORKS: dict[str, Config] = {
    "writer": {"arch.type": "SynthesisNetwork"},
    "drawer": {},
    "reader": {
        **{"arch.type": "CTCNetwork", "loss.type": "CTCLoss", **READS},
        "arch.args": SMALL | {"channels": 6},
    },
    "attentive": {
        **{"arch.type": "AttentionNetwork", "loss.type": "TranscriptionLoss", **READS},
        "arch.args": SMALL | {"channels": 6, "num_layers": 2} | ATTENTION,
    },
    "regression": {
        **{"arch.args": SMALL | {"head": "regression"}, "loss.type": "SquaredError"},
        "trainer.args.monitor": "min valid_squared_error",
    },
}
"""What a config of each kind of network changes in `CONFIG`."""
WRITER = NETWORKS["writer"]
TENSORBOARD = {"trainer.args.tensorboard": True}
WORKERS = {"data_loader.args.num_workers": 2}
RARELY_SAVED = {"trainer.args.save_minutes": 10.0}
KINDS: list[Config] = [
    {},
    TENSORBOARD,
    {"trainer.args.ema_decay": 0.8, "trainer.args.weight_noise": "fixed"},
    {"trainer.args.truncate": 5, "lr_scheduler": None, "trainer.args.keep_last": 1},
    RARELY_SAVED,
    WORKERS,
    {**WRITER, "trainer.args.samples": 1, **TENSORBOARD},
]
"""Of runs: what differs from the plain one."""
AUGMENTATION = [
    {"type": "InputNoise", "args": {"std": 0.1}},
    {"type": "Scale", "args": {"low": 0.9, "high": 1.1}},
    {"type": "Slant", "args": {"degrees": 10.0}},
]
OPTIMIZERS = [
    {"type": "GravesRMSprop", "args": {"lr": 0.003}},
    {"type": "AdamW", "args": {"lr": 0.003}},
    {"type": "SGD", "args": {"lr": 0.001, "momentum": 0.9}},
]
ONE_CYCLE = {"type": "OneCycleLR"}
BY_CHANCE: dict[str, Sequence[Any]] = {
    "trainer.args.epochs": [2, 3],
    "trainer.args.seed": range(1000),
    "trainer.args.save_minutes": [0.0, 10.0],
    "trainer.args.keep_last": [1, 3],
    "trainer.args.precision": ["float32", "float32", "bfloat16"],
    "trainer.args.clip_norm": [None, 0.5],
    "trainer.args.accumulate": [1, 1, 2],
    "trainer.args.ema_decay": [None, 0.8],
    "trainer.args.weight_noise": ["off", "fixed"],
    "trainer.args.truncate": [None, 5],
    "trainer.args.steps_per_epoch": [None, 4],
    "trainer.args.schedule_by": ["batch", "epoch"],
    "trainer.args.tensorboard": [True, *[False] * 4],
    "data_loader.args.batch_size": [1, 2, 3],
    "data_loader.args.num_workers": [0, 0, 0, 2],
    "optimizer": OPTIMIZERS,
    "lr_scheduler": [None, {"type": "CosineAnnealingLR"}, ONE_CYCLE],
}
RUN, OUT = Path("saved/models/tiny/a"), Path("out")
TRAIN = ("train.py", "-c", "config.json", "--run-id", "a", "-d", "cpu")
RESUME = ("train.py", "-r", str(RUN), "-d", "cpu")
PICTURES = "--num-samples 2 --steps 9 --set inkml=yes --set show=window --output out"
COMMANDS = {
    "draw": f"write -r writer.pth --text ab {PICTURES} -d cpu",
    "write a set": "write -r writer.pth --texts texts.txt --num-samples 3 --output out -d cpu",
    "export": "export -r writer.pth out/mine.pth -d cpu",
    "score": "evaluate -r writer.pth --output out -d cpu",
    "read": "read -r reader.pth ink.inkml --output out -d cpu",
    "score a reader": "evaluate -r reader.pth --output out -d cpu",
    "make a style": "style make --ink ink.inkml --name a --output out",
}
"""Uses of networks that write files."""
OVERWRITES_NONE = ("write a set", "make a style")


def one_of(*kinds: Config) -> Callable[[random.Random], Config]:
    """Return what chooses one of a few configs."""
    return lambda rng: changed(CONFIG, rng.choice(kinds))


def invented(rng: random.Random) -> Config:
    """Return a config with a network, and settings of training, by chance."""
    kind = NETWORKS[rng.choice(["drawer", "writer", "regression", "reader", "attentive"])]
    values = {key: rng.choice(values) for key, values in BY_CHANCE.items()}
    values["data_loader.args.augmentation"] = rng.sample(AUGMENTATION, rng.choice([0, 1, 2]))
    if "metrics.0.type" in kind:
        values["trainer.args.truncate"] = None
    if values["trainer.args.truncate"] and not values["trainer.args.steps_per_epoch"]:
        values["trainer.args.schedule_by"] = "epoch"  # of batches the number is not known
    if values["trainer.args.schedule_by"] == "epoch" and values["lr_scheduler"] == ONE_CYCLE:
        values["lr_scheduler"] = {"type": "ReduceLROnPlateau", "args": {"patience": 0}}
    return changed(CONFIG, kind | values)


def give_config(config: Config) -> None:
    """Write a config file."""
    Path("config.json").write_text(json.dumps(config), encoding="utf-8")


def give_networks(epoch: int = 2) -> None:
    """Put networks after an epoch, ink, and an empty folder into the working directory."""
    for name in ("writer", "reader"):
        whole = trained(changed(CONFIG, NETWORKS[name] | {"trainer.args.keep_last": None}))
        shutil.copy(whole.folder / RUN / f"checkpoint-epoch{epoch}.pth", f"{name}.pth")
    line = EmbeddedDataset(**tiny_config.DATASET).load().used[0]
    write_inkml("ink.inkml", line.ink, line.text)
    Path("texts.txt").write_text("ab\na b\n", encoding="utf-8")
    OUT.mkdir(exist_ok=True)


def products(folder: Path) -> dict[str, bytes]:
    """Return the files under a final name, by path."""
    tops = [*folder.glob("[!.]*")]
    paths = [path for top in tops for path in (top, *top.rglob("[!.]*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


class Whole(NamedTuple):
    """What nobody disturbed came to."""

    folder: Path  # that it ran in
    calls: list[str]  # on files, in their order: `KIND PATH`
    seconds: float  # of processor time


def undisturbed(name: str, words: Sequence[str], prepare: Callable[[], object]) -> Whole:
    """Return what a program comes to, run once for all trials that name it; `prepare` puts the
    files that it needs into the working directory."""

    def make() -> tuple[list[str], float]:
        calls = Path.cwd().with_name("calls")  # beside the folder that is watched
        calls.unlink(missing_ok=True)
        prepare()
        program, seconds = Program(words, note_calls(calls)), [0.0]
        program.wait_for(lambda: seconds.append(program.seconds()))
        status, output = program.wait()
        assert status == 0 and "Traceback" not in output, f"undisturbed: {output}"
        return calls.read_text().splitlines(), max(seconds)

    folder, (calls, seconds) = once(name, make)
    return Whole(folder, calls, seconds)


def trained(config: Config) -> Whole:
    """Return an uninterrupted run of a config; the config file is written here as well."""
    give_config(config)
    key = hashlib.sha256(json.dumps(config).encode()).hexdigest()[:16]
    return undisturbed(f"run-{key}", TRAIN, lambda: give_config(config))


# Tasks.


def training(configs: Callable[[random.Random], Config]) -> Callable[[random.Random], Task]:
    """Return the task of training by one of some configs."""
    return lambda rng: Task(TRAIN, trained(configs(rng)))


def resuming(rng: random.Random) -> Task:
    """A run that was stopped halfway goes on."""
    whole = trained(one_of(*KINDS)(rng))
    config, name = Path("config.json").read_text(), whole.folder.parent.name

    def stop() -> None:
        Path("config.json").write_text(config)
        hook = kill_at(len(whole.calls) // 2, after=False, signals=(signal.SIGTERM,))
        assert run(TRAIN, hook).status == 143 and RUN.exists(), "it did not begin, or go on"

    halfway = once(f"stopped-{name}", stop)[0] / "saved"
    resumed = undisturbed(f"resumed-{name}", RESUME, lambda: shutil.copytree(halfway, "saved"))
    shutil.copytree(halfway, "saved")
    return Task(RESUME, whole._replace(calls=resumed.calls))


def command(what: str) -> Task:
    """A command writes into an empty folder."""
    words = ("experiments.py", *COMMANDS[what].split())
    whole = undisturbed(f"{what}-2", words, give_networks)
    give_networks()
    return Task(words, whole, {})


def any_command(rng: random.Random) -> Task:
    """A command draws, writes a set, exports, scores, reads or makes a style, maybe over older
    files."""
    what = rng.choice(list(COMMANDS))
    task = command(what)
    if rng.random() < 0.5 and what not in OVERWRITES_NONE:
        older = undisturbed(f"{what}-1", task.words, lambda: give_networks(1))
        shutil.copytree(older.folder / OUT, OUT, dirs_exist_ok=True)
    return task._replace(before=products(OUT))
