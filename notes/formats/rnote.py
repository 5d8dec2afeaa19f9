"""Reads drawings of Rnote up to version 0.15: packed JSON with strokes on an endless sheet.

The sheet is divided into pages of the document's format; a stroke is on the page of its middle.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_loader.sources.own_ink import json_values
from data_loader.sources.parsing import Fault
from data_loader.sources.untrusted_files import read_file, unpacked
from notes.ink_page import MAX_BYTES, page_around
from utils.page.ink_page import InkPage, PageStroke, TypedText

HIGHLIGHTER = "highlighter"
"""Layer of the highlighter."""
DPI = 96
"""Pixels of an inch, where the document does not say it."""

Place = tuple[int, int]
"""Row and column of a page on the sheet."""


def parse(path: Path) -> Iterator[InkPage]:
    """Yield the pages of a file that have content, row by row."""
    content = read_file(path, MAX_BYTES)
    if not content.startswith(b"\x1f\x8b"):
        raise Fault("a drawing of Rnote 0.16 or newer", "export it as .xopp or SVG there")
    values: Any = json_values(unpacked(content, MAX_BYTES))
    try:
        yield from _pages(values["data"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Fault("a broken drawing of Rnote", f"{type(error).__name__}: {error}") from None


def _pages(data: Any) -> Iterator[InkPage]:
    snapshot = data.get("engine_snapshot", data)
    document, store = snapshot["document"], snapshot.get("store_snapshot", snapshot)
    config = document.get("config", document)
    size = np.array([float(config["format"][side]) for side in ("width", "height")])
    order = [item["value"] or {} for item in store["chrono_components"]]
    items = zip(store["stroke_components"], order, strict=True)
    pages: dict[Place, list[PageStroke | TypedText]] = defaultdict(list)
    left_out, layers = Counter[str](), dict[str, int]()
    for item, when in sorted(items, key=lambda pair: pair[1].get("t", 0)):
        for kind, value in (item["value"] or {}).items():
            name = str(when.get("layer", ""))
            layer = layers.setdefault(name, len(layers))
            if kind == "brushstroke":
                content = _stroke(value, layer, is_marker=name == HIGHLIGHTER)
                middle = content.points.mean(axis=0)
            elif kind == "textstroke":
                content = _text(value, layer)
                middle = np.array([content.x, content.y])
            else:
                left_out[str(kind)[:40]] += 1
                continue
            column, row = np.floor(middle / size).astype(int).tolist()
            pages[row, column].append(content)
    paper = _colour(config["background"]["color"])[0]
    unit = 72 / float(config["format"].get("dpi", DPI))
    for (row, column), found in sorted(pages.items()):
        sheet = np.append(size * (column, row), size * (column + 1, row + 1))
        strokes = [content for content in found if isinstance(content, PageStroke)]
        typed = [content for content in found if isinstance(content, TypedText)]
        rest = {"unit": unit, "layers": layers, "paper": paper, "left_out": left_out}
        yield page_around(strokes, typed, sheet, **rest)
        left_out = Counter()


def _text(value: Any, layer: int) -> TypedText:
    affine, style = value["transform"]["affine"], value["text_style"]
    # A transformation has three columns of two or three numbers; the last is the position.
    x, y = affine[-2:] if len(affine) == 6 else affine[6:8]
    numbers = map(float, (x, y, style["font_size"]))
    return TypedText(str(value["text"]), *numbers, _colour(style["color"])[0], layer)


def _stroke(value: Any, layer: int, *, is_marker: bool) -> PageStroke:
    path = value["path"]
    ends = [path["start"], *(next(iter(part.values()))["end"] for part in path["segments"])]
    points = np.array([end["pos"] for end in ends], np.float64).reshape(-1, 2)
    (style,) = value["style"].values()  # smooth, rough or textured
    width, curve = float(style["stroke_width"]), style.get("pressure_curve", "const")
    colour, opacity = _colour(style.get("stroke_color"))
    widths = None
    if curve != "const":
        widths = width * np.clip([float(end["pressure"]) for end in ends], 0, 1)
        width, widths = float(widths.mean()), widths if np.ptp(widths) else None
    tool = "highlighter" if is_marker else "pen"
    return PageStroke(points, tool, colour, width, widths, opacity=opacity, layer=layer)


def _colour(value: Any) -> tuple[str, float]:
    """Return a colour as `#rrggbb`, and its opacity."""
    shades = [min(max(float((value or {}).get(name, 0)), 0.0), 1.0) for name in "rgb"]
    opacity = min(max(float((value or {}).get("a", 1)), 0.0), 1.0)
    return "#" + "".join(f"{round(255 * shade):02x}" for shade in shades), opacity
