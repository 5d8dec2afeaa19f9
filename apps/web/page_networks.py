"""Tells which flat files of the networks of the page in the browser are missing.

This module does not import torch, so that a page whose networks are there starts at once.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from apps.pages.styles import styles
from base.run.pretrained import SHIPPED, weights_file
from utils.files import user_cache
from utils.program import version

FLAT_FILE_FORMAT = "online-handwriting/3"
FLAT_FILE_START = json.dumps({"format": FLAT_FILE_FORMAT}).removesuffix("}").encode()
"""The first bytes of each flat file, see `flat_file`."""
DIGEST_BYTES = hashlib.sha256().digest_size
_INSTALLATION = hashlib.sha256(f"{version()} {SHIPPED}".encode()).hexdigest()[:16]
NETWORK_FOLDER = user_cache() / "networks" / _INSTALLATION
"""The folder of flat files that are made for the page: each installation has its own."""


def is_flat_file(path: Path) -> bool:
    """Return whether a path is a flat file, be it damaged or not."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(FLAT_FILE_START)) == FLAT_FILE_START


def is_usable(path: Path) -> bool:
    """Return whether a path is a whole flat file of the present version."""
    content = path.read_bytes() if path.is_file() else b""
    digest = hashlib.sha256(content[:-DIGEST_BYTES]).digest()
    return content.startswith(FLAT_FILE_START) and content[-DIGEST_BYTES:] == digest


def missing(paths: Sequence[Path]) -> list[Path]:
    """Return the flat files that are missing, older than a style, or older than the pretrained
    network (or the descriptor) of the same name."""

    def is_new(path: Path) -> bool:
        files = [*styles().values()]
        parts = {weights_file(path.stem), *files, *(file.parent for file in files)}
        return path.stat().st_mtime >= max(part.stat().st_mtime for part in parts)

    return [path for path in paths if not (is_usable(path) and is_new(path))]
