"""Flat files as the page takes them, and the sound and broken ones of flat_files.json.

A case is a file of its `content`, or the network of a `role` that was saved: with header values by
dotted keys `set`, and then hashed again unless the `hash` is as before; `cut` is how many bytes its
end lacks, `add` how many it has too many, and the byte at `flip` is another one. Each key of
`without`, or of `wrong` with its value, is a case of its own, whose error names it. `error` is what
the page says of it; without one it takes the file.
"""

import hashlib
import io
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from apps.web import flat_file
from base.run.checkpoint import FORMAT
from model import load
from model.loading import from_checkpoint
from tests.commands.networks import save

KINDS = {
    "writer": ("SynthesisNetwork", dict(end_of_sequence=True, longest=30)),
    "reader": ("CTCNetwork", {}),
}
DIGEST_BYTES = 32


class Case(NamedTuple):
    name: str
    role: str | None
    content: bytes
    error: str | None


def loaded(path):
    """Return the network of a flat file, with the weights that the page computes with."""
    line, _, content = path.read_bytes().partition(b"\n")
    header = json.loads(line)
    file = io.BytesIO(content)
    weights = {}
    for name, kind, *shape in header["tensors"]:
        scales = file.read(4 * shape[0]) if kind == "int8" else np.float32(1).tobytes()
        rows = np.frombuffer(file.read(math.prod(shape) * np.dtype(kind).itemsize), kind)
        rows = rows.reshape(shape[0], -1) * np.frombuffer(scales, np.float32)[:, None]
        weights[name] = torch.from_numpy(rows.astype(np.float32).reshape(shape))
    checkpoint = {
        "format": FORMAT,
        "config": {"name": header["name"], "arch": header["architecture"]},
        "alphabet": list(header["alphabet"]),
        "normalisation": header["normalisation"],
        "licence": header["licence"],
        "state_dict": weights,
    }
    return from_checkpoint(checkpoint, path, torch.device("cpu"))


def cases(folder):
    """Return all cases, whose networks are saved in a folder."""
    saved = {}
    for role, (arch, options) in KINDS.items():
        network = load(save(folder / "mine" / f"{role}.pth", arch, **options), "cpu")
        flat_file.save(path := folder / f"saved_{role}.bin", network)
        saved[role] = path.read_bytes()
    return [
        Case(entry["case"], entry.get("role"), content_of(entry, saved), entry.get("error"))
        for entry in map(dict, single_cases())
    ]


def single_cases():
    for entry in json.loads(Path(__file__).with_suffix(".json").read_text()):
        keys, values = entry.pop("without", []), entry.pop("wrong", {})
        for key in keys:
            yield entry | dict(case=f"{entry['case']}: {key}", remove=key, error=key)
        for key, value in values.items():
            yield entry | dict(case=f"{entry['case']}: {key}", set={key: value}, error=key)
        if not keys and not values:
            yield entry


def content_of(entry, saved):
    if "content" in entry:
        return entry["content"].encode()
    line, _, rest = saved[entry["role"]].partition(b"\n")
    weights, digest = rest[:-DIGEST_BYTES], rest[-DIGEST_BYTES:]
    header = json.loads(line)
    for key, value in entry.get("set", {}).items():
        holder, name = holder_of(header, key)
        holder[name] = value
    if "remove" in entry:
        holder, name = holder_of(header, entry["remove"])
        del holder[name]
    content = json.dumps(header, ensure_ascii=False).encode() + b"\n" + weights
    content += digest if "hash" in entry else hashlib.sha256(content).digest()
    if "flip" in entry:
        content = bytearray(content)
        content[entry["flip"]] ^= 1
    return bytes(content[: len(content) - entry.get("cut", 0)]) + bytes(entry.get("add", 0))


def holder_of(header, key):
    """Return the object or list that has a dotted key, and the key's last part there."""
    *names, last = [int(name) if name.isdigit() else name for name in key.split(".")]
    for name in names:
        header = header.setdefault(name, {}) if isinstance(header, dict) else header[name]
    return header, last
