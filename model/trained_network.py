"""What a checkpoint gives: a network ready for use."""

from dataclasses import dataclass
from pathlib import Path

import torch

from base.base_model import BaseModel
from base.checkpoint import Checkpoint
from base.licence import RESEARCH, licence
from utils.files import PLAIN_NAME


@dataclass(repr=False)
class TrainedNetwork:
    """A network of a checkpoint, ready for use.

    Attributes:
        model: the network, in evaluation mode, on its device.
        path: its file.
        device: its device.
        record: the file's other contents, such as `config` and `metrics`, without the state of
            the training.
    """

    model: BaseModel
    path: Path
    device: torch.device
    record: Checkpoint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __str__(self) -> str:
        terms = f" ({self.licence})" if self.licence == RESEARCH else ""
        return f"{type(self.model).__name__} of {self.path} on {self.device}{terms}"

    @property
    def licence(self) -> str | None:
        """What the use of its weights is bound to, see `base.licence`; None if that is unknown."""
        return licence(self.record)

    @property
    def name(self) -> str:
        """The name of its experiment, used to name files."""
        name = self.record["config"].get("name")
        return name if isinstance(name, str) and PLAIN_NAME.fullmatch(name) else self.path.stem
