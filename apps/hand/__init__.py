"""Dataset and trainers with which a trained network learns the hand of a person."""

from utils.lazy import importer

_HOMES = {
    "PRACTICE_FILE": "run_files",
    "SAMPLE_FILE": "run_files",
    "HandDataset": "dataset",
    "OwnHandReaderTrainer": "exam",
    "OwnHandTrainer": "exam",
}
__all__ = list(_HOMES)
__getattr__ = importer(__name__, _HOMES)
