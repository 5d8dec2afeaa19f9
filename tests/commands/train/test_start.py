"""The ways in which a training begins, and which of them hold a run."""

import json
import re
import shlex
import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

import train
from base.config import torch_parts
from base.run.checkpoint import BEST, checkpoints, load_checkpoint, save_checkpoint
from base.run.run_folder import RunFolder
from base.run.training_parts import settings_of
from commands.train import options as train_options
from commands.train.start import differing_arguments, resolve_start
from parse_config import plan_of
from tests.tiny_config import CONFIG, changed
from trainer.generation_trainer import GenerationTrainingSettings
from trainer.recognition_trainer import RecognitionTrainingSettings
from utils.checks import DataError, UserError
from utils.strict_json import nested

MODELS = Path("saved/models/tiny")
RUN, LAST, OLDER = (MODELS / "a" / name for name in ("", "checkpoint-epoch2.pth", BEST))

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("logging_restored")]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where the runs of `trained` are kept, which are trained once."""
    return tmp_path_factory.mktemp("kept") / "saved"


@pytest.fixture
def trained(workplace, kept):
    """A run `a`, whose best checkpoint is a file of its own, and one that was killed."""
    if kept.exists():
        shutil.copytree(kept, "saved")
        return
    assert train.main(["-c", "config.json", "-d", "cpu", "--run-id", "a"]) == 0
    OLDER.unlink()  # It is the newest one under another name.
    shutil.copy(LAST, OLDER)
    shutil.copytree(RUN, MODELS / "killed", ignore=shutil.ignore_patterns("*.pth"))
    shutil.copytree("saved", kept)


def begun(*words):
    return resolve_start(train_options.parse([*words]))


def test_a_command_line_begins_in_six_ways(trained):
    config, tuned = ["-c", "config.json"], ["-c", "config.json", "-r", str(RUN)]
    again = ["--run-id", "a", "--start-or-resume"]
    ways = [
        ([*config, "--run-id", "b"], "b", None, False, False),  # new
        ([*tuned, "--run-id", "b"], "b", LAST, False, False),  # fine-tuned
        (["-r", str(RUN)], "a", LAST, True, True),  # resumed
        (["-r", str(LAST)], "a", LAST, True, False),
        (["-r", str(OLDER), "--run-id", "b"], "b", OLDER, True, False),  # branched
        (["-r", str(RUN), "--run-id", "b"], "b", LAST, True, True),
        (["-r", str(MODELS / "killed")], "killed", None, False, False),  # started over
        ([*config, *again], "a", LAST, True, True),  # start or resume
        ([*config, "--run-id", "killed", "--start-or-resume"], "killed", None, False, False),
        ([*tuned, "--run-id", "b", "--start-or-resume"], "b", LAST, False, False),
    ]
    for words, run_id, path, resumed, tries_older in ways:
        start = begun(*words)
        assert start.run.run_id == run_id, words
        assert (start.checkpoint and start.checkpoint.path) == path, words
        older = [each.checkpoint.path for each in start.older()]
        assert (start.is_resumed, older) == (resumed, [OLDER] if tries_older else []), words
        assert start.is_finished() == (run_id == "a"), words
        assert start.plan.given_config == CONFIG
    assert begun("-r", str(OLDER)).run.run_id not in ("a", "b")
    kept = ["-o", "trainer.args.keep_last=9"]
    more = begun("-r", str(RUN), *kept)
    assert settings_of(more.plan["trainer"]).keep_last == 9
    with pytest.raises(UserError, match="'a' exists already"):
        begun(*config, "--run-id", "a")
    assert {path.name for path in MODELS.iterdir()} == {"a", "killed"}


def test_run_goes_on_when_its_id_is_given_instead_of_its_folder(trained, monkeypatch):
    start = begun("-r", "a")
    assert start.run.run_id == "a" and start.is_resumed and any(start.older())


def test_the_first_weights_of_a_run_are_known_through_all_its_starts(trained):
    words = ["-d", "cpu", "--run-id"]
    schedule = ["-o", "lr_scheduler=null"]
    assert train.main(["-c", "config.json", "-r", str(RUN), *schedule, *words, "tuned"]) == 0
    (tuned,) = checkpoints(MODELS / "tuned")
    assert train.main(["-r", str(tuned), *words, "branch", "--epochs", "3"]) == 0
    assert train.main(["-r", str(MODELS / "branch"), "-d", "cpu", "--epochs", "4"]) == 0
    for run_id in ("tuned", "branch"):
        assert RunFolder("tiny", run_id).first_weights() == LAST
    assert RunFolder("tiny", "a").first_weights() is None
    assert load_checkpoint(MODELS / "branch" / "checkpoint-epoch4.pth")["epoch"] == 4


def new_run(message: str) -> tuple[dict, Path | None]:
    """Type the command of a new run that a refusal prints; return the config of the run, and the
    weights that it began with."""
    before = {*MODELS.iterdir()}
    assert train.main(shlex.split(message.partition(": python train.py ")[2])) == 0
    (run,) = {*MODELS.iterdir()} - before
    weights = RunFolder("tiny", run.name).first_weights()
    return plan_of(json.loads((run / "config.json").read_text()), "c.json").complete, weights


REFUSED = {
    "a run": (
        ["-r", str(RUN), "--lr", "0.01"],
        "--lr: optimizer.args.lr = 0.01: the run has 0.003",
    ),
    "more epochs": (
        ["-r", str(RUN), "--epochs", "3"],
        "--epochs: trainer.args.epochs = 3: the run has 2, on which its OneCycleLR depends",
    ),
    "another network": (
        ["-r", str(RUN), "-o", "arch.args.hidden_size=7"],
        "-o: arch.args.hidden_size = 7: the run has 6",
    ),
    "the same network": (
        ["-r", str(RUN), "-o", "arch.args.dropout=0.1"],
        "-o: arch.args.dropout = 0.1: the run has 0.2",
    ),
    "another grouping": (
        ["-r", str(RUN), "-o", 'optimizer.groups=[{"names":["*.bias"]}]'],
        '-o: optimizer.groups.0.names.0 = "*.bias": the run lacks it',
    ),
    "a branch": (
        ["-r", str(OLDER), "--run-id", "b", "-o", 'loss.args.reduction="sequence"'],
        '-o: loss.args.reduction = "sequence": the run has "point"',
    ),
    "the same id": (
        ["-r", str(RUN), "--run-id", "a", "--bs", "3"],
        "batch_size = 3: the run has 2",
    ),
    "start or resume": (
        ["-c", "config.json", "--run-id", "a", "--start-or-resume", "--lr", "0.01"],
        "--lr: optimizer.args.lr = 0.01: the run has 0.003",
    ),
    "starting over": (
        ["-r", str(MODELS / "killed"), "--lr", "0.01"],
        "lr = 0.01: the run has 0.00",
    ),
}


WITHOUT_WEIGHTS = ("starting over", "another network")


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_change_names_the_key_and_the_command_of_a_new_run(trained, capsys, kind):
    words, expected = REFUSED[kind]
    before = sorted(Path("saved").rglob("*"))
    assert train.main([*words, "-d", "cpu"]) == 2
    message = capsys.readouterr().err
    assert expected in message and sorted(Path("saved").rglob("*")) == before
    config, weights = new_run(message)
    (key, value) = re.search(r"(\S+) = (\S+): the run", message).groups()
    assert dict(nested(config))[key] == json.loads(value)
    assert weights == {"a branch": OLDER, **dict.fromkeys(WITHOUT_WEIGHTS)}.get(kind, LAST)


def test_a_run_goes_on_for_more_epochs_unless_its_trainer_depends_on_their_number(
    trained, capsys, monkeypatch
):
    monkeypatch.setattr(torch_parts, "depends_on_length", lambda _: False)
    monkeypatch.setattr(GenerationTrainingSettings, "depends_on_epochs", "samples")
    assert train.main(["-r", str(RUN), "-d", "cpu", "--epochs", "3"]) == 2
    assert "epochs = 3: the run has 2, on which its samples depends" in capsys.readouterr().err
    for ratio, name in (((1.0, 0.8), "teacher_forcing_ratio"), ((0.9, 0.9), "")):
        settings = RecognitionTrainingSettings(epochs=2, teacher_forcing_ratio=ratio)
        assert settings.depends_on_epochs == name


def test_a_run_does_not_go_on_with_other_data(trained, capsys):
    checkpoint = load_checkpoint(LAST)
    checkpoint["dataset"]["fingerprints"]["valid"] = "other"
    save_checkpoint(LAST, checkpoint)
    assert train.main(["-r", str(RUN), "-d", "cpu"]) == 2
    message = capsys.readouterr().err
    assert f"{LAST}: the data are not those of the run" in message and "order in valid" in message
    assert new_run(message)[1] == LAST


def test_a_run_is_not_resumed_with_other_ink_under_the_same_names(trained):
    start = begun("-r", str(RUN))
    loaded = start.plan.build("data_loader").dataset.load()
    start.check_data(loaded)
    other = {
        split: [replace(each, ink=-3 * each.ink) for each in samples]
        for split, samples in loaded.samples.items()
    }
    with pytest.raises(DataError, match="ink or another order in train, valid, test"):
        start.check_data(replace(loaded, samples=other))
    del start.checkpoint.content["dataset"]["ink_sums"]  # as in a damaged file
    with pytest.raises(DataError, match="the data are not those of the run"):
        start.check_data(loaded)


def test_weights_that_do_not_fit_are_explained_by_the_arguments_that_differ():
    before = {"type": "PredictionNetwork", "args": {"hidden_size": 24, "num_layers": 2}}
    same = {"type": "PredictionNetwork", "args": {"num_layers": 3}}
    other = {"type": "SynthesisNetwork", "args": {}}
    named = ["hidden_size is 24 in the file, 400 in the config", "num_layers is 2 in the file, 3"]
    kinds = ['type is "PredictionNetwork" in the file, "SynthesisNetwork" in the config']
    for stored, arch, expected in (
        (before, same, named),
        (before, other, kinds),
        (before, before, []),
        (7, same, []),
    ):
        network = plan_of(changed(CONFIG, {"arch": arch}), "c.json")["arch"]
        reasons = sorted(differing_arguments(stored, network))
        assert len(reasons) == len(expected)
        assert all(map(str.startswith, reasons, expected))


def test_preparing_a_run_that_is_in_use_neither_fails_nor_locks_it(trained, capsys):
    """What is written is another matter."""
    holder, lock = RunFolder("tiny", "a"), RUN / "run.lock"
    holder.hold()
    named = lock.read_text()
    for words in (["-r", str(RUN)], ["-c", "config.json", "--run-id", "a", "--start-or-resume"]):
        assert begun(*words).checkpoint.path == LAST
        assert train.main([*words, "-d", "cpu", "--prepare"]) == 0
        with ExitStack() as locks, pytest.raises(UserError, match="a is in use by process"):
            resolve_start(train_options.parse(words), locks)
        assert lock.read_text() == named
    holder.release()
    with ExitStack() as locks:
        resolve_start(train_options.parse(words), locks)
        with pytest.raises(UserError, match="a is in use by process"):
            holder.hold()
    holder.hold()
    holder.release()
    assert train.main(["-r", str(MODELS / "killed"), "-d", "cpu", "--prepare"]) == 0
    assert "characters" in capsys.readouterr().out and not checkpoints(MODELS / "killed")


def test_the_other_runs_of_a_sweep_are_trained_when_a_run_is_in_use(trained, capsys):
    words = ["-c", "config.json", "-d", "cpu", "--sweep", "trainer.args.seed=4,5"]
    shutil.copytree(RUN, MODELS / "seed-4")
    holder = RunFolder("tiny", "seed-4")
    holder.hold()
    assert train.main(words) == 0
    assert "seed-4 is in use by process" in capsys.readouterr().out
    assert checkpoints(MODELS / "seed-5")
    holder.release()
    assert train.main(words) == 0
