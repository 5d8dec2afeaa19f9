"""Reads and writes checkpoints: files with the state of a run. Loading runs no code of a file."""

import copy
import io
import logging
import math
import os
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import fields
from operator import itemgetter
from pathlib import Path
from types import UnionType
from typing import (
    Annotated,
    Any,
    NamedTuple,
    TypeAlias,
    TypedDict,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from base.data.samples import ExtraShapes
from base.run.checkpoint_archive import from_archive, make_whole, to_archive
from base.run.checkpoint_safetensors import (
    SUFFIX,
    from_safetensors,
    is_safetensors,
    to_safetensors,
)
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from utils import strict_json
from utils.checks import (
    CheckpointError,
    OtherVersion,
    Range,
    UserError,
    check_version,
    first_line,
    lacks_memory,
    short,
)
from utils.files import atomic_write, open_file
from utils.strict_json import Config, children, without

CHECKPOINT_FORMAT = 3
"""Version of the format of checkpoints; files of another version are refused."""
TRAINING_FORMAT = 1
"""Version of the entry `training`, without which no run goes on; networks are used without it."""

Count: TypeAlias = Annotated[int, Range(0, 2**32)]


class Checkpoint(TypedDict, total=False):
    """The contents of a checkpoint: tensors and plain values by name."""

    format: Count
    # Needed to use the network. `config` is the given config, without defaults; its `arch` is the
    # architecture. `state_dict` has the weights to evaluate with: the average if there is one, else
    # the weights without noise.
    config: Config
    state_dict: dict[str, Tensor]
    normalisation: dict[str, list[float]]
    alphabet: list[str] | None  # None for a network without text
    extras: dict[str, list[Count]]  # shapes of the network's extras; missing if there are none
    # The record of the training.
    dataset: dict[str, Any]  # facts about the data, such as the canonical unit of the log-loss
    versions: dict[str, str]
    modules: dict[str, str]  # the SHA-256 of each of the user's modules, by name
    licence: str | None  # None if unknown; see `utils.licences`
    metrics: dict[str, float]  # values of the last epoch
    epoch: Count  # number of complete epochs
    step: Count  # number of the optimiser's steps in the whole run
    training: dict[str, Any]  # needed only to resume, see `RunCheckpoints.content`


class CheckpointFile(NamedTuple):
    """A checkpoint that was read from a file."""

    path: Path
    content: Checkpoint


TYPES: dict[Any, str] = {
    **{float: "a number", str: "a string", dict: "an object", list: "a list"},
    **{Union: "a string or null", UnionType: "a string or null"},
}
"""The types of values in `Checkpoint`, for messages."""
REQUIRED_KEYS = {"format", "config", "state_dict", "normalisation"}

BEST = "model_best.pth"
MAX_TIED = 32
"""Maximum number of weights that are one in each other (assumed: layers that are one)."""
MAX_LISTED = 5
"""Maximum number of files or weights that an error lists."""

log = logging.getLogger(__name__)

_CHECKPOINT_NAME = re.compile(r"checkpoint-epoch(\d+)(?:-step(\d+))?\.pth")
_PATH_BEGINNING = r"[/~]|[A-Za-z]:[/\\]"
"""The beginning of a path that is absolute or in a home directory."""


def checkpoint_name(epoch: int, step: int | None = None) -> str:
    """Return the file name of a checkpoint.

    Args:
        epoch: the number of the epoch, counted from 1: the current epoch if there is a `step`, else
            the last complete epoch.
        step: number of optimiser steps since the start of the run; None at the end of an epoch.
    """
    return f"checkpoint-epoch{epoch}" + ("" if step is None else f"-step{step}") + ".pth"


def checkpoints(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the checkpoints in `folder` except `BEST`, newest first.

    The checkpoint at the end of an epoch counts as newer than those within the epoch.
    """
    return list(epochs_and_steps(folder))


def epochs_and_steps(folder: str | os.PathLike[str]) -> dict[Path, tuple[int, float]]:
    """Return the epoch and the step in the names of `checkpoints`, in their order."""
    pairs = []
    for path in Path(folder).glob("checkpoint-epoch*.pth"):
        epoch_step = epoch_and_step(path)
        if epoch_step is not None:
            pairs.append((path, epoch_step))
    return dict(sorted(pairs, key=itemgetter(1), reverse=True))


def candidates(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the checkpoints in `folder` in the order in which a run goes on from them: the newest
    first, `BEST` last."""
    return [*checkpoints(folder), *Path(folder).glob(BEST)]


def epoch_and_step(path: Path) -> tuple[int, float] | None:
    """Return the epoch and step in a checkpoint's name, for sorting; None for another name."""
    if not (match := _CHECKPOINT_NAME.fullmatch(path.name)):
        return None
    epoch, step = match.groups()
    return int(epoch), math.inf if step is None else int(step)


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically: at every moment the old or the new file is complete.

    Raises:
        CheckpointError: if the checkpoint could not be read; names the entry. The old file remains.
        OSError: if the file cannot be written, as on a full disk; the old file remains.
    """
    # The checkpoint is serialised in memory, so that a full disk raises a plain OSError.
    content = file_content(path, checkpoint)
    atomic_write(path, lambda file: file.write(content))


def file_content(path: str | os.PathLike[str], checkpoint: Mapping[str, Any]) -> memoryview:
    """Return the content of a checkpoint's file, which is of safetensors if `path` ends in
    .safetensors, else an archive.

    Raises:
        CheckpointError: if the checkpoint could not be read; names the entry.
        UserError: if the file is to be of safetensors, which is not installed.
    """
    try:
        return _serialised(path, checkpoint).getbuffer()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: not saved: {error}") from error


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint, its tensors on the CPU, without running any code in it.

    The training state is checked when training resumes.

    Raises:
        CheckpointError: naming the file and its fault.
    """
    try:
        with open_file(path) as file:
            read = from_safetensors if is_safetensors(file) else from_archive
            return _checked_content(read(file), path, os.fstat(file.fileno()).st_size)
    except pickle.UnpicklingError:  # its message advises to run the code, so it is not shown
        cause = "not loaded: it holds more than tensors and plain values, which could run code"
    except FileNotFoundError:
        cause = "no such file"
    except OSError as error:
        cause = f"cannot be read ({error.strerror or error})"
    except OtherVersion as error:  # The message names the file.
        raise CheckpointError(str(error)) from None
    except UserError as error:
        cause = str(error)
    except Exception as error:  # torch.load may raise any error for foreign files
        cause = "truncated or damaged, or no checkpoint of this project"
        if lacks_memory(error):
            cause = "not enough memory, or a damaged file"
        cause = f"{cause} ({first_line(error)})"
    raise CheckpointError(f"{path}: {cause}")


def reloaded(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint as it is after `save_checkpoint` and `load_checkpoint`.

    Raises:
        CheckpointError: if it could not be read; names the entry.
    """
    return from_archive(_serialised("a trial", checkpoint))


def _serialised(path: str | os.PathLike[str], checkpoint: Mapping[str, Any]) -> io.BytesIO:
    """Return a checkpoint's file, checked as when it is read; see `file_content`."""
    content = {"format": CHECKPOINT_FORMAT, **checkpoint}
    write = to_safetensors if Path(path).suffix == SUFFIX else to_archive
    file = write(content)
    _checked_content(content, path, len(file.getbuffer()))
    return file


def _checked_content(content: Any, path: str | os.PathLike[str], size: int) -> Checkpoint:
    """Check the contents of a file of `size` bytes, and return them."""
    entries = content.keys() if isinstance(content, dict) else set()
    if not entries >= REQUIRED_KEYS:
        names = ", ".join(sorted(REQUIRED_KEYS))
        raise CheckpointError(f"not a checkpoint of this project (no {names})")
    check_version(path, content["format"], CHECKPOINT_FORMAT, "train anew")
    content |= strict_json.plain({name: content.get(name) for name in ("config", "alphabet")})
    weights = content["state_dict"]
    for name, kind in get_type_hints(Checkpoint, include_extras=True).items():
        if name in content and name not in ("state_dict", "alphabet", "training"):
            _check_type(content[name], kind, name)
    for name, weight in weights.items():
        if not isinstance(name, str) or not isinstance(weight, Tensor):
            entry = f"{short(name)}: {short(weight)}"
            raise CheckpointError(f"state_dict: weights by name are needed, not {entry}")
    Normalisation.from_dict(content["normalisation"])
    Alphabet(content["alphabet"] or [])
    # Many tensors in one storage can be far larger than the file.
    if sum(weight.nbytes for weight in weights.values()) > MAX_TIED * size:
        raise CheckpointError("its weights have more numbers than the file stores")
    return content


def _check_type(value: Any, kind: Any, key: str) -> None:
    """Raise a CheckpointError, which names the key, if a value has not the type of its key in
    `Checkpoint`."""
    if kind is Any:
        return
    outer, members = get_origin(kind) or kind, get_args(kind)
    if outer is Annotated:
        (number, bounds), expected = members, f"a whole number {members[1]}"
        fits = type(value) is number and value in bounds
    else:
        types = {float: (int, float), Union: members, UnionType: members}.get(outer, (outer,))
        expected = TYPES[outer]
        is_huge = isinstance(value, int) and abs(value) >= 2**63
        fits = type(value) in types and not is_huge
    if not fits:
        raise CheckpointError(f"{key} = {short(value)}: {expected}")
    if outer in (dict, list):
        for name, member in value.items() if outer is dict else enumerate(value):
            _check_type(member, members[-1], f"{key}.{name}")


def newest_checkpoint(folder: str | os.PathLike[str], before: Path | None = None) -> CheckpointFile:
    """Return the newest complete checkpoint of a run's folder.

    The best checkpoint is tried last. The log names the faults of newer files.

    Args:
        folder: the folder of the run.
        before: a checkpoint in the folder: only older checkpoints are tried; None to try all.

    Raises:
        CheckpointError: if there is no complete checkpoint.
    """
    folder = Path(folder)
    paths = candidates(folder)
    skipped = []
    for path in paths[paths.index(before) + 1 :] if before else paths:
        try:
            content = load_checkpoint(path)
        except CheckpointError as error:
            skipped.append(str(error))
            continue
        for cause in skipped:
            log.warning("skipped %s", cause)
        return CheckpointFile(path, content)
    if before is None and not all(map(os.path.lexists, paths)):
        return newest_checkpoint(folder)  # The run is in progress, and has newer ones.
    runs = [run for pattern in ("*", "*/*", "models/*/*") for run in folder.glob(pattern)]
    complete = sorted(str(run) for run in runs if checkpoints(run))
    raise CheckpointError(
        f"{folder}: no complete checkpoint found{listed(skipped)}"
        + (f"; there are some in {', '.join(complete[-3:])}" if complete else "")
    )


def older_checkpoint(path: Path) -> CheckpointFile | None:
    """Return the newest complete checkpoint of a run's folder that is older than that at `path`;
    None if there is none."""
    with suppress(CheckpointError):
        return newest_checkpoint(path.parent, path)
    return None


def is_newest(place: Path) -> bool:
    """Return whether `place` is a folder, or the checkpoint with which the run of its folder goes
    on, by their names."""
    return place.is_dir() or any(map(place.samefile, candidates(place.parent)[:1]))


def find_checkpoint(place: Path) -> CheckpointFile:
    """Return the checkpoint in a file, or the newest complete checkpoint in a folder.

    Raises:
        CheckpointError: if there is no checkpoint, or the file is damaged.
    """
    if place.is_dir():
        return newest_checkpoint(place)
    return CheckpointFile(place, load_checkpoint(place))


def resumable(checkpoint: CheckpointFile) -> CheckpointFile:
    """Return a checkpoint from which a run goes on, its resolved config of plain values.

    Raises:
        CheckpointError: if the checkpoint has no training state of this version.
    """
    path, content = checkpoint
    training = children(content.get("training"))
    if training.get("format") != TRAINING_FORMAT or "resolved_config" not in training:
        raise CheckpointError(
            f"{path}: contains no training state of this version, and cannot be resumed; -c CONFIG "
            "starts a new training from its weights"
        )
    resolved_config = strict_json.plain(training["resolved_config"])
    training = {**training, "resolved_config": resolved_config}
    return CheckpointFile(path, cast(Checkpoint, {**content, "training": training}))


def network_arguments(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the arguments that the program supplies to the constructor of a checkpoint's network,
    by name, as far as the checkpoint has them."""
    arguments: dict[str, Any] = {}
    arguments["normalisation"] = Normalisation.from_dict(checkpoint["normalisation"])
    if characters := checkpoint["alphabet"]:
        arguments["alphabet"] = Alphabet(characters)
    if (shapes := checkpoint.get("extras")) is not None:
        arguments["extras"] = ExtraShapes(shapes)
    return arguments


def to_share(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint to give away: without training state and without absolute paths.

    Weights are in half precision (11-bit significand), and load as usual. The run cannot be
    resumed, but the weights can be fine-tuned.

    Args:
        checkpoint: the result of `load_checkpoint`.
    """
    names = Checkpoint.__annotations__.keys() - {"format", "versions", "training"}
    shared: dict[str, Any] = {name: value for name, value in checkpoint.items() if name in names}
    shared["config"] = without(checkpoint["config"], _is_place)
    shared["state_dict"] = {
        name: value.half() if value.is_floating_point() else value
        for name, value in checkpoint["state_dict"].items()
    }
    return shared


def _is_place(name: str, value: Any) -> bool:
    """Return whether an entry of a config names a place on the machine that trained."""
    return name in ("root", "cache") or bool(re.match(_PATH_BEGINNING, str(value)))


def load_weights(
    model: nn.Module, state: Mapping[str, Tensor], source: str | os.PathLike[str]
) -> None:
    """Load the weights `state`, read from the file `source`, into `model`.

    Raises:
        CheckpointError: if names or shapes differ, or if a weight is not finite; a buffer may have
            infinities, as a mask has.
    """
    check_weights(model, state, source)
    trained = dict(model.named_parameters())
    broken = [name for name, value in state.items() if not _is_sound(value, name in trained)]
    if broken:
        raise CheckpointError(
            f"{source}: {len(broken)} of its {len(state)} weights are not finite, {broken[0]} "
            "first: the network has diverged, or the file is damaged"
        )
    make_whole(model)
    model.load_state_dict(state)


def _is_sound(weight: Tensor, is_trained: bool) -> bool:
    """Return whether a weight is finite, or if it is not trained, has no NaN."""
    real = torch.view_as_real(weight) if weight.is_complex() else weight
    if not (real.is_floating_point() and real.numel()):
        return True
    bounds = torch.stack(real.aminmax())  # NaN if any number is
    return bool((bounds.isfinite() if is_trained else ~bounds.isnan()).all())


@torch.no_grad()
def state_of(part: Any) -> dict[str, Any]:
    """Return the `state_dict` of a part, computed without gradients; raise a CheckpointError if it
    is no dictionary."""
    state = part.state_dict()
    if not isinstance(state, dict):
        problem = f"the state of {type(part).__name__} = {short(state)}"
        raise CheckpointError(f"{problem}: state_dict returns a dictionary")
    return state


def load_state(part: Any, state: dict[str, Any]) -> None:
    """Load a saved state into a part, which may raise an exception of any kind.

    An optimiser gets the values of its weights as they were saved: torch gives tensors the type of
    their weight, and makes a generator of a text.
    """
    if not isinstance(part, Optimizer):
        part.load_state_dict(state)
        return
    saved: dict[str, Any] = {}  # by an optimiser of one's own, too
    with warnings.catch_warnings(), ExitStack() as hooks:
        before = part.register_load_state_dict_pre_hook(lambda _, state: saved.update(state))
        after = part.register_load_state_dict_post_hook(lambda part: _put_back(part, saved))
        hooks.callback(before.remove)
        hooks.callback(after.remove)
        warnings.filterwarnings("ignore", message="Casting complex values to real")
        part.load_state_dict(state)


def _put_back(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Put the values of a loaded state, as they were saved, into an optimiser."""
    for group, saved_group in zip(optimizer.param_groups, saved["param_groups"], strict=True):
        for weight, number in zip(group["params"], saved_group["params"], strict=True):
            for name, value in saved["state"].get(number, {}).items():
                loaded = optimizer.state[weight]
                loaded[name] = _as_saved(value, loaded.get(name))


def _as_saved(value: Any, loaded: Any) -> Any:
    """Return a value of a state, its tensors on the devices to which torch has moved them."""
    if isinstance(value, Tensor) and isinstance(loaded, Tensor):
        return value.to(loaded.device)
    if isinstance(value, dict) and isinstance(loaded, dict):
        result = copy.copy(value)
        for name in value:
            result[name] = _as_saved(value[name], loaded.get(name))
        return result
    if type(value) in (list, tuple) and type(value) is type(loaded):
        return type(value)(map(_as_saved, value, loaded))
    return value


def check_weights(
    model: nn.Module, state: Mapping[str, Tensor], source: str | os.PathLike[str]
) -> None:
    """Raise a CheckpointError if names, shapes or kinds of numbers in `state`, read from the file
    `source`, differ from those of `model`, which may be on the device "meta"."""
    needed = model.state_dict()
    differing = []
    for name in sorted(needed.keys() | state.keys()):
        weight, wanted = state.get(name), needed.get(name)
        if weight is None or wanted is None or weight.shape != wanted.shape:
            shape, expected = ("none" if w is None else tuple(w.shape) for w in (weight, wanted))
            differing.append(f"{short(name)[1:-1]}: shape {shape} instead of {expected}")
        elif (kind := _kind(weight)) != (kind_wanted := _kind(wanted)):
            differing.append(f"{short(name)[1:-1]}: {kind} instead of {kind_wanted}")
    if differing:
        raise CheckpointError(
            f"{source}: its weights do not fit the config's architecture:{listed(differing)}"
        )


def _kind(weight: Tensor) -> str:
    """Return the kind of a weight's numbers, which torch would turn into another in silence."""
    if weight.is_complex():
        return "complex numbers"
    if weight.is_floating_point():
        return "real numbers"
    return "truth values" if weight.dtype == torch.bool else "integers"


def listed(lines: Sequence[str]) -> str:
    """Return the first `MAX_LISTED` lines, indented, and how many more lines there are."""
    more = [f"and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return "".join(f"\n  {line}" for line in [*lines[:MAX_LISTED], *more])


def filled(kind: type, values: Mapping[str, Any]) -> Any:
    """Return a dataclass of type `kind` with its fields from `values`; other items are ignored."""
    return kind(**{field.name: values[field.name] for field in fields(kind)})
