"""No page is longer than one can read."""

import pytest

from tests.docs.test_links import ROOT

DOCS = ROOT / "docs"
NOTEBOOK = DOCS / "notebook"
OTHERS = {*DOCS.rglob("*.md")} - {
    *(DOCS / "config.md", DOCS / "results.md", DOCS / "lab-notebook.md"),
    *NOTEBOOK.glob("*.md"),
}
"""All pages of docs but that of the keys, which is made from docstrings, and those with a limit."""


@pytest.mark.parametrize(
    ("pages", "limit"),
    [
        ([ROOT / "README.md"], 1_000),
        ([ROOT / "CONTRIBUTING.md"], 300),
        ([DOCS / "results.md"], 5_000),
        (NOTEBOOK.glob("*.md"), 15_000),
        (OTHERS, 25_000),
    ],
    ids=["README", "CONTRIBUTING", "results", "notebook", "docs"],
)
def test_pages_have_no_more_words_than(pages, limit):
    """As `wc -w` counts them, with commands and tables."""
    counts = {page: len(page.read_text(encoding="utf-8").split()) for page in pages}
    assert sum(counts.values()) <= limit, counts
