"""Trainers of each task, the dataset from which a hand is learned, and the paper's optimiser."""

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
