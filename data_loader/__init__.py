"""Where samples come from: datasets, one file per source; transforms; batching.

`sources/__init__.py` says how to add a format. Samples that are in no format are a `BaseDataset`
with `load`. A class that a config may name is listed here.
"""

from utils.lazy import importer

_NAMES = {
    "data_loaders": "HandwritingDataLoader",
    "sources.iam_ondb": "IAMOnDBDataset",
    "sources.ink_files": "read_ink",
    "sources.inkml": "InkMLDataset",
    "sources.mnist_strokes": "MNISTStrokesDataset",
    "sources.stroke_arrays": "StrokeArraysDataset",
    "sources.unipen_collection": "UnipenDataset",
    "synthetic.composed": "ComposedDataset",
    "synthetic.embedded": "EmbeddedDataset",
    "synthetic.extended": "UnitedDataset",
    "synthetic.mixed": "MixedDataset",
    "synthetic.phrases": "PhrasesDataset",
    "transforms.augmentation": (
        "CutLongSteps FillMissing InputNoise Rotate Scale Slant Stretch Warp"
    ),
    "transforms.cleaning": "RemoveSlips Smooth",
    "transforms.devices": "Crowd DelayMarks OtherDevice Pen",
    "transforms.shaping": "LevelBaseline ResampleDistance ResampleTime ScaleHeight ShapedDataset",
    "told_hands": "ToldHandsDataset",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_HOMES)
# Imported when used, so that reading ink does not import the modules of training.
__getattr__ = importer(__name__, _HOMES)
