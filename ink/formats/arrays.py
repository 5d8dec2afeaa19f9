"""Reads tables of arrays, `.npz` files."""

from pathlib import Path

import numpy as np

from ink.sample import Fault
from utils.checks import first_line
from utils.files import open_file


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name.

    Raises:
        Fault: if the file cannot be read, or has anything but arrays of plain values.
    """
    try:
        with open_file(path) as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except MemoryError:
        raise
    except OSError as error:
        raise Fault("a file that cannot be read", error.strerror or str(error)) from None
    except Exception as error:  # np.load may raise any error.
        raise Fault("not a table of arrays", first_line(error)) from None
