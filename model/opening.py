"""Opens networks for use: by PyTorch, or where it is missing by the engine."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from base.run.pretrained import resolve_checkpoint
from utils.checks import UserError
from utils.program import NEEDS_TORCH


def has_torch() -> bool:
    """Return whether PyTorch is installed."""
    return find_spec("torch") is not None


def resolve(path: str | Path) -> Path:
    """Return the file or folder of a network; raise a CheckpointError if there is none."""
    if has_torch():
        return resolve_checkpoint(path)
    from model import engine_networks

    return engine_networks.resolve(path)


def load(path: str | Path, device: str = "auto", *, modules: Sequence[str | Path] = ()) -> Any:
    """Load a network for use: by `loading.load`, or without PyTorch by `engine_networks.load`.

    Raises:
        UserError: see these; without PyTorch also if there are `modules` or a device.
    """
    if has_torch():
        from model import loading

        return loading.load(path, device, modules=modules)
    from model import engine_networks

    if modules or device not in ("auto", "cpu"):
        raise UserError(f"{path}: a module or a device {NEEDS_TORCH}")
    return engine_networks.load(path)


def checked_reader(network: Any) -> Any:
    """Return a network that reads; raise a UserError for another one."""
    if has_torch():
        from model import loading

        return loading.checked_reader(network)
    return _checked(network, "reads", "read_words")


def checked_writer(network: Any, *, of_texts: bool) -> Any:
    """Return a network that writes, and with `of_texts` takes a text; raise a UserError for another
    one."""
    if has_torch():
        from model import loading

        return loading.checked_writer(network, of_texts=of_texts)
    return _checked(network, "writes", "write_lines")


def _checked(network: Any, task: str, method: str) -> Any:
    if not hasattr(network, method):
        raise UserError(f"{network}: a network that {task} is needed")
    return network
