"""What a page's JSON holds, for tests that look at what was laid out."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def rows_of(path: Path) -> list[SimpleNamespace]:
    """Return the rows of a page: `text`, `pen`, `period` and `strokes`, arrays `(n, 2)`."""
    page = json.loads(path.read_text(), object_hook=lambda values: SimpleNamespace(**values))
    for row in page.rows:
        row.strokes = [np.array(stroke) for stroke in row.strokes]
    return page.rows
