"""Every file under configs/ is sound, and those of the paper hold the paper's numbers."""

import json
import math
from pathlib import Path

import pytest

from base.base_model import BaseModel
from base.checkpoint import load_checkpoint
from base.pretrained import pretrained
from data_loader.synthetic import alignment
from parse_config import BASES, ConfigBinder, ConfigError, ConfigParser, Override, choices
from utils.alphabet import Alphabet
from utils.checks import Range
from utils.normalisation import Normalisation

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.json"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_sound_and_named_like_its_file(path):
    given = json.loads(path.read_text())
    if "type" in (given["arch"] or {}):
        config = ConfigParser.from_file(path)
        assert config.stored == given
    else:  # of the network that is fine-tuned
        name = "reader" if "reader" in path.stem else "writer"
        arch = load_checkpoint(pretrained()[name])["config"]["arch"]
        config = ConfigParser.from_file(path, arch=arch)
        assert config.stored["arch"]["type"] == arch["type"]
    assert config.name == path.stem


def arguments(name: str, block: str) -> dict:
    return json.loads((ROOT / "configs" / f"{name}.json").read_text())[block]["args"]


@pytest.mark.parametrize("name", ["unconditional", "conditional"])
def test_the_first_configs_need_no_data_of_others(name):
    assert arguments(name, "data_loader")["dataset"]["type"] == "EmbeddedDataset"


def test_the_alignment_and_the_data_of_the_writer_are_named():
    """Both datasets from files below `data`, where `--data` cannot say which is meant."""
    path = ROOT / "configs" / "writer.json"
    composed = arguments("writer", "data_loader")["dataset"]["args"]["dataset"]["args"]
    assert alignment.resolve_alignment(composed["alignment"]).parent == alignment.SHIPPED
    roots = [composed[part]["args"]["root"] for part in ("dataset", "digits")]
    assert all(root.startswith("data/") for root in roots) and len(set(roots)) == 2
    with pytest.raises(ConfigError, match=r"several datasets .* use -o .*root=F.* or -o .*root=F"):
        ConfigParser.from_file(path, [Override("--data", None, "elsewhere")])


@pytest.mark.parametrize("name", ["iam_unconditional", "iam_conditional"])
def test_the_papers_protocol(name):
    config = json.loads((ROOT / "configs" / f"{name}.json").read_text())
    arch = config["arch"]["args"]
    assert (arch["num_layers"], arch["hidden_size"], arch["cell"]) == (3, 400, "LSTM")
    assert arch["num_mixtures"] == 20
    assert arch.get("num_windows") == (10 if name == "iam_conditional" else None)
    assert (arch["clip_output_gradient"], arch["clip_lstm_gradient"]) == (100, 10)
    assert arch["min_scale"] == 0.1
    assert config["optimizer"] == {
        "type": "GravesRMSprop",
        "args": {"lr": 1e-4, "decay": 0.95, "momentum": 0.9, "damping": 1e-4},
    }
    assert config["lr_scheduler"] is None
    assert config["loss"]["args"] == {"reduction": "sequence"}
    assert config["trainer"]["args"]["monitor"] == "min valid_log_loss"
    loader = config["data_loader"]["args"]
    splits = loader["dataset"]["args"]["splits"]
    assert sorted(splits["train"]) == ["testset_f", "testset_t", "trainset"]
    assert splits["valid"] == ["testset_v"]
    assert [step["type"] for step in loader["preprocessing"]] == ["FillMissing", "CutLongSteps"]


@pytest.mark.parametrize(
    ("name", "weights"), [("iam_unconditional", 3.4e6), ("iam_conditional", 3.7e6)]
)
def test_the_papers_networks_have_the_papers_size(name, weights):
    config = ConfigParser.from_file(ROOT / "configs" / f"{name}.json")
    supplied = [Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0))]
    if choices(BaseModel)[config.config["arch"]["type"]].needs_text:
        supplied.append(Alphabet([chr(32 + number) for number in range(57)]))  # the paper's count
    network = config.build("arch", *supplied)
    assert network.num_parameters == pytest.approx(weights, rel=0.02)


def test_the_squared_error_network_is_that_of_earlier_projects():
    """Some 500 cells in each of two layers, 3M weights, three outputs; splits as elsewhere."""
    config = ConfigParser.from_file(ROOT / "configs" / "regression.json")
    network = config.build("arch", Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0)))
    assert network.num_parameters == pytest.approx(3e6, rel=0.02)
    assert len(network.layers) == 2 and network.output.out_features == 3
    assert type(config.build("loss")).head == network.head
    loader, other = (arguments(name, "data_loader") for name in ("regression", "iam_unconditional"))
    dataset = loader["dataset"]["args"]
    assert dataset["subset"] == 8000
    assert dataset["splits"] == other["dataset"]["args"]["splits"]
    assert loader["augmentation"][0]["type"] == "InputNoise"
    assert arguments("regression", "trainer")["truncate"] is not None


def test_the_network_of_one_digit_ends_by_itself():
    assert arguments("mnist_single_digit", "arch")["end_of_sequence"] is True
    dataset = arguments("mnist_single_digit", "data_loader")["dataset"]["args"]
    assert dataset["digit"] == 7 and dataset["digits_per_line"] is None


OWN = [
    pytest.param(cls, id=name)
    for base in BASES
    for name, cls in choices(base).items()
    if not cls.__module__.startswith("torch.")
]


@pytest.mark.parametrize("cls", OWN)
def test_sizes_have_bounds(cls):
    """A whole number without an upper bound must be one that takes no memory: named here."""
    harmless = {
        *("epochs", "early_stop", "save_period", "keep_last", "steps_per_epoch", "accumulate"),
        *("truncate", "max_skipped", "log_steps", "subset", "subset_seed"),
    }
    for name, annotation in ConfigBinder().arguments(cls).accepted.items():
        for bounds in ranges(annotation):
            assert name in harmless or bounds.high < math.inf, f"{cls.__name__}.{name}"


def ranges(annotation) -> list[Range]:
    """Return the bounds of all whole numbers in an annotation."""
    members = getattr(annotation, "__args__", ())
    if hasattr(annotation, "__metadata__") and int in (annotation.__origin__, *members):
        return [mark for mark in annotation.__metadata__ if isinstance(mark, Range)]
    if annotation is int:
        return [Range()]
    return [found for member in members for found in ranges(member)]


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("recognition_ctc", "loss", '{"type": "TranscriptionLoss"}', "CTCLoss, as the network's"),
        ("recognition", "loss", '{"type": "CTCLoss"}', "TranscriptionLoss, as the network's head"),
        ("conditional", "loss", '{"type": "SquaredError"}', "NegativeLogLikelihood, as the net"),
        ("conditional", "metrics.0.type", "ErrorRates", "of networks whose head is 'mixture'"),
        ("recognition", "metrics", '[{"type": "ErrorRates"}, {"type": "SSE"}]', "is 'decoder'"),
        ("recognition_ctc", "arch", '{"type": "SynthesisNetwork"}', "a network that reads, for a"),
        ("conditional", "arch", '{"type": "CTCNetwork"}', "that predicts the next point, for a"),
    ],
)
def test_parts_of_another_task_are_found_before_data_loads(name, key, value, message):
    with pytest.raises(ConfigError) as caught:
        ConfigParser.from_file(ROOT / "configs" / f"{name}.json", [Override("-o", key, value)])
    faults = [fault for fault in caught.value.faults if message in fault.expected]
    assert [fault.key for fault in faults] in ([key.removesuffix(".type")], ["metrics.1"])
