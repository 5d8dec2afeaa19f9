"""Messages between a process and its parsing child: a pickle, and the arrays that it has."""

import pickle
import struct
from array import array
from dataclasses import dataclass
from enum import IntEnum
from io import BufferedIOBase, RawIOBase
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

from ink.formats.faults import Fault

OUT_OF_MEMORY = 3
"""Exit status of a child whose memory is not enough."""
_PREFIX = struct.Struct("<QQ")  # bytes of a pickle, number of its arrays

Message: TypeAlias = tuple[memoryview, list[memoryview]]
"""A pickle, and its arrays."""


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
    max_bytes: int = 2_000_000_000
    """Memory of the child; a sixteenth of it for a result's objects, a quarter for its arrays."""

    def times(self, factor: float) -> "Limits":
        """Return limits times `factor`, for users who allow larger files; at least these limits."""
        values = self.seconds, self.wall_seconds, self.max_bytes
        return Limits(*(int(max(1.0, factor) * value) for value in values))


USUAL = Limits()
"""Limits of what needs no others."""


def send(stream: RawIOBase | BufferedIOBase, value: object, limits: Limits | None = None) -> None:
    """Write a pickle after its size and the sizes of its arrays, which follow it.

    Raises:
        Fault: if there is more of it than `limits` allow; then nothing is written.
    """
    arrays: list[memoryview] = []
    content = pickle.dumps(value, 5, buffer_callback=lambda item: arrays.append(item.raw()))
    sizes = array("Q", map(len, arrays))
    if limits and (16 * len(content) > limits.max_bytes or 4 * sum(sizes) > limits.max_bytes):
        detail = f"{(len(content) + sum(sizes)) / 1e6:,.0f} MB"
        raise Fault("too large when it is parsed; divide it", detail)
    for part in (_PREFIX.pack(len(content), len(sizes)), sizes.tobytes(), content, *arrays):
        while len(part):
            part = part[stream.write(part) :]
    stream.flush()


def received(stream: RawIOBase | BufferedIOBase) -> Message:
    """Read what `send` has written; raise an EOFError if it is cut short."""
    num_bytes, num_arrays = _PREFIX.unpack(_exactly(_PREFIX.size, stream))
    sizes = array("Q", bytes(_exactly(array("Q").itemsize * num_arrays, stream)))
    content = _exactly(num_bytes, stream)
    arrays = _exactly(sum(sizes), stream)
    return content, [arrays[start:stop] for start, stop in pairwise(accumulate(sizes, initial=0))]


def _exactly(size: int, stream: RawIOBase | BufferedIOBase) -> memoryview:
    content = memoryview(bytearray(size))
    count = 0
    while count < size:
        if not (more := stream.readinto(content[count:])):
            raise EOFError
        count += more
    return content


def loaded(message: Message) -> Any:
    content, arrays = message
    return pickle.loads(content, buffers=arrays)
