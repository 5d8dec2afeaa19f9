"""Fills docs/config.md with every key of a config, from the constructors and their docstrings.

python -m docs.make_config_page            (from the root of the project)

What stands above the mark in a section of the page is kept, what stands below it is made.
"""

import inspect
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from base import torch_blocks
from base.base_data_loader import BaseDataLoader
from base.base_dataset import BaseDataset
from base.base_loss import BaseLoss
from base.base_metric import BaseMetric
from base.base_model import BaseModel
from base.base_trainer import BaseTrainer
from base.base_transform import BaseTransform
from parse_config import choices, config_binder

PAGE = Path(__file__).with_name("config.md")
MARK = "<!-- made by docs/make_config_page.py -->\n"
SECTIONS = {
    "arch": BaseModel,
    "data_loader": BaseDataLoader,
    "dataset": BaseDataset,
    "transform": BaseTransform,
    "optimizer": Optimizer,
    "lr_scheduler": LRScheduler,
    "loss": BaseLoss,
    "metrics": BaseMetric,
    "trainer": BaseTrainer,
}
"""By the title of a section: the base of its classes."""


class Key(NamedTuple):
    """A row of a table."""

    name: str
    values: str
    default: str
    meaning: str


def keys(cls: type) -> list[Key]:
    """Return what a config may set of `cls`; a meaning is empty where no docstring has it."""
    binder = config_binder()
    found = binder.arguments(cls)
    said = meanings(cls)
    return [
        Key(
            f"`{name}`",
            binder.described(annotation),
            f"`{json.dumps(found.defaults[name])}`" if name in found.defaults else "required",
            said.get(name, ""),
        )
        for name, annotation in found.accepted.items()
    ]


def meanings(cls: type) -> dict[str, str]:
    """Return the "Args" of a class's docstring, and where it refers to a base, of its bases'."""
    found: dict[str, str] = {}
    for owner in cls.__mro__:
        _, _, section = inspect.cleandoc(vars(owner).get("__doc__") or "").partition("\nArgs:\n")
        section = section.partition("\n\n")[0]
        for names, words in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", section, re.M):
            if not words.startswith("see `"):
                for name in names.split(", "):
                    found.setdefault(name, _as_in_json(" ".join(words.split())))
    return found


def _as_in_json(words: str) -> str:
    """Name Python's constants as JSON does."""
    named = {"None": "null", "True": "true", "False": "false"}
    return re.sub(r"\b(None|null|True|False)\b", lambda m: f"`{named.get(m[0], m[0])}`", words)


def tables(classes: list[type]) -> str:
    """Return the keys of classes; what several of them share stands in one table, behind theirs."""
    sharing: dict[Key, list[str]] = defaultdict(list)
    for cls in classes:
        for key in keys(cls):
            sharing[key].append(cls.__name__)
    shared: dict[tuple[str, ...], list[Key]] = defaultdict(list)
    for key, names in sharing.items():
        shared[tuple(names)].append(key)
    lines = []
    for names, rows in sorted(shared.items(), key=lambda pair: len(pair[0])):
        lines += [f"### {', '.join(f'`{name}`' for name in names)}", ""]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
        lines.append("")
    return "\n".join(lines)


def own(base: type) -> list[type]:
    """Return the project's classes that a config may name for `base`."""
    return [cls for cls in choices(base).values() if not torch_blocks.offers(cls)]


def filled(page: str) -> str:
    """Return the text of the page with its tables of today."""
    head, *sections = page.split("\n## ")
    for number, section in enumerate(sections):
        classes = own(SECTIONS[section.partition("\n")[0]])
        lines = [f"{section.partition(MARK)[0]}{MARK}"]
        for cls in classes:
            first = inspect.getdoc(cls).partition("\n\n")[0]
            lines.append(f"- `{cls.__name__}`: {' '.join(first.split())}")
        sections[number] = "\n".join([*lines, "", tables(classes)])
    return "\n## ".join([head, *sections])


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
