"""Hostile checkpoints, and how to load each within bounds."""

import json
import os
import resource
import struct
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from base.checkpoint import load_checkpoint
from base.pretrained import PRETRAINED
from model import load
from parse_config import config_of
from utils.checks import UserError

MEMORY = 2**27
"""Bytes that loading a file may take: none is larger than a few of 2**20."""


def load_within_bounds(paths: Iterable[Path]) -> dict[str, tuple[str | None, float]]:
    """Load files in a child process whose memory may grow by `MEMORY`.

    Returns:
        by name of the file the error, None if there was none, and the seconds.
    """
    config_of(load(PRETRAINED / "digit_0.pth", "cpu"))  # what is imported and kept on the way
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            torch.set_num_threads(1)  # There are no others.
            with open(writing, "w") as report:
                json.dump({path.name: _load(path) for path in paths}, report)
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as report:
        text = report.read()
    os.waitpid(child, 0)
    return json.loads(text)


def _load(path: Path) -> tuple[str | None, float]:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    start, message = time.process_time(), None
    try:
        config_of(load(path, "cpu"))
    except UserError as error:
        message = str(error)
    except Exception as error:
        message = f"{type(error).__name__}, a traceback"
    return message, time.process_time() - start


class Call:
    """Is pickled as the call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def pickled(commands: bytes, path: Path) -> None:
    """Write an archive whose pickle these commands are, as no pickler would make them."""
    torch.save({}, path)
    rewritten(path, lambda name, data: commands if name.endswith("/data.pkl") else data)


def rewritten(path: Path, change: Any, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts:
            archive.writestr(name, change(name, data))


def make(folder: Path) -> Iterator[tuple[Path, str]]:
    """Make hostile files, and yield each with what the error is to say."""
    whole = load_checkpoint(PRETRAINED / "digit_0.pth")
    for name, (changes, cause) in {
        "expanded": (
            {"normalisation": {"mean": torch.zeros(1).expand(10**9), "std": [1.0, 1.0]}},
            "mean = a tensor (1000000000,) of float32: tensors whose numbers are all stored",
        ),
        "expanded weight": (
            {"state_dict": {"a": torch.zeros(1, 1).expand(10**5, 10**5)}},
            "numbers are all stored",
        ),
        "sparse": ({"x": torch.eye(3).to_sparse()}, "more than plain tensors"),
        "meta": ({"state_dict": {"a": torch.zeros(3, device="meta")}}, "more than plain tensors"),
        "quantised": (
            {"x": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)},
            "more than plain tensors",
        ),
        "nested": ({"x": torch.nested.nested_tensor([torch.ones(2)])}, "more than plain tensors"),
        "complex": ({"state_dict": {"a": torch.ones(2, dtype=torch.cfloat)}}, "plain tensors"),
        "bytes": ({"x": Call(bytearray, 10**12)}, "fill the memory: '__builtin__.bytearray'"),
        "empty tensor": ({"x": Call(torch.FloatTensor, 10**11)}, "fill the memory"),
        "huge number": ({"normalisation": {"mean": [10**400, 0]}}, "more than 64 bits"),
        "normalisation": ({"normalisation": {"mean": "x", "std": 1}}, "mean = 'x': a list of 2"),
        "no normalisation": ({"normalisation": None}, "normalisation = None: a dictionary"),
        "alphabet": ({"alphabet": torch.zeros(3)}, "alphabet = a tensor (3,) of float32: a list"),
        "alphabet of numbers": ({"alphabet": [1]}, "alphabet.0 = 1: a string"),
        "long alphabet": ({"alphabet": ["a"] * 10**6}, "bytes of plain values"),
        "weights": (
            {"state_dict": whole["state_dict"] | {"output.bias": torch.full((62,), torch.nan)}},
            "1 of its 10 weights are not finite, output.bias first",
        ),
        "a long name": ({"state_dict": {"a" * 10**5: 3}}, "= 3: a tensor of plain numbers"),
        "an odd name": ({"state_dict": {"\ud800": torch.ones(1)}}, "'\\ud800' is not in the net"),
        "a long format": ({"format": "x" * 10**5}, "a number from 1 to"),
        "epoch": ({"epoch": float("nan")}, "epoch = nan: a whole number from 0"),
        "metrics": ({"metrics": {"a": [1]}}, "metrics.a = [1]: a number"),
        "config": ({"config": 7}, "config = 7: a dictionary"),
        "no architecture": ({"config": {"name": torch.ones(1)}}, "network is of the class null"),
        "config of tensors": (
            {"config": whole["config"] | {"name": torch.ones(1)}},
            "not only plain values",
        ),
        "a config of many faults": (
            {"config": whole["config"] | {f"{n}" * 10: n for n in range(2000)}},
            "2000 faults in the config",
        ),
    }.items():
        path = folder / f"{name}.pth"
        torch.save(whole | changes, path)
        yield path, cause

    def with_config(name: str, block: str, **arguments: Any) -> Path:
        config = json.loads(json.dumps(whole["config"]))
        config[block]["args"] |= arguments
        torch.save(whole | {"config": config}, folder / f"{name}.pth")
        return folder / f"{name}.pth"

    yield (
        with_config("large", "arch", hidden_size=8192, num_layers=16),
        "do not fit the config's architecture",
    )
    lines = {"type": "EmbeddedDataset", "args": {"size": 10**6}}
    yield (
        with_config("many lines", "data_loader", dataset=lines),
        "a checkpoint alone may ask for at most 50,000 lines; "
        "-o data_loader.args.dataset.args.size=1000000",
    )

    endless: list[Any] = []
    endless.append(endless)
    config = whole["config"] | {"name": endless}
    torch.save(whole | {"config": config}, folder / "endless.pth")
    yield folder / "endless.pth", "not only plain values"
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    torch.save(whole | {"x": deep}, folder / "deep.pth")
    yield folder / "deep.pth", "more than 32 deep"

    path = folder / "deflated.pth"
    torch.save(whole | {"x": torch.zeros(10**7)}, path)
    rewritten(path, lambda _, data: data, zipfile.ZIP_DEFLATED)
    yield path, "is compressed"
    path = folder / "overlapping.pth"
    torch.save(whole, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.filelist += archive.filelist[-30:]
        archive._didModify = True
    yield path, "overlap"

    # A dictionary of 10,000, and copies of it; how often, is the file's choice.
    keys = b"".join(b"M" + struct.pack("<H", key) + b"N" for key in range(10_000))
    filled = b"}q\x01(" + keys + b"u"
    ordered, counter = b"ccollections\nOrderedDict\n", b"ccollections\nCounter\n"
    for name, once in {
        "copied": ordered + b"h\x01\x85R",
        "copied again": counter + b"h\x01(u\x85R",
        "copied into attributes": ordered + b")Rh\x01(ub",
        "copied as a tuple": ordered + b"(h\x01tR",
        "made anew": ordered + b"h\x01\x85\x81",
    }.items():
        pickled(b"\x80\x02](" + filled + once * 20_000 + b"e.", folder / f"{name}.pth")
        expected = (
            "could run code or" if name == "made anew" else "more operations than any checkpoint"
        )
        yield folder / f"{name}.pth", expected
    pickled(b"\x80\x02})" + b"\x85" * 500_000 + b"Ns.", folder / "nested tuples.pth")
    yield folder / "nested tuples.pth", "more operations than any checkpoint"
