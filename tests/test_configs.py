"""Every file under configs/ is sound, and those of the paper hold the paper's numbers."""

import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from base.config.values import Override, read_config, typed_override, with_network
from base.run.checkpoint import load_checkpoint
from base.run.pretrained import pretrained
from base.trial.constructors import TRIAL_ARGUMENTS
from ink.alphabet import Alphabet
from parse_config import plan_from_file, plan_of
from utils.checks import ConfigError
from utils.strict_json import nested

ROOT = Path(__file__).parent.parent
CONFIGS = [*sorted((ROOT / "configs").glob("*.json")), ROOT / "benchmarks" / "lines.json"]


OF_HAND = [ROOT / "configs" / name for name in ("own_hand.json", "own_hand_reader.json")]
PARAMETERS = [*(path for path in CONFIGS if path not in OF_HAND)]
PARAMETERS += [pytest.param(path, marks=pytest.mark.hand) for path in OF_HAND]


@pytest.mark.parametrize("path", PARAMETERS, ids=lambda path: path.stem)
def test_a_config_is_sound_and_named_like_its_file(path):
    given, _ = read_config(path)
    if "type" in (given["arch"] or {}):
        config = plan_from_file(path)
        config.try_constructors()
        plan_of(config.resolved_config, "config.json of a run").try_constructors()
        assert config.given_config == given
    else:  # of the network that is fine-tuned
        name = "reader" if "reader" in path.stem else "writer"
        arch = load_checkpoint(pretrained()[name])["config"]["arch"]
        config = plan_of(with_network(given, arch), str(path))
        assert config.given_config["arch"]["type"] == arch["type"]
    assert config.name == path.stem
    resolved = config.resolved_config
    assert plan_of(resolved, "config.json of a run").resolved_config == resolved
    here, there = dict(nested(config.given_config)), dict(nested(resolved))
    plain = {key: value for key, value in here.items() if not isinstance(value, dict | list)}
    assert there | plain == there
    assert {"trainer.args.clip_norm"} <= there.keys()


@pytest.mark.parametrize("target", ["writer", "open_writer", "reader", "eye"])
def test_configs_that_a_make_target_trains_are_accepted(target):
    make = ["make", "-n", "-o", ".venv/installed", target]
    lines = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    commands = [*map(shlex.split, lines.replace("\\\n", " ").splitlines())]
    trained = [words for words in commands if words[1] == "train.py"]
    assert trained
    for words in trained:
        given = [word.partition("=") for flag, word in pairwise(words) if flag == "-o"]
        overrides = [typed_override("-o", key, text) for key, _, text in given]
        plan_from_file(ROOT / words[words.index("-c") + 1], overrides).checked()


def test_the_option_data_names_the_folder_of_the_main_dataset():
    path, data = ROOT / "configs" / "writer.json", Override("--data", None, "elsewhere")
    parser = plan_from_file(path, [data])
    sources = parser.config["data_loader"]["args"]["sources"]
    assert sources["iam"]["args"]["root"] == "elsewhere"
    assert sources["digits"]["args"]["root"] == "data/unipen_digits"
    mixed = {"type": "MixedDataset", "args": {"dataset": {"type": "EmbeddedDataset"}}}
    mixed["args"]["added"] = "composed"
    key = "data_loader.args.sources.shaped.args.dataset"
    message = r"several datasets .* use -o .*iam.args.root=F.* or -o .*digits.args.root=F"
    with pytest.raises(ConfigError, match=message):
        plan_from_file(path, [Override("-o", key, mixed), data]).checked()


@pytest.mark.parametrize(
    ("name", "windows", "weights"),
    [("iam_unconditional", None, 3.4e6), ("iam_conditional", 10, 3.7e6)],
)
def test_configs_of_the_paper_have_its_sizes_optimiser_and_splits(name, windows, weights):
    parser = plan_from_file(ROOT / "configs" / f"{name}.json")
    config, loader = parser.config, parser.config["data_loader"]["args"]
    arch = {"num_layers": 3, "hidden_size": 400, "cell": "LSTM", "num_mixtures": 20}
    clipped = {"min_scale": 0.1, "clip_output_gradient": 100, "clip_lstm_gradient": 10}
    given = {"num_windows": windows} if windows else {}
    assert config["arch"]["args"] == arch | clipped | given
    assert config["optimizer"] == {
        "type": "GravesRMSprop",
        "args": {"lr": 1e-4, "decay": 0.95, "momentum": 0.9, "damping": 1e-4},
    }
    assert config["lr_scheduler"] is None
    assert config["loss"]["args"] == {"reduction": "sequence"}
    assert config["trainer"]["args"]["monitor"] == "min valid_log_loss"
    splits = loader["sources"]["iam"]["args"]["splits"]
    assert sorted(splits["train"]) == ["testset_f", "testset_t", "trainset"]
    assert splits["valid"] == ["testset_v"]
    assert [step["type"] for step in loader["preprocessing"]] == ["FillMissing", "CutLongSteps"]
    alphabet = Alphabet([chr(32 + number) for number in range(57)])  # the paper's count
    network = parser.build(
        "arch", normalisation=TRIAL_ARGUMENTS["normalisation"], alphabet=alphabet
    )
    assert network.num_parameters == pytest.approx(weights, rel=0.02)
    assert network.output.out_features == 121


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("recognition_ctc", "loss", '{"type": "TranscriptionLoss"}', "such as CTCLoss"),
        ("recognition", "loss", '{"type": "CTCLoss"}', "such as TranscriptionLoss"),
        ("conditional", "loss", '{"type": "SquaredError"}', "such as NegativeLogLikelihood"),
        ("conditional", "metrics.0.type", "ErrorRates", "for the network's head 'mixture'"),
        ("recognition", "metrics", '[{"type": "ErrorRates"}, {"type": "SSE"}]', "head 'decoder'"),
        ("recognition_ctc", "arch", '{"type": "SynthesisNetwork"}', "that reads, because"),
        ("conditional", "arch", '{"type": "CTCNetwork"}', "the next point, because the trainer"),
    ],
)
def test_parts_of_another_task_are_refused_before_data_loads(name, key, value, message):
    with pytest.raises(ConfigError) as caught:
        override = typed_override("-o", key, value)
        plan = plan_from_file(ROOT / "configs" / f"{name}.json", [override])
        plan.try_constructors()
    faults = [fault for fault in caught.value.faults if message in fault.expected]
    assert [fault.key for fault in faults] in ([key.removesuffix(".type")], ["metrics.1"])
