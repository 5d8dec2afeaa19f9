"""From a text to pages in a hand."""

from utils.lazy import importer

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
    "read": "networks",
    "read_back": "legibility",
    "step_figures": "inspection",
    "write_page": "page",
}
__all__ = list(_HOMES)
__getattr__ = importer(
    __name__, _HOMES
)  # So that a wrong option is refused before torch is imported.
