"""Where samples come from: datasets, one file per source; transforms; batching."""

from data_loader.data_loaders import HandwritingDataLoader
from data_loader.embedded import EmbeddedDataset
from data_loader.iam_ondb import IAMOnDBDataset
from data_loader.transforms import (
    CutLongSteps,
    FillMissing,
    InputNoise,
    Rotate,
    Scale,
    Slant,
)

__all__ = [
    "CutLongSteps",
    "EmbeddedDataset",
    "FillMissing",
    "HandwritingDataLoader",
    "IAMOnDBDataset",
    "InputNoise",
    "Rotate",
    "Scale",
    "Slant",
]
