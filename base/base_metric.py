"""What every metric offers to a trainer."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class BaseMetric(ABC):
    """A ratio over a whole split: numerator and denominator add up, and are divided once."""

    names: ClassVar[tuple[str, ...]]
    """The names of the values that `compute` returns."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything added so far."""

    @abstractmethod
    def update(self, output: Any, batch: Any) -> None:
        """Add one batch."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Return the metric by name over everything added since `reset`; nan where empty."""
