"""Faults of a config come together, each with its key, its value and what is accepted."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import model
from base.base_loss import BaseLoss
from base.base_sampler import BaseSampler
from base.config import user_modules
from base.config.torch_parts import with_groups
from base.config.values import parse_override, read_config, with_network
from base.trial.constructors import TRIAL_ARGUMENTS
from model import SynthesisNetwork
from model.generation.generators import GenerationNetwork, SynthesisSettings
from model.generation.loss import NegativeLogLikelihood
from parse_config import (
    Plan,
    grouped_weights,
    plan_from_checkpoint,
    plan_from_file,
    plan_of,
)
from tests import tiny_config
from trainer import GenerationTrainer
from utils.checks import ConfigError, UserError

CONFIG = json.loads((Path(__file__).parents[1] / "configs" / "iam_conditional.json").read_text())
CONFIG["optimizer"] = {"type": "Adam", "args": {"lr": 0.01, "betas": [0, 0.999]}}
CONFIG["lr_scheduler"] = {"type": "OneCycleLR", "args": {"pct_start": 0.1}}
DATASET = "data_loader.args.sources.iam"


def changed(key: str, value: Any) -> dict:
    """Return the sound config with another value at a dotted key; `...` removes it."""
    return tiny_config.changed(CONFIG, {key: value})


def parsed(config: Any, *overrides: str) -> Plan:
    plan = plan_of(config, "c.json", [parse_override(text) for text in overrides])
    plan.try_constructors()
    return plan


def faults(config: Any, *overrides: str) -> list:
    try:
        parsed(config, *overrides)
    except ConfigError as error:
        return error.faults
    return []


def only_fault(config: Any, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        parsed(config, *overrides)
    assert len(error.value.faults) == 1, str(error.value)
    return str(error.value)


def test_a_sound_config_builds_the_objects_that_it_names():
    config = parsed(changed("arch.args", {"hidden_size": 8, "dropout": 0, "num_windows": 2}))
    units = {name: TRIAL_ARGUMENTS[name] for name in ("normalisation", "alphabet")}
    network = config.build("arch", **units)
    assert type(network) is SynthesisNetwork and network.alphabet == TRIAL_ARGUMENTS["alphabet"]
    loader = config.build("data_loader")
    names = [type(step).__name__ for step in loader.preprocessing]
    assert names == ["FillMissing", "CutLongSteps"]
    dataset = loader.dataset.sources["iam"].dataset
    assert dataset.splits["valid"] == ["testset_v"]
    assert [metric.names[0] for metric in config.build("metrics")] == ["sse"]
    optimizer = config.build("optimizer", params=network.parameters())
    assert optimizer.param_groups[0]["betas"] == (0.0, 0.999)
    dataset.splits["train"].append("x")
    assert config.config["data_loader"] == CONFIG["data_loader"]


NO_OBJECT = 'an object {"type": ..., "args": {...}}'
WHOLE = "a whole number from 1 to 8192"
GROUP = 'an object {"names": [...], "args": {...}, "from_step": ...}'
BETAS = {"betas": [0.9, 1.0]}
UNMONITORED = {"epochs": 1, "monitor": None, "early_stop": 2}
FAULTS = [
    *(("name", name, "letters, digits") for name in ("../up", ".hidden", "", 5, ...)),
    ("colour", 1, "colour = 1: unknown key; there are name, arch"),
    ("los", 1, "los = 1: unknown key; did you mean loss?"),
    ("arch", ..., f"arch: is missing: {NO_OBJECT}"),
    ("lr_scheduler", 3, f"lr_scheduler = 3: {NO_OBJECT} or null"),
    ("arch.arg", {}, 'arch.arg = {}: unknown key; an object has "type" and "args"'),
    ("arch.type", ..., "arch.type: is missing; there are AttentionNetwork"),
    ("arch.type", "SYNTHESISNET", 'arch.type = "SYNTHESISNET": unknown type; did you mean Synth'),
    ("arch.type", "os.system", "unknown type; there are AttentionNetwork"),
    ("arch.args", 7, "arch.args = 7: an object of arguments"),
    ("arch.args.hiden_size", 9, "hiden_size = 9: SynthesisNetwork takes no such argument; did you"),
    ("arch.args.normalisation", 9, "is set by the program: leave it out"),
    *(("arch.args.hidden_size", x, f"{WHOLE}") for x in ("64", True, None, 8193)),
    ("arch.args.clip_lstm_gradient", 0, "= 0: a number at least 1e-06 or null"),
    (f"{DATASET}.args.splits.train.1", 3, "splits.train.1 = 3: one of"),
    (f"{DATASET}.args.cache", "/", "cache: sets a folder to write to: accepted only as -o"),
    ("data_loader.args.preprocessing.1.args.threshold", ..., "preprocessing.1.args.threshold: is"),
    ("data_loader.args.augmentation", [{"type": "Scale", "args": {"low": 2, "high": 1}}], "0.args"),
    ("optimizer.args.lr", -1, "optimizer.args.lr = -1: a number from 0 to 1000000"),
    ("optimizer.args.betas", [0.9], "a list of 2, each a number from 0 to 1"),
    ("optimizer.args.betas", [0.9, 1.0], "Adam refuses it: Invalid beta parameter"),
    ("optimizer.groups", {}, f"optimizer.groups = {{}}: a list, each {GROUP}"),
    ("optimizer.groups", [3], f"optimizer.groups.0 = 3: {GROUP}"),
    ("optimizer.groups", [{"names": ["*"], "args": 3}], "groups.0.args = 3: an object of argum"),
    ("optimizer.groups", [{"names": "*"}], 'groups.0.names = "*": a list, each a string'),
    ("optimizer.groups", [{"from_step": 3}], "groups.0.names: is missing: a list, each a string"),
    ("optimizer.groups", [{"names": ["*"], "from_step": -1}], "= -1: a whole number at least 0"),
    ("optimizer.groups", [{"names": ["*"], "lr": 1}], "groups.0.lr = 1: unknown key; a group has"),
    ("optimizer.groups", [{"names": ["*"], "args": {"wd": 0}}], "wd = 0: Adam takes no such arg"),
    ("optimizer.groups", [{"names": ["*"], "args": BETAS}], "0.args = {"),
    ("optimizer.groups", [{"names": ["*", "out.*"]}], '1 = "out.*": no weight has such a name'),
    ("optimizer.groups", [{"names": ["*"]}, {"names": ["*.bias"]}], "1.names = ["),
    ("loss.groups", [], 'loss.groups = []: unknown key; an object has "type" and "args"'),
    ("lr_scheduler.args.last_epoch", 4, "OneCycleLR takes no such argument"),
    ("lr_scheduler", {"type": "ReduceLROnPlateau"}, "trainer.args.schedule_by = "),
    ("metrics.0.type", "BaseMetric", "unknown type"),
    ("trainer.args.monitor", "min valid_los", 'trainer.args.monitor = "min valid_los": "min NAME"'),
    ("trainer.args.truncate", 50, "trainer.args.truncate = 50: with truncation"),
    ("trainer.args", UNMONITORED, "early_stop = 2: null, because nothing is monitored"),
    ("\x1b[31m\n", 1, r"\x1b[31m\n = 1: unknown key"),
]


@pytest.mark.parametrize(("key", "value", "message"), FAULTS)
def test_a_fault_names_its_file_key_value_and_what_is_accepted(key, value, message):
    fault = only_fault(changed(key, value))
    assert fault.startswith("c.json: ") and message in fault
    assert fault.isprintable() and len(fault) < 400


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("lr_scheduler", None), ("metrics", []), ("trainer.args.monitor", "max valid_sse")),
        ("arch.args", {"num_layers": 16, "hidden_size": 8192}),  # 32 GB, if it were allocated
    ],
)
def test_settings_that_fit_give_no_fault(key, value):
    assert faults(CONFIG) == [] and faults(changed(key, value)) == []


def test_all_faults_are_reported_together():
    wrong = {
        **{"colour": 1, "arch.args.hidden_size": "64", "arch.args.hiden": 1, "loss": ...},
        **{f"{DATASET}.type": "Nothing", "data_loader.args.batch_size": 0},
        **{"optimizer.args.lr": -1, "optimizer.args.betas.0": 2, "optimizer.args.betas.1": 2},
        **{"lr_scheduler.args.pct_start": -1, "metrics.0.type": "Sse"},
    }
    with pytest.raises(ConfigError) as error:
        parsed(tiny_config.changed(CONFIG, wrong), "arch.args.cell=RNN")
    keys = [*wrong, "arch.args.cell"]
    assert sorted(fault.key for fault in error.value.faults) == sorted(keys)
    lines = str(error.value).splitlines()
    assert lines[0] == f"c.json: {len(keys)} faults" and len(lines) == len(keys) + 1
    assert '  -o: arch.args.cell = "RNN": one of "LSTM", "GRU"' in lines
    assert len(str(error.value)) < 2000


def test_an_own_class_with_the_name_of_a_class_of_the_project_is_refused(monkeypatch):
    class PredictionNetwork(model.PredictionNetwork):
        pass

    monkeypatch.setattr(user_modules, "classes", lambda: [PredictionNetwork])
    expected = (
        r"test_parse_config\.py: model\.generation\.generators also has a class PredictionNetwork"
    )
    with pytest.raises(UserError, match=expected):
        parsed(CONFIG)


# Files and checkpoints.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b'{\n  "name": "a",\n  oops\n}', "line 3, column 3: not JSON: Expecting property name"),
        (b'{"name": "a", "name": "b"}', 'name = "b": stands twice'),
        (b"[1]", "the config = [1]: an object with name, arch"),
    ],
)
def test_a_file_that_holds_no_config_is_a_single_fault(tmp_path, content, message):
    path = tmp_path / "c.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        plan_from_file(path).checked()
    assert str(error.value).startswith(f"{path}: {message}") and len(error.value.faults) == 1


def in_files(folder: Path, *configs: Any, arch: Any = None) -> Plan:
    """Write configs into files, a.json, b.json and so on, and read the first."""
    for name, config in zip("abcdefg", configs, strict=False):
        (folder / f"{name}.json").write_text(json.dumps(config))
    values, bases = read_config(folder / "a.json")
    return plan_of(with_network(values, arch), str(folder / "a.json"), bases=bases).checked()


def test_a_config_takes_from_its_base_what_it_does_not_set_itself(tmp_path):
    other = {"type": "SGD", "args": {"lr": 0.5}}
    own = {"base": "b.json", "arch": {"args": {"hidden_size": 8}}, "optimizer": other}
    own |= {"lr_scheduler": None, "data_loader": {"args": {"preprocessing": []}}}
    between = {"base": "c.json", "arch": {"args": {"hidden_size": 4, "cell": "GRU"}}, "name": "b"}
    expected = changed("data_loader.args.preprocessing", [])
    expected |= {"name": "b", "optimizer": other, "lr_scheduler": None}
    expected["arch"]["args"] |= {"hidden_size": 8, "cell": "GRU"}
    assert in_files(tmp_path, own, between, CONFIG).config == expected


def test_faults_name_the_file_in_which_they_stand(tmp_path):
    wrong = changed("arch.args", {"hidden_size": "64", "cell": "RNN", "num_layers": 0})
    wrong["loss"] = {"type": "Loss"}
    own = {"base": "b.json", "arch": {"args": {"num_layers": 2, "dropout": 7}}}
    with pytest.raises(ConfigError) as error:
        in_files(tmp_path, own, wrong)
    lines = sorted(
        line.strip().replace(f"{tmp_path}/", "") for line in str(error.value).split("\n")
    )
    starts = ("a.json: 4 f", "arch.args.dropout", "b.json: arch.args.cell", "b.json: arch.args.hid")
    assert all(map(str.startswith, lines, [*starts, 'b.json: loss.type = "Loss": unknown']))


def test_arguments_of_the_type_before_an_override_are_named_with_their_remedy(tmp_path):
    weighted = changed("loss", {"type": "SquaredError", "args": {"pen_weight": 1.0}})
    own, other = {"base": "b.json"}, "loss.type=NegativeLogLikelihood"
    plan = in_files(tmp_path, own, weighted)
    with pytest.raises(ConfigError) as error:
        plan.with_overrides([parse_override(other)]).checked()
    said = str(error.value).replace(f"{tmp_path}/", "")
    assert said.startswith("-o: loss.args.pen_weight = 1.0: NegativeLogLikelihood takes no such")
    assert said.endswith("; b.json has it for another type: -o loss.args={} leaves out all "
                         "arguments there")  # fmt: skip
    overrides = [parse_override(text) for text in (other, "loss.args={}")]
    assert plan.with_overrides(overrides).checked().config["loss"]["args"] == {}


def test_a_base_that_cannot_be_used_is_a_single_fault(tmp_path):
    for configs, message in [
        ([{"base": "x.json"}], 'a.json: base = "x.json": x.json: cannot be read: No such file'),
        ([{"base": "b.json"}, {"base": 5}], "b.json: base = 5: a config file, relative to"),
        ([{"base": ["b.json"]}, {}], 'a.json: base = ["b.json"]: a config file, relative to'),
        ([{"base": "b.json"}, [1]], 'base = "b.json": a file with an object'),
        ([{"base": "b.json"}, {"base": "./a.json"}], "its own base: a.json -> b.json -> a.json"),
    ]:
        with pytest.raises(ConfigError) as error:
            in_files(tmp_path, *configs)
        assert message in str(error.value).replace(f"{tmp_path}/", "")


def test_a_config_of_the_project_is_found_by_its_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plan_from_file("conditional").resolved_config["name"] == "conditional"
    Path("my.json").write_text('{"base": "conditional", "name": "my"}')
    assert plan_from_file("my.json").resolved_config["arch"]["type"] == "SynthesisNetwork"
    for name, message in (
        ("conditionl", "no such file, nor a config of the project; did you mean conditional"),
        ("none.json", "cannot be read: No such file"),
        ("configs/conditional", "cannot be read: No such file"),
        ("a" * 300, "cannot be read: File name too long"),
    ):
        with pytest.raises(ConfigError, match=message):
            plan_from_file(name)
    Path("conditional").write_text('{"name": "mine"}')
    with pytest.raises(ConfigError, match="conditional: "):
        plan_from_file("conditional").checked()  # the file first


@pytest.mark.parametrize("given", [None, ..., {"args": {"cell": "GRU"}}])
def test_a_missing_network_is_reported_with_all_other_faults(tmp_path, given):
    config = tiny_config.changed(CONFIG, {"arch": given, "colour": 1})
    with pytest.raises(ConfigError, match=r"arch.*; or -r CHECKPOINT, whose network is") as error:
        in_files(tmp_path, config)
    assert [fault.key.partition(".")[0] for fault in error.value.faults] == ["colour", "arch"]
    config = in_files(tmp_path, changed("arch", given), arch=CONFIG["arch"]).config
    assert config["arch"]["type"] == CONFIG["arch"]["type"]


def test_arguments_in_a_config_change_those_of_the_network_of_a_checkpoint(tmp_path):
    args = {"cell": "GRU", "num_windows": 5}
    config = in_files(tmp_path, changed("arch", {"args": args}), arch=CONFIG["arch"]).config
    assert config["arch"] == CONFIG["arch"] | {"args": CONFIG["arch"]["args"] | args}
    with pytest.raises(ConfigError, match=r"arch\.args = 5"):
        in_files(tmp_path, changed("arch", {"args": 5}), arch=CONFIG["arch"])


class Forgetful(SynthesisNetwork):
    def __init__(
        self,
        normalisation,
        alphabet,
        *,
        sizes: tuple = (),
        bound=None,
        settings: SynthesisSettings,
    ):
        settings = replace(settings, clip_lstm_gradient=bound and bound + 1)
        super().__init__(normalisation, alphabet, settings=settings)


class Vast(SynthesisNetwork):
    def __init__(self, normalisation, alphabet, *, settings: SynthesisSettings):
        raise SystemError("error return without exception set")


@dataclass(frozen=True, kw_only=True)
class StretchedSettings(SynthesisSettings):
    stretch: float = 0.1
    shrink: float = 2.0


class Stretched(SynthesisNetwork):
    def __init__(self, normalisation, alphabet, *, settings: StretchedSettings):
        settings = replace(settings, stretch=settings.stretch / settings.shrink)
        super().__init__(normalisation, alphabet, settings=settings)


class Unfinished(GenerationNetwork):
    """It has no forward."""


class Demanding(NegativeLogLikelihood):
    def __init__(self, alphabet): ...


class Pinned(NegativeLogLikelihood):
    def __init__(self, model):
        super().__init__()
        self.weight = model.decoder.weight


class Nameless(BaseLoss):
    head = "mixture"

    def __call__(self, output, batch): ...

    def divisor(self, batch): ...


class Unmade(SynthesisNetwork):
    def __init__(self, normalisation, alphabet, *, settings: SynthesisSettings):
        super().__init__(normalisation, alphabet, settings=settings)
        self.later = nn.Linear(2, 2, device="meta")


class Unsized(SynthesisNetwork):
    def __init__(self, normalisation, alphabet, *, settings: SynthesisSettings):
        super().__init__(normalisation, alphabet, settings=settings)
        self.later = nn.LazyLinear(2)


class Diving(torch.optim.SGD):
    def __init__(self, params, *, lr: float = 1.0):
        super().__init__(params, lr=lr)

    def step(self, closure=None):
        self.param_groups[0]["params"][0].grad /= {"lr": 0.1}["rate"]


class Settingless(GenerationTrainer):
    def __init__(self, parts): ...


class Paced(torch.optim.SGD):
    def __init__(self, params, *, lr: float = 1.0, pace: float = 1.0):
        self.pace = pace
        super().__init__(params, lr=lr)


class Baseless(nn.Module):
    """Named almost as a network of the project."""


class Stuck(LRScheduler):
    def __init__(self, optimizer, total_steps):
        self.length = total_steps
        super().__init__(optimizer)

    def get_lr(self):
        return self.base_lrs if self.last_epoch < 1 else self.base_lrs[1]


class Diverging(Stuck):
    def get_lr(self):
        return [rate * (9 - self.last_epoch) for rate in self.base_lrs]


class Unsaved(Stuck):
    def get_lr(self):
        self.rule = lambda step: 1.0
        return self.base_lrs


@pytest.mark.parametrize(
    ("key", "cls", "message"),
    [
        ("loss", Demanding, 'loss.type = "Demanding": a class whose parameters before * are among'),
        ("metrics.0", Demanding, '"Demanding": a class that inherits from BaseMetric (of base.bas'),
        ("arch", Baseless, "a class that inherits from BaseModel (of base.base_model); that of "),
        ("lr_scheduler", Baseless, "a class that inherits from LRScheduler (of torch.optim."),
        ("loss", Pinned, "ended in AttributeError: 'SynthesisNetwork' object has no"),
        (
            "arch",
            Unmade,
            "makes each weight, also later.weight: no lazy layers, nor any on the device",
        ),
        ("arch", Unsized, '"Unsized": one whose constructor makes each weight, also later.weight'),
        ("loss", Nameless, "unique names of letters, digits and _, not None"),
        ("trainer", Settingless, "one whose constructor takes `settings: TrainingSettings` after"),
        ("optimizer", Diving, 'optimizer = "Diving": an optimiser that makes steps: trying it end'),
        ("lr_scheduler", Stuck, 'lr_scheduler = "Stuck": a schedule that makes steps: trying it e'),
        ("lr_scheduler", Diverging, "one whose rates are plain numbers >= 0, not [-0.0"),
        ("lr_scheduler", Unsaved, 'lr_scheduler = "Unsaved": one whose load_state_dict takes what'),
    ],
)
def test_an_own_part_that_cannot_be_used_is_a_fault_before_data_loads(
    monkeypatch, key, cls, message
):
    monkeypatch.setattr(user_modules, "classes", lambda: [cls])
    assert message in only_fault(changed(key, {"type": cls.__name__}))


@pytest.mark.parametrize(
    ("cls", "args", "message"),
    [
        (Forgetful, {"sizes": [1]}, "sizes = [1]: no value fits its annotation <class 'tuple'>; "),
        (Forgetful, {"bound": "x"}, "its constructor ended in TypeError: can only concatenate str"),
        (Vast, {}, 'arch.type = "Vast": not enough memory: SystemError: error return without'),
        (Unfinished, {}, "abstract class Unfinished "),
    ],
)
def test_own_classes_that_cannot_be_made_are_faults(monkeypatch, cls, args, message):
    monkeypatch.setattr(user_modules, "classes", lambda: [cls])
    assert message in only_fault(changed("arch", {"type": cls.__name__, "args": args}))


def test_the_defaults_of_settings_of_ones_own_are_resolved(monkeypatch):
    monkeypatch.setattr(user_modules, "classes", lambda: [Stretched])
    config = parsed(changed("arch", {"type": "Stretched", "args": {"hidden_size": 5}}))
    arguments = config.resolved_config["arch"]["args"]
    expected = {"hidden_size": 5, "stretch": 0.1, "shrink": 2.0, "num_layers": 3}
    assert arguments.items() >= expected.items()
    assert parsed(config.resolved_config).resolved_config == config.resolved_config
    assert config.try_constructors().stretch == 0.05


class Sampling(BaseSampler):
    def __init__(self, lengths, *, fraction: float = 0.5):
        self.count = int(fraction * len(lengths))

    def batches(self, epoch):
        return [[n] for n in range(self.count)]


def test_a_sampler_is_checked_with_the_config_and_made_when_the_lengths_are_known(monkeypatch):
    monkeypatch.setattr(user_modules, "classes", lambda: [Sampling])
    key = "data_loader.args.sampler"
    config = parsed(changed(key, {"type": "Sampling"}))
    assert config.resolved_config["data_loader"]["args"]["sampler"]["args"] == {"fraction": 0.5}
    assert config.build("data_loader").sampler(lengths=range(9), hands=None).count == 4
    unknown = only_fault(changed(key, {"type": "Sampler"}))
    assert f'{key}.type = "Sampler": unknown type' in unknown and "Sampling" in unknown
    wrong = {"type": "Sampling", "args": {"fraction": "all"}}
    assert f'{key}.args.fraction = "all": a number' in only_fault(changed(key, wrong))
    assert only_fault(changed(key, "Sampling")).endswith('{"type": ..., "args": {...}} or null')


def test_the_folder_of_a_cache_is_not_stored_with_a_config():
    config = parsed(CONFIG, f"{DATASET}.args.cache=elsewhere")
    loader = config.build("data_loader")
    assert loader.dataset.sources["iam"].dataset.cache == "elsewhere"
    assert (
        config.given_config == CONFIG == plan_from_checkpoint(config.given_config, "x.pth").config
    )
    whole = {"type": "IAMOnDBDataset", "args": {"cache": "elsewhere"}}
    assert faults(CONFIG, f"{DATASET}={json.dumps(whole)}") == []


@pytest.mark.parametrize(("root", "home"), [("data/../lines", True), ("data/lines", False)])
def test_data_that_only_a_checkpoint_names_is_cached_at_home(tmp_path, monkeypatch, root, home):
    """Nobody's checkpoint writes into a folder of its choice; one's own -o does."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    config, key = changed(f"{DATASET}.args.root", root), f"{DATASET}.args.root"
    for overrides in ([], [parse_override(f"{key}={root}")]):
        plan = plan_from_checkpoint(config, "x.pth", overrides)
        expected = str(tmp_path / "home" / "online-handwriting")
        args = plan.config["data_loader"]["args"]["sources"]["iam"]["args"]
        assert args.get("cache") == (expected if home and not overrides else None)
        assert plan.given_config == config


# Overrides.


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("arch.args.hidden_size=64", 64),
        ("arch.args.clip_lstm_gradient=null", None),
        ("arch.args.cell=GRU", "GRU"),
        ('arch.args.cell="GRU"', "GRU"),
        ("data_loader.args.preprocessing.1.args.threshold=5", 5),
        ("metrics=[]", []),
    ],
)
def test_an_override_sets_any_key_and_the_last_counts(override, value):
    key, _, _ = override.partition("=")
    assert parsed(CONFIG, f"{key}=0", override).config == changed(key, value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("name=a=b", '-o: name = "a=b": letters'),
        ("arc.args.cell=1", "-o: arc: no such key; did you mean arch?"),
        ("arch.args.cell.x=1", "-o: arch.args.cell.x: no such key"),
        ("metrics.1.type=SSE", "-o: metrics.1: no such key; there are 0"),
        ("=1", "-o:  = 1: unknown key"),
        ("arch..clip=1", "-o: arch.: no such key"),
        ("optimizer=SGD", f'-o: optimizer = "SGD": {NO_OBJECT}'),
        ('arch={"type": "CTCNetwork", "args": {"x": 3}}', "-o: arch.args.x = 3: CTCNetwork takes"),
    ],
)
def test_an_override_that_does_not_fit_is_named_with_its_option(override, message):
    assert only_fault(CONFIG, override).startswith(message)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("arch.args.dropout=NaN", 'arch.args.dropout = "NaN": no finite number'),
        ('arch.args={"cell": 1, "cell": 2}', r"arch.args = .*: stands twice in one object"),
    ],
)
def test_an_override_is_refused_when_json_does_not_allow_its_value(override, message):
    with pytest.raises(UserError, match=message):
        parse_override(override)


# Optimisers and schedules.


def schedule_of(block: dict[str, Any], steps: int) -> tuple[Optimizer, LRScheduler]:
    """Return the config's optimiser and a schedule of it."""
    config = parsed(changed("lr_scheduler", block), "trainer.args.schedule_by=epoch")
    optimizer = config.build("optimizer", params=[torch.nn.Parameter(torch.ones(2, 2))])
    return optimizer, config.build("lr_scheduler", optimizer=optimizer, steps=steps)


def test_arguments_that_fit_only_together_are_checked_together():
    args = {"lr": 0.1, "nesterov": True, "momentum": 0.9}
    assert faults(changed("optimizer", {"type": "SGD", "args": args})) == []
    fault = only_fault(changed("optimizer", {"type": "SGD", "args": args | {"momentum": 0}}))
    assert "optimizer.args = {" in fault and "SGD refuses it: Nesterov" in fault
    # The schedule goes by the optimiser's momentum as well.
    config = changed("optimizer", {"type": "Adagrad"})
    assert "lr_scheduler.args = {" in only_fault(config)
    assert faults(config, "lr_scheduler.args.cycle_momentum=false") == []


def test_an_argument_of_a_group_is_one_that_an_own_optimiser_has_for_each_group(monkeypatch):
    monkeypatch.setattr(user_modules, "classes", lambda: [Paced])
    groups = [{"names": ["*.bias"], "args": {"lr": 0.1}}, {"names": ["*"], "args": {"pace": 2}}]
    config = changed("optimizer", {"type": "Paced", "groups": groups})
    config["lr_scheduler"] = None
    expected = "groups.1.args.pace = 2.0: Paced has it for all weights alike: its param_groups"
    assert expected in only_fault(config)


GROUPS = [
    {"names": ["*.bias*"], "args": {"weight_decay": 0.5}},
    {"names": ["layers.0.*", "*.bias"], "args": {"lr": 0.001}, "from_step": 7},
]


def test_weights_are_grouped_by_the_first_pattern_that_matches_their_names():
    small = {"hidden_size": 4, "num_windows": 2}
    config = parsed(tiny_config.changed(CONFIG, {"arch.args": small, "optimizer.groups": GROUPS}))
    network = config.build("arch", **TRIAL_ARGUMENTS)
    optimizer = config.build("optimizer", params=grouped_weights(config, network))
    names = {id(weight): name for name, weight in network.named_parameters()}
    rest, biases, first = (
        [names[id(weight)] for weight in group["params"]] for group in (optimizer.param_groups)
    )
    assert sorted(rest + biases + first) == sorted(names.values())
    assert biases == [name for name in names.values() if ".bias" in name]
    assert first == [name for name in names.values() if "layers.0." in name and ".bias" not in name]
    options = ("lr", "weight_decay", "from_step", "betas")
    assert [[group.get(option) for option in options] for group in optimizer.param_groups] == [
        [0.01, 0, None, (0.0, 0.999)],
        [0.01, 0.5, 0, (0.0, 0.999)],
        [0.001, 0, 7, (0.0, 0.999)],
    ]
    # Without other weights there is no other group.
    config = parsed(
        tiny_config.changed(CONFIG, {"arch.args": small, "optimizer.groups": [{"names": ["*"]}]})
    )
    assert len(grouped_weights(config, network)) == 1


@pytest.mark.parametrize(
    ("kind", "args"),
    [("OneCycleLR", {}), ("CosineAnnealingLR", {}), ("StepLR", {"step_size": 3})],
)
def test_a_schedule_scales_the_rates_of_all_groups(kind, args):
    schedule = {"type": kind, "args": args}
    config = parsed(
        tiny_config.changed(CONFIG, {"lr_scheduler": schedule, "optimizer.groups": GROUPS})
    )
    weights = [[torch.nn.Parameter(torch.ones(2))] for _ in range(3)]
    optimizer = config.build("optimizer", params=with_groups(config["optimizer"], weights))
    schedule, rates = config.build("lr_scheduler", optimizer=optimizer, steps=9), set()
    for _ in range(8):
        optimizer.step()
        schedule.step()
        whole, *others = (group["lr"] for group in optimizer.param_groups)
        assert others == pytest.approx([whole, whole / 10])
        rates.add(whole)
    assert len(rates) > 2


def test_one_rate_of_a_schedule_is_not_taken_for_groups_with_several():
    config = tiny_config.changed(CONFIG, {"optimizer.groups": GROUPS})
    expected = "max_lr = 0.1: a list of 3: the rate of the weights of no group, and of each group;"
    assert expected in only_fault(config, "lr_scheduler.args.max_lr=0.1")
    assert faults(config, "lr_scheduler.args.max_lr=[0.1, 0.1, 0.2]") == []


def test_a_schedule_gets_its_length_and_its_rate_from_the_run():
    optimizer, one_cycle = schedule_of({"type": "OneCycleLR"}, 20)
    assert one_cycle.total_steps == 20
    assert optimizer.param_groups[0]["max_lr"] == pytest.approx(0.01)
    assert schedule_of({"type": "CosineAnnealingLR"}, 11)[1].T_max == 11
    assert schedule_of({"type": "PolynomialLR", "args": {"power": 2}}, 10)[1].total_iters == 10
    cyclic = schedule_of({"type": "CyclicLR", "args": {"max_lr": 0.1}}, 3)[1]
    assert cyclic.base_lrs == [0.01]


@pytest.mark.parametrize(
    ("args", "steps", "message"),
    [
        ({"total_steps": 99}, 100, r"args\.total_steps = 99: at least the 100 steps of the run"),
        ({"pct_start": 0.1}, 10, r"lr_scheduler\.args = .*10 steps leave no phase empty"),
        ({"pct_start": 0.1, "total_steps": 10}, 10, r"\.args = .*10 steps leave no phase empty"),
    ],
)
def test_a_schedule_that_does_not_fit_the_run_is_refused(args, steps, message):
    schedule_of({"type": "OneCycleLR", "args": args | {"total_steps": 99}}, 99)
    with pytest.raises(ConfigError, match=message):
        schedule_of({"type": "OneCycleLR", "args": args}, steps)


def test_faults_of_constructors_are_reported_with_faults_of_values_and_each_once():
    narrow = {"type": "Scale", "args": {"low": 2, "high": 1}}
    wrong = {"colour": 1, "optimizer.args.betas": [0.9, 1.0]}
    wrong |= {"data_loader.args.augmentation": [narrow, narrow]}
    keys = [fault.key for fault in faults(tiny_config.changed(CONFIG, wrong))]
    key = "data_loader.args.augmentation"
    assert keys == ["colour", f"{key}.0.args.low", f"{key}.1.args.low", "optimizer.args"]
