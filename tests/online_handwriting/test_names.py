"""The names for users, and modules that have two names in a checkout."""

import ast
import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import online_handwriting

ROOT = Path(__file__).parents[2]
ROOMS = ("apps", "ink", "model")


def in_a_new_process(code):
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["base.base_metric", "online_handwriting.base.base_metric"])
def test_a_module_of_a_room_is_one_module_by_both_names(first):
    in_a_new_process(
        f"import {first}, sys, base.base_metric as own\n"
        "import online_handwriting.base.base_metric as named\n"
        "import online_handwriting.parse_config, parse_config\n"
        "from online_handwriting import base as room, train\n"
        "assert own is named and own.__spec__.name == own.__name__ == 'base.base_metric'\n"
        "assert sys.modules['base'] is room and train.__name__ == 'train'\n"
        "assert online_handwriting.parse_config is parse_config\n"
    )


@pytest.mark.parametrize("name", ["nothing", "tests", "torch", "base.nothing", "configs"])
def test_what_is_no_module_of_a_room_is_not_found(name):
    with pytest.raises(ModuleNotFoundError, match=f"No module named 'online_handwriting.{name}'"):
        import_module(f"online_handwriting.{name}")


def beside(folder, code):
    """Run code in a folder, where Python finds the folder's modules before the checkout's."""
    options = {"env": os.environ | {"PYTHONPATH": str(ROOT)}, "capture_output": True, "text": True}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, **options)


@pytest.mark.parametrize(
    ("file", "code", "is_run"),
    [
        ("utils.py", "import online_handwriting", False),
        ("utils/__init__.py", "import utils, online_handwriting", True),
        # A room imports this one.
        ("ink/__init__.py", "from online_handwriting import PageOptions", False),
        ("ink.py", "import ink; from online_handwriting import PageOptions", True),
        ("parse_config.py", "from online_handwriting import parse_config", False),
        ("train.py", "from online_handwriting import train", False),
    ],
)
def test_a_module_from_elsewhere_with_the_name_of_a_room_is_refused_and_not_run(
    tmp_path, file, code, is_run
):
    other = tmp_path / file
    other.parent.mkdir(exist_ok=True)
    other.write_text("print('run')")
    done = beside(tmp_path, code)
    assert done.stdout == "run\n" * is_run
    room = file.partition("/")[0].removesuffix(".py")
    own = ROOT / (file if room in ("parse_config", "train") else f"{room}/__init__.py")
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"ImportError: {room} is {other}, and should be {own}: rename"), error


def test_a_persons_own_script_with_the_name_of_a_script_is_left_alone(tmp_path):
    (tmp_path / "train.py").write_text("print('run')")
    code = "import online_handwriting, train; from online_handwriting import PageOptions"
    done = beside(tmp_path, code)
    assert (done.stdout, done.stderr) == ("run\n", "")


def test_a_folder_of_data_with_the_name_of_a_room_gives_way_to_the_room(tmp_path):
    (tmp_path / "utils").mkdir()
    assert not beside(tmp_path, "import online_handwriting").stderr


def test_importing_takes_no_torch_and_leaves_the_path_as_it_is():
    in_a_new_process(
        "import sys; path = [*sys.path]; import online_handwriting as oh; assert sys.path == path\n"
        "assert not {'torch', 'numpy'} & sys.modules.keys()\n"
        "oh.read, oh.PageOptions; assert 'torch' not in sys.modules\n"
    )


def test_all_names_are_typed_and_each_is_what_its_home_says():
    face = ast.parse((ROOT / "online_handwriting" / "__init__.pyi").read_text())
    typed = {"load": "model.loading"}
    for node in face.body:
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in (
            "apps",
            "ink",
            "model",
        ):
            typed |= {alias.asname: node.module for alias in node.names}
    assert sorted(typed) == sorted(online_handwriting.__all__)
    for name, module in typed.items():
        assert getattr(online_handwriting, name) is getattr(import_module(module), name)
    overloads = [node for node in face.body if isinstance(node, ast.FunctionDef)]
    for function in overloads:
        arguments = [*function.args.args, *function.args.kwonlyargs]
        names = [argument.arg for argument in arguments]
        assert names == [*inspect.signature(online_handwriting.load).parameters]
