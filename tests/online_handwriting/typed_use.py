"""What a user writes, whose types mypy checks in `make lint`."""

from pathlib import Path
from typing import assert_type

import online_handwriting
from online_handwriting import (
    Line,
    Page,
    PageOptions,
    Pages,
    Reader,
    Sampling,
    TrainedNetwork,
    Writer,
    load,
    write_page,
)


def use(path: Path) -> None:
    writer, reader = load("open_writer"), load("open_reader", "cpu")
    assert_type(writer, Writer)
    assert_type(reader, Reader)
    assert_type(load(path, modules=["mine.py"]), TrainedNetwork)
    assert_type(online_handwriting.load_writer(path), Writer)
    line = writer.write("Hello", bias=0.5, seed=1)
    assert_type(line, Line)
    assert_type(writer.write_lines(["a"], [1], Sampling(bias=0.5)), list[Line])
    assert_type(reader.read(line), str)
    pages = write_page("Dear Anna", options=PageOptions(size=3))
    assert_type(pages, Pages)
    assert_type(pages[0], Page)
    assert_type(pages.doubts, list[str])
    assert_type(pages.save(path), list[Path])
