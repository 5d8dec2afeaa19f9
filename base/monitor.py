"""The best epoch, and early stopping."""

import math
from collections.abc import Mapping
from dataclasses import replace

from base.run_state import Progress
from base.training_parts import TrainingSettings


class Monitor:
    """Judges each epoch by one of the values that are logged after it.

    Args:
        settings: of the run.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        mode, self.name = settings.monitored
        self.rule, self.early_stop = settings.monitor, settings.early_stop
        self._sign = -1.0 if mode == "max" else 1.0

    def judge(self, now: Progress, values: Mapping[str, float], sound: bool) -> Progress:
        """Return the progress with the best epoch: the present one if it is sound and better."""
        if self.name is None:
            return now
        value = values[self.name]
        limit = math.inf if now.best is None else self._sign * now.best
        if sound and math.isfinite(value) and self._sign * value < limit:
            return replace(now, best=value, best_epoch=now.epoch + 1, not_improved=0)
        return replace(now, not_improved=now.not_improved + 1)

    def out_of_patience(self, now: Progress) -> bool:
        """Return whether the last `early_stop` epochs were no better than one before them."""
        return self.early_stop is not None and now.not_improved >= self.early_stop

    def describe(self, now: Progress) -> str:
        """Return in words which epoch was best."""
        if self.rule is None:
            return "nothing was monitored"
        if now.best is None:
            return f"no epoch had a finite {self.name}"
        return f"best {self.rule}: {now.best:.6g} in epoch {now.best_epoch}"
