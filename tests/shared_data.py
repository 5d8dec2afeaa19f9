"""Where real handwriting lies, if this machine has some.

That is the folder that HANDWRITING_DATA names, else ../shared/data beside the project.
"""

import os
from pathlib import Path

DATA = Path(
    os.environ.get("HANDWRITING_DATA", Path(__file__).parents[2] / "shared" / "data")
).expanduser()
