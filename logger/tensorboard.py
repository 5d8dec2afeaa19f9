"""The log that TensorBoard shows: `tensorboard --logdir saved/log`."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from utils.checks import UserError
from utils.files import errors_name

_EVENTS = "events.out.tfevents.*"
VALID = "valid"
"""The folder of the validation curves: TensorBoard treats it as a run of its own, and so draws
training and validation in one chart."""


class TensorBoardWriter:
    """Writes scalars, pictures and texts of one run.

    A resumed run continues the log of its checkpoint: what was logged after it is cut off, and a
    running TensorBoard purges it.

    Args:
        folder: of the run's events; it exists.
        enabled: whether anything is written.
        sizes: what `sizes` returned when the checkpoint was written; None for a new run.
        step: optimiser steps made up to the checkpoint.

    Raises:
        UserError: if TensorBoard cannot write into a folder of that name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        enabled: bool = True,
        sizes: Mapping[str, int] | None = None,
        step: int = 0,
    ) -> None:
        self.folder = folder
        self._writers = {}
        if sizes is not None:
            _take_back(folder, sizes)
        if enabled:
            # Imported here: it takes seconds, which --help and config errors need not wait for.
            from torch.utils.tensorboard import SummaryWriter

            if _escaped(str(folder)) != str(folder):
                raise UserError(
                    f"{folder}: TensorBoard cannot write to a folder whose name is not UTF-8; "
                    "rename it, or set trainer.args.tensorboard to false"
                )
            purge = None if sizes is None else step + 1
            for run in ("", VALID):
                with errors_name(folder / run):
                    self._writers[run] = SummaryWriter(str(folder / run), purge_step=purge)

    def scalars(self, values: Mapping[str, float], step: int, group: str) -> None:
        """Write scalars by name at `step`, leaving out what is not finite.

        Those named `valid_NAME` are drawn with NAME; the charts of a group appear together.
        """
        for name, value in values.items():
            if math.isfinite(value):
                run = VALID if name.startswith(f"{VALID}_") else ""
                tag = f"{group}/{name.removeprefix(f'{VALID}_')}"
                self._call("add_scalar", tag, value, step, run=run)

    def picture(self, name: str, pixels: np.ndarray, step: int) -> None:
        """Write a picture, `(height, width, 3)` uint8."""
        self._call("add_image", name, pixels, step, dataformats="HWC")

    def config(self, config: Any) -> None:
        """Write the run's config as a text."""
        text = json.dumps(config, indent=2, ensure_ascii=False)
        code = "\n".join(f"    {line}" for line in text.splitlines())  # as Markdown shows it
        self._call("add_text", "config", _escaped(code), 0)

    def hyperparameters(self, config: Any) -> None:
        """Write the settings of a finished run for the HPARAMS tab, which finds the values."""
        if not self._writers:
            return
        from torch.utils.tensorboard.summary import hparams

        plain = {
            name: value if isinstance(value, bool | int | float) else _escaped(str(value))
            for name, value in _flat(config)
        }
        with errors_name(self.folder):
            for summary in hparams(plain, {})[1:]:  # Without its list of curves.
                self._writers[""].file_writer.add_summary(summary)

    def sizes(self) -> dict[str, int]:
        """Flush, and return the size of each event file in bytes."""
        self._call_all("flush")
        files = sorted(self.folder.rglob(_EVENTS))
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in files}

    def close(self) -> None:
        """Flush and close the files."""
        self._call_all("close")
        self._writers = {}

    def _call_all(self, method: str) -> None:
        for run in self._writers:
            self._call(method, run=run)

    def _call(self, method: str, *arguments: Any, run: str = "", **options: Any) -> None:
        """Call a method of torch's writer, if there is one."""
        if self._writers:
            with errors_name(self.folder / run):  # Its thread's errors name no file.
                getattr(self._writers[run], method)(*arguments, **options)


def _escaped(text: str) -> str:
    """Return a text with escapes for undecodable bytes of file names."""
    return text.encode(errors="backslashreplace").decode()


def _take_back(folder: Path, sizes: Mapping[str, int]) -> None:
    """Truncate the event files to `sizes`, and remove those that did not exist then."""
    for path in folder.rglob(_EVENTS):
        name = path.relative_to(folder).as_posix()
        if name not in sizes:
            path.unlink()
        elif path.stat().st_size > sizes[name]:
            with suppress(FileNotFoundError):
                os.truncate(path, sizes[name])


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of nested objects and lists by dotted key."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{key}.{number}")
    else:
        yield key, value
