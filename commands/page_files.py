"""The files of pages, in the format that --output says."""

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from utils.page.page import Page
from utils.page.paper import DPI


def save(arguments: argparse.Namespace, path: Path, pages: Iterator[Page]) -> list[Path]:
    """Save pages, and return the files."""
    title = path.stem
    if path.suffix.lower() == ".pdf":  # one file holds all pages
        from utils.page.drawing import write_pdf

        write_pdf(path, pages, title, speed_widths=arguments.nib)
        return [path]
    first, second = next(pages), next(pages, None)
    if second is None:
        save_page(arguments, path, first, title)
        return [path]
    paths = []
    for count, page in enumerate(chain([first, second], pages), 1):
        paths.append(path.with_name(f"{path.stem}-{count}{path.suffix}"))
        save_page(arguments, paths[-1], page, title)
    return paths


def save_page(arguments: argparse.Namespace, path: Path, page: Page, title: str) -> None:
    """Save one page."""
    kind, nib = path.suffix.lower(), arguments.nib
    if kind == ".png":
        from utils.page.drawing import write_png

        write_png(path, page, dpi=arguments.dpi or DPI, speed_widths=nib)
    elif kind == ".inkml":
        from utils.page.inkml import write_page_inkml

        write_page_inkml(path, page)
    elif kind == ".json":
        from utils.page.page_json import write_page_json

        write_page_json(path, page)
    else:
        from utils.page.svg import write_svg

        write_svg(path, page, title, speed_widths=nib, animate=arguments.animate)
