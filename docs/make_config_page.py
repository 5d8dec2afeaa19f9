"""Fills docs/config.md with every key of a config, from the constructors and their docstrings.

python -m docs.make_config_page            (from the root of the project)

In each section of the page the text above the mark is kept, and the text below the mark is made.
"""

import inspect
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import get_args

from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform
from base.config import torch_parts
from base.config.signatures import owners
from parse_config import BLOCKS, choices, config_binder

PAGE = Path(__file__).with_name("config.md")
MARK = "<!-- made by docs/make_config_page.py -->\n"
HEAD = "| key | value | default | meaning |\n|---|---|---|---|"
SECTIONS = {**BLOCKS, "dataset": BaseDataset, "transform": BaseTransform}
"""The annotation of a section's values in a config, by the section's title."""
ENTRY = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", re.MULTILINE)
"""Names in the "Args" of a docstring, and their descriptions."""
IN_JSON = {"None": "`null`", "null": "`null`", "True": "`true`", "False": "`false`"}


def rows(cls: type) -> list[str]:
    """Return a row of a table for each key that a config may set of `cls`."""
    binder, meaning, table = config_binder(), meanings(cls), []
    arguments = binder.arguments(cls)
    for name, annotation in arguments.accepted.items():
        default = "required"
        if name in arguments.defaults:
            default = f"`{json.dumps(arguments.defaults[name])}`"
        values = binder.described(annotation)
        cells = [f"`{name}`", values, default, meaning.get(name, "")]
        table.append(f"| {' | '.join(cells)} |")
    return table


def meanings(cls: type) -> dict[str, str]:
    """Return the "Args" of a class's docstring; where it refers to a base, the base's "Args"."""
    sentences: dict[str, str] = {}
    for owner in owners(cls):
        text = inspect.cleandoc(vars(owner).get("__doc__") or "")
        _, _, section = text.partition("\nArgs:\n")
        section, _, _ = section.partition("\n\n")
        for names, meaning in ENTRY.findall(section):
            if meaning.startswith("see `"):
                continue
            meaning = re.sub(r"\b(None|null|True|False)\b", lambda m: IN_JSON[m[0]], meaning)
            for name in names.split(", "):
                sentences.setdefault(name, " ".join(meaning.split()))
    return sentences


def tables(classes: list[type]) -> str:
    """Return tables of the keys of classes; keys that classes share follow in a common table."""
    sharing: dict[str, list[str]] = defaultdict(list)
    for cls in classes:
        for row in rows(cls):
            sharing[row].append(f"`{cls.__name__}`")
    shared: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row, names in sharing.items():
        shared[tuple(names)].append(row)
    lines = []
    for names in sorted(shared, key=len):
        lines += [f"### {', '.join(names)}", "", HEAD, *shared[names], ""]
    return "\n".join(lines)


def filled(page: str) -> str:
    """Return the text of the page with its present tables."""
    head, *sections = page.split("\n## ")
    for number, section in enumerate(sections):
        annotation = SECTIONS[section.partition("\n")[0]]
        base, *_ = get_args(annotation) or (annotation,)
        classes = [cls for cls in choices(base).values() if cls not in torch_parts.offered()]
        lines = [f"{section.partition(MARK)[0]}{MARK}"]
        for cls in classes:
            summary = inspect.getdoc(cls).partition("\n\n")[0]
            lines.append(f"- `{cls.__name__}`: {' '.join(summary.split())}")
        sections[number] = "\n".join([*lines, "", tables(classes)])
    return "\n## ".join([head, *sections])


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
