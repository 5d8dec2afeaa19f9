"""Untrusted checkpoints. Each kind of damage changes what a sound one of a tiny network holds, and
returns that, or the bytes of a file."""

import hashlib
import io
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from base.checkpoint import checkpoints, load_checkpoint
from tests.data_loader import ink_formats
from tests.faults.damage import damaged, other, spoil
from tests.faults.hostile import MEBIBYTE, Limits, used
from tests.faults.runs import CONFIG, NETWORKS, RUN, changed, give_config, trained
from tests.faults.trials import Task, once, run
from tests.pickled_call import Call

Content = dict[str, Any]

SECONDS, SLACK = 5.0, 64 * MEBIBYTE
"""More than the sound checkpoint takes: processor time; memory, beside twice the file, for parts of
torch that only an odd one touches, and for what the allocator keeps (assumed)."""
WRITE, READ = "write -r file.pth --output out", "read -r file.pth ink.inkml --output out"
COMMANDS = {
    "writer": [f"{WRITE} --text ab --steps 9", f"{WRITE} --primer ink.inkml --set primer_text=a"],
    "drawer": [f"{WRITE} --num-samples 2 --steps 9", f"{WRITE} --primer ink.inkml --num-samples 1"],
    "reader": [READ, f"{READ} --beam 3"],
    "attentive": [READ],
}
"""Uses of a checkpoint, by its kind."""
EVERY = ["evaluate -r file.pth --output out", "export out/small.pth -r file.pth"]
TRAININGS = ["-r file.pth -o trainer.args.epochs=3", "-c config.json -r file.pth"]
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
EXECUTED = Call(Path.mkdir, Path("executed"))
"""Would make a folder when it is unpickled."""
PICKLES = (
    b"\x80\x02]r\xff\xff\xff\x7f.",  # remembered under a huge number
    b"\x80\x02]q\x00]q\x01(" + b"h\x00" * 100_000 + b"e.",
    b"\x80\x02cos\nmkdir\nX\x08\x00\x00\x00executed\x85R.",
    b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.",
    b"\x80\x02ccollections\nOrderedDict\n)R}(X\x01\x00\x00\x00xK\x01ub.",
    b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
    *(b"\x80\x02" + letter + b"\xff\xff\xff\x7f." for letter in (b"B", b"X", b"\x8b")),
    b"",
)


def saved(content: Any, **options: Any) -> bytes:
    """Return the file of a content."""
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def members(content: Content) -> tuple[dict[str, bytes], str]:
    """Return the members of the archive that a file is, and the name of that with the pickle."""
    with zipfile.ZipFile(io.BytesIO(saved(content))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return files, next(name for name in files if name.endswith("data.pkl"))


def packed(files: dict[Any, Any], *more: tuple[str, bytes], method: int = METHODS[0]) -> bytes:
    """Return an archive of members; of a name that stands in `more` as well there are two."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in (*files.items(), *more):
            archive.writestr(str(name), content)
    return stream.getvalue()


def damaged_file(rng: random.Random, content: Content) -> bytes:
    return damaged(rng, saved(content))


def damaged_pickle(rng: random.Random, content: Content) -> bytes:
    """With the right sum."""
    files, name = members(content)
    return packed(files | {name: damaged(rng, files[name])})


def other_members(rng: random.Random, content: Content) -> bytes:
    """Damaged, missing, twice, deflated, under other names, or beside others."""
    files, pickled = members(content)
    name, folder = rng.choice(list(files)), pickled.split("/")[0]
    inside, odd_name = files.pop(name), rng.choice(("../../x", "/tmp/x", " ", "x" * 60_000, "\n"))
    more = rng.choice((
        [],
        [(name, other(rng, inside))],
        [(name, inside), (name, other(rng, inside))],
        [(odd_name, inside)],
        [(name, inside), (f"{folder}/{rng.choice(('byteorder', 'version'))}", b"big")],
        [(name.removeprefix(f"{folder}/"), inside)],
    ))  # fmt: skip
    return packed(files, *more, method=rng.choice(METHODS))


def code(rng: random.Random, content: Content) -> bytes:
    """A call somewhere in the content, or an odd pickle; in the archive or alone."""
    place = rng.choice([*content, "x"])
    hostile = content | {place: rng.choice((EXECUTED, [EXECUTED], {"x": EXECUTED}))}
    files, name = members(content)
    odd = packed(files | {name: rng.choice(PICKLES)})
    archive = saved(hostile, _use_new_zipfile_serialization=rng.random() < 0.8)
    return rng.choice((archive, odd, pickle.dumps(hostile)))


def odd_values(*keys: str) -> Callable[[random.Random, Content], Content]:
    """Return the damage of one to three things wrong in one of some keys, or anywhere."""

    def damage(rng: random.Random, content: Content) -> Content:
        chosen = [rng.choice(keys)] if keys else list(content)
        tree = {key: content.pop(key) for key in chosen}
        for _ in range(rng.choice((1, 1, 3))):
            if tree:
                spoil(rng, tree, other)
        return content | tree

    return damage


def on_a_checkpoint(*damages: Callable[..., Content | bytes]) -> Callable[[random.Random], Task]:
    """Return the task of a command that uses, exports, scores or trains a damaged checkpoint."""

    def task(rng: random.Random) -> Task:
        kind = rng.choice(list(COMMANDS))
        use = rng.choice([*COMMANDS[kind], *COMMANDS[kind], *EVERY])
        words = ["experiments.py", *use.split(), "-d", "cpu"]
        if rng.random() < 0.25:
            words = ["train.py", *rng.choice(TRAININGS).split(), "-d", "cpu"]
        config = changed(CONFIG, NETWORKS[kind] | {"lr_scheduler": None})
        content = load_checkpoint(checkpoints(trained(config).folder / RUN)[0])

        def give(data: bytes) -> None:
            give_config(config)
            Path("file.pth").write_bytes(data)
            Path("ink.inkml").write_bytes(ink_formats.inkml())
            Path("out").mkdir()

        def measure() -> tuple[float, int]:
            give(saved(content))
            before, _ = used()
            assert run(words).status == 0, "the sound one is refused"
            seconds, memory = used()
            return seconds - before, memory

        name = hashlib.sha256(f"{kind} {words}".encode()).hexdigest()[:16]
        seconds, memory = once(f"usual-{name}", measure)[1]
        odd = rng.choice(damages)(rng, content)
        data = odd if isinstance(odd, bytes) else saved(odd)
        give(data)
        written = "saved/" if words[0] == "train.py" else "out/"
        return Task(words, Limits(seconds + SECONDS, memory + 2 * len(data) + SLACK, written))

    return task
