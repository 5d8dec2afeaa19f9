"""The tour names files and functions that exist, and its drawing is the committed one."""

import ast
import re
from pathlib import Path

import pytest

from docs import make_picture

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
PLACE = re.compile(r"`(\S+\.\w+)`: ((?:`[\w.]+`(?:, )?)+)")
MAX_STOPS = 12
MAX_FILES = 50


def names_of(body, prefix=""):
    """Yield the names of functions, classes and constants, and those of a class's attributes."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from names_of(node.body, f"{node.name}.")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


def all_names(file):
    return {*names_of(ast.parse((ROOT / file).read_text(encoding="utf-8")).body)}


def test_each_name_that_a_stop_shows_is_in_its_file():
    places = PLACE.findall(PAGE)
    assert len(places) == len(re.findall(r"\.\w+`: `", PAGE)) > 30
    for file, names in places:
        assert {*re.findall(r"`([\w.]+)`", names)} <= all_names(file), file
    stops = re.findall(r"^### (\d+)\. ", PAGE, re.MULTILINE)
    assert stops == [str(number) for number in range(1, len(stops) + 1)]
    assert 6 < len(stops) <= MAX_STOPS
    paths = {*re.findall(r"`((?:\w+/)+[\w.]*)`", PAGE)}
    assert all((ROOT / path).exists() for path in paths), paths
    assert len([path for path in paths if (ROOT / path).is_file()]) <= MAX_FILES


def test_the_readme_shows_the_folders_of_the_code():
    (tree,) = re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shown = {path.rstrip("/") for line in tree.splitlines() for path in line[:18].split()}
    assert all((ROOT / path).exists() for path in shown), shown
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert packages - {"docs"} <= shown


def test_the_drawing_names_what_is_there_and_is_drawn_alike_each_time(tmp_path):
    for room, _ in make_picture.ROOMS:
        assert all((ROOT / path).exists() for path in room.split(", ")), room
    for _, room, name, _ in make_picture.WAY:
        folders = [ROOT / path for path in make_picture.ROOMS[room][0].split(", ")]
        files = [*folders, *(file for folder in folders for file in folder.rglob("*.py"))]
        names = (all_names(file) for file in files if file.suffix == ".py")
        assert any(name in {part.rpartition(".")[2] for part in parts} for parts in names), name
    for file in ("a.svg", "b.svg"):
        make_picture.write_svg(tmp_path / file, make_picture.tour_drawing())
    drawn, committed = (tmp_path / "a.svg").read_text(), (ROOT / "docs" / "tour.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    remedy = "run: python -m docs.make_picture tour.svg --update"
    assert texts_of(drawn) == texts_of(committed) and len(texts_of(drawn)) > 40, remedy


def texts_of(drawing):
    return re.findall(r">([^<>]*\w[^<>]*)</(?:text|tspan)>", drawing)


def test_pictures_are_written_beside_those_of_the_pages_unless_they_are_to_replace_them(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(make_picture, "FOLDER", tmp_path / "docs")
    for words, folder in (([], make_picture.OTHER_FOLDER), (["--update"], Path("docs"))):
        make_picture.main(["tour.svg", *words])
        assert [path.name for path in folder.iterdir()] == ["tour.svg"]
    with pytest.raises(SystemExit, match="2"):
        make_picture.main(["toor.svg"])
    assert "no picture toor.svg: written.png, " in capsys.readouterr().err
