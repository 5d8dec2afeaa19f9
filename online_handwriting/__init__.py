"""Networks that write and read handwriting as the movement of a pen.

    from online_handwriting import load, write_page

    write_page("Dear Anna,").save("letter.pdf")
    print(load("reader").read(load("writer").write("Hello")))

The names of this module and `online_handwriting.base` are for users; other modules may move. In a
checkout, `online_handwriting.base` is the module `base`.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


class _Checkout(MetaPathFinder, Loader):
    """Finds the rooms of a checkout, which lie beside this folder, as modules of this package.

    Refuses a module from elsewhere that has the name of a room, before the module is run.
    """

    def __init__(self) -> None:
        scripts = {path.stem: path for path in HERE.parent.glob("*.py")}
        packages = {path.parent.name: path for path in HERE.parent.glob("*/__init__.py")}
        self._files = scripts | packages
        # These are imported by rooms, and by their own names; your `train` may be another one.
        self._imported = self._files.keys() - {"train", "experiments"}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in self._imported:
            return self._own_spec(name)
        package, _, module = name.partition(".")
        room = module.partition(".")[0]
        if package != __name__ or room not in self._files:
            return None
        for each in {room, *(each for each in self._imported if each in sys.modules)}:
            self._own_spec(each)
        return ModuleSpec(name, self) if find_spec(module) else None

    def _own_spec(self, room: str) -> ModuleSpec | None:
        """Return the spec of a room; raise an ImportError if that is a module from elsewhere."""
        place: object = None
        if loaded := sys.modules.get(room):
            spec = getattr(loaded, "__spec__", None)
            place = getattr(loaded, "__file__", None) or loaded
        else:
            others = (finder for finder in sys.meta_path if finder is not self)
            specs = (finder.find_spec(room, None) for finder in others)
            if spec := next(filter(None, specs), None):
                place = spec.origin or spec.submodule_search_locations
        if place and Path(str(place)).resolve() != self._files[room].resolve():
            raise ImportError(
                f"{room} is {place}, and should be {self._files[room]}: rename the first, or put "
                f"{HERE.parent} in front of its folder in Python's path",
                name=room,
            )
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _, _, name = spec.name.partition(".")  # without the package
        module = import_module(name)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put the spec of this package's module in its place.
        if module.__spec__:
            module.__spec__ = module.__spec__.loader_state


if not (HERE / "base").exists():
    # First of all: the folders of the rooms would give their modules a second time.
    sys.meta_path.insert(0, _Checkout())

from online_handwriting.utils.lazy import importer  # noqa: E402
from online_handwriting.utils.program import torch_needed_by  # noqa: E402

HOMES = {
    "Hand": "apps.pages",
    "Line": "model",
    "Page": "apps.pages",
    "PageOptions": "apps.pages",
    "PageText": "apps.pages",
    "Pages": "apps.pages",
    "Paper": "apps.pages",
    "PrimerFile": "apps.pages",
    "Reader": "model",
    "Sample": "ink.sample",
    "Sampling": "model",
    "Search": "model",
    "StrokeFeatures": "model.recognition.ink_features",
    "TrainedNetwork": "model",
    "Writer": "model",
    "hand_of": "apps.pages",
    "lines_figure": "model.drawing.plots",
    "load": "model",
    "load_reader": "model.loading",
    "load_writer": "model.loading",
    "own_hand": "apps.pages",
    "read": "ink.guard",
    "read_ink": "ink.reading",
    "rewrite": "apps.pages",
    "step_figures": "model",
    "style_file": "apps.pages.styles",
    "write_page": "apps.pages",
    "write_pages": "apps.pages",
}
"""The module of each name, which is imported when the name is used."""
__all__ = list(HOMES)
_import_name = importer(__name__, HOMES)


def __getattr__(name: str) -> Any:
    """Import a name; raise a UserError if it needs PyTorch, which is missing."""
    with torch_needed_by(name):
        return _import_name(name)
