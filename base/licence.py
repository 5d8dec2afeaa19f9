"""What the weights of a network may be used for: the licence of the data that they learned from."""

from collections.abc import Mapping
from typing import Any

from utils.strict_json import nested

OPEN = "CC BY 4.0"
RESEARCH = "for non-commercial research only, as the IAM On-Line Handwriting Database"
RESEARCH_DATA = {"IAMOnDBDataset", "iam_ondb"}
"""Values in a config: the source, or the alignment of its lines."""
OPEN_DATA = {"EmbeddedDataset", "MNISTStrokesDataset", "UnipenDataset"}
COMBINING = {
    *("ComposedDataset", "MixedDataset", "PhrasesDataset", "ShapedDataset", "ToldHandsDataset"),
    "UnitedDataset",
}
"""Datasets of the lines of others."""


def licence(checkpoint: Mapping[str, Any]) -> str | None:
    """Return the licence of the network in a checkpoint, or in the record of a trained network: as
    it says or, in an older one, as its config does; None if that is unknown."""
    if "licence" in checkpoint:
        return checkpoint["licence"]
    values = _values(checkpoint["config"])
    if values & RESEARCH_DATA:
        return RESEARCH
    sources = {value for value in values if value.endswith("Dataset")} - COMBINING
    return OPEN if sources and sources <= OPEN_DATA else None


def after_training(config: Mapping[str, Any], before: Mapping[str, Any] | None) -> str | None:
    """Return the licence of a network that learns from a config's data.

    Args:
        config: of the training.
        before: the checkpoint with whose weights it begins; None for new ones.
    """
    data = licence({"config": config})
    if before is None or data == RESEARCH:
        return data
    # A person's own lines bind nobody else.
    if data == OPEN or "HandDataset" in _values(config):
        return licence(before)
    return None


def _values(config: Mapping[str, Any]) -> set[str]:
    return {value for _, value in nested(config.get("data_loader")) if isinstance(value, str)}
