"""What a parser might do to the process that calls it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ink.guard import service
from ink.sample import Fault, Sample


def pid(_: object = None) -> int:
    return os.getpid()


def folder() -> str:
    return os.getcwd()


def numbers(count: int):
    yield from range(count)


def work(seconds: float) -> float:
    """Take processor time, and little else."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


def working(*seconds: float):
    yield from map(work, seconds)


def loop(megabytes: int, seconds: float, bar: Callable[..., Any]) -> None:
    """Work for each megabyte of an archive."""
    with bar(None, "looping", total=megabytes * 1_000_000, unit="B") as progress:
        for _ in range(megabytes):
            work(seconds)
            progress.update(1_000_000)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def stop_in_the_middle() -> None:
    """Stop after half of an answer."""
    os.write(service._current._answers.fileno(), (100).to_bytes(8, "little") + b"half")
    stop()


def take(count: int) -> int:
    return len(bytearray(count))


def texts(count: int, size: int) -> list[str]:
    return [f"{number:0{size}}" for number in range(count)]


def nest(value: object = None) -> object:
    return nest([value])


def die(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)


def fail(error: Exception) -> None:
    raise error


def speak() -> str:
    os.write(1, b"to standard output")
    os.write(2, b"to standard error")
    return "spoken"


def samples(count: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    return [Sample(rng.normal(size=(n, 3)).astype("f4"), f"text {n}") for n in range(count)]


def behave(word: str) -> str:
    """Do what a word says; most words say nothing."""
    deeds = {"nest": nest, "die": die, "fault": lambda: fail(Fault("wrong", word))}
    deeds |= {"take": lambda: take(10**10), "fail": lambda: fail(ValueError("x\ny"))}
    deeds.get(word, pid)()
    return word


def note_and_work(path: Path) -> None:
    """Write down which process this is, and take processor time."""
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    work(60)
