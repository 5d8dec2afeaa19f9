"""Creates the folders of a run: `saved/models/NAME/RUN_ID` and `saved/log/NAME/RUN_ID`."""

import json
import logging
import os
import platform
import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from base import distributed
from base.config import user_modules
from base.run import provenance
from base.run.checkpoint import BEST, candidates
from base.run.pretrained import SAVED
from utils.checks import CheckpointError, UserError, first_line
from utils.files import PLAIN_NAME, errors_name, read_bytes, remove_temporary, set_aside, write_json
from utils.strict_json import Config

log = logging.getLogger(__name__)

RESOLVED_CONFIG = "config.json"
"""File in the folder of a run: its resolved config, which has all defaults."""
RECORD = "run.json"
"""File in the folder of a run: the record of its starts; the last one has the given config, without
defaults."""
LOCK = "run.lock"
"""Lock file in the folder of a run; its text names the process that holds the run."""


class RunInUse(UserError):
    """Another process holds the run."""


class RunExists(UserError):
    """A run that should be new has a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a run's folder and checkpoints say of its config, weights and licence."""

    given_config: Config = field(default_factory=dict)
    """The config as its author gave it, without defaults: the entry `config` of checkpoints and of
    the last start in `run.json`, with which a run starts over."""
    resolved_config: Config = field(default_factory=dict)
    """The config with all defaults: `config.json`, and `training.resolved_config` of checkpoints,
    with which a resumed run is compared."""
    weights_from: Path | None = None
    """The checkpoint whose weights a new run begins with; None for random ones."""
    licence: str | None = None
    """The licence of the checkpoints; see `utils.licences`."""


class RunFolder:
    """The two folders of a run: one for weights and records, one for TensorBoard and pictures.

    Nothing is created before `create`. One process at a time holds the run; the operating system
    frees the lock of a killed process. (On network file systems without locks, the existence of the
    lock file is the lock: remove by hand the file of a process killed on another machine.)

    Args:
        name: the name of the experiment, from its config.
        run_id: the name of the run within the experiment; None for the present time.
        saved: the parent folder of `models` and `log`.

    Attributes:
        existed: whether the run existed before `create`.

    Raises:
        UserError: if name or run-id could lead out of `saved`.
    """

    def __init__(self, name: str, run_id: str | None = None, saved: Path = SAVED) -> None:
        self.run_id = datetime.now().strftime("%Y%m%d-%H%M%S-%f") if run_id is None else run_id
        for option, value in (("name", name), ("run-id", self.run_id)):
            if not PLAIN_NAME.fullmatch(value):
                raise UserError(
                    f"{option} {value!r} is not valid: use letters, digits, '_', '-' and '.', "
                    "beginning with a letter or digit, at most 100 of them"
                )
        self.name = name
        self.saved = saved
        self._lock: FileLock | None = None
        self.existed = False

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> "RunFolder | None":
        """Return the run whose folder, or a file in it, is `path`; None if there is no such run."""
        folder = Path(os.path.normpath(path))
        folder = folder if folder.is_dir() else folder.parent
        if folder.parts[-3:-2] != ("models",):
            folder = folder.absolute()
        if not Path(path).exists() or folder.parts[-3:-2] != ("models",):
            return None
        try:
            return cls(folder.parts[-2], folder.name, Path(*folder.parts[:-3]))
        except UserError:
            return None

    @property
    def models(self) -> Path:
        """The folder of the weights and their records."""
        return self.saved / "models" / self.name / self.run_id

    @property
    def log(self) -> Path:
        """The folder of TensorBoard's files and of pictures."""
        return self.saved / "log" / self.name / self.run_id

    @property
    def argument(self) -> str:
        """The run's folder and the user's modules as arguments of a command line."""
        return f"{shlex.quote(str(self.models))}{user_modules.options()}"

    @property
    def best(self) -> Path:
        """The best checkpoint by the monitored metric."""
        return self.models / BEST

    def hold(self) -> None:
        """Lock this run against other processes until `release`; only the main process locks.

        Raises:
            RunInUse: if another process holds the run; the message names this process.
        """
        if self._lock is not None or not distributed.is_main():
            return
        path = self.models / LOCK
        holder = "another process"
        # `base.run.run_records.is_held` takes the lock for an instant; the timeout is longer.
        lock = FileLock(path, timeout=0.2)
        try:
            lock.acquire()
        except Timeout:
            with suppress(OSError, ValueError):
                holder = read_bytes(path).decode().strip() or holder
            raise RunInUse(
                f"run {self.models} is in use by {holder}: wait for it, or stop it"
            ) from None
        self._lock = lock
        since = local_time(separator=" ")
        with suppress(OSError):
            path.write_text(f"process {os.getpid()} on {platform.node()}, since {since}\n", "utf-8")

    def release(self) -> None:
        """Undo `hold`: empty the lock file, and unlock the run."""
        if self._lock is not None:
            with suppress(OSError):
                os.truncate(self.models / LOCK, 0)
            self._lock.release()
            self._lock = None

    def has_checkpoint(self) -> bool:
        """Return whether this run has a checkpoint."""
        return bool(candidates(self.models))

    def contains(self, checkpoint: Path) -> bool:
        """Return whether a checkpoint is one of this run."""
        return checkpoint.resolve().parent == self.models.resolve()

    def require_new(self) -> "RunFolder":
        """Return this run; raise a RunExists if it has a checkpoint."""
        if self.has_checkpoint():
            raise RunExists(
                f"run-id {self.run_id!r} exists already ({self.models}); choose another, or resume "
                f"it: -r {self.models}"
            )
        return self

    def create(
        self,
        record: RunRecord,
        seed: int,
        *,
        resumed_from: Path | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Create missing folders, hold the run, and write `config.json`, `run.json` and the code.

        A run that was stopped before its first checkpoint starts over.

        Args:
            record: the configs of the run, and what its weights are from.
            seed: the seed of the run.
            resumed_from: the checkpoint to resume from, perhaps of another run; None for a new run.
            device: the device that the run computes on; None for the CPU.

        Raises:
            RunInUse: if another process holds the run.
            RunExists: if the run has a checkpoint but `resumed_from` is not in its folder.
            OSError: if the folders or files cannot be written.
        """
        weights_from = record.weights_from
        previous_run = None if resumed_from is None else RunFolder.of(resumed_from)
        if previous_run is not None:
            weights_from = previous_run.first_weights()
        for folder in (self.models, self.log):
            folder.mkdir(parents=True, exist_ok=True)
        self.hold()
        # Only now, as another process may have saved before.
        if resumed_from is None or not self.contains(resumed_from):
            self.require_new()
        for folder in (self.models, self.log):
            remove_temporary(folder, is_held=True)
        previous = self._previous_starts()
        start = {
            "started": local_time(),
            "resumed_from": resumed_from and str(resumed_from),
            "weights_from": weights_from and str(weights_from),
            "config": record.given_config,
            **provenance.record(self.models, device),
        }
        write_json(self.models / RESOLVED_CONFIG, record.resolved_config)
        self._record: dict[str, Any] = {"name": self.name, "run_id": self.run_id, "seed": seed}
        self._record["runs"] = [*previous, start]
        write_json(self.models / RECORD, self._record)
        self.existed = bool(previous)

    def _previous_starts(self) -> list[dict[str, Any]]:
        """Return the records of the starts so far, for the record of a new start."""
        starts = self._starts()
        log_path = self.models / "train.log"
        # A killed run could not record its end, which is about the time of the last log message.
        if starts and "ended" not in starts[-1] and log_path.exists():
            ended = local_time(at=log_path.stat().st_mtime)
            starts[-1]["ended"] = {"time": ended, "state": "stopped", "reason": "killed"}
        for start in starts:  # Only the config of the new start is needed from now on.
            start.pop("config", None)
        return starts

    def end(self, state: str, reason: str) -> None:
        """Record in `run.json` how the present start ended.

        Args:
            state: "finished", "failed" or, if the run can be resumed, "stopped".
            reason: why the start ended; may be empty.
        """
        ended = {"time": local_time(), "state": state, "reason": reason}
        self._record["runs"][-1]["ended"] = ended
        write_json(self.models / RECORD, self._record)

    def recorded_start(self) -> tuple[Config, str | None]:
        """Return the given config of the last start, and the path of its initial weights or None.

        Raises:
            CheckpointError: if the run was stopped before its config was recorded.
        """
        last: dict[str, Any] = next(reversed(self._starts()), {})
        if "config" not in last:
            raise CheckpointError(
                f"{self.models}: no checkpoint found, and no record of its config; start it again: "
                f"-c CONFIG --run-id {self.run_id}"
            )
        return last["config"], last.get("weights_from")

    def first_weights(self) -> Path | None:
        """Return the checkpoint whose weights the run began with; None for random weights."""
        paths = (start.get("weights_from") for start in self._starts())
        return next((Path(path) for path in paths if path), None)

    def is_finished(self) -> bool:
        """Return whether the run ended after its last epoch."""
        starts = self._starts()
        return bool(starts) and starts[-1].get("ended", {}).get("state") == "finished"

    def _starts(self) -> list[dict[str, Any]]:
        """Return the records of the run's starts; an invalid `run.json` is renamed."""
        record = self.models / RECORD
        try:
            with errors_name(record):
                content = read_bytes(record)
            starts = json.loads(content)["runs"]
            return [dict(start) for start in starts]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            aside = set_aside(record)
            log.warning("%s: no record (%s); renamed to %s", record, first_line(error), aside)
            return []


def local_time(separator: str = "T", at: float | None = None) -> str:
    """Return the time `at`, in seconds since 1970, as local time in the form of ISO 8601. None
    stands for now."""
    moment = datetime.now() if at is None else datetime.fromtimestamp(at)
    return moment.astimezone().isoformat(separator, "seconds")
