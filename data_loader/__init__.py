"""Where samples come from: datasets, one file per source; transforms; batching."""

from data_loader.data_loaders import HandwritingDataLoader
from data_loader.embedded import EmbeddedDataset
from data_loader.iam_ondb import IAMOnDBDataset
from data_loader.ink_files import InkSample, read_ink
from data_loader.inkml import InkMLDataset
from data_loader.mixed import MixedDataset
from data_loader.mnist_strokes import MNISTStrokesDataset
from data_loader.shaping import (
    LevelBaseline,
    ResampleDistance,
    ResampleTime,
    ScaleHeight,
    ShapedDataset,
    Simplify,
    UndoSlant,
)
from data_loader.stroke_arrays import StrokeArraysDataset
from data_loader.transforms import (
    CutLongSteps,
    Dequantise,
    FillMissing,
    InputNoise,
    Rotate,
    Scale,
    Slant,
    Stretch,
    Warp,
)
from data_loader.unipen import UnipenDataset

__all__ = [
    "CutLongSteps",
    "Dequantise",
    "EmbeddedDataset",
    "FillMissing",
    "HandwritingDataLoader",
    "IAMOnDBDataset",
    "InkMLDataset",
    "InkSample",
    "InputNoise",
    "LevelBaseline",
    "MNISTStrokesDataset",
    "MixedDataset",
    "ResampleDistance",
    "ResampleTime",
    "Rotate",
    "Scale",
    "ScaleHeight",
    "ShapedDataset",
    "Simplify",
    "Slant",
    "Stretch",
    "StrokeArraysDataset",
    "UndoSlant",
    "UnipenDataset",
    "Warp",
    "read_ink",
]
