"""Every file under configs/ is sound, and those of the paper hold the paper's numbers."""

import json
import math
import os
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
SHIPPED = ["conditional", "iam_conditional", "iam_unconditional", "unconditional"]


def test_the_promised_configs_are_there():
    assert set(SHIPPED) <= {path.stem for path in CONFIGS}


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


def test_a_checkpoint_alone_does_not_ask_for_a_million_lines():
    config = json.loads((ROOT / "configs" / "conditional.json").read_text())
    key = "data_loader.args.dataset.args.size"
    config["data_loader"]["args"]["dataset"]["args"]["size"] = 10**6
    with pytest.raises(ConfigError, match=rf"x\.pth: {key} = 1000000: .* -o {key}=1000000 allows"):
        ConfigParser.from_checkpoint(config, "x.pth")
    for count in (10**6, 60_000, 50_000):
        config = ConfigParser.from_checkpoint(config, "x.pth", [Override("-o", key, str(count))])
        config = config.config
    assert ConfigParser.from_checkpoint(config, "x.pth").config == config


@pytest.mark.parametrize("count", ["size", "long"])
def test_nor_for_as_many_composed_ones(count):
    config = json.loads((ROOT / "configs" / "writer.json").read_text())
    assert ConfigParser.from_checkpoint(config, "x.pth").stored == config
    key = f"data_loader.args.dataset.args.dataset.args.{count}"
    config["data_loader"]["args"]["dataset"]["args"]["dataset"]["args"][count] = 50_001
    with pytest.raises(ConfigError, match=rf"x\.pth: {key} = 50001: .* at most 50,000 lines"):
        ConfigParser.from_checkpoint(config, "x.pth")
    ConfigParser.from_checkpoint(config, "x.pth", [Override("-o", key, "50001")])


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
def test_every_argument_that_a_config_can_set_says_which_values_fit(cls):
    for name, annotation in ConfigBinder().arguments(cls).accepted.items():
        assert ConfigBinder().described(annotation), f"{cls.__name__}.{name}: {annotation}"


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


@pytest.mark.parametrize("given", [True, False])
def test_data_that_a_checkpoint_names_is_cached_at_home(tmp_path, monkeypatch, given):
    """Nobody's checkpoint writes into a folder of its choice; one's own -o does."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    config = json.loads((ROOT / "configs" / "iam_unconditional.json").read_text())
    args = config["data_loader"]["args"]["dataset"]["args"]
    below = ConfigParser.from_checkpoint(config, "x.pth").config["data_loader"]
    assert "cache" not in below["args"]["dataset"]["args"]
    args["root"] = str(tmp_path / "elsewhere")
    if not given:  # However it gets there.
        args["root"] = f"data/../{os.path.relpath(args['root'])}"
    option = Override.parse(f"data_loader.args.dataset.args.root={args['root']}")
    parser = ConfigParser.from_checkpoint(config, "x.pth", [option] if given else [])
    kept = parser.config["data_loader"]["args"]["dataset"]["args"].get("cache")
    assert kept == (None if given else str(tmp_path / "home" / "online-handwriting"))
    assert "cache" not in parser.stored["data_loader"]["args"]["dataset"]["args"]


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
