"""Loading a trained network for use: from its architecture, alphabet, normalisation and weights.

The record of the training is not used, so that a network writes and reads where the classes that
trained the network do not exist. Only the network's class must exist.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import model
from base.base_model import BaseModel, ExtraShapes
from base.checkpoint import Checkpoint, check_weights, find_checkpoint, load_weights
from base.config import user_modules
from base.config.binder import Binder
from base.config.signatures import arguments_of, by_name
from base.device import resolve_device
from base.pretrained import resolve_checkpoint
from model.generation.generators import GenerationNetwork
from model.reader import Reader
from model.recognition.encoder import Recogniser
from model.trained_network import TrainedNetwork
from model.writer import Writer
from utils.alphabet import Alphabet
from utils.checks import ABSENT, CheckpointError, ConfigFault, DataError, UserError, shown
from utils.normalisation import Normalisation

HAND_FILE = "hand.pth"
"""Name of the network's file, to use and share, in the folder of a run that learned a hand."""


def load(
    path: str | Path, device: str = "auto", *, modules: Sequence[str | Path] = ()
) -> TrainedNetwork:
    """Make the network of a checkpoint ready for use; only the checkpoint's file is needed.

    Args:
        path: the file; the folder of a run, for its `HAND_FILE` or else its newest complete
            checkpoint; the name of a pretrained network, such as "conditional"; or the id of a run
            in saved/models.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        modules: Python files with the user's classes of the training; the files are run.

    Returns:
        a `Writer`, a `Reader`, or, for a network that does neither, a `TrainedNetwork`.

    Raises:
        UserError: if there is no such device, module or checkpoint, or the checkpoint is not valid.
    """
    for module in modules:
        user_modules.load_module(module)
    place = resolve_device(device)
    if (hand := resolve_checkpoint(path) / HAND_FILE).exists():
        path = hand
    path, checkpoint = find_checkpoint(path)
    return restored(checkpoint, path, place)


def load_writer(path: str | Path, device: str = "auto") -> Writer:
    """Load a network that writes texts; see `load`."""
    return checked_writer(load(path, device), of_texts=True)


def load_reader(path: str | Path, device: str = "auto") -> Reader:
    """Load a network that reads; see `load`."""
    return checked_reader(load(path, device))


def checked_writer(network: TrainedNetwork, *, of_texts: bool) -> Writer:
    """Return `network` if it writes, with `of_texts` from a text; otherwise raise a UserError."""
    if isinstance(network, Writer) and (network.model.needs_text or not of_texts):
        return network
    raise _unfit(network, "writes texts" if of_texts else "writes")


def checked_reader(network: TrainedNetwork) -> Reader:
    """Return `network` if it reads; otherwise raise a UserError."""
    if isinstance(network, Reader):
        return network
    raise _unfit(network, "reads")


def restored(checkpoint: Checkpoint, path: Path, place: torch.device) -> TrainedNetwork:
    """Return the network of a checkpoint on a device; see `load`.

    Args:
        checkpoint: the contents that are needed to use a network.
        path: path of the file, for messages.
        place: the device.
    """
    try:
        network = _build(checkpoint, path)
    except (ConfigFault, DataError) as fault:
        lacking = user_modules.missing(checkpoint.get("modules", {}))
        raise CheckpointError("; ".join(filter(None, (f"{path}: {fault}", lacking)))) from None
    load_weights(network, checkpoint["state_dict"], path)
    kinds = {GenerationNetwork: Writer, Recogniser: Reader}
    kind = next((kinds[base] for base in kinds if isinstance(network, base)), TrainedNetwork)
    user_modules.warn_of_changes(checkpoint.get("modules", {}), path)
    heavy = ("state_dict", "training")
    record = {name: value for name, value in checkpoint.items() if name not in heavy}
    return kind(network.to(place).eval(), path, place, record)


def networks() -> dict[str, type[BaseModel]]:
    """Return by name the classes of networks: the project's and those of the user's modules."""
    # Without functions, as the module of `step_figures` imports matplotlib.
    offered = [getattr(model, name) for name in model.__all__ if name[0].isupper()]
    return by_name(offered + user_modules.classes(), BaseModel)


def _build(checkpoint: Checkpoint, path: Path) -> BaseModel:
    """Build the network of a checkpoint, with initial weights.

    Raises:
        CheckpointError: if the weights do not fit, or the alphabet or the extras lack. The check
            comes before memory is allocated, as a few bytes of config can describe gigabytes.
        ConfigFault: if there is no such class, or an argument does not fit.
    """
    binder = Binder(lambda base: networks() if base is BaseModel else {})
    normalisation = Normalisation.from_dict(checkpoint["normalisation"])
    characters, arch = checkpoint["alphabet"], checkpoint["config"].get("arch")
    alphabet = Alphabet(characters) if characters else ABSENT
    extras = ExtraShapes(checkpoint["extras"]) if "extras" in checkpoint else ABSENT
    supplied = {"normalisation": normalisation, "alphabet": alphabet, "extras": extras}
    with torch.device("meta"):
        sketch = binder.make(BaseModel, arch, "arch", supplied)
    for fault in binder.faults:
        raise fault
    if sketch is ABSENT:
        raise CheckpointError(f"{path}: it lacks the alphabet or the extras that its network needs")
    check_weights(sketch, checkpoint["state_dict"], path)
    return binder.make(BaseModel, arch, "arch", supplied)


def _unfit(network: TrainedNetwork, does: str) -> UserError:
    kind = type(network.model).__name__
    return UserError(f"{network.path} contains a {kind}; a network that {does} is needed")


@contextmanager
def naming_incompatibilities(
    arch: object, other: Mapping[str, Any], source: str | Path
) -> Iterator[None]:
    """Where weights are refused, name the arguments that differ instead of the weights' shapes.

    Args:
        arch: the network's block in the file.
        other: the network's block in the config.
        source: the file.
    """
    try:
        yield
    except CheckpointError:
        if not isinstance(arch, Mapping) or not isinstance(arch.get("args", {}), Mapping):
            raise
        defaults = arguments_of(networks()[other["type"]]).defaults
        in_file, in_config = (defaults | block.get("args", {}) for block in (arch, other))
        if arch.get("type") != other["type"]:
            in_file, in_config = arch, {"type": other["type"]}
        differing = []
        for name, value in in_config.items():
            if (old := in_file.get(name)) != value:
                values = f"{shown(old)} in the file, {shown(value)} in the config"
                differing.append(f"{name} is {values}")
        if not differing:
            raise
        message = f"{source}: does not fit the config: {'; '.join(differing)}"
        raise CheckpointError(message) from None
