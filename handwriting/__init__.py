"""From a text to pages in a hand."""

from importlib import import_module
from typing import Any

_HOMES = {
    "Hand": "hand",
    "Legibility": "legibility",
    "Page": "page",
    "PageOptions": "options",
    "Pages": "page",
    "Paper": "paper",
    "Passage": "passages",
    "PrimerFile": "options",
    "Proofread": "proofreading",
    "load_primer": "primers",
    "read_back": "legibility",
    "write_page": "page",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a name on first use: a wrong option is refused before torch is imported."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
