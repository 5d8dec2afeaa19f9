"""No page is longer than one can read."""

import pytest

from tests.docs.test_links import ROOT

DOCS = ROOT / "docs"
OTHERS = {*DOCS.glob("*.md")} - {DOCS / "config.md", DOCS / "results.md"}
"""All pages of docs but the keys, which are made from docstrings, the results and the notebook."""


@pytest.mark.parametrize(
    ("pages", "limit"),
    [
        ([ROOT / "README.md"], 1_000),
        ([ROOT / "CONTRIBUTING.md"], 350),
        ([DOCS / "results.md"], 5_000),
        ([DOCS / "extend.md"], 5_000),
        (OTHERS, 24_500),
    ],
    ids=["README", "CONTRIBUTING", "results", "extend", "docs"],
)
def test_pages_have_no_more_words_than(pages, limit):
    """As `wc -w` counts them, with commands and tables."""
    counts = {page: len(page.read_text(encoding="utf-8").split()) for page in pages}
    assert sum(counts.values()) <= limit, counts
