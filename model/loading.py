"""Loading a trained network for use: from its architecture, alphabet, normalisation and weights.

The record of its training is not used here, so that a network writes and reads where the classes
that trained it do not exist. Only its own class must.
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
"""In the folder of a run that learned a hand: its network, to use and share."""


def load(
    path: str | Path, device: str = "auto", *, modules: Sequence[str | Path] = ()
) -> TrainedNetwork:
    """Make the network of a checkpoint ready for use; nothing but the file is needed.

    Args:
        path: the file; the folder of a run for its newest complete checkpoint, or its `HAND_FILE`;
            the name of a pretrained network, such as "conditional"; or the id of a run in
            saved/models.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        modules: Python files with the user's classes of the training, which are run.

    Returns:
        a `Writer`, a `Reader`, or, for a network of another kind, a `TrainedNetwork`.

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
    """Return a network that writes; raise a UserError if it does not, or takes no text."""
    if isinstance(network, Writer) and (network.model.needs_text or not of_texts):
        return network
    raise _unfit(network, "writes texts" if of_texts else "writes")


def checked_reader(network: TrainedNetwork) -> Reader:
    """Return a network that reads; raise a UserError if it does not."""
    if isinstance(network, Reader):
        return network
    raise _unfit(network, "reads")


def restored(checkpoint: Checkpoint, path: Path, place: torch.device) -> TrainedNetwork:
    """Return the network of a checkpoint on a device; see `load`.

    Args:
        checkpoint: with what is needed to use a network.
        path: of the file, for messages.
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
    # Functions are left out, as the module of one of them imports matplotlib.
    offered = [getattr(model, name) for name in model.__all__ if name[0].isupper()]
    return by_name(offered + user_modules.classes(), BaseModel)


def _build(checkpoint: Checkpoint, path: Path) -> BaseModel:
    """Build the network of a checkpoint, whose weights are still to be loaded.

    Raises:
        CheckpointError: if the weights do not fit, which is checked before any memory is
            allocated (a few bytes of config can describe gigabytes), or alphabet or extras lack.
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
    """Name the arguments that differ, instead of the weights' shapes, where weights are refused.

    Args:
        arch: the block of the network in the file.
        other: that of the config.
        source: the file.
    """
    try:
        yield
    except CheckpointError:
        if not isinstance(arch, Mapping) or not isinstance(arch.get("args", {}), Mapping):
            raise
        defaults = arguments_of(networks()[other["type"]]).defaults
        there, here = (defaults | block.get("args", {}) for block in (arch, other))
        if arch.get("type") != other["type"]:
            there, here = arch, {"type": other["type"]}
        differing = []
        for name, value in here.items():
            if (old := there.get(name)) != value:
                both = f"{shown(old)} in the file, {shown(value)} in the config"
                differing.append(f"{name} is {both}")
        if not differing:
            raise
        message = f"{source}: does not fit the config: {'; '.join(differing)}"
        raise CheckpointError(message) from None
