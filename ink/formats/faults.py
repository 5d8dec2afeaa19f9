"""Faults of files and samples: why they are unusable, each in a line of a report."""

from collections.abc import Iterable

from utils.checks import DataError, first_of, printable


class Fault(DataError):
    """Says why the sample or file `name` is unusable. Reports count faults of the same `reason`.

    A reason names what is wrong with the content: "an empty file", "a path that is not valid". If
    the content itself is unknown, as its parser was ended, the reason says what the file does:
    "takes more than 20 s of processor time to parse". The detail is what differs from fault to
    fault.
    """

    __slots__ = ("detail", "name", "reason")  # saves memory, as a file may have many faults

    def __init__(self, reason: str, detail: str = "", name: str = "") -> None:
        detail = printable(detail)  # The detail may quote the file.
        super().__init__(reason, detail, name)
        self.reason = reason
        self.detail = detail
        self.name = name

    def within(self, file: str, separator: str = ":") -> "Fault":
        """Return the fault with the name of a file before its own name."""
        return Fault(self.reason, self.detail, with_file(file, self.name, separator))

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        name = f"{printable(self.name)}: " if self.name else ""
        return f"{name}{printable(self.reason)}{detail}"


class NoLines(Fault):
    """Says that a file has no lines: it has pages, or an unknown format."""

    __slots__ = ()


def with_file(file: str, name: str, separator: str) -> str:
    """Return a sample's name after the name of its file; the file's name if it has none."""
    return f"{file}{separator}{name}" if name else file


def summarise(faults: Iterable[Fault]) -> list[str]:
    """Return a line for each reason: the number of faults, and the first names."""
    by_reason: dict[str, list[str]] = {}
    for fault in faults:
        name = f"{fault.name} ({fault.detail})" if fault.detail else fault.name
        by_reason.setdefault(fault.reason, []).append(name)
    return [
        f"{len(names):,} left out: {printable(reason)}: {first_of(names, 10)}"
        for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]
