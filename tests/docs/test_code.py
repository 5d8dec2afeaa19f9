"""Walks through the code name functions and classes that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = re.compile(r"`(\S+\.py)`: ((?:`[\w.]+`(?:, )?)+)")


def names_of(body, prefix=""):
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from names_of(node.body, f"{node.name}.")


def test_each_step_of_a_walk_is_in_its_file():
    page = (ROOT / "docs" / "code.md").read_text()
    steps = PLACE.findall(page)
    assert len(steps) == page.count(".py`: ") > 30
    for file, names in steps:
        present = {*names_of(ast.parse((ROOT / file).read_text()).body)}
        assert {*re.findall(r"`([\w.]+)`", names)} <= present, file
