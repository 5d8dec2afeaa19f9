"""Broken configs: all that is said of them is a ConfigError, or they are sound and can be built."""

import copy
import json
import math
import random
from pathlib import Path
from typing import Any

from base.config.values import read_config
from parse_config import plan_from_file, try_constructors
from tests.campaign import tiny
from tests.campaign.damage import check_answer, check_message, damaged, files_in, place_in, spoil
from tests.campaign.frame import ROOT, Family, demand, run
from utils.checks import ConfigError

CONFIGS = sorted((ROOT / "configs").glob("*.json"))
BLOCKS = ("arch", "data_loader", "optimizer", "lr_scheduler", "loss", "metrics", "trainer")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252")


def broken_values(rng: random.Random) -> Any:
    """Return a ready config with one to three things wrong in it."""
    config, _ = read_config(rng.choice(CONFIGS))
    if rng.random() < 0.15:  # a block of another one
        other, _ = read_config(rng.choice(CONFIGS))
        name = rng.choice(BLOCKS)
        config[rng.choice((name, name, rng.choice(BLOCKS)))] = other[name]
        if rng.random() < 0.5:
            return config
    for _ in range(rng.choice((1, 1, 2, 3))):
        spoil(rng, config)
    return config


def as_json(rng: random.Random, config: Any) -> bytes:
    """Return a config as a file, which may be none that JSON, or UTF-8, knows."""
    indent = rng.choice((None, 2, 4))
    text = json.dumps(config, indent=indent, ensure_ascii=rng.random() < 0.5, skipkeys=True)
    kind = rng.randrange(12)
    if kind == 0:
        return damaged(rng, text.encode("utf-8", "surrogatepass"))
    if kind == 1 and isinstance(config, dict):  # a key that stands twice
        name = rng.choice(list(config) or ["x"])
        return f"{{{json.dumps(name)}: 0, {text[1:]}".encode("utf-8", "surrogatepass")
    if kind == 2:
        text = rng.choice(
            (f"// a comment\n{text}", f"{text},", f"{text}{text}", text.replace("}", ",}"))
        )
    if kind == 3:
        text = text.replace('"', "'")
    if kind == 4:
        depth = rng.choice((20, 2000, 200_000))
        text = '{"name": ' + "[" * depth + "]" * depth + "}"
    encoding = rng.choice(ENCODINGS) if kind > 4 else "utf-8"
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def check_faults(error: ConfigError) -> None:
    """Raise Failed unless a ConfigError names a key, or the file that is none, on a screen."""
    check_message(str(error))
    for fault in error.faults:
        whole_file = fault.expected.startswith(
            ("not UTF-8", "larger than", "nested", "a string holds", "Exceeds the limit")
        )
        demand(fault.key or whole_file, f"no key in {str(error)[:200]!a}")


def broken_config(rng: random.Random, folder: Path) -> None:
    """One file: a ConfigError that names a key, or a config that can be built."""
    file = folder / "config.json"
    file.write_bytes(as_json(rng, broken_values(rng)))
    before = files_in(folder)
    try:
        try_constructors(plan_from_file(file))
    except ConfigError as error:
        check_faults(error)
    demand(files_in(folder) == before, f"files were written: {sorted(files_in(folder))}")


def is_small(value: Any) -> bool:
    """Tell whether nothing in a config asks for much: a sound one is then soon prepared."""
    if isinstance(value, dict | list):
        return all(map(is_small, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bool) or not isinstance(value, int | float) or not value > 100


def broken_run(rng: random.Random, folder: Path) -> None:
    """The same through the script, which prepares the data where the config is sound."""
    config = copy.deepcopy(tiny.CONFIG)
    for _ in range(rng.choice((1, 2))):
        spoil(rng, config)
    if not is_small(config):
        holder, key = place_in(rng, config := copy.deepcopy(tiny.CONFIG))
        holder[key] = rng.choice((None, "x", [], {}, -1, math.nan))
    (folder / "config.json").write_bytes(as_json(rng, config))
    before = files_in(folder)
    check_answer(run(["train.py", "-c", "config.json", "--prepare", "-d", "cpu"]))
    demand(files_in(folder) == before, f"files were written: {sorted(files_in(folder))}")


FAMILIES = [
    Family("broken configs", 1000, broken_config, 15.0),
    Family("broken configs of a run", 60, broken_run, 30.0),
]
