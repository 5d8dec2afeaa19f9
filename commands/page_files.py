"""The files of pages, in the format that --output says."""

import argparse
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from utils.page.page import Page
from utils.page.paper import DPI

Write = Callable[[Path, Page], None]


def save(arguments: argparse.Namespace, path: Path, pages: Iterator[Page]) -> list[Path]:
    """Save pages, and return the files."""
    kind = path.suffix.lower()
    title = path.stem
    if kind == ".pdf":  # one file holds all pages
        from utils.page.drawing import write_pdf

        write_pdf(path, pages, title, speed_widths=bool(arguments.nib))
        return [path]
    write = page_format(arguments, kind, title)
    first, second = next(pages), next(pages, None)
    if second is None:
        write(path, first)
        return [path]
    paths = []
    for count, page in enumerate(chain([first, second], pages), 1):
        paths.append(path.with_name(f"{path.stem}-{count}{path.suffix}"))
        write(paths[-1], page)
    return paths


def page_format(arguments: argparse.Namespace, kind: str, title: str) -> Write:
    """Return what writes one page in a format."""
    nib = bool(arguments.nib)
    if kind == ".png":
        from utils.page.drawing import write_png

        return lambda path, page: write_png(path, page, dpi=arguments.dpi or DPI, speed_widths=nib)
    if kind == ".inkml":
        from utils.page.inkml import write_page_inkml

        return write_page_inkml
    if kind == ".json":
        from utils.page.page_json import write_page_json

        return write_page_json
    if arguments.animate:
        from utils.page.svg_animation import write_animated_svg

        return lambda path, page: write_animated_svg(path, page, title, speed=arguments.animate)
    from utils.page.svg_page import write_page_svg

    return lambda path, page: write_page_svg(path, page, title, speed_widths=nib)
