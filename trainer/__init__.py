"""A trainer for each task, the dataset of a hand to learn, and optimisers that torch lacks."""

from trainer.generation_trainer import GenerationTrainer
from trainer.optimizers import GravesRMSprop
from trainer.own_hand import HandDataset, OwnHandReaderTrainer, OwnHandTrainer
from trainer.recognition_trainer import RecognitionTrainer

__all__ = [
    "GenerationTrainer",
    "GravesRMSprop",
    "HandDataset",
    "OwnHandReaderTrainer",
    "OwnHandTrainer",
    "RecognitionTrainer",
]
