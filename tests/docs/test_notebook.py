"""References to the notebook name pages and headings that exist, and the notebook stays short."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted(NOTEBOOK.glob("*.md"))}
OTHERS = {".git", ".venv", "node_modules", "saved"}
SUFFIXES = {".py", ".js", ".c", ".h", ".json", ".txt"}
REFERENCE = re.compile(r"notebook: ([\w -]+), ([\w' -]+)", re.IGNORECASE)
MAX_WORDS = 16_000


def sources():
    """Yield the files of the project that may refer to the notebook."""
    yield ROOT / "docs/config.md"
    for folder, inner, names in os.walk(ROOT):
        inner[:] = {*inner} - OTHERS - ({"data", "shared"} if folder == str(ROOT) else set())
        files = (Path(folder, name) for name in names)
        yield from (file for file in files if file.suffix in SUFFIXES and file != Path(__file__))


def headings(page):
    return {line.lower() for line in re.findall(r"^## (.+)$", PAGES[page], re.MULTILINE)}


def references(text):
    """Return the page and heading of each reference; a comment may break one over two lines."""
    return REFERENCE.findall(re.sub(r"\s+(# |// |\* )?\s*", " ", text))


def test_each_reference_of_the_code_names_a_page_and_a_heading_of_the_notebook():
    found = []
    for file in sources():
        text = file.read_text(encoding="utf-8")
        assert len(references(text)) == len(re.findall(r"(?i)\bnotebook:\s", text)), file
        for page, heading in references(text):
            assert page in PAGES, f"{file}: no page {page}"
            assert heading.strip().lower() in headings(page), f"{file}: no {heading} in {page}"
            found.append(page)
    assert {*found} == {"data", "hands", "notes", "pages", "reader", "speed", "writer"}


def test_a_reference_may_be_broken_over_two_lines_of_a_comment():
    text = "x = 1  # metres (measured, notebook: speed,\n    # CUDA graphs)"
    assert references(text) == [("speed", "CUDA graphs")]


def test_the_notebook_has_at_most_sixteen_thousand_words():
    assert sum(len(page.split()) for page in PAGES.values()) <= MAX_WORDS
