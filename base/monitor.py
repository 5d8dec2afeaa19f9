"""The best epoch, and early stopping."""

import math
from collections.abc import Mapping
from dataclasses import replace

from base.run_state import Best


class Monitor:
    """Judges each epoch by one of the values that are logged after it.

    Args:
        rule: "min NAME" or "max NAME", of a value that is logged; None for nothing.
        early_stop: epochs without improvement after which the run ends; None for no limit.
    """

    def __init__(self, rule: str | None, early_stop: int | None) -> None:
        mode, _, name = (rule or "").partition(" ")
        self.rule, self.name, self.early_stop = rule, name or None, early_stop
        self._sign = -1.0 if mode == "max" else 1.0

    def judge(self, best: Best, epoch: int, values: Mapping[str, float], sound: bool) -> Best:
        """Return the best epoch so far: `epoch` if it is sound and better than `best`."""
        if self.name is None:
            return best
        value = values[self.name]
        limit = math.inf if best.best is None else self._sign * best.best
        if sound and math.isfinite(value) and self._sign * value < limit:
            return Best(value, epoch)
        return replace(best, not_improved=best.not_improved + 1)

    def out_of_patience(self, best: Best) -> bool:
        """Return whether the last `early_stop` epochs were no better than one before them."""
        return self.early_stop is not None and best.not_improved >= self.early_stop

    def describe(self, best: Best) -> str:
        """Return in words which epoch was best."""
        if self.rule is None:
            return "nothing was monitored"
        if best.best is None:
            return f"no epoch had a finite {self.name}"
        return f"best {self.rule}: {best.best:.6g} in epoch {best.best_epoch}"
