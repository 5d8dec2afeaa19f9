"""What the wheels have, and how imports become those of the package."""

import ast
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from online_handwriting import build

ROOT = Path(__file__).parents[2]
CODE = '''"""Text: import base."""
import os, base  # two
import apps.pages
import ink.formats as formats; import model
from base import (
    distributed,
)
from basement import wall
from . import base
def late():
    from train import main; import torch.nn
    return "from base import x"
'''
PREFIXED = '''"""Text: import base."""
import os; from online_handwriting import base  # two
import online_handwriting.apps.pages; from online_handwriting import apps
import online_handwriting.ink.formats as formats; from online_handwriting import model
from online_handwriting.base import (
    distributed,
)
from basement import wall
from . import base
def late():
    from online_handwriting.train import main; import torch.nn
    return "from base import x"
'''


def test_imports_of_rooms_get_the_name_of_the_package_on_their_lines():
    assert build.prefixed(CODE.encode()).decode() == PREFIXED


def test_no_import_of_a_room_is_left_in_any_file():
    names = {*build.rooms(), "train", "experiments", "parse_config"}
    assert {"apps", "base", "ink", "utils"} <= names and "tests" not in names
    for name in build.packed_files():
        if name.endswith(".py"):
            source = (ROOT / name).read_bytes()
            code = build.prefixed(source)
            assert len(code.splitlines()) == len(source.splitlines())
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.Import):
                    assert not {alias.name.partition(".")[0] for alias in node.names} & names
                elif isinstance(node, ast.ImportFrom):
                    assert str(node.module).partition(".")[0] not in names or node.level


def test_the_packages_have_what_git_has_and_nothing_else():
    """All of a room but what needs a checkout, and all that is shipped in `saved`."""
    if not (ROOT / ".git").exists():
        pytest.skip("there is no git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    tracked = set(listed.splitlines())
    packed = [*build.packed_files()]
    assert len(packed) == len({*packed})
    rooms = {*build.rooms(), "configs"}
    of_rooms = {name for name in tracked if name.partition("/")[0] in rooms}
    left_out = {name for name in of_rooms - {*packed} if not name.startswith(build.LEFT_OUT)}
    assert {Path(name).suffix for name in left_out} <= {".ts"}
    assert {*packed} <= tracked | {"LICENSE"}
    shipped = {name for name in tracked if name.startswith("saved/")}
    assert {*build.open_files(), *build.research_files()} == shipped
    assert not {*build.open_files()} & {*build.research_files()} - {build.CARD_FILE}


def test_a_persons_own_files_are_not_packed(tmp_path, monkeypatch):
    """A checkout without git, as an archive gives it, in which somebody has worked."""
    for name in ("base/__init__.py", "base/a.py", "apps/__init__.py", "utils/b.js", "train.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    for name in ("saved/styles/mine.json", "apps/plugins/node_modules/c.js", "data/d.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(build, "PROJECT", tmp_path)
    names = {*build.packed_files()} - {*build.open_files(), *build.PACKED_SCRIPTS, "LICENSE"}
    assert names == {"base/__init__.py", "base/a.py", "apps/__init__.py"}


def test_our_distributions_are_named_to_pip_with_their_place():
    """No index has them: by a name alone, pip would install what somebody else registers."""
    for file in ("pyproject.toml", "online_handwriting/research/pyproject.toml"):
        project = tomllib.loads((ROOT / file).read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        for requirement in [*project.get("dependencies", ()), *chain(*extras)]:
            assert not re.match(r"online[-_.]handwriting", requirement), requirement
    name = r"(?<![\w/.])online-handwriting(?>[\w-]*(?:\[[^]]*\])?)"
    named_alone = re.compile(rf"pip install [^\n`]*{name}(?! @)")
    assert named_alone.search('pip install --find-links dist "online-handwriting[research]"')
    texts = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *map(ROOT.joinpath, build.packed_files()),
    ]
    for path in texts:
        if path.suffix in (".py", ".md"):
            assert not (match := named_alone.search(path.read_text())), (path, match)


@pytest.mark.slow
def test_an_editable_installation_says_what_to_do_instead():
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "-e", str(ROOT)], capture_output=True, text=True)
    assert done.returncode
    assert (
        "An editable installation is not possible, and not needed: in the checkout" in done.stderr
    )
    assert "Traceback" not in done.stderr
