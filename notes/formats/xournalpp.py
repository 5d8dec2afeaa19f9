"""Reads notes of Xournal++ and Xournal: gzipped XML with pages of layers, in points (1/72 inch)."""

import re
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from os.path import isfile  # unlike Path.is_file, it takes names that are too long
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from data_loader.sources.parsing import Fault, xml_children
from data_loader.sources.untrusted_files import unpacked_blocks
from notes.ink_page import (
    MAX_BYTES,
    MAX_FILE_BYTES,
    InkPage,
    PageStroke,
    TypedText,
    check_page_strokes,
    check_stroke,
    hex_colour,
    to_float,
)

MIN_RULER_STEP = 30.0
"""Least distance, in points (1/72 inch), between positions of a stroke drawn with a ruler (assumed:
a pen's position is recorded every few milliseconds)."""


def parse(path: Path) -> Iterator[InkPage]:
    """Yield the pages of a file."""
    pdf = None
    for element in xml_children(unpacked_blocks(path, MAX_FILE_BYTES), "xournal", MAX_BYTES):
        if element.tag != "page":
            continue
        background = element.find("background")
        background = Element("background") if background is None else background
        pdf = _pdf(background, path) or pdf  # Later pages do not name the PDF again.
        page = _page(element)
        if background.get("type") == "pixmap":
            page.left_out["background image"] += 1
        if background.get("type") == "pdf":
            pageno = re.match(r"\d{1,9}", background.get("pageno", ""))
            if pdf is None or not isfile(pdf):
                page.left_out["missing background PDF"] += 1
            elif pageno:
                page = replace(page, background=pdf, background_page=max(int(pageno[0]) - 1, 0))
        yield page


def _pdf(background: Element, path: Path) -> Path | None:
    """Return the PDF that a background names, or a PDF of the same name beside the note; None if
    the background names no PDF."""
    if background.get("type") != "pdf" or not (name := background.get("filename")):
        return None
    if background.get("domain") == "attach":
        return path.with_name(f"{path.name}.{Path(name).name}")
    named, beside_note = path.parent / name, path.parent / name.replace("\\", "/").split("/")[-1]
    return beside_note if isfile(beside_note) and not isfile(named) else named


def _page(element: Element) -> InkPage:
    """Return the page of an element, without the page's background."""
    strokes: list[PageStroke] = []
    typed: list[TypedText] = []
    left_out = Counter[str]()
    for item in (item for layer in element.findall("layer") for item in layer):
        match item.tag:
            case "stroke":
                strokes.append(_stroke(item))
                check_page_strokes(len(strokes))
            case "text":
                numbers = (to_float(item.get(name, "")) for name in ("x", "y", "size"))
                typed.append(TypedText(item.text or "", *numbers))
            case "teximage":
                left_out["formula"] += 1
            case _:
                left_out[item.tag[:40]] += 1
    size = (to_float(element.get(name, "")) for name in ("width", "height"))
    return InkPage(*size, tuple(strokes), 1.0, tuple(typed), left_out=left_out)


def _stroke(item: Element) -> PageStroke:
    text = item.text or ""
    check_stroke(text, string.whitespace)
    try:
        points = np.array(text.split(), np.float64).reshape(-1, 2)
    except ValueError:
        raise Fault("a stroke that is no list of x and y of points", text.strip()[:40]) from None
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    tool = item.get("tool", "pen")
    if tool not in ("highlighter", "eraser"):
        is_ruled = len(steps) > 0 and steps.min() > MIN_RULER_STEP
        tool = "shape" if is_ruled or "fill" in item.attrib else "pen"
    width = to_float(item.get("width", "").partition(" ")[0])
    return PageStroke(points, tool, hex_colour(item.get("color", "")), width)
