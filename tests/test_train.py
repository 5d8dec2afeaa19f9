"""The training script as a person uses it."""

import json
import os
import re
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import train
from base.base_trainer import BaseTrainer
from base.config import user_modules
from base.run.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from base.run.run_folder import RunFolder
from commands.train import options as train_options
from commands.train import sweep
from data_loader import HandwritingDataLoader
from tests.same_run import differences, rows_of
from tests.tiny_config import CONFIG, changed
from utils.checks import UserError
from utils.licences import OPEN, RESEARCH_ONLY

ROOT = Path(__file__).parents[1]
MODELS = Path("saved/models/tiny")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("logging_restored")]


def run(*words: str) -> int:
    return train.main(["-d", "cpu", *words])


def same(first, second) -> bool:
    first, second = (load_checkpoint(path)["state_dict"] for path in (first, second))
    return all(torch.equal(first[name], second[name]) for name in first)


def refused(capsys, *words: str) -> str:
    """Run what must fail for the user's reasons, and return the message."""
    there = Path("saved").exists()
    assert run(*words) == 2
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    assert there or not Path("saved").exists()
    # The last of a bar is overwritten on a terminal.
    message = re.split(r"[\r\n](?=error: )", "\n" + printed.err)[-1]
    assert message.startswith("error: ")
    return message


def test_a_run_leaves_the_files_that_the_readme_names(workplace, capsys):
    assert run("-c", "config.json", "--run-id", "a") == 0
    printed = capsys.readouterr().out
    assert "  train        6 lines" in printed and "epoch 2/2" in printed
    assert "to use it: python experiments.py write -r saved/models/tiny/a" in printed
    assert {path.name for path in (MODELS / "a").iterdir()} - {"checkout.diff"} == {
        *("checkpoint-epoch2.pth", "model_best.pth"),
        *("config.json", "run.json", "metrics.csv", "train.log", "run.lock"),
        "packages.txt",
    }
    assert Path("saved/log/tiny/a").is_dir()
    checkpoint = load_checkpoint(MODELS / "a" / "checkpoint-epoch2.pth")
    assert checkpoint["config"] == CONFIG and checkpoint["alphabet"] is None
    assert checkpoint["licence"] == OPEN
    for name in ("fingerprints", "ink_sums"):
        assert checkpoint["dataset"].pop(name).keys() == {"train", "valid", "test"}
    assert checkpoint["dataset"] == {"canonical": None, "quantisation_step": None}
    assert len(checkpoint["normalisation"]["std"]) == 2


PARTS = """
from dataclasses import dataclass
from data_loader import HandwritingDataLoader
from trainer.generation_trainer import GenerationTrainer, GenerationTrainingSettings

@dataclass(kw_only=True, eq=False)
class Loader(HandwritingDataLoader):
    bucket: int = 4
    batch_size: int = 2

class Trainer(GenerationTrainer):
    def __init__(self, parts, *, settings: GenerationTrainingSettings):
        super().__init__(parts, settings=settings)
"""


def test_the_config_of_a_run_trains_the_same_again(workplace, no_modules):
    """It has all defaults, also those of a user's class; another seed gives others."""
    Path("my_parts.py").write_text(PARTS)
    changes = {"data_loader.type": "Loader", "data_loader.args.batch_size": ...}
    changes |= {"optimizer": {"type": "Adam"}, "trainer.type": "Trainer"}
    config = changed(CONFIG, changes)
    Path("config.json").write_text(json.dumps(config))
    words = ["--module", "my_parts.py", "--run-id"]
    assert run("-c", "config.json", *words, "a", "--lr", "0.01") == 0
    kept = json.loads((MODELS / "a" / "config.json").read_text())
    assert kept["optimizer"]["args"].items() >= {"lr": 0.01, "betas": [0.9, 0.999]}.items()
    assert "max_lr" not in kept["lr_scheduler"]["args"]  # which follows from lr
    defaults = {"bucket": 4, "batch_size": 2, "num_workers": 0}
    assert kept["data_loader"]["args"].items() >= defaults.items()
    assert kept["trainer"]["args"]["clip_norm"] is None
    assert kept["trainer"]["args"]["monitor"] == "min valid_log_loss"
    again = ["-c", str(MODELS / "a" / "config.json"), *words]
    assert run(*again, "b") == run(*again, "c", "-o", "trainer.args.seed=5") == 0
    last = [MODELS / run_id / "checkpoint-epoch2.pth" for run_id in "abc"]
    assert same(last[0], last[1]) and not same(last[0], last[2])
    assert rows_of(MODELS / "a" / "metrics.csv") == rows_of(MODELS / "b" / "metrics.csv")
    assert json.loads((MODELS / "b" / "config.json").read_text()) == kept
    again = ["-c", "config.json", *words, "a", "--lr", "0.01", "--start-or-resume", "-o"]
    assert run(*again, "data_loader.args.bucket=4") == 0
    assert run(*again, "data_loader.args.bucket=5") == 2


def test_a_resumed_run_keeps_its_arguments_when_the_default_of_a_class_changes(
    workplace, monkeypatch
):
    made, limit = [], "trainer.args.time_limit_minutes"

    def use(default):
        @dataclass(kw_only=True, eq=False)
        class Loader(HandwritingDataLoader):
            bucket: int = default

            def __post_init__(self):
                super().__post_init__()
                made.append(self.bucket)

        monkeypatch.setattr(user_modules, "classes", lambda: [Loader])

    use(4)
    new = ["-c", "config.json", "-o", "data_loader.type=Loader", "--run-id"]
    assert run(*new, "a", "-o", f"{limit}=0") == 0 and {*made} == {4}
    made.clear()
    use(1)
    assert run("-r", str(MODELS / "a"), "-o", f"{limit}=null") == 0 and {*made} == {4}
    kept = json.loads((MODELS / "a" / "config.json").read_text())
    assert kept["data_loader"]["args"]["bucket"] == 4
    assert run(*new, "a", "--start-or-resume") == 2


MINE = """
from dataclasses import replace
from trainer.generation_trainer import GenerationTrainer, GenerationTrainingSettings

class Mine(GenerationTrainer):
    def __init__(self, parts, *, settings: GenerationTrainingSettings):
"""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "settings=replace(settings, clip_norm=1.0)",
            "clip_norm = null: Mine gives its base 1.0: make it the default in settings of its own",
        ),
        ("", 'trainer.type = "Mine": its constructor ended in TypeError'),
    ],
)
def test_a_trainer_must_hand_on_its_settings(workplace, no_modules, capsys, call, message):
    Path("my_trainer.py").write_text(MINE + f"        super().__init__(parts, {call})\n")
    words = ["-c", "config.json", "--module", "my_trainer.py", "-o", "trainer.type=Mine"]
    assert message in refused(capsys, *words)


GROWING = """
import torch
from trainer.generation_trainer import GenerationTrainer, GenerationTrainingSettings

class Queue:
    def __init__(self):
        self.rows = torch.zeros(1, 2)
    def state_dict(self):
        return {"rows": self.rows}
    def load_state_dict(self, state):
        self.rows.copy_(state["rows"])

class Mine(GenerationTrainer):
    def __init__(self, parts, *, settings: GenerationTrainingSettings):
        super().__init__(parts, settings=settings)
        self.queue = self.keep("queue", Queue())
    def on_epoch(self, epoch):
        if self.progress.step > 4:
            self.queue.rows = torch.ones(3, 2)
"""


@pytest.mark.parametrize(
    ("line", "instead", "status", "message"),
    [
        (
            *(
                "",
                "",
                1,
                "tiny/b/checkpoint-epoch4.pth cannot be resumed: RuntimeError: output with",
            ),
        ),
        (
            *('.copy_(state["rows"])', '[:] = state["rows"][0]', 0),
            "a resumed run would not have these values, as load_state_dict drops them: queue.rows",
        ),
        (
            *('{"rows": self.rows}', '{"rows": self.rows.reshape(1, 2)}', 2),
            'trainer = "Mine": one whose run works from its start to its end: trying it ended in '
            "RuntimeError: shape",
        ),
    ],
    ids=["fails", "drops", "has none"],
)
def test_a_state_that_can_later_not_be_saved_or_restored_is_named(
    workplace, no_modules, capsys, line, instead, status, message
):
    """Of a part of a user that changes after the trial."""
    Path("my_trainer.py").write_text(GROWING.replace(line, instead) if line else GROWING)
    words = ["-c", "config.json", "--module", "my_trainer.py", "-o", "trainer.type=Mine"]
    schedule = ["-o", "lr_scheduler=null"]
    assert run(*words, *schedule, "--epochs", "1", "--run-id", "a") == 0
    capsys.readouterr()
    assert run(*words, *schedule, "--epochs", "4", "--run-id", "b") == status
    printed = capsys.readouterr().err
    assert message in printed
    assert "my_trainer.py, line " in printed or not status


def test_start_or_resume_starts_a_run_and_then_resumes_it_until_it_is_finished(workplace, capsys):
    """One command, again and again, wherever what it writes lies."""
    schedule = ["-o", "lr_scheduler=null"]
    again = ["-c", "config.json", *schedule, "--start-or-resume", "--saved", "there/s", "--run-id"]
    folder = Path("there/s/models/tiny")
    assert run(*again, "whole") == 0
    assert run(*again, "a", "-o", "trainer.args.time_limit_minutes=0.0") == 0
    assert [path.name for path in checkpoints(folder / "a")] == ["checkpoint-epoch1-step1.pth"]
    assert run(*again, "a") == 0
    ends = [load_checkpoint(folder / run_id / "checkpoint-epoch2.pth") for run_id in ("a", "whole")]
    assert not [place for place in differences(*ends) if "time_limit" not in place]
    assert rows_of(folder / "a" / "metrics.csv") == rows_of(folder / "whole" / "metrics.csv")
    capsys.readouterr()
    assert run(*again, "a") == 0 and "tiny/a is finished" in capsys.readouterr().out
    assert run(*again, "a", "--epochs", "3", "-o", "trainer.args.clip_norm=null") == 0
    assert load_checkpoint(folder / "a" / "checkpoint-epoch3.pth")["epoch"] == 3
    assert run(*again, "a", "--lr", "0.1") == 2
    message = capsys.readouterr().err
    assert "--lr: optimizer.args.lr = 0.1: the run has 0.003" in message
    assert "trainer.args.epochs = 2: the run has 3" in message
    assert not Path("saved").exists() and Path("there/s/log/tiny/a").is_dir()
    for words in ((), ("-r", str(folder / "a"))):  # but for that option an existing run is refused
        message = refused(capsys, *again[:4], *again[5:], "a", *words)
        assert "'a' exists already" in message and "-r there/s/models/tiny/a" in message


# Help and errors.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "3"], "-c CONFIG or -r CHECKPOINT is needed"),
        (["--epohcs=3"], "unrecognized arguments: --epohcs=3"),
        (["-c", "x", "-d", "gpu"], "-d/--device: device 'gpu': auto, cpu, cuda, cuda:N or mps is"),
        (["-c", "x", "-o", "trainer"], "-o/--override: -o 'trainer' is not KEY=VALUE"),
        (["-r", "digits"], "digits.pth: contains no training state"),
        (["-c", "config.json", "--start-or-resume"], "is for -c CONFIG and --run-id ID"),
        (["-c", "config.json", "--saved", "config.json"], "config.json/models: cannot be written"),
        (["-c", "config.json", "--data", "x"], "the config's dataset is not read from files"),
        (["-c", "x", "--prepare", "--sweep", "a=1,2"], "--prepare is for one run"),
    ],
)
def test_wrong_options_are_reported_in_a_line(workplace, capsys, words, message):
    refusal = refused(capsys, *words)
    assert message in refusal and refusal.count("\n") == 1


# Going on.


def test_a_finished_run_goes_on_when_it_is_given_more_epochs(workplace, capsys):
    schedule = ["-o", "lr_scheduler=null"]
    assert run("-c", "config.json", "--run-id", "a", *schedule, "--epochs", "4") == 0
    assert run("-c", "config.json", "--run-id", "b", *schedule) == 0
    assert run("-r", str(MODELS / "b"), "--epochs", "4") == 0
    assert same(*(MODELS / run_id / "checkpoint-epoch4.pth" for run_id in "ab"))
    assert [row["epoch"] for row in rows_of(MODELS / "b" / "metrics.csv")] == list("1234")
    elsewhere = refused(capsys, "-r", str(MODELS / "b"), "--saved", "there")
    assert "--saved is for a new run: saved/models/tiny/b goes on where it is" in elsewhere
    starts = json.loads((MODELS / "b" / "run.json").read_text())["runs"]
    assert starts[1]["resumed_from"] == "saved/models/tiny/b/checkpoint-epoch2.pth"
    capsys.readouterr()
    assert run("-r", str(MODELS / "b")) == 0  # nothing is left to do
    assert "finished after epoch 4" in capsys.readouterr().out


def test_a_copied_run_goes_on_as_a_new_run_and_says_where(workplace, capsys):
    assert run("-c", "config.json", "--run-id", "a", "-o", "lr_scheduler=null") == 0
    shutil.copytree(MODELS / "a", "copy")
    capsys.readouterr()
    assert run("-r", "copy", "--run-id", "b", "--epochs", "3") == 0
    before, marker, _ = capsys.readouterr().out.partition(
        f"copy/checkpoint-epoch2.pth: a new run goes on from it, in {MODELS / 'b'}"
    )
    assert marker and "epoch 3" not in before
    assert (MODELS / "b" / "checkpoint-epoch3.pth").exists() and len(os.listdir("copy")) > 5


def test_a_run_is_resumed_from_the_newest_checkpoint_whose_state_fits(workplace, capsys):
    """Unless just this file is to go on."""
    every = ["-o", "trainer.args.save_minutes=0", "-o", "trainer.args.keep_last=null"]
    assert run("-c", "config.json", "--run-id", "a", *every) == 0
    paths = checkpoints(MODELS / "a")
    assert [path.stem[11:] for path in paths[:3]] == ["epoch2", "epoch2-step5", "epoch2-step4"]
    whole = load_checkpoint(paths[0])
    for path in paths[:2]:
        content = load_checkpoint(path)
        content["training"]["run"]["metric_sums"][0]["_sums"] = torch.zeros(3)
        torch.save(content, path)
    assert "epoch2.pth: its training state does not fit" in refused(capsys, "-r", str(paths[0]))
    assert run("-r", str(MODELS / "a")) == 0
    printed = capsys.readouterr()
    assert printed.err.count("does not fit (ValueError: _sums of SSE has the shape (3,)") == 2
    assert f"resumed from {paths[2]}" in printed.out
    assert f"resumed from {paths[2]}" in (paths[2].parent / "train.log").read_text()
    assert "epoch2-step5.pth is not resumed; renamed to" in printed.err
    assert differences(whole, load_checkpoint(paths[0])) == []


def test_fine_tuning_starts_a_new_run_from_the_weights_and_keeps_their_licence(workplace, capsys):
    """Also from a run of another version, which cannot go on."""
    assert run("-c", "config.json", "--run-id", "a") == 0
    other = changed(CONFIG, {"data_loader.args.dataset.args.seed": 9})
    Path("other.json").write_text(json.dumps(other))
    # Without a learning rate the weights stay those it started from.
    words = ["-c", "other.json", "-r", str(MODELS / "a"), "--lr", "0", "-o", "lr_scheduler=null"]
    paths = [MODELS / run_id / "checkpoint-epoch2.pth" for run_id in "ab"]
    older = load_checkpoint(paths[0]) | {"licence": RESEARCH_ONLY}
    older["training"]["format"] -= 1
    save_checkpoint(paths[0], older)
    message = "epoch2.pth: contains no training state of this version, and cannot be resumed"
    assert message in refused(capsys, "-r", str(MODELS / "a"))
    assert run(*words, "--run-id", "b") == 0
    assert same(*paths)
    first, tuned = map(load_checkpoint, paths)
    assert first["normalisation"] != tuned["normalisation"]
    assert tuned["step"] == 6  # a new run, from its first epoch on
    assert tuned["licence"] == RESEARCH_ONLY  # though its data are open
    capsys.readouterr()
    misfit = [*words, "--run-id", "d", "-o", "arch.args.hidden_size=7"]
    assert refused(capsys, *misfit, "--prepare") == refused(capsys, *misfit)  # before any data
    said = "a/checkpoint-epoch2.pth.*hidden_size is 6 in the file, 7 in the config"
    assert re.search(said, refused(capsys, *misfit))


def test_a_step_that_ends_the_program_fails_the_run_and_keeps_what_it_had(
    workplace, monkeypatch, capsys
):
    step = BaseTrainer.step

    def ended(trainer, chunks):
        return step(trainer, chunks) if trainer.progress.step < 2 else sys.exit(0)

    monkeypatch.setattr(BaseTrainer, "step", ended)
    assert run("-c", "config.json", "--run-id", "a") == 2
    assert "SystemExit: 0" in capsys.readouterr().err
    record = json.loads((MODELS / "a" / "run.json").read_text())
    assert record["runs"][-1]["ended"]["state"] == "failed"
    assert [load_checkpoint(path)["step"] for path in checkpoints(MODELS / "a")] == [2]


def test_code_that_ends_the_program_anywhere_is_no_success(workplace, monkeypatch, capsys):
    monkeypatch.setattr(BaseTrainer, "check", lambda _: sys.exit(0))
    assert run("-c", "config.json", "--run-id", "a") == 2
    assert "one that works: trying it ended in SystemExit: 0" in capsys.readouterr().err


def test_a_network_that_a_device_has_no_memory_for_is_refused(workplace, monkeypatch, capsys):
    def exceeds(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(torch.nn.Module, "to", exceeds)
    assert "out of memory. Tried to allocate 20.00 GiB" in refused(capsys, "-c", "config.json")


DRAWING = """
from dataclasses import dataclass
from data_loader.sources.own_ink import OwnInk

@dataclass(kw_only=True, eq=False)
class Drawing(OwnInk):
    def lines(self):
        return []
    def files(self):
        return {}["folder"]
"""


def test_a_dataset_that_fails_while_it_is_prepared_is_named(workplace, no_modules, capsys):
    Path("my_data.py").write_text(DRAWING)
    dataset = 'data_loader.args.dataset={"type": "Drawing"}'
    words = ["-c", "config.json", "--module", "my_data.py", "-o", dataset, "--prepare"]
    message = refused(capsys, *words)
    assert "\"Drawing\": one that works: trying it ended in KeyError: 'folder'" in message


# Several runs by one command.


def test_runs_of_a_sweep_are_called_like_their_values():
    words = ["-c", "x", "--run-id", "a", "--sweep", "o.b=[0, 1],null", "--sweep", "a.b=1e-3,2"]
    ids = [start.run_id for start in sweep.runs(train_options.parse(words))]
    assert ids[:2] == ["a_o.b--0-1-_a.b-0.001", "a_o.b--0-1-_a.b-2"] and len(ids) == 4
    few = [*words, "--sweep-random", "3"]
    chosen = [sweep.runs(train_options.parse([*few, "--sweep-seed", seed])) for seed in "112"]
    first, again, other = ([start.run_id for start in each] for each in chosen)
    assert len({*first} & {*ids}) == 3 and first == again != other
    with pytest.raises(UserError, match="each key once, and each value once"):
        sweep.runs(train_options.parse([*words, "--sweep", "a.b=3"]))


def test_a_sweep_that_was_stopped_goes_on_where_it_was(workplace, monkeypatch, capsys):
    words = ["-c", "config.json", "--sweep", "optimizer.args.lr=0.003,0.01"]
    step = BaseTrainer.step

    def interrupted(trainer, chunks):
        if trainer.progress.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return step(trainer, chunks)

    with monkeypatch.context() as patch:
        patch.setattr(BaseTrainer, "step", interrupted)
        assert run(*words) == 128 + signal.SIGINT
    assert [path.name for path in MODELS.iterdir()] == ["lr-0.003"]
    assert run(*words) == 0
    for lr in ("0.003", "0.01"):
        assert run("-c", "config.json", "--lr", lr, "--run-id", lr) == 0
        assert same(*(MODELS / run_id / "checkpoint-epoch2.pth" for run_id in (lr, f"lr-{lr}")))
    capsys.readouterr()
    monkeypatch.setattr(BaseTrainer, "step", None)
    assert run(*words) == 0
    assert re.findall(r"tiny/lr-(\S+) is finished", capsys.readouterr().out) == ["0.003", "0.01"]


def test_the_other_runs_of_a_sweep_are_trained_when_a_run_fails(workplace, capsys):
    """What is known beforehand to be wrong is reported before the first of them."""
    words = ["-c", "config.json", "--sweep", "optimizer.args.lr=0.01,-1"]
    assert "optimizer.args.lr = -1: a" in refused(capsys, *words)
    words += ["--sweep", "trainer.args.epochs=-2"]
    said = refused(capsys, *words)
    assert "epochs = -2: a" in said and "optimizer.args.lr = -1: a" in said
    # A tenth of ten steps is too few for a rise.
    words = ["--epochs", "5", "--bs", "3", "--sweep", "lr_scheduler.args.pct_start=0.1,0.5"]
    assert run("-c", "config.json", *words) == 1
    error = capsys.readouterr().err
    assert "10 steps leave no phase empty" in error and "1 of 2 runs failed: pct_start-0.1" in error
    assert [path.name for path in MODELS.iterdir()] == ["pct_start-0.5"]


@pytest.mark.parametrize("still", [False, True])
def test_a_sweep_does_not_fail_at_a_run_that_another_process_trains_or_has_trained(
    workplace, monkeypatch, capsys, still
):
    """Whether that has left it or is still at it."""
    words, load = ["-c", "config.json", "--sweep", "trainer.args.seed=4,5"], train.load_data
    holder = RunFolder("tiny", "seed-4")

    def loaded_late(*arguments):
        monkeypatch.setattr(train, "load_data", load)
        assert run(*words) == 0  # as another process
        if still:
            holder.hold()
        return load(*arguments)

    monkeypatch.setattr(train, "load_data", loaded_late)
    assert run(*words) == 0
    printed = capsys.readouterr().out
    assert f"seed-4 is {'in use by process' if still else 'finished'}" in printed
    assert "seed-5 is finished" in printed
    holder.release()


# Ends that come from outside.


def test_a_run_that_was_stopped_before_its_first_checkpoint_starts_over(workplace, capsys):
    """Whether it is named or started again, and with the weights that it began with."""
    assert run("-c", "config.json", "--run-id", "whole") == 0
    assert run("-c", "config.json", "-r", str(MODELS / "whole"), "--run-id", "tuned") == 0
    copies = {"a": "whole", "b": "tuned"}
    for run_id, like in copies.items():
        ignored = shutil.ignore_patterns("*.pth")
        shutil.copytree(MODELS / like, MODELS / run_id, ignore=ignored)
    assert run("-c", "config.json", "--run-id", "a") == run("-r", str(MODELS / "b")) == 0
    message = "saved/models/tiny/b was stopped before its first checkpoint: start"
    assert message in capsys.readouterr().err
    for names in copies.items():
        assert same(*(MODELS / name / "checkpoint-epoch2.pth" for name in names))
    starts = json.loads((MODELS / "b" / "run.json").read_text())["runs"]
    file = "saved/models/tiny/whole/checkpoint-epoch2.pth"
    assert [start["weights_from"] for start in starts] == [file, file]
