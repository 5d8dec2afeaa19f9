"""Datasets of stroke arrays."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from data_loader.sources.source import DividedDataset
from ink import guard
from ink.formats.stroke_arrays import ARRAY_FILES, TEXTS, parse
from ink.sample import Parsed
from utils.checks import DataError


@dataclass(kw_only=True, eq=False)
class StrokeArraysDataset(DividedDataset):
    """Lines in `strokes.npy` (or `strokes-py3.npy`), with their texts in `sentences.txt`.

    Args:
        root: the folder with both files, or the `.npy` file itself.
        texts: the name of the file of transcriptions, one a line in the order of the arrays; the
            file is in the folder of the `.npy` file. None if there is no such file.
    """

    title = "Stroke arrays"
    parsed_by = ("texts",)
    is_one_block = True

    root: str = "data/stroke_arrays"
    texts: str | None = TEXTS

    def find(self) -> list[Path]:
        candidates = [self._path, *(self._path / name for name in ARRAY_FILES)]
        arrays = next((file for file in candidates if file.is_file()), None)
        if arrays is None:
            raise DataError(f"{self._path} has no {' or '.join(ARRAY_FILES)}")
        if self.texts is None:
            return [arrays]
        texts = arrays.parent / self.texts
        if not texts.is_file():
            raise DataError(
                f"{texts} does not exist: it should have one transcription per line; for ink "
                'without transcriptions set "texts": null'
            )
        return [arrays, texts]

    def read(self, files: list[Path], workers: int = 1) -> Iterable[Parsed]:
        return super().read(files[:1])  # `parse` reads the file of texts itself.

    def _parse(self, name: str, file: Path) -> Parsed:
        limits = guard.USUAL_LIMITS.times(self.max_gb)
        return guard.call(parse, file, self.texts, self.max_gb, limits=limits)
