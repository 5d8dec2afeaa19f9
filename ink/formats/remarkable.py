"""Reads pages of reMarkable tablets: `.rm` files of versions 3, 5 and 6, and documents of them.

A document has up to four parts in the tablet's folder: `UUID.content` lists its pages,
`UUID.metadata` has its name, the folder `UUID` has an `.rm` file for each page that has ink, and
`UUID.pdf` is the PDF that the document annotates.
"""

import logging
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ink.formats.files import read_file
from ink.formats.json_strokes import json_values
from ink.formats.page_checks import MAX_TYPED
from ink.ink_page import InkPage, PageStroke, TypedText, page_around
from ink.sample import Fault
from utils.strict_json import children

OVERLONG_NUMBER = re.compile(rb"[\x80-\xff]{20000}")
"""A number so long that rmscene takes minutes to read it; each byte but the last of a number has
the highest bit (assumed: no file has 20,000 such bytes in a row otherwise)."""
PAGE_WIDTH = 1404
"""Width in pixels of a page that does not say its size (reMarkable 2)."""
PAGE_HEIGHT = 1872
"""Height in pixels of a page that does not say its size (reMarkable 2)."""
TABLET_DPI = 226
"""Pixels per inch (reMarkable 2)."""

# Typed text, in pixels (from the program rmc).
FIRST_LINE_OFFSET = -88.0  # from the text's y to the top of its first line
TABLET_PITCH = 70.0  # from line to line
LINE_PITCHES = {2: 150.0, 4: 35.0, 5: 35.0, 6: 35.0, 7: 35.0}  # other pitches, by style
# The y of ink that is anchored at either end of the text, by the anchor's identifier.
TEXT_END_ANCHORS = {(0, 0xFFFFFFFFFFFE): 270.0, (0, 0xFFFFFFFFFFFF): 700.0}

HIGHLIGHTERS = (5, 18, 23)  # numbers of tools; 23 is the shader
ERASERS = (6, 8)  # numbers of tools
# The colour of each colour number (assumed, by eye).
PALETTE = (
    "#000000", "#7d7d7d", "#ffffff", "#ffeb00", "#00c853", "#ff5ca8", "#0050c8", "#d90707",
    "#7d7d7d", "#ffed75", "#a1d87d", "#8bd0e5", "#b782cd", "#f7e851",
)  # fmt: skip

# Pages of older software.
OLD_HEADER_BYTES = 43
OLD_POINT_BYTES = 24
COUNT = struct.Struct("<I")
OLD_STROKES = {"3": struct.Struct("<3IfI"), "5": struct.Struct("<3I2fI")}
"""Head of a stroke by the version: tool, colour, unused fields, and the number of points, of six
floats each (x, y, speed, direction, width, pressure)."""

MAX_FOLDERS = 20
"""Limit on the number of nested folders in a document's name (assumed)."""
MAX_METADATA = 100_000
"""Limit on the bytes of the metadata of a document or folder (assumed: they have some 300)."""
MAX_TITLE = 1_000
"""Limit on the characters of the name of a document or folder (assumed)."""

_DOCUMENT_NAME = re.compile(r"[-\w]{1,100}")
_HEADER = b"reMarkable .lines file, version="


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a page of a tablet."""
    return head.startswith(_HEADER[:22])


def parse(path: Path) -> Iterator[InkPage]:
    """Yield the page of an `.rm` file, or the pages of a document with this `.content` file."""
    if path.suffix != ".content":
        yield _page(read_file(path))
        return
    pdf = path.with_suffix(".pdf")
    pages = dict[str, InkPage]()
    for name, number in _listed(json_values(read_file(path))):
        if name not in pages:  # A document may name a page many times.
            file = path.with_suffix("") / f"{name}.rm"
            pages[name] = _page(read_file(file) if file.is_file() else b"")
        page = pages[name]
        if number is not None and pdf.is_file():
            page = replace(page, background=pdf, background_page=number)
        yield page


def titles(paths: Iterable[Path]) -> Iterator[str | None]:
    """Yield the path on the tablet, `FOLDER/DOCUMENT`, of each document with a `.content` file;
    None if the document or one of its folders was deleted."""
    entry = lru_cache(None)(_entry)
    yield from (_title(path, entry) for path in paths)


def times(path: Path) -> tuple[float, float]:
    """Return when a document was made and last changed, in seconds since 1970; 0 if unknown."""
    values = children(json_values(read_file(path.with_suffix(".metadata"), MAX_METADATA)))
    created = int(values.get("createdTime") or 0)  # milliseconds
    changed = int(values.get("lastModified") or 0)
    return created / 1000, changed / 1000


def _title(path: Path, entry: Callable[[Path], tuple[str, str, bool]]) -> str | None:
    names = list[str]()
    uuid = path.stem
    entered = set[str]()
    # In hostile files, folders may contain each other.
    while _DOCUMENT_NAME.fullmatch(uuid) and uuid not in entered and len(names) < MAX_FOLDERS:
        if uuid == "trash":  # stands for the folder of what was deleted
            return None
        entered.add(uuid)
        name, parent, is_deleted = entry(path.with_name(f"{uuid}.metadata"))
        if is_deleted:
            return None
        names.insert(0, name or uuid)
        uuid = parent
    return "/".join(names) or path.stem


def _entry(path: Path) -> tuple[str, str, bool]:
    """Return the name of a document or folder, the identifier of its folder, and whether it was
    deleted; empty texts if its metadata are missing."""
    values: Any = {}
    with suppress(Fault):
        values = json_values(read_file(path, MAX_METADATA))
    if not isinstance(values, dict):
        return "", "", True
    parent = values.get("parent")
    name = str(values.get("visibleName") or "")[:MAX_TITLE]
    return name, parent if isinstance(parent, str) else "", bool(values.get("deleted"))


def _listed(values: Any) -> list[tuple[str, int | None]]:
    """Return the name of each page of a document, and the number of the page in the PDF, from 0;
    None if the page annotates no page of a PDF."""
    pages: list[tuple[str, int | None]] = []
    try:
        if "cPages" not in values:  # older software
            numbers = values.get("redirectionPageMap") or range(len(values["pages"]))
            for name, number in zip(values["pages"], numbers, strict=True):
                is_annotated = values.get("fileType") == "pdf" and number >= 0
                pages.append((_page_name(name), int(number) if is_annotated else None))
            return pages
        for page in values["cPages"]["pages"]:
            if not page.get("deleted", {}).get("value"):
                number = page.get("redir", {}).get("value")
                number = int(number) if number is not None and number >= 0 else None
                pages.append((_page_name(page["id"]), number))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Fault("a document that does not list its pages") from None
    return pages


def _page_name(name: str) -> str:
    """Return the name of a page, which is part of a path; raise a ValueError for another text."""
    if not _DOCUMENT_NAME.fullmatch(name):
        raise ValueError(name)
    return name


def _page(content: bytes) -> InkPage:
    """Return the page with this file content; an empty page if the content is empty."""
    if not content:
        return page_around((), sheet=(0.0, 0.0, PAGE_WIDTH, PAGE_HEIGHT), unit=72 / TABLET_DPI)
    version = content[len(_HEADER) :][:1].decode("ascii", "replace")
    if content.startswith(_HEADER) and version in OLD_STROKES:
        return _old_page(content, OLD_STROKES[version])
    if not content.startswith(_HEADER + b"6"):
        raise Fault(
            "a page of a tablet with other software", f"version {version}; 3, 5, 6 are read"
        )
    if OVERLONG_NUMBER.search(content):
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
        typed, anchors = _typed(tree.root_text) if tree.root_text else ([], dict(TEXT_END_ANCHORS))
        top = [*tree.root.children.values()]
        strokes = [*_strokes(top, anchors, left_out)]
        groups = (item for item in top if isinstance(item, rmscene.scene_items.Group))
        names = [group.label.value for group in groups]
    except Fault:
        raise
    except Exception as error:  # The library raises many types on broken files.
        raise Fault("a broken page of a tablet", f"{type(error).__name__}: {error}") from None
    width, height = getattr(tree.scene_info, "paper_size", None) or (PAGE_WIDTH, PAGE_HEIGHT)
    sheet = (-width / 2, 0.0, width / 2, height)  # x is 0 in the middle
    unit = 72 / TABLET_DPI
    return page_around(strokes, typed, sheet, unit=unit, left_out=+left_out, layers=names)


def _old_page(content: bytes, stroke_head: struct.Struct) -> InkPage:
    """Return the page with this content, as older software writes it: layers of strokes, whose
    heads state tool and colour and, last, the number of points.

    Raises:
        Fault: if the content is broken.
    """
    stream = BytesIO(content[OLD_HEADER_BYTES:])
    strokes = list[PageStroke]()
    try:
        (num_layers,) = COUNT.unpack(stream.read(COUNT.size))
        for layer in range(num_layers):
            (num_strokes,) = COUNT.unpack(stream.read(COUNT.size))
            for _ in range(num_strokes):
                tool, colour, *_, num_points = stroke_head.unpack(stream.read(stroke_head.size))
                content_of_points = stream.read(OLD_POINT_BYTES * num_points)
                values = np.frombuffer(content_of_points, "<f4").reshape(num_points, 6)
                points = values[:, 0:2].astype(np.float64)
                pen_values = values[:, 4:6].astype(np.float64)
                strokes.append(_page_stroke(points, pen_values, tool, PALETTE[colour], layer))
    except (struct.error, ValueError, IndexError) as error:
        raise Fault("a broken page of a tablet", str(error)) from None
    sheet = (0.0, 0.0, PAGE_WIDTH, PAGE_HEIGHT)
    names = [""] * num_layers
    return page_around(strokes, sheet=sheet, unit=72 / TABLET_DPI, layers=names)


def _typed(text: Any) -> tuple[list[TypedText], dict[tuple[int, int], float]]:
    """Return the lines of a typed text, and the y of each character's anchor, by identifier."""
    from rmscene.text import TextDocument

    items = text.items.sequence_items()
    # The file has only the number of deleted characters, but the library makes a list of them.
    if sum(item.deleted_length + len(str(item.value)) for item in items) > 2 * MAX_TYPED:
        raise Fault("too long a typed text")
    typed = []
    anchors = dict(TEXT_END_ANCHORS)
    y = text.pos_y + FIRST_LINE_OFFSET
    for paragraph in TextDocument.from_scene_item(text).contents:
        y += LINE_PITCHES.get(int(paragraph.style.value), TABLET_PITCH)
        if str(paragraph).strip():
            size = TABLET_PITCH / 2
            typed.append(TypedText(str(paragraph), text.pos_x, y - size, size))
        # The identifiers of the paragraph and of its characters.
        ids = chain([paragraph.start_id], *(part.i for part in paragraph.contents))
        anchors |= {(key.part1, key.part2): y for key in ids}
    return typed, anchors


def _strokes(
    top: Sequence[Any], anchors: dict[tuple[int, int], float], left_out: Counter[str]
) -> Iterator[PageStroke]:
    """Yield the strokes of the items at the top, whose groups are the layers, in the order of
    drawing, at their positions on the page; add the number of left-out items of each kind to
    `left_out`."""
    from rmscene.scene_items import Group, Line

    # Items, the shift of the group that holds them, and their layer; groups may be nested at any
    # depth.
    # The n-th group at the top is layer n; other items there are in the layer of the group before.
    num_groups = np.cumsum([isinstance(item, Group) for item in top])
    layers = np.maximum(num_groups - 1, 0).tolist()
    stack = [(item, np.zeros(2), layer) for item, layer in zip(top, layers, strict=True)]
    stack.reverse()
    entered: set[int] = set()
    while stack:
        item, shift, layer = stack.pop()
        if item is None:
            left_out["erased stroke"] += 1
        elif isinstance(item, Line):
            yield _stroke(item, shift, layer)
        elif not isinstance(item, Group):
            left_out["marked text"] += 1
        elif not item.visible.value:
            left_out["hidden layer"] += 1
        elif id(item) not in entered:  # In a hostile file, groups may contain each other.
            entered.add(id(item))
            if item.anchor_id is not None and item.anchor_origin_x is not None:
                anchor = item.anchor_id.value
                y = anchors.get((anchor.part1, anchor.part2), 0.0)
                shift = shift + np.array([item.anchor_origin_x.value, y])
            stack += ((child, shift, layer) for child in reversed(item.children.values()))


def _stroke(line: Any, shift: np.ndarray, layer: int) -> PageStroke:
    """Return the stroke of a line in a group with this shift."""
    points = np.array([(p.x, p.y) for p in line.points], np.float64).reshape(-1, 2)
    colour = PALETTE[line.color]
    if line.color_rgba:
        colour = "#{:02x}{:02x}{:02x}".format(*line.color_rgba)
    # Widths are in quarters of a pixel, pressures from 0 to 255.
    pen_values = np.array([(p.width / 4, p.pressure / 255) for p in line.points]).reshape(-1, 2)
    return _page_stroke(points + shift, pen_values, line.tool, colour, layer)


def _page_stroke(
    points: np.ndarray, pen_values: np.ndarray, tool: int, colour: str, layer: int
) -> PageStroke:
    """Return a stroke; `pen_values` are the width and the pressure at each point, `(points, 2)`."""
    widths, pressures = pen_values.T
    name = "highlighter" if tool in HIGHLIGHTERS else "pen"
    if tool in ERASERS:
        name = "eraser"
    width = float(widths.mean()) if len(widths) else 0.0
    changes = widths if len(widths) and np.ptp(widths) else None
    return PageStroke(points, name, colour, width, changes, layer=layer, pressures=pressures)
