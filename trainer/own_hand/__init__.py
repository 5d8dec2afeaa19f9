"""A trained network learns the hand of a person, and is then examined."""

from trainer.own_hand.dataset import FILE, HandDataset
from trainer.own_hand.exam import SAMPLE, OwnHandReaderTrainer, OwnHandTrainer

__all__ = ["FILE", "SAMPLE", "HandDataset", "OwnHandReaderTrainer", "OwnHandTrainer"]
