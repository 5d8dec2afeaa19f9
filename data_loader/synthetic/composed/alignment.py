"""A table that assigns the points of recorded lines to characters.

The table has only names of lines and numbers, no ink and no text.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ink import guard
from ink.formats.arrays import read_arrays
from ink.sample import Fault
from utils.checks import DataError, first_line
from utils.files import atomic_write

ALIGNMENT_FOLDER = Path(__file__).parent / "alignments"
"""Folder of the tables that come with the project."""


@dataclass(frozen=True)
class AlignedLine:
    """The alignment of a line.

    Attributes:
        counts: number of points of each character of the text, in order, `(characters,)`.
        read: whether a recogniser read each character of the line right, `(characters,)` bool.
        fits: whether a recogniser read each character right when cut out and set behind a word of
            its hand, `(characters,)` bool; False if it cannot be cut out, or was not tried.
        errors: number of the recogniser's errors in the whole line.
    """

    counts: np.ndarray
    read: np.ndarray
    fits: np.ndarray
    errors: int


class Alignment(dict[str, AlignedLine]):
    """Aligned lines by name."""

    def find(self, name: str, num_points: int, text: str) -> AlignedLine | None:
        """Return the alignment of a line; None if the table has none for this ink and text."""
        line = self.get(name)
        if line is None or len(line.counts) != len(text) or line.counts.sum() != num_points:
            return None
        return line

    def save(self, path: Path) -> None:
        """Write the table to a file; the table must have at least one line."""
        lines = list(self.values())
        arrays = {
            "names": np.frombuffer("\n".join(self).encode(), dtype=np.uint8),
            "characters": np.array([len(line.counts) for line in lines], dtype=np.uint16),
            "counts": np.concatenate([line.counts for line in lines]).astype(np.uint16),
            "read": np.packbits(np.concatenate([line.read for line in lines])),
            "fits": np.packbits(np.concatenate([line.fits for line in lines])),
            "errors": np.array([line.errors for line in lines], dtype=np.uint16),
        }
        atomic_write(path, lambda file: np.savez_compressed(file, **arrays))

    @classmethod
    def load(cls, name: str | Path) -> "Alignment":
        """Read a table that `save` has written, by its path or by the name of a shipped table.

        Raises:
            DataError: if the file cannot be read, or is no such table.
        """
        try:
            arrays = guard.call(read_arrays, path_of(name))
            names = arrays["names"].tobytes().decode().split("\n")
            *ends, total = np.cumsum(arrays["characters"], dtype=np.int64).tolist()
            counts = np.split(arrays["counts"].astype(np.int64), ends)
            num_flags = 8 * min(len(arrays["read"]), len(arrays["fits"]))  # 8 in a byte
            if total > num_flags:
                raise ValueError("fewer flags than characters")
            read = np.split(np.unpackbits(arrays["read"], count=total).astype(bool), ends)
            fits = np.split(np.unpackbits(arrays["fits"], count=total).astype(bool), ends)
            lines = map(AlignedLine, counts, read, fits, arrays["errors"].tolist())
            return cls(zip(names, lines, strict=True))
        except (Fault, ValueError, TypeError, KeyError, OverflowError) as error:
            raise DataError(
                f"alignment = {str(name)!r}: {first_line(error)}; give a shipped table "
                f"({', '.join(_shipped())}), or a file that `apps/datasets/align.py` made"
            ) from None


def path_of(name: str | Path) -> Path:
    """Return the file of a table, by its path or by the name of a shipped table."""
    return _shipped().get(str(name), Path(name))


def _shipped() -> dict[str, Path]:
    """Return the tables that come with the project, by name."""
    return {path.stem: path for path in sorted(ALIGNMENT_FOLDER.glob("*.npz"))}
