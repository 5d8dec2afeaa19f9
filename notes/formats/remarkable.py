"""Pages of reMarkable's tablets: `.rm` files of version 6, and documents of such pages.

A document has four parts in the tablet's folder: `UUID.content` lists its pages, `UUID.metadata`
has its name, the folder `UUID` has an `.rm` file for each page, and `UUID.pdf` may be missing.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from data_loader.sources.own_ink import json_values
from data_loader.sources.parsing import MAX_CHARACTERS, Fault
from data_loader.sources.untrusted_files import MEBIBYTE, read_file
from notes.ink_page import InkPage, PageStroke, TypedText, page_around

MAX_PAGE = 8 * MEBIBYTE
"""Limit on the bytes of a page (assumed: half a million points)."""
ENDLESS = re.compile(rb"[\x80-\xff]{20000}")
"""A number that takes too long to read (assumed: texts have fewer such bytes in a row)."""
WIDTH = 1404
"""Width of a page in pixels, unless the page says its size (reMarkable 2)."""
HEIGHT = 1872
"""Height of a page in pixels, unless the page says its size (reMarkable 2)."""
DPI = 226
"""Pixels per inch (reMarkable 2)."""

# Typed text, in pixels (from the program rmc).
TOP = -88.0  # from the text's y to the top of its first line
PITCH = 70.0  # from line to line
PITCHES = {2: 150.0, 4: 35.0, 5: 35.0, 6: 35.0, 7: 35.0}  # from line to line, by style
# y of ink that is anchored at the start or the end of the text, by the anchor's identifier
ENDS = {(0, 0xFFFFFFFFFFFE): 270.0, (0, 0xFFFFFFFFFFFF): 700.0}

# Numbers of tools (23 is the shader), and colours by their numbers (assumed, by eye).
HIGHLIGHTERS = (5, 18, 23)
ERASERS = (6, 8)
COLOURS = (
    "#000000", "#7d7d7d", "#ffffff", "#ffeb00", "#00c853", "#ff5ca8", "#0050c8", "#d90707",
    "#7d7d7d", "#ffed75", "#a1d87d", "#8bd0e5", "#b782cd", "#f7e851",
)  # fmt: skip

MAX_FOLDERS = 100
"""Limit on the depth of folders around a document (assumed)."""

_NAME = re.compile(r"[-\w]{1,100}")
_HEADER = b"reMarkable .lines file, version="


def parse(path: Path) -> list[InkPage]:
    """Return the page of an `.rm` file, or the pages of a document by its `.content` file."""
    if path.suffix != ".content":
        return [_page(read_file(path, MAX_PAGE))]
    pdf, pages = path.with_suffix(".pdf"), []
    for name, number in _listed(json_values(read_file(path))):
        file = path.with_suffix("") / f"{name}.rm"
        page = _page(read_file(file, MAX_PAGE) if file.is_file() else b"")
        if number is not None and pdf.is_file():
            page = replace(page, background=pdf, background_page=number)
        pages.append(page)
    return pages


def title(path: Path) -> str | None:
    """Return the name of the document of a `.content` file, behind the names of its folders on the
    tablet; None if the document was thrown away."""
    names: list[str] = []
    uuid: object = path.stem
    while isinstance(uuid, str) and _NAME.fullmatch(uuid) and len(names) < MAX_FOLDERS:
        values: Any = {}
        with suppress(Fault):  # There is no file of metadata.
            values = json_values(read_file(path.with_name(f"{uuid}.metadata")))
        if uuid == "trash" or not isinstance(values, dict) or values.get("deleted"):
            return None
        names.insert(0, str(values.get("visibleName") or uuid))
        uuid = values.get("parent")
    return "/".join(names)


def _listed(values: Any) -> list[tuple[str, int | None]]:
    """Return the name of each page of a document, and the number of its page in the PDF, if any."""
    try:
        pages = [p for p in values["cPages"]["pages"] if not p.get("deleted", {}).get("value")]
        listed = [(page["id"], page.get("redir", {}).get("value")) for page in pages]
        return [
            (_NAME.fullmatch(name)[0], int(n) if n is not None and n >= 0 else None)
            for name, n in listed
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Fault("a document that does not list its pages") from None


def _page(content: bytes) -> InkPage:
    """Return the page of a file's content; an empty page for empty content."""
    if not content:
        return page_around((), sheet=(0.0, 0.0, WIDTH, HEIGHT), unit=72 / DPI)
    if not content.startswith(_HEADER + b"6"):
        version = content[len(_HEADER) :][:1].decode("ascii", "replace")
        raise Fault("a page of a tablet with older software", f"version {version}; 6 is read")
    if ENDLESS.search(content):
        raise Fault("a broken page of a tablet", "a number without an end")
    try:
        import rmscene
    except ImportError:
        advice = "install it: python -m pip install --no-deps rmscene packaging"
        raise Fault("a page of a tablet, which takes rmscene", advice) from None
    logging.getLogger("rmscene").setLevel(logging.CRITICAL)  # Unreadable blocks are counted.
    left_out: Counter[str] = Counter()
    try:
        blocks = [*rmscene.read_blocks(BytesIO(content))]
        left_out["unknown block"] += sum(isinstance(b, rmscene.UnreadableBlock) for b in blocks)
        tree = rmscene.SceneTree()
        rmscene.build_tree(tree, blocks)
        typed, places = _typed(tree.root_text) if tree.root_text else ([], dict(ENDS))
        strokes = [*_strokes(tree.root, places, {id(tree.root)}, left_out)]
    except Fault:
        raise
    except Exception as error:  # The library raises many types on broken files.
        raise Fault("a broken page of a tablet", f"{type(error).__name__}: {error}") from None
    width, height = getattr(tree.scene_info, "paper_size", None) or (WIDTH, HEIGHT)
    sheet = (-width / 2, 0.0, width / 2, height)
    return page_around(strokes, typed, sheet, unit=72 / DPI, left_out=+left_out)


def _typed(text: Any) -> tuple[list[TypedText], dict[tuple[int, int], float]]:
    """Return the lines of a text, and the y of ink anchored at each character, by identifier."""
    from rmscene.text import TextDocument

    items = text.items.sequence_items()
    # Deleted characters are a count in the file, of which the library makes a list.
    if sum(item.deleted_length + len(str(item.value)) for item in items) > 50 * MAX_CHARACTERS:
        raise Fault("too long a typed text")
    typed, places, y = [], dict(ENDS), text.pos_y + TOP
    for paragraph in TextDocument.from_scene_item(text).contents:
        y += PITCHES.get(int(paragraph.style.value), PITCH)
        if str(paragraph).strip():
            typed.append(TypedText(str(paragraph), text.pos_x, y - PITCH / 2, PITCH / 2))
        letters = [letter for part in paragraph.contents for letter in part.i]
        letters.append(paragraph.start_id)
        places |= {(letter.part1, letter.part2): y for letter in letters}
    return typed, places


def _strokes(
    group: Any, places: dict[tuple[int, int], float], seen: set[int], left_out: Counter[str]
) -> Iterator[PageStroke]:
    """Yield the strokes of a group, such as a layer, at their places on the page."""
    from rmscene.scene_items import Group, Line

    shift = np.zeros(2)
    if group.anchor_id is not None:
        anchor = group.anchor_id.value
        shift[:] = group.anchor_origin_x.value, places.get((anchor.part1, anchor.part2), 0.0)
    for item in group.children.values():
        if item is None:
            left_out["erased stroke"] += 1
        elif isinstance(item, Line):
            points = np.array([(p.x, p.y) for p in item.points], np.float64).reshape(-1, 2)
            tool = "highlighter" if item.tool in HIGHLIGHTERS else "pen"
            tool = "eraser" if item.tool in ERASERS else tool
            colour = COLOURS[item.color]
            if item.color_rgba:
                colour = "#{:02x}{:02x}{:02x}".format(*item.color_rgba)
            width = float(np.mean([p.width for p in item.points] or [0])) / 4
            yield PageStroke(points + shift, tool, colour, width)
        elif not isinstance(item, Group):
            left_out["marked text"] += 1
        elif not item.visible.value:
            left_out["hidden layer"] += 1
        elif id(item) not in seen:  # In a hostile file groups contain each other.
            seen.add(id(item))
            for stroke in _strokes(item, places, seen, left_out):
                yield replace(stroke, points=stroke.points + shift)
