"""A trained network, loaded from a checkpoint and ready for use."""

from dataclasses import dataclass
from pathlib import Path

import torch

from base.base_model import BaseModel
from base.run.checkpoint import Checkpoint
from utils.files import PLAIN_NAME
from utils.licences import RESEARCH


@dataclass(repr=False)
class TrainedNetwork:
    """A network of a checkpoint, ready for use.

    Attributes:
        model: the network, in evaluation mode, on its device.
        path: the network's file.
        device: the network's device.
        record: the file's contents, such as `config` and `metrics`, without the weights and the
            state of the training.
    """

    model: BaseModel
    path: Path
    device: torch.device
    record: Checkpoint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def __str__(self) -> str:
        licence = f" ({self.licence})" if self.licence == RESEARCH else ""
        return f"{type(self.model).__name__} of {self.path} on {self.device}{licence}"

    @property
    def licence(self) -> str | None:
        """The licence of the weights, see `utils.licences`; None if unknown."""
        return self.record.get("licence")

    @property
    def name(self) -> str:
        """The name of the network's experiment, used to name files."""
        name = self.record["config"].get("name")
        return name if isinstance(name, str) and PLAIN_NAME.fullmatch(name) else self.path.stem
