"""The log that TensorBoard shows: `tensorboard --logdir saved/log`."""

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from utils.checks import UserError
from utils.files import errors_name

_EVENTS = "events.out.tfevents.*"


class TensorBoardWriter:
    """Writes scalars, pictures and texts of one run.

    What a resumed run logs follows what was logged up to its checkpoint, and nothing else: what
    came after it is cut off, and TensorBoard, where it runs already, is told to forget it.

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
        self._writer = None
        if sizes is not None:
            _take_back(folder, sizes)
        if enabled:
            # Imported here: it takes seconds, which --help and config errors need not wait for.
            from torch.utils.tensorboard import SummaryWriter

            if _escaped(str(folder)) != str(folder):
                raise UserError(
                    f"{folder}: TensorBoard cannot write where a folder's name is no text in "
                    "UTF-8; rename it, or set trainer.args.tensorboard to false"
                )
            purge = None if sizes is None else step + 1
            with errors_name(folder):
                self._writer = SummaryWriter(str(folder), purge_step=purge)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write scalars by name at `step`, leaving out what is not finite."""
        for name, value in values.items():
            if math.isfinite(value):
                self._call("add_scalar", name, value, step)

    def picture(self, name: str, pixels: np.ndarray, step: int) -> None:
        """Write a picture, `(height, width, 3)` uint8."""
        self._call("add_image", name, pixels, step, dataformats="HWC")

    def text(self, name: str, text: str, step: int = 0) -> None:
        """Write a text, which TensorBoard shows as Markdown."""
        self._call("add_text", name, _escaped(text), step)

    def hyperparameters(
        self, parameters: Mapping[str, Any], metrics: Mapping[str, float], step: int
    ) -> None:
        """Write the run's settings with its final metrics, as the tab HPARAMS shows them.

        Args:
            parameters: settings by dotted key; lists and None are written as text.
            metrics: final values by name.
            step: at which they stand.
        """
        if self._writer is None:
            return
        from torch.utils.tensorboard.summary import hparams

        plain = {
            name: value if isinstance(value, bool | int | float) else _escaped(str(value))
            for name, value in parameters.items()
        }
        finite = {f"final/{name}": value for name, value in metrics.items() if math.isfinite(value)}
        with errors_name(self.folder):
            for summary in hparams(plain, finite):
                self._writer.file_writer.add_summary(summary)
        self.scalars(finite, step)

    def sizes(self) -> dict[str, int]:
        """Write out what is waiting, and return the size of each file of events in bytes."""
        self._call("flush")
        return {path.name: path.stat().st_size for path in sorted(self.folder.glob(_EVENTS))}

    def close(self) -> None:
        """Write out what is waiting and close the file."""
        self._call("close")
        self._writer = None

    def _call(self, method: str, *arguments: Any, **options: Any) -> None:
        """Call a method of torch's writer, if there is one."""
        if self._writer is not None:
            with errors_name(self.folder):  # Its thread's errors name no file.
                getattr(self._writer, method)(*arguments, **options)


def _escaped(text: str) -> str:
    """Return a text with escapes for what UTF-8 lacks: a file name's bytes that are no text."""
    return text.encode(errors="backslashreplace").decode()


def _take_back(folder: Path, sizes: Mapping[str, int]) -> None:
    """Cut the files of events off at `sizes`, and remove those that did not exist then."""
    for path in folder.glob(_EVENTS):
        if path.name not in sizes:
            path.unlink()
        elif path.stat().st_size > sizes[path.name]:
            with suppress(FileNotFoundError):
                os.truncate(path, sizes[path.name])
