"""What is made of a seed is the same on every machine, and after every change but a wanted one.

Also found with numpy's vector instructions turned off.
"""

import zlib
from dataclasses import replace

import numpy as np
import pytest

from base.base_dataset import SPLITS
from data_loader import ComposedDataset, EmbeddedDataset, MixedDataset
from data_loader.invented.stroke_fonts import CHARACTERS, FONTS, OTHER_SHAPES, glyph
from data_loader.texts import corpus, european, everyday
from data_loader.texts.templates import Draws
from tests.data_loader.composed.recorded import Recorded
from tests.data_loader.composed.test_drawn import Digits


def drawn(make):
    draws = Draws(np.random.default_rng(8))
    return zlib.crc32("\n".join(make(draws) for _ in range(2000)).encode())


@pytest.mark.parametrize(
    ("make", "checksum"),
    [
        (corpus.sign, 1202330900),
        (lambda draws: corpus.running_text(draws, 0, 10, 45, 0.2), 393393007),
        (everyday.everyday, 2982024737),
        (everyday.random_characters, 2084004980),
        (european.european, 3376980614),
    ],
)
def test_texts(make, checksum):
    assert drawn(make) == checksum


def test_fonts():
    shapes = [(one, None) for one in CHARACTERS]
    for number, group in enumerate(OTHER_SHAPES):
        shapes += [(one, (number, n)) for n, other in enumerate(group) for one in other]
    glyphs = [[glyph(name, 1.0, *shape).path for shape in shapes] for name in FONTS]
    points = np.concatenate([np.concatenate(font)[:, :2].T.ravel() for font in glyphs])
    assert zlib.crc32(np.rint(points * 1024).astype("<i4").tobytes()) == 3983197938


class Gridded(EmbeddedDataset):
    """Lines that are said to lie on a grid."""

    def load(self, splits=SPLITS):
        return replace(super().load(splits), quantisation_step=1.0)


def made(dataset, grid):
    """Return a checksum of texts, names and inks, in steps of a grid."""
    found = 0
    for sample in dataset.load().used:
        words = f"{sample.text}\n{sample.name}\n{sample.ends}"
        found = zlib.crc32(words.encode(), found)
        ink = sample.ink / (grid, grid, 1)
        found = zlib.crc32(np.rint(ink).astype("<i4").tobytes(), found)
        found = zlib.crc32(sample.missing_counts.tobytes(), found)
    return found


def test_lines_of_stroke_fonts():
    plain = EmbeddedDataset(size=40, valid_size=5, test_size=5)
    other = EmbeddedDataset(size=40, valid_size=5, test_size=5, seed=1, signs=0.5, shapes=0.5)
    assert [made(one, 1 / 64) for one in (plain, other)] == [3952696212, 1340654142]


def test_mixed_lines():
    main = Gridded(size=30, valid_size=3, test_size=3)
    added = EmbeddedDataset(size=20, valid_size=1, test_size=1, signs=1.0)
    dataset = MixedDataset(dataset=main, added=added, joined=20, tight=0.4, short=0.5, pieces=10)
    assert made(dataset, 1 / 64) == 2232704453


def test_composed_lines(tmp_path):
    main = Recorded()
    main.alignment().save(tmp_path / "table.npz")
    options = dict(alignment=str(tmp_path / "table.npz"), scarce=4)
    first = ComposedDataset(dataset=main, size=25, long=6, digits=Digits(), **options)
    shares = dict(european=1.0, strings=0.0, plain=0.0)
    accented = ComposedDataset(dataset=main, size=25, **shares, **options)
    assert [made(one, 0.5) for one in (first, accented)] == [2072599452, 2869836214]
