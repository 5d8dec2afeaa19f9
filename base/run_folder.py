"""Where a run leaves its files: `saved/models/NAME/RUN_ID` and `saved/log/NAME/RUN_ID`."""

import json
import logging
import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from base.checkpoint import BEST, checkpoints
from utils.checks import UserError
from utils.files import remove_temporary, set_aside, write_json

log = logging.getLogger(__name__)

SAVED = Path("saved")
_PLAIN_NAME = re.compile(r"[^\W_][\w.-]{0,99}")
_SUPERSEDED = "superseded"


class RunFolder:
    """The two folders of a run: its weights and what belongs beside them, and its log.

    Nothing is made before `create`.

    Args:
        name: of the experiment, from its config.
        run_id: of the run; by default the time.
        saved: the folder that holds `models` and `log`.

    Raises:
        UserError: if name or run-id could lead out of `saved`.
    """

    def __init__(self, name: str, run_id: str | None = None, saved: Path = SAVED) -> None:
        self.run_id = datetime.now().strftime("%Y%m%d-%H%M%S") if run_id is None else run_id
        for what, value in (("name", name), ("run-id", self.run_id)):
            if not isinstance(value, str) or not _PLAIN_NAME.fullmatch(value):
                raise UserError(
                    f"{what} {value!r} does not fit: letters, digits, '_', '-' and '.', beginning "
                    "with a letter or digit, at most 100 of them"
                )
        self.name = name
        self.models = saved / "models" / name / self.run_id
        self.log = saved / "log" / name / self.run_id

    @classmethod
    def of_checkpoint(cls, path: str | os.PathLike[str]) -> "RunFolder | None":
        """Return the run that the checkpoint at `path` lies in; None if it lies elsewhere."""
        path = Path(path)
        folder = path if path.is_absolute() else Path(os.path.normpath(path))
        parts = folder.parent.parts
        if len(parts) < 3 or parts[-3] != "models":
            folder = path.resolve()
            parts = folder.parent.parts
        if len(parts) < 3 or parts[-3] != "models":
            return None
        try:
            return cls(parts[-2], parts[-1], Path(*parts[:-3]))
        except UserError:
            return None

    @property
    def log_file(self) -> Path:
        """The file that log messages go to."""
        return self.models / "train.log"

    @property
    def metrics_file(self) -> Path:
        """The table of metrics."""
        return self.models / "metrics.csv"

    def refuse_if_there(self) -> None:
        """Raise a UserError if there is such a run already."""
        for folder in (self.models, self.log):
            if folder.exists():
                raise UserError(
                    f"run-id {self.run_id!r} exists already ({folder}); choose another, or go on "
                    f"with it: -r {self.models}"
                )

    def create(
        self,
        config: dict[str, Any],
        seed: int,
        *,
        resumed_from: Path | None = None,
        command: Sequence[str] | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Make the folders, or go on in them, and leave `config.json` and `run.json` there.

        Args:
            config: of the run.
            seed: of the run.
            resumed_from: the checkpoint, which may lie in this run or elsewhere; None if none.
            command: the words of the command line; by default those of this process.
            device: that the run computes on; None for the CPU.

        Raises:
            UserError: if the run exists and `resumed_from` does not lie in it.
            OSError: if the folders or files cannot be written.
        """
        inside = resumed_from is not None and resumed_from.resolve().parent == self.models.resolve()
        if not inside:
            self.refuse_if_there()
        self.models.mkdir(parents=True, exist_ok=inside)
        self.log.mkdir(parents=True, exist_ok=inside)
        remove_temporary(self.models)
        record = self.models / "run.json"
        starts = _read_starts(record)
        starts.append(
            {
                "started": datetime.now().astimezone().isoformat(timespec="seconds"),
                "command": list(sys.argv if command is None else command),
                "resumed_from": None if resumed_from is None else str(resumed_from),
                "versions": versions(device),
            }
        )
        write_json(self.models / "config.json", config)
        write_json(record, {"name": self.name, "run_id": self.run_id, "seed": seed, "runs": starts})

    def set_aside_after(self, path: Path) -> list[Path]:
        """Move the checkpoints newer than `path` into `superseded/`, and return their old places.

        A run resumed from an older checkpoint makes its own; those of the branch left behind
        would be taken for the newest.
        """
        there = checkpoints(self.models)
        places = [one.resolve() for one in there]
        if path.resolve() not in places:
            return []
        newer = there[: places.index(path.resolve())]
        if newer:
            (self.models / _SUPERSEDED).mkdir(exist_ok=True)
            for one in newer:
                os.replace(one, self.models / _SUPERSEDED / one.name)
        return newer

    def keep_last(self, count: int) -> None:
        """Remove all but the newest `count` checkpoints; the best one is not counted."""
        for path in checkpoints(self.models)[count:]:
            path.unlink(missing_ok=True)

    @property
    def best(self) -> Path:
        """The checkpoint that was best by the monitored metric."""
        return self.models / BEST


def versions(device: torch.device | None = None) -> dict[str, str]:
    """Return the versions that a run's numbers depend on, and what it computes on."""
    device = device or torch.device("cpu")
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _read_starts(record: Path) -> list[dict[str, Any]]:
    """Return the starts of a run so far; a record that is none is kept under another name."""
    try:
        values = json.loads(record.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return []
    except (ValueError, RecursionError) as error:
        values, cause = None, f"not JSON ({error})"
    else:
        cause = 'no object with a list "runs"'
    starts = values.get("runs") if isinstance(values, dict) else None
    if isinstance(starts, list):
        return starts
    log.warning("%s: %s; kept as %s", record, cause, set_aside(record))
    return []
