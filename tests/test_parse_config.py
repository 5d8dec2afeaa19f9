"""Configs are bound to stand-ins of the project's classes, whose arguments cover every kind."""

import copy
import json
import types
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import parse_config
from base.base_data_loader import BaseDataLoader
from base.base_dataset import BaseDataset
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer
from base.base_transform import BaseTransform
from commands import options
from parse_config import ConfigBinder, ConfigError, ConfigParser, Override, choices
from utils.checks import ConfigFault, Range, UserError


class Network(BaseModel):
    devices: list[str] = []  # noqa: RUF012 (a test reads what the constructor leaves)

    def __init__(
        self,
        normalisation,
        *,
        hidden_size: Annotated[int, Range(1, 8192)] = 8,
        cell: Literal["LSTM", "GRU"] = "LSTM",
        dropout: Annotated[float, Range(0.0, 0.95)] = 0.0,
        clip: Annotated[float, Range(1e-6)] | None = None,
        skip: bool = True,
    ) -> None:
        super().__init__()
        if dropout and hidden_size == 1:
            raise ConfigFault("dropout", dropout, "0 with a single cell")
        self.layer = torch.nn.Linear(hidden_size, hidden_size)
        self.devices.append(self.layer.weight.device.type)
        self.normalisation, self.cell, self.dropout = normalisation, cell, dropout

    def forward(self, *inputs): ...

    def initial_state(self, batch): ...


class Lines(BaseDataset):
    def __init__(
        self,
        *,
        root: str = "data",
        cache: str | None = None,
        splits: dict[Literal["train", "valid"], list[str]] | None = None,
        origin: tuple[float, float] = (0.0, 0.0),
        size: list[int] | None = None,
    ) -> None:
        self.root, self.cache, self.splits, self.origin = root, cache, splits, origin
        self.size = size

    def prepare(self):
        raise AssertionError("data loads before the config is checked")

    def split_indices(self): ...
    def ink(self, index): ...
    def text(self, index): ...
    def name(self, index): ...
    def report(self): ...


class Cut(BaseTransform):
    def __init__(self, *, threshold: Annotated[float, Range(0.0)]) -> None:
        self.threshold = threshold

    def __call__(self, ink, missing, generator): ...


class Loader(BaseDataLoader):
    def __init__(
        self,
        seed,
        normalisation,
        *,
        dataset: BaseDataset,
        batch_size: Annotated[int, Range(1, 4096)] = 32,
        preprocessing: list[BaseTransform] = (),
        scales: list[Annotated[float, Range(0.5, 2.0)]] = (),
    ) -> None:
        self.source, self.preprocessing, self.scales = dataset, preprocessing, scales
        self.size, self.seed = batch_size, seed

    def prepare(self): ...
    def split(self, name): ...


class NLL(BaseLoss):
    name = "log_loss"

    def __call__(self, output, batch): ...
    def divisor(self, batch): ...


class SSE(BaseMetric):
    names = ("sse",)

    def reset(self): ...
    def update(self, output, batch): ...
    def compute(self): ...


class Unfinished(BaseMetric):
    """Abstract: not to be offered."""


class Trainer(BaseTrainer):
    def __init__(self, *supplied: Any, drawings: Annotated[int, Range(0, 9)] = 3, **options: Any):
        super().__init__(*supplied, **options)
        self.drawings = drawings

    def forward_batch(self, model, batch, chunk=None, state=None): ...


STAND_INS = [Network, Lines, Cut, Loader, NLL, SSE, Unfinished, Trainer]

SOUND = {
    "name": "test",
    "arch": {"type": "Network", "args": {"dropout": 0, "clip": 10}},
    "data_loader": {
        "type": "Loader",
        "args": {
            "dataset": {
                "type": "Lines",
                "args": {"splits": {"train": ["a", "b"]}, "origin": [1, 2]},
            },
            "preprocessing": [{"type": "Cut", "args": {"threshold": 2000}}],
            "scales": [1, 2],
        },
    },
    "optimizer": {"type": "Adam", "args": {"lr": 0.01, "betas": [0, 0.999]}},
    "lr_scheduler": {"type": "OneCycleLR", "args": {"pct_start": 0.1}},
    "loss": {"type": "NLL"},
    "metrics": [{"type": "SSE", "args": {}}],
    "trainer": {
        "type": "Trainer",
        "args": {"epochs": 3, "monitor": "min valid_log_loss", "drawings": 2},
    },
}


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch, tmp_path):
    package = types.SimpleNamespace(__all__=[cls.__name__ for cls in STAND_INS])
    for cls in STAND_INS:
        setattr(package, cls.__name__, cls)
    monkeypatch.setattr(parse_config, "PACKAGES", (package,))
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "saved").exists()


def changed(key: str, value: Any) -> dict:
    """Return the sound config with another value at a dotted key; `...` removes it."""
    config = copy.deepcopy(SOUND)
    *parents, last = [int(name) if name.isdigit() else name for name in key.split(".")]
    holder = config
    for name in parents:
        holder = holder[name]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return config


def faults(config: Any, *overrides: str) -> list:
    try:
        ConfigParser(config, "c.json", [Override.parse(text) for text in overrides])
    except ConfigError as error:
        return error.faults
    return []


def only_fault(config: Any, *overrides: str) -> str:
    found = faults(config, *overrides)
    assert len(found) == 1, found
    return str(found[0])


# Building.


def test_a_sound_config_builds_what_it_says():
    config = ConfigParser(SOUND, "c.json")
    network = config.build("arch", "normalisation")
    assert (type(network), network.normalisation) == (Network, "normalisation")
    assert (network.dropout, network.cell) == (0.0, "LSTM")
    assert isinstance(network.dropout, float)
    loader = config.build("data_loader", 7, None)
    assert (loader.seed, loader.size, loader.scales) == (7, 32, [1.0, 2.0])
    assert loader.source.splits == {"train": ["a", "b"]}
    assert loader.source.origin == (1.0, 2.0)
    assert [cut.threshold for cut in loader.preprocessing] == [2000.0]
    assert [type(metric) for metric in config.build("metrics")] == [SSE]
    assert isinstance(config.build("loss"), NLL)
    assert config.name == "test"
    optimizer = config.build("optimizer", network.parameters())
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.param_groups[0]["betas"] == (0.0, 0.999)


def test_building_leaves_the_config_as_it_was():
    config = ConfigParser(SOUND, "c.json")
    config.build("data_loader", 7, None).source.splits["train"].append("c")
    assert config.config == SOUND


def test_constructors_are_tried_without_weights_and_without_data():
    Network.devices.clear()
    ConfigParser(changed("arch.args", {"hidden_size": 8192}), "c.json")
    assert set(Network.devices) == {"meta"}


def test_a_constructors_refusal_while_building_names_the_key():
    class Refusing(Network):
        def __init__(self, normalisation, *, size: int = 1) -> None:
            super().__init__(normalisation)
            if normalisation == "real":
                raise ConfigFault("size", size, "another one for real data")

    parse_config.PACKAGES[0].__all__.append("Refusing")
    parse_config.PACKAGES[0].Refusing = Refusing
    config = ConfigParser(changed("arch", {"type": "Refusing", "args": {"size": 5}}), "c.json")
    with pytest.raises(ConfigError) as error:
        config.build("arch", "real")
    assert str(error.value) == "c.json: arch.args.size = 5: another one for real data"


# Faults.

NO_OBJECT = 'an object {"type": ..., "args": {...}}'
FAULTS = [
    ("name", "../up", 'name = "../up": letters, digits'),
    ("name", ".hidden", "beginning with a letter or digit"),
    ("name", "a/b", "letters, digits"),
    ("name", "", 'name = "": letters'),
    ("name", 5, "name = 5: letters"),
    ("name", ..., "name: letters"),
    ("colour", 1, "colour = 1: unknown key; there are name, arch"),
    ("los", 1, "los = 1: unknown key; did you mean loss?"),
    ("arch", ..., f"arch: is missing: {NO_OBJECT}"),
    ("arch", [], f"arch = []: {NO_OBJECT}"),
    ("arch", None, f"arch = null: {NO_OBJECT}"),
    ("lr_scheduler", 3, f"lr_scheduler = 3: {NO_OBJECT} or null"),
    ("lr_scheduler", ..., "lr_scheduler: is missing"),
    ("arch.arg", {}, 'arch.arg = {}: unknown key; an object has "type" and "args"'),
    ("arch.type", ..., "arch.type: is missing; there are Network"),
    ("arch.type", "Netwrk", 'arch.type = "Netwrk": unknown type; did you mean Network?'),
    ("arch.type", "Lines", "unknown type"),
    ("arch.type", "os.system", "unknown type; there are Network"),
    ("arch.type", ["Network"], 'arch.type = ["Network"]: unknown type'),
    ("arch.args", 7, "arch.args = 7: an object of arguments"),
    (
        "arch.args.hiden_size",
        9,
        "arch.args.hiden_size = 9: Network takes no such argument; did you mean hidden_size?",
    ),
    ("arch.args.zzz", 9, "there are hidden_size, cell, dropout, clip, skip"),
    ("arch.args.normalisation", 9, "is set by the program: leave it out"),
    ("data_loader.args.seed", 9, "is set by the program: leave it out"),
    ("arch.args.hidden_size", "64", '= "64": a whole number from 1 to 8192'),
    ("arch.args.hidden_size", 64.0, "= 64.0: a whole number from 1 to 8192"),
    ("arch.args.hidden_size", True, "= true: a whole number from 1 to 8192"),
    ("arch.args.hidden_size", None, "= null: a whole number from 1 to 8192"),
    ("arch.args.hidden_size", 0, "= 0: a whole number from 1 to 8192"),
    ("arch.args.hidden_size", 8193, "= 8193: a whole number from 1 to 8192"),
    ("arch.args.hidden_size", [1], "= [1]: a whole number from 1 to 8192"),
    ("arch.args.dropout", 0.96, "= 0.96: a number from 0 to 0.95"),
    ("arch.args.dropout", "0.5", "a number from 0 to 0.95"),
    ("arch.args.clip", 0, "= 0: a number at least 1e-06 or null"),
    ("arch.args.cell", "lstm", 'arch.args.cell = "lstm": one of "LSTM", "GRU"'),
    ("arch.args.cell", 1, 'one of "LSTM", "GRU"'),
    ("arch.args.skip", 1, "arch.args.skip = 1: true or false"),
    ("data_loader.args.scales", 1, "scales = 1: a list, each a number from 0.5 to 2"),
    ("data_loader.args.scales.1", 3, "data_loader.args.scales.1 = 3: a number from 0.5"),
    ("data_loader.args.dataset", ..., "data_loader.args.dataset: is missing"),
    ("data_loader.args.dataset.type", "Line", "dataset.type = "),
    ("data_loader.args.dataset.args.root", 5, "dataset.args.root = 5: a string"),
    ("data_loader.args.dataset.args.origin", [1], "a list of 2, each a number"),
    ("data_loader.args.dataset.args.splits", [], "an object, each key"),
    ("data_loader.args.dataset.args.splits.tset", [], '= "tset": one of "train", "valid"'),
    ("data_loader.args.dataset.args.splits.train.1", 3, "splits.train.1 = 3: a string"),
    ("data_loader.args.preprocessing", {}, f"a list, each {NO_OBJECT}"),
    (
        "data_loader.args.preprocessing.0.args.threshold",
        ...,
        "data_loader.args.preprocessing.0.args.threshold: is missing: a number at least 0",
    ),
    ("data_loader.args.preprocessing.0.type", "SSE", "there are Cut"),
    (
        "data_loader.args.dataset.args.cache",
        "/",
        "cache: says where files are written: accepted on",
    ),
    ("optimizer.type", "LBFGS", "unknown type"),
    ("optimizer.type", "adam", "unknown type; did you mean Adam"),
    ("optimizer.args.lr", -1, "optimizer.args.lr = -1: a number at least 0"),
    ("optimizer.args.lr", "fast", "a number at least 0"),
    ("optimizer.args.betas", [0.9], "a list of 2, each a number from 0 to 1"),
    ("optimizer.args.betas", [0.9, 1.0], "Adam refuses it: Invalid beta parameter"),
    ("optimizer.args.momentum", 0.9, "Adam takes no such argument"),
    ("optimizer.args.params", [], "is set by the program"),
    ("lr_scheduler.type", "LambdaLR", "unknown type"),
    ("lr_scheduler.args.last_epoch", 4, "OneCycleLR takes no such argument"),
    ("lr_scheduler.args.pct_start", 2, "a number from 0 to 1"),
    ("lr_scheduler.args.anneal_strategy", "cosine", 'one of "cos", "linear"'),
    ("metrics", {"type": "SSE"}, f"a list, each {NO_OBJECT}"),
    ("metrics.0.type", "Unfinished", "unknown type"),
    ("metrics.0", "SSE", f'metrics.0 = "SSE": {NO_OBJECT}'),
    ("trainer.args.epochs", ..., "trainer.args.epochs: is missing: a whole number"),
    ("trainer.args.drawings", 10, "a whole number from 0 to 9"),
    ("trainer.args.model", 1, "is set by the program"),
    ("trainer.args.precision", "half", 'one of "float32", "bfloat16", "float16"'),
    ("trainer.args.monitor", "min valid_los", 'trainer.args.monitor = "min valid_los": "min NAME"'),
    ("trainer.args.monitor", "least sse", '"min NAME" or "max NAME"'),
]


@pytest.mark.parametrize(("key", "value", "message"), FAULTS)
def test_a_fault_names_file_key_value_and_what_would_be_right(key, value, message):
    fault = only_fault(changed(key, value))
    assert fault.startswith("c.json: ")
    assert message in fault


def test_the_sound_config_has_no_fault():
    assert faults(SOUND) == []
    assert faults(changed("lr_scheduler", None)) == []
    assert faults(changed("metrics", [])) == []
    assert faults(changed("trainer.args.monitor", "max valid_sse")) == []
    assert faults(changed("trainer.args.monitor", None)) == []


def test_what_a_constructor_refuses_is_a_fault():
    fault = only_fault(changed("arch.args", {"hidden_size": 1, "dropout": 0.5}))
    assert fault == "c.json: arch.args.dropout = 0.5: 0 with a single cell"


def test_the_trainer_is_asked_whether_its_schedule_fits():
    config = changed("lr_scheduler", {"type": "ReduceLROnPlateau"})
    fault = only_fault(config)
    assert fault.startswith("c.json: trainer.args.schedule_by")
    assert "ReduceLROnPlateau" in fault
    config["trainer"]["args"]["schedule_by"] = "epoch"
    assert faults(config) == []
    fault = only_fault(changed("trainer.args.truncate", 50))
    assert fault.startswith("c.json: trainer.args.truncate = 50: ")
    assert "steps_per_epoch" in fault


def test_all_faults_are_reported_together():
    config = changed("arch.args.hidden_size", "64")
    config["colour"] = 1
    config["arch"]["args"]["hiden"] = 1
    config["data_loader"]["args"]["batch_size"] = 0
    config["data_loader"]["args"]["dataset"]["type"] = "Nothing"
    config["optimizer"]["args"] = {"lr": -1, "eps": "small", "betas": [2, 2]}
    config["lr_scheduler"]["args"] = {"pct_start": -1}
    config["metrics"].append({"type": "Sse"})
    del config["loss"]
    config["trainer"]["args"]["epochs"] = "three"
    with pytest.raises(ConfigError) as error:
        ConfigParser(config, "c.json", [Override.parse("arch.args.cell=RNN")])
    keys = [
        *("colour", "arch.args.hidden_size", "arch.args.hiden", "arch.args.cell"),
        *("data_loader.args.batch_size", "data_loader.args.dataset.type"),
        *("optimizer.args.lr", "optimizer.args.eps", "optimizer.args.betas.0"),
        *("optimizer.args.betas.1", "lr_scheduler.args.pct_start", "loss"),
        *("metrics.1.type", "trainer.args.epochs"),
    ]
    assert sorted(fault.key for fault in error.value.faults) == sorted(keys)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{len(keys)} faults in the config"
    assert len(lines) == len(keys) + 1
    assert '  -o: arch.args.cell = "RNN": one of "LSTM", "GRU"' in lines


def test_long_and_odd_values_are_shown_on_one_short_line():
    fault = only_fault(changed("name", "x" * 1000))
    assert len(fault) < 250
    assert fault.count("\n") == 0
    assert "\x1b" not in only_fault(changed("name", "\x1b[31m\n"))
    assert "\x1b" not in only_fault(changed("\x1b[31m\n", 1))


JUNK = [None, True, 0, -1, 10**30, 0.5, 1e300, "", "x", [], [[]], {}, {"type": "Adam"}, {"a": 1}]


def every_key(values: Any, key: str = "") -> list[str]:
    if not isinstance(values, dict | list):
        return []
    pairs = values.items() if isinstance(values, dict) else enumerate(values)
    return [
        found
        for name, child in pairs
        for found in (f"{key}{name}", *every_key(child, f"{key}{name}."))
    ]


@pytest.mark.parametrize("key", every_key(SOUND))
def test_no_value_anywhere_raises_anything_but_a_config_error(key):
    outcomes = [bool(faults(changed(key, copy.deepcopy(junk)))) for junk in JUNK]
    assert any(outcomes)


# Files and checkpoints.


def test_a_config_is_read_from_its_file(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(SOUND))
    assert ConfigParser.from_file(path).config == SOUND


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b'{\n  "name": "a",\n  oops\n}', "line 3, column 3: not JSON: Expecting property name"),
        (b"", "line 1, column 1: not JSON: Expecting value"),
        (b'{"name": "a", "name": "b"}', "name = "),
        (b"[1]", "the config = [1]: an object with name, arch"),
    ],
)
def test_a_file_that_is_no_config_is_one_fault(tmp_path, content, message):
    path = tmp_path / "c.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        ConfigParser.from_file(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert len(error.value.faults) == 1


@pytest.mark.parametrize("arch", ["Network", ["Network"]])
@pytest.mark.parametrize("given", [None, {}, {"args": {"cell": "GRU"}}])
def test_a_network_that_a_checkpoint_does_not_describe_is_a_fault(tmp_path, arch, given):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(changed("arch", given)))
    with pytest.raises(ConfigError, match=r"c\.json: arch[. ]"):
        ConfigParser.from_file(path, arch=arch)


def test_a_network_that_a_checkpoint_describes_takes_the_arguments_of_the_file(tmp_path):
    path, arch = tmp_path / "c.json", SOUND["arch"]
    path.write_text(json.dumps(changed("arch", {"args": {"cell": "GRU", "clip": 5}})))
    config = ConfigParser.from_file(path, arch=arch).config
    assert config["arch"] == {"type": "Network", "args": {"dropout": 0, "clip": 5, "cell": "GRU"}}
    path.write_text(json.dumps(changed("arch", {"args": 5})))
    with pytest.raises(ConfigError, match=r"arch\.args = 5"):
        ConfigParser.from_file(path, arch=arch)


@pytest.mark.parametrize("size", [None, [60_000]])
def test_what_a_users_own_dataset_calls_size_may_be_anything(size):
    config = changed("data_loader.args.dataset.args.size", size)
    assert ConfigParser.from_checkpoint(config, "x.pth").config == config


def test_a_checkpoints_config_is_checked_like_a_files():
    assert ConfigParser.from_checkpoint(SOUND, "x.pth").config == SOUND
    with pytest.raises(ConfigError, match=r"^checkpoint x\.pth: arch\.type = \"os\.system\""):
        ConfigParser.from_checkpoint(changed("arch.type", "os.system"), "x.pth")
    with pytest.raises(ConfigError, match=r"^checkpoint x\.pth: name"):
        ConfigParser.from_checkpoint(changed("name", "../../etc"), "x.pth")
    with pytest.raises(ConfigError, match=r"^checkpoint x\.pth: .*cache: says where"):
        ConfigParser.from_checkpoint(changed("data_loader.args.dataset.args.cache", "/"), "x.pth")
    with pytest.raises(ConfigError, match=r"^checkpoint x\.pth: not only plain values"):
        ConfigParser.from_checkpoint(changed("arch.args.clip", torch.ones(1)), "x.pth")
    with pytest.raises(ConfigError, match=r"^checkpoint x\.pth: the config = null: an object"):
        ConfigParser.from_checkpoint(None, "x.pth")


def test_where_files_are_written_is_said_on_the_command_line_only():
    key = "data_loader.args.dataset.args.cache"
    config = ConfigParser(SOUND, "c.json", [Override.parse(f"{key}=elsewhere")])
    assert config.build("data_loader", 0, None).source.cache == "elsewhere"
    assert "cache" not in config.stored["data_loader"]["args"]["dataset"]["args"]
    assert config.stored == SOUND
    assert ConfigParser.from_checkpoint(config.stored, "x.pth").config == SOUND
    whole = {"type": "Lines", "args": {"cache": "elsewhere"}}
    assert faults(SOUND, f"data_loader.args.dataset={json.dumps(whole)}") == []


# Overrides.


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("arch.args.hidden_size=64", "arch.args.hidden_size", 64),
        ("arch.args.clip=null", "arch.args.clip", None),
        ("arch.args.cell=GRU", "arch.args.cell", "GRU"),
        ('arch.args.cell="GRU"', "arch.args.cell", "GRU"),
        ("name=a=b", None, None),
        ("data_loader.args.preprocessing.0.args.threshold=5", None, None),
        ("data_loader.args.scales.1=0.5", "data_loader.args.scales.1", 0.5),
        ("data_loader.args.preprocessing=[]", "data_loader.args.preprocessing", []),
        ("lr_scheduler=null", "lr_scheduler", None),
    ],
)
def test_an_override_sets_any_key(override, key, value):
    if override == "name=a=b":
        assert 'name = "a=b"' in only_fault(SOUND, override)
        return
    config = ConfigParser(SOUND, "c.json", [Override.parse(override)]).config
    key, text = key or override.partition("=")[0], override.partition("=")[2]
    assert config == changed(key, json.loads(text) if value is None else value)
    assert config != SOUND


def test_an_override_makes_args_where_an_object_has_none():
    config = changed("arch", {"type": "Network"})
    parsed = ConfigParser(config, "c.json", [Override.parse("arch.args.hidden_size=64")])
    assert parsed.config["arch"] == {"type": "Network", "args": {"hidden_size": 64}}
    assert config["arch"] == {"type": "Network"}


def test_the_last_of_several_overrides_counts():
    overrides = [Override.parse("arch.args.clip=1"), Override.parse("arch.args.clip=2")]
    assert ConfigParser(SOUND, "c.json", overrides).config["arch"]["args"]["clip"] == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("arc.args.clip=1", "-o: arc: no such key; did you mean arch?"),
        ("arch.args.clip.x=1", "-o: arch.args.clip.x: no such key"),
        ("arch.args.nested.x=1", "-o: arch.args.nested: no such key"),
        ("arch.args.hiden_size=64", "-o: arch.args.hiden_size = 64: Network takes no such"),
        ("metrics.1.type=SSE", "-o: metrics.1: no such key; there are 0"),
        ("metrics.x=1", "-o: metrics.x: no such key"),
        ("data_loader.args.scales.2=1", "-o: data_loader.args.scales.2: no such key"),
        ("=1", "-o:  = 1: unknown key"),
        ("arch..clip=1", "-o: arch.: no such key"),
        ("arch.args.clip=NaN", "-o: arch.args.clip = "),
        ("arch.args.clip=1e999", "-o: arch.args.clip = "),
        ('arch.args={"clip": 1, "clip": 2}', "-o: arch.args = "),
        ("arch.args.hidden_size=" + "9" * 5000, "-o: arch.args.hidden_size = "),
        ("optimizer=SGD", f'-o: optimizer = "SGD": {NO_OBJECT}'),
        ('arch={"type": "Network", "args": {"skip": 3}}', "-o: arch.args.skip = 3: true or false"),
    ],
)
def test_an_override_that_does_not_fit_is_named_with_its_option(override, message):
    assert only_fault(SOUND, override).startswith(message)


def test_shorthands_set_their_keys_and_are_named_in_faults():
    parser = options.Parser()
    options.add_overrides(parser, trains=True)
    command = ["--lr", "0.5", "-o", "arch.args.clip=1", "--bs", "4", "--epochs", "9"]
    overrides = parser.parse_args(command).overrides
    config = ConfigParser(SOUND, "c.json", overrides).config
    assert config["optimizer"]["args"]["lr"] == 0.5
    assert config["data_loader"]["args"]["batch_size"] == 4
    assert config["trainer"]["args"]["epochs"] == 9
    assert config["arch"]["args"]["clip"] == 1
    assert parser.parse_args([]).overrides == []
    overrides = parser.parse_args(["--lr", "-1", "--bs", "few"]).overrides
    with pytest.raises(ConfigError) as error:
        ConfigParser(SOUND, "c.json", overrides)
    assert [str(fault) for fault in error.value.faults] == [
        '--bs: data_loader.args.batch_size = "few": a whole number from 1 to 4096',
        "--lr: optimizer.args.lr = -1: a number at least 0",
    ]


@pytest.mark.parametrize("trains", [True, False])
def test_an_override_without_a_value_is_refused(trains):
    parser = options.Parser()
    options.add_overrides(parser, trains=trains)
    with pytest.raises(
        UserError, match=r"^argument -o/--override: -o 'arch\.args\.clip' is"
    ) as end:
        parser.parse_args(["-o", "arch.args.clip"])
    assert "is not KEY=VALUE, like arch.args.hidden_size=64" in str(end.value)


def test_the_help_shows_keys_defaults_and_examples():
    parser = options.Parser()
    options.add_overrides(parser, trains=True)
    text = " ".join(parser.format_help().split())
    for words in ("-o optimizer.args.lr=RATE", "--bs 16", "-o arch.args.hidden_size=64"):
        assert words in text
    assert text.count("(default: the config's)") == 5


# Optimisers and schedules.


def optimizer_of(config: ConfigParser) -> Optimizer:
    return config.build("optimizer", [torch.nn.Parameter(torch.ones(2))])


def test_every_optimiser_that_is_offered_works_and_no_other():
    offered = choices(Optimizer)
    assert {"Adam", "AdamW", "SGD", "RMSprop"} <= set(offered)
    assert not {"LBFGS", "SparseAdam", "Muon", "Optimizer"} & set(offered)
    for name in offered:
        config = changed("optimizer", {"type": name, "args": {"lr": 0.01}})
        config["lr_scheduler"] = None
        assert faults(config) == []


REQUIRED = {
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [2, 4]},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "CyclicLR": {"max_lr": 0.1},
}


def test_every_schedule_that_is_offered_works_and_no_other():
    offered = choices(LRScheduler)
    assert {"OneCycleLR", "ReduceLROnPlateau", "StepLR", "CosineAnnealingLR"} <= set(offered)
    assert not {"LRScheduler", "LambdaLR", "SequentialLR", "ChainedScheduler"} & set(offered)
    for name in offered:
        config = changed("lr_scheduler", {"type": name, "args": REQUIRED.get(name, {})})
        config["trainer"]["args"]["schedule_by"] = "epoch"
        parsed = ConfigParser(config, "c.json")
        schedule = parsed.build_scheduler(optimizer_of(parsed), 10)
        assert type(schedule) is offered[name]


def test_arguments_that_fit_only_together_are_tried_together():
    args = {"lr": 0.1, "nesterov": True, "momentum": 0.9}
    assert faults(changed("optimizer", {"type": "SGD", "args": args})) == []
    args["momentum"] = 0
    fault = only_fault(changed("optimizer", {"type": "SGD", "args": args}))
    assert fault.startswith("c.json: optimizer.args = ")


def test_a_schedule_is_tried_on_the_configs_optimiser():
    config = changed("optimizer", {"type": "Adagrad", "args": {}})
    assert "momentum" in only_fault(config)
    config["lr_scheduler"]["args"]["cycle_momentum"] = False
    assert faults(config) == []
    fault = only_fault(changed("lr_scheduler", {"type": "StepLR", "args": {"step_size": 0}}))
    assert "lr_scheduler.args.step_size = 0: a whole number at least 1" in fault


def rates(config: dict, steps: int) -> list[float]:
    parsed = ConfigParser(config, "c.json")
    optimizer = optimizer_of(parsed)
    schedule = parsed.build_scheduler(optimizer, steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_a_schedule_gets_its_length_and_its_rate_from_the_run():
    one_cycle = rates(changed("lr_scheduler.args", {"pct_start": 0.5}), 20)
    assert max(one_cycle) == pytest.approx(0.01)  # the optimiser's rate,
    assert np.argmax(one_cycle) == 9  # after half of the steps, counted from 0,
    assert one_cycle[-1] == pytest.approx(0.01 / 25 / 1e4)  # and torch's end after all
    cosine = rates(changed("lr_scheduler", {"type": "CosineAnnealingLR"}), 11)
    half = [0.005 * (1 + np.cos(np.pi * step / 11)) for step in range(11)]
    assert cosine == pytest.approx(half)
    polynomial = rates(changed("lr_scheduler", {"type": "PolynomialLR"}), 10)
    assert polynomial == pytest.approx([0.01 * (1 - step / 10) for step in range(10)])
    cyclic = changed("lr_scheduler", {"type": "CyclicLR", "args": {"max_lr": 0.1}})
    assert rates(cyclic, 3)[0] == pytest.approx(0.01)


def test_a_schedule_that_is_too_short_is_refused():
    parsed = ConfigParser(changed("lr_scheduler.args.total_steps", 99), "c.json")
    assert parsed.build_scheduler(optimizer_of(parsed), 99) is not None
    with pytest.raises(ConfigError) as error:
        parsed.build_scheduler(optimizer_of(parsed), 100)
    assert str(error.value) == (
        "c.json: lr_scheduler.args.total_steps = 99: at least the 100 steps of the run; "
        "or leave it out"
    )


def test_a_rise_of_no_length_is_refused_before_torch_divides_by_it():
    schedule = {"type": "OneCycleLR", "args": {"pct_start": 0.1}}
    parsed = ConfigParser(changed("lr_scheduler", schedule), "c.json")
    assert parsed.build_scheduler(optimizer_of(parsed), 11) is not None
    with pytest.raises(ConfigError, match=r"lr_scheduler.args = .*an empty phase over 10 steps"):
        parsed.build_scheduler(optimizer_of(parsed), 10)
    schedule["args"] = {"pct_start": 0.001}
    assert not faults(changed("lr_scheduler", schedule))  # of the run's own steps nothing is known
    schedule["args"] = {"pct_start": 0.1, "total_steps": 10}
    (fault,) = faults(changed("lr_scheduler", schedule))
    assert "an empty phase over 10 steps" in str(fault)


def test_the_rest_of_an_annotation_that_torch_hides_is_left_to_the_trial():
    assert faults(changed("lr_scheduler", {"type": "MultiStepLR", "args": {"milestones": 3}}))
    described = ConfigBinder().described(ConfigBinder().arguments(torch.optim.Adam).accepted["lr"])
    assert described == "a number at least 0"


def test_of_the_same_argument_that_of_the_file_counts(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(changed("arch", {"args": {"clip": 3}})))
    assert ConfigParser.from_file(path, arch=SOUND["arch"]).config["arch"]["args"]["clip"] == 3


def test_data_that_only_a_checkpoint_names_is_cached_in_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    key = "data_loader.args.dataset.args.root"

    def cache(root, *overrides):
        given = [Override.parse(text) for text in overrides]
        found = ConfigParser.from_checkpoint(changed(key, root), "x.pth", given)
        return found.build("data_loader", 0, None).source.cache

    outside = str(tmp_path / "shared" / "lines")
    for strange in (outside, "data/../lines"):
        assert cache(strange) == str(tmp_path / "home" / "online-handwriting")
    assert cache("data/lines") is None
    assert cache("data/lines", f"{key}={outside}") is None


def test_a_checkpoint_alone_does_not_ask_for_more_lines_than_a_limit(monkeypatch):
    class Made(Lines):
        def __init__(self, *, size: int = 1, joined: int = 0) -> None:
            self.made = size, joined

    package = types.SimpleNamespace(__all__=["Made"], Made=Made)
    monkeypatch.setattr(parse_config, "PACKAGES", (*parse_config.PACKAGES, package))

    def parsed(name, count, *overrides):
        config = changed("data_loader.args.dataset", {"type": "Made", "args": {name: count}})
        given = [Override.parse(text) for text in overrides]
        return ConfigParser.from_checkpoint(config, "x.pth", given)

    for name in ("size", "joined"):
        parsed(name, 50_000)
        key = f"data_loader.args.dataset.args.{name}"
        with pytest.raises(ConfigError, match=f"^checkpoint x.pth: {key} = 50001: .* at most 50,0"):
            parsed(name, 50_001)
        parsed(name, 50_001, f"{key}=50001")
