"""Finds the readers that learned their owner's hand, in the folder of a library.

A file's name has the digest of the reader with which the learning began, so that another reader, or
another version of it, finds no file. This module does not import torch.
"""

from pathlib import Path

from utils.files import content_digest

READERS = "readers"
"""Name of the folder of these readers."""


def learned_file(folder: Path, base: Path) -> Path:
    """Return the file for the reader that learns from a base reader; it need not exist.

    Args:
        folder: the library's folder.
        base: the file of the base reader.

    Raises:
        OSError: if the base reader cannot be read.
    """
    return folder / READERS / f"{base.stem}-{content_digest(base)[:16]}.pth"


def learned_files(folder: Path) -> list[Path]:
    """Return the files of all readers that learned a hand, in a library's folder."""
    return sorted((folder / READERS).glob("*.pth"))
