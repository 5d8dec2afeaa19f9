"""Names of a user's class that clash with what its base needs are refused, others are not."""

import pytest
from tiny_run import ChunkTrainer, MeanPrediction, SquaredError, TinyModel, make
from torch import nn
from torch.optim import SGD

from base.base_transform import BaseTransform
from base.config import user_modules
from base.trial.names import check_member_names
from data_loader.sources.own_ink import OwnInk
from utils.checks import ConfigFault

PROJECT = ("torch", "base", "data_loader", "model", "trainer")


class Ink(OwnInk):
    def lines(self):
        return []


class Turn(BaseTransform):
    random = True


BASES = {
    "trainer": ChunkTrainer,
    "loss": SquaredError,
    "metric": MeanPrediction,
    "network": TinyModel,
    "dataset": Ink,
    "transform": Turn,
}


def made(tmp_path, kind, **members):
    """Return a part of a class with some members; `sets` are attributes set in its constructor."""
    sets, file = members.pop("sets", {}), tmp_path / "mine.py"
    lines = [
        "class Mine(base):",
        "    def __init__(self, *parts, **options):",
        "        super().__init__(*parts, **options)",
        *(f"        self.{name} = sets[{name!r}]" for name in sets),
    ]
    file.write_text("\n".join(lines))
    space = {"sets": sets, "base": BASES[kind], "__name__": __name__}
    exec(compile(file.read_text(), file, "exec"), space)
    cls = space["Mine"]
    for name, value in members.items():
        setattr(cls, name, value)
    return make(tmp_path, trainer=cls) if kind == "trainer" else cls()


def method(self):
    return 1


@pytest.mark.parametrize(
    ("kind", "members", "message"),
    [
        ("trainer", {"sets": {"state": {}}}, "a state of its own, which BaseTrainer needs"),
        ("trainer", {"sets": {"step": 0}}, "a step of its own, which BaseTrainer needs"),
        ("trainer", {"sets": {"loss": None}}, "a loss of its own, which BaseTrainer needs"),
        ("trainer", {"plain_layers": method}, "a plain_layers of its own, which BaseTrainer needs"),
        ("dataset", {"sets": {"files": ["a"]}}, "a files of its own, which OwnInk needs"),
        ("dataset", {"_path": method}, "a _path of its own, which SourceDataset needs"),
        ("dataset", {"make": method}, "a make of its own, which OwnInk needs"),
        ("dataset", {"load": True}, "a load of its own, which SourceDataset needs"),
        ("dataset", {"characters": method}, "a characters of its own, which BaseDataset needs"),
        ("network", {"sets": {"type": nn.Linear(1, 1)}}, "a type of its own, which Module needs"),
        (
            "network",
            {"sets": {"features": nn.Linear(1, 1)}},
            "a features .*, which BaseModel needs",
        ),
        ("network", {"vocabulary_axes": method}, "a vocabulary_axes .*, which BaseModel needs"),
        ("loss", {"sets": {"divisor": 5}}, "a divisor of its own, which BaseLoss needs"),
        ("metric", {"sets": {"compute": 5}}, "a compute of its own, which BaseMetric needs"),
        ("transform", {"sets": {"change": 5}}, "a change of its own, which BaseTransform needs"),
    ],
)
def test_a_name_that_a_base_needs_is_refused_by_both_names(tmp_path, kind, members, message):
    part = made(tmp_path, kind, **members)
    with pytest.raises(ConfigFault, match=rf'^key = "Mine": .*{message}'):
        check_member_names("key", part)


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("trainer", {"sets": {"path": "a", "samples": 0, "epochs": 3, "queue": [], "name": "b"}}),
        ("trainer", {"sets": {"forward_batch": print}, "plain_layers": True, "task": "x"}),
        (
            "dataset",
            {"sets": {"path": "a", "root": "b", "cache": {}, "subset": 3, "fractions": {}}},
        ),
        ("dataset", {"characters": "abc", "licence": "MIT", "unit": "rows", "describe": method}),
        ("dataset", {"characters": property(method), "x_height": 3.0}),
        (
            "network",
            {"sets": {"output": nn.Linear(1, 1), "extras": {}, "kind": "gru", "cache": {}}},
        ),
        ("network", {"needs_text": True, "head": "mine", "_forward": method}),
        ("loss", {"sets": {"weight": 1.0, "by_points": False}, "name": "mine"}),
        ("metric", {"names": ("a",), "sums": ("b",), "in_training": False}),
        ("transform", {"sets": {"degrees": 3.0}, "acts_on": "inputs"}),
    ],
)
def test_names_that_are_meant_to_be_set_pass_without_a_word(tmp_path, caplog, kind, members):
    check_member_names("key", made(tmp_path, kind, **members))
    assert not caplog.records


def test_an_optimiser_whose_step_torch_has_wrapped_passes(caplog):
    class Mine(SGD):
        pass

    optimizer = Mine(nn.Linear(1, 1).parameters())
    optimizer.step = method.__get__(optimizer)
    check_member_names("optimizer", optimizer)
    assert not caplog.records


NEAR = ("on_epoch", "plain_laye")


class Misspelt(ChunkTrainer):
    """Has names that are near to those of its bases; two of these are used."""

    plain_layer = True

    def on_epochs(self, row):
        self.on_starts()

    def on_starts(self):
        return getattr(self, "dry_runs", None)

    def dry_runs(self):
        pass


def test_a_name_that_nothing_uses_and_that_is_near_to_one_of_a_base_is_warned_of(tmp_path, caplog):
    check_member_names("trainer", make(tmp_path, trainer=Misspelt))
    said = sorted(record.getMessage().split(" ") for record in caplog.records)
    # A name that stands in this file after a point or a quotation mark would count as used.
    assert [words[0] for words in said] == [
        f"Misspelt.{name}{end}" for name, end in zip(NEAR, "sr", strict=True)
    ]
    assert [words[-2] for words in said] == ["on_epoch", "plain_layers"]


def test_a_part_of_the_project_is_not_looked_at(monkeypatch, tmp_path):
    part = made(tmp_path, "loss", sets={"divisor": 5})
    monkeypatch.setattr(user_modules, "is_any_from_user", lambda *_: False)
    check_member_names("loss", part)
