"""Dataset and trainers with which a trained network learns the hand of a person."""

from apps.hand.dataset import PRACTICE_FILE, HandDataset
from apps.hand.exam import SAMPLE_FILE, OwnHandReaderTrainer, OwnHandTrainer

__all__ = ["PRACTICE_FILE", "SAMPLE_FILE", "HandDataset", "OwnHandReaderTrainer", "OwnHandTrainer"]
