"""A trace of a few training steps, for https://ui.perfetto.dev or chrome://tracing."""

import gzip
import logging
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, record_function, schedule

from utils.files import atomic_write

log = logging.getLogger(__name__)

SKIPPED, WARM_UP, TRACED = 3, 2, 3
"""Steps before the profiler starts, steps of its warm-up (both measured: what is built at first use
is built by then), and traced steps."""


class StepProfiler:
    """Traces a few training steps, and writes them to a file in Chrome's JSON format.

    Args:
        folder: where `trace-step*.json.gz` goes.
        device: of the network.
        enabled: whether to do anything.
    """

    def __init__(self, folder: Path, device: torch.device, *, enabled: bool) -> None:
        self.folder = folder
        self._steps, self._profile = 0, None
        if enabled:
            on_device = [ProfilerActivity.CUDA] if device.type == "cuda" else []
            self._profile = profile(
                activities=[ProfilerActivity.CPU, *on_device],
                schedule=schedule(wait=SKIPPED, warmup=WARM_UP, active=TRACED, repeat=1),
                acc_events=True,
            )
            self._profile.start()

    def part(self, name: str) -> AbstractContextManager:
        """Return a context that the trace shows as one block."""
        return nullcontext() if self._profile is None else record_function(name)

    def step(self, number: int) -> None:
        """Count step `number` of the run; after the last one traced write the trace."""
        if self._profile is None:
            return
        self._steps += 1
        if self._steps < SKIPPED + WARM_UP + TRACED:
            self._profile.step()
        else:
            self._write(number)

    def close(self, number: int) -> None:
        """Stop; a run that was too short gets a trace of the steps it has."""
        if self._profile is None:
            return
        if self._steps > SKIPPED + WARM_UP:
            self._write(number)
            return
        self._profile.stop()
        self._profile = None
        log.warning(
            "no profile: a run of %d steps is too short, the trace begins after %d",
            self._steps,
            SKIPPED + WARM_UP,
        )

    def _write(self, number: int) -> None:
        self._profile.stop()
        path = self.folder / f"trace-step{number}.json.gz"
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "trace.json"
            self._profile.export_chrome_trace(str(plain))
            atomic_write(path, lambda file: file.write(gzip.compress(plain.read_bytes())))
        self._profile = None
        log.info("profile of the steps up to %d, for https://ui.perfetto.dev: %s", number, path)
