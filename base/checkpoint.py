"""Checkpoints: one file per state of a run, written atomically, loaded without running code.

`torch.load(..., weights_only=True)` runs no code from a file, but builds tensors and containers of
many kinds as the file asks, and a small file can ask for unlimited memory and time. So the archive
is checked before it is unpacked, and only the few operations that `save_checkpoint` needs are
allowed in it.
"""

import io
import math
import os
import pickletools
import re
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from base.pretrained import resolve_checkpoint
from utils import strict_json
from utils.alphabet import Alphabet
from utils.checks import CheckpointError, ConfigFault, UserError, first_line, short
from utils.files import atomic_write, open_file
from utils.normalisation import Normalisation
from utils.override import without

FORMAT = 2
"""Version of the format; newer ones are refused. A checkpoint is a dict of tensors and plain
values, `HEADER`, and what only a resumed run needs: `training`, see `base.training_checkpoint`."""

HEADER: dict[str, Any] = {
    # Needed to use the network: its architecture is `config.arch`; the weights are those to
    # evaluate with (the average if there is one, the means of noisy ones).
    "config": {},
    "state_dict": {str: Tensor},
    "alphabet": ...,  # the characters; None for a network without text
    "normalisation": {"mean": [0.0, 0.0], "std": [1.0, 1.0]},
    # The record of its training.
    "dataset": ...,  # its units
    "versions": {str: str},
    "modules": {str: str},  # the user's own: name and SHA-256
    "metrics": {str: 0.0},  # of the last epoch
    "epoch": 0,  # complete ones
    "step": 0,  # of the optimiser, of the whole run
}
"""What a checkpoint holds beside its training state, as examples, see `like`."""
NEEDED = {"format", "config", "state_dict", "normalisation"}

BEST = "model_best.pth"
HAND_FILE = "hand.pth"
"""In the folder of a run that learned a hand: the network that is made of it, to use and share."""
HAND_TRAINERS = {
    "GenerationTrainer": "OwnHandTrainer",
    "RecognitionTrainer": "OwnHandReaderTrainer",
}
"""Former trainers of runs that learn a hand, and the present ones."""
SHOWN = 5
"""Maximum number of files or weights that an error lists."""

MAX_PICKLE = 2**20
"""Bytes of the pickle, which is everything but the tensors' data; 55,129 for sixteen layers with an
average and adaptive noise (measured). A byte may take 2 microseconds to read and 64 bytes of
memory."""
MAX_TUPLES = 20_000
"""Tuples in the pickle, four per tensor (assumed). Python's stack overflows when it hashes some
100,000 nested ones."""
MAX_COPIES = 32
"""Calls in the pickle that copy a dictionary: two for MultiStepLR, one for each network."""
MAX_COUNT = 2**32
"""Bound on counts of epochs, steps and so on, and on the words of a generator's state."""

_NAME = re.compile(r"checkpoint-epoch(\d+)(?:-step(\d+))?\.pth")
_PATH = r"[/~]|[A-Za-z]:[/\\]"
_STORAGES = ("Half", "BFloat16", "Float", "Double", "Bool", "Byte", "Char", "Short", "Int", "Long")
_GLOBALS = {
    "collections OrderedDict",
    "collections Counter",
    "torch._utils _rebuild_tensor_v2",
    *(f"torch {name}Storage" for name in _STORAGES),
}


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
        CheckpointError: if it contains what `load_checkpoint` would refuse.
        OSError: if the disk is full or the like; the old file remains.
    """
    # Serialised in memory first: failures there do not touch the disk, and a full disk raises a
    # plain OSError.
    buffer = io.BytesIO()
    try:
        torch.save({"format": FORMAT, **checkpoint}, buffer)
        _check_archive(buffer)
    except (CheckpointError, RecursionError) as error:
        raise CheckpointError(f"{path}: it would not load again: {error}") from None
    atomic_write(path, lambda file: file.write(buffer.getbuffer()))


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint, its tensors on the CPU, without running any code in it.

    Safe for untrusted files: it takes little more than twice the file's size in memory, and the
    result is like `HEADER`. The training state is checked when training resumes.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    try:
        with open_file(path) as file:
            size = _check_archive(file)
            file.seek(0)
            # From memory: torch takes an interrupted read of a file for a broken file.
            content = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
        return _checked(content, size)
    except FileNotFoundError:
        cause = "no such file"
    except OSError as error:
        cause = f"cannot be read ({error.strerror or error})"
    except UserError as error:
        cause = str(error)
    except Exception as error:  # torch.load promises no particular kind for foreign files
        cause = f"not a checkpoint of this project ({first_line(error)})"
    raise CheckpointError(f"{path}: {cause}")


def _check_archive(file: BinaryIO) -> int:
    """Return the size of an archive in bytes.

    Raises:
        CheckpointError: if it is damaged or unlike those of `save_checkpoint`.
    """
    size = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            # Overlapping or compressed parts add up to more bytes than the file has.
            names = {part.filename.lower() for part in parts}
            if len(names) < len(parts) or sum(part.file_size for part in parts) > size:
                raise CheckpointError("damaged (its parts overlap, or are compressed)")
            pickles = [part for part in parts if part.filename.endswith("/data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE:
                raise CheckpointError(
                    "not a checkpoint of this project (no data.pkl of at most "
                    f"{MAX_PICKLE:,} bytes: all but the tensors)"
                )
            damaged = archive.testzip()  # torch.load itself checks no sums
            if damaged is not None:
                raise CheckpointError(f"damaged (checksum mismatch in its part {short(damaged)})")
            pickle = archive.read(pickles[0])
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"truncated or damaged, or no checkpoint ({first_line(error)})"
        ) from None
    _check_pickle(pickle)
    return size


def _check_pickle(pickle: bytes) -> None:
    """Raise a CheckpointError if a pickle asks for more than tensors and plain values.

    It may only build tensors and empty dictionaries, and copy a few dictionaries: unlimited copying
    could fill memory or never end.
    """
    codes = ""
    for operation, argument, _ in pickletools.genops(pickle):
        name = operation.name
        if (name == "GLOBAL" and argument not in _GLOBALS) or name == "NEWOBJ":
            raise CheckpointError(
                "contains more than plain tensors and plain values and was not loaded, because "
                f"loading it could run code or fill the memory: {short(argument)}"
            )
        if name == "LONG1" and argument.bit_length() > 64:
            raise CheckpointError("contains an integer of more than 64 bits")
        codes += "" if name.endswith("BINPUT") else operation.code
    # A call without arguments, or with those of a tensor, whose last is an empty OrderedDict.
    copies = codes.replace(")RtR", " ").replace(")R", " ")
    if sum(map(copies.count, "Rb")) > MAX_COPIES or sum(map(codes.count, "t\x85\x86\x87")) > (
        MAX_TUPLES
    ):
        raise CheckpointError("its pickle has more operations than any checkpoint needs")


def _checked(content: Any, size: int) -> dict[str, Any]:
    """Return the contents of a file of `size` bytes in the present format; see `HEADER`."""
    if not isinstance(content, dict) or not content.keys() >= NEEDED:
        raise CheckpointError(f"not a checkpoint of this project (no {', '.join(sorted(NEEDED))})")
    like(content["format"], FORMAT, "format")
    if content["format"] > FORMAT:
        raise CheckpointError(
            f"made by a newer version of this program: update it (format {content['format']}; this "
            f"one reads formats up to {FORMAT})"
        )
    for name in ("config", "alphabet"):
        try:
            content[name] = strict_json.plain(content.get(name))
        except ConfigFault as fault:
            raise CheckpointError(f"{name}: {fault.expected}") from None
    for name in HEADER.keys() & content.keys():
        like(content[name], HEADER[name], name)
    Normalisation.from_dict(content["normalisation"])
    Alphabet(content["alphabet"] or [])
    # Strides can make a tensor many times as large as what is stored of it.
    if sum(value.nbytes for value in content["state_dict"].values()) > size:
        raise CheckpointError("its weights have more numbers than the file stores")
    return _of_today(content)


def _of_today(content: dict[str, Any]) -> dict[str, Any]:
    """Return contents with the present names: some networks in `saved/pretrained` have older ones,
    and an argument that no longer means anything."""
    arch = content["config"].get("arch")
    if isinstance(arch, dict) and isinstance(arguments := arch.get("args"), dict):
        names = {"halvings": "time_reductions", "masked": "mask_ratio"}
        arguments.pop("sink", None)
        arch["args"] = {names.get(name, name): value for name, value in arguments.items()}
    with suppress(KeyError, TypeError):  # Of a network that never learned a hand.
        if content["config"]["data_loader"]["args"]["dataset"]["type"] == "HandDataset":
            trainer = content["config"]["trainer"]
            trainer["type"] = HAND_TRAINERS.get(trainer["type"], trainer["type"])
    if content["format"] == 1:
        weights = content["state_dict"]
        for old, new in ((".onward.", ".forward_rnn."), (".backward.", ".backward_rnn.")):
            weights = {name.replace(old, new): value for name, value in weights.items()}
        content["state_dict"] = weights
    return content


def like(value: Any, example: Any, key: str) -> None:
    """Check that a value from a file has the type, structure and shapes of an example.

    Args:
        value: to check.
        example: A whole number stands for any that is not negative; a float for any number. A
            dictionary has at least its names, and the name `str` stands for any. None stands for
            None or a number, as of what is not known at first; a type for its values; `...`
            for anything.
        key: where `value` stands.

    Raises:
        CheckpointError: naming key, value, and what is accepted.
    """
    if needed := _needed(value, example):
        shown = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else short(value)
        raise CheckpointError(f"{key} = {shown}: {needed} is needed")
    inside = dict(enumerate(example)) if isinstance(example, list | tuple) else example
    if not isinstance(inside, dict):
        return
    for name, item in (dict.fromkeys(value, inside[str]) if str in inside else inside).items():
        place = f"{key}.{short(name)[1:-1] if isinstance(name, str) else name}"
        if isinstance(value, dict) and name not in value:
            raise CheckpointError(f"{place} is missing")
        like(value[name], item, place)


def _needed(value: Any, example: Any) -> str:
    """Return what is needed in the place of a value that is not like an example; "" if it is."""
    match example:
        case Tensor():
            needed = f"a tensor {tuple(example.shape)} of {example.dtype}"
            fits = isinstance(value, Tensor) and value.shape == example.shape
            if fits and value.dtype != example.dtype:  # of optimisers: another precision
                fits = value.is_floating_point() and example.is_floating_point()
        case dict():
            needed, fits = "a dictionary", isinstance(value, dict)
            fits = fits and (str not in example or all(isinstance(name, str) for name in value))
        case list() | tuple():
            needed = f"a list of {len(example)}"
            fits = isinstance(value, list | tuple) and len(value) == len(example)
        case int() if type(example) is int:
            needed = f"a whole number from 0 to {MAX_COUNT}"
            fits = type(value) is int and 0 <= value <= MAX_COUNT
        case float() | None:
            needed, fits = "a number", type(value) in (int, float) or value is example
        case _:
            kind = example if isinstance(example, type) else type(example)
            needed, fits = f"a {kind.__name__}", example is ... or isinstance(value, kind)
    return "" if fits else needed


def newest_checkpoint(folder: str | os.PathLike[str]) -> tuple[Path, dict[str, Any], list[str]]:
    """Return the newest complete checkpoint of a run's folder.

    Returns:
        `(path, checkpoint, skipped)`; `skipped` says what is wrong with each newer one. If there
        is no other, the best one is used.

    Raises:
        CheckpointError: if there is none.
    """
    folder, skipped = Path(folder), []
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such file or folder")
    for path in [*checkpoints(folder), *folder.glob(BEST)]:
        try:
            return path, load_checkpoint(path), skipped
        except CheckpointError as error:
            skipped.append(str(error))
    runs = [run for place in ("*", "*/*", "models/*/*") for run in folder.glob(place)]
    inside = sorted(str(run) for run in runs if checkpoints(run))
    raise CheckpointError(
        f"{folder}: no complete checkpoint found{listed(skipped)}"
        + (f"; there are some in {', '.join(inside[-3:])}" if inside else "")
    )


def find_checkpoint(path: str | os.PathLike[str]) -> tuple[Path, dict[str, Any], list[str]]:
    """Return the checkpoint that `path` means: a file, the newest complete one of a folder, or, if
    neither exists, the pretrained network of that name.

    Returns:
        `(path, checkpoint, skipped)` as `newest_checkpoint`.

    Raises:
        CheckpointError: if there is none, or what is wrong with the file.
    """
    path = resolve_checkpoint(path)
    return newest_checkpoint(path) if path.is_dir() else (path, load_checkpoint(path), [])


def to_share(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint without its training state and what describes the machine or person.

    Weights are in half precision (11-bit significand): a quarter or less of the size. They load
    like any others, and fine-tuning starts from them with a fresh optimiser.

    Args:
        checkpoint: as `load_checkpoint` returned it.
    """
    names = HEADER.keys() - {"versions"}
    shared = {name: value for name, value in checkpoint.items() if name in names}
    shared["config"] = without(
        checkpoint["config"],
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
        CheckpointError: if there is none.
    """
    if not checkpoint["alphabet"]:
        raise CheckpointError(f"{source}: it lacks the alphabet that the config's network needs")
    return Alphabet(checkpoint["alphabet"])


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
    state = model.extend_state_dict(state_dict, vocab_size) if grow else state_dict
    check_weights(model, state, source)
    # Either end is nan if any number is: several times as fast as isfinite of each.
    ends = {name: torch.aminmax(value) for name, value in state.items() if value.numel()}
    if lost := [name for name, both in ends.items() if not torch.stack(both).isfinite().all()]:
        raise CheckpointError(
            f"{source}: {len(lost)} of its {len(state)} weights are not finite, {lost[0]} first: "
            "the network has diverged, or the file is damaged"
        )
    model.load_state_dict(state)


def check_weights(
    model: nn.Module, state: Mapping[str, Tensor], source: str | os.PathLike[str]
) -> None:
    """Compare the names and shapes of weights with those of `model`, which may be on "meta".

    Args and raises: as `load_weights`.
    """
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    differing = [
        f"{short(name)[1:-1]}: shape {found.get(name, 'none')} instead of {own.get(name, 'none')}"
        for name in sorted(own | found)
        if own.get(name) != found.get(name)
    ]
    if differing:
        raise CheckpointError(
            f"{source}: its weights do not fit the config's architecture:{listed(differing)}"
        )


def listed(lines: Sequence[str]) -> str:
    """Return the first of some lines, each on a line of its own, and how many more there are."""
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "".join(f"\n  {line}" for line in [*lines[:SHOWN], *more])


def filled(kind: type, values: Mapping[str, Any]) -> Any:
    """Return a dataclass with its fields from `values`, which may have more."""
    return kind(**{field.name: values[field.name] for field in fields(kind)})
