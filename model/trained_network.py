"""A trained network, loaded from a checkpoint and ready for use."""

from dataclasses import dataclass
from pathlib import Path

import torch

from base.base_model import BaseModel
from base.checkpoint import Checkpoint
from utils.files import PLAIN_NAME
from utils.licences import OPEN, RESEARCH, combined
from utils.strict_json import nested

FORMER_LICENCES = {
    **dict.fromkeys(("IAMOnDBDataset", "iam_ondb"), RESEARCH),
    **dict.fromkeys(("EmbeddedDataset", "MNISTStrokesDataset", "UnipenDataset"), OPEN),
    # The lines of these datasets: those that they add. A config names their other sources, too.
    **dict.fromkeys(("ComposedDataset", "MixedDataset", "PhrasesDataset", "ShapedDataset"), OPEN),
}
"""The licences of datasets and sources by class or name, for checkpoints without a licence."""


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
        return licence_of(self.record)

    @property
    def name(self) -> str:
        """The name of the network's experiment, used to name files."""
        name = self.record["config"].get("name")
        return name if isinstance(name, str) and PLAIN_NAME.fullmatch(name) else self.path.stem


def licence_of(checkpoint: Checkpoint) -> str | None:
    """Return the licence of a checkpoint or of a `TrainedNetwork.record`; None if unknown. For an
    older checkpoint, which has no licence, return the licence of the config's data."""
    if "licence" in checkpoint:
        return checkpoint["licence"]
    values = (value for _, value in nested(checkpoint["config"].get("data_loader")))
    strings = {value for value in values if isinstance(value, str)}
    datasets = {name for name in strings if name in FORMER_LICENCES or name.endswith("Dataset")}
    return combined({FORMER_LICENCES.get(name) for name in datasets})
