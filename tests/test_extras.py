"""A network of a user's own that is told extras and draws a latent, through the real scripts."""

import json
import shutil
import sys
from pathlib import Path

import pytest

import experiments
import train
from base.config import user_modules
from base.run.checkpoint import load_checkpoint
from tests import moody
from tests.same_run import differences, rows_of
from tests.tiny_config import CONFIG, changed

SIZES = {"hidden_size": 12, "num_layers": 2, "num_mixtures": 2, "num_windows": 2, "min_scale": 0.5}
SIZES |= {"window_advance": 0.3}  # Lines end soon: a longer one takes more time to read.
ARCH = {"type": "Moody", "args": SIZES}
ARGS = {"truncate": 7, "steps_per_epoch": 9, "samples": 2, "sample_text": None, "sample_steps": 20}
CHANGES = {
    "name": "moody",
    "arch": ARCH,
    "data_loader.args": {"dataset": {"type": "Moods"}, "batch_size": 8},
    "lr_scheduler": None,
    "trainer.args": CONFIG["trainer"]["args"] | ARGS,
}
RESUMED = ["-r", "saved/models/moody/whole", "--epochs", "3"]
MODULE = ["--module", "parts.py", "-d", "cpu"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the parts, their config, and a run of two epochs."""
    folder = tmp_path_factory.mktemp("moody")
    shutil.copy(moody.__file__, folder / "parts.py")
    (folder / "c.json").write_text(json.dumps(changed(CONFIG, CHANGES)))
    with pytest.MonkeyPatch.context() as patch:
        forget(patch, folder)
        assert train.main([*MODULE, "-c", "c.json", "--run-id", "whole"]) == 0
        forget(patch, folder)
    return folder


def forget(patch, folder):
    """Be a process in a folder that has loaded no module of a user's."""
    patch.chdir(folder)
    patch.setattr(user_modules, "_loaded", {})
    patch.setattr(sys, "path", [path for path in sys.path if path != str(folder)])
    sys.modules.pop("parts", None)


@pytest.fixture
def workplace(trained, monkeypatch, logging_restored):
    forget(monkeypatch, trained)
    yield trained
    forget(monkeypatch, trained)


def run(name):
    return Path("saved/models/moody") / name


def test_a_run_that_is_stopped_in_the_middle_of_its_sequences_ends_as_if_it_was_not(workplace):
    """Each epoch ends within a batch, whose sequences go on with what they were told."""
    assert train.main([*MODULE, "-c", "c.json", "--run-id", "halves", "--epochs", "1"]) == 0
    halfway = load_checkpoint(run("halves") / "checkpoint-epoch1.pth")
    (state,) = halfway["training"]["run"]["carried"]
    assert state["told"].shape[1:] == (4,) and len(state["told"].unique(dim=0)) > 1
    assert train.main([*MODULE, "-r", str(run("halves")), "--epochs", "2"]) == 0
    whole, halves = (
        load_checkpoint(run(name) / "checkpoint-epoch2.pth") for name in ("whole", "halves")
    )
    assert whole["extras"] == {"mood": [2]}
    places = differences(whole["training"], halves["training"])
    assert not places and not differences(whole["state_dict"], halves["state_dict"])
    assert rows_of(run("whole") / "metrics.csv") == rows_of(run("halves") / "metrics.csv")


def test_evaluation_gives_the_log_loss_that_training_logged(workplace):
    scores = ["evaluate", *MODULE, "-r", str(run("whole")), "--output", "scores"]
    for _ in range(2):
        assert experiments.main(scores) == 0
        (file,) = Path("scores").iterdir()
        log_loss = json.loads(file.read_text())["log_loss"]
        logged = load_checkpoint(run("whole") / "checkpoint-epoch2.pth")["metrics"]
        assert log_loss == pytest.approx(logged["valid_log_loss"], rel=1e-5)


USE = ["-r", "saved/models/moody/whole", *MODULE]


def lines(name, *words):
    """Return three lines as `write` draws them into a folder."""
    command = ["write", *USE, "--steps", "30", "--text", "zag", "--num-samples", "3"]
    assert experiments.main([*command, "--output", name, *words]) == 0
    return [path.read_bytes() for path in sorted(Path(name).glob("*-seed*.svg"))]


def page(*words):
    command = ["page", *USE, "--text", "zag", "--no-proofread", "--seed", "4", *words]
    assert experiments.main([*command, "--output", "page.svg"]) == 0
    return Path("page.svg").read_bytes()


@pytest.mark.pages
def test_lines_differ_by_seed_and_by_extras_which_are_zero_by_default(workplace):
    usual = lines("usual")
    assert len(set(usual)) == 3 == len(usual)
    assert lines("zeros", "--set", "extras=mood=0,0") == usual
    assert not set(lines("moody", "--set", "extras=mood=0.5,1")) & set(usual)


@pytest.mark.pages
def test_a_page_differs_by_extras_which_are_zero_by_default(workplace):
    assert page() == page("--set", "extras=mood=0,0") != page("--set", "extras=mood=1,1")


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (["-c", "c.json"], "Moodless", "takes the extra 'mood'; the samples, or its attribute"),
        (["-c", "c.json", *RESUMED[:2]], "Wider", "(2,); the samples have mood of shape (3,)"),
        (RESUMED, "Moodless", 'dataset.type = "Moodless": the run has "Moods"'),
    ],
)
def test_data_with_other_extras_or_none_are_refused_before_the_training(
    workplace, capsys, words, kind, message
):
    before = sorted(Path("saved").rglob("*"))
    assert train.main([*MODULE, *words, "-o", f"data_loader.args.dataset.type={kind}"]) == 2
    assert message in capsys.readouterr().err
    assert sorted(Path("saved").rglob("*")) == before


def test_a_loss_and_a_metric_may_take_the_network_as_an_argument(workplace):
    own = ["-o", "loss.type=OfNetwork", "-o", 'metrics=[{"type": "SizeOf"}]']
    assert train.main([*MODULE, "-c", "c.json", "--run-id", "own", "--epochs", "1", *own]) == 0
