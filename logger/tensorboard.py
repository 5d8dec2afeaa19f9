"""The log that TensorBoard shows: `tensorboard --logdir saved/log`."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from utils.files import atomic_write, errors_name
from utils.strict_json import Config, nested

HPARAMS = "events.out.tfevents.0000000000.hparams"
"""The file of the values for the HPARAMS tab. TensorBoard reads files in the order of their names
and shows the first values: those of this file, which a resumed run replaces."""


class TensorBoardWriter:
    """Writes scalars, pictures and texts of one run.

    Args:
        folder: of the run's events; it exists.
        enabled: whether anything is written.
        step: optimiser steps made up to the checkpoint that a run is resumed from; TensorBoard
            shows nothing that was logged after these. None for a new run.
    """

    def __init__(self, folder: Path, *, enabled: bool = True, step: int | None = None) -> None:
        self.folder, self._writer = folder, None
        if enabled:
            # Imported here: it takes seconds, which --help and config errors need not wait for.
            from torch.utils.tensorboard import SummaryWriter

            purge = None if step is None else step + 1
            with errors_name(folder):
                self._writer = SummaryWriter(str(folder), purge_step=purge, flush_secs=10)

    def scalars(self, values: Mapping[str, float], step: int, group: str) -> None:
        """Write the finite ones of scalars by name at `step`.

        The charts of a group appear together.
        """
        for name, value in values.items():
            if self._writer and math.isfinite(value):
                with errors_name(self.folder):  # Errors of TensorBoard's thread name no file.
                    self._writer.add_scalar(f"{group}/{name}", value, step)

    def pairs(self, names: Sequence[str], group: str) -> None:
        """Draw NAME and `valid_NAME` of a group in one chart of the tab CUSTOM SCALARS."""
        both = [name for name in names if f"valid_{name}" in names]
        charts = {name: ["Multiline", [f"{group}/(valid_)?{name}$"]] for name in both}
        if self._writer and charts:
            with errors_name(self.folder):
                self._writer.add_custom_scalars({"training and validation": charts})

    def picture(self, name: str, pixels: np.ndarray, step: int) -> None:
        """Write a picture, `(height, width, 3)` uint8."""
        if self._writer:
            with errors_name(self.folder):
                self._writer.add_image(name, pixels, step, dataformats="HWC")

    def config(self, config: Config, step: int = 0) -> None:
        """Write the run's config from `step` on, as a text, and its values by dotted key for the
        HPARAMS tab."""
        text = json.dumps(config, indent=2, ensure_ascii=False)
        code = "\n".join(f"    {line}" for line in text.splitlines())  # as Markdown shows it
        if self._writer:
            with errors_name(self.folder):
                self._writer.add_text("config", _plain(code), step)
                from tensorboard.compat.proto.event_pb2 import Event
                from tensorboard.summary.writer.record_writer import RecordWriter
                from torch.utils.tensorboard.summary import hparams

                leaves = {k: _plain(v) for k, v in nested(config) if not isinstance(v, dict | list)}
                # Without the list of curves, and without the record of the end, which is to come.
                _, start, _ = hparams(leaves, {})
                event = Event(wall_time=time.time(), summary=start).SerializeToString()
                atomic_write(self.folder / HPARAMS, lambda file: RecordWriter(file).write(event))

    def close(self) -> None:
        """Flush and close the files."""
        writer, self._writer = self._writer, None
        if writer:
            with errors_name(self.folder):
                writer.close()


def _plain(value: object) -> bool | int | float | str:
    """Return a value of a type that TensorBoard takes."""
    plain = isinstance(value, bool | int | float)
    return value if plain else str(value).encode(errors="backslashreplace").decode()
