"""Constants say where in the notebook their values come from, and that is there."""

import re

from tests.docs.test_links import ROOT

PAGES = [*(ROOT / "docs" / "notebook").glob("*.md"), *(ROOT / "docs").glob("lab-notebook.md")]
FOLDERS = [
    "base",
    "commands",
    "data_loader",
    "handwriting",
    "ink",
    "model",
    "notes",
    "trainer",
    "utils",
    "benchmarks",
]
TITLE = re.compile(r"notebook: ([^.,;:()\"\n]+)")


def test_what_constants_name_of_the_notebook_is_a_heading_of_it():
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    headings = {
        re.sub(r"[`*]", "", title).lower()
        for text in texts
        for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    named = {}
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        # Comments and docstrings go on in the next line.
        text = re.sub(r"\s*\n\s*(?:#\s*)?", " ", path.read_text(encoding="utf-8"))
        named |= dict.fromkeys(TITLE.findall(text.replace("`", "")), path)
    assert len(named) > 20
    missing = {
        title.strip(): str(path)
        for title, path in named.items()
        if not any(heading.startswith(title.strip().lower()) for heading in headings)
    }
    assert not missing
