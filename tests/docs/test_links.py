"""The pages lead to one another: what they link to is there, and no page or picture is left out."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"),
    *(ROOT / "saved" / "pretrained" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))),
    *(path for level in ("", "*/", "*/*/") for path in (ROOT / "apps").glob(f"{level}README.md")),
    *sorted((ROOT / "data_loader").rglob("README.md")),
]


def words(page):
    """Return a page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def links(page):
    """Return what a page links to: files, and the heading within them if one is named."""
    text = words(page)
    result = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text)
    result = [pair for pair in result if "://" not in pair[0]]
    result += [(path, "") for path in re.findall(r'<img src="([^"]*)"', text)]
    return [((page.parent / path).resolve() if path else page, place) for path, place in result]


def anchors(page):
    """Return the names that headings have in links."""
    headings = re.findall(r"^#+ (.*)$", words(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_to_files_and_headings_that_exist(page):
    for path, place in links(page):
        assert path.exists(), f"no {path}"
        assert not place or place in anchors(path), f"no heading #{place} in {path}"
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"configs/\w+\.json|(?<=`)(?:base|model|utils)/[\w/]+\.py", text):
        assert path == "configs/mine.json" or (ROOT / path).exists(), path


def test_every_page_is_reached_from_the_readme_and_every_picture_is_shown():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        new = {path for page in new if page.suffix == ".md" for path, _ in links(page)} - reached
    assert set(PAGES) <= reached, set(PAGES) - reached
    pictures = {path for kind in ("png", "svg") for path in (ROOT / "docs").rglob(f"*.{kind}")}
    assert pictures <= reached, pictures - reached
