"""Checkpoints: one file per state of a run, written atomically, loaded without running code."""

import io
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from base import checkpoint_archive
from base.checkpoint_checks import is_finite, naming
from base.checkpoint_schema import check_content
from base.migration import migrate, migrated_config
from base.pretrained import pretrained_path, resolve_checkpoint
from utils.alphabet import Alphabet
from utils.checks import CheckpointError, DataError, short
from utils.files import atomic_write
from utils.normalisation import Normalisation
from utils.override import without
from utils.strict_json import plain

FORMAT = 2
"""Version of the format; older ones are migrated, newer ones are refused. A checkpoint is a dict of
tensors and plain values. Needed to use the network:

- `config`: the record of how it was trained, whose `arch` is the network's architecture; the rest
  is read only to resume training or to evaluate a split;
- `state_dict`: the weights to evaluate with (the average if there is one, the means of noisy ones);
- `alphabet` (None for a network without text), `normalisation`.

And as a record:

- `dataset` (its units), `versions`, `modules` (the user's own: name and SHA-256);
- `metrics` of the last epoch, `epoch` (complete ones), `step` (of the optimiser, of the whole run);
- `training`: what only a resumed run needs: `update` (weights under training, optimiser, schedule,
  scaler, noise), `random_state`, `progress`, carried `states` and their `rows`, partial sums.
"""

BEST = "model_best.pth"
HAND_FILE = "hand.pth"
"""In the folder of a run that learned a hand: the network that is made of it, to use and share."""
SHOWN = 5
"""Maximum number of files or weights that an error lists."""
_NAME = re.compile(r"checkpoint-epoch(\d+)(?:-step(\d+))?\.pth")
_PATH = r"[/~]|[A-Za-z]:[/\\]"
_PLAIN = (Tensor, bool, int, float, str, type(None))


def checkpoint_name(epoch: int, step: int | None = None) -> str:
    """Return the file name of a checkpoint.

    Args:
        epoch: the last complete epoch; if `step` is given, the current one (from 1).
        step: optimiser steps made since the start of the run.
    """
    return f"checkpoint-epoch{epoch}" + ("" if step is None else f"-step{step}") + ".pth"


def checkpoints(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the checkpoints in `folder` (without the best one), newest first.

    Within an epoch by step, and its end after all of them.
    """
    paths = [path for path in Path(folder).glob("checkpoint-epoch*.pth") if position(path)]
    return sorted(paths, key=position, reverse=True)


def position(path: Path) -> tuple[int, float] | None:
    """Return the epoch and step in a checkpoint's name, for sorting; None if it has none."""
    if not (match := _NAME.fullmatch(path.name)):
        return None
    epoch, step = match.groups()
    return int(epoch), math.inf if step is None else int(step)


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically: at every moment the old or the new file is complete.

    Raises:
        TypeError: if it contains anything but tensors and plain values, naming the key.
        OSError: if the disk is full or the like; the old file remains.
    """
    content = {"format": FORMAT, **checkpoint}
    _check_plain(content, "checkpoint")
    # Serialised in memory first: failures there do not touch the disk, and a full disk raises a
    # plain OSError.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    atomic_write(path, lambda file: file.write(buffer.getbuffer()))


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint, its tensors on the CPU, without running any code in it.

    Safe for untrusted files: it takes little more than twice the file's size in memory, and the
    result conforms to `base.checkpoint_schema`, except the training state, which is checked when
    training resumes.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    path = Path(path)
    content, size = checkpoint_archive.read(path)
    if not isinstance(content, dict) or not {"state_dict", "config"} <= content.keys():
        raise CheckpointError(
            f"{path}: not a checkpoint of this project (no state_dict and config)"
        )
    written = content.get("format")
    if type(written) is not int or written < 1:
        raise CheckpointError(f"{path}: format = {short(written)}: a number from 1 to {FORMAT}")
    if written > FORMAT:
        raise CheckpointError(
            f"{path}: made by a newer version of this program (format {short(written)}; this one "
            f"reads formats up to {FORMAT}): update the program"
        )
    if written < FORMAT:
        content = migrate(content)
    with naming(path):
        check_content(content, size)
    # Only now: a config that is nested too deeply cannot be copied.
    content["config"] = migrated_config(content["config"])
    return content


def newest_checkpoint(folder: str | os.PathLike[str]) -> tuple[Path, dict[str, Any], list[str]]:
    """Return the newest complete checkpoint of a run's folder.

    Returns:
        `(path, checkpoint, skipped)`; `skipped` says what is wrong with each newer one. If there
        is no other, the best one is used.

    Raises:
        CheckpointError: if there is none.
    """
    folder = Path(folder)
    skipped = []
    for path in [*checkpoints(folder), folder / BEST]:
        if path.name == BEST and not path.exists():
            continue
        try:
            return path, load_checkpoint(path), skipped
        except CheckpointError as error:
            skipped.append(str(error))
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such file or folder")
    runs = [run for place in ("*", "*/*", "models/*/*") for run in folder.glob(place)]
    inside = sorted(str(run) for run in runs if checkpoints(run))
    more = len(skipped) - SHOWN
    raise CheckpointError(
        f"{folder}: no complete checkpoint found"
        + "".join(f"\n  {cause}" for cause in skipped[:SHOWN])
        + (f"\n  and {more} more" if more > 0 else "")
        + (f"; there are some in {', '.join(inside[-3:])}" if inside else "")
    )


def find_checkpoint(path: str | os.PathLike[str]) -> tuple[Path, dict[str, Any], list[str]]:
    """Return the checkpoint that `path` means: a file, the newest complete one of a folder, or, if
    neither exists, the pretrained network of that name.

    Returns:
        `(path, checkpoint, skipped)` as `newest_checkpoint`.

    Raises:
        CheckpointError: as `resolve_checkpoint`; or with what is wrong with the file, and the
            newest complete checkpoint beside it.
    """
    given, path = path, resolve_checkpoint(path)
    if path.is_dir():
        try:
            return newest_checkpoint(path)
        except CheckpointError as error:
            if (file := pretrained_path(given)) is None:
                raise
            hint = f"the pretrained network of that name is {file}"
            raise CheckpointError(f"{error}; {hint}") from None
    try:
        return path, load_checkpoint(path), []
    except CheckpointError as error:
        try:
            complete, _, _ = newest_checkpoint(path.parent)
        except CheckpointError:
            raise error from None
        raise CheckpointError(f"{error}\n  the newest complete one there is {complete}") from None


def to_share(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint without its training state and what describes the machine or person.

    Weights are in half precision (11-bit significand): a quarter or less of the size. They load
    like any others, and fine-tuning starts from them with a fresh optimiser.

    Args:
        checkpoint: as `load_checkpoint` returned it.
    """
    own = ("training", "versions")
    shared = {name: value for name, value in checkpoint.items() if name not in own}
    shared["config"] = without(
        plain(checkpoint["config"]),
        lambda name, value: name in ("root", "cache") or re.match(_PATH, str(value)),
    )
    shared["state_dict"] = {
        name: value.half() if value.is_floating_point() else value
        for name, value in checkpoint["state_dict"].items()
    }
    return shared


def stored_alphabet(checkpoint: Mapping[str, Any], source: str | os.PathLike[str]) -> Alphabet:
    """Return the alphabet of a checkpoint's network.

    Raises:
        CheckpointError: if it is missing or not valid.
    """
    characters = checkpoint.get("alphabet")
    if characters is None or characters == []:
        raise CheckpointError(f"{source}: it lacks the alphabet that the config's network needs")
    try:
        return Alphabet(characters)
    except DataError as error:
        raise CheckpointError(f"{source}: {error}") from None


def stored_normalisation(
    checkpoint: Mapping[str, Any], source: str | os.PathLike[str]
) -> Normalisation:
    """Return the normalisation that a checkpoint's network was trained with.

    Raises:
        CheckpointError: if it is missing or not valid.
    """
    try:
        return Normalisation.from_dict(checkpoint.get("normalisation"))
    except DataError as error:
        raise CheckpointError(f"{source}: {error}") from None


def load_weights(
    model: nn.Module,
    state_dict: Mapping[str, Tensor],
    source: str | os.PathLike[str],
    *,
    vocab_size: int | None = None,
    grow: bool = False,
) -> None:
    """Load weights into `model`, strictly.

    Args:
        model: the network.
        state_dict: the weights.
        source: the file that they are from, for the error.
        vocab_size: number of characters, the first of the model's alphabet, that the weights know;
            None for all.
        grow: whether the model may have more than the weights, new characters or the end of
            sequences, for which it keeps its own weights.

    Raises:
        CheckpointError: if they are of another architecture, naming what differs, or not finite.
    """
    state = dict(state_dict) if isinstance(state_dict, Mapping) else {}
    if grow:
        state = model.extend_state_dict(state, vocab_size)
    check_weights(model, state, source, vocab_size)
    if lost := [name for name, value in state.items() if not is_finite(value)]:
        raise CheckpointError(
            f"{source}: {len(lost)} of its {len(state)} weights are not finite, {lost[0]} first: "
            "the network has diverged, or the file is damaged"
        )
    model.load_state_dict(state)


def check_weights(
    model: nn.Module,
    state: Mapping[str, Any],
    source: str | os.PathLike[str],
    vocab_size: int | None = None,
) -> None:
    """Compare the names and shapes of weights with those of `model`, which may be on "meta".

    Args and raises: as `load_weights`.
    """
    own = model.state_dict()
    differences = [f"{name} is missing" for name in own.keys() - state.keys()]
    differences += [
        f"{name if isinstance(name, str) and name.isprintable() else short(name)} is not in the "
        "network"
        for name in state.keys() - own.keys()
    ]
    differences += [
        f"{name} has the shape {short(_shape(state[name]))} instead of {_shape(own[name])}"
        for name in own.keys() & state.keys()
        if _shape(state[name]) != _shape(own[name])
    ]
    if (surplus := _surplus_characters(model, state)) and len(differences) == len(
        model.vocabulary_axes
    ):
        known = len(model.alphabet) if vocab_size is None else vocab_size
        raise CheckpointError(
            f"{source}: its alphabet has {known} characters, but its weights are for "
            f"{known + surplus}"
        )
    if differences:
        shown = "".join(f"\n  {difference[:200]}" for difference in sorted(differences)[:SHOWN])
        left = len(differences) - SHOWN
        more = f"\n  and {left} more" if left > 0 else ""
        raise CheckpointError(
            f"{source}: its weights do not fit the config's architecture:{shown}{more}"
        )


def _surplus_characters(model: nn.Module, state: Mapping[str, Any]) -> int:
    """Return how many characters more than the model's alphabet the weights have."""
    own, counts = model.state_dict(), set()
    for name, (dim, _) in getattr(model, "vocabulary_axes", {}).items():
        here, there = list(own[name].shape), list(_shape(state.get(name)) or ())
        if len(here) != len(there):
            return 0
        counts.add(there.pop(dim) - here.pop(dim))
        if here != there:
            return 0
    return counts.pop() if len(counts) == 1 else 0


def _shape(value: Any) -> tuple[int, ...] | None:
    """Return the shape of a tensor; None for anything else that a file may contain."""
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_plain(item, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_plain(item, f"{where}[{number}]")
    elif not any(type(value) is plain or isinstance(value, Tensor) for plain in _PLAIN):
        raise TypeError(f"{where} is a {type(value).__name__}, which would not load again")
