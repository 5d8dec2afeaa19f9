"""Where samples come from: datasets, one file per source; transforms; batching."""

from data_loader.data_loaders import HandwritingDataLoader
from data_loader.sources.hand import HandDataset
from data_loader.sources.iam_ondb import IAMOnDBDataset
from data_loader.sources.ink_files import InkSample, read_ink
from data_loader.sources.inkml import InkMLDataset
from data_loader.sources.mnist_strokes import MNISTStrokesDataset
from data_loader.sources.stroke_arrays import StrokeArraysDataset
from data_loader.sources.unipen import UnipenDataset
from data_loader.synthetic.composed import ComposedDataset
from data_loader.synthetic.embedded import EmbeddedDataset
from data_loader.synthetic.mixed import MixedDataset
from data_loader.transforms.augmentation import (
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
from data_loader.transforms.shaping import (
    LevelBaseline,
    ResampleDistance,
    ResampleTime,
    ScaleHeight,
    ShapedDataset,
    Simplify,
    UndoSlant,
)
from data_loader.transforms.slips import RemoveSlips
from data_loader.transforms.smoothing import Smooth

__all__ = [
    "ComposedDataset",
    "CutLongSteps",
    "Dequantise",
    "EmbeddedDataset",
    "FillMissing",
    "HandDataset",
    "HandwritingDataLoader",
    "IAMOnDBDataset",
    "InkMLDataset",
    "InkSample",
    "InputNoise",
    "LevelBaseline",
    "MNISTStrokesDataset",
    "MixedDataset",
    "RemoveSlips",
    "ResampleDistance",
    "ResampleTime",
    "Rotate",
    "Scale",
    "ScaleHeight",
    "ShapedDataset",
    "Simplify",
    "Slant",
    "Smooth",
    "Stretch",
    "StrokeArraysDataset",
    "UndoSlant",
    "UnipenDataset",
    "Warp",
    "read_ink",
]
