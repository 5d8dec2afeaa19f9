from collections import defaultdict

import numpy as np
import pytest

from data_loader.sources.shaped import ShapedDataset
from data_loader.synthetic.invented.font_writers import EmbeddedDataset
from data_loader.transforms.augmentation import CutLongSteps, Rotate
from data_loader.transforms.shaping import LevelBaseline, ScaleHeight
from ink.geometry import x_height
from utils.checks import ConfigFault


def joined(parts):
    """Return the ink that was cut into pieces."""
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def source(**options):
    return EmbeddedDataset(size=6, valid_size=2, test_size=2, **options)


def test_a_shaped_dataset_shapes_all_splits():
    plain = source().load()
    dataset = ShapedDataset(dataset=source(), shaping=[LevelBaseline(), ScaleHeight(height=50.0)])
    loaded = dataset.load()
    for split in ("train", "valid", "test"):
        for sample, own in zip(loaded.split(split), plain.split(split), strict=True):
            assert x_height(sample.ink) == pytest.approx(50, rel=1e-3)
            assert (sample.text, sample.name, sample.writer) == (own.text, own.name, own.writer)
            assert len(sample.ink) == len(sample.missing)
    assert loaded.canonical is None
    assert "shaped by LevelBaseline, ScaleHeight" in loaded.report


def test_the_pieces_of_a_dataset_split_at_a_length_join_to_its_lines():
    plain, loaded = source().load(), ShapedDataset(dataset=source(), split_length=100).load()
    assert max(len(sample.ink) for sample in loaded.used) <= 101
    for split in ("train", "valid", "test"):
        parts = defaultdict(list)
        for sample in loaded.split(split):
            parts[sample.name.partition("/")[0]].append(sample)
        for line, own in zip(plain.split(split), parts.values(), strict=True):
            assert (joined([piece.ink for piece in own]) == line.ink).all()
            if len(own) > 1:
                names = [f"{line.name}/{n}" for n in range(len(own))]
                assert [piece.name for piece in own] == names
                assert not any(piece.text or piece.ink[0, :2].any() for piece in own)
            # Only the last piece of a line ends a sequence.
            assert [piece.ends for piece in own] == [False] * (len(own) - 1) + [True]
    assert "split at 100 steps: 10 samples became" in loaded.report


def test_augmentation_is_refused_as_shaping():
    with pytest.raises(ConfigFault, match=r'shaping = "Rotate": .* the loader'):
        ShapedDataset(dataset=source(), shaping=[CutLongSteps(threshold=1.0), Rotate()])
