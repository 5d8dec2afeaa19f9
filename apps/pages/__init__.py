"""Pages of text in a hand."""

from utils.lazy import importer

_HOMES = {
    "Hand": "hands",
    "Page": "pages",
    "PageOptions": "page_options",
    "PageText": "source_text",
    "Pages": "pages",
    "Paper": "paper",
    "PrimerFile": "page_options",
    "hand_of": "hands",
    "load_primer": "hands",
    "load_report": "rewriting",
    "own_hand": "page_hands",
    "rewrite": "rewriting",
    "save_report": "rewriting",
    "write_page": "pages",
    "write_pages": "pages",
}
__all__ = list(_HOMES)
# Names are imported on first use, so that a wrong option is refused before torch is imported.
__getattr__ = importer(__name__, _HOMES)
