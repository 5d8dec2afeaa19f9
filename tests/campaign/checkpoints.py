"""Untrusted checkpoints: used, or refused with a message; nothing runs, little memory, soon.

Each kind of damage changes a sound checkpoint of an untrained network; the same command on the
sound one says what memory the program itself takes.
"""

import hashlib
import io
import pickle
import random
import resource
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from base.checkpoint import checkpoints, load_checkpoint
from parse_config import plan_of
from tests.campaign import tiny
from tests.campaign.damage import (
    EXECUTED,
    MEBIBYTE,
    check_answer,
    damaged,
    files_in,
    other_plain,
    other_tensor,
    peak,
    seconds,
    spoil,
)
from tests.campaign.frame import Done, Family, demand, once, run
from tests.data_loader import ink_formats
from utils.alphabet import Alphabet
from utils.normalisation import Normalisation

SECONDS = 5.0
"""Of processor time for a command, beyond what the sound checkpoint takes."""
SLACK = 64 * MEBIBYTE
"""Of memory, beyond twice the file and what the sound checkpoint takes: for parts of torch that
only an odd one touches, and for what the allocator keeps (assumed)."""

NETWORKS = {"writer": tiny.WRITER, "drawer": {}, "reader": tiny.READER, "attentive": tiny.ATTENTIVE}
WORDS = {
    "writer": [
        ["write", "--text", "ab", "--steps", "9"],
        ["write", "--primer", "ink.inkml", "--set", "primer_text=a"],
    ],
    "drawer": [
        ["write", "--num-samples", "2", "--steps", "9"],
        ["write", "--primer", "ink.inkml", "--num-samples", "1"],
    ],
    "reader": [["read", "ink.inkml"], ["read", "ink.inkml", "--beam", "3"]],
    "attentive": [["read", "ink.inkml"]],
}
EVERY = [["evaluate"], ["export", "out/small.pth"]]


Content = dict[str, Any]
Damage = Callable[[random.Random, Content], Content | bytes]


def saved(content: Any) -> bytes:
    """Return the file of a content."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def members(content: Content) -> dict[str, bytes]:
    """Return the members of the archive that the file of a content is."""
    with zipfile.ZipFile(io.BytesIO(saved(content))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(
    files: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED, zipped: str = ""
) -> bytes:
    """Return an archive of members, all or those whose names hold `zipped` by a method."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files:
            chosen = method if zipped in name else zipfile.ZIP_STORED
            archive.writestr(name, content, chosen)
    return stream.getvalue()


# The archive.


def damaged_file(rng: random.Random, content: Content) -> bytes:
    return damaged(rng, saved(content))


def damaged_member(rng: random.Random, content: Content) -> bytes:
    """With the right sums."""
    files = members(content)
    name = rng.choice([n for n in files if n.endswith("data.pkl")] * 5 + list(files))
    files[name] = damaged(rng, files[name])
    return packed(list(files.items()))


def other_members(rng: random.Random, content: Content) -> bytes:
    """Missing, twice, deflated, under other names, or beside others."""
    files = list(members(content).items())
    place = rng.randrange(len(files))
    name, inside = files[place]
    kind = rng.randrange(6)
    if kind == 0:
        del files[place]
    elif kind == 1:
        files.append((name, rng.choice((inside, damaged(rng, inside), b""))))
    elif kind == 2:
        methods = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        return packed(files, rng.choice(methods))
    elif kind == 3:
        files[place] = (rng.choice(("../../x", "/tmp/x", " ", "x" * 60_000, "\u00e9\n")), inside)
    elif kind == 4:
        added = rng.choice(("byteorder", "version", ".data/serialization_id"))
        files.append((f"{files[0][0].split('/')[0]}/{added}", b"big"))
    else:
        files = [(name.split("/", 1)[1], inside) for name, inside in files]
    return packed(files)


def odd_pickle(rng: random.Random, content: Content) -> bytes:
    """An own pickle in the archive, which runs or is none."""
    files = members(content)
    name = next(name for name in files if name.endswith("data.pkl"))
    files[name] = rng.choice(
        (
            pickle.dumps(content["config"] | {"x": EXECUTED}, 2),
            b"\x80\x02" + b"]" + b"r\xff\xff\xff\x7f" + b".",  # remembered under a huge number
            b"\x80\x02" + b"]q\x00" + b"]q\x01(" + b"h\x00" * 100_000 + b"e.",
            b"\x80\x02cos\nmkdir\nX\x08\x00\x00\x00executed\x85R.",
            b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.",
            b"\x80\x02ccollections\nOrderedDict\n)R}(X\x01\x00\x00\x00xK\x01ub.",
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
            b"\x80\x02B\xff\xff\xff\x7f.",
            b"\x80\x02X\xff\xff\xff\x7f.",
            b"\x80\x02\x8b\xff\xff\xff\x7f.",
            b"",
        )
    )
    return packed(list(files.items()))


def code(rng: random.Random, content: Content) -> bytes:
    """A call somewhere in the content, or a bare pickle."""
    place = rng.choice([*content, "x"])
    hostile = content | {place: rng.choice((EXECUTED, [EXECUTED], {"x": EXECUTED}))}
    stream = io.BytesIO()
    torch.save(hostile, stream, _use_new_zipfile_serialization=rng.random() < 0.8)
    return rng.choice((stream.getvalue(), pickle.dumps(hostile)))


# What is in it.


def odd_tensor(rng: random.Random, content: Content) -> Content:
    """A weight of another kind, shape or type, or none; or a tensor where none belongs."""
    weights = dict(content["state_dict"])
    name = rng.choice(list(weights))
    if rng.random() < 0.25:
        holders = [
            (content, name) for name in ("alphabet", "normalisation", "metrics", "epoch", "x")
        ]
        holders += [(content["normalisation"], "std"), (content["config"], "name")]
        holder, key = rng.choice([*holders, (content["config"]["arch"]["args"], "hidden_size")])
        holder[key] = other_tensor(rng, weights[name])
        return content
    weights[name] = other_tensor(rng, weights[name])
    return content | {"state_dict": weights}


def great_tensor(rng: random.Random, content: Content) -> Content:
    """All weights of a large network, each expanded from a few numbers."""
    content["config"]["arch"]["args"]["hidden_size"] = rng.choice((516, 2052, 4098))
    config = plan_of(content["config"], "a config")
    alphabet = Alphabet(content["alphabet"]) if config["arch"].cls.needs_text else None
    with torch.device("meta"):
        normalisation = Normalisation((0.0, 0.0), (1.0, 1.0))
        great = config.build("arch", normalisation=normalisation, alphabet=alphabet)
    number = rng.choice((torch.zeros(1), torch.zeros(1).half(), torch.full((1,), torch.nan)))
    weights = {name: number.expand(one.shape) for name, one in great.state_dict().items()}
    return content | {"state_dict": weights}


def odd_numbers(rng: random.Random, content: Content) -> Content:
    """Weights that are no numbers, too large, or all the same."""
    number = rng.choice((torch.nan, torch.inf, -torch.inf, 3e38, -3e38, 1e20, 0.0, -1e4))
    weights = {name: one.clone() for name, one in content["state_dict"].items()}
    for name in rng.sample(list(weights), rng.choice((1, len(weights)))):
        flat = weights[name].view(-1)
        flat[slice(None) if rng.random() < 0.5 else rng.randrange(len(flat))] = number
    return content | {"state_dict": weights}


def great_config(rng: random.Random, content: Content) -> Content:
    """Sizes in the config that the weights are not of."""
    args = content["config"]["arch"]["args"]
    size = rng.choice((7, 100, 1024, 4096, 8192, 10**6, 2**63, 10**400))
    for name in rng.sample(list(args), rng.randint(1, len(args))):
        args[name] = size
    if rng.random() < 0.5:
        name = rng.choice(("num_layers", "num_mixtures", "num_windows", "channels"))
        args[name] = rng.choice((2, 64, 1000, 4096))
    return content


def odd_config(rng: random.Random, content: Content) -> Content:
    """A config with something wrong anywhere, or none."""
    config = content["config"]
    if rng.random() < 0.8:
        for _ in range(rng.choice((1, 1, 3))):
            spoil(rng, config)
        return content
    endless: list[Any] = []
    endless.append(endless)
    deep: Any = {}
    for _ in range(300):
        deep = {"x": deep}
    wide = ["x" * 1000] * 1000
    for _ in range(8):  # a few names, and endless when written out
        wide = [wide] * 1000
    value = rng.choice((endless, deep, wide, None, [], "x", 7, torch.zeros(3)))
    if rng.random() < 0.5:
        return content | {"config": value}
    config[rng.choice(list(config))] = value
    return content


def odd_alphabet(rng: random.Random, content: Content) -> Content:
    """Characters that are none, too many, or twice."""
    many = [chr(n) for n in range(0x3400, 0x3400 + rng.choice((500, 50_000)))]
    values = [["\ud800"], ["a", "\ud800"], ["a", "a"], ["a"] * 10**6, many, "".join(many)]
    values += [[["a"]], [None], ["ab" * 10**6], [""], ["\x1b", "\n", "\0"], "x" * 10**6]
    values += [{"a": 1}, ("a", "b"), 7, True, b"ab", None, [], torch.zeros(5), [torch.zeros(3)]]
    value = rng.choice([*values, torch.zeros(1).expand(10**10)])
    return content | {"alphabet": value}


def odd_normalisation(rng: random.Random, content: Content) -> Content:
    """Means and deviations that are none."""
    values = [10**400, -1, 0, 1e308, 1e-308, 5e-324, "1", "9" * 5000, None, [], {}, True, [[1.0]]]
    values += [float("nan"), float("inf"), torch.tensor(1.0), torch.zeros(1).expand(10**10)]
    value = rng.choice(values)
    kind = rng.randrange(4)
    if kind == 0:
        return content | {"normalisation": value}
    name = rng.choice(("mean", "std"))
    content["normalisation"][name] = value if kind == 1 else [1.0, value]
    return content


def odd_format(rng: random.Random, content: Content) -> Content:
    """Another format, or none."""
    formats = (0, 2, -1, "1", None, True, 1.0, 10**400, 10**5000, torch.tensor(1), [1], "x" * 10**5)
    return content | {
        "format": rng.choice((*formats, torch.ones(1).expand(10**10), {"x": "y" * 999}))
    }


def odd_rest(rng: random.Random, content: Content) -> Content:
    """Something wrong with the record, or with any key."""
    for _ in range(rng.choice((1, 2))):
        spoil(rng, content, lambda rng, value: _other(rng, value))
    return content


def _other(rng: random.Random, value: Any) -> Any:
    if isinstance(value, Tensor):
        return other_tensor(rng, value)
    if value is None or isinstance(value, str | int | float):
        return other_plain(rng, value)
    return rng.choice((None, [], {}, "x", 10**5000, torch.zeros(1).expand(10**10)))


DAMAGE: dict[str, tuple[Damage, ...]] = {
    "damaged archives of checkpoints": (damaged_file, damaged_member, other_members),
    "checkpoints that run code": (odd_pickle, code),
    "odd tensors in checkpoints": (odd_tensor, odd_tensor, great_tensor, odd_numbers),
    "odd values in checkpoints": (
        *(great_config, odd_config, odd_config, odd_alphabet, odd_normalisation, odd_format),
        odd_rest,
    ),
}
COUNTS = (60, 40, 80, 100)


def commands(rng: random.Random, kind: str) -> list[str]:
    """Return the words of a command on `file.pth`."""
    chance = rng.random()
    if chance < 0.15:
        return ["train.py", "-r", "file.pth", "-d", "cpu", "-o", "trainer.args.epochs=3"]
    if chance < 0.25:
        return ["train.py", "-c", "config.json", "-r", "file.pth", "-d", "cpu"]
    words = rng.choice([*WORDS[kind], *WORDS[kind], *EVERY])
    output = [] if "export" in words else ["--output", "out"]
    return ["experiments.py", *words, "-r", "file.pth", "-d", "cpu", *output]


def use(words: list[str]) -> tuple[Done, float, int]:
    """Run a command; return how it ended, its processor time, and the peak of the memory."""
    spent = seconds(resource.RUSAGE_CHILDREN)
    done = run(words)
    spent = seconds(resource.RUSAGE_CHILDREN) - spent
    return done, spent, peak(resource.RUSAGE_CHILDREN)


def usual(kind: str, words: list[str], content: Content) -> tuple[float, int]:
    """Return the processor time and the memory of a command on the sound file, measured once."""

    def measure() -> tuple[float, int]:
        give(kind, saved(content))
        done, *used = use(words)
        tiny.check_went_well(done, "sound")
        return used

    name = hashlib.sha256(f"{kind} {words}".encode()).hexdigest()[:16]
    return once(f"usual-{name}", measure)[1]


def give(kind: str, data: bytes) -> None:
    """Put the checkpoint, ink and a config into the working directory."""
    tiny.write(Path("config.json"), tiny.changed(tiny.CONFIG, NETWORKS[kind]))
    Path("file.pth").write_bytes(data)
    Path("ink.inkml").write_bytes(ink_formats.inkml())
    Path("out").mkdir(exist_ok=True)


def hostile(damage: tuple[Damage, ...], rng: random.Random, folder: Path) -> None:
    """One command on one file."""
    kind = rng.choice(list(NETWORKS))
    words = commands(rng, kind)
    config = tiny.changed(tiny.CONFIG, NETWORKS[kind])
    run_of = tiny.trained(config).folder / tiny.RUN
    content = load_checkpoint(checkpoints(run_of)[0])
    spent, memory = usual(kind, words, content)

    made = rng.choice(damage)(rng, content)
    data = made if isinstance(made, bytes) else saved(made)
    give(kind, data)
    before = files_in(folder)
    done, needed, most = use(words)
    after = files_in(folder)
    demand(not (folder / "executed").exists(), "the pickle was executed")
    status = check_answer(done)
    demand(needed <= spent + SECONDS, f"{needed:.1f} s of processor time")
    limit = memory + 2 * len(data) + SLACK
    demand(most <= limit, f"{(most - memory) >> 20} MiB more than usual")
    new = after.keys() - before.keys()
    demand(not (status == 2 and new), f"refused, and yet written: {sorted(new)}")
    allowed = "saved/" if words[0] == "train.py" else "out/"
    demand(all(name.startswith(allowed) for name in new), f"written: {sorted(new)}")
    kept = all(after.get(name) == old for name, old in before.items())
    demand(kept, "files were changed that were there before")


FAMILIES = [
    Family(name, count, partial(hostile, damage), 90.0)
    for (name, damage), count in zip(DAMAGE.items(), COUNTS, strict=True)
]
