"""Files of note programs, one file a format, each with `sniff` and `parse`."""

from pathlib import Path

from notes.ink_page import InkPage


def read_pages(path: Path) -> list[InkPage]:
    """Return the pages of a file, or of a tablet's folder.

    Raises:
        DataError: if it is of no known format, broken or too large.
    """
    raise NotImplementedError(path)
