"""Fills docs/config.md with every key of a config, from the constructors and their docstrings.

python -m docs.make_config_page            (from the root of the project)

In each section of the page, the text above `MARK` is kept, and the text below `MARK` is replaced.
"""

import inspect
import json
import re
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import get_args

from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform
from base.config import torch_parts
from parse_config import BLOCKS, config_binder

PAGE = Path(__file__).with_name("config.md")
MARK = "<!-- made by docs/make_config_page.py -->\n"
HEAD = "| key | value | default | meaning |\n|---|---|---|---|"
SECTIONS = {**BLOCKS, "dataset": BaseDataset, "transform": BaseTransform}
"""For the title of each section, the annotation of the section's values in a config."""
ENTRY = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", re.MULTILINE)
"""Matches an entry in the "Args" of a docstring; its groups are the names and their description."""
IN_JSON = {"None": "`null`", "null": "`null`", "True": "`true`", "False": "`false`"}


def rows(cls: type) -> list[str]:
    """Return a row of a table for each argument of `cls` that a config may set."""
    binder = config_binder()
    descriptions = meanings(cls)
    table = []
    for name, argument in binder.registry.signature(cls).arguments.items():
        default = "required"
        if argument.default is not argument.empty:
            default = f"`{json.dumps(argument.default)}`"
        values = binder.described(argument.annotation)
        cells = [f"`{name}`", values, default, descriptions.get(name, "")]
        table.append(f"| {' | '.join(cells)} |")
    return table


def meanings(cls: type) -> dict[str, str]:
    """Return the description of each argument of a class, from the "Args" of its docstring or,
    where these do not describe the argument, of those of its base classes and its settings."""
    descriptions: dict[str, str] = {}
    settings = config_binder().registry.signature(cls).settings.values()
    for owner in (*cls.__mro__, *chain.from_iterable(kind.__mro__ for kind in settings)):
        text = inspect.cleandoc(vars(owner).get("__doc__") or "")
        _, _, section = text.partition("\nArgs:\n")
        section, _, _ = section.partition("\n\n")
        for names, description in ENTRY.findall(section):
            if description.startswith("see `"):
                continue
            pattern = r"\b(None|null|True|False)\b"
            description = re.sub(pattern, lambda match: IN_JSON[match[0]], description)
            for name in names.split(", "):
                descriptions.setdefault(name, " ".join(description.split()))
    return descriptions


def tables(classes: list[type]) -> str:
    """Return a table of keys for each class, and for each group of classes that share keys."""
    names_by_row: dict[str, list[str]] = defaultdict(list)
    for cls in classes:
        for row in rows(cls):
            names_by_row[row].append(f"`{cls.__name__}`")
    rows_by_names: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row, names in names_by_row.items():
        rows_by_names[tuple(names)].append(row)
    lines = []
    for names in sorted(rows_by_names, key=len):
        lines += [f"### {', '.join(names)}", "", HEAD, *rows_by_names[names], ""]
    return "\n".join(lines)


def filled(page: str) -> str:
    """Return the text of the page with new summaries and tables in each section."""
    registry = config_binder().registry
    head, *sections = page.split("\n## ")
    for number, section in enumerate(sections):
        annotation = SECTIONS[section.partition("\n")[0]]
        base, *_ = get_args(annotation) or (annotation,)
        all_classes = (registry.chosen(base, name) for name in registry.choices(base))
        # The documentation of torch describes its own classes.
        classes = [cls for cls in all_classes if cls not in torch_parts.SIGNATURES]
        lines = [f"{section.partition(MARK)[0]}{MARK}"]
        for cls in classes:
            summary = inspect.getdoc(cls).partition("\n\n")[0]
            lines.append(f"- `{cls.__name__}`: {' '.join(summary.split())}")
        sections[number] = "\n".join([*lines, "", tables(classes)])
    return "\n## ".join([head, *sections])


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
