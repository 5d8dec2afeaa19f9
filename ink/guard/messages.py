"""Messages between a process and its parsing child: pickles, each after its size."""

import pickle
import struct
from dataclasses import dataclass
from enum import IntEnum
from io import BufferedIOBase, RawIOBase

from ink.sample import Fault

OUT_OF_MEMORY = 3
"""Exit status of a child whose memory is not enough."""
_SIZE = struct.Struct("<Q")  # of a pickle


class Kind(IntEnum):
    """Kinds of answers."""

    VALUE = 0
    ERROR = 1
    END = 2  # with the most bytes of memory that the child has had
    BAR = 3  # the arguments of a progress bar
    STEPS = 4  # steps of the last bar


@dataclass(frozen=True)
class Limits:
    """Limits of parsing a file, a member of an archive or a page."""

    seconds: int = 20
    """Processor time; see `service` for what an archive or pages may take besides."""
    wall_seconds: int = 60
    """Time by the clock in which the child neither answers nor takes processor time."""
    max_bytes: int = 2_000_000_000
    """Memory of the child; a sixteenth of it for a result's objects, a quarter for its arrays."""

    def times(self, factor: float) -> "Limits":
        """Return limits times `factor`, for users who allow larger files; at least these limits."""
        values = self.seconds, self.wall_seconds, self.max_bytes
        return Limits(*(int(max(1.0, factor) * value) for value in values))


USUAL_LIMITS = Limits()
"""Limits of what needs no others."""


def send(stream: RawIOBase | BufferedIOBase, value: object, limits: Limits | None = None) -> None:
    """Write a pickle after its size.

    Raises:
        Fault: if there is more of it than `limits` allow; then nothing is written.
    """
    array_bytes = 0

    def count(array: pickle.PickleBuffer) -> bool:
        nonlocal array_bytes
        array_bytes += array.raw().nbytes
        return True  # The pickle has the array.

    content = pickle.dumps(value, 5, buffer_callback=count)
    # A result's objects may have a sixteenth of the memory, its arrays a quarter, see `Limits`.
    weighed = max(16 * (len(content) - array_bytes), 4 * array_bytes)
    if limits and weighed > limits.max_bytes:
        raise Fault("too large when it is parsed; divide it", f"{len(content) / 1e6:,.0f} MB")
    for part in (_SIZE.pack(len(content)), memoryview(content)):
        while len(part):
            num_written = stream.write(part)  # perhaps not all
            part = part[num_written:]
    stream.flush()


def received(stream: RawIOBase | BufferedIOBase) -> memoryview:
    """Read what `send` has written; raise an EOFError if it is cut short."""
    (size,) = _SIZE.unpack(_exactly(_SIZE.size, stream))
    return _exactly(size, stream)


def _exactly(size: int, stream: RawIOBase | BufferedIOBase) -> memoryview:
    content = memoryview(bytearray(size))
    count = 0
    while count < size:
        more = stream.readinto(content[count:])
        if not more:
            raise EOFError
        count += more
    return content
