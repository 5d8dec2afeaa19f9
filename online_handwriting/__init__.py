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
    """Finds the rooms of a checkout, which lie beside this folder, as modules of this package."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, module = name.partition(".")
        room = HERE.parent / module.partition(".")[0]
        is_there = (room / "__init__.py").is_file() or room.with_suffix(".py").is_file()
        if package != __name__ or not module or not is_there:
            return None
        return ModuleSpec(name, self) if find_spec(module) else None

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
