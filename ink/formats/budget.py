"""Limits what parsing a file or an archive may take."""

from ink.formats.faults import Fault

MAX_ELEMENTS = 500_000  # XML elements, UNIPEN keywords or stroke arrays of a file (assumed)
MAX_VALUES = 4 * MAX_ELEMENTS  # lists and objects of JSON, opcodes of a pickle (assumed)
MAX_PARSED = 1_000_000_000  # bytes of an unpacked archive and its samples (assumed: half of 2 GB)
SAMPLE_BYTES = 500  # of a sample or a Fault besides points and strings (measured)
POINT_BYTES = 13  # of a point (measured)


class Budget:
    """An amount, in any unit, that parsing may use; to spend more is a Fault for `reason`."""

    def __init__(self, amount: float, reason: str) -> None:
        self._left, self._reason = amount, reason

    def spend(self, amount: float) -> None:
        """Take `amount` from the budget; raise a Fault if less is left."""
        self._left -= amount
        if self._left < 0:
            raise Fault(self._reason)


def memory_budget(source: object = "it", max_bytes: int | None = None) -> Budget:
    """Return a budget for parsing a file or an archive, of `MAX_PARSED` bytes or those that an
    option allows; messages call it `source`."""
    remedy = "divide it" if max_bytes is None else "divide it, or raise max_gb"
    count = max_bytes or MAX_PARSED
    return Budget(count, f"more than {count:,} bytes when {source} is parsed; {remedy}")
