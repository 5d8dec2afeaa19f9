"""What an epoch has of sources by name."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pytest

from base.base_dataset import SPLITS, BaseDataset, Loaded
from commands.train.start import differing_values
from data_loader import EmbeddedDataset
from data_loader.recipe import Recipe, Source
from ink.sample import Sample
from parse_config import Plan, plan_of
from tests import tiny_config
from utils.checks import ConfigError, UserError

LOADER = "HandwritingDataLoader"
SIGNS = {"size": 4, "valid_size": 1, "test_size": 1, "signs": 1.0, "seed": 2}
LINES = {"size": 5, "valid_size": 2, "test_size": 2}
MINE = {"lines": {"type": "EmbeddedDataset", "args": LINES}}
BOTH = MINE | {"signs": {"type": "EmbeddedDataset", "args": SIGNS | {"like": "lines"}}}


def of_all(*names):
    """Return what each split takes: the same names."""
    return {split: [*names] for split in SPLITS}


EVERY = of_all("lines")


def plan(sources, **taken) -> Plan:
    """Return the plan of a config with sources."""
    args = {"sources": sources, "batch_size": 2} | EVERY | taken
    return plan_of(tiny_config.CONFIG | {"data_loader": {"type": LOADER, "args": args}}, "x.json")


def loaded(sources, splits=SPLITS, **taken) -> Loaded:
    return plan(sources, **taken).build("data_loader").dataset.load(splits)


@dataclass(eq=False)
class Counted(BaseDataset):
    """Two samples a split, which `writer` wrote; keeps which splits were loaded."""

    writer: str = ""
    former: BaseDataset | None = None
    loads: list[list[str]] = field(default_factory=list)

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        self.loads.append([*splits])
        ink = np.float32([[0, 0, 0], [1, 2, 1]])
        samples = {
            split: [Sample(ink, "a", f"{self.writer}{split}{n}", self.writer) for n in range(2)]
            for split in splits
        }
        if self.former:
            before = self.former.load(splits).samples
            samples = {split: before[split] + samples[split] for split in splits}
        return Loaded(samples, "counted", 1.0, fitted={"pace": 2.0})


def names(lines: list[Sample]) -> list[str]:
    return [line.name for line in lines]


def counted(**taken) -> tuple[Recipe, Counted, Counted]:
    """Return a recipe of a dataset and of another one that adds lines to it, and both."""
    first = Counted("ann")
    source = Source(first)
    second = Counted("ben", source)
    sources = {"first": source, "second": Source(second)}
    return Recipe(sources=sources, **taken), first, second


def test_a_source_is_loaded_once_for_all_sources_that_need_it():
    recipe, first, second = counted(train=["second"], valid=["first"])
    recipe.load()
    assert (first.loads, second.loads) == ([["train", "valid"]], [["train"]])


def test_a_source_that_only_training_needs_is_not_loaded_for_validation():
    recipe, first, second = counted(train=["second"], valid=["first"])
    recipe.load(["valid"])
    assert (first.loads, second.loads) == ([["valid"]], [])


def test_a_split_that_no_recipe_has_is_refused():
    recipe, first, _ = counted(train=["second"], valid=["first"])
    with pytest.raises(UserError, match="no split 'dev': there are train, valid, test"):
        recipe.load(["dev"]).split("dev")
    assert not first.loads


def test_a_sample_that_several_sources_have_is_once_in_a_split():
    recipe, _, _ = counted(train=["first", "second"], valid=["first"])
    lines = names(recipe.load().split("train"))
    assert lines == ["anntrain0", "anntrain1", "bentrain0", "bentrain1"]


def test_an_epoch_has_a_source_as_often_as_the_recipe_says():
    recipe, _, _ = counted(train=["second", {"first": 2}], valid=["first"])
    lines = names(recipe.load().split("train"))
    assert lines[2:] == ["bentrain0", "bentrain1", "anntrain0+1", "anntrain1+1"]


def test_the_report_is_a_table_of_sources_that_names_persons_of_two_splits():
    recipe, _, _ = counted(train=["first", {"second": 2}], valid=["second"])
    report = recipe.load().report
    assert "train first                   2           4        1        25.0%" in report
    assert "in train and valid are lines of 2 persons: ann, ben" in report


def test_fitted_arguments_have_keys_with_the_name_of_their_source():
    recipe, _, _ = counted(train=["second"], valid=["first"])
    assert recipe.load().fitted == {"first.args.pace": 2.0, "second.args.pace": 2.0}


def test_lines_like_those_of_a_source_lie_on_its_grid():
    source = Source(Counted("ann"))
    line = Source(EmbeddedDataset(**SIGNS), like=source).load(["train"]).split("train")[0]
    assert (line.ink[:, :2] % 1 == 0).all()


def test_an_earlier_source_can_be_named_at_any_depth_of_a_source():
    mixed = {"type": "MixedDataset", "args": {"dataset": "lines", "added": "signs"}}
    shaped = {"type": "ShapedDataset", "args": {"dataset": mixed}}
    both = loaded(BOTH | {"shaped": shaped}, train=["shaped"])
    assert len(both.split("train")) == LINES["size"] + SIGNS["size"]


def test_null_leaves_out_a_source_of_a_base():
    lines = loaded(MINE | {"signs": None}, train=["lines", "signs"])
    assert len(lines.split("train")) == LINES["size"]


SHAPED = {"type": "ShapedDataset", "args": {"dataset": "lines"}}
FAULTS = [
    ({"train": ["lines", "sings"]}, {}, r'train\.1 = "sings": names of sources: lines$'),
    ({"train": ["lines", {"lines": 2}]}, {}, r"train\.1 = .*is named twice"),
    ({"train": [{"lines": 0}]}, {}, r"train\.0\.lines = 0: a whole number from 1"),
    ({"valid": []}, {}, r"args\.valid: names of sources"),
    ({}, {"signs": MINE["lines"]}, r"sources\.signs: is not used"),
    ({"train": ["a b"]}, {"a b": SHAPED}, r"sources\.a b: a name of letters"),
    (
        {"train": ["b"]},
        {"a": MINE["lines"], "b": {"type": "ShapedDataset", "args": {"dataset": "c"}}, "c": SHAPED},
        r'b\.args\.dataset = "c": .* or a name before it: lines, a$',
    ),
    ({"train": ["a"]}, {"a": SHAPED | {"args": {"dataset": "a"}}}, r"or a name before it: lines$"),
]


@pytest.mark.parametrize(("taken", "more", "message"), FAULTS)
def test_a_fault_of_a_recipe_names_its_key(taken, more, message):
    with pytest.raises(ConfigError, match=message):
        plan(MINE | more, **taken).build("data_loader")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, r"args\.dataset: is missing"),
        (EVERY, r"args\.dataset: is missing"),
        (
            {"dataset": MINE["lines"], "sources": MINE} | EVERY,
            r"args\.dataset: .* with `sources`",
        ),
        ({"dataset": MINE["lines"], "train": ["lines"]}, r"args\.train: .*`sources`, which"),
    ],
)
def test_a_loader_has_either_a_dataset_or_sources(args, message):
    block = {"type": LOADER, "args": args}
    with pytest.raises(ConfigError, match=message):
        plan_of(tiny_config.CONFIG | {"data_loader": block}, "x.json").build("data_loader")


@pytest.mark.hand
def test_a_fitted_argument_of_a_source_does_not_hinder_resuming():
    hand = {"hand": {"type": "HandDataset", "args": {"root": "lines.json"}}}
    present = plan(hand, **of_all("hand"))
    former = present.with_values({"data_loader.args.sources.hand.args.step": 2.0})
    assert differing_values(present, former) == []
