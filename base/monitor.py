"""The best epoch, and early stopping."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from base.run_state import Best
from utils.checks import ConfigFault


class Monitor:
    """Judges each epoch by one of the values that are logged after it.

    Args:
        rule: "min NAME" or "max NAME"; None for nothing.
        names: of all values that are logged after each epoch.
        early_stop: epochs without improvement after which the run ends; None for no limit.

    Raises:
        ConfigFault: if no such value is logged, or an early stop has nothing to look at.
    """

    def __init__(self, rule: str | None, names: Sequence[str], early_stop: int | None) -> None:
        self.rule, self.name, self.early_stop = rule, None, early_stop
        if rule is None:
            if early_stop is not None:
                expected = "null, because nothing is monitored"
                raise ConfigFault("early_stop", early_stop, expected)
            return
        mode, _, self.name = rule.partition(" ")
        if mode not in ("min", "max") or self.name not in names:
            expected = f'"min NAME" or "max NAME" with one of {", ".join(names)}; or null'
            raise ConfigFault("monitor", rule, expected)
        self._sign = 1.0 if mode == "min" else -1.0

    def check_schedule(self, schedule: LRScheduler | None, schedule_by: str) -> None:
        """Raise a ConfigFault if the schedule needs monitored values and cannot get them."""
        if not isinstance(schedule, ReduceLROnPlateau):
            return
        if schedule_by != "epoch":
            expected = '"epoch", because ReduceLROnPlateau looks at a value of each epoch'
            raise ConfigFault("schedule_by", schedule_by, expected)
        if self.rule is None or schedule.mode != self.rule[:3]:
            expected = f'"{schedule.mode} NAME": a value at which ReduceLROnPlateau looks'
            raise ConfigFault("monitor", self.rule, expected)

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
