"""The files of pages, in the format that --output says."""

import argparse
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from utils.page.page import Page
from utils.page.paper import DPI

ONE_FILE = (".pdf", ".gcode", ".hpgl")
"""Formats of which a file holds all pages."""

Write = Callable[[Path, Page], None]


def save(arguments: argparse.Namespace, path: Path, pages: Iterator[Page]) -> list[Path]:
    """Save pages, and return the files."""
    kind = path.suffix.lower()
    title = path.stem
    if kind in ONE_FILE:
        if kind == ".pdf":
            from utils.page.drawing import write_pdf

            write_pdf(path, pages, title, speed_widths=bool(arguments.nib))
        else:
            plot(arguments, path, list(pages))
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

    def write_svg(path: Path, page: Page) -> None:
        write_page_svg(path, page, title, speed_widths=nib, optimise=bool(arguments.optimise))
        if arguments.optimise:
            from tqdm import tqdm

            from utils.page.plotting import pen_up_travel

            before, after = pen_up_travel(page)  # said above the progress bar
            tqdm.write(f"{path}: the lifted pen moves {after:,.0f} mm instead of {before:,.0f}")

    return write_svg


def plot(arguments: argparse.Namespace, path: Path, pages: list[Page]) -> None:
    """Save pages as one program of a machine."""
    from utils.page.gcode import Commands, write_gcode
    from utils.page.hpgl import write_hpgl
    from utils.page.machine import Machine

    hpgl, origin = path.suffix.lower() == ".hpgl", arguments.machine_origin
    machine = Machine(
        (origin or "bottom-left").replace("-", " "),
        tuple(arguments.machine_offset or (0.0, 0.0)),
        arguments.machine_scale or 1.0,
        arguments.machine_area,
        # HPGL goes along the longer side, unless the corner is said.
        turned=hpgl and not origin and pages[0].height > pages[0].width,
    )
    if hpgl:
        write_hpgl(path, pages, machine)
        return
    commands = {"feed": arguments.feed}
    commands |= dict(zip(("up", "down"), arguments.pen_commands or (None, None), strict=True))
    given = {name: value for name, value in commands.items() if value is not None}
    write_gcode(path, pages, machine, Commands(**given))
