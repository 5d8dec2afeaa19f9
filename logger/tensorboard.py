"""The log that TensorBoard shows: `tensorboard --logdir saved/log`."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from utils.files import errors_name
from utils.strict_json import Config

VALID = "valid"
"""The folder of the validation curves: TensorBoard treats it as a run of its own, and so draws
training and validation in one chart."""


class TensorBoardWriter:
    """Writes scalars, pictures and texts of one run.

    Args:
        folder: of the run's events; it exists.
        enabled: whether anything is written.
        step: optimiser steps made up to the checkpoint that a run is resumed from; TensorBoard
            shows nothing that was logged after these. None for a new run.
    """

    def __init__(self, folder: Path, *, enabled: bool = True, step: int | None = None) -> None:
        self.folder = folder
        self._writers = {}
        if enabled:
            # Imported here: it takes seconds, which --help and config errors need not wait for.
            from torch.utils.tensorboard import SummaryWriter

            purge = None if step is None else step + 1
            for run in ("", VALID):
                with errors_name(folder / run):
                    self._writers[run] = SummaryWriter(
                        str(folder / run), purge_step=purge, flush_secs=10
                    )

    def scalars(self, values: Mapping[str, float], step: int, group: str) -> None:
        """Write scalars by name at `step`, leaving out what is not finite.

        Those named `valid_NAME` are drawn with NAME; the charts of a group appear together.
        """
        for name, value in values.items():
            run = VALID if name.startswith(f"{VALID}_") else ""
            if run in self._writers and math.isfinite(value):
                tag = f"{group}/{name.removeprefix(f'{VALID}_')}"
                with errors_name(self.folder / run):  # Its thread's errors name no file.
                    self._writers[run].add_scalar(tag, value, step)

    def picture(self, name: str, pixels: np.ndarray, step: int) -> None:
        """Write a picture, `(height, width, 3)` uint8."""
        if self._writers:
            with errors_name(self.folder):
                self._writers[""].add_image(name, pixels, step, dataformats="HWC")

    def config(self, config: Config) -> None:
        """Write the run's config as a text, and its values for the HPARAMS tab, by dotted key."""
        text = json.dumps(config, indent=2, ensure_ascii=False)
        code = "\n".join(f"    {line}" for line in text.splitlines())  # as Markdown shows it
        if self._writers:
            with errors_name(self.folder):
                text = code.encode(errors="backslashreplace").decode()
                self._writers[""].add_text("config", text, 0)
                from torch.utils.tensorboard.summary import hparams

                _, *summaries = hparams(dict(_flat(config)), {})  # without its list of curves
                for summary in summaries:
                    self._writers[""].file_writer.add_summary(summary)

    def close(self) -> None:
        """Flush and close the files."""
        while self._writers:
            run, writer = self._writers.popitem()
            with errors_name(self.folder / run):
                writer.close()


def _flat(value: object, key: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    """Yield the values of nested objects and lists by dotted key."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    else:
        plain = isinstance(value, bool | int | float)
        yield key, value if plain else str(value).encode(errors="backslashreplace").decode()
