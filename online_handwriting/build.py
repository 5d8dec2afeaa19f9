"""Makes the wheels, for setuptools: the rooms of the checkout become modules of this package.

The names of the rooms are too general to be installed, so their imports of each other get the
package's name before them. Each stays on its line. This file imports no room: while a wheel is
built, the checkout is not on the path.

`python online_handwriting/build.py FOLDER` makes a folder with the source of the second
distribution, whose networks and styles are for research only.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from sysconfig import get_platform
from tempfile import TemporaryDirectory

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
PACKED_SCRIPTS = ("experiments.py", "parse_config.py", "train.py")
LEFT_OUT = (
    *("apps/datasets", "apps/plugins/excalidraw", "apps/plugins/node_modules"),
    *("apps/plugins/obsidian", "apps/web/libc", "engine/build", "engine/examples"),
)
"""Folders of rooms that need a checkout."""
PACKED_SUFFIXES = {
    *(".py", ".json", ".npz", ".txt", ".md", ".c", ".h", ".lua", ".ini"),
    *(".html", ".css", ".js", ".svg", ".wasm"),
}
"""The suffixes of the files of rooms."""

OPEN_FILES = {
    "pretrained": "digit_0 digits eye open_reader open_writer",
    "styles": "broad clear narrow plain round slanted spread upright wide",
}
"""The networks, and the styles of `open_writer`, that may be used for anything."""
RESEARCH_FILES = {
    "pretrained": "conditional reader recognition unconditional writer",
    "styles": "backward flowing joined linked narrow plain quick rolling round slanted tall wide",
}
"""The networks and styles for non-commercial research."""
LIBRARY_FILE = "libhandwriting.so"
COMPILES = sys.platform == "linux" and all(map(shutil.which, ("cc", "make")))
"""Whether the wheel has the engine compiled; else it is compiled when it is first used."""
CARD_FILE = "saved/pretrained/README.md"


def open_files() -> list[str]:
    """Return the files of `saved` in the first distribution, by their paths in the checkout."""
    files = [f"saved/styles/open_{name}.json" for name in OPEN_FILES["styles"].split()]
    others = ("alphabets.json", "descriptor.npz", "letters.json", "open_reader.bin")
    others += ("open_writer.bin",)
    files += [f"saved/pretrained/{name}" for name in others]
    return [CARD_FILE, *files, *_networks(OPEN_FILES)]


def research_files() -> list[str]:
    """Return the files of `saved` in the second distribution, by their paths in the checkout."""
    files = [f"saved/styles/{name}.json" for name in RESEARCH_FILES["styles"].split()]
    return [CARD_FILE, *files, "saved/pretrained/hands.npz", *_networks(RESEARCH_FILES)]


def _networks(names: dict[str, str]) -> list[str]:
    paths = (f"saved/pretrained/{name}" for name in names["pretrained"].split())
    return [f"{path}{suffix}" for path in paths for suffix in (".pth", ".csv")]


def rooms() -> list[str]:
    """Return the names of the rooms."""
    return sorted(path.parent.name for path in PROJECT.glob("*/__init__.py") if path.parent != HERE)


def packed_files() -> Iterator[str]:
    """Yield the files that the wheel has below the package, by their paths in the checkout: of
    those that git has, which an sdist has alone."""
    tracked = None
    if (PROJECT / ".git").exists():
        command = ["git", "ls-files", "-z"]
        listed = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True).stdout
        tracked = {*listed.decode().split("\0")}
    yield from ("LICENSE", *PACKED_SCRIPTS, *open_files())
    for room in ("configs", "engine", *rooms()):
        for path in sorted((PROJECT / room).rglob("*")):
            name = path.relative_to(PROJECT).as_posix()
            is_packed = path.suffix in PACKED_SUFFIXES and not name.startswith(LEFT_OUT)
            if is_packed and (tracked is None or name in tracked):
                yield name


def prefixed(source: bytes) -> bytes:
    """Return Python code in which imports of the rooms name them as modules of the package."""
    names = {*rooms(), *(script.removesuffix(".py") for script in PACKED_SCRIPTS)}
    lines = source.splitlines(keepends=True)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        line = lines[node.lineno - 1]
        start = node.col_offset
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            if str(node.module).partition(".")[0] in names:
                end = start + len("from ")
                lines[node.lineno - 1] = line[:end] + f"{HERE.name}.".encode() + line[end:]
        elif isinstance(node, ast.Import) and node.lineno == node.end_lineno:
            statements = list[str]()
            for alias in node.names:
                statements += _imports(alias, names)
            end = node.end_col_offset
            lines[node.lineno - 1] = line[:start] + "; ".join(statements).encode() + line[end:]
    return b"".join(lines)


def _imports(alias: ast.alias, names: set[str]) -> list[str]:
    """Return the statements of `import NAME` or `import NAME as OTHER`."""
    room, _, inner = alias.name.partition(".")
    renamed = f" as {alias.asname}" if alias.asname else ""
    if room not in names:
        return [f"import {alias.name}{renamed}"]
    whole = f"import {HERE.name}.{alias.name}{renamed}"
    # Without another name, the statement binds the room.
    bound = [] if renamed else [f"from {HERE.name} import {room}"]
    return [whole, *bound] if inner or renamed else bound


class BuildPy(build_py):
    """Writes the package, and below it the rooms."""

    def run(self) -> None:
        shutil.rmtree(Path(self.build_lib, HERE.name), ignore_errors=True)  # of a former build
        super().run()
        for name in packed_files():
            target = Path(self.build_lib, HERE.name, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(".py"):
                target.write_bytes(prefixed((PROJECT / name).read_bytes()))
            else:
                shutil.copyfile(PROJECT / name, target)
        if COMPILES:
            make = ["make", "-s", "-C", str(PROJECT), "engine"]
            with TemporaryDirectory() as folder:
                if subprocess.run([*make, f"ENGINE_BUILD={folder}"]).returncode == 0:
                    target = Path(self.build_lib, HERE.name, "engine", LIBRARY_FILE)
                    shutil.copyfile(Path(folder, LIBRARY_FILE), target)
        face = Path(self.build_lib, HERE.name, "__init__.pyi")
        face.write_bytes(prefixed(face.read_bytes()))

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules = super().find_package_modules(package, package_dir)
        return [(room, name, file) for room, name, file in modules if name != "build"]

    def get_source_files(self) -> list[str]:
        tools = (f"{HERE.name}/build.py", "Makefile")
        return [*super().get_source_files(), *tools, *packed_files()]


class Wheel(bdist_wheel):
    """A wheel for this kind of machine, if it has the compiled engine."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, platform = super().get_tag()
        if COMPILES:
            platform = re.sub(r"\W", "_", get_platform())
        return python, abi, platform


class EditableWheel(editable_wheel):
    """Refuses an editable installation."""

    def run(self) -> None:
        sys.exit(
            "An editable installation is not possible, and not needed: in the checkout `make "
            "install` installs what the program needs, and `python experiments.py` starts it."
        )


def write_research(folder: Path) -> None:
    """Write the source of the second distribution into a new folder."""
    shutil.copytree(HERE / "research", folder)
    package = folder / "online_handwriting_research"
    package.mkdir()
    (package / "__init__.py").write_text('"""Networks and styles for non-commercial research."""\n')
    for name in research_files():
        target = package / Path(name).relative_to("saved")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(PROJECT / name, target)


if __name__ == "__main__":
    write_research(Path(sys.argv[1]))
