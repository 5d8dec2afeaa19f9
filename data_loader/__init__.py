"""Datasets, transforms of their ink, and batches of samples.

`sources/__init__.py` says how to add a file format. Samples that do not come from files of a format
need a subclass of `BaseDataset` with `load`. `_NAMES` lists the classes that a config may name.
"""

from utils.lazy import importer

_NAMES = {
    "pipeline": "HandwritingDataLoader",
    "sources.iam_ondb": "IAMOnDBDataset",
    "sources.inkml": "InkMLDataset",
    "sources.shaped": "ShapedDataset",
    "sources.mnist_strokes": "MNISTStrokesDataset",
    "sources.stroke_arrays": "StrokeArraysDataset",
    "sources.unipen": "UnipenDataset",
    "synthetic.composed.dataset": "ComposedDataset",
    "synthetic.invented.font_writers": "EmbeddedDataset",
    "synthetic.composed.mixed": "MixedDataset",
    "synthetic.composed.phrases": "PhrasesDataset",
    "transforms.augmentation": (
        "CutLongSteps FillMissing InputNoise Rotate Scale Slant Stretch Warp"
    ),
    "transforms.cleaning": "RemoveSlips Smooth",
    "transforms.devices": "Crowd DelayMarks OtherDevice Pen",
    "transforms.shaping": "LevelBaseline ResampleDistance ResampleTime ScaleHeight",
    "hand_conditioning": "ToldHandsDataset",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_MODULES)
# A class is imported at its first use, so that reading ink does not import the training modules.
__getattr__ = importer(__name__, _MODULES)
