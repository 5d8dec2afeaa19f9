"""Writes the log that `tensorboard --logdir saved/log` shows."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from logger.metrics_csv import VALID
from utils.files import atomic_write, errors_name
from utils.strict_json import Config, nested

HPARAMS = "events.out.tfevents.0000000000.hparams"
"""The file with the values for the HPARAMS tab. TensorBoard shows the values that it reads first,
and reads files in the order of their names. A resumed run replaces the file."""


class TensorBoardWriter:
    """Writes scalars, pictures and the config of a run.

    Args:
        folder: the existing folder of the run's events.
        enabled: whether anything is written.
        step: the number of optimiser steps in the checkpoint that the run is resumed from;
            TensorBoard hides values of later steps. None for a new run.
    """

    def __init__(self, folder: Path, *, enabled: bool = True, step: int | None = None) -> None:
        self.folder = folder
        self._writer = None
        if enabled:
            # This import takes seconds, so it is not at the top, where --help would wait for it.
            from torch.utils.tensorboard import SummaryWriter

            purge = None if step is None else step + 1
            with errors_name(folder):
                self._writer = SummaryWriter(str(folder), purge_step=purge, flush_secs=10)

    def scalars(self, values: Mapping[str, float], step: int, group: str) -> None:
        """Write scalars by name, except infinity and NaN; TensorBoard shows a group together."""
        for name, value in values.items():
            if self._writer and math.isfinite(value):
                with errors_name(self.folder):  # Errors of TensorBoard's thread name no file.
                    self._writer.add_scalar(f"{group}/{name}", value, step)

    def pairs(self, names: Sequence[str], group: str) -> None:
        """Let each value and that of its validation share a chart in the tab CUSTOM SCALARS."""
        paired = [name for name in names if f"{VALID}{name}" in names]
        charts = {name: ["Multiline", [f"{group}/({VALID})?{name}$"]] for name in paired}
        if self._writer and charts:
            with errors_name(self.folder):
                self._writer.add_custom_scalars({"training and validation": charts})

    def picture(self, name: str, pixels: np.ndarray, step: int) -> None:
        """Write a picture, `(height, width, 3)` uint8."""
        if self._writer:
            with errors_name(self.folder):
                self._writer.add_image(name, pixels, step, dataformats="HWC")

    def config(self, config: Config, step: int = 0) -> None:
        """Write a config as a text, valid from `step` on, and its values for the HPARAMS tab."""
        text = json.dumps(config, indent=2, ensure_ascii=False)
        code = "\n".join(f"    {line}" for line in text.splitlines())  # a code block of Markdown
        if self._writer:
            with errors_name(self.folder):
                self._writer.add_text("config", _plain(code), step)
                from tensorboard.compat.proto.event_pb2 import Event
                from tensorboard.summary.writer.record_writer import RecordWriter
                from torch.utils.tensorboard.summary import hparams

                leaves = {k: _plain(v) for k, v in nested(config) if not isinstance(v, dict | list)}
                # Of the three records, only the one of the run's start is needed.
                _, start, _ = hparams(leaves, {})
                event = Event(wall_time=time.time(), summary=start).SerializeToString()
                atomic_write(self.folder / HPARAMS, lambda file: RecordWriter(file).write(event))

    def close(self) -> None:
        """Flush and close the files."""
        writer = self._writer
        self._writer = None
        if writer:
            with errors_name(self.folder):
                writer.close()


def _plain(value: object) -> bool | int | float | str:
    """Return a value as a type that TensorBoard accepts: a number, or text in valid UTF-8."""
    is_number = isinstance(value, bool | int | float)
    return value if is_number else str(value).encode(errors="backslashreplace").decode()
