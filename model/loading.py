"""Loads trained networks for use: from architecture, alphabet, normalisation and weights.

The record of the training is not used, so that only the network's class must exist, not the classes
that trained the network.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

import model
from base.base_model import BaseModel
from base.config import user_modules
from base.config.binder import Binder, Registry, faults
from base.run.checkpoint import (
    Checkpoint,
    check_weights,
    find_checkpoint,
    load_weights,
    network_arguments,
)
from base.run.pretrained import resolve_checkpoint
from base.step.device import resolve_device
from model.generation.generators import GenerationNetwork
from model.reader import Reader
from model.recognition.encoder import Recogniser
from model.trained_network import TrainedNetwork
from model.writer import Writer
from utils.checks import CheckpointError, ConfigFault, DataError, UserError

HAND_FILE = "hand.pth"
"""File of the network to use and share, in the folder of a run that learned a hand."""
HUB_FILE = "model.safetensors"
"""File of a network in a folder of a model hub, as `export` writes it."""


def load(
    path: str | Path, device: str = "auto", *, modules: Sequence[str | Path] = ()
) -> TrainedNetwork:
    """Load a network for use from the file of a checkpoint.

    Args:
        path: the file; a folder, for its `HAND_FILE`, its `HUB_FILE` or else its newest complete
            checkpoint; the name of a pretrained network, such as "conditional"; or the id of a run
            in saved/models.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        modules: Python files with the user's classes; the files are run.

    Returns:
        a `Writer`, a `Reader`, or, if the network does not write or read, a `TrainedNetwork`.

    Raises:
        UserError: if there is no such device, module or checkpoint, or the checkpoint is not valid.
    """
    for module in modules:
        user_modules.load_module(module)
    torch_device = resolve_device(device)
    place = resolve_checkpoint(path)
    named = (place / name for name in (HAND_FILE, HUB_FILE))
    file, checkpoint = find_checkpoint(next((file for file in named if file.exists()), place))
    return from_checkpoint(checkpoint, file, torch_device)


def load_writer(path: str | Path, device: str = "auto") -> Writer:
    """Load a network that writes texts; see `load`."""
    return checked_writer(load(path, device), of_texts=True)


def load_reader(path: str | Path, device: str = "auto") -> Reader:
    """Load a network that reads; see `load`."""
    return checked_reader(load(path, device))


def checked_writer(network: TrainedNetwork, *, of_texts: bool) -> Writer:
    """Return `network` if it writes and, with `of_texts`, needs a text; or raise a UserError."""
    if isinstance(network, Writer) and (network.model.needs_text or not of_texts):
        return network
    raise _error(network, "writes texts" if of_texts else "writes")


def checked_reader(network: TrainedNetwork) -> Reader:
    """Return `network` if it reads; or raise a UserError."""
    if isinstance(network, Reader):
        return network
    raise _error(network, "reads")


def from_checkpoint(checkpoint: Checkpoint, path: Path, device: torch.device) -> TrainedNetwork:
    """Return, on a device, the network of a checkpoint that was read from `path`; see `load`."""
    try:
        network = _build(checkpoint, path)
    except (ConfigFault, DataError) as fault:
        user_modules.check(checkpoint.get("modules", {}), f"{path}: {fault}")
        raise CheckpointError(f"{path}: {fault}") from None
    load_weights(network, checkpoint["state_dict"], path)
    kind: type[TrainedNetwork] = TrainedNetwork
    if isinstance(network, GenerationNetwork):
        kind = Writer
    elif isinstance(network, Recogniser):
        kind = Reader
    user_modules.warn_of_changes(checkpoint.get("modules", {}), path)
    record = checkpoint.copy()
    record.pop("state_dict")
    record.pop("training", None)
    return kind(network.to(device).eval(), path, device, record)


def _build(checkpoint: Checkpoint, path: Path) -> BaseModel:
    """Build the network of a checkpoint, with initial weights.

    Raises:
        CheckpointError: if the weights do not fit, or the alphabet or the extras are missing.
        ConfigFault: if there is no such class, or an argument does not fit.
    """
    part = Binder(Registry((model,))).bind(BaseModel, checkpoint["config"].get("arch"), "arch")
    for fault in faults(part):
        raise fault
    supplied = network_arguments(checkpoint)
    if lacking := {*part.signature.from_program} - supplied.keys():
        names = " and the ".join(sorted(lacking))
        raise CheckpointError(f"{path}: it lacks the {names} that its network needs")
    # The weights are checked before memory is allocated: a small config can describe gigabytes.
    # What a user's network consists of may depend on numbers, which "meta" lacks, as in torch's
    # `orthogonal`.
    is_users = user_modules.is_any_from_user(part.cls)
    with nullcontext() if is_users else torch.device("meta"):
        network = part.build(supplied)
    check_weights(network, checkpoint["state_dict"], path)
    return network if is_users else part.build(supplied)


def _error(network: TrainedNetwork, task: str) -> UserError:
    kind = type(network.model).__name__
    return UserError(f"{network.path} contains a {kind}; a network that {task} is needed")
